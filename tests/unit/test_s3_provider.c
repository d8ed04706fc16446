/* Credentials in use and their renewal: s3_provider.h. Time is the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "creds_run.h"
#include "util/log.h"
#include "util/mem.h"

#define MINUTE_MS 60000

static void open_container(struct creds_run *r)
{
	creds_env("AWS_CONTAINER_CREDENTIALS_FULL_URI=%s/keys", r->base);
	creds_open(r, "default");
}

/* Runs the loop until the provider has heard `n` answers in all. */
static void run_until(struct creds_run *r, unsigned n)
{
	while (r->changes < n)
		creds_round();
}

static void renewed_before_they_expire(void **state)
{
	struct creds_run *r = *state;
	struct s3_creds *old;

	creds_answer("/keys", "200 OK", creds_json("ONE", 3600));
	open_container(r);
	assert_string_equal(creds_get(r), "ONE");
	old = s3_creds_ref(r->got);
	creds_answer("/keys", "200 OK", creds_json("TWO", 7200));
	creds_advance(53 * MINUTE_MS);
	creds_round();
	assert_int_equal(creds_requests("/keys"), 1);
	creds_advance(2 * MINUTE_MS + 1000);
	run_until(r, 2);
	assert_string_equal(creds_get(r), "TWO");
	assert_int_equal(creds_requests("/keys"), 2);
	/* Who has the old ones under way keeps them. */
	assert_string_equal(old->access_key_id, "ONE");
	s3_creds_unref(old);
}

/* What the log says goes to the standard error. */
static char *log_text(int fd)
{
	char *text = mem_calloc(1, 20000);
	ssize_t n = pread(fd, text, 19999, 0);

	assert_true(n >= 0);
	return text;
}

static unsigned count_of(const char *text, const char *word)
{
	unsigned n = 0;

	while ((text = strstr(text, word))) {
		n++;
		text++;
	}
	return n;
}

static void failing_renewal(void **state)
{
	struct creds_run *r = *state;
	FILE *log = tmpfile();
	int saved = dup(2);
	char *text;

	log_open(false, LOG_LVL_INFO);
	creds_answer("/keys", "200 OK", creds_json("ONE", 3600));
	open_container(r);
	assert_string_equal(creds_get(r), "ONE");
	creds_answer("/keys", "403 Forbidden", "");
	dup2(fileno(log), 2);
	creds_advance(55 * MINUTE_MS + 1000);
	run_until(r, 2);
	creds_advance(MINUTE_MS);
	run_until(r, 3);
	/* They are good for four minutes more. */
	assert_string_equal(creds_get(r), "ONE");
	assert_int_equal(r->state, S3_CREDS_READY);
	creds_answer("/keys", "200 OK", creds_json("TWO", 3600));
	creds_advance(MINUTE_MS);
	run_until(r, 4);
	dup2(saved, 2);
	close(saved);
	assert_string_equal(creds_get(r), "TWO");
	text = log_text(fileno(log));
	assert_int_equal(count_of(text, "go on being used until"), 1);
	assert_int_equal(count_of(text, "HTTP 403"), 1);
	assert_int_equal(count_of(text, "are renewed again"), 1);
	assert_int_equal(count_of(text, "secret"), 0);
	free(text);
	fclose(log);
}

static void expired_and_none_to_be_had(void **state)
{
	struct creds_run *r = *state;

	creds_answer("/keys", "200 OK", creds_json("ONE", 3600));
	open_container(r);
	assert_string_equal(creds_get(r), "ONE");
	creds_answer("/keys", "403 Forbidden", "");
	creds_advance(61 * MINUTE_MS);
	assert_non_null(strstr(creds_get(r), "HTTP 403"));
	assert_int_equal(r->state, S3_CREDS_NONE);
	/* Not for each operation that fails. */
	assert_int_equal(creds_requests("/keys"), 2);
	creds_get(r);
	creds_get(r);
	assert_int_equal(creds_requests("/keys"), 2);
	creds_answer("/keys", "200 OK", creds_json("TWO", 3600));
	creds_advance(6000);
	assert_string_equal(creds_get(r), "TWO");
	assert_string_equal(s3_provider_problem(r->provider), "");
}

/* One fetch, however many wait for it. */
static void many_wait(void **state)
{
	struct creds_run *r = *state;
	struct s3_creds *none = NULL;
	int i;

	creds_answer("/keys", "200 OK", creds_json("ONE", 3600));
	open_container(r);
	for (i = 0; i < 100; i++)
		assert_int_equal(s3_provider_get(r->provider, &none), S3_CREDS_WAIT);
	run_until(r, 1);
	assert_string_equal(creds_get(r), "ONE");
	assert_int_equal(creds_requests("/keys"), 1);
}

static void rejected(void **state)
{
	struct creds_run *r = *state;
	struct s3_creds *old;

	creds_answer("/keys", "200 OK", creds_json("ONE", 3600));
	open_container(r);
	creds_get(r);
	old = s3_creds_ref(r->got);
	creds_answer("/keys", "200 OK", creds_json("TWO", 3600));
	assert_true(s3_provider_reject(r->provider, old));
	assert_string_equal(creds_get(r), "TWO");
	/* Late news about the old ones are none about the new ones. */
	assert_true(s3_provider_reject(r->provider, old));
	assert_string_equal(creds_get(r), "TWO");
	assert_int_equal(creds_requests("/keys"), 2);
	s3_creds_unref(old);
}

/* Whatever is fetched, the server does not take it: that must not become a storm of fetches. */
static void rejected_for_good(void **state)
{
	struct creds_run *r = *state;
	int i;

	creds_answer("/keys", "200 OK", creds_json("ONE", 3600));
	open_container(r);
	creds_get(r);
	for (i = 0; i < 3; i++) {
		assert_true(s3_provider_reject(r->provider, r->got));
		assert_string_equal(creds_get(r), "ONE");
	}
	assert_false(s3_provider_reject(r->provider, r->got));
	assert_int_equal(creds_requests("/keys"), 4);
	creds_advance(10000);
	assert_true(s3_provider_reject(r->provider, r->got));
}

static void keys_in_a_file(void **state)
{
	struct creds_run *r = *state;

	creds_config("[default]\naws_access_key_id=A\naws_secret_access_key=s\n");
	creds_env("AWS_EC2_METADATA_DISABLED=true");
	creds_open(r, "default");
	assert_int_equal(s3_provider_get(r->provider, &r->got), S3_CREDS_READY);
	assert_false(s3_provider_reject(r->provider, r->got));
	assert_string_equal(creds_get(r), "A");
	creds_config("[default]\naws_access_key_id=B\naws_secret_access_key=s\n");
	/* The file is looked at once a second at most. */
	assert_false(s3_provider_reject(r->provider, r->got));
	creds_advance(1001);
	assert_true(s3_provider_reject(r->provider, r->got));
	assert_string_equal(creds_get(r), "B");
	creds_config("[default]\nregion=x\n");
	creds_advance(1001);
	assert_false(s3_provider_reject(r->provider, r->got));
	assert_string_equal(creds_get(r), "B");
}

/* The end comes while an answer is awaited. */
static void stopped(void **state)
{
	struct creds_run *r = *state;

	creds_answer("/keys", NULL, NULL);
	open_container(r);
	assert_int_equal(s3_provider_get(r->provider, &r->got), S3_CREDS_WAIT);
	while (!creds_requests("/keys"))
		creds_round();
	s3_provider_stop(r->provider);
	assert_int_equal(r->changes, 0);
}

static void delays(void **state)
{
	struct rng rng = {.state = 1};
	int i;

	for (i = 0; i < 1000; i++) {
		int64_t hour = s3_provider_delay_ms(60 * MINUTE_MS, &rng);
		int64_t minute = s3_provider_delay_ms(MINUTE_MS, &rng);

		assert_true(hour <= 55 * MINUTE_MS && hour >= 54 * MINUTE_MS);
		assert_true(minute <= 48000 && minute >= 45000);
	}
	assert_int_equal(s3_provider_delay_ms(0, &rng), 1000);
	assert_int_equal(s3_provider_delay_ms(-5, &rng), 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, creds_setup, creds_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(renewed_before_they_expire),
		TEST(failing_renewal),
		TEST(expired_and_none_to_be_had),
		TEST(many_wait),
		TEST(rejected),
		TEST(rejected_for_good),
		TEST(keys_in_a_file),
		TEST(stopped),
		cmocka_unit_test(delays),
	};

	clearenv();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
