/*
 * An I/O thread: an epoll loop over the sockets of its lanes. It takes submitted requests over
 * under a mutex, runs them and hands the finished ones back in one piece a round. It owns its
 * handles and, from submit to done, its requests.
 */
#include "http/http_int.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/clk.h"
#include "util/log.h"
#include "util/mem.h"

#define EVENTS_MAX 64
/*
 * With so many transfers under way there is always something to do. As a network card moderates its
 * interrupts, the thread then lets answers and requests gather for a moment: far fewer wake-ups,
 * here, in the core thread and in the server, for a delay that no round trip notices.
 */
#define BUSY_TRANSFERS 32
#define PAUSE_NS 500000

#define SHORT_TRANSFERS 8

/* ---- transfers ---- */

static void finish(struct http_thread *t, struct http_transfer *x)
{
	struct http_request *r = x->request;

	TAILQ_REMOVE(&t->active, x, link);
	TAILQ_INSERT_HEAD(&t->idle, x, link);
	t->active_count--;
	x->request = NULL;
	r->transfer = NULL;
	r->state = HTTP_AT_REST;
	TAILQ_INSERT_TAIL(&t->finished, r, link);
}

/* Ends a transfer from our side. libcurl closes its connection, since an answer may be on it. */
static void cut_off(
	struct http_thread *t, struct http_transfer *x, enum http_code code, const char *text)
{
	http_lane_remove(x);
	http_transfer_abort(x, code, text);
	finish(t, x);
}

static void fail_unsent(
	struct http_thread *t, struct http_request *r, enum http_code code, const char *text)
{
	r->result.code = code;
	r->result.status = 0;
	snprintf(r->result.text, sizeof(r->result.text), "%s", text);
	r->state = HTTP_AT_REST;
	TAILQ_INSERT_TAIL(&t->finished, r, link);
}

/* The first ones are filled first: their connections are in use, and stay. NULL: no memory. */
static struct http_lane *lane_with_room(struct http_thread *t)
{
	struct http_lane *lane;
	size_t i;

	for (i = 0; i < t->lane_count; i++)
		if (t->lanes[i]->active_count < HTTP_LANE_TRANSFERS)
			return t->lanes[i];
	lane = http_lane_new(t);
	if (!lane)
		return NULL;
	t->lanes = mem_resize(t->lanes, t->lane_count + 1, sizeof(*t->lanes));
	t->lanes[t->lane_count++] = lane;
	return lane;
}

static void start_one(struct http_thread *t, struct http_request *r)
{
	struct http_transfer *x = TAILQ_FIRST(&t->idle);
	struct http_lane *lane;

	if (x)
		TAILQ_REMOVE(&t->idle, x, link);
	else
		x = http_transfer_new(t);
	if (!x) {
		fail_unsent(t, r, HTTP_SHORT, "libcurl gives no handle");
		r->result.errnum = ENOMEM;
		return;
	}
	TAILQ_INSERT_TAIL(&t->active, x, link);
	t->active_count++;
	r->transfer = x;
	r->state = HTTP_ACTIVE;
	if (!http_transfer_begin(x, r)) {
		finish(t, x);
		return;
	}
	lane = lane_with_room(t);
	if (!lane || !http_lane_add(lane, x)) {
		http_transfer_short(x);
		finish(t, x);
	}
}

/* How many transfers may run. A few go on when memory is short: others wait for their end. */
static unsigned active_bound(const struct http_thread *t)
{
	return t->active_max > SHORT_TRANSFERS && mem_short() ? SHORT_TRANSFERS : t->active_max;
}

static void start_waiting(struct http_thread *t)
{
	struct http_request *r;

	while (!TAILQ_EMPTY(&t->waiting) && t->active_count < active_bound(t)) {
		r = TAILQ_FIRST(&t->waiting);
		TAILQ_REMOVE(&t->waiting, r, link);
		start_one(t, r);
	}
}

static void collect_done(struct http_thread *t)
{
	struct http_transfer *x;
	CURLcode code;
	size_t i;

	for (i = 0; i < t->lane_count; i++) {
		while ((x = http_lane_ended(t->lanes[i], &code))) {
			http_transfer_end(x, code);
			finish(t, x);
		}
	}
}

/* ---- what the core thread asks for ---- */

/*
 * Takes the submitted requests over, and one that is to be cancelled: the answer, or NULL. It is
 * decided under the mutex: a request that is at rest is on its way to the core thread, which may
 * free it as soon as it has the mutex. One at a time, because a request that is out of the list
 * may be cancelled, and be in it, once more; after the submitted ones, because it may be one.
 */
static struct http_request *next_cancelled(struct http_thread *t, bool *stop)
{
	struct http_request *r;

	pthread_mutex_lock(&t->locked.mutex);
	*stop = t->locked.stop;
	while ((r = TAILQ_FIRST(&t->locked.submitted))) {
		TAILQ_REMOVE(&t->locked.submitted, r, link);
		TAILQ_INSERT_TAIL(&t->waiting, r, link);
		r->state = HTTP_QUEUED;
	}
	while ((r = TAILQ_FIRST(&t->locked.cancelled))) {
		TAILQ_REMOVE(&t->locked.cancelled, r, cancel_link);
		r->cancel_asked = false;
		if (r->state != HTTP_AT_REST)
			break;
	}
	pthread_mutex_unlock(&t->locked.mutex);
	return r;
}

/* Takes over what the core thread asks for. False: the thread is to end. */
static bool take_over(struct http_thread *t)
{
	struct http_request *r;
	bool stop;

	if (!atomic_exchange(&t->posted, false))
		return true;
	while ((r = next_cancelled(t, &stop))) {
		if (r->state == HTTP_ACTIVE) {
			cut_off(t, r->transfer, HTTP_CANCELLED, "cancelled");
		} else {
			TAILQ_REMOVE(&t->waiting, r, link);
			fail_unsent(t, r, HTTP_CANCELLED, "cancelled");
		}
	}
	return !stop;
}

/* ---- time ---- */

static void run_timers(struct http_thread *t)
{
	size_t i;

	for (i = 0; i < t->lane_count; i++)
		http_lane_run_timer(t->lanes[i]);
}

static void cut_stalled(struct http_thread *t)
{
	int64_t limit_ms = http_engine_config(t->engine)->stall_timeout_ms;
	struct http_transfer *x;

	while ((x = TAILQ_FIRST(&t->active)) && t->now_ms - x->active_ms >= limit_ms)
		cut_off(t, x, HTTP_TIMED_OUT, "no byte moved for the stall timeout");
}

static int wait_ms(const struct http_thread *t)
{
	const struct http_transfer *x = TAILQ_FIRST(&t->active);
	int64_t due = -1, now = clk_mono_ms();
	size_t i;

	if (!TAILQ_EMPTY(&t->waiting) && t->active_count < active_bound(t))
		return 0;
	for (i = 0; i < t->lane_count; i++) {
		int64_t timer = t->lanes[i]->timer_due_ms;

		if (timer >= 0 && (due < 0 || timer < due))
			due = timer;
	}
	if (x) {
		int64_t stall = x->active_ms + http_engine_config(t->engine)->stall_timeout_ms;

		if (due < 0 || stall < due)
			due = stall;
	}
	if (due < 0)
		return -1;
	if (due <= now)
		return 0;
	return due - now > 60000 ? 60000 : (int)(due - now);
}

static void drain_wake(struct http_thread *t)
{
	uint64_t n;

	while (read(t->wake_fd, &n, sizeof(n)) > 0)
		;
}

static void pause_busy(struct http_thread *t)
{
	static const struct timespec moment = {.tv_nsec = PAUSE_NS};
	struct pollfd wake = {.fd = t->wake_fd, .events = POLLIN};

	atomic_store(&t->rest, HTTP_PAUSES);
	ppoll(&wake, 1, &moment, NULL);
	atomic_store(&t->rest, HTTP_AWAKE);
}

static void wait_events(struct http_thread *t)
{
	struct epoll_event events[EVENTS_MAX];
	int i, n;

	if (t->active_count >= BUSY_TRANSFERS && !t->more_events)
		pause_busy(t);
	atomic_store(&t->rest, HTTP_SLEEPS);
	/* Who posted before `rest` was set has not written to the eventfd. */
	n = epoll_wait(t->epoll_fd, events, EVENTS_MAX, atomic_load(&t->posted) ? 0 : wait_ms(t));
	atomic_store(&t->rest, HTTP_AWAKE);
	t->more_events = n == EVENTS_MAX;
	t->now_ms = clk_mono_ms();
	for (i = 0; i < n; i++) {
		if (events[i].data.fd == t->wake_fd)
			drain_wake(t);
		else
			http_lane_handle_socket(t, events[i].data.fd, events[i].events);
	}
}

/* ---- the thread ---- */

static void end_all(struct http_thread *t)
{
	struct http_transfer *x;
	struct http_request *r;

	while ((x = TAILQ_FIRST(&t->active)))
		cut_off(t, x, HTTP_CANCELLED, "cancelled");
	while ((r = TAILQ_FIRST(&t->waiting))) {
		TAILQ_REMOVE(&t->waiting, r, link);
		fail_unsent(t, r, HTTP_CANCELLED, "cancelled");
	}
	http_engine_finished(t->engine, &t->finished);
}

static void *thread_main(void *arg)
{
	struct http_thread *t = arg;

	t->now_ms = clk_mono_ms();
	while (take_over(t)) {
		start_waiting(t);
		run_timers(t);
		collect_done(t);
		cut_stalled(t);
		http_engine_finished(t->engine, &t->finished);
		wait_events(t);
	}
	end_all(t);
	return NULL;
}

static int open_all(struct http_thread *t)
{
	struct epoll_event ev = {.events = EPOLLIN};

	t->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (t->wake_fd < 0 || t->epoll_fd < 0)
		return -errno;
	ev.data.fd = t->wake_fd;
	if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, t->wake_fd, &ev) < 0)
		return -errno;
	t->share = curl_share_init();
	if (!t->share)
		return -ENOMEM;
	if (curl_share_setopt(t->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) != CURLSHE_OK ||
		curl_share_setopt(t->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) !=
			CURLSHE_OK)
		return -ENOMEM;
	return 0;
}

int http_thread_start(struct http_thread *t)
{
	sigset_t all, saved;
	int err;

	t->wake_fd = t->epoll_fd = -1;
	TAILQ_INIT(&t->active);
	TAILQ_INIT(&t->idle);
	TAILQ_INIT(&t->waiting);
	TAILQ_INIT(&t->finished);
	TAILQ_INIT(&t->locked.submitted);
	TAILQ_INIT(&t->locked.cancelled);
	pthread_mutex_init(&t->locked.mutex, NULL);
	t->started = true;
	err = open_all(t);
	if (err)
		return err;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	err = pthread_create(&t->id, NULL, thread_main, t);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	t->running = !err;
	if (t->running)
		pthread_setname_np(t->id, "s3bulkfs-io");
	return -err;
}

void http_thread_join(struct http_thread *t)
{
	struct http_transfer *x;

	if (!t->started)
		return;
	if (t->running) {
		pthread_mutex_lock(&t->locked.mutex);
		t->locked.stop = true;
		pthread_mutex_unlock(&t->locked.mutex);
		http_thread_wake(t, true);
		pthread_join(t->id, NULL);
	}
	while ((x = TAILQ_FIRST(&t->idle))) {
		TAILQ_REMOVE(&t->idle, x, link);
		http_transfer_free(x);
	}
	while (t->lane_count)
		http_lane_free(t->lanes[--t->lane_count]);
	if (t->share)
		curl_share_cleanup(t->share);
	free(t->lanes);
	free(t->watches);
	if (t->wake_fd >= 0)
		close(t->wake_fd);
	if (t->epoll_fd >= 0)
		close(t->epoll_fd);
}

void http_thread_wake(struct http_thread *t, bool now)
{
	static const uint64_t one = 1;
	int rest;

	atomic_store(&t->posted, true);
	rest = atomic_load(&t->rest);
	if (rest == HTTP_AWAKE || (rest == HTTP_PAUSES && !now))
		return;
	/* A full counter means it is readable already, which is all that is wanted. */
	if (atomic_exchange(&t->rest, HTTP_AWAKE) != HTTP_AWAKE &&
		write(t->wake_fd, &one, sizeof(one)) < 0)
		return;
}
