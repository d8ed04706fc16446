/* Many requests of the HTTP engine at once, and how they end: cancelled, stalled, shut down. */
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
	ask_run_all(f);
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
		ask_run_all(f);
		for (i = 0; i < 200; i++) {
			assert_int_equal(asks[i].done, 1);
			if (i % 2)
				assert_int_equal(asks[i].r.result.code, HTTP_DONE);
			ask_free(&asks[i]);
		}
	}
	free(asks);
}

/* A request may be cancelled again while the thread is at it; it has been one, and all end. */
static void test_cancel_again(void **state)
{
	struct fixture *f = *state;
	struct ask *asks = mem_calloc(100, sizeof(*asks));
	int round, again, i;

	for (round = 0; round < 20; round++) {
		for (i = 0; i < 100; i++) {
			ask_init(&asks[i], f, "GET", i % 3 ? "/hang" : "/ok");
			ask_send(&asks[i]);
		}
		loop_once(f->loop, round % 2);
		for (again = 0; again < 50; again++)
			for (i = 0; i < 100; i++)
				http_cancel(&asks[i].r);
		ask_run_all(f);
		for (i = 0; i < 100; i++) {
			assert_int_equal(asks[i].done, 1);
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
	fixture_open_engine(f, &(struct http_config){.threads = 1, .stall_timeout_ms = 50});
	ask_init(&hang, f, "GET", "/hang");
	ask_send(&hang);
	ask_init(&half, f, "GET", "/half");
	ask_send(&half);
	ask_run_all(f);
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
		ask_run_all(f);
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
	fixture_open_engine(f, &(struct http_config){.threads = 4});
	assert_int_equal(http_engine_threads(f->engine), 4);
	parallel(f, 300, "/bytes/5000", 5000);
}

static void test_connection_limit(void **state)
{
	struct fixture *f = *state;

	http_engine_free(f->engine);
	fixture_open_engine(f, &(struct http_config){.threads = 2, .connections_max = 8});
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
	fixture_open_engine(f, &(struct http_config){.threads = 2, .connections_max = 8});
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(test_cancel),
		WITH_SERVER(test_cancel_storm),
		WITH_SERVER(test_cancel_again),
		WITH_SERVER(test_stall),
		WITH_SERVER(test_parallel),
		WITH_SERVER(test_parallel_threads),
		WITH_SERVER(test_connection_limit),
		WITH_SERVER(test_free_under_way),
	};

	alarm(WATCHDOG_S);
	/* A proxy of the environment would stand between the tests and their server. */
	unsetenv("http_proxy");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
