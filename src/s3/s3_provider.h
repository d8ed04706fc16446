/*
 * The credentials of a client: those in use, and their renewal. They are fetched when somebody
 * first wants them, again before they expire, and again when a server says that they have; in the
 * background, so that whoever has a set keeps it. Core thread.
 */
#ifndef S3_S3_PROVIDER_H
#define S3_S3_PROVIDER_H

#include <stdbool.h>

#include "s3/s3_creds.h"
#include "s3/s3_fetch.h"
#include "s3/s3_source.h"

struct s3_provider;

/*
 * `chain` and what `place` points to are borrowed for good, `source` is what was chosen by it, and
 * the provider's from now on. `changed` runs when those that were told to wait should ask again.
 */
struct s3_provider *s3_provider_new(const struct s3_fetch_place *place,
	const struct s3_chain *chain, struct s3_source *source, void (*changed)(void *ctx),
	void *ctx);
/* `changed` does not run any more. */
void s3_provider_stop(struct s3_provider *provider);
/* After s3_provider_stop and the end of the HTTP engine. NULL is fine. */
void s3_provider_free(struct s3_provider *provider);

enum s3_provided { S3_CREDS_READY, S3_CREDS_WAIT, S3_CREDS_NONE };
/* READY: a reference in `*ret`. WAIT: `changed` will run. NONE: s3_provider_problem says why. */
enum s3_provided s3_provider_get(struct s3_provider *provider, struct s3_creds **ret);
/*
 * A server says that `creds` have expired. True when it is worth asking s3_provider_get again;
 * false when these are all there are.
 */
bool s3_provider_reject(struct s3_provider *provider, const struct s3_creds *creds);
/* One sentence for the user, "" when nothing is wrong. Borrowed. */
const char *s3_provider_problem(const struct s3_provider *provider);

/*
 * Milliseconds from now until credentials are renewed that are good for `left_ms`: five minutes, or
 * a fifth of what is left, before their end, and up to a fifth of that earlier, by chance, so that
 * many mounts do not ask at once. Pure but for `rng`.
 */
int64_t s3_provider_delay_ms(int64_t left_ms, struct rng *rng);

#endif
