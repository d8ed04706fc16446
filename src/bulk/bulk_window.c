/* The window: see bulk_window.h. */
#include "bulk/bulk_window.h"

#define LIMIT_START 16.0
#define LIMIT_MIN 2.0
/*
 * S3 answers a burst over a partition's rate with SlowDown at once and keeps serving the rest, so a
 * deep cut would leave capacity unused; repeated events still shrink the window geometrically.
 */
#define CUT 0.7

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

void bulk_window_answer(struct bulk_window *w, unsigned weight, uint64_t seq, bool throttled)
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
	/* A window that nobody waits for has proved nothing. */
	if (!w->full)
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
