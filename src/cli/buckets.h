/*
 * --all-buckets: every bucket that the credentials can list is a directory. A bucket's client is
 * made when somebody goes there. Core thread.
 */
#ifndef CLI_BUCKETS_H
#define CLI_BUCKETS_H

#include <stdbool.h>

#include "bulk/bulk.h"
#include "cli/opts.h"
#include "fuse/fs.h"
#include "ns/ns.h"
#include "util/loop.h"

struct buckets;

/* Everything is borrowed until buckets_free. NULL with one sentence in `why` (WHY_MAX bytes): the
 * buckets cannot be listed. Runs the loop until that is known. */
struct buckets *buckets_new(struct loop *loop, struct bulk *bulk, struct ns *ns,
	const struct opts *opts, const char *mountpoint, char *why);
/* What the session needs; borrowed. */
const struct fs_hub *buckets_hub(const struct buckets *buckets);
/* Ends all transfers: nothing is pending any more. */
void buckets_close(struct buckets *buckets);
/* The mount has gone: tells those who wait for that (ctl_free). Before ns_free. */
void buckets_ctl_free(struct buckets *buckets);
/* After buckets_close and ns_free. */
void buckets_free(struct buckets *buckets);

#endif
