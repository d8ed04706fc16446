/*
 * One bucket, or a prefix of one, as a mount has it: its client, its window, its names. Core
 * thread.
 */
#ifndef CLI_VOLUME_H
#define CLI_VOLUME_H

#include <stdbool.h>
#include <stddef.h>

#include "bulk/bulk.h"
#include "cli/opts.h"
#include "ns/ns.h"
#include "s3/s3.h"
#include "util/loop.h"

#define WHY_MAX 1024 /* bytes of a sentence for the user */

struct volume {
	const struct opts *opts; /* borrowed */
	struct loop *loop;
	struct s3_client *client;
	struct bulk_target *target;
	struct ns_volume *ns;
	/* The check that is under way. */
	bool asked_again;
	void (*checked)(void *ctx, const char *why);
	void *ctx;
};

/* Makes the client; false with one sentence in `why` (WHY_MAX bytes). */
bool volume_open(struct volume *volume, struct loop *loop, const struct opts *opts, char *why);
/* Can the bucket be listed? `checked` runs later, once: with NULL, or a sentence that says why not.
 */
void volume_check(struct volume *volume, void (*checked)(void *ctx, const char *why), void *ctx);
/* The same, running the loop until it is known: when nothing else is served yet. */
bool volume_check_now(struct volume *volume, char *why);
/* Its place in the name space. */
void volume_begin(struct volume *volume, struct bulk *bulk, struct ns *ns, const char *mountpoint);
/* Nothing of it is pending and the kernel has forgotten it: frees all. Not from a completion. */
void volume_end(struct volume *volume);

#endif
