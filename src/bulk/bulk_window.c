/* The window: see bulk_window.h. */
#include "bulk/bulk_window.h"

#define LIMIT_START 16.0
#define LIMIT_MIN 2.0
/*
 * S3 answers a burst over a partition's rate with SlowDown at once and keeps serving the rest, so a
 * deep cut would leave capacity unused; repeated events still shrink the window geometrically.
 */
#define CUT 0.7
/* An answer that took longer than this has stood in a queue. */
#define QUEUED(min_ms) ((min_ms) * 1.5 + 10)
#define PERIOD_MS 5000
/* How long answers are counted for a measurement of the rate, and how fast an old one is forgotten. */
#define RATE_MS 40
#define RATE_DECAY 0.97

void bulk_window_init(struct bulk_window *w, unsigned limit_max)
{
	*w = (struct bulk_window){
		.limit = LIMIT_START,
		.limit_max = limit_max,
		.threshold = limit_max,
	};
	if (w->limit > w->limit_max)
		w->limit = w->limit_max;
}

bool bulk_window_admits(struct bulk_window *w, unsigned weight)
{
	if (!w->in_flight || w->in_flight + weight <= w->limit)
		return true;
	w->full = true;
	return false;
}

uint64_t bulk_window_launch(struct bulk_window *w, unsigned weight)
{
	w->in_flight += weight;
	return ++w->seq;
}

/* The shortest round trip is remembered for one to two periods, so that it follows the network. */
static void measure(struct bulk_window *w, int64_t launched_ms, int64_t now_ms)
{
	double ms = (double)(now_ms - launched_ms);

	if (!w->period_ms || now_ms - w->period_ms > PERIOD_MS) {
		w->rtt_min_ms = w->period_ms ? w->rtt_next_min_ms : ms;
		w->rtt_next_min_ms = ms;
		w->period_ms = now_ms;
	}
	if (ms < w->rtt_min_ms)
		w->rtt_min_ms = ms;
	if (ms < w->rtt_next_min_ms)
		w->rtt_next_min_ms = ms;
	/* One large object among small ones says nothing about a queue. */
	if (ms > 4 * QUEUED(w->rtt_min_ms))
		ms = 4 * QUEUED(w->rtt_min_ms);
	w->rtt_ms = w->rtt_ms ? w->rtt_ms + (ms - w->rtt_ms) / 16 : ms;
}

/* The rate at which answers come is what can be served: twice what is then under way is enough. */
static void measure_rate(struct bulk_window *w, unsigned weight, int64_t now_ms)
{
	double ms = (double)(now_ms - w->count_ms), rate;

	w->count += weight;
	if (!w->count_ms || ms > 20 * RATE_MS + 4 * w->rtt_ms) {
		/* The first, or after a pause. */
		w->count_ms = now_ms;
		w->count = 0;
		return;
	}
	if (ms < RATE_MS || ms < w->rtt_min_ms)
		return;
	rate = (double)w->count / ms;
	w->rate = rate > w->rate * RATE_DECAY ? rate : w->rate * RATE_DECAY;
	w->count_ms = now_ms;
	w->count = 0;
}

static bool is_enough(const struct bulk_window *w)
{
	double rtt_ms = w->rtt_min_ms > 1 ? w->rtt_min_ms : 1;

	return w->rate > 0 && w->limit > 2 * w->rate * rtt_ms + LIMIT_START;
}

void bulk_window_answer(struct bulk_window *w, unsigned weight, uint64_t seq, bool throttled,
	int64_t launched_ms, int64_t now_ms)
{
	w->in_flight -= weight;
	if (throttled) {
		if (seq <= w->cut_seq)
			return;
		w->limit *= CUT;
		if (w->limit < LIMIT_MIN)
			w->limit = LIMIT_MIN;
		w->threshold = w->limit;
		w->cut_seq = w->seq;
		return;
	}
	measure(w, launched_ms, now_ms);
	measure_rate(w, weight, now_ms);
	/* A window that nobody waits for has proved nothing. */
	if (!w->full || w->rtt_ms > QUEUED(w->rtt_min_ms) || is_enough(w))
		return;
	if (w->limit < w->threshold)
		w->limit += weight;
	else
		w->limit += (double)weight / w->limit + 0.002 * weight;
	if (w->limit > w->limit_max)
		w->limit = w->limit_max;
	if (w->in_flight < w->limit / 2)
		w->full = false;
}
