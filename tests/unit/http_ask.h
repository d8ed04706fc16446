/*
 * Requests against the server inside the test program (http_server.h). The test's thread is the
 * core thread; it owns everything here.
 */
#ifndef TESTS_UNIT_HTTP_ASK_H
#define TESTS_UNIT_HTTP_ASK_H

#include "http/http.h"
#include "http_server.h"

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

/* Prepares a request for a path of the fixture's server; ask_free when it is done. */
void ask_init(struct ask *a, struct fixture *f, const char *method, const char *path);
void ask_send(struct ask *a);
void ask_free(struct ask *a);
/* Runs the loop until no request is under way. */
void ask_run_all(struct fixture *f);
/* All of it: init, send, run until done. Returns `a`. */
struct ask *ask_run(struct ask *a, struct fixture *f, const char *method, const char *path);

/* Asserts that there is one; the caller has freed the one before. */
void fixture_open_engine(struct fixture *f, const struct http_config *config);
/* cmocka's setup and teardown: a server, a loop, and an engine of one thread. */
int http_setup(void **state);
int http_teardown(void **state);

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, http_setup, http_teardown)

#endif
