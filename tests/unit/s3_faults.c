/* The fixture of the tests of S3 failures: see s3_faults.h. Test thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "s3_faults.h"
#include "util/mem.h"

#define WATCHDOG_S 300

struct s3d faults_server;

/* The client's own patience, in small. */
static const struct s3_retry_policy soon = {.attempts_max = 10,
	.throttled_max = 40,
	.deadline_ms = 300000,
	.base_ms = 1,
	.throttled_base_ms = 1,
	.cap_ms = 10};

int faults_setup(void **state)
{
	struct sync *s = mem_zalloc(sizeof(*s));

	s3d_tell(&faults_server, "DELETE", "/-/faults", "");
	s3d_tell(&faults_server, "POST", "/-/put?bucket=bkt&key=src", "hello");
	s3d_tell(&faults_server, "POST", "/-/stats/reset", "");
	sync_open(s, faults_server.endpoint, &(struct s3_config){.retry = &soon});
	*state = s;
	return 0;
}

int faults_teardown(void **state)
{
	struct sync *s = *state;

	s3d_tell(&faults_server, "DELETE", "/-/faults", "");
	sync_close(s);
	free(s);
	return 0;
}

void fault(const char *op, const char *rule)
{
	char *json = mem_printf("{\"op\":\"%s\",%s}", op, rule);

	s3d_tell(&faults_server, "DELETE", "/-/faults", "");
	s3d_tell(&faults_server, "POST", "/-/faults", json);
	free(json);
}

int faults_run(int (*tests)(void))
{
	int failed;

	alarm(WATCHDOG_S);
	s3d_start(&faults_server);
	/* No settings, credentials or proxies of whoever runs the test. */
	clearenv();
	setenv("AWS_ACCESS_KEY_ID", "s3dkey", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "s3dsecret", 1);
	failed = tests();
	s3d_stop(&faults_server);
	return failed;
}
