/*
 * The engine as the core thread sees it: submit to the thread with the least to do, cancel, and
 * the list of finished requests, which comes back with one post for many of them. Everything here
 * runs on the core thread except http_engine_finished. Requests belong to their owners and are
 * only linked into lists.
 */
#include "http/http_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/mem.h"

#define THREADS_MAX 16

/* The post outlives the engine if the loop has not come round to it: hence an object of its own. */
struct done_task {
	struct loop_task task;
	struct http_engine *engine; /* NULL: the engine is gone */
};

struct http_engine {
	struct loop *loop;
	struct http_config config;
	unsigned thread_count;
	struct http_thread *threads;
	struct done_task *done_task;
	struct {
		pthread_mutex_t mutex;
		struct http_queue done;
		bool posted;
	} locked;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void init_curl(void)
{
	curl_ready = curl_global_init_mem(CURL_GLOBAL_ALL, mem_lib_malloc, free, mem_lib_realloc,
		mem_lib_strdup, mem_lib_calloc);
}

static void run_done(struct http_queue *list)
{
	struct http_request *r;

	while ((r = TAILQ_FIRST(list))) {
		struct http_thread *t = r->thread;

		TAILQ_REMOVE(list, r, link);
		pthread_mutex_lock(&t->locked.mutex);
		if (r->cancel_asked)
			TAILQ_REMOVE(&t->locked.cancelled, r, cancel_link);
		r->cancel_asked = false;
		pthread_mutex_unlock(&t->locked.mutex);
		t->load--;
		r->thread = NULL;
		r->done(r);
	}
}

static void take_done(struct http_engine *e)
{
	struct http_queue mine = TAILQ_HEAD_INITIALIZER(mine);

	pthread_mutex_lock(&e->locked.mutex);
	TAILQ_CONCAT(&mine, &e->locked.done, link);
	e->locked.posted = false;
	pthread_mutex_unlock(&e->locked.mutex);
	run_done(&mine);
}

static void done_run(struct loop_task *task)
{
	struct done_task *d = (struct done_task *)task;

	if (d->engine)
		take_done(d->engine);
	else
		free(d);
}

void http_engine_finished(struct http_engine *e, struct http_queue *list)
{
	bool post;

	if (TAILQ_EMPTY(list))
		return;
	pthread_mutex_lock(&e->locked.mutex);
	TAILQ_CONCAT(&e->locked.done, list, link);
	post = !e->locked.posted;
	e->locked.posted = true;
	pthread_mutex_unlock(&e->locked.mutex);
	if (post)
		loop_post(e->loop, &e->done_task->task);
}

const struct http_config *http_engine_config(const struct http_engine *e)
{
	return &e->config;
}

unsigned http_engine_threads(const struct http_engine *e)
{
	return e->thread_count;
}

static unsigned default_threads(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n <= 2 ? 1 : n < 8 ? 2 : 4;
}

static void fill_config(struct http_config *to, const struct http_config *from)
{
	*to = *from;
	to->ca_bundle = mem_strdup(from->ca_bundle);
	if (!to->threads)
		to->threads = default_threads();
	if (to->threads > THREADS_MAX)
		to->threads = THREADS_MAX;
	if (!to->connections_max)
		to->connections_max = 1024;
	if (to->connections_max < to->threads)
		to->connections_max = to->threads;
	if (to->connect_timeout_ms <= 0)
		to->connect_timeout_ms = 10000;
	if (to->stall_timeout_ms <= 0)
		to->stall_timeout_ms = 60000;
}

struct http_engine *http_engine_new(
	struct loop *loop, const struct http_config *config, char *why, size_t why_size)
{
	struct http_engine *e;
	unsigned i;
	int err;

	pthread_once(&curl_once, init_curl);
	if (curl_ready != CURLE_OK) {
		snprintf(why, why_size, "libcurl does not start: %s",
			curl_easy_strerror(curl_ready));
		return NULL;
	}
	e = mem_zalloc(sizeof(*e));
	e->loop = loop;
	fill_config(&e->config, config);
	e->done_task = mem_zalloc(sizeof(*e->done_task));
	e->done_task->task.run = done_run;
	e->done_task->engine = e;
	pthread_mutex_init(&e->locked.mutex, NULL);
	TAILQ_INIT(&e->locked.done);
	e->thread_count = e->config.threads;
	e->threads = mem_calloc(e->thread_count, sizeof(*e->threads));
	for (i = 0; i < e->thread_count; i++) {
		e->threads[i].engine = e;
		e->threads[i].index = i;
		e->threads[i].active_max = e->config.connections_max / e->thread_count;
		err = http_thread_start(&e->threads[i]);
		if (err) {
			snprintf(why, why_size,
				"cannot start a network thread: %s; raise the limit on %s",
				strerrordesc_np(-err),
				err == -EAGAIN ? "processes and threads (ulimit -u, or of the "
						 "service)"
					       : "open files (ulimit -n) or memory (ulimit -v)");
			http_engine_free(e);
			return NULL;
		}
	}
	return e;
}

void http_engine_free(struct http_engine *e)
{
	unsigned i;

	if (!e)
		return;
	for (i = 0; i < e->thread_count; i++)
		http_thread_join(&e->threads[i]);
	/* A completion may not submit to an engine that ends, so one round takes all of them. */
	if (e->locked.posted)
		e->done_task->engine = NULL;
	else
		free(e->done_task);
	take_done(e);
	for (i = 0; i < e->thread_count; i++)
		pthread_mutex_destroy(&e->threads[i].locked.mutex);
	pthread_mutex_destroy(&e->locked.mutex);
	free(e->threads);
	free((char *)e->config.ca_bundle);
	free(e);
}

void http_submit(struct http_engine *e, struct http_request *r)
{
	struct http_thread *t = &e->threads[0];
	unsigned i;

	for (i = 1; i < e->thread_count; i++)
		if (e->threads[i].load < t->load)
			t = &e->threads[i];
	t->load++;
	r->thread = t;
	r->cancel_asked = false;
	pthread_mutex_lock(&t->locked.mutex);
	TAILQ_INSERT_TAIL(&t->locked.submitted, r, link);
	pthread_mutex_unlock(&t->locked.mutex);
	http_thread_wake(t, false);
}

void http_cancel(struct http_request *r)
{
	struct http_thread *t = r->thread;
	bool ask;

	if (!t)
		return;
	pthread_mutex_lock(&t->locked.mutex);
	ask = !r->cancel_asked;
	if (ask)
		TAILQ_INSERT_TAIL(&t->locked.cancelled, r, cancel_link);
	r->cancel_asked = true;
	pthread_mutex_unlock(&t->locked.mutex);
	if (ask)
		http_thread_wake(t, true);
}

void http_request_free(struct http_request *r)
{
	buf_free(&r->result.headers);
	buf_free(&r->result.error);
}

const char *http_code_word(enum http_code code)
{
	static const char *const words[] = {
		[HTTP_DONE] = "Done",
		[HTTP_NO_HOST] = "HostNotFound",
		[HTTP_NO_CONNECTION] = "ConnectionFailed",
		[HTTP_UNTRUSTED] = "CertificateNotTrusted",
		[HTTP_TIMED_OUT] = "TimedOut",
		[HTTP_CUT] = "ConnectionLost",
		[HTTP_BAD_ANSWER] = "BadAnswer",
		[HTTP_REFUSED] = "AnswerRefused",
		[HTTP_NOT_SENT] = "NotSent",
		[HTTP_SHORT] = "OutOfResources",
		[HTTP_CANCELLED] = "Cancelled",
	};

	return words[code];
}
