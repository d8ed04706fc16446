/*
 * A server s3d with fault rules, and a client of it, for the tests of what the S3 client makes of
 * failures. The test's thread is the core thread; it owns everything here.
 */
#ifndef TESTS_UNIT_S3_FAULTS_H
#define TESTS_UNIT_S3_FAULTS_H

#include "s3_sync.h"
#include "s3d_run.h"

#define KEY(s) BYTES_LIT(s)

/* One for the whole program, from faults_run on. */
extern struct s3d faults_server;

/* From now on this rule alone holds: `rule` is the inside of a JSON object (tests/s3d/faults.h). */
void fault(const char *op, const char *rule);

/* cmocka's setup and teardown: no rules, an object `src`, counters at 0, a fresh client. */
int faults_setup(void **state);
int faults_teardown(void **state);
#define WITH_CLIENT(test) cmocka_unit_test_setup_teardown(test, faults_setup, faults_teardown)

/* main: runs `tests` with a server and an environment of its own; what `tests` returned. */
int faults_run(int (*tests)(void));

#endif
