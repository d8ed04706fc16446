/*
 * Shared inside ns only. Core thread only, so there are no locks.
 *
 * A name in a directory is a `struct node`. It is in the table (found by parent and name) while it
 * is live; a name that was removed here leaves a tombstone in the table for as long as a listing
 * that began earlier could bring it back (contract C6).
 */
#ifndef NS_NS_INT_H
#define NS_NS_INT_H

#include "ns/ns.h"
#include "ns/ns_ledger.h"
#include "ns/ns_meta.h"
#include "ns/ns_proc.h"
#include "ns/ns_slab.h"
#include "ns/ns_walk.h"
#include "util/buf.h"
#include "util/bytes.h"

/* ---- ETags, compact: 16 bytes for the usual forms ------------------------------------------- */

struct etag {
	union {
		uint8_t md5[16];
		char *text; /* any other form; owned */
	} u;
	uint16_t parts; /* "md5-parts"; 0: none */
	uint8_t form;   /* 0: unknown, 1: md5, 2: text */
};
/* With a version's id, of up to 1,024 bytes (struct s3_config, version_at_ms). */
#define ETAG_TEXT_MAX 2048
void etag_set(struct etag *e, struct bytes text); /* frees what was there */
void etag_copy(struct etag *to, const struct etag *from);
void etag_free(struct etag *e);
/* The text without quotes, in `out` or borrowed from `e`; empty when unknown. */
struct bytes etag_text(const struct etag *e, char out[64]);
bool etag_equal(const struct etag *a, const struct etag *b);

/* ---- nodes ------------------------------------------------------------------------------------
 */

enum node_kind { NODE_FILE, NODE_DIR, NODE_TOMB };
enum marker { MARKER_UNKNOWN, MARKER_NO, MARKER_YES };

struct lister;
struct flat;
struct content;

struct dir {
	struct node **kids; /* in the order of their inode numbers; NULL where one has gone */
	size_t kid_first, kid_count, kid_cap, kid_live; /* kid_first: those before it have gone */
	bool complete;       /* the kids are all there is, as of listed_ms */
	enum marker marker;  /* the object "dir/" */
	uint64_t marker_seq; /* when it was last written here */
	int64_t listed_ms;   /* when the listing that made it complete began */
	struct lister *lister;
	struct flat *flat;    /* a flat listing that somebody waits for to fill this (ns_flat.c) */
	bool flat_streams;    /* it is filling it, and nothing was known before */
	bool is_cwd;          /* of a walk, and perhaps of the shell that it came from */
	uint64_t stream_ino;  /* what may be handed out while a listing streams (ns_list.h) */
	pid_t ahead_tgid;     /* it was listed for him, who has not read it yet; 0: nobody */
	unsigned ahead_page;  /* of that flat listing */
	uint64_t changed_seq; /* what is being listed is not all: the last time this was found */
	uint64_t purged_seq;  /* the last time a tombstone was let go of, here or below */
	struct ns_call_list waiters; /* for progress of the listing */
	unsigned handles;
	unsigned lookups;  /* of names in it; wraps */
	unsigned probes;   /* of a walk, for single names, since the last listing */
	unsigned readers;  /* listings and probes under way: tombstones must stay */
	unsigned pending;  /* accepted and not done, at any depth */
	int failed_errnum; /* first failure below since an fsync has reported one */
	/* ns_full.c: handed out up to there, looked at up to there, waited for (0: nothing) */
	uint64_t read_ino, full_ino, full_wait_ino;
	int list_errnum;     /* why the last listing ended early; 0: it did not */
	pid_t snapshot_tgid; /* who listed it last: to him it stays as it was listed */
	int64_t snapshot_ms;
	LIST_HEAD(, node) tombs;
};

struct node {
	struct node *parent; /* a counted reference; NULL: a root */
	struct ns_volume *volume;
	struct node *table_next;
	uint64_t ino;
	union {
		uint64_t size_bytes;
		struct node *buried; /* NODE_TOMB: the directory, when things were pending in it */
	};
	int64_t mtime_ms;
	int64_t checked_ms;           /* monotonic: S3 said so then */
	uint64_t change_seq;          /* of the last change made here */
	struct ns_call_list *waiters; /* until nothing is pending; NULL: none */
	union {
		struct dir *dir; /* NODE_DIR */
		struct content
			*content; /* NODE_FILE: open for writing or not yet stored; or NULL */
		LIST_ENTRY(node) tomb_link; /* NODE_TOMB */
	} u;
	struct node_meta *meta; /* or NULL: none known */
	struct etag etag;
	uint32_t hash;
	uint32_t lookups; /* the kernel's references */
	uint32_t refs;
	uint32_t pending;   /* accepted operations on this name */
	int32_t s3_ahead_s; /* how much later than mtime_ms S3 says; 0 unless it was written here */
	union {
		uint32_t keepers; /* NODE_DIR: walks that see to it, or to one below, lasting */
		uint32_t opens;   /* NODE_FILE: handles */
	};
	uint8_t kind;
	bool live; /* in the table */
	bool archived;
	bool link;        /* NODE_FILE: a symbolic link; its content is where it points to */
	bool s3_time;     /* what S3 says is known: node_s3_time_s() */
	uint8_t look;     /* enum look */
	bool unsent;      /* NODE_DIR: made by a mkdir that S3 has not seen (ns_dir.c) */
	bool leaving;     /* NODE_DIR: its rmdir is held, and needs no marker */
	bool unvisited;   /* listed, and not looked up since */
	uint8_t class_id; /* index of the storage class in ns->classes */
	uint16_t name_len;
	bool was_dir;     /* NODE_TOMB: of a directory */
	bool came_back;   /* NODE_TOMB: its removal has failed, see tomb_fails */
	bool pages_good;  /* what the kernel may have cached of it is this version */
	const char *name; /* as the user sees it, NUL-terminated; own_name until it is renamed */
	char own_name[];
};

struct ns_volume {
	struct ns *ns;
	struct bulk_target *target;
	struct s3_client *client;
	char *prefix;
	char *mountpoint;
	struct ns_config config;
	struct node *root;
	uint64_t id;             /* never used again */
	size_t node_count;       /* nodes that exist, the root included */
	bool left;               /* ns_volume_free was called: freed with its last node */
	struct copy_pair *pairs; /* ns_copy.c */
	size_t pair_count;
	struct ledger ledger;
	struct ns_volume *next;
};

#define CLASSES_MAX 32
#define ABSENT_MAX 16

/* A name that S3 has just said is not there. */
struct absent {
	const struct node *parent; /* compared only */
	char *name;
	int64_t checked_ms;
};

struct ns {
	struct loop *loop;
	struct bulk *bulk;
	struct ns_config config;
	struct node **table;
	size_t table_size, node_count;
	uint64_t next_ino;
	uint64_t seq;      /* of local changes, and of the moments when listings began */
	unsigned accepted; /* operations that are not done */
	uint64_t failures;
	bool closing; /* nobody is to begin anything: calls that wake are answered EINTR */
	struct ns_call_list room_waiters; /* for `accepted` to fall below the bound */
	struct walk *walks;               /* by process id (uthash) */
	LIST_HEAD(, flat) flats;          /* one a process at most */
	unsigned flat_count;
	LIST_HEAD(, ns_dir_handle) dir_handles;
	LIST_HEAD(, ns_file_handle) file_handles;
	LIST_HEAD(, walk) runs; /* ns_run.c */
	struct member *members; /* by thread id (uthash) */
	struct makers *makers;  /* ns_maker.c; or NULL */
	uint64_t walk_id;       /* of the last one */
	struct ns_volume *volumes;
	uint64_t volume_id; /* of the last one */
	char *classes[CLASSES_MAX];
	struct mime *mime;
	struct recall *recall; /* or NULL: nothing was forgotten yet */
	LIST_HEAD(, full_ask) full_asks;
	int64_t full_warned_ms;
	struct info_ring *info; /* or NULL: nobody has asked */
	struct absent absent[ABSENT_MAX];
	unsigned absent_next;
	LIST_HEAD(, content) contents; /* files that are written (ns_content.h) */
	LIST_HEAD(, source) sources;   /* objects that they consist of */
	struct slab_pool slabs;
	unsigned uploads; /* requests of multipart uploads under way */
	unsigned saving;  /* files that are being stored */
	size_t read_bytes;
	TAILQ_HEAD(, readahead) readers;
	void (*stale)(void *ctx, struct node *parent, const char *name, struct node *node);
	void *stale_ctx;
	unsigned untold; /* what it was called for and ns_told() has not answered */
	struct loop_timer told_timer;
	struct ns_call_list told_waiters;
};

/* ns_stale.c */
void stale_init(struct ns *ns);
void stale_free(struct ns *ns);
void node_stale(struct node *n); /* the kernel is to ask for this name again */
void name_stale(struct node *parent, const char *name); /* the same for one without a node */
/*
 * For a call that is about to be answered with a failure: true when it was parked until the kernel
 * has been told of what is stale, or for a moment, and `resume` is to come here again.
 */
bool stale_holds(struct ns_call *c, void (*resume)(struct ns_call *));

/* ns_node.c */
struct node *node_find(const struct node *parent, struct bytes name); /* live or tombstone */
struct node *node_live(const struct node *parent, struct bytes name); /* or NULL */
/* A new live name in `parent`; a tombstone in its place is replaced. The table holds a reference.
 */
struct node *node_add(struct node *parent, struct bytes name, enum node_kind kind);
void node_remove(struct node *n);       /* no longer live; no tombstone */
struct node *node_bury(struct node *n); /* no longer live; returns the tombstone it leaves */
/* Moves a live node to another name, which must not be live. It gets a new inode number. */
void node_move(struct node *n, struct node *parent, struct bytes name);
void tomb_drop(struct node *parent, struct bytes name);
/* A delete has failed: it is there, or, of a directory, when nothing is pending in it any more. */
void tomb_fails(struct node *parent, struct bytes name);
/* Something in it is there after all: so is it, and each directory above it. */
void dir_came_back(struct node *dir);
struct node *node_ref(struct node *n);
void node_unref(struct node *n);
/* Lets go of a tombstone if nobody can bring its name back any more. */
void tomb_purge(struct node *tomb);
void tomb_purge_of(const struct node *dir); /* the one that stands for it, if there is one */
void tombs_purge(struct node *dir);         /* all in it */
/* The removed directory of that name in which things are still pending; or NULL. */
struct node *tomb_busy_dir(const struct node *parent, struct bytes name);
void node_forget_kids(
	struct node *dir); /* drops what nobody holds; the listing is incomplete then */
struct node *node_root_new(struct ns_volume *v);
size_t dir_kids_after(const struct dir *d, uint64_t ino); /* the first one behind that number */
/* Counts operations accepted on `n`, up through its parents. */
void node_pend(struct node *n, int change);
/* The node's (or `name`'s in it) key, without or with the final '/'. Appends to `out`. */
void node_key(const struct node *n, struct buf *out);
void node_child_key(const struct node *parent, struct bytes name, struct buf *out);
/* Path from the mount's root, "/a/b". */
void node_path(const struct node *n, struct buf *out);
bool node_is_under(const struct node *n, const struct node *dir);
void node_touch(struct node *n); /* a change made here: newer than any listing under way */
uint8_t class_id(struct ns *ns, struct bytes name);
void park(struct ns_call *c, struct ns_call_list *list, void (*resume)(struct ns_call *));
void wake(struct ns_call_list *list); /* resumes all that were parked when it was called */
void wait_node(struct ns_call *c, struct node *n, void (*resume)(struct ns_call *));
void wake_node(struct node *n);
void node_attr(const struct node *n, const struct ns_call *c, struct ns_attr *attr);
void reply_entry(struct ns_call *c, struct node *n); /* counts a lookup */

/* ns_name.c: names that POSIX cannot show are escaped, reversibly (doc/semantics.md) */
void name_encode(struct bytes component, bool beside_dir, struct buf *out);
bool name_decode(struct bytes name, struct buf *out); /* false: a name that stands for no key */
bool name_is_beside(struct bytes name);               /* of an object beside a directory: "%=" */

/* ns_list.c */
bool dir_is_fresh(const struct node *dir, const struct ns_call *c);
void dir_list(struct node *dir);          /* begins a listing unless one is under way */
void dir_changed(struct node *dir);       /* what we know of it is no longer all */
void dir_doubtful(struct node *dir);      /* what is being listed of it will not be all */
bool dir_streams(const struct node *dir); /* a first listing is under way: read along */
/* ns_ahead.c */
/* `tgid` is about to read it: begins a listing unless what is known is fresh to him. */
void dir_read(struct node *dir, pid_t tgid, bool fresh);
void flats_free(struct ns *ns, const struct ns_volume *v); /* of the volume, or NULL: all */

/* ns_probe.c */
/* Asks S3 about one name: the call is resumed when the answer is in; its error is in `*err`. */
struct probe {
	struct ns_call *call;
	struct node *parent;
	char *name;
	uint64_t start_seq;
	unsigned left;
	struct s3_err err;
	bool is_file, is_dir;
	uint64_t size_bytes;
	int64_t mtime_ms;
	struct etag etag;
	uint8_t class_id;
	struct node_meta meta, dir_meta;
	bool is_link, has_marker;
	size_t dir_key_len;
	struct ns_call_list waiters;
};
void probe_name(
	struct ns_call *c, struct node *parent, struct bytes name, void (*then)(struct ns_call *));
/* Takes the answer of probe_name; returns the positive errno of a failed one, else 0. */
int probe_take(struct ns_call *c);

/* ns_lookup.c */
/* The directory may hold names again that were not there, or is gone itself. */
void absent_forget(struct ns *ns, const struct node *parent);
int name_check(const struct ns_call *c, const char *name); /* 0, ENAMETOOLONG, EINVAL: no key */

/* ns_accept.c: operations that are answered before S3 has answered, or waited for */
struct accepted {
	struct bulk_op op;
	struct ns *ns;
	struct node *node;   /* whose name it is about (a tombstone for deletes); a reference */
	struct node *source; /* or NULL; a reference */
	struct walk *walk;   /* whose it is; or NULL */
	bool attempt;        /* there is another way: a failure is no failure of the file */
	bool deferred;       /* nobody waits for it: a failure is the walk's, and the ledger's */
	struct ns_call_list waiters;
	void (*settle)(struct accepted *a, const struct s3_err *err); /* bookkeeping of the names */
	void (*after)(
		struct accepted *a); /* when all that follows from the answer is done; or NULL */
	void *extra;                 /* owned; what it holds is let go of by `release`, or NULL */
	void (*release)(struct accepted *a);
	const char *what; /* "copy", "delete", ... for messages */
	char *path;
	pid_t tid; /* who waits for it; 0: nobody */
	struct s3_meta meta;
	/* What `meta` points at: made by meta_send, freed by meta_unsend. */
	char *content_type;
	struct s3_header *patch, *user, *time; /* time: one, see bulk_op's if_absent */
	size_t patch_count;
	struct s3_meta *kept;
};
/* A fresh one on `node`; fill in what is special, then accept(). */
struct accepted *accepted_new(struct node *node, enum bulk_kind kind, const char *what);
void accepted_source(struct accepted *a, struct node *source, const struct etag *etag);
/*
 * Submits it, for the walk `w` or NULL. With a call, the call is parked until it is done and then
 * resumed with c->errnum set; without one it is deferred.
 */
void accept_op(
	struct accepted *a, struct walk *w, struct ns_call *c, void (*then)(struct ns_call *));
/* The same for an operation that belongs to something of ours: `after` is the end of it. */
void accept_own(struct accepted *a, struct walk *w, pid_t tid);
/* After node_pend(n, -1): those go on who wait for nothing to be pending in it, or above. */
void wake_settled(struct node *n);
void reply_errnum(struct ns_call *c); /* a `then` that replies c->errnum */
/* True when the call had to be parked because too much is pending. */
bool accept_full(struct ns_call *c, void (*resume)(struct ns_call *));

/* ns_copy.c */
/* Has S3 copied from that volume to this one already? Then it will again. */
bool volume_copies_from(const struct ns_volume *to, const struct ns_volume *from);
/* Whether it does is not known yet: the first copy says so. */
bool volume_is_untried(const struct ns_volume *to, const struct ns_volume *from);
/* The copy of an empty file to c->node as such a first one; then `then`, with c->errnum. */
void copy_empty_first(struct ns_call *c, struct node *from, void (*then)(struct ns_call *));
/* ns.c: the last node of a volume that was left has gone */
void volume_release(struct ns_volume *v);

/* ns_remove.c */
/* The name is not there: replies ENOENT, at a remove's last argument when the rest is done. */
void remove_missing(struct ns_call *c);
/* Answers a removal with c->errnum. What fails in the middle of a walk is answered when what it has
 * pending is done: nothing may come after it (walk_breaks). */
void remove_answer(struct ns_call *c);
/* A delete has failed: the name is there again, and the nearest directory left looks again. */
void name_came_back(struct node *gone);
/* Sees to it that c->node outlives `n`, which may be the last in it; then `next`, with c->errnum.
 */
void keep_parent(struct ns_call *c, struct node *n, void (*next)(struct ns_call *));

/* ns_rename_dir.c */
void rename_dir(struct ns_call *c);

/* ns_marker.c */
/* S3 has a key below `dir`: it, and what is above it, exists by that. */
void dirs_sent(struct node *dir);
/* If the file that S3 has now is the content of its directory's marker: the marker is there. */
void dir_content_stored(const struct node *file);
/* Is it that content? Without it the marker is empty, and stays: the directory does. */
bool is_marker_content(const struct node *n);
/* The marker of `dir` is put without content, with what else is known of it: for accept_op. */
struct accepted *marker_emptied(struct node *dir, const char *what);
void dir_put_marker(
	struct node *dir, struct walk *w, struct ns_call *c, void (*then)(struct ns_call *));

/* ns_dir.c, ns_file.c */
/* Lets go of what the kernel has not closed. */
void dir_handles_free(struct ns *ns);
void file_handles_free(struct ns *ns);
bool dir_handles_of(const struct ns_volume *v); /* is one open? */
bool file_handles_of(const struct ns_volume *v);
/* What the thread has opened last, to read only, and still has open; or NULL. */
struct node *file_opened_by(const struct ns *ns, pid_t tid);

#endif
