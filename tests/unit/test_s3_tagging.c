/* Tags, and what else comes with objects beside their user metadata, against s3d. */
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
#include "s3/s3_xml.h"
#include "util/mem.h"

#define WATCHDOG_S 120
#define KEY(s) BYTES_LIT(s)

static struct s3d server;

static int setup(void **state)
{
	struct sync *s = mem_zalloc(sizeof(*s));

	sync_open(s, server.endpoint, &(struct s3_config){0});
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct sync *s = *state;

	sync_close(s);
	free(s);
	return 0;
}

static enum s3_class get_tags(struct sync *s, struct bytes key)
{
	sync_begin(s);
	s3_get_tags(s->client, key, BYTES_NONE, 0, sync_on_tags, s);
	sync_wait(s);
	return s->err.cls;
}

static enum s3_class put_tags(
	struct sync *s, struct bytes key, const struct s3_object_tag *tags, size_t count)
{
	sync_begin(s);
	s3_put_tags(s->client, key, tags, count, 0, sync_on_done, s);
	sync_wait(s);
	return s->err.cls;
}

static void test_tags(void **state)
{
	struct sync *s = *state;
	struct s3_object_tag tags[] = {
		{KEY("project"), KEY("a b+c/=&<>\"'")}, {KEY("um\xc3\xa4"), KEY("")}};

	assert_int_equal(sync_put(s, KEY("odd + key/x"), "hello"), S3_OK);
	assert_int_equal(get_tags(s, KEY("odd + key/x")), S3_OK);
	assert_int_equal(s->count, 0);
	assert_int_equal(put_tags(s, KEY("odd + key/x"), tags, 2), S3_OK);
	assert_int_equal(get_tags(s, KEY("odd + key/x")), S3_OK);
	assert_int_equal(s->count, 2);
	assert_string_equal(buf_str(&s->keys), "project=a b+c/=&<>\"'\num\xc3\xa4=\n");
	assert_int_equal(put_tags(s, KEY("odd + key/x"), NULL, 0), S3_OK);
	assert_int_equal(get_tags(s, KEY("odd + key/x")), S3_OK);
	assert_int_equal(s->count, 0);
	assert_int_equal(get_tags(s, KEY("nowhere")), S3_NOT_FOUND);
	assert_int_equal(put_tags(s, KEY("nowhere"), tags, 1), S3_NOT_FOUND);
}

static void test_refused_tags(void **state)
{
	struct sync *s = *state;
	struct s3_object_tag control = {KEY("a"), KEY("\x01")};
	struct s3_object_tag nameless = {KEY(""), KEY("x")};

	assert_int_equal(sync_put(s, KEY("k"), "hello"), S3_OK);
	assert_int_equal(put_tags(s, KEY("k"), &control, 1), S3_INVALID);
	assert_int_equal(put_tags(s, KEY("k"), &nameless, 1), S3_INVALID);
	assert_int_equal(s->err.errnum, EINVAL);
	assert_int_equal(get_tags(s, KEY("k")), S3_OK);
	assert_int_equal(s->count, 0);
}

struct seen {
	struct sync *sync;
	char encryption[64], kms_key_id[64], redirect[64];
	unsigned tag_count;
};

static void on_head(void *ctx, const struct s3_err *err, const struct s3_object *o)
{
	struct seen *seen = ctx;

	snprintf(seen->encryption, 64, "%s", o->encryption ? o->encryption : "-");
	snprintf(seen->kms_key_id, 64, "%s", o->kms_key_id ? o->kms_key_id : "-");
	snprintf(seen->redirect, 64, "%s", o->redirect ? o->redirect : "-");
	seen->tag_count = o->tag_count;
	sync_on_head(seen->sync, err, o);
}

static void test_put_with_tags_and_encryption(void **state)
{
	struct sync *s = *state;
	struct s3_object_tag tags[] = {{KEY("a"), KEY("1 & 2")}, {KEY("b="), KEY("")}};
	struct buf tagging = BUF_INIT(1000);
	struct s3_meta meta = {
		.encryption = "aws:kms", .kms_key_id = "key-7", .redirect = "/elsewhere"};
	struct s3_body body = {NULL, 0};
	struct seen seen = {.sync = s};

	s3_tagging_header(tags, 2, &tagging);
	assert_string_equal(buf_str(&tagging), "a=1%20%26%202&b%3D=");
	meta.tagging = buf_str(&tagging);
	sync_begin(s);
	s3_put(s->client, KEY("enc"), &meta, &body, 0, sync_on_put, s);
	sync_wait(s);
	assert_int_equal(s->err.cls, S3_OK);
	buf_free(&tagging);
	sync_begin(s);
	s3_head(s->client, KEY("enc"), BYTES_NONE, 0, on_head, &seen);
	sync_wait(s);
	assert_string_equal(seen.encryption, "aws:kms");
	assert_string_equal(seen.kms_key_id, "key-7");
	assert_string_equal(seen.redirect, "/elsewhere");
	assert_int_equal(seen.tag_count, 2);
	assert_int_equal(get_tags(s, KEY("enc")), S3_OK);
	assert_string_equal(buf_str(&s->keys), "a=1 & 2\nb==\n");
}

/* Replies cut at every byte are no set of tags, and never a shorter one. */
static void test_cut_reply(void **state)
{
	static const char text[] =
		"<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>";
	struct s3_xml_reply *reply = s3_xml_reply_new();
	struct s3_xml_fields fields;
	struct s3_xml_fault fault;
	size_t len;

	(void)state;
	for (len = 0; len < sizeof(text); len++) {
		enum s3_xml_status status;

		s3_xml_reply_reset(reply, S3_ROOT_TAGGING);
		s3_xml_reply_feed(reply, text, len);
		status = s3_xml_reply_end(reply, &fields, &fault);
		assert_true((status == S3_XML_OK) == (len == sizeof(text) - 1));
	}
	assert_int_equal(fields.tag_count, 1);
	assert_memory_equal(fields.tags[0].key.ptr, "k", 1);
	assert_memory_equal(fields.tags[0].value.ptr, "v", 1);
	s3_xml_reply_free(reply);
}

#define WITH_CLIENT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CLIENT(test_tags),
		WITH_CLIENT(test_refused_tags),
		WITH_CLIENT(test_put_with_tags_and_encryption),
		cmocka_unit_test(test_cut_reply),
	};
	int failed;

	alarm(WATCHDOG_S);
	s3d_start(&server);
	clearenv();
	setenv("AWS_ACCESS_KEY_ID", "s3dkey", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "s3dsecret", 1);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	s3d_stop(&server);
	return failed;
}
