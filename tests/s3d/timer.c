/* Binary heap of timers: see timer.h. */
#include "timer.h"

#include <stdlib.h>

#include "util/mem.h"

static void put(struct timers *t, size_t place, struct timer *timer)
{
	t->heap[place] = timer;
	timer->place = place;
}

static void sift_up(struct timers *t, size_t i, struct timer *timer)
{
	for (; i > 1 && t->heap[i / 2]->due_ms > timer->due_ms; i /= 2)
		put(t, i, t->heap[i / 2]);
	put(t, i, timer);
}

static void sift_down(struct timers *t, size_t i, struct timer *timer)
{
	for (size_t child; (child = 2 * i) <= t->count; i = child) {
		if (child < t->count && t->heap[child + 1]->due_ms < t->heap[child]->due_ms)
			child++;
		if (t->heap[child]->due_ms >= timer->due_ms)
			break;
		put(t, i, t->heap[child]);
	}
	put(t, i, timer);
}

void timer_start(struct timers *t, struct timer *timer, int64_t due_ms)
{
	timer_stop(t, timer);
	timer->due_ms = due_ms;
	if (t->count + 2 > t->cap) {
		t->cap = t->cap ? t->cap * 2 : 64;
		t->heap = mem_resize(t->heap, t->cap, sizeof(struct timer *));
	}
	sift_up(t, ++t->count, timer);
}

void timer_stop(struct timers *t, struct timer *timer)
{
	size_t i = timer->place;
	struct timer *last;

	if (!i)
		return;
	timer->place = 0;
	last = t->heap[t->count--];
	if (last == timer)
		return;
	if (i > 1 && t->heap[i / 2]->due_ms > last->due_ms)
		sift_up(t, i, last);
	else
		sift_down(t, i, last);
}

void timers_run(struct timers *t, int64_t now_ms)
{
	while (t->count && t->heap[1]->due_ms <= now_ms) {
		struct timer *timer = t->heap[1];

		timer_stop(t, timer);
		timer->fire(timer);
	}
}

int64_t timers_next(const struct timers *t, int64_t now_ms)
{
	if (!t->count)
		return -1;
	return t->heap[1]->due_ms > now_ms ? t->heap[1]->due_ms - now_ms : 0;
}

void timers_free(struct timers *t)
{
	free(t->heap);
	*t = (struct timers){0};
}
