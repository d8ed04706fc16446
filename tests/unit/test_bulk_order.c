/*
 * The order of operations on one key (contract C6): copies, deletes, puts and holders in random
 * order on a few keys, with an S3 of this file's own that answers in random order, sometimes with
 * SlowDown, against a model: an operation may run when no earlier one that is not done conflicts
 * with it. One thread; the clock moves only when the test says so.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bulk/bulk.h"
#include "util/clk.h"
#include "util/mem.h"

#define KEYS 5
#define OPS 300
#define SCHEDULES 300
#define WATCHDOG_S 300

static int64_t now_ms;

int64_t clk_mono_ms(void)
{
	return now_ms;
}

int64_t clk_wall_ms(void)
{
	return now_ms;
}

/* ---- operations and the model ---- */

enum phase { WAITING, RUNNING, DONE };

struct item {
	struct bulk_op op; /* first: cast */
	enum phase phase;
	bool released;
};

static struct item *items;
static size_t item_count;
static struct bulk_target *targets[2];
static struct loop *loop;
static struct rng rng;
static uint64_t seed;
static const char *const key_names[KEYS] = {"a", "ab", "b/", "b/c", "\xff"};

static bool is_holder(const struct item *it)
{
	return it->op.kind == BULK_READ || it->op.kind == BULK_WRITE;
}

/* How `it` uses a key: 0 not at all, 1 reads, 2 writes. */
static int use_of(const struct item *it, const struct bulk_target *t, struct bytes key)
{
	if (it->op.target == t && bytes_equal(it->op.key, key))
		return it->op.kind == BULK_READ ? 1 : 2;
	if (it->op.kind == BULK_COPY && it->op.source == t && bytes_equal(it->op.source_key, key))
		return 1;
	return 0;
}

static bool conflict_on(
	const struct item *x, const struct item *y, const struct bulk_target *t, struct bytes key)
{
	int ux = use_of(x, t, key), uy = use_of(y, t, key);

	return ux && uy && ux + uy > 2;
}

static bool conflict(const struct item *x, const struct item *y)
{
	if (conflict_on(x, y, x->op.target, x->op.key))
		return true;
	return x->op.kind == BULK_COPY && conflict_on(x, y, x->op.source, x->op.source_key);
}

static bool may_run(const struct item *it)
{
	const struct item *earlier;

	for (earlier = items; earlier < it; earlier++)
		if (earlier->phase != DONE && conflict(it, earlier))
			return false;
	return true;
}

static void check_may_run(const struct item *it, const char *what)
{
	if (!may_run(it))
		fail_msg("seed %llu: %s of operation %zu comes too early", (unsigned long long)seed,
			what, (size_t)(it - items));
}

/* A holder whose turn has come has been told, at once; one whose turn has not come, not. */
static void check_holders(void)
{
	size_t i;

	for (i = 0; i < item_count; i++) {
		const struct item *it = &items[i];

		if (is_holder(it) && it->phase != DONE && (it->phase == RUNNING) != may_run(it))
			fail_msg("seed %llu: holder %zu is %s", (unsigned long long)seed, i,
				it->phase == RUNNING ? "granted too early" : "not granted");
	}
}

static void check_busy(void)
{
	size_t k, t, i;

	for (k = 0; k < KEYS; k++)
		for (t = 0; t < 2; t++) {
			bool busy = false;

			for (i = 0; i < item_count; i++)
				busy |= items[i].phase != DONE &&
					use_of(&items[i], targets[t], BYTES_STR(key_names[k])) == 2;
			assert_int_equal(bulk_key_busy(targets[t], BYTES_STR(key_names[k])), busy);
		}
}

static void on_granted(struct bulk_op *op)
{
	struct item *it = (struct item *)op;

	check_may_run(it, "the grant");
	assert_int_equal(it->phase, WAITING);
	it->phase = RUNNING;
}

static void on_done(struct bulk_op *op, const struct s3_err *err)
{
	struct item *it = (struct item *)op;

	assert_int_equal(err->cls, S3_OK);
	assert_int_equal(it->phase, RUNNING);
	it->phase = DONE;
}

/* ---- S3: requests are kept, and answered when the schedule says so ---- */

struct request {
	s3_copy_fn *copy;
	s3_put_fn *put;
	s3_delete_many_fn *delete_many;
	void *ctx;
	size_t count;
};

static struct request flying[4096];
static size_t flying_count;
static size_t batch_largest;
static unsigned refuse_percent; /* of requests, and of the keys of a batch */
static bool batches_only;       /* which operation a key of a batch is does not matter */

static struct s3_op *fly(struct request r)
{
	assert_true(flying_count < sizeof(flying) / sizeof(flying[0]));
	flying[flying_count++] = r;
	return NULL;
}

static void launched(struct item *it)
{
	check_may_run(it, "the launch");
	it->phase = RUNNING;
}

/* Sources here are small, and S3 can do everything: no copies in parts, no deletes one by one. */
static struct s3_op *not_expected(void)
{
	fail_msg("seed %llu: a request of a kind that has no place here", (unsigned long long)seed);
	return NULL;
}

const char *s3_client_bucket(const struct s3_client *client)
{
	return (const char *)client;
}

bool s3_client_copies_tags(const struct s3_client *client)
{
	(void)client;
	return true;
}

struct s3_op *s3_copy(struct s3_client *c, const struct s3_copy_params *params, unsigned flags,
	s3_copy_fn *done, void *ctx)
{
	assert_int_equal(flags, S3_NO_RETRY);
	assert_true(bytes_equal(params->key, ((struct bulk_op *)ctx)->key));
	launched(ctx);
	return fly((struct request){.copy = done, .ctx = ctx});
}

struct s3_op *s3_put(struct s3_client *c, struct bytes key, const struct s3_meta *meta,
	const struct s3_body *body, unsigned flags, s3_put_fn *done, void *ctx)
{
	assert_true(bytes_equal(key, ((struct bulk_op *)ctx)->key));
	launched(ctx);
	return fly((struct request){.put = done, .ctx = ctx});
}

/* Which operation a key of a batch is: the one delete of it that may run. */
static struct item *delete_of(struct s3_client *c, struct bytes key)
{
	size_t i;

	for (i = 0; i < item_count; i++) {
		struct item *it = &items[i];

		if (it->op.kind == BULK_DELETE && it->phase != DONE && may_run(it) &&
			bulk_target_client(it->op.target) == c && bytes_equal(it->op.key, key))
			return it;
	}
	return NULL;
}

bool s3_client_lacks(const struct s3_client *client, enum s3_ability ability)
{
	return false;
}

struct s3_op *s3_delete(
	struct s3_client *c, struct bytes key, unsigned flags, s3_done_fn *done, void *ctx)
{
	return not_expected();
}

size_t s3_delete_weight(struct bytes key)
{
	return key.len + 40;
}

struct s3_op *s3_delete_many(struct s3_client *c, const struct bytes *keys, size_t count,
	unsigned flags, s3_delete_many_fn *done, void *ctx)
{
	size_t i;

	if (count > batch_largest)
		batch_largest = count;
	for (i = 0; !batches_only && i < count; i++) {
		struct item *it = delete_of(c, keys[i]);

		if (!it)
			fail_msg("seed %llu: a delete comes too early", (unsigned long long)seed);
		else
			it->phase = RUNNING;
	}
	return fly((struct request){.delete_many = done, .ctx = ctx, .count = count});
}

struct s3_op *s3_head(struct s3_client *c, struct bytes key, struct bytes pin, unsigned flags,
	s3_head_fn *done, void *ctx)
{
	return not_expected();
}

struct s3_op *s3_get_tags(struct s3_client *c, struct bytes key, struct bytes pin, unsigned flags,
	s3_tags_fn *done, void *ctx)
{
	return not_expected();
}

struct s3_op *s3_mpu_create(struct s3_client *c, struct bytes key, const struct s3_meta *meta,
	unsigned flags, s3_create_fn *done, void *ctx)
{
	return not_expected();
}

struct s3_op *s3_mpu_part_copy(struct s3_client *c, const struct s3_part_copy_params *params,
	unsigned flags, s3_put_fn *done, void *ctx)
{
	return not_expected();
}

struct s3_op *s3_mpu_part(struct s3_client *c, struct bytes key, struct bytes upload_id,
	unsigned number, const struct s3_body *body, unsigned flags, s3_put_fn *done, void *ctx)
{
	return not_expected();
}

struct s3_op *s3_get(struct s3_client *c, struct bytes key, struct bytes if_match, uint64_t offset,
	char *target, size_t len, unsigned flags, s3_get_fn *done, void *ctx)
{
	return not_expected();
}

struct s3_op *s3_mpu_complete(struct s3_client *c, struct bytes key, struct bytes upload_id,
	const struct s3_part *parts, size_t count, uint64_t size_bytes, unsigned flags,
	s3_put_fn *done, void *ctx)
{
	return not_expected();
}

struct s3_op *s3_mpu_abort(struct s3_client *c, struct bytes key, struct bytes upload_id,
	unsigned flags, s3_done_fn *done, void *ctx)
{
	return not_expected();
}

static struct s3_err random_err(void)
{
	struct s3_err err = {0};

	if (rng_below(&rng, 100) < refuse_percent)
		err = (struct s3_err){.cls = S3_THROTTLED, .errnum = EAGAIN, .code = "SlowDown"};
	return err;
}

static void answer_one(void)
{
	size_t at = rng_below(&rng, flying_count), i;
	struct request r = flying[at];
	struct s3_err err = random_err(), *errs;
	struct s3_put_result result = {.etag = BYTES_LIT("etag")};

	flying[at] = flying[--flying_count];
	if (r.copy) {
		r.copy(r.ctx, &err, &result, 1);
		return;
	}
	if (r.put) {
		r.put(r.ctx, &err, &result);
		return;
	}
	errs = mem_calloc(r.count, sizeof(*errs));
	for (i = 0; i < r.count; i++)
		errs[i] = random_err();
	r.delete_many(r.ctx, &err, errs, r.count);
	free(errs);
}

/* ---- schedules ---- */

static struct bytes random_key(void)
{
	const char *name = key_names[rng_below(&rng, KEYS)];

	return BYTES_STR(name);
}

static void submit(enum bulk_kind kind)
{
	struct item *it = &items[item_count++];

	it->op = (struct bulk_op){.kind = kind,
		.target = targets[rng_below(&rng, 2)],
		.key = random_key(),
		.source = targets[rng_below(&rng, 2)],
		.source_key = random_key(),
		.size_bytes = 100,
		.granted = on_granted,
		.done = on_done};
	bulk_submit(&it->op);
}

static void release(struct item *it)
{
	it->phase = DONE;
	bulk_release(&it->op);
}

/* Most are released when they are granted, some while they still wait. */
static void release_one(void)
{
	size_t start = rng_below(&rng, item_count), i;
	bool waiting_too = rng_below(&rng, 20) == 0;

	for (i = 0; i < item_count; i++) {
		struct item *it = &items[(start + i) % item_count];

		if (is_holder(it) &&
			(it->phase == RUNNING || (waiting_too && it->phase == WAITING))) {
			release(it);
			return;
		}
	}
}

static size_t open_count(void)
{
	size_t i, n = 0;

	for (i = 0; i < item_count; i++)
		n += items[i].phase != DONE;
	return n;
}

static void step(void)
{
	switch (rng_below(&rng, 4)) {
	case 0:
		if (item_count < OPS)
			submit((enum bulk_kind)rng_below(&rng, BULK_WRITE + 1));
		break;
	case 1:
		if (item_count)
			release_one();
		break;
	case 2:
		if (flying_count)
			answer_one();
		break;
	default:
		if (rng_below(&rng, 3) == 0)
			bulk_hurry(targets[rng_below(&rng, 2)]);
		now_ms += (int64_t)rng_below(&rng, 100);
		loop_once(loop, 0);
	}
	check_holders();
}

static struct bulk *begin(size_t ops)
{
	struct bulk *bulk;

	loop = loop_new();
	assert_non_null(loop);
	items = mem_calloc(ops, sizeof(*items));
	item_count = flying_count = batch_largest = 0;
	now_ms = 1000;
	refuse_percent = 12;
	batches_only = false;
	rng.state = seed;
	bulk = bulk_new(loop, &(struct bulk_config){.seed = seed});
	targets[0] = bulk_target_new(bulk, (struct s3_client *)"one", 0);
	targets[1] = bulk_target_new(bulk, (struct s3_client *)"two", 4);
	return bulk;
}

static void end(struct bulk *bulk)
{
	struct bulk_stats stats;
	int i;

	for (i = 0; i < 2; i++) {
		bulk_target_stats(targets[i], &stats);
		assert_int_equal(stats.pending, 0);
		assert_int_equal(stats.in_flight, 0);
		bulk_target_free(targets[i]);
	}
	bulk_free(bulk);
	loop_free(loop);
	free(items);
}

static void schedule(void)
{
	struct bulk *bulk = begin(OPS);
	unsigned steps = 0;

	while (item_count < OPS || open_count()) {
		step();
		if (++steps % 16 == 0)
			check_busy();
		if (steps > 1000000)
			fail_msg("seed %llu: comes to no end", (unsigned long long)seed);
	}
	end(bulk);
}

static void test_random_schedules(void **state)
{
	const char *given = getenv("BULK_ORDER_SEED");
	uint64_t first = given ? strtoull(given, NULL, 10) : (uint64_t)getpid() * 1000000;
	int i;

	(void)state;
	print_message("seeds from %llu (BULK_ORDER_SEED)\n", (unsigned long long)first);
	for (i = 0; i < SCHEDULES; i++) {
		seed = first + (uint64_t)i;
		schedule();
	}
}

static void submit_one(enum bulk_kind kind, struct bytes key, struct bytes source_key)
{
	struct item *it = &items[item_count++];

	it->op = (struct bulk_op){.kind = kind,
		.target = targets[0],
		.key = key,
		.source = targets[0],
		.source_key = source_key,
		.granted = on_granted,
		.done = on_done};
	bulk_submit(&it->op);
}

/* Readers share, a writer is alone, and a reader does not overtake a writer that waits. */
static void test_readers_and_writers(void **state)
{
	struct bytes k = BYTES_LIT("k");
	struct bulk *bulk = begin(10);

	(void)state;
	submit_one(BULK_READ, k, BYTES_NONE);
	submit_one(BULK_READ, k, BYTES_NONE);
	submit_one(BULK_WRITE, k, BYTES_NONE);
	submit_one(BULK_READ, k, BYTES_NONE);
	submit_one(BULK_READ, BYTES_LIT("other"), BYTES_NONE);
	assert_int_equal(items[0].phase, RUNNING);
	assert_int_equal(items[1].phase, RUNNING);
	assert_int_equal(items[2].phase, WAITING);
	assert_int_equal(items[3].phase, WAITING);
	assert_int_equal(items[4].phase, RUNNING);
	release(&items[0]);
	assert_int_equal(items[2].phase, WAITING);
	release(&items[1]);
	assert_int_equal(items[2].phase, RUNNING);
	assert_int_equal(items[3].phase, WAITING);
	release(&items[2]);
	assert_int_equal(items[3].phase, RUNNING);
	release(&items[3]);
	release(&items[4]);
	end(bulk);
}

/* A copy onto itself is one writer, and does not wait for itself. */
static void test_copy_onto_itself(void **state)
{
	struct bytes k = BYTES_LIT("k");
	struct bulk *bulk = begin(10);

	(void)state;
	submit_one(BULK_COPY, k, k);
	submit_one(BULK_READ, k, BYTES_NONE);
	loop_once(loop, 0);
	assert_int_equal(items[0].phase, RUNNING);
	assert_int_equal(items[1].phase, WAITING);
	while (items[0].phase != DONE) {
		if (flying_count)
			answer_one();
		now_ms += 1000;
		loop_once(loop, 0);
	}
	assert_int_equal(items[1].phase, RUNNING);
	release(&items[1]);
	end(bulk);
}

/* However batches shrink and grow when they are refused, none has more keys than S3 takes. */
static void test_batch_limit(void **state)
{
	enum { COUNT = 20000, FIRST = 960 };
	char(*names)[8] = mem_calloc(COUNT, sizeof(*names));
	struct bulk *bulk = begin(COUNT);

	(void)state;
	batches_only = true;
	while (item_count < COUNT || open_count()) {
		/* The first batch is refused as a whole: halves and steps meet the limit unevenly.
		 */
		size_t upto = item_count ? COUNT : FIRST;

		refuse_percent = item_count ? 0 : 100;
		while (item_count < upto) {
			snprintf(names[item_count], sizeof(names[0]), "%zu", item_count);
			submit_one(BULK_DELETE, BYTES_STR(names[item_count]), BYTES_NONE);
			items[item_count - 1].phase = RUNNING;
		}
		bulk_hurry(targets[0]);
		now_ms += 1000;
		loop_once(loop, 0);
		while (flying_count)
			answer_one();
	}
	assert_true(batch_largest > FIRST);
	assert_true(batch_largest <= S3_DELETE_MAX);
	end(bulk);
	free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_readers_and_writers),
		cmocka_unit_test(test_copy_onto_itself),
		cmocka_unit_test(test_batch_limit),
		cmocka_unit_test(test_random_schedules),
	};

	alarm(WATCHDOG_S);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
