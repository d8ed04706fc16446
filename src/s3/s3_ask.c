/* Exchanges with services that give credentials: see s3_ask.h. Core thread, but for the sinks. */
#include "s3/s3_ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3/s3_errcode.h"
#include "util/clk.h"
#include "util/mem.h"

/* ---- I/O thread ---- */

static bool prepare(struct http_request *r, struct http_draft *draft)
{
	struct s3_ask *a = (struct s3_ask *)r;
	const char *name = a->headers.ptr, *value;

	buf_addb(&draft->url, buf_bytes(&a->url));
	while (name && name < a->headers.ptr + a->headers.len) {
		value = name + strlen(name) + 1;
		http_draft_header(draft, name, BYTES_STR(value));
		name = value + strlen(value) + 1;
	}
	return !a->url.failed && !a->headers.failed && !a->body.failed;
}

static enum http_take data(struct http_request *r, const char *ptr, size_t len)
{
	struct s3_ask *a = (struct s3_ask *)r;

	buf_add(&a->answer, ptr, len);
	a->too_large = a->answer.failed;
	return a->too_large ? HTTP_REFUSE : HTTP_MORE;
}

/* ---- core thread ---- */

static void wipe(struct buf *b)
{
	if (b->ptr)
		explicit_bzero(b->ptr, b->cap);
	buf_cut(b, 0);
}

static void submit(struct s3_ask *a)
{
	wipe(&a->answer);
	a->too_large = false;
	http_submit(a->engine, &a->http);
}

static void on_timer(struct loop_timer *timer)
{
	submit((struct s3_ask *)((char *)timer - offsetof(struct s3_ask, timer)));
}

/* Milliseconds until the next try, -1: none. */
static int64_t next_try_ms(struct s3_ask *a)
{
	struct s3_err err = {.cls = S3_FAILED};
	int status = a->http.result.status;

	if (a->too_large)
		return -1;
	switch (a->http.result.code) {
	case HTTP_DONE:
		if (status == 429 || status == 503)
			err.cls = S3_THROTTLED;
		else if (status >= 500)
			err.cls = S3_TRANSIENT;
		break;
	case HTTP_CANCELLED:
	case HTTP_NOT_SENT:
	case HTTP_UNTRUSTED:
		break;
	default:
		err.cls = S3_TRANSIENT;
	}
	return s3_retry_next(&a->retry, a->policy, &err, clk_mono_ms(), &a->rng);
}

static void http_done(struct http_request *r)
{
	struct s3_ask *a = (struct s3_ask *)r;
	int64_t delay_ms;

	if (a->stopped)
		return;
	delay_ms = next_try_ms(a);
	if (delay_ms >= 0)
		loop_timer_set(a->loop, &a->timer, delay_ms);
	else
		a->done(a);
}

void s3_ask_init(struct s3_ask *a)
{
	a->url = BUF_INIT((size_t)4 << 10);
	a->headers = BUF_INIT(S3_ASK_BYTES_MAX);
	a->body = BUF_INIT(S3_ASK_BYTES_MAX);
	a->answer = BUF_INIT(S3_ASK_BYTES_MAX);
	a->http.prepare = prepare;
	a->http.data = data;
	a->http.done = http_done;
	a->timer.fire = on_timer;
}

void s3_ask_free(struct s3_ask *a)
{
	loop_timer_stop(a->loop, &a->timer);
	wipe(&a->headers);
	wipe(&a->body);
	wipe(&a->answer);
	wipe(&a->http.result.error);
	buf_free(&a->url);
	buf_free(&a->headers);
	buf_free(&a->body);
	buf_free(&a->answer);
	http_request_free(&a->http);
}

void s3_ask_begin(struct s3_ask *a, const char *method, const char *url)
{
	buf_cut(&a->url, 0);
	wipe(&a->headers);
	wipe(&a->body);
	a->http.method = method;
	buf_adds(&a->url, url);
	a->retry = (struct s3_retry){0};
}

void s3_ask_header(struct s3_ask *a, const char *name, const char *value)
{
	buf_add(&a->headers, name, strlen(name) + 1);
	buf_add(&a->headers, value, strlen(value) + 1);
}

void s3_ask_send(struct s3_ask *a)
{
	a->run = buf_bytes(&a->body);
	a->http.runs = &a->run;
	a->http.run_count = 1;
	submit(a);
}

void s3_ask_stop(struct s3_ask *a)
{
	a->stopped = true;
	loop_timer_stop(a->loop, &a->timer);
	http_cancel(&a->http);
}

int s3_ask_status(const struct s3_ask *a)
{
	return a->http.result.code == HTTP_DONE ? a->http.result.status : 0;
}

struct bytes s3_ask_answer(const struct s3_ask *a)
{
	return buf_bytes(a->http.result.status >= 300 ? &a->http.result.error : &a->answer);
}

const char *s3_ask_problem(const struct s3_ask *a, char *text, size_t size)
{
	const struct http_result *res = &a->http.result;

	if (a->too_large)
		snprintf(text, size, "its answer has more than %zu bytes", S3_ASK_BYTES_MAX);
	else if (res->code != HTTP_DONE)
		snprintf(text, size, "%s: %.200s", http_code_word(res->code), res->text);
	else
		snprintf(text, size, "HTTP %d", res->status);
	return text;
}
