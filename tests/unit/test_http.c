/* One request of the HTTP engine at a time, against a server inside this program. */
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

/* Ends a test program that hangs; no test waits for it. */
#define WATCHDOG_S 120

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
		ask_run_all(f);
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
	ask_run_all(f);
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
	ask_run_all(f);
	if (a.r.result.code != HTTP_DONE) {
		assert_true(a.r.result.stale);
		a.r.fresh = true;
		a.done = 0;
		ask_send(&a);
		ask_run_all(f);
	} else {
		assert_true(a.r.result.sent_again);
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
	ask_run_all(*state);
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
	/* What is behind the bound is not read. */
	assert_true(a.r.result.bytes_in < 100000);
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
	ask_run_all(*state);
	assert_int_equal(a.r.result.code, HTTP_DONE);
	assert_true(a.body.len >= 1000 && a.body.len < 10000000);
	ask_free(&a);
	ask_init(&a, *state, "GET", "/ok");
	a.on_begin = HTTP_REFUSE;
	ask_send(&a);
	ask_run_all(*state);
	assert_int_equal(a.r.result.code, HTTP_REFUSED);
	assert_int_equal(a.body.len, 0);
	ask_free(&a);
	ask_init(&a, *state, "GET", "/ok");
	a.on_begin = HTTP_ENOUGH;
	ask_send(&a);
	ask_run_all(*state);
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
	ask_run_all(f);
	assert_int_equal(a.r.result.code, HTTP_NOT_SENT);
	ask_free(&a);
	ask_init(&a, f, "GET", "/ok");
	snprintf(a.url, sizeof(a.url), "file:///etc/passwd");
	ask_send(&a);
	ask_run_all(f);
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

static void test_date(void **state)
{
	(void)state;
	assert_int_equal(http_date_ms("Wed, 12 Oct 2009 17:50:30 GMT"), 1255369830000);
	assert_int_equal(http_date_ms("no date"), -1);
	assert_int_equal(http_date_ms(NULL), -1);
}

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
		cmocka_unit_test(test_date),
	};

	alarm(WATCHDOG_S);
	/* A proxy of the environment would stand between the tests and their server. */
	unsetenv("http_proxy");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
