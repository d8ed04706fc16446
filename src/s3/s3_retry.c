/*
 * Whether and when a failed attempt is made again. Pure: the clock comes in as a number, chance
 * through the caller's generator.
 */
#include "s3/s3.h"

#define RETRY_AFTER_EXTRA_MS 5000

/*
 * Ten transient failures in a row span some 25 s on average: longer than the restart of a server or
 * a switch of addresses takes, short enough for a person to wait. Throttling is not a fault: S3
 * asks for patience while it splits a partition, so it ends by the deadline rather than by the
 * count.
 */
const struct s3_retry_policy s3_retry_default = {
	.attempts_max = 10,
	.throttled_max = 40,
	.deadline_ms = 300000,
	.base_ms = 100,
	.throttled_base_ms = 500,
	.cap_ms = 20000,
};

static int64_t backoff_ms(int64_t base_ms, unsigned n, int64_t cap_ms, struct rng *rng)
{
	int64_t top = base_ms > 0 ? base_ms : 1;

	while (n-- && top < cap_ms)
		top *= 2;
	if (top > cap_ms)
		top = cap_ms;
	return top > 0 ? (int64_t)rng_below(rng, (uint64_t)top) : 0;
}

int64_t s3_retry_next(struct s3_retry *retry, const struct s3_retry_policy *policy,
	const struct s3_err *err, int64_t now_ms, struct rng *rng)
{
	int64_t delay, wanted = err->retry_after_ms;

	if (!retry->first_ms)
		retry->first_ms = now_ms;
	switch (err->cls) {
	case S3_THROTTLED:
		if (++retry->throttled >= policy->throttled_max)
			return -1;
		delay = backoff_ms(
			policy->throttled_base_ms, retry->throttled - 1, policy->cap_ms, rng);
		break;
	case S3_TRANSIENT:
	case S3_CONFLICT:
		if (++retry->attempts >= policy->attempts_max)
			return -1;
		delay = backoff_ms(policy->base_ms, retry->attempts - 1, policy->cap_ms, rng);
		break;
	default:
		return -1;
	}
	if (wanted > delay + RETRY_AFTER_EXTRA_MS)
		wanted = delay + RETRY_AFTER_EXTRA_MS;
	if (wanted > delay)
		delay = wanted;
	return now_ms + delay - retry->first_ms > policy->deadline_ms ? -1 : delay;
}

void s3_retry_bound(struct s3_retry_policy *policy, int64_t timeout_ms)
{
	if (timeout_ms > 0 && policy->deadline_ms > timeout_ms / 3 * 2)
		policy->deadline_ms = timeout_ms / 3 * 2;
}
