/*
 * How many requests may be in flight: slow start from a few, doubling per clean round trip, for as
 * long as requests wait for a place; and, once S3 has refused some, how fast they may follow each
 * other (bulk_rate.h). Pure arithmetic without a clock of its own: tests feed it.
 */
#ifndef BULK_BULK_WINDOW_H
#define BULK_BULK_WINDOW_H

#include "bulk/bulk_rate.h"

/* What a request costs: what it occupies while it is under way, and what S3 counts of it. */
struct bulk_cost {
	unsigned places, writes;
};
#define BULK_COST_ONE ((struct bulk_cost){1, 1})

/* A request under way, as its answer is told of it. */
struct bulk_launch {
	struct bulk_cost cost;
	uint64_t seq;
	int64_t sent_ms;
};

struct bulk_window {
	double limit;     /* places that may be taken */
	double limit_max; /* -o max_inflight */
	unsigned in_flight;
	uint64_t seq;      /* of the last launch */
	bool full;         /* something had to wait for a place since the last answer */
	int64_t wait_ms;   /* what was not admitted has to wait so long; 0: for an answer */
	double rtt_ms;     /* smoothed time from launch to answer */
	double rtt_min_ms; /* the shortest of the current and the last period */
	double rtt_next_min_ms;
	int64_t period_end_ms;
	bool draining;    /* few requests are sent, to see what an answer takes without a queue */
	double served;    /* places a millisecond, the most of late */
	int64_t count_ms; /* when counting for the next measurement of it began */
	uint64_t count;
	struct bulk_rate rate;
};

void bulk_window_init(struct bulk_window *w, unsigned limit_max);
/* May a request of this cost be sent? There is a place for one always, so that nothing starves. */
bool bulk_window_admits(struct bulk_window *w, struct bulk_cost cost, int64_t now_ms);
/* Takes the place; the launch is to be handed to bulk_window_answer. */
struct bulk_launch bulk_window_launch(struct bulk_window *w, struct bulk_cost cost, int64_t now_ms);
/*
 * The answer: `refused` of its writes were refused for being too many. Frees the place and adapts.
 */
void bulk_window_answer(
	struct bulk_window *w, const struct bulk_launch *launch, unsigned refused, int64_t now_ms);
/* How many requests of one write are in flight when the window is full. */
double bulk_window_size(const struct bulk_window *w);

#endif
