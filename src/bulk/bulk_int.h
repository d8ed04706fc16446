/* Shared inside bulk only. */
#ifndef BULK_BULK_INT_H
#define BULK_BULK_INT_H

#include "bulk/bulk.h"
#include "util/hash.h"

TAILQ_HEAD(bulk_list, bulk_op);
TAILQ_HEAD(key_waits, key_wait);

struct key_queue {
	UT_hash_handle hh;
	struct bulk *bulk;
	struct key_waits waits;
	unsigned writers;
	struct bulk_target *target; /* with `key`, what is hashed: the two must stay adjacent */
	char key[];
};

/* A range of an object in memory, on its way from one request to another. */
struct bulk_fetch {
	/* Set by the caller, borrowed and unchanged until fetch_end. */
	struct bulk *bulk;
	struct s3_client *client;
	struct bytes key, etag; /* pinned by it */
	uint64_t offset;
	size_t len; /* > 0 */
	unsigned flags;
	/* Runs once, never inside fetch_begin; with S3_OK `run` is what was read. */
	void (*ready)(struct bulk_fetch *f, const struct s3_err *err);
	struct bytes run;
	/* Its own. */
	char *data;
	struct loop_timer timer;
	TAILQ_ENTRY(bulk_fetch) link; /* waits for room */
};

struct bulk {
	struct loop *loop;
	struct bulk_config config;
	struct rng rng;
	struct key_queue *queues;
	struct bulk_list runnable; /* granted, to be run when the giver is done */
	struct bulk_target *targets;
	uint64_t fetch_bytes; /* of what bulk_fetch.c has in memory */
	TAILQ_HEAD(, bulk_fetch) fetches;
};

struct bulk_target {
	struct bulk *bulk;
	struct bulk_config config; /* of copies in parts; timeout */
	struct s3_retry_policy policy;
	struct s3_err trouble; /* of the last attempt, if another may mend it; else S3_OK */
	int64_t served_ms;     /* the last other answer, or the first attempt after a pause */
	struct s3_client *client;
	struct bulk_window window;
	struct bulk_window heads_window;
	TAILQ_HEAD(, bulk_head) heads; /* to be sent */
	struct bulk_list ready;        /* copies and puts whose turn it is */
	struct bulk_list parts;        /* copies in parts that have one to send */
	bool part_was_last;            /* whose turn it was: see launch_next() */
	struct bulk_list deletes;      /* deletes whose turn it is, to be batched */
	unsigned delete_count;
	size_t delete_bytes;
	bool deletes_due; /* send the last, unfilled batch too */
	struct loop_timer deletes_timer;
	struct loop_timer pace_timer; /* the next request may be sent then */
	struct bulk_stats stats;
	struct bulk_target *next;
};

/* bulk_order.c */
void order_enter(struct bulk_op *op); /* queues it; `waits_left` is 0 when it may run now */
void order_leave(struct bulk_op *op); /* frees its keys; who may run now is noted */
void order_run(struct bulk *b);       /* runs who was noted */
/* bulk.c */
void bulk_run(struct bulk_op *op); /* its turn has come */
void bulk_finish(struct bulk_op *op, const struct s3_err *err);
/*
 * After a failed attempt: queues `op` again (timer) and returns true, or the error is final. With
 * `same_ms`, all that are queued again by calls with it come back at the same time (-1 at first).
 */
bool bulk_try_again(struct bulk_op *op, const struct s3_err *err, int64_t *same_ms);
void bulk_pump(struct bulk_target *t);
/* The deadline counts from the first attempt; while S3 serves nothing, from the submission. */
void bulk_begun(struct bulk_op *op);
/* Notes that an attempt begins, and how it has ended. */
struct bulk_launch bulk_launched(struct bulk_target *t, struct bulk_cost cost);
void bulk_heard(struct bulk_target *t, const struct s3_err *err);
/* With a timeout: it has waited until no attempt may begin any more, and S3 has served nothing all
 * the while. To try each that waits would take that long again for every window of them. */
bool bulk_is_hopeless(const struct bulk_target *t, const struct bulk_op *op);
/*
 * An attempt is over: its place in the window is free, and the window learns from the answer, which
 * refused so many of its writes for being too many.
 */
void bulk_landed(struct bulk_target *t, const struct bulk_launch *launch, unsigned refused);
/* The same for an attempt of one write. */
void bulk_landed_one(
	struct bulk_target *t, const struct bulk_launch *launch, const struct s3_err *err);
void put_send(struct bulk_op *op, const struct s3_meta *meta);
/* bulk_head.c */
void heads_pump(struct bulk_target *t);
/* bulk_delete.c */
bool delete_launch(struct bulk_target *t); /* sends one batch if there is one to send */
void delete_queue(struct bulk_op *op);
/* bulk_fetch.c */
void fetch_begin(struct bulk_fetch *f);
void fetch_end(struct bulk_fetch *f); /* frees its memory; after `ready` */
/* bulk_copy.c */
void copy_launch(struct bulk_op *op);
void copy_send(struct bulk_op *op, const struct s3_meta *replace);
/* An attempt is over: the copy is done, or tried again, or has failed. */
void copy_over(struct bulk_op *op, const struct s3_err *err, const struct s3_put_result *result);
void copy_failed(struct bulk_op *op, const struct s3_err *err);
void copy_found(struct bulk_op *op, const struct s3_object *o); /* an earlier attempt has made it */
/* Are the source's tags to be asked for, to be sent again? */
bool tags_wanted(const struct bulk_op *op, const struct s3_object *o);
/*
 * The answer: takes them into `meta`. False: the copy fails, with `err`. Those that the server
 * cannot tell are left behind; s3 has logged it.
 */
bool tags_take(const struct bulk_op *op, struct s3_meta *meta, struct s3_err *err,
	const struct s3_object_tag *tags, size_t count);
/* bulk_meta.c */
void meta_copy_launch(struct bulk_op *op);
/* The source's metadata with the operation's changes; borrows from both; free(*headers). */
struct s3_meta meta_patched(
	const struct bulk_op *op, const struct s3_object *o, struct s3_header **headers);
/* bulk_relay.c: for servers without CopyObject. Larger objects go by bulk_mpcopy.c. */
#define RELAY_BYTES_MAX ((uint64_t)16 << 20)
bool relay_wanted(const struct bulk_op *op);
/* Copies `o`, the source, by GetObject and PutObject with this metadata. */
void relay_begin(struct bulk_op *op, const struct s3_object *o, const struct s3_meta *meta);
/* bulk_mpcopy.c */
bool mp_copy_wanted(const struct bulk_op *op);
void mp_copy_launch(struct bulk_op *op);
/* It is out of `parts`: the window has a place for one of its parts; `hopeless`: it fails instead.
 */
void mp_copy_turn(struct bulk_op *op, const struct s3_err *hopeless);

#endif
