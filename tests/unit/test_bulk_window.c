/* The window, fed with a simulated server: it finds the rate, and gives way when it is throttled.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bulk/bulk_window.h"

/* A server that answers after `latency_ms` and takes `rate` requests a second, more are refused. */
struct server {
	int64_t now_ms;
	int64_t latency_ms;
	double rate, tokens, burst;
	uint64_t served, refused;
	struct {
		int64_t due_ms, launched_ms;
		uint64_t seq;
		bool refused;
	} queue[8192];
	unsigned head, count;
};

static void tick(struct server *s, struct bulk_window *w)
{
	s->now_ms++;
	s->tokens += s->rate / 1000;
	if (s->tokens > s->burst)
		s->tokens = s->burst;
	while (s->count && s->queue[s->head].due_ms <= s->now_ms) {
		unsigned i = s->head;

		s->head = (s->head + 1) % 8192;
		s->count--;
		bulk_window_answer(w, 1, s->queue[i].seq, s->queue[i].refused,
			s->queue[i].launched_ms, s->now_ms);
		s->served += !s->queue[i].refused;
		s->refused += s->queue[i].refused;
	}
	while (bulk_window_admits(w, 1, s->now_ms)) {
		unsigned i = (s->head + s->count++) % 8192;

		s->queue[i].launched_ms = s->now_ms;
		s->queue[i].due_ms = s->now_ms + s->latency_ms;
		s->queue[i].seq = bulk_window_launch(w, 1);
		s->queue[i].refused = s->rate > 0 && s->tokens < 1;
		if (!s->queue[i].refused)
			s->tokens -= 1;
	}
}

static void test_grows_to_what_is_needed(void **state)
{
	static struct server s;
	struct bulk_window w;

	(void)state;
	s = (struct server){.latency_ms = 50};
	bulk_window_init(&w, 1024);
	while (s.now_ms < 1000)
		tick(&s, &w);
	/* Nothing holds it back: it doubles each round trip up to its cap. */
	assert_true(w.limit > 900);
	assert_true(w.limit <= 1024);
}

/* Refused from the first request on (`tokens` 0), or after a burst: from 2 s on it serves 1/1.1. */
static void find_rate(int64_t latency_ms, double rate, double tokens)
{
	static struct server s;
	struct bulk_window w;
	uint64_t served, refused;
	double able = rate * 20;

	s = (struct server){.latency_ms = latency_ms, .rate = rate, .burst = 100, .tokens = tokens};
	bulk_window_init(&w, 1024);
	while (s.now_ms < 2000)
		tick(&s, &w);
	served = s.served;
	refused = s.refused;
	while (s.now_ms < 22000)
		tick(&s, &w);
	served = s.served - served;
	refused = s.refused - refused;
	print_message("%d ms: served %llu of %.0f, refused %llu\n", (int)latency_ms,
		(unsigned long long)served, able, (unsigned long long)refused);
	assert_true((double)served > able / 1.1);
	assert_true((double)refused < 0.03 * (double)(served + refused));
}

static void test_finds_the_rate(void **state)
{
	(void)state;
	find_rate(50, 3500, 100);
	find_rate(20, 3500, 100);
	find_rate(100, 3500, 100);
	find_rate(50, 1000, 100);
}

static void test_early_refusal(void **state)
{
	(void)state;
	find_rate(20, 3500, 0);
}

static void test_slow_partition(void **state)
{
	static struct server s;
	struct bulk_window w;

	(void)state;
	s = (struct server){.latency_ms = 20, .rate = 50, .burst = 5};
	bulk_window_init(&w, 1024);
	while (s.now_ms < 20000)
		tick(&s, &w);
	assert_true(w.limit < 20);
	assert_true(s.served > 700);
}

static void test_one_cut_an_event(void **state)
{
	struct bulk_window w;
	uint64_t seq[16];
	double before;
	int i;

	(void)state;
	bulk_window_init(&w, 1024);
	for (i = 0; i < 16; i++)
		seq[i] = bulk_window_launch(&w, 1);
	before = w.limit;
	for (i = 0; i < 16; i++)
		bulk_window_answer(&w, 1, seq[i], true, 0, 10);
	/* Sixteen refusals of requests that were sent before the first one was known: one event. */
	assert_true(w.limit < before && w.limit >= before / 2);
	assert_int_equal(w.in_flight, 0);
}

static void test_one_may_always(void **state)
{
	struct bulk_window w;

	(void)state;
	bulk_window_init(&w, 2);
	assert_true(bulk_window_admits(&w, 20, 0));
	bulk_window_launch(&w, 20);
	assert_false(bulk_window_admits(&w, 1, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grows_to_what_is_needed),
		cmocka_unit_test(test_finds_the_rate),
		cmocka_unit_test(test_early_refusal),
		cmocka_unit_test(test_slow_partition),
		cmocka_unit_test(test_one_cut_an_event),
		cmocka_unit_test(test_one_may_always),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
