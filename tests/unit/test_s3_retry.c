/* When a failed attempt is made again: counts, jitter, deadline. No clock: time is a number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "s3/s3.h"

#define NOW 1000000

static const struct s3_retry_policy policy = {
	.attempts_max = 5,
	.throttled_max = 8,
	.deadline_ms = 10000,
	.base_ms = 100,
	.throttled_base_ms = 400,
	.cap_ms = 1000,
};

static int64_t next(struct s3_retry *r, enum s3_class cls, int64_t now, struct rng *rng)
{
	struct s3_err err = {.cls = cls};

	return s3_retry_next(r, &policy, &err, now, rng);
}

static void test_final_classes(void **state)
{
	static const enum s3_class classes[] = {
		S3_DENIED, S3_NOT_FOUND, S3_CHANGED, S3_INVALID, S3_CANCELLED, S3_FAILED, S3_OK};
	struct rng rng = {1};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		struct s3_retry r = {0};

		assert_int_equal(next(&r, classes[i], NOW, &rng), -1);
	}
}

static void test_counts(void **state)
{
	struct rng rng = {2};
	struct s3_retry r = {0};
	int i;

	(void)state;
	for (i = 0; i < 4; i++)
		assert_true(next(&r, i % 2 ? S3_CONFLICT : S3_TRANSIENT, NOW, &rng) >= 0);
	assert_int_equal(next(&r, S3_TRANSIENT, NOW, &rng), -1);
	r = (struct s3_retry){0};
	for (i = 0; i < 7; i++)
		assert_true(next(&r, S3_THROTTLED, NOW, &rng) >= 0);
	/* Having been throttled leaves the patience for other failures as it was. */
	for (i = 0; i < 4; i++)
		assert_true(next(&r, S3_TRANSIENT, NOW, &rng) >= 0);
	assert_int_equal(next(&r, S3_THROTTLED, NOW, &rng), -1);
	assert_int_equal(r.first_ms, NOW);
}

/* Every delay is below min(cap, base * 2^n), and over many draws comes near both ends. */
static void test_full_jitter(void **state)
{
	static const int64_t tops[2][4] = {{100, 200, 400, 800}, {400, 800, 1000, 1000}};
	int64_t low[2][4], high[2][4] = {{0}};
	struct rng rng = {3};
	int kind, n, draw;

	(void)state;
	for (kind = 0; kind < 2; kind++)
		for (n = 0; n < 4; n++)
			low[kind][n] = INT64_MAX;
	for (draw = 0; draw < 2000; draw++)
		for (kind = 0; kind < 2; kind++) {
			struct s3_retry r = {0};

			for (n = 0; n < 4; n++) {
				int64_t d = next(&r, kind ? S3_THROTTLED : S3_TRANSIENT, NOW, &rng);

				assert_in_range(d, 0, tops[kind][n] - 1);
				if (d < low[kind][n])
					low[kind][n] = d;
				if (d > high[kind][n])
					high[kind][n] = d;
			}
		}
	for (kind = 0; kind < 2; kind++)
		for (n = 0; n < 4; n++) {
			assert_true(low[kind][n] < tops[kind][n] / 20);
			assert_true(high[kind][n] > tops[kind][n] * 19 / 20);
		}
}

static void test_deadline(void **state)
{
	struct rng rng = {4};
	struct s3_retry r = {.first_ms = NOW};

	(void)state;
	assert_true(next(&r, S3_THROTTLED, NOW + 9000, &rng) >= 0);
	assert_int_equal(next(&r, S3_THROTTLED, NOW + 10001, &rng), -1);
}

static void test_retry_after(void **state)
{
	struct s3_err err = {.cls = S3_THROTTLED, .retry_after_ms = 3000};
	struct rng rng = {5};
	struct s3_retry r = {0};
	int64_t d;

	(void)state;
	assert_int_equal(s3_retry_next(&r, &policy, &err, NOW, &rng), 3000);
	/* A server that asks for an hour gets 5 s beyond what we would have waited. */
	err.retry_after_ms = 3600000;
	r = (struct s3_retry){0};
	d = s3_retry_next(&r, &policy, &err, NOW, &rng);
	assert_in_range(d, 5000, 5399);
}

static void test_default_policy(void **state)
{
	const struct s3_retry_policy *p = &s3_retry_default;
	struct s3_err err = {.cls = S3_TRANSIENT};
	struct rng rng = {6};
	struct s3_retry r = {0};
	unsigned tries = 1;
	int64_t now = NOW, d;

	(void)state;
	while ((d = s3_retry_next(&r, p, &err, now, &rng)) >= 0) {
		assert_true(d < p->cap_ms);
		now += d;
		tries++;
	}
	assert_int_equal(tries, p->attempts_max);
	assert_true(p->throttled_max > p->attempts_max);
	assert_true(now - NOW < p->deadline_ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_final_classes),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_full_jitter),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_default_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
