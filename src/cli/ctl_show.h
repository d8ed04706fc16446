/* The commands of s3bulkfsctl, each returning its exit code. One thread. */
#ifndef CLI_CTL_SHOW_H
#define CLI_CTL_SHOW_H

#include <stdbool.h>

#include "cli/ctl_client.h"

/* ctl_show.c. `path` NULL: all mounts of the caller. */
int ctl_status(const char *path, bool watch, bool json);
int ctl_errors(const char *path, bool json);
/* One line a failure of an answer's "errors", then how many more there were; to the standard error.
 */
void ctl_print_failures(const cJSON *answer, const char *mountpoint);

/* ctl_end.c */
int ctl_flush(const char *path);
int ctl_umount(const char *path);

/* ctl_run.c: `mounts` is NULL-terminated; without one, all mounts of the caller. */
int ctl_run(char *const *mounts, char **argv);

#endif
