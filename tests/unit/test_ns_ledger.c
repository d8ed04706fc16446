/* The ledger keeps the newest failures, counts the others, and knows which were told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "ns/ns_ledger.h"

static void add(struct ledger *l, unsigned i, bool deferred)
{
	char path[32], key[32];
	struct ns_failure f = {
		.what = "copy", .path = path, .walk_id = i % 2 + 1, .deferred = deferred};

	snprintf(path, sizeof(path), "/d%u/f", i);
	snprintf(key, sizeof(key), "d%u/f", i);
	f.key = BYTES_STR(key);
	ledger_add(l, &f);
}

struct seen {
	unsigned count, untold;
	uint64_t first, last;
};

static void see(void *ctx, const struct ns_failure *f)
{
	struct seen *s = ctx;
	char key[32];

	snprintf(key, sizeof(key), "d%u/f", (unsigned)f->seq);
	assert_true(bytes_equal(f->key, BYTES_STR(key)));
	s->first = s->count++ ? s->first : f->seq;
	s->untold += f->deferred && !f->told;
	s->last = f->seq;
}

static void test_bound(void **state)
{
	struct ledger l = {0};
	struct seen s = {0};
	unsigned i;

	(void)state;
	ledger_each(&l, see, &s);
	assert_int_equal(s.count, 0);
	for (i = 1; i <= LEDGER_MAX; i++)
		add(&l, i, i != 1);
	assert_int_equal(ledger_lost(&l), 0);
	for (; i <= LEDGER_MAX + 7; i++)
		add(&l, i, true);
	ledger_each(&l, see, &s);
	assert_int_equal(s.count, LEDGER_MAX);
	assert_int_equal(s.first, 8);
	assert_int_equal(s.last, LEDGER_MAX + 7);
	assert_int_equal(ledger_lost(&l), 7);
	assert_int_equal(l.untold_lost, 6);
	assert_int_equal(l.deferred_count, LEDGER_MAX + 6);
	ledger_clear(&l);
}

static void test_told(void **state)
{
	struct ledger l = {0};
	struct seen s = {0};
	unsigned i;

	(void)state;
	for (i = 1; i <= 20; i++)
		add(&l, i, true);
	ledger_tell(&l, 0, "/d1"); /* not /d10 */
	ledger_each(&l, see, &s);
	assert_int_equal(s.untold, 19);
	ledger_tell(&l, 1, "/"); /* the even ones */
	s = (struct seen){0};
	ledger_each(&l, see, &s);
	assert_int_equal(s.untold, 9);
	ledger_tell(&l, 0, "/");
	s = (struct seen){0};
	ledger_each(&l, see, &s);
	assert_int_equal(s.untold, 0);
	ledger_clear(&l);
}

/* What somebody was told by his call, and may not have heard, becomes the run's: only what came
 * within the run, and each once. */
static void test_claimed(void **state)
{
	const struct ns_failure run = {.walk_id = 77, .pid = 5, .command = "sh"};
	struct ledger l = {0};
	const struct ns_failure *f;

	(void)state;
	add(&l, 1, false);
	assert_false(ledger_claim(&l, l.seq, l.ring[0].path, &run));
	assert_int_equal(l.deferred_count, 0);
	add(&l, 1, false);
	f = &l.ring[1];
	assert_true(ledger_claim(&l, 1, f->path, &run));
	assert_true(f->deferred);
	assert_int_equal(f->walk_id, 77);
	assert_int_equal(f->pid, 5);
	assert_string_equal(f->command, "sh");
	assert_int_equal(l.deferred_count, 1);
	assert_false(ledger_claim(&l, 1, f->path, &run));
	assert_false(l.ring[0].deferred);
	ledger_clear(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_claimed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
