/*
 * The FUSE session: mounting, reading requests on the core thread, answering each exactly once. No
 * FUSE header is needed to use it.
 */
#ifndef FUSE_FS_H
#define FUSE_FS_H

#include <stdbool.h>
#include <stddef.h>

#include "ns/ns.h"
#include "util/loop.h"

struct fs;

struct fs_config {
	const char *mountpoint;   /* absolute */
	const char *source;       /* shown by mount(8): "bucket:/prefix" */
	const char *options;      /* further mount options, separated by commas; or NULL */
	const struct fs_hub *hub; /* in place of a volume; or NULL */
	bool check_permissions;   /* the kernel checks mode bits: needed with allow_other */
	bool debug;               /* libfuse prints each request */
	unsigned max_read_bytes;  /* as `options` say; 0: they do not */
};

/*
 * Mounts. On failure returns NULL and one sentence for the user in `why`. The session's descriptor
 * becomes the loop's source; when the filesystem is unmounted or a signal (TERM, INT, HUP: blocked
 * in all threads by the caller) asks for it, the loop is stopped.
 */
struct fs *fs_mount(struct loop *loop, struct ns *ns, struct ns_volume *volume,
	const struct fs_config *config, char *why, size_t why_size);

/*
 * A session for volumes that come and go: one superblock (so that copies between any two of its
 * mounts arrive as copy_file_range), and nothing mounted yet. The kernel lets only root in, or with
 * `allow_other` everyone as the modes say. Needs CAP_SYS_ADMIN. `on_signal` runs on the core thread
 * when TERM, INT or HUP has come. Sources: fsopen(2), open_tree(2), move_mount(2).
 */
struct fs *fs_share(struct loop *loop, struct ns *ns, bool allow_other,
	void (*on_signal)(void *ctx), void *ctx, char *why, size_t why_size);

struct fs_attach {
	struct ns_volume *volume;
	int mountpoint_fd;        /* O_PATH; taken, closed by fs_attach in the end */
	const char *source;       /* copied */
	unsigned long attributes; /* MOUNT_ATTR_*, mount_setattr(2) */
	/* Once, on the core thread: it is mounted, or errnum and the step that failed. */
	void (*attached)(void *ctx, int errnum, const char *step);
	/* Once after a success: no mount of it is left in our mount namespace. */
	void (*detached)(void *ctx);
	void *ctx;
};
/*
 * Mounts the volume, from a thread of its own: the kernel asks us about it meanwhile. After a
 * failure, or when ns_volume_forgotten, the caller ends it with fs_drop.
 */
void fs_attach(struct fs *fs, const struct fs_attach *attach);
/* The session no longer knows the volume. It must be neither being attached nor mounted. */
void fs_drop(struct fs *fs, struct ns_volume *volume);
/* Unmounts everything of this session, lazily; `done` runs on the core thread. */
void fs_detach_all(struct fs *fs, void (*done)(void *ctx), void *ctx);

/* A visible directory of volumes: the root of a mount of all buckets. Core thread. */
struct fs_hub {
	void *ctx;
	uid_t uid;
	gid_t gid;
	mode_t dir_mode;
	double ttl_s;
	/* Brings the names up to date and calls `done`, perhaps inside. */
	void (*refresh)(void *ctx, void (*done)(void *arg, int errnum), void *arg);
	/* Name number `i`, which it keeps: NULL where one has gone. False: beyond the last. */
	bool (*name)(void *ctx, size_t i, const char **name);
	/* The volume of that name, made if need be; NULL: there is none. */
	struct ns_volume *(*volume)(void *ctx, const char *name);
	/* Before the first use of a volume: 0 or a positive errno. */
	int (*use)(void *ctx, struct ns_volume *volume);
};

/* How often a signal has asked for the end. */
unsigned fs_signal_count(const struct fs *fs);
/* Unmounts if that has not happened, and frees. No request of the kernel may be waiting any more.
 */
void fs_unmount(struct fs *fs);

#endif
