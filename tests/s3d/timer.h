/* A binary heap of timers, the earliest first. One thread. */
#ifndef S3D_TIMER_H
#define S3D_TIMER_H

#include <stddef.h>
#include <stdint.h>

struct timer {
	int64_t due_ms; /* monotonic */
	size_t place;   /* in the heap, from 1; 0: not armed */
	void (*fire)(struct timer *timer);
};

struct timers {
	struct timer **heap; /* [1..count] */
	size_t count, cap;
};

/* Arms `timer` (borrowed until it has fired or is stopped): `fire` runs in timers_run. */
void timer_start(struct timers *timers, struct timer *timer, int64_t due_ms);
/* Disarms; does nothing when not armed. */
void timer_stop(struct timers *timers, struct timer *timer);
/* Fires what is due. `fire` may start timers, also itself. */
void timers_run(struct timers *timers, int64_t now_ms);
/* Milliseconds until the earliest; -1 when there is none. */
int64_t timers_next(const struct timers *timers, int64_t now_ms);
void timers_free(struct timers *timers);

#endif
