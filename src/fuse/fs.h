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
	const char *mountpoint; /* absolute */
	const char *source;	/* shown by mount(8): "bucket:/prefix" */
	const char *options;	/* further mount options, separated by commas; or NULL */
	bool check_permissions; /* the kernel checks mode bits: needed with allow_other */
	bool debug;		/* libfuse prints each request */
};

/*
 * Mounts. On failure returns NULL and one sentence for the user in `why`. The session's descriptor
 * becomes the loop's source; when the filesystem is unmounted or a signal (TERM, INT, HUP: blocked in
 * all threads by the caller) asks for it, the loop is stopped.
 */
struct fs *fs_mount(struct loop *loop, struct ns *ns, struct ns_volume *volume,
	const struct fs_config *config, char *why, size_t why_size);
/* Unmounts if that has not happened, and frees. No request of the kernel may be waiting any more. */
void fs_unmount(struct fs *fs);

#endif
