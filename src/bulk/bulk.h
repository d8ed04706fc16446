/*
 * The bulk engine: queues of copies, deletes and puts, the order of operations on one key, delete
 * batches, and one window of requests in flight for each bucket.
 *
 * Core thread only. An operation is embedded in its caller's structure and borrowed from
 * bulk_submit until `done` has run, exactly once and never inside bulk_submit. Operations on one
 * key happen in the order of their submission: readers of a key (a copy's source, BULK_READ) share,
 * writers (a copy's target, deletes, puts, BULK_WRITE) are alone (contract C6).
 */
#ifndef BULK_BULK_H
#define BULK_BULK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "bulk/bulk_window.h"
#include "s3/s3.h"

struct bulk;
struct bulk_target; /* a bucket: its client and its window */
struct bulk_op;
struct key_queue;
struct mp_copy;
struct relay;

/* One place of an operation in the queue of a key. */
struct key_wait {
	struct bulk_op *op;
	struct key_queue *queue;
	bool write, granted;
	TAILQ_ENTRY(key_wait) link;
};

enum bulk_kind {
	BULK_COPY,   /* CopyObject, or UploadPartCopy above the part threshold */
	BULK_DELETE, /* one key of a DeleteObjects */
	BULK_PUT,    /* PutObject of a small body */
	BULK_READ,   /* holds the key for a reader of the caller's own: `granted`, then bulk_release
		      */
	BULK_WRITE   /* the same for a writer */
};

struct bulk_op {
	/* What to do: set by the caller, unchanged until done. */
	enum bulk_kind kind;
	struct bulk_target *target;
	struct bytes key;
	struct bulk_target *source; /* BULK_COPY */
	struct bytes source_key, source_etag;
	uint64_t size_bytes;        /* BULK_COPY: of the source */
	const char *storage_class;  /* BULK_COPY: to keep; NULL: the bucket's default */
	const struct s3_meta *meta; /* BULK_PUT; or NULL */
	/* BULK_COPY: user metadata to set (value NULL: to remove) over the source's; costs a HEAD
	 */
	const struct s3_header *patch;
	size_t patch_count;
	const char *content_type; /* with `patch`: in place of the source's; NULL: that */
	/* BULK_COPY: set if the source has nothing of that name; or NULL. As `patch`. */
	const struct s3_header *if_absent;
	/* With `patch`: all the copy's metadata, the source's being known: spares that HEAD. */
	const struct s3_meta *whole;
	/* With `patch`: no source is no error, then an empty object with this is put. */
	const struct s3_meta *or_empty;
	struct s3_body body;                 /* BULK_PUT */
	void (*granted)(struct bulk_op *op); /* BULK_READ, BULK_WRITE; may run inside bulk_submit */
	void (*done)(struct bulk_op *op, const struct s3_err *err);
	/* Results, valid in `done`. */
	char etag[80]; /* "" when the server gave none */

	/* The engine's own. */
	struct key_wait waits[2];
	unsigned waits_left;
	bool runnable;
	struct s3_retry retry;
	int64_t submitted_ms;
	struct bulk_launch launch;
	struct loop_timer timer;
	struct mp_copy *parts;
	struct relay *relay;
	TAILQ_ENTRY(bulk_op) link;
};

/* A HeadObject, beside the order of operations on its key. Embedded and borrowed as bulk_op. */
struct bulk_head {
	/* Set by the caller, unchanged until done. */
	struct bulk_target *target;
	struct bytes key, pin; /* as for s3_head */
	void (*done)(struct bulk_head *head, const struct s3_err *err, const struct s3_object *o);
	/* The engine's own. */
	bool waits, sent;
	struct s3_retry retry;
	struct bulk_launch launch;
	struct loop_timer timer;
	TAILQ_ENTRY(bulk_head) link;
};

struct bulk_config {
	uint64_t copy_part_threshold_bytes; /* larger sources are copied in parts; 0: 256 MiB */
	uint64_t copy_part_bytes;           /* size of such a part; 0: 128 MiB */
	uint64_t seed;                      /* of the jitter; 0: from the clock */
	/* As in struct s3_config, and for what waits here while S3 serves nothing; 0: none
	 */
	int64_t timeout_ms;
};

struct bulk_stats {
	uint64_t copies_done, deletes_done, puts_done, failed, throttled;
	unsigned pending; /* submitted and not done, holders not counted */
	unsigned in_flight;
	double window;
};

struct bulk *bulk_new(struct loop *loop, const struct bulk_config *config);
/* All operations must be done. */
void bulk_free(struct bulk *bulk);
/* `client` is borrowed until bulk_target_free. inflight_max 0: 1,024. */
struct bulk_target *bulk_target_new(
	struct bulk *bulk, struct s3_client *client, unsigned inflight_max);
/* Sizes of its copies in parts and its timeout (0: the default), in place of those of bulk_new. */
void bulk_target_configure(struct bulk_target *target, const struct bulk_config *config);
void bulk_target_free(struct bulk_target *target);
struct s3_client *bulk_target_client(const struct bulk_target *target);
uint64_t bulk_target_copy_part_bytes(const struct bulk_target *target);
void bulk_target_stats(const struct bulk_target *target, struct bulk_stats *stats);

void bulk_submit(struct bulk_op *op);
/*
 * In `done`: has the operation certainly not been carried out? Not where an answer was lost, be it
 * that of an earlier attempt than the one that was refused.
 */
bool bulk_is_refused(const struct bulk_op *op, const struct s3_err *err);
void bulk_head_submit(struct bulk_head *head);
/* True: it was not on its way, and `done` will not run. */
bool bulk_head_withdraw(struct bulk_head *head);
/* Ends the hold of a BULK_READ or BULK_WRITE, granted or not. `done` does not run. */
void bulk_release(struct bulk_op *op);
/* True while an operation that writes `key` is queued, under way, or holds it. */
bool bulk_key_busy(const struct bulk_target *target, struct bytes key);
/* Sends what waits in half-filled delete batches now: somebody waits for it. */
void bulk_hurry(struct bulk_target *target);

#endif
