/*
 * The name space: names, inodes, listings, open files, what is accepted but not done yet, and who
 * walks where. Core thread only.
 *
 * A call (struct ns_call) is made by the fuse layer for each request of the kernel and borrowed
 * until `reply` has run, exactly once; it may run inside the function that was called. A call that
 * has to wait is parked and taken up again from its start when what it waits for has happened;
 * ns_interrupt ends a parked call with EINTR.
 */
#ifndef NS_NS_H
#define NS_NS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "bulk/bulk.h"
#include "s3/s3.h"
#include "util/loop.h"

struct ns;
struct ns_volume; /* a bucket, or a prefix of one, as it is mounted */
struct node;      /* a name; the kernel knows it by its address */
struct ns_dir_handle;
struct ns_file_handle;
struct ns_call;
struct walk;
struct ledger;

TAILQ_HEAD(ns_call_list, ns_call);

/* Attributes of a node as the kernel wants them. */
struct ns_attr {
	struct stat st;
	double entry_timeout_s, attr_timeout_s;
};

#define NS_SET_MODE 1u
#define NS_SET_UID 2u
#define NS_SET_GID 4u
#define NS_SET_SIZE 8u
#define NS_SET_ATIME 16u
#define NS_SET_MTIME 32u
#define NS_SET_MTIME_NOW 64u

struct ns_call {
	/* Who asks. */
	pid_t tid;
	uid_t uid;
	gid_t gid;
	/* What is asked; each function says which of these it reads. */
	struct node *node;    /* or the parent, with `name` */
	struct node *parent2; /* rename: the new parent */
	char *name, *name2;   /* owned by the call (free with the call) */
	struct ns_file_handle *file, *file2;
	struct ns_dir_handle *dir;
	uint64_t offset, offset2;
	size_t size;
	const char *data; /* write: borrowed until the reply */
	unsigned flags;   /* open flags, rename flags, NS_SET_* */
	struct stat st;   /* setattr; st_mode: what makes a name */
	/* The answer, valid in `reply` when its errnum is 0. */
	struct ns_attr attr;
	struct node *result;
	const struct bytes *runs; /* read: the data, borrowed during reply */
	size_t run_count;
	size_t done_bytes; /* write, copy */
	bool keep_cache;
	const char *text; /* readlink: borrowed during reply */
	void (*reply)(struct ns_call *call, int errnum);
	/* The name space's own. */
	void (*resume)(struct ns_call *call);
	void (*next)(struct ns_call *call);
	struct ns_call_list *parked_on;
	TAILQ_ENTRY(ns_call) link;
	struct walk *walk;
	unsigned step;
	int errnum;
	bool parked, heard; /* heard: the kernel has been told, or was waited for */
	void *work;         /* what is under way for this call, and how to let go of it */
	void (*drop)(struct ns_call *call);
};

struct ns_config {
	uid_t uid;
	gid_t gid;
	mode_t file_mode, dir_mode; /* permission bits */
	/* New names have the mode that was asked for, and the maker's owner and group: not when the
	 * user has said what they are to be. */
	bool maker_modes, maker_owners;
	bool stat_full; /* -o stat=full: attributes by HeadObject */
	double metadata_ttl_s;
	bool read_only;
	bool commit_close;           /* -o commit=close: every call strict */
	uint64_t part_bytes;         /* of uploads; 0: 8 MiB */
	uint64_t part_min_bytes;     /* the least that S3 takes, but for the last part; 0: 5 MiB */
	uint64_t write_memory_bytes; /* of local bytes of files that are written; 0: 64 MiB */
	uint64_t read_memory_bytes;  /* of readahead; 0: 64 MiB */
	size_t rename_limit;   /* objects of a directory that is renamed in one go; 0: 10,000 */
	unsigned pending_max;  /* accepted operations that are not done; 0: 10,000 */
	const char *spool_dir; /* where local bytes go beyond it; NULL: $TMPDIR, /var/tmp */
};

/*
 * A name space with one volume. `mountpoint` is its absolute real path, for recognising arguments
 * of commands. `prefix` is "" or ends with '/'. Everything is copied.
 */
struct ns *ns_new(struct loop *loop, struct bulk *bulk, const struct ns_config *config);
struct ns_volume *ns_volume_new(struct ns *ns, struct bulk_target *target, const char *prefix,
	const char *mountpoint, const struct ns_config *config);
/* A volume may be made without a target; it must be connected before it is used. */
void ns_volume_connect(struct ns_volume *volume, struct bulk_target *target);
bool ns_volume_connected(const struct ns_volume *volume);
struct node *ns_root(struct ns_volume *volume);
struct ns_volume *ns_volume_of(const struct node *node);
/*
 * A volume that is unmounted while others go on: when nothing is pending, and the kernel has
 * forgotten it and closed all its files (ns_volume_forgotten), free its client, then the volume,
 * then its target.
 */
bool ns_volume_pending(const struct ns_volume *volume);
bool ns_volume_forgotten(const struct ns_volume *volume);
/* Asks the kernel (ns_on_stale) to forget what is in the volume's root: nobody can get there. */
void ns_volume_let_go(struct ns_volume *volume);
void ns_volume_free(struct ns_volume *volume);
/*
 * True when nothing is pending any more. `ns_drain` sends all that waits; the caller runs the loop
 * until ns_idle. ns_failures counts the operations that failed after they were accepted.
 */
void ns_drain(struct ns *ns);
bool ns_idle(const struct ns *ns);
uint64_t ns_failures(const struct ns *ns);
/*
 * The mount is ending: uploads that were not closed are aborted (wait for ns_idle then). After
 * ns_close every call that waits is answered EINTR when what it waits for ends.
 */
void ns_abandon(struct ns *ns);
void ns_close(struct ns *ns);
void ns_free(struct ns *ns);
/* Ends the parked call with EINTR; does nothing when it is not parked. */
void ns_interrupt(struct ns_call *call);
/* The same with another positive errno. */
void ns_give_up(struct ns_call *call, int errnum);
/* Lets go of what is kept only to be faster: memory is short. */
void ns_drop_caches(struct ns *ns);

/*
 * What the kernel is to forget, because what it was told is no longer so: set by the fuse layer,
 * which must hand the words to another thread (the kernel may need locks whose holders wait for
 * us).
 */
void ns_on_stale(struct ns *ns,
	void (*stale)(void *ctx, struct node *parent, const char *name, struct node *node),
	void *ctx);
/* So many of these have been passed on, or given up. */
void ns_told(struct ns *ns, uint64_t count);

/* -- names and attributes: ns_lookup.c -- Reply with `result` (a lookup reference) and `attr`. */
void ns_lookup(struct ns_call *call);      /* node, name */
void ns_lookup_root(struct ns_call *call); /* node: a volume's root */
void ns_getattr(struct ns_call *call);     /* node; file or NULL */
void ns_access(struct ns_call *call);      /* node, flags R_OK, W_OK, X_OK: access(2) */
void ns_setattr(struct ns_call *call);     /* node, flags NS_SET_*, st; file or NULL */
/* Takes `count` lookup references from the node. No reply. */
void ns_forget(struct node *node, uint64_t count);

/* -- directories: ns_dir.c -- */
void ns_opendir(struct ns_call *call); /* node -> dir */
/*
 * Fills the reply by calling `fill` for each entry behind `offset`: it returns false when the
 * buffer is full. With `plus` each filled entry but "." and ".." carries a lookup reference.
 */
typedef bool ns_fill_fn(struct ns_call *call, const char *name, struct node *node,
	const struct ns_attr *attr, uint64_t next_offset);
void ns_readdir(struct ns_call *call, ns_fill_fn *fill, bool plus); /* node, dir, offset */
void ns_releasedir(struct ns_dir_handle *dir);
void ns_fsyncdir(struct ns_call *call); /* node */
void ns_mkdir(struct ns_call *call);    /* node, name -> result */
void ns_rmdir(struct ns_call *call);    /* node, name */

/* -- files: ns_file.c, ns_read.c, ns_write.c, ns_copy.c -- */
void ns_open(struct ns_call *call);   /* node, flags -> file */
void ns_create(struct ns_call *call); /* node, name, flags -> result, file */
void ns_read(struct ns_call *call);   /* node, file, offset, size -> runs */
void ns_write(struct ns_call *call);  /* node, file, offset, data, size -> done_bytes */
void ns_fallocate(
	struct ns_call *call);       /* node, file, offset, size, flags: those of fallocate(2) */
void ns_flush(struct ns_call *call); /* node, file */
void ns_fsync(struct ns_call *call); /* node, file */
void ns_release(struct ns_file_handle *file);
/* file at offset -> file2 at offset2, size bytes -> done_bytes; EXDEV: the kernel copies itself */
void ns_copy(struct ns_call *call);

/* -- symbolic links, and files by mknod(2): ns_link.c, ns_symlink.c -- */
void ns_readlink(struct ns_call *call); /* node -> text */
void ns_symlink(struct ns_call *call);  /* node, name, name2: where to -> result */
void ns_mknod(struct ns_call *call);    /* node, name, st.st_mode -> result; EPERM: no file */

/* -- extended attributes: ns_xattr.c, ns_info.c -- */
/* False: the namespace of that name is none of ours, and everything about it is EOPNOTSUPP. */
bool ns_xattr_offered(const char *name);
void ns_getxattr(struct ns_call *call);    /* node, name -> runs, one */
void ns_listxattr(struct ns_call *call);   /* node -> runs, one: names, each with its NUL */
void ns_setxattr(struct ns_call *call);    /* node, name, data, size, flags */
void ns_removexattr(struct ns_call *call); /* node, name */

/* -- removing and renaming: ns_remove.c, ns_rename.c -- */
void ns_unlink(struct ns_call *call); /* node, name */
void ns_rename(struct ns_call *call); /* node, name, parent2, name2, flags */

/* -- what people see: ns_status.c, ns_walk.c, ns_ledger.h -- */

struct ns_volume_status {
	unsigned pending;                   /* accepted operations that are not done */
	unsigned in_flight;                 /* requests */
	double window;                      /* how many there may be */
	uint64_t copies, removals, uploads; /* done */
	uint64_t throttled;                 /* answers */
	uint64_t errors, deferred_errors;
};
void ns_volume_status(const struct ns_volume *volume, struct ns_volume_status *status);

struct ns_walk_status {
	uint64_t id;
	pid_t pid;
	char command[64];
	bool run;    /* by s3bulkfsctl run */
	bool strict; /* its end has passed */
	bool ended;  /* the process has ended */
	unsigned pending;
	uint64_t accepted, done, failed; /* operations; failed: after they were accepted */
	int errnum;          /* of the first failure that no call has reported; 0: none */
	uint64_t left;       /* operations that are pending or, by what was listed, to come */
	double rate;         /* done a second; 0: unknown */
	double seconds_left; /* -1: unknown */
};
void ns_walk_status(struct walk *walk, struct ns_walk_status *status);
/* Calls `fn` for each walk that has not ended, or has something pending; it must end none. */
void ns_each_walk(struct ns_volume *volume, void (*fn)(void *ctx, struct walk *walk), void *ctx);

/* The failed operations of the volume: ns_ledger.h. */
struct ledger *ns_ledger(struct ns_volume *volume);
/* Replies when nothing is pending at or below the path `name` of the volume whose root is `node`.
 */
void ns_settle(struct ns_call *call);

/* -- runs: ns_run.c -- */
/*
 * Everything that the descendants of process `pid` do in the volume is deferred from now on, but
 * the first operation of each kind. NULL: there are too many runs, or the volume is strict.
 */
struct walk *ns_run_begin(struct ns_volume *volume, pid_t pid, const char *command);
/* Replies when everything the run has had accepted is done: 0 or its first failure. `node`: the
 * root. */
void ns_run_wait(struct walk *run, struct ns_call *call);
/* It has no members any more; what is pending goes on. `run` is gone. */
void ns_run_end(struct walk *run);

/* True for a handle that has nothing to flush: the kernel can be told not to ask. */
bool ns_file_reads_only(const struct ns_file_handle *file);

#endif
