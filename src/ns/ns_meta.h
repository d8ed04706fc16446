/*
 * What S3 keeps of a name beside its bytes: mode, owner, time, extended attributes, where a
 * symbolic link points to; in the user metadata that s3fs uses (ns_meta_format.c). A listing
 * carries none of it: it is known where it was set, and where somebody has looked (LOOK_DONE).
 * Core thread only.
 */
#ifndef NS_NS_META_H
#define NS_NS_META_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include "s3/s3.h"
#include "util/buf.h"
#include "util/bytes.h"

struct accepted;
struct mime;
struct node;
struct ns;
struct ns_call;
struct ns_volume;
struct walk;

/* S3's bound on the names and values of one object's user metadata (S3 User Guide). */
#define META_BYTES_MAX 2048

#define META_LINK_TYPE "application/octet-stream" /* as s3fs has it */

#define META_MODE 1u
#define META_UID 2u
#define META_GID 4u
#define META_MTIME 8u
#define META_XATTRS 16u
#define META_TYPE 32u

struct xattr {
	char *name; /* with its namespace: "user.x" */
	char *value;
	size_t len;
};
struct xattrs {
	struct xattr *items;
	size_t count;
};

/* What is set, and not by S3. Owns what it points at. */
struct node_meta {
	unsigned has;  /* META_* */
	unsigned made; /* those of them that came with its making, and nobody has set since */
	bool saving;   /* a change of a file's is under way */
	bool unsaved;  /* S3 does not have it yet */
	bool others;   /* S3 has more headers of it than these, which changes must keep */
	bool tagged;   /* it has tags */
	uint16_t size; /* bytes of user metadata that is not ours */
	mode_t mode;
	uid_t uid;
	gid_t gid;
	struct timespec mtime;
	struct xattrs xattrs;      /* META_XATTRS; none: they were removed */
	char *target;              /* of a symbolic link: where to; NULL: not known here */
	char *content_type;        /* META_TYPE: not what the name stands for */
	struct accepted *follower; /* a change behind what is being stored: meta_stored() */
	struct keep *keep;         /* ns_keep.c: what an upload has to take along; or NULL */
};

/* Does a node's meta say all there is in S3? */
enum look {
	LOOK_NONE,
	LOOK_SENT,   /* stat=full: it is being asked for */
	LOOK_FAILED, /* stat=full: S3 does not say; not asked again before the next listing */
	LOOK_DONE    /* somebody has looked, or it was written here */
};

/* ---- ns_meta_format.c: texts of headers; pure ------------------------------------------------ */

/* x-amz-meta-mode: decimal with the type, as s3fs has it, or octal, as rclone. */
bool mode_parse(const char *text, mode_t *mode);
/* x-amz-meta-uid, -gid */
bool id_parse(const char *text, uint32_t *id);
/* x-amz-meta-mtime: seconds, perhaps negative, perhaps with a fraction, as s3fs and rclone. */
bool mtime_parse(const char *text, struct timespec *mtime);
#define MTIME_TEXT 48
void mtime_format(const struct timespec *mtime, char text[MTIME_TEXT]);
/* x-amz-meta-xattr: URL-encoded JSON of names and values in base64. False: it makes no sense. */
bool xattrs_parse(const char *text, struct xattrs *x);
void xattrs_format(const struct xattrs *x, struct buf *out);

/* The value, or NULL. */
const struct xattr *xattrs_find(const struct xattrs *x, const char *name);
void xattrs_set(struct xattrs *x, const char *name, const char *value, size_t len);
bool xattrs_remove(struct xattrs *x, const char *name); /* false: there was none */
void xattrs_copy(struct xattrs *to, const struct xattrs *from);
bool xattrs_equal(const struct xattrs *a, const struct xattrs *b);
void xattrs_free(struct xattrs *x); /* empty after it */

/*
 * What HeadObject says, into an empty `m`. `type` is the content type that an object of this name
 * is given here. True: it is a symbolic link.
 */
bool meta_parse(const struct s3_object *o, const char *type, struct node_meta *m);
/* One of the headers that meta_parse takes for attributes. */
bool meta_is_ours(const struct s3_header *header);
/*
 * The headers for what is set, with values that are owned (meta_headers_free). `type` is S_IFREG,
 * ... With `patch`, one with a NULL value stands for what was removed.
 */
struct s3_header *meta_headers(const struct node_meta *m, mode_t type, bool patch, size_t *count);
void meta_headers_free(struct s3_header *headers, size_t count);
void meta_clear(struct node_meta *m); /* frees what it owns; empty after it */

/* ---- ns_meta.c ------------------------------------------------------------------------------- */

struct node_meta *meta_get(struct node *n); /* made if need be */
void meta_drop(struct node *n);
void meta_lost(struct node *n); /* what was set, and S3 has refused */
/* A copy of what it says of the object, to be freed with meta_clear() and free(); NULL for NULL. */
struct node_meta *meta_clone(const struct node_meta *m);
/* Takes over those of `bits` that `from` has. */
void meta_take_bits(struct node_meta *to, const struct node_meta *from, unsigned bits);
/* What S3 has of it, all in all; takes what `m` owns, which is empty then. */
void meta_take(struct node *n, struct node_meta *m);
/* The same, but what was set here and is not in S3 yet stays. */
void meta_merge(struct node *n, struct node_meta *m);
/* The same for a file that is being written: it keeps all that it has here. */
void meta_merge_known(struct node *n, struct node_meta *m);
/* A new name: its mode and owner, where they are not what the mount gives all names. */
void meta_made(struct node *n, const struct ns_call *c);
/*
 * A copy has what its source has. True: attributes were set for it that the source does not have
 * and that must be sent (meta_send); it has these, too.
 */
bool meta_copy(struct node *to, const struct node *from);
void meta_apply(const struct node *n, struct stat *st);
void meta_written(struct node *n); /* the bytes have changed */
/* `a` has stored it: a change that follows is one of that version. */
void meta_stored(const struct accepted *a);
/* Without set-user-ID and set-group-ID: what a write, a truncation or a change of owner leaves. */
mode_t meta_without_privileges(mode_t mode);
/* node_move, of what S3 has copied: it has all that it had, as a version of its own. */
void meta_move_node(struct node *n, struct node *parent, struct bytes name);
/* The content type of its object, as far as it is known, and the one that its name stands for. */
const char *meta_type(const struct node *n);
const char *meta_type_by_name(const struct node *n);
/*
 * Is all that S3 has of it in what we know, so that it need not be asked for before it is sent
 * again? `self`: as the same object, which must not undo what others have set meanwhile.
 */
bool meta_is_known(const struct node *n, bool self);
/* Its operation takes the attributes along: as metadata of a put, and in `patch` for a copy. */
void meta_send(struct accepted *a);
void meta_unsend(struct accepted *a); /* frees what meta_send has made */

/* ---- ns_meta_set.c --------------------------------------------------------------------------- */

void meta_set(struct ns_call *c); /* what ns_setattr does beside the size */
/* Sets what `m` has for c->node, in S3 too; then `then`, with c->errnum. */
void meta_change(struct ns_call *c, const struct node_meta *m, void (*then)(struct ns_call *));
/* True: parked until nothing is under way for c->node's object, and then `again`. */
bool meta_busy(struct ns_call *c, void (*again)(struct ns_call *));
/* A copy of a->node, which to S3 is as old as that, keeps the time it had, where none was set. */
void meta_keep_time(struct accepted *a);
void meta_save_file(
	struct node *n, struct walk *w, struct ns_call *c, void (*then)(struct ns_call *));

/* ---- ns_look.c ------------------------------------------------------------------------------- */

/*
 * Asks S3 for what is not known of `n`: true when the call was parked, to go on with `next`, once,
 * with c->errnum and with c->step set.
 */
bool meta_look(struct ns_call *c, struct node *n, void (*next)(struct ns_call *));
/* HeadObject's answer about a live node: 0, a positive errno; ESTALE: it is another file now. */
int meta_looked(struct node *n, const struct s3_err *err, const struct s3_object *o);

/* ---- ns_keep.c: what an upload keeps of the object that it replaces -------------------------- */

/*
 * 0: it is known, and goes along (meta_send); -1: it is being asked for: the call, if there is one,
 * is parked, and uploads are pumped when it is there; else a positive errno, once.
 */
int keep_ready(struct node *n, struct ns_call *c, void (*again)(struct ns_call *));
struct s3_meta *keep_take(struct node *n); /* NULL: there is nothing; owned by the caller */
void keep_drop(struct node_meta *m);

/* ---- ns_full.c: -o stat=full ----------------------------------------------------------------- */

bool full_known(const struct node *n); /* it can be shown as it is */
/* Asks for what its reader will come to next, within a bound. */
void full_ahead(struct node *dir);
void full_again(const struct node *n); /* what was known of it is not so any more */
/* True: `n`, of `dir`, cannot be handed out yet; dir's waiters are woken when it can. */
bool full_waits(struct node *dir, struct node *n);
void full_free(struct ns *ns, const struct ns_volume *v); /* of the volume, or NULL: all */

/* ---- ns_link.c ------------------------------------------------------------------------------- */

/* Fetches where the link points to; false: it cannot be, and `done` will not run. */
bool link_fetch_ahead(struct node *n, void (*done)(void *ctx), void *ctx);

/* ---- ns_info.c: what S3 says of an object, as extended attributes ---------------------------- */

void info_get(struct ns_call *c);           /* node, name */
void info_set(struct ns_call *c, bool set); /* and data, size, flags; or removes it */
void info_free(struct ns *ns);

/* ---- ns_recall.c ----------------------------------------------------------------------------- */

void recall_keep(struct node *n); /* the node is about to be dropped; takes its meta */
/* Its version is about to be replaced here. Should S3 refuse, recall_take() brings back what it
 * had. */
void recall_note(const struct node *n);
void recall_take(struct node *n); /* a listing has shown it; it has no meta */
void recall_drop(const struct ns_volume *v, struct bytes key); /* it has gone from S3 */
/* The key `from` has become `to`, a version of its own with this ETag. */
void recall_move(const struct ns_volume *v, struct bytes from, struct bytes to, struct bytes etag);
void recall_free(struct ns *ns, const struct ns_volume *v); /* of the volume, or NULL: all */

/* ---- ns_symlink.c ---------------------------------------------------------------------------- */

/* Is all that S3 has of a link known, so that it can be put anew rather than copied? */
bool link_is_known(const struct node *n);
/* Puts it, or an empty file, with its attributes; as accept_op. */
void link_put(struct node *n, struct walk *w, struct ns_call *c, void (*then)(struct ns_call *));

#endif
