/* Failures that S3 operations recover from or report in ways of their own. Test thread. */
#include <errno.h>
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

/* Not found is a 404 and nothing else. */
static void test_not_found_is_404(void **state)
{
	struct sync *s = *state;

	s->flags = S3_NO_RETRY;
	assert_int_equal(sync_head(s, KEY("nowhere")), S3_NOT_FOUND);
	fault("HeadObject", "\"status\":500,\"code\":\"NoSuchKey\"");
	assert_int_equal(sync_head(s, KEY("src")), S3_TRANSIENT);
	fault("HeadObject", "\"status\":403,\"code\":\"NoSuchKey\"");
	assert_int_equal(sync_head(s, KEY("src")), S3_DENIED);
	fault("CopyObject", "\"status\":409,\"code\":\"ConditionalRequestConflict\"");
	assert_int_equal(sync_copy(s, KEY("src"), KEY("x")), S3_CONFLICT);
	fault("CopyObject", "\"status\":501,\"code\":\"NotImplemented\"");
	assert_int_equal(sync_copy(s, KEY("src"), KEY("x")), S3_FAILED);
	assert_int_equal(s->err.errnum, EOPNOTSUPP);
}

static void test_get_cut_in_the_middle(void **state)
{
	struct sync *s = *state;
	size_t len = 300000, i;
	char *data = mem_calloc(len, 1), *back = mem_calloc(len + 1, 1);
	struct bytes content;
	struct s3_body body = {&content, 1};

	for (i = 0; i < len; i++)
		data[i] = (char)('a' + i % 26);
	content = BYTES(data, len);
	sync_begin(s);
	s3_put(s->client, KEY("long"), NULL, &body, 0, sync_on_put, s);
	sync_wait(s);
	fault("GetObject", "\"cut\":123456,\"times\":2");
	back[len] = '#';
	assert_int_equal(sync_get(s, KEY("long"), 0, back, len), S3_OK);
	assert_int_equal(s->got, len);
	assert_memory_equal(back, data, len);
	assert_int_equal(back[len], '#');
	free(data);
	free(back);
}

static void test_key_errors(void **state)
{
	struct sync *s = *state;
	struct bytes keys[] = {KEY("k1"), KEY("k2 +&<\r"), KEY("k\x01"), KEY("k4")};
	int i;

	s->flags = S3_NO_RETRY;
	for (i = 0; i < 4; i++)
		sync_put(s, keys[i], "x");
	fault("DeleteObjects",
		"\"key\":\"k2*\",\"per_key\":true,\"status\":503,\"code\":\"SlowDown\"");
	assert_int_equal(sync_delete_many(s, keys, 4), S3_OK);
	assert_int_equal(s->key_errs[0].cls, S3_OK);
	assert_int_equal(s->key_errs[1].cls, S3_THROTTLED);
	assert_string_equal(s->key_errs[1].code, "SlowDown");
	assert_int_equal(s->key_errs[2].cls, S3_OK);
	assert_int_equal(s->key_errs[3].cls, S3_OK);
	s->flags = 0;
	assert_int_equal(sync_head(s, keys[0]), S3_NOT_FOUND);
	assert_int_equal(sync_head(s, keys[1]), S3_OK);
	assert_int_equal(sync_head(s, keys[2]), S3_NOT_FOUND);
	/* One of the keys that go by themselves. */
	sync_put(s, keys[2], "x");
	fault("DeleteObject", "\"status\":403,\"code\":\"AccessDenied\"");
	assert_int_equal(sync_delete_many(s, keys, 4), S3_OK);
	assert_int_equal(s->key_errs[0].cls, S3_OK);
	assert_int_equal(s->key_errs[2].cls, S3_DENIED);
	/* The whole request is refused. */
	fault("DeleteObjects", "\"status\":403,\"code\":\"AccessDenied\"");
	assert_int_equal(sync_delete_many(s, keys, 4), S3_DENIED);
}

static void test_retry_after(void **state)
{
	struct sync *s = *state;

	s->flags = S3_NO_RETRY;
	fault("CopyObject", "\"status\":503,\"code\":\"SlowDown\",\"retry_after_s\":7");
	assert_int_equal(sync_copy(s, KEY("src"), KEY("x")), S3_THROTTLED);
	assert_int_equal(s->err.retry_after_ms, 7000);
}

static void test_clock_skew(void **state)
{
	struct sync *s = *state;
	struct s3_stats stats;

	s->flags = S3_NO_RETRY;
	s3d_tell(&faults_server, "POST", "/-/clock", "{\"offset_s\":-5000}");
	assert_int_equal(sync_copy(s, KEY("src"), KEY("x")), S3_OK);
	assert_int_equal(sync_copy(s, KEY("src"), KEY("y")), S3_OK);
	s3_client_stats(s->client, &stats);
	assert_int_equal(stats.requests, 3);
	s3d_tell(&faults_server, "POST", "/-/clock", "{\"offset_s\":0}");
	assert_int_equal(sync_copy(s, KEY("src"), KEY("y")), S3_OK);
}

static void on_one_of_many(void *ctx, const struct s3_err *err, const struct s3_object *object)
{
	unsigned *left = ctx;

	(void)object;
	assert_int_equal(err->cls, S3_OK);
	--*left;
}

/* Each of them was signed before the first refusal told of the clock. */
static void test_clock_skew_of_many(void **state)
{
	struct sync *s = *state;
	unsigned left = 8, i;

	sync_put(s, KEY("src"), "x");
	s3d_tell(&faults_server, "POST", "/-/clock", "{\"offset_s\":3600}");
	for (i = left; i; i--)
		s3_head(s->client, KEY("src"), BYTES_NONE, S3_NO_RETRY, on_one_of_many, &left);
	while (left)
		loop_once(s->loop, -1);
	s3d_tell(&faults_server, "POST", "/-/clock", "{\"offset_s\":0}");
	assert_int_equal(sync_copy(s, KEY("src"), KEY("y")), S3_OK);
}

static void test_other_region(void **state)
{
	struct sync s;
	struct s3_stats stats;

	(void)state;
	sync_open(&s, faults_server.endpoint,
		&(struct s3_config){.bucket = "far", .region = "us-east-1"});
	s.flags = S3_NO_RETRY;
	assert_int_equal(sync_put(&s, KEY("a"), "x"), S3_OK);
	assert_int_equal(sync_head(&s, KEY("a")), S3_OK);
	s3_client_stats(s.client, &stats);
	assert_int_equal(stats.requests, 3);
	sync_close(&s);
	sync_open(&s, faults_server.endpoint,
		&(struct s3_config){.bucket = "far", .region = "us-east-1"});
	sync_begin(&s);
	s3_head_bucket(s.client, S3_NO_RETRY, sync_on_done, &s);
	sync_wait(&s);
	assert_int_equal(s.err.cls, S3_OK);
	sync_close(&s);
}

static void test_wrong_credentials(void **state)
{
	struct sync s;

	(void)state;
	sync_open(&s, faults_server.endpoint, &(struct s3_config){.no_sign_request = true});
	assert_int_equal(sync_put(&s, KEY("a"), "x"), S3_DENIED);
	sync_close(&s);
	setenv("AWS_SECRET_ACCESS_KEY", "wrong", 1);
	sync_open(&s, faults_server.endpoint, &(struct s3_config){0});
	assert_int_equal(sync_put(&s, KEY("a"), "x"), S3_DENIED);
	assert_string_equal(s.err.code, "SignatureDoesNotMatch");
	sync_close(&s);
	setenv("AWS_SECRET_ACCESS_KEY", "s3dsecret", 1);
}

static void wait_requests(struct sync *s, const char *op, unsigned count)
{
	while (s3d_requests(&faults_server, op) < count)
		loop_once(s->loop, 1);
}

static void test_cancel(void **state)
{
	struct sync *s = *state;
	struct s3_copy_params p = {.key = KEY("x"), .source_key = KEY("src")};
	struct bytes keys[] = {KEY("a"), KEY("\x01"), KEY("\x02")};
	struct s3_stats stats;
	struct s3_op *op;

	fault("*", "\"hang\":true");
	sync_begin(s);
	op = s3_copy(s->client, &p, 0, sync_on_copy, s);
	loop_once(s->loop, 1);
	s3_cancel(op);
	s3_cancel(op);
	sync_wait(s);
	assert_int_equal(s->err.cls, S3_CANCELLED);
	sync_begin(s);
	op = s3_delete_many(s->client, keys, 3, 0, sync_on_delete_many, s);
	loop_once(s->loop, 1);
	s3_cancel(op);
	sync_wait(s);
	assert_int_equal(s->err.cls, S3_CANCELLED);
	/* While it waits to be made again. */
	fault("CopyObject", "\"status\":503,\"code\":\"SlowDown\",\"retry_after_s\":3600");
	sync_begin(s);
	op = s3_copy(s->client, &p, 0, sync_on_copy, s);
	do {
		loop_once(s->loop, 1);
		s3_client_stats(s->client, &stats);
	} while (!stats.retries);
	s3_cancel(op);
	sync_wait(s);
	assert_int_equal(s->err.cls, S3_CANCELLED);
	assert_int_equal(stats.throttled, 1);
}

static int freed_done, freed_cancelled;
static struct s3_client *freed_client;

static void on_freed(void *ctx, const struct s3_err *err)
{
	freed_done++;
	freed_cancelled += err->cls == S3_CANCELLED;
	/* A caller that goes on as if nothing were. */
	if (ctx)
		s3_delete(freed_client, KEY("again"), 0, on_freed, NULL);
}

static void on_freed_many(
	void *ctx, const struct s3_err *err, const struct s3_err *key_errs, size_t count)
{
	(void)key_errs;
	(void)count;
	on_freed(ctx, err);
}

/* The client ends with operations sent, waiting and held: each completes once, as cancelled. */
static void test_free_under_way(void **state)
{
	struct bytes keys[40];
	struct sync s;
	char text[40][16];
	int i;

	(void)state;
	for (i = 0; i < 40; i++) {
		snprintf(text[i], sizeof(text[i]), "\x01%d", i);
		keys[i] = BYTES_STR(text[i]);
	}
	fault("DeleteObject", "\"hang\":true");
	s3d_tell(&faults_server, "POST", "/-/faults",
		"{\"op\":\"DeleteObjects\",\"status\":503,\"code\":\"SlowDown\",\"retry_after_s\":"
		"60}");
	sync_open(&s, faults_server.endpoint, &(struct s3_config){0});
	freed_client = s.client;
	s3d_tell(&faults_server, "POST", "/-/stats/reset", "");
	s3_delete_many(s.client, keys, 40, 0, on_freed_many, NULL);
	keys[0] = KEY("fine");
	s3_delete_many(s.client, keys, 40, 0, on_freed_many, NULL);
	for (i = 0; i < 10; i++)
		s3_delete(s.client, KEY("x"), 0, on_freed, i % 2 ? &s : NULL);
	wait_requests(&s, "DeleteObjects", 1);
	freed_done = freed_cancelled = 0;
	s3_client_free(s.client);
	assert_int_equal(freed_done, 2 + 10 + 5);
	assert_int_equal(freed_cancelled, freed_done);
	loop_once(s.loop, 0);
	loop_free(s.loop);
	buf_free(&s.keys);
}

static void test_stats(void **state)
{
	struct sync *s = *state;
	struct s3_stats stats;

	fault("PutObject", "\"status\":503,\"code\":\"SlowDown\",\"times\":1");
	assert_int_equal(sync_put(s, KEY("a"), "12345"), S3_OK);
	s3_client_stats(s->client, &stats);
	assert_int_equal(stats.requests, 2);
	assert_int_equal(stats.retries, 1);
	assert_int_equal(stats.throttled, 1);
	assert_int_equal(stats.bytes_out, 10);
	assert_int_equal(stats.in_flight, 0);
}

/* A server that knows markers as little as it knows tokens would be listed for ever. */
static void test_list_that_leads_nowhere(void **state)
{
	static const char page[] =
		"\"status\":200,\"body\":\"<ListBucketResult><Contents><Key>b</Key>"
		"<Size>1</Size></Contents><IsTruncated>true</IsTruncated>"
		"</ListBucketResult>\"";
	struct sync *s = *state;
	struct s3_list_params params = {.prefix = BYTES_NONE};

	s->flags = S3_NO_RETRY;
	fault("ListObjects*", page);
	assert_int_equal(sync_list(s, &params), S3_OK);
	assert_true(s->truncated);
	assert_string_equal(s->token, "b");
	assert_true(s3_client_lacks(s->client, S3_ABLE_LIST_V2));
	params.token = BYTES_LIT("a");
	assert_int_equal(sync_list(s, &params), S3_OK);
	params.token = BYTES_LIT("b");
	assert_int_equal(sync_list(s, &params), S3_TRANSIENT);
	assert_string_equal(s->err.code, "BadAnswer");
	assert_int_equal(s3d_requests(&faults_server, "ListObjectsV2"), 1);
	assert_int_equal(s3d_requests(&faults_server, "ListObjects"), 2);
}

static int all_tests(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CLIENT(test_not_found_is_404),
		WITH_CLIENT(test_get_cut_in_the_middle),
		WITH_CLIENT(test_key_errors),
		WITH_CLIENT(test_retry_after),
		WITH_CLIENT(test_clock_skew),
		WITH_CLIENT(test_clock_skew_of_many),
		WITH_CLIENT(test_other_region),
		WITH_CLIENT(test_wrong_credentials),
		WITH_CLIENT(test_cancel),
		WITH_CLIENT(test_free_under_way),
		WITH_CLIENT(test_stats),
		WITH_CLIENT(test_list_that_leads_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return faults_run(all_tests);
}
