/* Shared inside fuse only. */
#ifndef FUSE_FS_INT_H
#define FUSE_FS_INT_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include "fuse/fs.h"

/* What to do where pthread_create(3) is refused. */
#define THREADS_REMEDY "raise the limit on processes and threads (ulimit -u, or of the service)"

enum fs_reply {
	REPLY_ERR,
	REPLY_ENTRY,
	REPLY_ATTR,
	REPLY_OPEN,
	REPLY_CREATE,
	REPLY_OPENDIR,
	REPLY_LINK,
	REPLY_READ,
	REPLY_XATTR,
	REPLY_DIRENTS,
	REPLY_WRITE
};

/* One request of the kernel, from its arrival to its one answer. */
struct fs_req {
	struct ns_call call; /* first: the call is the request */
	fuse_req_t req;
	enum fs_reply kind;
	struct fuse_file_info fi;
	bool *answered; /* set when the answer has gone out while the request is being started */
	char *dirents;
	size_t dirents_len, dirents_max;
	bool plus;
	struct node **filled; /* each carries a lookup, once the answer has gone out */
	size_t filled_count;
	char *data; /* a copy of what a waiting write brought */
	struct fs_req *next_free;
};

struct attacher;

struct fs {
	struct loop *loop;
	struct ns *ns;
	struct ns_volume *volume;  /* whose root is inode 1; NULL: that is a directory of volumes */
	const struct fs_hub *hub;  /* that directory, when it can be seen; or NULL */
	struct attacher *attacher; /* of a session without a mount point of its own; or NULL */
	void (*on_signal)(void *ctx);
	void *signal_ctx;
	struct fuse_session *session;
	struct fuse_buf buf;
	struct loop_fd signals;
	struct notifier *notifier;
	bool mounted;
	unsigned max_read_bytes; /* 0: as the kernel likes */
	unsigned signal_count;
	bool taken; /* the last request that the kernel takes no refusal of has arrived here */
	uint64_t init_unique; /* the request whose answer sets the connection up; 0: it is out */
	bool init_offered;    /* it has the flag of fs_init.c */
	bool init_refused;    /* libfuse had no memory for it */
};

extern const struct fuse_lowlevel_ops fs_ops; /* fs_ops.c */

/* fs_xattr.c */
void fs_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void fs_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void fs_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
	int flags);
void fs_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

/* fs_init.c: what libfuse cannot ask the kernel for; once the session is mounted. 0 or -errno. */
int fs_init_more(struct fs *fs);

/* fs_reply.c */
struct node *fs_node(const struct fs *fs, fuse_ino_t ino);
fuse_ino_t fs_ino(const struct fs *fs, const struct node *n);
struct fs_req *fs_begin(fuse_req_t req, fuse_ino_t ino, enum fs_reply kind);
/* Runs `start` on the request; while it has to wait, an interrupt ends it. */
void fs_start(struct fs_req *r, void (*start)(struct ns_call *call));
bool fs_fill(struct ns_call *call, const char *name, struct node *node, const struct ns_attr *attr,
	uint64_t next_offset);

/* fs_hub.c: requests about inode 1 when it is a directory of volumes */
void fs_hub_start(struct fs_req *r, void (*start)(struct ns_call *call));
int fs_hub_use(const struct fs_req *r); /* connects the volume: 0, or a positive errno */

/* fs_attach.c */
struct attacher *attacher_new(struct fs *fs, bool allow_other, char *why, size_t why_size);
void attacher_free(struct attacher *a);           /* after the session */
int attacher_device_fd(const struct attacher *a); /* the session takes it over */
/* The volume of that name while its attachment is under way, for the thread `tid` only; or NULL. */
struct ns_volume *attacher_find(const struct attacher *a, const char *name, pid_t tid);

/* fs_notify.c: tells the kernel, from a thread of its own, that a name is no longer what it was */
struct notifier *notifier_new(struct fs *fs); /* its loop, session and ns; NULL: errno */
void notifier_free(struct notifier *n);
/* counted: ns_told() is to hear of it. */
void notifier_stale(struct notifier *n, fuse_ino_t parent, const char *name, bool counted);

#endif
