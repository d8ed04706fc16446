/* The window: see bulk_window.h. */
#include "bulk/bulk_window.h"

#define LIMIT_START 192.0
#define LIMIT_SPARE 16.0
/* One answer does not count for more: a large object among small ones says nothing of a queue. */
#define RTT_MOST(min_ms) ((min_ms)*6 + 40)
#define PERIOD_MS 2000
#define DRAIN_TRIPS 2
#define DRAIN_SHARE 4
/* How long answers are counted for a measurement, and how fast an old one is forgotten. */
#define COUNT_MS 40
#define COUNT_DECAY 0.97

void bulk_window_init(struct bulk_window *w, unsigned limit_max)
{
	*w = (struct bulk_window){
		.limit = limit_max < LIMIT_START ? limit_max : LIMIT_START,
		.limit_max = limit_max,
	};
}

bool bulk_window_admits(struct bulk_window *w, struct bulk_cost cost, int64_t now_ms)
{
	double limit = w->draining ? w->limit / DRAIN_SHARE : w->limit;

	w->wait_ms = 0;
	if (w->in_flight && w->in_flight + cost.places > limit) {
		w->full = true;
		return false;
	}
	return bulk_rate_admits(&w->rate, now_ms, &w->wait_ms);
}

struct bulk_launch bulk_window_launch(struct bulk_window *w, struct bulk_cost cost, int64_t now_ms)
{
	w->in_flight += cost.places;
	bulk_rate_sent(&w->rate, ++w->seq, cost.writes, now_ms);
	return (struct bulk_launch){.cost = cost, .seq = w->seq, .sent_ms = now_ms};
}

/*
 * The shortest round trip is remembered for one to two periods, so that it follows the network.
 * When all are longer than it was, a queue may be why, even our own: it is given time to drain
 * first.
 */
static void measure(struct bulk_window *w, int64_t sent_ms, int64_t now_ms)
{
	double ms = (double)(now_ms - sent_ms);

	if (!w->period_end_ms) {
		w->rtt_min_ms = w->rtt_next_min_ms = ms;
		w->period_end_ms = now_ms + PERIOD_MS;
	}
	if (now_ms > w->period_end_ms) {
		w->draining = !w->draining && w->rtt_next_min_ms > w->rtt_min_ms * 1.25 + 1;
		if (!w->draining)
			w->rtt_min_ms = w->rtt_next_min_ms;
		w->period_end_ms =
			now_ms + (w->draining ? (int64_t)(DRAIN_TRIPS * w->rtt_ms) : PERIOD_MS);
		w->rtt_next_min_ms = ms;
	}
	if (ms < w->rtt_min_ms)
		w->rtt_min_ms = ms;
	if (ms < w->rtt_next_min_ms)
		w->rtt_next_min_ms = ms;
	if (ms > RTT_MOST(w->rtt_min_ms))
		ms = RTT_MOST(w->rtt_min_ms);
	w->rtt_ms = w->rtt_ms ? w->rtt_ms + (ms - w->rtt_ms) / 16 : ms;
}

/* The rate at which answers come is what can be served. */
static void measure_served(struct bulk_window *w, unsigned places, int64_t now_ms)
{
	double ms = (double)(now_ms - w->count_ms), served;

	w->count += places;
	if (!w->count_ms || !w->full || ms > 20 * COUNT_MS + 4 * w->rtt_ms) {
		/* The first, or after a pause, or less was asked for than could be served. */
		w->count_ms = now_ms;
		w->count = 0;
		return;
	}
	if (ms < COUNT_MS || ms < w->rtt_min_ms)
		return;
	served = (double)w->count / ms;
	w->served = served > w->served * COUNT_DECAY ? served : w->served * COUNT_DECAY;
	w->count_ms = now_ms;
	w->count = 0;
}

/* Twice what is under way at the rate that can be served: more would wait in a queue. */
static bool is_enough(const struct bulk_window *w)
{
	double rtt_ms = w->rtt_min_ms > 1 ? w->rtt_min_ms : 1;

	return w->served > 0 && w->limit > 2 * w->served * rtt_ms + LIMIT_SPARE;
}

void bulk_window_answer(
	struct bulk_window *w, const struct bulk_launch *l, unsigned refused, int64_t now_ms)
{
	w->in_flight -= l->cost.places;
	bulk_rate_answer(&w->rate, l->seq, l->cost.writes, refused, l->sent_ms, now_ms);
	if (refused)
		return;
	measure(w, l->sent_ms, now_ms);
	measure_served(w, l->cost.places, now_ms);
	/* A window that nobody waits for has proved nothing. */
	if (!w->full || is_enough(w))
		return;
	w->limit += l->cost.places;
	if (w->limit > w->limit_max)
		w->limit = w->limit_max;
	if (w->in_flight < w->limit / 2)
		w->full = false;
}

double bulk_window_size(const struct bulk_window *w)
{
	double paced = w->rate.rate * (w->rtt_ms > 1 ? w->rtt_ms : 1);

	if (w->rate.rate <= 0 || paced > w->limit)
		return w->limit;
	return paced > 1 ? paced : 1;
}
