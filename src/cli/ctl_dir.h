/*
 * Where the control sockets are: one for each mount, in a directory that only its user may enter.
 * Root's is /run/s3bulkfs, another user's $XDG_RUNTIME_DIR/s3bulkfs, else /tmp/s3bulkfs-UID. Any
 * thread.
 */
#ifndef CLI_CTL_DIR_H
#define CLI_CTL_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CTL_DIRS_MAX 4

/* This user's directory, made if need be (mode 0700); owned. NULL with a sentence in `why`. */
char *ctl_dir_make(char *why, size_t why_size);
/* Where the directory of user `uid` may be, the likeliest first; owned strings. Returns the count.
 */
size_t ctl_dir_candidates(uid_t uid, char *dirs[CTL_DIRS_MAX]);
/*
 * Is it a directory of that user that nobody else may enter, or exchange (by a parent that others
 * may write)? Else false, with errno.
 */
bool ctl_dir_check(const char *dir, uid_t uid);
/* The socket of the mount at `mountpoint` (a real path) in `dir`; owned. */
char *ctl_dir_socket(const char *dir, const char *mountpoint);
/* Is this the name of such a socket? */
bool ctl_dir_is_socket(const char *name);

#endif
