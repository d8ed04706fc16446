/* Every S3 operation under every kind of failure: its class, and who tries again. Test thread. */
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
	s3_head(s->client, KEY("src"), BYTES_NONE, s->flags, sync_on_head, s);
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

	s3d_tell(&faults_server, "DELETE", "/-/faults", "");
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
		before = s3d_requests(&faults_server, ops[i].name);
		assert_int_equal(run(s, &ops[i]), S3_DENIED);
		assert_int_equal(s->err.errnum, EACCES);
		assert_int_equal(s->err.http_status, 403);
		assert_int_equal(s3d_requests(&faults_server, ops[i].name), before + 1);
	}
	fault("CopyObject", "\"status\":400,\"code\":\"ExpiredToken\"");
	assert_int_equal(run(s, &ops[5]), S3_DENIED);
}

static int all_tests(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CLIENT(test_no_fault),
		WITH_CLIENT(test_statuses),
		WITH_CLIENT(test_error_in_200),
		WITH_CLIENT(test_empty_200),
		WITH_CLIENT(test_cut),
		WITH_CLIENT(test_closed),
		WITH_CLIENT(test_denied_is_final),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return faults_run(all_tests);
}
