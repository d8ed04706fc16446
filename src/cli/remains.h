/* What a crashed daemon leaves behind. */
#ifndef CLI_REMAINS_H
#define CLI_REMAINS_H

/*
 * Unmounts mounts of s3bulkfs at `path` that nobody answers for any more (ENOTCONN, fuse(4)).
 * Nothing else is touched. When that is not possible the mount point's own error will say what is
 * to be done.
 */
void remains_remove(const char *path);

#endif
