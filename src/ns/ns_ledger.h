/*
 * The ledger of a mount: the failed operations of late, for `s3bulkfsctl errors` (contract C8). The
 * oldest give way beyond the bound, and are counted. Core thread only.
 */
#ifndef NS_NS_LEDGER_H
#define NS_NS_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "s3/s3.h"
#include "util/bytes.h"

#define LEDGER_MAX 1000

struct ns_failure {
	uint64_t seq;     /* from 1, in the order of their coming */
	int64_t time_ms;  /* since 1970 */
	const char *what; /* "copy", "removal", ...; a literal */
	const char *path; /* from the mount point, "/a/b" */
	struct bytes key;
	struct s3_err err;
	const char *command; /* of the walk it belongs to; "" when unknown */
	pid_t pid;           /* 0: unknown */
	uint64_t walk_id;    /* 0: of no walk */
	bool deferred;       /* the call had been answered with success, or nobody may have heard */
	bool told;           /* flush, umount or run has reported it */
};

struct ledger {
	struct ns_failure *ring; /* made at the first failure */
	uint64_t seq;            /* of the last one; those above seq - LEDGER_MAX are kept */
	uint64_t deferred_count; /* of all that came */
	uint64_t untold_lost;    /* deferred ones that gave way before they were told */
};

/* Takes it down; everything is copied, `seq` and `time_ms` are filled in. */
void ledger_add(struct ledger *ledger, const struct ns_failure *failure);
/* Calls `fn` for each one that is kept, oldest first. */
void ledger_each(const struct ledger *ledger,
	void (*fn)(void *ctx, const struct ns_failure *failure), void *ctx);
/* Marks as told those of walk `walk_id` (0: any) at or below `path`; "/" of any: the lost ones too.
 */
void ledger_tell(struct ledger *ledger, uint64_t walk_id, const char *path);
bool ledger_is_below(const struct ns_failure *failure, const char *path);
/*
 * The last failure of `path` that somebody was told by his call is deferred now: of the walk, the
 * process and the command of `who`, which may not have listened. Those up to number `since` are
 * older than that. False: there is none.
 */
bool ledger_claim(
	struct ledger *ledger, uint64_t since, const char *path, const struct ns_failure *who);
/* How many are no longer kept. */
uint64_t ledger_lost(const struct ledger *ledger);
void ledger_clear(struct ledger *ledger);

#endif
