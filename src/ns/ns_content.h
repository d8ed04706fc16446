/*
 * Files that are written: shared inside ns by what is about them. Core thread only, no locks.
 *
 * A file that somebody has open for writing has a `struct content`: a list of extents
 * (ns_extents.h), each a range of an object, or local bytes (ns_slab.h). While writes come one
 * after the other, what is complete is sent as parts of a multipart upload (ns_upload.c); close(2)
 * and fsync(2) plan the rest (ns_plan.h) and make the object (ns_save.c).
 */
#ifndef NS_NS_CONTENT_H
#define NS_NS_CONTENT_H

#include "ns/ns_extents.h"
#include "ns/ns_int.h"
#include "ns/ns_plan.h"
#include "ns/ns_slab.h"

/* ---- ns_source.c: versions of objects that files consist of -----------------------------------
 */

/* Its key is the node's, also when that is renamed. */
struct source {
	struct node *node; /* a reference */
	struct etag etag;
	uint64_t size_bytes; /* of the whole object */
	unsigned refs;
	LIST_ENTRY(source) link; /* in ns->sources */
};

/* That version of the node's object; a reference. */
struct source *source_get(struct node *n, const struct etag *etag, uint64_t size_bytes);
struct source *source_ref(struct source *s);
void source_unref(struct source *s);
/*
 * The node's object has another ETag now, and the same bytes (it was renamed, or its metadata have
 * changed): ranges of it, and handles, are of that version.
 */
void sources_follow(struct node *n, const struct etag *old, const struct etag *now);
/*
 * The node's object is about to go. Who has the file open keeps its bytes, up to what local bytes
 * may take of memory: they are fetched, before. True: the call was parked.
 */
bool content_keep(struct ns_call *c, struct node *n, void (*resume)(struct ns_call *));
/*
 * The node's object is about to be replaced or removed by this mount. Files that consist of ranges
 * of it (but `except`, or NULL) keep the bytes: they are fetched, before. True: the call was
 * parked.
 */
bool sources_rescue(struct ns_call *c, struct node *n, struct content *except,
	void (*resume)(struct ns_call *));

/* ---- ns_content.c -----------------------------------------------------------------------------
 */

struct content {
	struct node *node;        /* whose bytes these are; borrowed: its content goes with it */
	LIST_ENTRY(content) link; /* in ns->contents */
	unsigned writers;         /* handles */
	bool created;             /* S3 has no object of this name */
	bool dirty;               /* what S3 has is not what is here */
	bool own;      /* it is the node's own object; the list is made when something changes */
	bool foreign;  /* it has consisted of ranges of other objects */
	bool flushing; /* it is being stored: nothing may change it */
	bool unlinked; /* its name is gone: it is not stored, and goes with the last handle */
	bool leaving;  /* its name is being removed or changed: it is not stored meanwhile */
	bool readable; /* somebody could read it: bytes that were sent are kept */
	bool late;     /* bytes have come since the last close or fsync */
	int errnum;    /* of an upload that failed while data arrived: of the next write or flush */
	int refused;   /* errno of storing it as it is: that is not tried again */
	struct extents extents;
	struct slab *slab;            /* where new bytes go; or NULL */
	uint64_t run_start, run_end;  /* where the last writes went, one behind the other */
	struct upload *upload;        /* multipart, under way; or NULL */
	struct save *save;            /* what stores it; or NULL */
	struct evictable clean;       /* local bytes of what S3 has, too */
	LIST_HEAD(, fetch) fetches;   /* of ranges that are to become local */
	struct ns_call_list waiters;  /* for anything above to change */
	struct ns_call_list flushers; /* for the save to end: with its errno */
};

struct content *content_get(struct node *n); /* made if need be, as the node's own object */
void content_free(struct node *n);
bool node_has_writer(const struct node *n);
void content_clear(struct content *ct); /* empty: truncated to 0 */
/* S3 has it all, and nothing local is needed: it is the node's own object. */
void content_is_own(struct content *ct);
/* Its name is gone, or belongs to another file: nothing of it is to reach S3. */
void content_unlink(struct content *ct);
/* `after` of an operation that has stored it without a save; ct->flushing is false again. */
void content_attempted(struct accepted *a);
void content_stays(struct node *n); /* what was to be done to its name is over; or no content */
/* The last handle has gone, or nobody waits for it any more: it goes unless something holds it. */
void content_release(struct node *n);
void content_readable(struct content *ct); /* somebody could read it now */
/* Reads come from it, not from the object that was opened; false for NULL. */
bool content_is_read(const struct content *ct);
/*
 * Before anything is changed: makes the list if it is the node's own object. False: the call was
 * parked; `resume` looks at c->errnum.
 */
bool content_load(struct ns_call *c, struct content *ct, void (*resume)(struct ns_call *));
/*
 * Before [from, to) is changed (`to` UINT64_MAX: cut): what was sent of it is to be sent again.
 * False: the call was parked; `resume` looks at c->errnum.
 */
bool content_touch(struct ns_call *c, struct content *ct, uint64_t from, uint64_t to,
	void (*resume)(struct ns_call *));
/*
 * Puts local bytes at `offset`. Returns 0, a positive errno, or SLAB_WAIT; *done is how many of
 * `len` are there.
 */
int content_put(struct content *ct, uint64_t offset, const char *data, size_t len, size_t *done);
/* The file has changed just now, through a call. */
void content_changed(struct content *ct, bool pages_good);
#define FILE_BYTES_MAX ((uint64_t)S3_PARTS_MAX * S3_PART_MAX)

/* ---- ns_lend.c: local bytes as the body of a request -------------------------------------------
 */

struct lent {
	struct bytes *runs;
	size_t run_count, run_cap;
	struct slab **slabs;
	size_t slab_count, slab_cap;
	uint64_t draining_bytes; /* counted in the pool */
};
void lend_run(struct lent *l, const struct extent *e, uint64_t from, uint64_t to);
void lend_slab(struct lent *l, struct slab *s, uint64_t at, size_t len);
/* The memory comes free when the request ends. */
void lent_drains(struct lent *l, struct slab_pool *pool);
void lent_return(struct lent *l, struct slab_pool *pool);

/* ---- ns_fetch.c: ranges of objects that become local -------------------------------------------
 */

/* One range that is being fetched, or was; embedded in nothing, owned by who asked for it. */
struct fetch {
	struct slab *slab;
	struct source *source;
	uint64_t offset, at; /* in the file, and in the object */
	size_t len;
	struct s3_op *op; /* under way; NULL: it is there, or errnum */
	int errnum;
	bool dropped;
	struct ns *ns;
	void (*done)(struct fetch *f);
	void *owner;
	LIST_ENTRY(fetch) link; /* of the owner's */
};
/* A fetch of the first bytes of [from, to) in `e`. NULL and *errnum: there is no room for them. */
struct fetch *fetch_start(const struct extent *e, uint64_t from, uint64_t to,
	void (*done)(struct fetch *f), void *owner, int *errnum);
/* Lets go of it, whether it has ended or not: `done` does not run any more. */
void fetch_drop(struct fetch *f);
/*
 * Makes ranges of `source`'s object (NULL: of any) in [from, to) local. Returns 0: there are none;
 * -1: some are on their way, and ct->waiters are woken; or a positive errno.
 */
int content_localise(struct content *ct, uint64_t from, uint64_t to, const struct node *source);
void content_drop_fetches(struct content *ct);

/* ---- ns_upload.c: multipart uploads ------------------------------------------------------------
 */

enum part_state { PART_QUEUED, PART_FETCHING, PART_SENT, PART_DONE };

struct upload_part {
	struct upload *upload;
	TAILQ_ENTRY(upload_part) queue_link; /* PART_QUEUED */
	struct evictable evictable;          /* PART_DONE: its local bytes */
	enum part_state state;
	bool copy;
	bool stale; /* its bytes have changed since it was sent */
	unsigned number;
	uint64_t offset, len;
	struct s3_op *op;           /* PART_SENT */
	LIST_HEAD(, fetch) fetches; /* bytes of objects that are to be sent with it */
	struct lent lent;
	char etag[80];
};

struct upload {
	struct content *content; /* NULL: its file has let go of it */
	struct ns_volume *volume;
	char *key;
	size_t key_len;
	char *id; /* NULL: not there yet */
	bool creating, aborting;
	bool asked; /* CreateMultipartUpload is sent: before it, others may be (upload_begin) */
	struct upload_part **parts;
	unsigned count, cap;
	unsigned sending, copying; /* parts under way */
	uint64_t end;              /* its parts are the file up to there */
	bool lossy;                /* something is EXTENT_SENT */
	TAILQ_HEAD(, upload_part) queue;
	void (*gone)(void *ctx); /* of who waits for it to be aborted; or NULL */
	void *gone_ctx;
};

struct upload *upload_new(struct content *ct);
/* Asks S3 for it, or for what it has to take along: called again when that is there. */
void upload_begin(struct upload *u);
/* Plans up to `to` and sends what there is to send. False: it would take too many parts. */
bool upload_plan(struct upload *u, uint64_t to, bool at_end);
void upload_pump(struct upload *u);
bool upload_is_idle(const struct upload *u); /* nothing is on its way */
/* Queues again what has changed since it was sent; false: there is nothing. */
bool upload_queue_stale(struct upload *u);
/* The first part that ends behind `offset`; `count` if none does. */
unsigned upload_part_at(const struct upload *u, uint64_t offset);
/* Takes back the parts from that one on; none of them may be under way. */
void upload_take_back(struct upload *u, unsigned first);
/* Lets go of bytes that are kept although they were sent; false: there are none. */
bool upload_evict(struct upload *u);
void upload_keep_bytes(struct upload *u); /* from now on they are kept */
/* The file has no upload any more; S3 is told. `gone` (or NULL) is called when that is done. */
void upload_let_go(struct content *ct, void (*gone)(void *ctx), void *ctx);
void upload_forget(struct content *ct); /* it is complete */
void plan_limits_of(const struct content *ct, struct plan_limits *limits);
uint64_t put_bytes_max(const struct content *ct); /* larger files are sent in parts */
#define NS_PART_BYTES ((uint64_t)8 << 20)

/* ---- ns_save.c: the object is made --------------------------------------------------------------
 */

/* A version of an object, whole; all borrowed. */
struct copied {
	struct node *node;
	const struct etag *etag;
	uint64_t size_bytes;
};
/*
 * Stores it in S3. ct->flushers are woken when that has ended, with c->errnum; it may end inside
 * the call. `w` and `tid`: whose call it is; or NULL, 0.
 */
void content_save(struct content *ct, struct walk *w, pid_t tid);
void content_save_copy(struct content *ct, const struct copied *from, struct walk *w,
	pid_t tid); /* as that copy */
/*
 * The call needs bytes that only the upload has: the file is stored as it is now, as by fsync(2),
 * and then consists of that object. `resume` looks at c->errnum.
 */
void content_settle(struct ns_call *c, struct content *ct, void (*resume)(struct ns_call *));
void save_progress(struct content *ct);       /* an upload or fetch has come further, or failed */
bool save_is_final(const struct content *ct); /* what makes the object is on its way */
/* The body of a put of all of the content; `a` owns it. */
void put_body(struct accepted *a, struct content *ct);

/* ---- ns_flush.c
 * ---------------------------------------------------------------------------------- */

void file_stored(struct accepted *a);    /* S3 has it: its node learns what S3 said */
void file_copy_meta(struct accepted *a); /* a copy of a file: what metadata go with it */
void file_lost(struct node *n);          /* what was made here is not in S3, and will not be */

/* ---- ns_remove.c
 * ----------------------------------------------------------------------------------- */

/*
 * Before a file loses its name: what is being stored of it is stored, and who has it open keeps its
 * bytes. True: the call was parked; `resume` looks at c->errnum.
 */
bool file_unname(struct ns_call *c, struct node *n, void (*resume)(struct ns_call *));

/* ---- ns_truncate.c
 * ------------------------------------------------------------------------------- */

void truncate_open(struct node *n); /* O_TRUNC */
/* To c->st.st_size, then `next`, with c->errnum. */
void setattr_size(struct ns_call *c, void (*next)(struct ns_call *));

/* ---- ns_file.c: handles
 * --------------------------------------------------------------------------- */

struct ns_file_handle {
	struct node *node; /* a reference */
	LIST_ENTRY(ns_file_handle) link;
	bool reads, writes;
	pid_t tid;
	struct etag etag; /* of the version that was opened */
	uint64_t size_bytes;
	LIST_HEAD(, readahead) aheads; /* ns_blocks.h */
};
/* The node's object was replaced by this mount: who has it open sees the new version. */
void handles_follow(struct node *n);

#endif
