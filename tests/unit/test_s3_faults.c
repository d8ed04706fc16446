/* What the S3 client makes of failures, against s3d's fault rules: the class, and who tries again.
 */
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

#include "s3_sync.h"
#include "s3d_run.h"
#include "util/mem.h"

#define WATCHDOG_S 300
#define KEY(s) BYTES_LIT(s)

static struct s3d server;

/* The client's own patience, in small. */
static const struct s3_retry_policy soon = {.attempts_max = 10,
	.throttled_max = 40,
	.deadline_ms = 300000,
	.base_ms = 1,
	.throttled_base_ms = 1,
	.cap_ms = 10};

static int setup(void **state)
{
	struct sync *s = mem_zalloc(sizeof(*s));

	s3d_tell(&server, "DELETE", "/-/faults", "");
	s3d_tell(&server, "POST", "/-/put?bucket=bkt&key=src", "hello");
	s3d_tell(&server, "POST", "/-/stats/reset", "");
	sync_open(s, server.endpoint, &(struct s3_config){.retry = &soon});
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct sync *s = *state;

	s3d_tell(&server, "DELETE", "/-/faults", "");
	sync_close(s);
	free(s);
	return 0;
}

static void fault(const char *op, const char *rule)
{
	char *json = mem_printf("{\"op\":\"%s\",%s}", op, rule);

	s3d_tell(&server, "DELETE", "/-/faults", "");
	s3d_tell(&server, "POST", "/-/faults", json);
	free(json);
}

/* ---- each operation once ---- */

static char upload_id[512];

static void start_put(struct sync *s)
{
	static const struct bytes run = {"content", 7};
	static const struct s3_body body = {&run, 1};

	s3_put(s->client, KEY("put"), NULL, &body, s->flags, sync_on_put, s);
}

static void start_get(struct sync *s)
{
	static char data[64];

	s3_get(s->client, KEY("src"), BYTES_NONE, 0, data, 5, s->flags, sync_on_get, s);
}

static void start_head(struct sync *s)
{
	s3_head(s->client, KEY("src"), s->flags, sync_on_head, s);
}

static void start_head_bucket(struct sync *s)
{
	s3_head_bucket(s->client, s->flags, sync_on_done, s);
}

static void start_list(struct sync *s)
{
	struct s3_list_params p = {.prefix = BYTES_LIT("")};

	s3_list(s->client, &p, s->flags, sync_on_list, s);
}

static void start_copy(struct sync *s)
{
	struct s3_copy_params p = {.key = KEY("copy"), .source_key = KEY("src")};

	s3_copy(s->client, &p, s->flags, sync_on_copy, s);
}

static void start_delete(struct sync *s)
{
	s3_delete(s->client, KEY("victim"), s->flags, sync_on_done, s);
}

static void start_delete_many(struct sync *s)
{
	static const struct bytes keys[] = {{"v1", 2}, {"v2", 2}, {"v3", 2}};

	s3_delete_many(s->client, keys, 3, s->flags, sync_on_delete_many, s);
}

static void start_create(struct sync *s)
{
	s3_mpu_create(s->client, KEY("mp"), NULL, s->flags, sync_on_create, s);
}

static void start_part(struct sync *s)
{
	static const struct bytes run = {"content", 7};
	static const struct s3_body body = {&run, 1};

	s3_mpu_part(s->client, KEY("mp"), BYTES_STR(upload_id), 1, &body, s->flags, sync_on_put, s);
}

static void start_part_copy(struct sync *s)
{
	struct s3_part_copy_params p = {.key = KEY("mp"),
		.upload_id = BYTES_STR(upload_id),
		.number = 1,
		.source_key = KEY("src")};

	s3_mpu_part_copy(s->client, &p, s->flags, sync_on_put, s);
}

static void start_complete(struct sync *s)
{
	/* MD5 of "hello", which part_copy made of part 1. */
	struct s3_part part = {1, BYTES_LIT("5d41402abc4b2a76b9719d911017c592")};

	s3_mpu_complete(
		s->client, KEY("mp"), BYTES_STR(upload_id), &part, 1, 5, s->flags, sync_on_put, s);
}

static void start_abort(struct sync *s)
{
	s3_mpu_abort(s->client, KEY("other"), BYTES_LIT("nothing"), s->flags, sync_on_done, s);
}

static const struct op {
	const char *name;
	void (*start)(struct sync *s);
	bool xml;  /* the answer has a document */
	bool body; /* the answer has a body at all */
} ops[] = {
	{"PutObject", start_put, false, false},
	{"GetObject", start_get, false, true},
	{"HeadObject", start_head, false, false},
	{"HeadBucket", start_head_bucket, false, false},
	{"ListObjectsV2", start_list, true, true},
	{"CopyObject", start_copy, true, true},
	{"DeleteObject", start_delete, false, false},
	{"DeleteObjects", start_delete_many, true, true},
	{"CreateMultipartUpload", start_create, true, true},
	{"UploadPart", start_part, false, false},
	{"UploadPartCopy", start_part_copy, true, true},
	{"CompleteMultipartUpload", start_complete, true, true},
	{"AbortMultipartUpload", start_abort, false, false},
};
#define OP_COUNT (sizeof(ops) / sizeof(ops[0]))

static enum s3_class run(struct sync *s, const struct op *op)
{
	sync_begin(s);
	op->start(s);
	sync_wait(s);
	return s->err.cls;
}

/* An upload with part 1, for those operations that need one. */
static void new_upload(struct sync *s)
{
	unsigned flags = s->flags;

	s3d_tell(&server, "DELETE", "/-/faults", "");
	s->flags = 0;
	sync_begin(s);
	start_create(s);
	sync_wait(s);
	memcpy(upload_id, s->upload_id, sizeof(upload_id));
	sync_begin(s);
	start_part_copy(s);
	sync_wait(s);
	assert_int_equal(s->err.cls, S3_OK);
	s->flags = flags;
}

/* Every operation under one rule, once handed up and once retried by the client itself. */
static void each_op(
	struct sync *s, const char *rule, enum s3_class cls, bool (*wanted)(const struct op *))
{
	char *once = mem_printf("%s,\"times\":1", rule),
	     *twice = mem_printf("%s,\"times\":2", rule);
	size_t i;

	for (i = 0; i < OP_COUNT; i++) {
		const struct op *op = &ops[i];

		if (wanted && !wanted(op))
			continue;
		new_upload(s);
		s->flags = S3_NO_RETRY;
		fault(op->name, rule);
		if (run(s, op) != cls)
			fail_msg("%s with %s: class %d, code %s", op->name, rule, s->err.cls,
				s->err.code);
		assert_int_not_equal(s->err.errnum, 0);
		assert_true(s->err.code[0] != '\0');
		s->flags = 0;
		fault(op->name, i % 2 ? once : twice);
		if (run(s, op) != S3_OK)
			fail_msg("%s retried with %s: class %d, code %s, %s", op->name, rule,
				s->err.cls, s->err.code, s->err.message);
	}
	free(once);
	free(twice);
}

static bool has_xml(const struct op *op)
{
	return op->xml;
}

static bool has_body(const struct op *op)
{
	return op->body;
}

static bool can_carry_error(const struct op *op)
{
	return op->start != start_get && op->start != start_head && op->start != start_head_bucket;
}

static void test_no_fault(void **state)
{
	size_t i;

	new_upload(*state);
	for (i = 0; i < OP_COUNT; i++)
		assert_int_equal(run(*state, &ops[i]), S3_OK);
}

static void test_statuses(void **state)
{
	each_op(*state, "\"status\":503,\"code\":\"SlowDown\"", S3_THROTTLED, NULL);
	each_op(*state, "\"status\":429,\"code\":\"TooManyRequests\"", S3_THROTTLED, NULL);
	each_op(*state, "\"status\":500,\"code\":\"InternalError\"", S3_TRANSIENT, NULL);
	each_op(*state, "\"status\":502,\"code\":\"Unknown\"", S3_TRANSIENT, NULL);
}

static void test_error_in_200(void **state)
{
	const char *rule = "\"status\":503,\"code\":\"SlowDown\",\"in200\":true";

	each_op(*state, rule, S3_THROTTLED, can_carry_error);
	rule = "\"status\":500,\"code\":\"InternalError\",\"in200\":true";
	each_op(*state, rule, S3_TRANSIENT, can_carry_error);
}

static void test_empty_200(void **state)
{
	each_op(*state, "\"empty\":true", S3_TRANSIENT, has_xml);
}

static void test_cut(void **state)
{
	each_op(*state, "\"cut\":3", S3_TRANSIENT, has_body);
}

static void test_closed(void **state)
{
	/* "times" counts what is sent again on a fresh connection too: the retried case is its own.
	 */
	struct sync *s = *state;
	size_t i;

	for (i = 0; i < OP_COUNT; i++) {
		new_upload(s);
		s->flags = S3_NO_RETRY;
		fault(ops[i].name, "\"close\":true");
		assert_int_equal(run(s, &ops[i]), S3_TRANSIENT);
		/* A kept connection that closes under a request costs nobody an attempt. */
		new_upload(s);
		fault(ops[i].name, "\"close\":true,\"times\":1");
		assert_int_equal(run(s, &ops[i]), S3_OK);
	}
}

static void test_denied_is_final(void **state)
{
	struct sync *s = *state;
	size_t i;

	for (i = 0; i < OP_COUNT; i++) {
		unsigned before;

		new_upload(s);
		fault(ops[i].name, "\"status\":403,\"code\":\"AccessDenied\"");
		before = s3d_requests(&server, ops[i].name);
		assert_int_equal(run(s, &ops[i]), S3_DENIED);
		assert_int_equal(s->err.errnum, EACCES);
		assert_int_equal(s->err.http_status, 403);
		assert_int_equal(s3d_requests(&server, ops[i].name), before + 1);
	}
	fault("CopyObject", "\"status\":400,\"code\":\"ExpiredToken\"");
	assert_int_equal(run(s, &ops[5]), S3_DENIED);
}

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
	s3d_tell(&server, "POST", "/-/clock", "{\"offset_s\":-5000}");
	assert_int_equal(sync_copy(s, KEY("src"), KEY("x")), S3_OK);
	assert_int_equal(sync_copy(s, KEY("src"), KEY("y")), S3_OK);
	s3_client_stats(s->client, &stats);
	assert_int_equal(stats.requests, 3);
	s3d_tell(&server, "POST", "/-/clock", "{\"offset_s\":0}");
	assert_int_equal(sync_copy(s, KEY("src"), KEY("y")), S3_OK);
}

static void test_other_region(void **state)
{
	struct sync s;
	struct s3_stats stats;

	(void)state;
	sync_open(&s, server.endpoint, &(struct s3_config){.bucket = "far", .region = "us-east-1"});
	s.flags = S3_NO_RETRY;
	assert_int_equal(sync_put(&s, KEY("a"), "x"), S3_OK);
	assert_int_equal(sync_head(&s, KEY("a")), S3_OK);
	s3_client_stats(s.client, &stats);
	assert_int_equal(stats.requests, 3);
	sync_close(&s);
	sync_open(&s, server.endpoint, &(struct s3_config){.bucket = "far", .region = "us-east-1"});
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
	sync_open(&s, server.endpoint, &(struct s3_config){.no_sign_request = true});
	assert_int_equal(sync_put(&s, KEY("a"), "x"), S3_DENIED);
	sync_close(&s);
	setenv("AWS_SECRET_ACCESS_KEY", "wrong", 1);
	sync_open(&s, server.endpoint, &(struct s3_config){0});
	assert_int_equal(sync_put(&s, KEY("a"), "x"), S3_DENIED);
	assert_string_equal(s.err.code, "SignatureDoesNotMatch");
	sync_close(&s);
	setenv("AWS_SECRET_ACCESS_KEY", "s3dsecret", 1);
}

static void wait_requests(struct sync *s, const char *op, unsigned count)
{
	while (s3d_requests(&server, op) < count)
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
	char text[40][8];
	int i;

	(void)state;
	for (i = 0; i < 40; i++) {
		snprintf(text[i], sizeof(text[i]), "\x01%d", i);
		keys[i] = BYTES_STR(text[i]);
	}
	fault("DeleteObject", "\"hang\":true");
	s3d_tell(&server, "POST", "/-/faults",
		"{\"op\":\"DeleteObjects\",\"status\":503,\"code\":\"SlowDown\",\"retry_after_s\":"
		"60}");
	sync_open(&s, server.endpoint, &(struct s3_config){0});
	freed_client = s.client;
	s3d_tell(&server, "POST", "/-/stats/reset", "");
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

#define WITH_CLIENT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CLIENT(test_no_fault),
		WITH_CLIENT(test_statuses),
		WITH_CLIENT(test_error_in_200),
		WITH_CLIENT(test_empty_200),
		WITH_CLIENT(test_cut),
		WITH_CLIENT(test_closed),
		WITH_CLIENT(test_denied_is_final),
		WITH_CLIENT(test_not_found_is_404),
		WITH_CLIENT(test_get_cut_in_the_middle),
		WITH_CLIENT(test_key_errors),
		WITH_CLIENT(test_retry_after),
		WITH_CLIENT(test_clock_skew),
		WITH_CLIENT(test_other_region),
		WITH_CLIENT(test_wrong_credentials),
		WITH_CLIENT(test_cancel),
		WITH_CLIENT(test_free_under_way),
		WITH_CLIENT(test_stats),
	};
	int failed;

	alarm(WATCHDOG_S);
	s3d_start(&server);
	/* No settings, credentials or proxies of whoever runs the test. */
	clearenv();
	setenv("AWS_ACCESS_KEY_ID", "s3dkey", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "s3dsecret", 1);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	s3d_stop(&server);
	return failed;
}
