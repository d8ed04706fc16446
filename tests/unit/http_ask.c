/*
 * A request of a test, and the fixture of the tests of src/http: see http_ask.h. Test thread, which
 * is the core thread of the fixture's loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "http_ask.h"
#include "util/mem.h"

static bool prepare(struct http_request *r, struct http_draft *d)
{
	struct ask *a = (struct ask *)r;

	if (a->fail_prepare)
		return false;
	buf_adds(&d->url, a->url);
	http_draft_header(d, "X-One", BYTES_LIT("1"));
	http_draft_header(d, "X-Empty", BYTES_LIT(""));
	return true;
}

static enum http_take begin(struct http_request *r)
{
	struct ask *a = (struct ask *)r;

	a->begins++;
	a->status_at_begin = r->result.status;
	return a->on_begin;
}

static enum http_take data(struct http_request *r, const char *ptr, size_t len)
{
	struct ask *a = (struct ask *)r;

	buf_add(&a->body, ptr, len);
	return a->enough && a->body.len >= a->enough ? HTTP_ENOUGH : HTTP_MORE;
}

static void done(struct http_request *r)
{
	struct ask *a = (struct ask *)r;

	a->done++;
	a->f->open--;
}

void ask_init(struct ask *a, struct fixture *f, const char *method, const char *path)
{
	memset(a, 0, sizeof(*a));
	a->f = f;
	a->body = BUF_INIT((size_t)64 << 20);
	snprintf(
		a->url, sizeof(a->url), "http://127.0.0.1:%d%s", http_server_port(f->server), path);
	a->r.method = method;
	a->r.prepare = prepare;
	a->r.begin = begin;
	a->r.data = data;
	a->r.done = done;
}

void ask_send(struct ask *a)
{
	a->f->open++;
	http_submit(a->f->engine, &a->r);
	assert_int_equal(a->done, 0);
}

void ask_free(struct ask *a)
{
	http_request_free(&a->r);
	buf_free(&a->body);
}

void ask_run_all(struct fixture *f)
{
	while (f->open)
		loop_once(f->loop, -1);
}

struct ask *ask_run(struct ask *a, struct fixture *f, const char *method, const char *path)
{
	ask_init(a, f, method, path);
	ask_send(a);
	ask_run_all(f);
	assert_int_equal(a->done, 1);
	return a;
}

void fixture_open_engine(struct fixture *f, const struct http_config *config)
{
	char why[256];

	f->engine = http_engine_new(f->loop, config, why, sizeof(why));
	assert_non_null(f->engine);
}

int http_setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	f->server = http_server_start();
	f->loop = loop_new();
	assert_non_null(f->loop);
	fixture_open_engine(f, &(struct http_config){.threads = 1});
	*state = f;
	return 0;
}

int http_teardown(void **state)
{
	struct fixture *f = *state;

	http_engine_free(f->engine);
	http_server_stop(f->server);
	loop_once(f->loop, 0);
	loop_free(f->loop);
	free(f);
	return 0;
}
