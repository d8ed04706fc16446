/*
 * How many requests may be in flight: slow start from a few, doubling per clean round trip, then
 * additive; cut once per throttling event. Pure arithmetic without a clock of its own: tests feed
 * it.
 */
#ifndef BULK_BULK_WINDOW_H
#define BULK_BULK_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

struct bulk_window {
	double limit;     /* weight that may be in flight */
	double limit_max; /* -o max_inflight */
	double threshold; /* slow start ends here */
	unsigned in_flight;
	uint64_t seq;     /* of the last launch */
	uint64_t cut_seq; /* launches up to here belong to the last throttling event */
	int64_t cut_ms;
	bool full;         /* something had to wait for a place since the last answer */
	double rtt_ms;     /* smoothed time from launch to answer */
	double rtt_min_ms; /* the shortest of the current and the last period */
	double rtt_next_min_ms;
	int64_t period_ms; /* when the current period began */
	double rate;       /* served a millisecond, the most of late */
	double rate_now;   /* by the last measurement */
	double pace;       /* weight that may be sent now */
	int64_t pace_ms;   /* as of then */
	bool paced;
	int64_t count_ms; /* when counting for the next measurement began */
	uint64_t count;
};

void bulk_window_init(struct bulk_window *w, unsigned limit_max);
/*
 * May a request of this weight be sent? One may always, so that nothing starves. Once something was
 * refused, requests are also spread over the round trip: a clump passes a rate that the same number
 * of requests, evenly sent, does not. With `paced` set the answer will be yes a millisecond later.
 */
bool bulk_window_admits(struct bulk_window *w, unsigned weight, int64_t now_ms);
/* Takes the place; returns the launch's number, to be handed to bulk_window_answer. */
uint64_t bulk_window_launch(struct bulk_window *w, unsigned weight);
/*
 * An answer to the launch `seq`, of `launched_ms`: frees the place and adapts the limit. Answers
 * that take much longer than the shortest one have waited in a queue, here or there: more requests
 * would only make it longer, so the limit does not grow then.
 */
void bulk_window_answer(struct bulk_window *w, unsigned weight, uint64_t seq, bool throttled,
	int64_t launched_ms, int64_t now_ms);

#endif
