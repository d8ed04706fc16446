/* The HTTP engine against a server inside this program: http_server.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "http/http.h"
#include "http_server.h"
#include "util/mem.h"

/* Ends a test program that hangs; no test waits for it. */
#define WATCHDOG_S 120

struct fixture {
	struct http_server *server;
	struct loop *loop;
	struct http_engine *engine;
	int open; /* requests under way */
};

struct ask {
	struct http_request r;
	struct fixture *f;
	char url[128];
	struct buf body;         /* what the sink got */
	size_t enough;           /* the sink says HTTP_ENOUGH at so many bytes; 0: never */
	enum http_take on_begin; /* what `begin` says */
	bool fail_prepare;
	int begins;
	int status_at_begin;
	int done;
};

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

static void ask_init(struct ask *a, struct fixture *f, const char *method, const char *path)
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

static void ask_send(struct ask *a)
{
	a->f->open++;
	http_submit(a->f->engine, &a->r);
	assert_int_equal(a->done, 0);
}

static void ask_free(struct ask *a)
{
	http_request_free(&a->r);
	buf_free(&a->body);
}

static void run_all(struct fixture *f)
{
	while (f->open)
		loop_once(f->loop, -1);
}

static struct ask *ask_run(struct ask *a, struct fixture *f, const char *method, const char *path)
{
	ask_init(a, f, method, path);
	ask_send(a);
	run_all(f);
	assert_int_equal(a->done, 1);
	return a;
}

static void open_engine(struct fixture *f, const struct http_config *config)
{
	char why[256];

	f->engine = http_engine_new(f->loop, config, why, sizeof(why));
	assert_non_null(f->engine);
}

static int setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	f->server = http_server_start();
	f->loop = loop_new();
	assert_non_null(f->loop);
	open_engine(f, &(struct http_config){.threads = 1});
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	http_engine_free(f->engine);
	http_server_stop(f->server);
	loop_once(f->loop, 0);
	loop_free(f->loop);
	free(f);
	return 0;
}

static void test_simple(void **state)
{
	struct ask a;

	ask_run(&a, *state, "GET", "/ok");
	assert_int_equal(a.r.result.code, HTTP_DONE);
	assert_int_equal(a.r.result.status, 200);
	assert_int_equal(a.status_at_begin, 200);
	assert_string_equal(buf_str(&a.body), "hello");
	assert_string_equal(http_header(&a.r.result, "x-test"), "yes");
	assert_string_equal(http_header(&a.r.result, "content-length"), "5");
	assert_null(http_header(&a.r.result, "x-none"));
	assert_int_equal(a.r.result.bytes_in, 5);
	ask_free(&a);
}

static void test_request_on_the_wire(void **state)
{
	struct ask a;

	ask_run(&a, *state, "GET", "/echo?a/../b//c=%20");
	assert_non_null(strstr(buf_str(&a.body), "GET /echo?a/../b//c=%20 HTTP/1.1\r\n"));
	assert_non_null(strstr(buf_str(&a.body), "\r\nX-One: 1\r\n"));
	assert_non_null(strstr(buf_str(&a.body), "\r\nX-Empty:\r\n"));
	assert_null(strstr(buf_str(&a.body), "Accept"));
	assert_null(strstr(buf_str(&a.body), "Expect"));
	assert_null(strstr(buf_str(&a.body), "Content-"));
	ask_free(&a);
	ask_run(&a, *state, "PUT", "/echo");
	assert_non_null(strstr(buf_str(&a.body), "\r\nContent-Length: 0\r\n"));
	assert_null(strstr(buf_str(&a.body), "Content-Type"));
	ask_free(&a);
	ask_run(&a, *state, "DELETE", "/echo");
	assert_int_equal(strncmp(buf_str(&a.body), "DELETE /echo HTTP/1.1\r\n", 23), 0);
	assert_null(strstr(buf_str(&a.body), "Content-Length"));
	ask_free(&a);
	ask_run(&a, *state, "HEAD", "/cut");
	assert_int_equal(a.r.result.code, HTTP_DONE);
	assert_int_equal(a.body.len, 0);
	ask_free(&a);
	/* The dots of a path are S3 keys. */
	ask_run(&a, *state, "GET", "/a/../ok");
	assert_int_equal(a.r.result.code, HTTP_CUT);
	ask_free(&a);
}

static void test_body_in_runs(void **state)
{
	struct fixture *f = *state;
	size_t big = (size_t)3 << 20;
	char *block = mem_calloc(big, 1);
	struct bytes runs[] = {
		BYTES_LIT("one"), BYTES_LIT(""), BYTES(block, big), BYTES_LIT("end")};
	const char *methods[] = {"PUT", "POST"};
	size_t i, total = big + 6;

	memset(block, 'z', big);
	for (i = 0; i < 2; i++) {
		struct ask a;
		const char *body;

		ask_init(&a, f, methods[i], "/echo");
		a.r.runs = runs;
		a.r.run_count = 4;
		ask_send(&a);
		run_all(f);
		assert_int_equal(a.r.result.code, HTTP_DONE);
		assert_int_equal(a.r.result.bytes_out, total);
		assert_int_equal(strncmp(buf_str(&a.body), methods[i], strlen(methods[i])), 0);
		assert_null(strstr(buf_str(&a.body), "Expect"));
		body = strstr(buf_str(&a.body), "\r\n\r\n") + 4;
		assert_int_equal(a.body.len - (size_t)(body - a.body.ptr), total);
		assert_memory_equal(body, "onezzz", 6);
		assert_memory_equal(body + total - 4, "zend", 4);
		ask_free(&a);
	}
	free(block);
}

static void test_connection_reused(void **state)
{
	struct fixture *f = *state;
	int i;

	for (i = 0; i < 20; i++) {
		struct ask a;

		ask_run(&a, f, i % 2 ? "PUT" : "GET", "/ok");
		assert_int_equal(a.r.result.code, HTTP_DONE);
		ask_free(&a);
	}
	assert_int_equal(http_server_connections(f->server), 1);
}

static void test_fresh_connection(void **state)
{
	struct fixture *f = *state;
	struct ask a;

	ask_run(&a, f, "GET", "/ok");
	ask_free(&a);
	ask_init(&a, f, "GET", "/ok");
	a.r.fresh = true;
	ask_send(&a);
	run_all(f);
	assert_int_equal(a.r.result.code, HTTP_DONE);
	assert_int_equal(http_server_connections(f->server), 2);
	ask_free(&a);
}

/* A kept connection that closes under the next request is not the request's fault. */
static void test_stale_connection(void **state)
{
	struct fixture *f = *state;
	struct bytes run = BYTES_LIT("content");
	struct ask a;

	ask_run(&a, f, "GET", "/ok");
	ask_free(&a);
	ask_init(&a, f, "PUT", "/first-only");
	a.r.runs = &run;
	a.r.run_count = 1;
	ask_send(&a);
	run_all(f);
	if (a.r.result.code != HTTP_DONE) {
		assert_true(a.r.result.stale);
		a.r.fresh = true;
		a.done = 0;
		ask_send(&a);
		run_all(f);
	}
	assert_int_equal(a.r.result.code, HTTP_DONE);
	assert_string_equal(buf_str(&a.body), "hello");
	assert_int_equal(http_server_connections(f->server), 2);
	ask_free(&a);
}

static void test_cut_body(void **state)
{
	struct ask a;

	ask_run(&a, *state, "GET", "/cut");
	assert_int_equal(a.r.result.code, HTTP_CUT);
	assert_int_equal(a.r.result.status, 200);
	assert_false(a.r.result.stale);
	assert_true(a.r.result.text[0] != '\0');
	ask_free(&a);
}

static void test_closed(void **state)
{
	struct ask a;

	ask_run(&a, *state, "GET", "/close");
	assert_int_equal(a.r.result.code, HTTP_CUT);
	assert_int_equal(a.r.result.status, 0);
	assert_false(a.r.result.stale);
	assert_int_equal(a.begins, 0);
	ask_free(&a);
}

static void test_refused_connection(void **state)
{
	struct ask a;

	ask_init(&a, *state, "GET", "/ok");
	/* Port 1 of loopback: nobody listens there. */
	snprintf(a.url, sizeof(a.url), "http://127.0.0.1:1/");
	ask_send(&a);
	run_all(*state);
	assert_int_equal(a.r.result.code, HTTP_NO_CONNECTION);
	ask_free(&a);
}

static void test_error_body_not_in_sink(void **state)
{
	struct ask a;

	ask_run(&a, *state, "GET", "/error");
	assert_int_equal(a.r.result.code, HTTP_DONE);
	assert_int_equal(a.r.result.status, 503);
	assert_int_equal(a.begins, 0);
	assert_int_equal(a.body.len, 0);
	assert_int_equal(a.r.result.error.len, 65536);
	assert_int_equal(a.r.result.bytes_in, 100000);
	ask_free(&a);
}

static void test_not_http(void **state)
{
	struct ask a;

	ask_run(&a, *state, "GET", "/garbage");
	assert_int_equal(a.r.result.code, HTTP_BAD_ANSWER);
	assert_int_equal(a.body.len, 0);
	ask_free(&a);
	ask_run(&a, *state, "GET", "/big-headers");
	assert_int_equal(a.r.result.code, HTTP_BAD_ANSWER);
	ask_free(&a);
}

static void test_chunked_and_continue(void **state)
{
	struct ask a;

	ask_run(&a, *state, "GET", "/chunked");
	assert_int_equal(a.r.result.code, HTTP_DONE);
	assert_string_equal(buf_str(&a.body), "hello");
	assert_null(http_header(&a.r.result, "x-late"));
	ask_free(&a);
	ask_run(&a, *state, "PUT", "/continue");
	assert_int_equal(a.r.result.status, 200);
	assert_null(http_header(&a.r.result, "x-early"));
	assert_int_equal(a.begins, 1);
	assert_string_equal(buf_str(&a.body), "hello");
	ask_free(&a);
}

static void test_sink_has_enough(void **state)
{
	struct ask a;

	ask_init(&a, *state, "GET", "/bytes/30000000");
	a.enough = 1000;
	ask_send(&a);
	run_all(*state);
	assert_int_equal(a.r.result.code, HTTP_DONE);
	assert_true(a.body.len >= 1000 && a.body.len < 10000000);
	ask_free(&a);
	ask_init(&a, *state, "GET", "/ok");
	a.on_begin = HTTP_REFUSE;
	ask_send(&a);
	run_all(*state);
	assert_int_equal(a.r.result.code, HTTP_REFUSED);
	assert_int_equal(a.body.len, 0);
	ask_free(&a);
	ask_init(&a, *state, "GET", "/ok");
	a.on_begin = HTTP_ENOUGH;
	ask_send(&a);
	run_all(*state);
	assert_int_equal(a.r.result.code, HTTP_DONE);
	assert_int_equal(a.body.len, 0);
	ask_free(&a);
}

static void test_not_sent(void **state)
{
	struct fixture *f = *state;
	struct ask a;

	ask_init(&a, f, "GET", "/ok");
	a.fail_prepare = true;
	ask_send(&a);
	run_all(f);
	assert_int_equal(a.r.result.code, HTTP_NOT_SENT);
	ask_free(&a);
	ask_init(&a, f, "GET", "/ok");
	snprintf(a.url, sizeof(a.url), "file:///etc/passwd");
	ask_send(&a);
	run_all(f);
	assert_int_equal(a.r.result.code, HTTP_NOT_SENT);
	ask_free(&a);
	assert_int_equal(http_server_requests(f->server), 0);
}

static void test_header_injection(void **state)
{
	struct http_draft d = {.headers = BUF_INIT(1000)};

	(void)state;
	http_draft_header(&d, "X", BYTES_LIT("plain"));
	assert_false(d.headers.failed);
	http_draft_header(&d, "X", BYTES_LIT("a\r\nY: b"));
	assert_true(d.headers.failed);
	buf_free(&d.headers);
}

static void test_cancel(void **state)
{
	struct fixture *f = *state;
	struct ask hang, queued;

	ask_init(&hang, f, "GET", "/hang");
	ask_send(&hang);
	while (!http_server_requests(f->server))
		loop_once(f->loop, 1);
	http_cancel(&hang.r);
	http_cancel(&hang.r);
	ask_init(&queued, f, "GET", "/ok");
	ask_send(&queued);
	http_cancel(&queued.r);
	run_all(f);
	assert_int_equal(hang.r.result.code, HTTP_CANCELLED);
	assert_int_equal(hang.done, 1);
	assert_true(queued.r.result.code == HTTP_CANCELLED || queued.r.result.code == HTTP_DONE);
	/* After the end it does nothing. */
	http_cancel(&hang.r);
	ask_free(&hang);
	ask_free(&queued);
}

/* Cancelling at every moment of a request: the completion still comes exactly once. */
static void test_cancel_storm(void **state)
{
	struct fixture *f = *state;
	struct ask *asks = mem_calloc(200, sizeof(*asks));
	int round, i;

	for (round = 0; round < 20; round++) {
		for (i = 0; i < 200; i++) {
			ask_init(&asks[i], f, "GET", i % 3 ? "/ok" : "/bytes/100000");
			ask_send(&asks[i]);
		}
		for (i = 0; i < 200; i += 2) {
			http_cancel(&asks[i].r);
			if (i % 20 == 0)
				loop_once(f->loop, 0);
		}
		run_all(f);
		for (i = 0; i < 200; i++) {
			assert_int_equal(asks[i].done, 1);
			if (i % 2)
				assert_int_equal(asks[i].r.result.code, HTTP_DONE);
			ask_free(&asks[i]);
		}
	}
	free(asks);
}

static void test_stall(void **state)
{
	struct fixture *f = *state;
	struct ask hang, half;

	http_engine_free(f->engine);
	open_engine(f, &(struct http_config){.threads = 1, .stall_timeout_ms = 50});
	ask_init(&hang, f, "GET", "/hang");
	ask_send(&hang);
	ask_init(&half, f, "GET", "/half");
	ask_send(&half);
	run_all(f);
	assert_int_equal(hang.r.result.code, HTTP_TIMED_OUT);
	assert_int_equal(hang.r.result.status, 0);
	assert_true(hang.r.result.took_ms >= 50);
	assert_int_equal(half.r.result.code, HTTP_TIMED_OUT);
	assert_string_equal(buf_str(&half.body), "0123456789");
	ask_free(&hang);
	ask_free(&half);
}

static void parallel(struct fixture *f, int count, const char *path, size_t expect)
{
	struct ask *asks = mem_calloc((size_t)count, sizeof(*asks));
	int i, round;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < count; i++) {
			ask_init(&asks[i], f, "GET", path);
			ask_send(&asks[i]);
		}
		run_all(f);
		for (i = 0; i < count; i++) {
			assert_int_equal(asks[i].r.result.code, HTTP_DONE);
			assert_int_equal(asks[i].body.len, expect);
			ask_free(&asks[i]);
		}
	}
	free(asks);
}

static void test_parallel(void **state)
{
	struct fixture *f = *state;

	parallel(f, 300, "/bytes/5000", 5000);
	/* Three rounds on the connections of the first. */
	assert_true(http_server_connections(f->server) <= 300);
}

static void test_parallel_threads(void **state)
{
	struct fixture *f = *state;

	http_engine_free(f->engine);
	open_engine(f, &(struct http_config){.threads = 4});
	assert_int_equal(http_engine_threads(f->engine), 4);
	parallel(f, 300, "/bytes/5000", 5000);
}

static void test_connection_limit(void **state)
{
	struct fixture *f = *state;

	http_engine_free(f->engine);
	open_engine(f, &(struct http_config){.threads = 2, .connections_max = 8});
	parallel(f, 100, "/ok", 5);
	assert_true(http_server_connections(f->server) <= 8);
}

/* The engine ends with requests in every state: all complete, as cancelled. */
static void test_free_under_way(void **state)
{
	struct fixture *f = *state;
	struct ask asks[20];
	int i;

	http_engine_free(f->engine);
	open_engine(f, &(struct http_config){.threads = 2, .connections_max = 8});
	for (i = 0; i < 20; i++) {
		ask_init(&asks[i], f, "GET", "/hang");
		ask_send(&asks[i]);
	}
	while (http_server_requests(f->server) < 8)
		loop_once(f->loop, 1);
	http_engine_free(f->engine);
	f->engine = NULL;
	assert_int_equal(f->open, 0);
	for (i = 0; i < 20; i++) {
		assert_int_equal(asks[i].done, 1);
		assert_int_equal(asks[i].r.result.code, HTTP_CANCELLED);
		ask_free(&asks[i]);
	}
}

static void test_date(void **state)
{
	(void)state;
	assert_int_equal(http_date_ms("Wed, 12 Oct 2009 17:50:30 GMT"), 1255369830000);
	assert_int_equal(http_date_ms("no date"), -1);
	assert_int_equal(http_date_ms(NULL), -1);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(test_simple),
		WITH_SERVER(test_request_on_the_wire),
		WITH_SERVER(test_body_in_runs),
		WITH_SERVER(test_connection_reused),
		WITH_SERVER(test_fresh_connection),
		WITH_SERVER(test_stale_connection),
		WITH_SERVER(test_cut_body),
		WITH_SERVER(test_closed),
		WITH_SERVER(test_refused_connection),
		WITH_SERVER(test_error_body_not_in_sink),
		WITH_SERVER(test_not_http),
		WITH_SERVER(test_chunked_and_continue),
		WITH_SERVER(test_sink_has_enough),
		WITH_SERVER(test_not_sent),
		cmocka_unit_test(test_header_injection),
		WITH_SERVER(test_cancel),
		WITH_SERVER(test_cancel_storm),
		WITH_SERVER(test_stall),
		WITH_SERVER(test_parallel),
		WITH_SERVER(test_parallel_threads),
		WITH_SERVER(test_connection_limit),
		WITH_SERVER(test_free_under_way),
		cmocka_unit_test(test_date),
	};

	alarm(WATCHDOG_S);
	/* A proxy of the environment would stand between the tests and their server. */
	unsetenv("http_proxy");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
