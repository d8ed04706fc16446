/*
 * The core loop: see loop.h. Posts from other threads go through a list under a mutex and one
 * eventfd, which is written only when the loop may be waiting; timers are a binary heap.
 */
#include "util/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/clk.h"
#include "util/mem.h"

#define EVENTS_MAX 32
/* Empty rounds before the loop waits in the kernel: a caller's next request is often that near. */
#define SPINS_MAX 6
/* Rounds with work before descriptors have their turn all the same: the source may never be empty,
 * when enough callers wish so. */
#define BUSY_ROUNDS_MAX 64

STAILQ_HEAD(task_list, loop_task);

struct loop {
	int epoll_fd;
	struct loop_fd wake; /* eventfd */
	bool stopped, running;
	unsigned busy_rounds;
	bool (*poll)(void *ctx);
	void *poll_ctx;
	struct loop_fd source;
	struct epoll_event
		*ready; /* being handed out: what a handler removes is not called any more */
	int ready_count;
	struct loop_hook {
		void (*hook)(void *ctx);
		void *ctx;
	} * hooks;
	size_t hook_count;
	struct loop_timer **heap; /* from index 1 */
	size_t heap_count, heap_cap;
	atomic_bool posted;  /* tasks may be there */
	atomic_bool waiting; /* the core thread is in, or about to enter, epoll_wait */
	struct {
		pthread_mutex_t mutex;
		struct task_list tasks;
	} locked;
};

static void wake_ready(struct loop_fd *fd)
{
	uint64_t n;

	while (read(fd->fd, &n, sizeof(n)) > 0)
		;
}

struct loop *loop_new(void)
{
	struct loop *l = mem_zalloc(sizeof(*l));

	pthread_mutex_init(&l->locked.mutex, NULL);
	STAILQ_INIT(&l->locked.tasks);
	l->source.fd = -1;
	l->wake =
		(struct loop_fd){.ready = wake_ready, .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0 || l->wake.fd < 0 || loop_fd_add(l, &l->wake) < 0) {
		loop_free(l);
		return NULL;
	}
	return l;
}

void loop_free(struct loop *l)
{
	int saved = errno;

	if (!l)
		return;
	if (l->wake.fd >= 0)
		close(l->wake.fd);
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	pthread_mutex_destroy(&l->locked.mutex);
	free(l->heap);
	free(l->hooks);
	free(l);
	errno = saved;
}

void loop_post(struct loop *l, struct loop_task *task)
{
	static const uint64_t one = 1;

	pthread_mutex_lock(&l->locked.mutex);
	STAILQ_INSERT_TAIL(&l->locked.tasks, task, link);
	pthread_mutex_unlock(&l->locked.mutex);
	atomic_store(&l->posted, true);
	/* A full eventfd counter means it is readable already, which is all that is wanted. */
	if (atomic_exchange(&l->waiting, false) && write(l->wake.fd, &one, sizeof(one)) < 0)
		return;
}

static bool run_tasks(struct loop *l)
{
	struct task_list mine = STAILQ_HEAD_INITIALIZER(mine);
	struct loop_task *task;

	if (!atomic_exchange(&l->posted, false))
		return false;
	pthread_mutex_lock(&l->locked.mutex);
	STAILQ_CONCAT(&mine, &l->locked.tasks);
	pthread_mutex_unlock(&l->locked.mutex);
	while ((task = STAILQ_FIRST(&mine))) {
		STAILQ_REMOVE_HEAD(&mine, link);
		task->run(task);
	}
	return true;
}

static void heap_put(struct loop *l, size_t slot, struct loop_timer *t)
{
	l->heap[slot] = t;
	t->slot = slot;
}

static void heap_up(struct loop *l, struct loop_timer *t, size_t slot)
{
	while (slot > 1 && l->heap[slot / 2]->due_ms > t->due_ms) {
		heap_put(l, slot, l->heap[slot / 2]);
		slot /= 2;
	}
	heap_put(l, slot, t);
}

static void heap_down(struct loop *l, struct loop_timer *t, size_t slot)
{
	size_t child;

	while ((child = slot * 2) <= l->heap_count) {
		if (child < l->heap_count && l->heap[child + 1]->due_ms < l->heap[child]->due_ms)
			child++;
		if (l->heap[child]->due_ms >= t->due_ms)
			break;
		heap_put(l, slot, l->heap[child]);
		slot = child;
	}
	heap_put(l, slot, t);
}

void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t delay_ms)
{
	loop_timer_stop(l, t);
	t->due_ms = clk_mono_ms() + (delay_ms > 0 ? delay_ms : 0);
	if (l->heap_count + 2 > l->heap_cap) {
		l->heap_cap = l->heap_cap ? l->heap_cap * 2 : 64;
		l->heap = mem_resize(l->heap, l->heap_cap, sizeof(struct loop_timer *));
	}
	heap_up(l, t, ++l->heap_count);
}

void loop_timer_stop(struct loop *l, struct loop_timer *t)
{
	size_t slot = t->slot;
	struct loop_timer *last;

	if (!slot)
		return;
	t->slot = 0;
	last = l->heap[l->heap_count--];
	if (last == t)
		return;
	if (slot > 1 && l->heap[slot / 2]->due_ms > last->due_ms)
		heap_up(l, last, slot);
	else
		heap_down(l, last, slot);
}

static bool run_timers(struct loop *l)
{
	int64_t now;
	bool did = false;

	if (!l->heap_count)
		return false;
	now = clk_mono_ms();
	while (l->heap_count && l->heap[1]->due_ms <= now) {
		struct loop_timer *t = l->heap[1];

		loop_timer_stop(l, t);
		t->fire(t);
		did = true;
	}
	return did;
}

int loop_fd_add(struct loop *l, struct loop_fd *fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = fd};

	return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd->fd, &ev) < 0 ? -errno : 0;
}

void loop_fd_del(struct loop *l, struct loop_fd *fd)
{
	int i;

	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd->fd, NULL);
	for (i = 0; i < l->ready_count; i++)
		if (l->ready[i].data.ptr == fd)
			l->ready[i].data.ptr = NULL;
}

static void source_ready(struct loop_fd *fd)
{
	(void)fd; /* the next round polls the source */
}

int loop_set_source(struct loop *l, bool (*poll)(void *ctx), void *ctx, int fd)
{
	if (l->source.fd >= 0)
		loop_fd_del(l, &l->source);
	l->poll = poll;
	l->poll_ctx = ctx;
	l->source = (struct loop_fd){.ready = source_ready, .fd = fd};
	return fd >= 0 ? loop_fd_add(l, &l->source) : 0;
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

static bool work(struct loop *l)
{
	bool did = l->poll && l->poll(l->poll_ctx);
	size_t i;

	did |= run_tasks(l);
	did |= run_timers(l);
	for (i = 0; i < l->hook_count; i++)
		l->hooks[i].hook(l->hooks[i].ctx);
	return did;
}

static int wait_ms(const struct loop *l, int max_wait_ms)
{
	int64_t wait;

	if (!l->heap_count)
		return max_wait_ms;
	wait = l->heap[1]->due_ms - clk_mono_ms();
	if (wait < 0)
		wait = 0;
	if (max_wait_ms >= 0 && wait > max_wait_ms)
		wait = max_wait_ms;
	return wait > 3600000 ? 3600000 : (int)wait;
}

void loop_once(struct loop *l, int max_wait_ms)
{
	struct epoll_event events[EVENTS_MAX];
	bool busy = false;
	int i, n, spins;

	/* What stops the loop is seen by loop_run; a caller of its own rounds goes on as it likes.
	 */
	for (spins = 0; spins < SPINS_MAX && !busy; spins++) {
		busy = work(l);
		if (busy && ++l->busy_rounds < BUSY_ROUNDS_MAX)
			return;
	}
	l->busy_rounds = 0;
	if (l->stopped && l->running)
		return;
	atomic_store(&l->waiting, true);
	/* A post that came before `waiting` was set has written nothing to the eventfd. */
	n = busy || atomic_load(&l->posted) ? 0 : wait_ms(l, max_wait_ms);
	n = epoll_wait(l->epoll_fd, events, EVENTS_MAX, n);
	atomic_store(&l->waiting, false);
	l->ready = events;
	l->ready_count = n > 0 ? n : 0;
	for (i = 0; i < n; i++) {
		struct loop_fd *fd = events[i].data.ptr;

		if (fd)
			fd->ready(fd);
	}
	l->ready_count = 0;
	work(l);
}

void loop_run(struct loop *l)
{
	l->stopped = false;
	l->running = true;
	while (!l->stopped)
		loop_once(l, -1);
	l->running = false;
}

void loop_stop(struct loop *l)
{
	l->stopped = true;
}
