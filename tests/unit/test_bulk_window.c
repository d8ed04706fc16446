/*
 * The window, fed with a simulated server: it finds the rate, gives way when it is throttled, and
 * keeps servers near and far busy. Requests are refused as S3 does it: a partition has a rate and
 * saves up a little; what finds nothing left is refused, and a batch that finds something passes as
 * a whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "bulk/bulk_window.h"

#define PARTITIONS_MAX 4
#define FLIGHTS_MAX 8192
#define KEYS_MAX 1000

struct flight {
	struct bulk_launch launch;
	int64_t due_ms;
	bool refused;
};

struct server {
	/* Of the test. */
	int64_t latency_ms;
	bool slow_refusals; /* they take as long as what is served; else they come at once */
	unsigned partitions;
	double rate[PARTITIONS_MAX]; /* writes a second; 0: no limit */
	double queues;               /* requests a second, more have to wait; 0: no limit */
	double offered;              /* writes a second that the client would send */
	unsigned batch_max;          /* writes a request */
	/* State. */
	struct bulk_window w;
	uint64_t random;
	int64_t now_ms;
	double tokens[PARTITIONS_MAX];
	double queue_ms; /* the queue ends then */
	double backlog;
	struct flight flights[FLIGHTS_MAX];
	unsigned count, in_flight_peak;
	/* Since it was last set to 0. */
	double served, served_of[PARTITIONS_MAX];
	unsigned sent, refused;
};

/* xorshift64 (Marsaglia 2003): the same sequence in each run. */
static double chance(struct server *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return (double)(s->random >> 11) / (double)(UINT64_C(1) << 53);
}

/* A partition saves up a tenth of a second. */
static double burst(double rate)
{
	return rate / 10 > 1 ? rate / 10 : 1;
}

static bool slow_refusals;

static struct server *server_new(
	int64_t latency_ms, double rate, double offered, unsigned batch_max)
{
	static struct server s;

	s = (struct server){.latency_ms = latency_ms,
		.partitions = 1,
		.rate = {rate, rate, rate, rate},
		.offered = offered,
		.batch_max = batch_max,
		.slow_refusals = slow_refusals,
		.random = 88172645463325252u,
		.now_ms = 1000};
	for (unsigned i = 0; i < PARTITIONS_MAX; i++)
		s.tokens[i] = burst(rate);
	bulk_window_init(&s.w, 1024);
	return &s;
}

static void answers(struct server *s)
{
	unsigned i = 0;

	while (i < s->count) {
		struct flight f = s->flights[i];

		if (f.due_ms > s->now_ms) {
			i++;
			continue;
		}
		s->flights[i] = s->flights[--s->count];
		bulk_window_answer(
			&s->w, &f.launch, f.refused ? f.launch.cost.writes : 0, s->now_ms);
		s->refused += f.refused;
		if (f.refused)
			s->backlog += f.launch.cost.writes;
		else
			s->served += f.launch.cost.writes;
	}
}

static void request(struct server *s, struct bulk_cost cost)
{
	unsigned p = (unsigned)(chance(s) * s->partitions);
	struct flight *f = &s->flights[s->count++];

	assert_true(s->count < FLIGHTS_MAX);
	f->launch = bulk_window_launch(&s->w, cost, s->now_ms);
	f->refused = s->rate[p] > 0 && s->tokens[p] < 1;
	f->due_ms = s->now_ms + 1;
	if (!f->refused || s->slow_refusals)
		f->due_ms += (int64_t)((double)s->latency_ms * (0.9 + 0.3 * chance(s)));
	if (!f->refused)
		s->served_of[p] += cost.writes;
	if (!f->refused && s->rate[p] > 0)
		s->tokens[p] -= cost.writes;
	if (s->queues > 0) {
		if (s->queue_ms < (double)s->now_ms)
			s->queue_ms = (double)s->now_ms;
		s->queue_ms += 1000 / s->queues;
		f->due_ms = (int64_t)s->queue_ms + s->latency_ms;
	}
	s->backlog -= cost.writes;
	s->sent++;
	if (s->count > s->in_flight_peak)
		s->in_flight_peak = s->count;
}

static void tick(struct server *s)
{
	struct bulk_cost cost = BULK_COST_ONE;

	s->now_ms++;
	for (unsigned i = 0; i < s->partitions; i++) {
		s->tokens[i] += s->rate[i] / 1000;
		if (s->tokens[i] > burst(s->rate[i]))
			s->tokens[i] = burst(s->rate[i]);
	}
	/* No more waits at a time than the name space accepts. */
	if (s->backlog < 10000)
		s->backlog += s->offered / 1000;
	answers(s);
	for (;;) {
		if (s->batch_max > 1)
			cost.writes = bulk_rate_batch(&s->w.rate, s->batch_max);
		cost.places = (cost.writes + 49) / 50;
		if (s->backlog < cost.writes || !bulk_window_admits(&s->w, cost, s->now_ms))
			return;
		request(s, cost);
	}
}

/* Lets `ms` pass and counts anew: the share of `able` writes a second that was served meanwhile. */
static double run(struct server *s, int64_t ms, double able)
{
	int64_t end_ms = s->now_ms + ms;

	s->served = s->sent = s->refused = s->in_flight_peak = 0;
	memset(s->served_of, 0, sizeof(s->served_of));
	while (s->now_ms < end_ms)
		tick(s);
	return s->served / (able * (double)ms / 1000);
}

static double refused_share(const struct server *s)
{
	return (double)s->refused / s->sent;
}

/* Of a server that can be kept busy: `least` of what it is able to do, few refusals. */
static void keep_busy(struct server *s, int64_t warm_ms, double able, double least, double refused)
{
	double share;

	run(s, warm_ms, able);
	share = run(s, 10000, able);
	print_message("%d ms, %.0f/s%s, batches of %u: %.3f served, %.2f %% refused, "
		      "%u in flight\n",
		(int)s->latency_ms, s->rate[0], s->slow_refusals ? " (slow refusals)" : "",
		s->batch_max, share, 100 * refused_share(s), s->in_flight_peak);
	assert_true(share > least);
	assert_true(refused_share(s) < refused);
}

static void test_copies_without_a_limit(void **state)
{
	static const int latencies[] = {1, 5, 20, 60};

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		keep_busy(server_new(latencies[i], 0, 5000, 1), 1000, 5000, 0.99, 0.001);
	/* At 300 ms the cap of 1,024 is what there can be. */
	keep_busy(server_new(300, 0, 5000, 1), 3000, 1024 / 0.33, 0.97, 0.001);
}

static void test_copies_find_the_rate(void **state)
{
	static const int latencies[] = {1, 5, 20, 60, 100};
	static const double rates[] = {200, 1000, 3500};

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		for (unsigned j = 0; j < 3; j++)
			keep_busy(server_new(latencies[i], rates[j], 5000, 1), 1000, rates[j], 0.95,
				0.03);
	/* An answer that tells of a refusal comes late here. */
	keep_busy(server_new(300, 1000, 5000, 1), 3000, 1000, 0.95, 0.06);
	keep_busy(server_new(300, 3500, 5000, 1), 3000, 3500, 1 / 1.1, 0.03);
}

static void test_slow_partition(void **state)
{
	struct server *s;

	(void)state;
	s = server_new(20, 50, 5000, 1);
	run(s, 1000, 50);
	/* The first burst is refused: what has to be learnt is learnt within a second. */
	assert_true(s->refused < 256);
	keep_busy(s, 0, 50, 0.95, 0.05);
	keep_busy(server_new(300, 50, 5000, 1), 1000, 50, 0.9, 0.12);
}

static void test_refused_from_the_first_on(void **state)
{
	struct server *s = server_new(20, 3500, 5000, 1);

	(void)state;
	s->tokens[0] = 0;
	keep_busy(s, 1000, 3500, 0.95, 0.03);
}

static void test_deletes(void **state)
{
	static const int latencies[] = {5, 20, 60, 300};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		keep_busy(server_new(latencies[i], 0, 20000, KEYS_MAX), 1000, 20000, 0.95, 0.001);
		keep_busy(server_new(latencies[i], 3500, 20000, KEYS_MAX), 2000, 3500, 0.95, 0.12);
		keep_busy(server_new(latencies[i], 1000, 20000, KEYS_MAX), 3000, 1000, 0.95, 0.12);
	}
}

/* 10,000 deletes from the first one on: as rm -r sends them. */
static void test_deletes_from_the_beginning(void **state)
{
	static const int latencies[] = {5, 60, 150};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct server *s = server_new(latencies[i], 3500, 20000, KEYS_MAX);
		double seconds;

		while (s->served < 10000)
			tick(s);
		seconds = (double)(s->now_ms - 1000) / 1000;
		print_message("%d ms: 10000 deletes in %.2f s\n", latencies[i], seconds);
		assert_true(seconds < 1.15 * 10000 / 3500);
	}
}

static void test_rate_changes(void **state)
{
	struct server *s = server_new(60, 3500, 12000, 1);

	(void)state;
	keep_busy(s, 1000, 3500, 0.95, 0.03);
	/* S3 splits a partition: what was refused is served. */
	s->rate[0] = 7000;
	keep_busy(s, 3000, 7000, 0.95, 0.03);
	s->rate[0] = 0;
	keep_busy(s, 6000, 12000, 0.95, 0.001);
	s->rate[0] = 700;
	keep_busy(s, 2000, 700, 0.95, 0.03);
}

/* However long S3 has refused everything, the client soon sees that it serves again. */
static void test_outage(void **state)
{
	struct server *s = server_new(20, 3500, 12000, 1);

	(void)state;
	keep_busy(s, 2000, 3500, 0.9, 0.05);
	s->rate[0] = 1e-9;
	run(s, 15 * 60000, 3500);
	assert_true(s->served < 200);
	s->rate[0] = 3500;
	run(s, 1000, 3500);
	assert_true(s->served > 0);
	keep_busy(s, 9000, 3500, 0.9, 0.05);
}

static void test_latency_changes(void **state)
{
	struct server *s = server_new(10, 3500, 5000, 1);

	(void)state;
	keep_busy(s, 1000, 3500, 0.95, 0.03);
	/* Longer answers look like a queue at first. */
	s->latency_ms = 150;
	keep_busy(s, 6000, 3500, 0.95, 0.03);
	s->latency_ms = 10;
	keep_busy(s, 1000, 3500, 0.95, 0.03);
}

/* A server that refuses nothing, and lets requests wait: more of them would only wait longer. */
static void test_stays_out_of_queues(void **state)
{
	struct server *s = server_new(20, 0, 20000, 1);

	(void)state;
	s->queues = 10000;
	keep_busy(s, 2000, 10000, 0.95, 0.001);
	/* 200 would do; slow start sees a queue when it is there. */
	assert_true(s->in_flight_peak < 3 * 200);
}

static void test_several_partitions(void **state)
{
	struct server *s = server_new(60, 3500, 20000, 1);

	(void)state;
	/* Two behind one bucket: twice as much, found by the same window. */
	s->partitions = 2;
	keep_busy(s, 1000, 7000, 0.95, 0.03);
	assert_true(s->served_of[0] > 0.9 * 35000 && s->served_of[1] > 0.9 * 35000);
	/* Where keys are spread evenly, the slowest partition sets the pace: it is kept busy, and
	 * refuses little. */
	s = server_new(60, 3500, 5000, 1);
	s->partitions = 4;
	s->rate[0] = 500;
	keep_busy(s, 1000, 4 * 500, 0.95, 0.03);
}

static void test_a_pause(void **state)
{
	struct server *s = server_new(60, 3500, 5000, 1);

	(void)state;
	keep_busy(s, 1000, 3500, 0.95, 0.03);
	/* Nothing is asked for; then everything at once: what is known of the rate still holds. */
	s->offered = 0;
	while (s->count || s->backlog >= 1)
		tick(s);
	run(s, 30000, 1);
	s->offered = 5000;
	assert_true(run(s, 2000, 3500) > 0.95);
	assert_true(refused_share(s) < 0.03);
}

static void test_one_cut_an_event(void **state)
{
	struct bulk_window w;
	struct bulk_launch sent[200];
	double rate;
	int i;

	(void)state;
	bulk_window_init(&w, 1024);
	for (i = 0; i < 200; i++)
		sent[i] = bulk_window_launch(&w, BULK_COST_ONE, 1000 + i);
	for (i = 0; i < 100; i++)
		bulk_window_answer(&w, &sent[i], i % 2, 2000 + i);
	rate = w.rate.rate;
	/* Half were refused: the rate is about half of one a millisecond. */
	assert_true(rate > 0.4 && rate < 0.6);
	/* More refusals of what was sent before this was known change nothing. */
	for (; i < 200; i++)
		bulk_window_answer(&w, &sent[i], 1, 2000 + i);
	assert_true(w.rate.rate == rate);
	assert_int_equal(w.in_flight, 0);
}

static void test_one_may_always(void **state)
{
	struct bulk_cost batch = {.places = 20, .writes = 1000};
	struct bulk_window w;

	(void)state;
	bulk_window_init(&w, 2);
	assert_true(bulk_window_admits(&w, batch, 1000));
	bulk_window_launch(&w, batch, 1000);
	assert_false(bulk_window_admits(&w, BULK_COST_ONE, 1000));
	assert_int_equal(w.wait_ms, 0);
}

static void test_waits_as_long_as_needed(void **state)
{
	struct bulk_window w;
	struct bulk_launch l;

	(void)state;
	bulk_window_init(&w, 1024);
	w.rate.rate = 0.05; /* 50 a second */
	w.rate.tokens = 1;
	w.rate.tokens_ms = 1000;
	assert_true(bulk_window_admits(&w, BULK_COST_ONE, 1000));
	l = bulk_window_launch(&w, BULK_COST_ONE, 1000);
	bulk_window_answer(&w, &l, 0, 1001);
	assert_false(bulk_window_admits(&w, BULK_COST_ONE, 1001));
	assert_true(w.wait_ms >= 19 && w.wait_ms <= 21);
	assert_true(bulk_window_admits(&w, BULK_COST_ONE, 1001 + w.wait_ms));
	assert_true(bulk_window_size(&w) == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies_without_a_limit),
		cmocka_unit_test(test_copies_find_the_rate),
		cmocka_unit_test(test_slow_partition),
		cmocka_unit_test(test_refused_from_the_first_on),
		cmocka_unit_test(test_deletes),
		cmocka_unit_test(test_deletes_from_the_beginning),
		cmocka_unit_test(test_rate_changes),
		cmocka_unit_test(test_outage),
		cmocka_unit_test(test_latency_changes),
		cmocka_unit_test(test_stays_out_of_queues),
		cmocka_unit_test(test_several_partitions),
		cmocka_unit_test(test_a_pause),
		cmocka_unit_test(test_one_cut_an_event),
		cmocka_unit_test(test_one_may_always),
		cmocka_unit_test(test_waits_as_long_as_needed),
	};

	int failed = cmocka_run_group_tests_name("refusals come at once", tests, NULL, NULL);

	slow_refusals = true;
	return failed | cmocka_run_group_tests_name("refusals are slow", tests, NULL, NULL);
}
