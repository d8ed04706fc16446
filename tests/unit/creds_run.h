/*
 * For tests of credentials: a loop, an HTTP engine, a provider, and a server that answers as the
 * test says. Time is the test's: creds_advance moves it.
 */
#ifndef TESTS_UNIT_CREDS_RUN_H
#define TESTS_UNIT_CREDS_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "s3/s3_provider.h"

struct creds_run {
	char base[64]; /* http://127.0.0.1:PORT */
	struct s3_provider *provider;
	struct s3_creds *got; /* by the last creds_get; freed by the next */
	enum s3_provided state;
	unsigned changes; /* calls of `changed` */
};

/* A cmocka setup and teardown; state: struct creds_run. */
int creds_setup(void **state);
int creds_teardown(void **state);

/* Requests whose first line contains `path` are answered with `status` ("200 OK") and `body`; the
 * last rule that matches counts. NULL as status: no answer, the request hangs. */
void creds_answer(const char *path, const char *status, const char *body);
/* How many requests had `path` in their first line. */
unsigned creds_requests(const char *path);
/* Did the last request with `path` contain `text`, in head or body? */
bool creds_request_had(const char *path, const char *text);
/* JSON as an instance or a container has it, good for `lifetime_s` of the test's time. Borrowed
 * until the next call. */
const char *creds_json(const char *id, int64_t lifetime_s);

/* One variable of the environment ("NAME=value", printf), before the provider is opened. */
void creds_env(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* ~/.aws/config. */
void creds_config(const char *text);
/* Opens the provider; fails the test when no source is found. */
void creds_open(struct creds_run *r, const char *profile);

/* Asks, and while the answer is to wait, runs the loop. The id, or the problem. */
const char *creds_get(struct creds_run *r);
/* One round of the loop. */
void creds_round(void);
void creds_advance(int64_t ms);

#endif
