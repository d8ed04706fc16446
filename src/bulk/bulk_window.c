/* The window: see bulk_window.h. */
#include "bulk/bulk_window.h"

#define LIMIT_START 128.0
#define LIMIT_SPARE 16.0
#define LIMIT_MIN 2.0
/*
 * A cut goes down to what was served while requests were refused, by at most half and at least by a
 * little: S3 refuses what is over a partition's rate and keeps serving the rest, so a deeper cut
 * would only leave capacity unused.
 */
#define CUT_LEAST 0.93
#define CUT_MOST 0.5
#define CUT_SERVED 0.95
/* How much faster than evenly requests may follow each other. */
#define PACE 1.2
/*
 * Growth beyond slow start: one request and this share of the window a round trip, and more the
 * longer nothing was refused: what refused us may have gone.
 */
#define GROWTH 0.01
#define GROWTH_TRIPS 8.0
/* An answer that took longer than this has stood in a queue. */
#define QUEUED(min_ms) ((min_ms)*1.5 + 10)
#define PERIOD_MS 5000
/* How long answers are counted for a measurement of the rate, and how fast an old one is forgotten.
 */
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

/* Has the even flow of requests come to the next one? */
static bool pace_admits(struct bulk_window *w, unsigned weight, int64_t now_ms)
{
	double rtt_ms = w->rtt_min_ms > 1 ? w->rtt_min_ms : 1;
	double a_ms = w->limit / rtt_ms * PACE, most = 2 * a_ms > weight ? 2 * a_ms : weight;

	if (!w->cut_seq)
		return true;
	w->pace += (double)(now_ms - w->pace_ms) * a_ms;
	w->pace_ms = now_ms;
	if (w->pace > most)
		w->pace = most;
	return w->pace >= weight || w->pace >= most;
}

bool bulk_window_admits(struct bulk_window *w, unsigned weight, int64_t now_ms)
{
	w->paced = false;
	if (w->in_flight && w->in_flight + weight > w->limit) {
		w->full = true;
		return false;
	}
	if (pace_admits(w, weight, now_ms))
		return true;
	w->full = true;
	w->paced = true;
	return false;
}

uint64_t bulk_window_launch(struct bulk_window *w, unsigned weight)
{
	w->in_flight += weight;
	w->pace -= weight;
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
	if (!w->count_ms || !w->full || ms > 20 * RATE_MS + 4 * w->rtt_ms) {
		/* The first, or after a pause, or less was asked for than could be served. */
		w->count_ms = now_ms;
		w->count = 0;
		return;
	}
	if (ms < RATE_MS || ms < w->rtt_min_ms)
		return;
	rate = (double)w->count / ms;
	w->rate_now = rate;
	w->rate = rate > w->rate * RATE_DECAY ? rate : w->rate * RATE_DECAY;
	w->count_ms = now_ms;
	w->count = 0;
}

static bool is_enough(const struct bulk_window *w)
{
	double rtt_ms = w->rtt_min_ms > 1 ? w->rtt_min_ms : 1;

	return w->rate > 0 && w->limit > 2 * w->rate * rtt_ms + LIMIT_SPARE;
}

static double growth(const struct bulk_window *w, int64_t now_ms)
{
	double rtt_ms = w->rtt_min_ms > 1 ? w->rtt_min_ms : 1;
	double trips = (double)(now_ms - w->cut_ms) / rtt_ms / GROWTH_TRIPS;
	double share = GROWTH * (1 + trips * trips);

	return share < 1 ? share : 1; /* no faster than slow start */
}

static void cut(struct bulk_window *w, int64_t now_ms)
{
	double served = w->rate_now * w->rtt_min_ms * CUT_SERVED, limit = w->limit * CUT_LEAST;

	if (served < limit)
		limit = served > w->limit * CUT_MOST ? served : w->limit * CUT_MOST;
	w->limit = limit > LIMIT_MIN ? limit : LIMIT_MIN;
	w->threshold = w->limit;
	w->cut_seq = w->seq;
	w->cut_ms = now_ms;
}

void bulk_window_answer(struct bulk_window *w, unsigned weight, uint64_t seq, bool throttled,
	int64_t launched_ms, int64_t now_ms)
{
	w->in_flight -= weight;
	if (throttled) {
		measure_rate(w, 0, now_ms);
		if (seq > w->cut_seq)
			cut(w, now_ms);
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
		w->limit += weight * (1 / w->limit + growth(w, now_ms));
	if (w->limit > w->limit_max)
		w->limit = w->limit_max;
	if (w->in_flight < w->limit / 2)
		w->full = false;
}
