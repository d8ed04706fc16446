/*
 * The clock and the loop of util, simulated: time stands still while there is something to do and
 * then jumps to the next timer. Timers that are due at once run in random order. One thread.
 */
#include <stdlib.h>

#include "sim.h"
#include "util/clk.h"
#include "util/mem.h"

#define FDS_MAX 64

struct loop {
	struct loop_timer **timers;
	size_t count, cap;
	struct loop_hook {
		void (*hook)(void *ctx);
		void *ctx;
	} * hooks;
	size_t hook_count;
	struct {
		struct loop_fd *fd;
		bool readable;
	} fds[FDS_MAX];
};

static int64_t now_ms = 1000000;

int64_t clk_mono_ms(void)
{
	return now_ms;
}

int64_t clk_wall_ms(void)
{
	return now_ms + 1700000000000;
}

void sim_clock_advance(int64_t ms)
{
	now_ms += ms;
}

void sim_clock_reset(void)
{
	now_ms = 1000000;
}

struct loop *loop_new(void)
{
	return mem_zalloc(sizeof(struct loop));
}

void loop_free(struct loop *l)
{
	free(l->timers);
	free(l->hooks);
	free(l);
}

static void timer_add(struct loop *l, struct loop_timer *t, int64_t due_ms)
{
	loop_timer_stop(l, t);
	if (l->count == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 64;
		l->timers = mem_resize(l->timers, l->cap, sizeof(struct loop_timer *));
	}
	l->timers[l->count++] = t;
	t->slot = l->count;
	t->due_ms = due_ms;
}

void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t delay_ms)
{
	timer_add(l, t, now_ms + (delay_ms > 0 ? delay_ms : 0));
}

void sim_loop_now(struct loop *l, struct loop_timer *t)
{
	timer_add(l, t, INT64_MIN);
}

void loop_timer_stop(struct loop *l, struct loop_timer *t)
{
	struct loop_timer *last;

	if (!t->slot)
		return;
	last = l->timers[--l->count];
	l->timers[t->slot - 1] = last;
	last->slot = t->slot;
	t->slot = 0;
}

size_t sim_loop_timers(const struct loop *l)
{
	return l->count;
}

int loop_fd_add(struct loop *l, struct loop_fd *fd)
{
	size_t i;

	for (i = 0; i < FDS_MAX; i++)
		if (!l->fds[i].fd) {
			l->fds[i].fd = fd;
			l->fds[i].readable = false;
			return 0;
		}
	sim_fail("too many descriptors are watched");
}

void loop_fd_del(struct loop *l, struct loop_fd *fd)
{
	size_t i;

	for (i = 0; i < FDS_MAX; i++)
		if (l->fds[i].fd == fd)
			l->fds[i].fd = NULL;
}

void sim_fd_readable(struct loop *l, int fd)
{
	size_t i;

	for (i = 0; i < FDS_MAX; i++)
		if (l->fds[i].fd && l->fds[i].fd->fd == fd)
			l->fds[i].readable = true;
}

void loop_add_hook(struct loop *l, void (*hook)(void *ctx), void *ctx)
{
	l->hooks = mem_resize(l->hooks, l->hook_count + 1, sizeof(*l->hooks));
	l->hooks[l->hook_count].hook = hook;
	l->hooks[l->hook_count++].ctx = ctx;
}

void loop_del_hook(struct loop *l, void (*hook)(void *ctx), void *ctx)
{
	size_t i;

	for (i = 0; i < l->hook_count; i++)
		if (l->hooks[i].hook == hook && l->hooks[i].ctx == ctx) {
			l->hooks[i] = l->hooks[--l->hook_count];
			return;
		}
}

static void run_hooks(struct loop *l)
{
	size_t i;

	for (i = 0; i < l->hook_count; i++)
		l->hooks[i].hook(l->hooks[i].ctx);
}

static struct loop_timer *next_timer(const struct loop *l)
{
	struct loop_timer *best = NULL;
	unsigned ties = 1;
	size_t i;

	for (i = 0; i < l->count; i++) {
		struct loop_timer *t = l->timers[i];

		if (!best || t->due_ms < best->due_ms) {
			best = t;
			ties = 1;
		} else if (t->due_ms == best->due_ms && !sim_below(++ties)) {
			best = t;
		}
	}
	return best;
}

bool sim_loop_step(struct loop *l)
{
	struct loop_timer *t;
	size_t i;

	for (i = 0; i < FDS_MAX; i++)
		if (l->fds[i].fd && l->fds[i].readable) {
			l->fds[i].fd->ready(l->fds[i].fd);
			return true;
		}
	t = next_timer(l);
	/* Before time passes the hooks have run; within one moment they may. */
	if (!t || t->due_ms > now_ms || sim_chance(30)) {
		run_hooks(l);
		t = next_timer(l);
	}
	if (!t)
		return false;
	if (t->due_ms > now_ms)
		now_ms = t->due_ms;
	loop_timer_stop(l, t);
	t->fire(t);
	return true;
}
