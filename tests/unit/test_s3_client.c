/* Every operation of the S3 client against s3d, with the keys that clients get wrong. */
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

#include "http_server.h"
#include "s3_sync.h"
#include "s3d_run.h"
#include "util/mem.h"

#define WATCHDOG_S 300
#define KEY(s) BYTES_LIT(s)
#define MD5_HELLO "5d41402abc4b2a76b9719d911017c592"

static struct s3d server;

static const struct bytes odd_keys[] = {
	KEY("plain"),
	KEY("with space"),
	KEY(" lead and trail "),
	KEY("plus+plus"),
	KEY("percent%25%zz"),
	KEY("a//b"),
	KEY("/lead"),
	KEY("a/../b"),
	KEY("a/./b"),
	KEY(".."),
	KEY("dir/"),
	KEY("question?x=1&y=2#z"),
	KEY("quote'\"<>&;"),
	KEY("tilde~*()!@:,$="),
	KEY("umlaut \xc3\xa4\xc3\xb6 \xe4\xb8\xad\xe6\x96\x87 \xf0\x9f\x98\x80"),
	KEY("tab\there"),
	KEY("newline\nhere"),
	KEY("return\rhere"),
	KEY("control\x01\x1fhere"),
	KEY("\x7f"),
	KEY("back\\slash"),
};
#define ODD_COUNT (sizeof(odd_keys) / sizeof(odd_keys[0]))

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

static bool listed(const struct sync *s, struct bytes key)
{
	struct bytes all = buf_bytes(&s->keys);
	size_t at;

	for (at = 0; at + key.len < all.len; at++)
		if (!memcmp(all.ptr + at, key.ptr, key.len) && all.ptr[at + key.len] == '\n' &&
			(at == 0 || all.ptr[at - 1] == '\n'))
			return true;
	return false;
}

static void test_put_get_head(void **state)
{
	struct sync *s = *state;
	char data[64];

	assert_int_equal(sync_put(s, KEY("a"), "hello"), S3_OK);
	assert_string_equal(s->etag, MD5_HELLO);
	memset(data, '#', sizeof(data));
	assert_int_equal(sync_get(s, KEY("a"), 0, data, 5), S3_OK);
	assert_int_equal(s->got, 5);
	assert_int_equal(s->size_bytes, 5);
	assert_string_equal(s->etag, MD5_HELLO);
	assert_true(s->mtime_ms > 1500000000000);
	assert_memory_equal(data, "hello#", 6);
	assert_int_equal(sync_head(s, KEY("a")), S3_OK);
	assert_int_equal(s->size_bytes, 5);
	assert_string_equal(s->etag, MD5_HELLO);
	assert_int_equal(sync_put(s, KEY("empty"), ""), S3_OK);
	assert_int_equal(sync_head(s, KEY("empty")), S3_OK);
	assert_int_equal(s->size_bytes, 0);
}

static void test_get_ranges(void **state)
{
	struct sync *s = *state;
	char data[64];

	sync_put(s, KEY("r"), "0123456789");
	memset(data, '#', sizeof(data));
	assert_int_equal(sync_get(s, KEY("r"), 3, data, 4), S3_OK);
	assert_int_equal(s->got, 4);
	assert_int_equal(s->size_bytes, 10);
	assert_memory_equal(data, "3456#", 5);
	assert_int_equal(sync_get(s, KEY("r"), 8, data, 50), S3_OK);
	assert_int_equal(s->got, 2);
	assert_memory_equal(data, "8956#", 5);
	assert_int_equal(sync_get(s, KEY("r"), 10, data, 5), S3_OK);
	assert_int_equal(s->got, 0);
	assert_int_equal(s->size_bytes, 10);
	assert_int_equal(sync_get(s, KEY("r"), UINT64_MAX - 2, data, 5), S3_OK);
	assert_int_equal(s->got, 0);
	sync_put(s, KEY("empty"), "");
	assert_int_equal(sync_get(s, KEY("empty"), 0, data, 5), S3_OK);
	assert_int_equal(s->got, 0);
	assert_int_equal(s->size_bytes, 0);
	sync_begin(s);
	s3_get(s->client, KEY("r"), KEY("0123456789abcdef0123456789abcdef"), 0, data, 5, 0,
		sync_on_get, s);
	sync_wait(s);
	assert_int_equal(s->err.cls, S3_CHANGED);
	assert_int_equal(s->err.errnum, ESTALE);
}

/* A server that does not know ranges; and one that sends another than it was asked for. */
static void test_get_range_ignored(void **state)
{
	struct http_server *other = http_server_start();
	struct sync s;
	char data[64], endpoint[64];

	(void)state;
	snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d", http_server_port(other));
	sync_open(&s, endpoint, &(struct s3_config){.no_sign_request = true});
	s.flags = S3_NO_RETRY;
	memset(data, '#', sizeof(data));
	assert_int_equal(sync_get(&s, KEY("digits"), 3, data, 4), S3_OK);
	assert_int_equal(s.got, 4);
	assert_int_equal(s.size_bytes, 20);
	assert_memory_equal(data, "3456#", 5);
	assert_int_equal(sync_get(&s, KEY("digits"), 18, data, 10), S3_OK);
	assert_int_equal(s.got, 2);
	assert_memory_equal(data, "8956#", 5);
	assert_int_equal(sync_get(&s, KEY("digits"), 20, data, 10), S3_OK);
	assert_int_equal(s.got, 0);
	assert_int_equal(sync_get(&s, KEY("other-range"), 3, data, 4), S3_TRANSIENT);
	assert_int_equal(sync_get(&s, KEY("short-range"), 0, data, 10), S3_TRANSIENT);
	assert_int_equal(sync_get(&s, KEY("cut"), 0, data, 50), S3_TRANSIENT);
	sync_close(&s);
	http_server_stop(other);
}

static void test_metadata(void **state)
{
	struct sync *s = *state;
	struct s3_header user[] = {{"mode", "33188"}, {"note", "a  b;c"}, {"empty", ""}};
	struct s3_meta meta = {.content_type = "text/x-test",
		.storage_class = "STANDARD_IA",
		.user = user,
		.user_count = 3};
	struct s3_meta other = {.content_type = "text/y-test", .user = user, .user_count = 1};
	struct s3_copy_params p = {.key = KEY("m2"), .source_key = KEY("m")};
	struct bytes runs[] = {KEY("one"), KEY("two"), KEY("")};
	struct s3_body body = {runs, 3};

	sync_begin(s);
	s3_put(s->client, KEY("m"), &meta, &body, 0, sync_on_put, s);
	sync_wait(s);
	assert_int_equal(s->err.cls, S3_OK);
	assert_int_equal(sync_head(s, KEY("m")), S3_OK);
	assert_int_equal(s->size_bytes, 6);
	assert_string_equal(s->content_type, "text/x-test");
	assert_string_equal(s->storage_class, "STANDARD_IA");
	assert_non_null(strstr(s->user, "mode=33188;"));
	assert_non_null(strstr(s->user, "note=a"));
	/* Kept by a plain copy, but for the class. */
	assert_int_equal(sync_copy(s, KEY("m"), KEY("m2")), S3_OK);
	sync_head(s, KEY("m2"));
	assert_string_equal(s->content_type, "text/x-test");
	assert_string_equal(s->storage_class, "-");
	assert_non_null(strstr(s->user, "mode=33188;"));
	/* Replaced on demand. */
	p.replace = &other;
	p.storage_class = "STANDARD_IA";
	sync_begin(s);
	s3_copy(s->client, &p, 0, sync_on_copy, s);
	sync_wait(s);
	assert_int_equal(s->err.cls, S3_OK);
	sync_head(s, KEY("m2"));
	assert_string_equal(s->content_type, "text/y-test");
	assert_string_equal(s->storage_class, "STANDARD_IA");
	assert_string_equal(s->user, "mode=33188;");
}

static void test_bad_metadata(void **state)
{
	struct sync *s = *state;
	struct s3_header user[] = {{"note", "a\r\nx-amz-acl: public-read"}};
	struct s3_meta meta = {.user = user, .user_count = 1};
	struct s3_body body = {NULL, 0};

	sync_begin(s);
	s3_put(s->client, KEY("inject"), &meta, &body, 0, sync_on_put, s);
	sync_wait(s);
	assert_int_equal(s->err.cls, S3_INVALID);
	assert_int_equal(sync_head(s, KEY("inject")), S3_NOT_FOUND);
}

static void test_copy(void **state)
{
	struct sync *s = *state;
	struct s3_copy_params p = {.key = KEY("c2"), .source_key = KEY("c1")};
	struct sync two;
	char data[16];

	sync_put(s, KEY("c1"), "hello");
	p.source_etag = KEY(MD5_HELLO);
	sync_begin(s);
	s3_copy(s->client, &p, 0, sync_on_copy, s);
	sync_wait(s);
	assert_int_equal(s->err.cls, S3_OK);
	assert_string_equal(s->etag, MD5_HELLO);
	assert_true(s->mtime_ms > 1500000000000);
	assert_int_equal(sync_get(s, KEY("c2"), 0, data, 5), S3_OK);
	assert_memory_equal(data, "hello", 5);
	p.source_etag = KEY("0123456789abcdef0123456789abcdef");
	p.key = KEY("c3");
	sync_begin(s);
	s3_copy(s->client, &p, 0, sync_on_copy, s);
	sync_wait(s);
	assert_int_equal(s->err.cls, S3_CHANGED);
	assert_int_equal(sync_head(s, KEY("c3")), S3_NOT_FOUND);
	assert_int_equal(sync_copy(s, KEY("nowhere"), KEY("c3")), S3_NOT_FOUND);
	assert_string_equal(s->err.code, "NoSuchKey");
	assert_int_equal(s->err.errnum, ENOENT);
	assert_true(s->err.request_id[0] != '\0');
	/* From another client's bucket. */
	sync_open(&two, server.endpoint, &(struct s3_config){.bucket = "two"});
	s3d_tell(&server, "POST", "/-/put?bucket=two&key=x", "other");
	p = (struct s3_copy_params){.key = KEY("c4"), .source = two.client, .source_key = KEY("x")};
	sync_begin(s);
	s3_copy(s->client, &p, 0, sync_on_copy, s);
	sync_wait(s);
	assert_int_equal(s->err.cls, S3_OK);
	assert_int_equal(sync_get(s, KEY("c4"), 0, data, 5), S3_OK);
	assert_memory_equal(data, "other", 5);
	sync_close(&two);
}

static void test_odd_keys(void **state)
{
	struct sync *s = *state;
	struct s3_list_params all = {.prefix = BYTES_LIT("")};
	char data[16];
	size_t i;

	for (i = 0; i < ODD_COUNT; i++) {
		char *copy = mem_printf("copy of %.*s", (int)odd_keys[i].len, odd_keys[i].ptr);

		assert_int_equal(sync_put(s, odd_keys[i], "odd"), S3_OK);
		assert_int_equal(sync_head(s, odd_keys[i]), S3_OK);
		assert_int_equal(sync_get(s, odd_keys[i], 0, data, 3), S3_OK);
		assert_int_equal(sync_copy(s, odd_keys[i], BYTES_STR(copy)), S3_OK);
		assert_int_equal(sync_head(s, BYTES_STR(copy)), S3_OK);
		free(copy);
	}
	assert_int_equal(sync_list(s, &all), S3_OK);
	for (i = 0; i < ODD_COUNT; i++)
		assert_true(listed(s, odd_keys[i]));
	/* Half of them one by one, all of them in one batch. */
	for (i = 0; i < ODD_COUNT; i += 2)
		assert_int_equal(sync_delete(s, odd_keys[i]), S3_OK);
	assert_int_equal(sync_delete_many(s, odd_keys, ODD_COUNT), S3_OK);
	assert_int_equal(s->count, ODD_COUNT);
	for (i = 0; i < ODD_COUNT; i++)
		assert_int_equal(s->key_errs[i].cls, S3_OK);
	sync_list(s, &all);
	for (i = 0; i < ODD_COUNT; i++) {
		assert_false(listed(s, odd_keys[i]));
		assert_int_equal(sync_head(s, odd_keys[i]), S3_NOT_FOUND);
	}
}

static void test_list(void **state)
{
	struct sync *s = *state;
	struct s3_list_params p = {.prefix = KEY("l/"), .delimiter = true};
	size_t total = 0, pages = 0;
	char token[2048];

	s3d_tell(&server, "POST", "/-/seed",
		"{\"bucket\":\"bkt\",\"prefix\":\"l/sub/\",\"count\":2500,\"size\":3,"
		"\"pattern\":\"f%06d\"}");
	sync_put(s, KEY("l/a"), "hello");
	sync_put(s, KEY("l/z"), "hello");
	assert_int_equal(sync_list(s, &p), S3_OK);
	assert_string_equal(buf_str(&s->keys), "l/a\nl/sub/\nl/z\n");
	assert_int_equal(s->size_bytes, 10);
	assert_false(s->truncated);
	assert_true(s->mtime_ms > 1500000000000);
	p.start_after = KEY("l/a");
	sync_list(s, &p);
	assert_string_equal(buf_str(&s->keys), "l/sub/\nl/z\n");
	p = (struct s3_list_params){.prefix = KEY("l/")};
	do {
		assert_int_equal(sync_list(s, &p), S3_OK);
		total += s->count;
		pages++;
		memcpy(token, s->token, sizeof(token));
		p.token = BYTES_STR(token);
	} while (s->truncated);
	assert_int_equal(total, 2502);
	assert_int_equal(pages, 3);
	p = (struct s3_list_params){.prefix = KEY("l/"), .max_keys = 2};
	sync_list(s, &p);
	assert_string_equal(buf_str(&s->keys), "l/a\nl/sub/f000000\n");
	assert_true(s->truncated);
	p = (struct s3_list_params){.prefix = KEY("nothing here/")};
	assert_int_equal(sync_list(s, &p), S3_OK);
	assert_int_equal(s->count, 0);
}

static void test_delete_thousand(void **state)
{
	struct sync *s = *state;
	struct bytes keys[1000];
	struct s3_list_params p = {.prefix = KEY("many/")};
	unsigned before;
	size_t i;

	s3d_tell(&server, "POST", "/-/seed",
		"{\"bucket\":\"bkt\",\"prefix\":\"many/\",\"count\":1000,\"size\":0,"
		"\"pattern\":\"f%06d\"}");
	for (i = 0; i < 1000; i++) {
		char *key = mem_printf("many/f%06zu", i);

		keys[i] = BYTES_STR(key);
	}
	before = s3d_requests(&server, "DeleteObjects");
	assert_int_equal(sync_delete_many(s, keys, 1000), S3_OK);
	assert_int_equal(s3d_requests(&server, "DeleteObjects"), before + 1);
	sync_list(s, &p);
	assert_int_equal(s->count, 0);
	/* What is not there is deleted. */
	assert_int_equal(sync_delete_many(s, keys, 1000), S3_OK);
	assert_int_equal(s->key_errs[999].cls, S3_OK);
	assert_int_equal(sync_delete(s, keys[0]), S3_OK);
	for (i = 0; i < 1000; i++)
		free((char *)keys[i].ptr);
	assert_int_equal(sync_delete_many(s, NULL, 0), S3_OK);
	assert_int_equal(s->count, 0);
}

/* Only keys that XML cannot carry, more than go at once. */
static void test_delete_singles(void **state)
{
	struct sync *s = *state;
	struct bytes keys[60];
	struct s3_list_params p = {.prefix = KEY("ctl/")};
	unsigned before = s3d_requests(&server, "DeleteObjects");
	size_t i;

	for (i = 0; i < 60; i++) {
		char *key = mem_printf("ctl/\x02%zu", i);

		keys[i] = BYTES_STR(key);
		assert_int_equal(sync_put(s, keys[i], "x"), S3_OK);
	}
	assert_int_equal(sync_delete_many(s, keys, 60), S3_OK);
	assert_int_equal(s3d_requests(&server, "DeleteObjects"), before);
	sync_list(s, &p);
	assert_int_equal(s->count, 0);
	for (i = 0; i < 60; i++)
		free((char *)keys[i].ptr);
}

static void test_delete_too_large(void **state)
{
	struct sync *s = *state;
	struct bytes keys[1000];
	char key[1000];
	size_t i, weight = 0;

	memset(key, '\r', sizeof(key));
	for (i = 0; i < 1000; i++) {
		keys[i] = BYTES(key, sizeof(key));
		weight += s3_delete_weight(keys[i]);
	}
	assert_true(weight > S3_DELETE_BYTES_MAX);
	assert_int_equal(sync_delete_many(s, keys, 1000), S3_INVALID);
	assert_string_equal(s->err.code, "TooLarge");
}

static void upload_part(struct sync *s, const char *id, unsigned number, char *data, size_t len)
{
	struct bytes run = BYTES(data, len);
	struct s3_body body = {&run, 1};

	sync_begin(s);
	s3_mpu_part(s->client, KEY("mp"), BYTES_STR(id), number, &body, 0, sync_on_put, s);
	sync_wait(s);
	assert_int_equal(s->err.cls, S3_OK);
}

static void test_multipart(void **state)
{
	struct sync *s = *state;
	size_t len = (size_t)S3_PART_MIN;
	char *data = mem_calloc(len + 1, 1), id[512], etags[3][128];
	struct s3_meta meta = {.content_type = "text/x-parts"};
	struct s3_part parts[3];
	struct s3_part_copy_params pc = {.key = KEY("mp"), .source_key = KEY("mp-src +%")};
	size_t i;

	memset(data, 'p', len);
	sync_begin(s);
	s3_mpu_create(s->client, KEY("mp"), &meta, 0, sync_on_create, s);
	sync_wait(s);
	assert_int_equal(s->err.cls, S3_OK);
	assert_true(s->upload_id[0] != '\0');
	memcpy(id, s->upload_id, sizeof(id));
	upload_part(s, id, 1, data, len);
	memcpy(etags[0], s->etag, sizeof(s->etag));
	/* The whole source, then a range of it; ranges need a source of more than 5 MiB. */
	data[0] = 'A';
	data[1] = 'B';
	{
		struct bytes run = BYTES(data, len + 1);
		struct s3_body body = {&run, 1};

		sync_begin(s);
		s3_put(s->client, pc.source_key, NULL, &body, 0, sync_on_put, s);
		sync_wait(s);
		assert_int_equal(s->err.cls, S3_OK);
	}
	pc.upload_id = BYTES_STR(id);
	pc.number = 2;
	sync_begin(s);
	s3_mpu_part_copy(s->client, &pc, 0, sync_on_put, s);
	sync_wait(s);
	assert_int_equal(s->err.cls, S3_OK);
	memcpy(etags[1], s->etag, sizeof(s->etag));
	pc.number = 3;
	pc.offset = 1;
	pc.len = 4;
	sync_begin(s);
	s3_mpu_part_copy(s->client, &pc, 0, sync_on_put, s);
	sync_wait(s);
	assert_int_equal(s->err.cls, S3_OK);
	memcpy(etags[2], s->etag, sizeof(s->etag));
	for (i = 0; i < 3; i++)
		parts[i] = (struct s3_part){(unsigned)i + 1, BYTES_STR(etags[i])};
	sync_begin(s);
	s3_mpu_complete(
		s->client, KEY("mp"), BYTES_STR(id), parts, 3, 2 * len + 5, 0, sync_on_put, s);
	sync_wait(s);
	assert_int_equal(s->err.cls, S3_OK);
	assert_non_null(strstr(s->etag, "-3"));
	assert_int_equal(sync_head(s, KEY("mp")), S3_OK);
	assert_int_equal(s->size_bytes, 2 * len + 5);
	assert_string_equal(s->content_type, "text/x-parts");
	assert_int_equal(sync_get(s, KEY("mp"), 2 * len, data, len), S3_OK);
	assert_int_equal(s->got, 5);
	assert_memory_equal(data, "\0Bppp", 5);
	free(data);
}

static void test_multipart_abort(void **state)
{
	struct sync *s = *state;
	char id[512];
	int i;

	sync_begin(s);
	s3_mpu_create(s->client, KEY("gone"), NULL, 0, sync_on_create, s);
	sync_wait(s);
	memcpy(id, s->upload_id, sizeof(id));
	for (i = 0; i < 2; i++) {
		sync_begin(s);
		s3_mpu_abort(s->client, KEY("gone"), BYTES_STR(id), 0, sync_on_done, s);
		sync_wait(s);
		assert_int_equal(s->err.cls, S3_OK);
	}
	sync_begin(s);
	s3_mpu_complete(s->client, KEY("gone"), BYTES_STR(id),
		&(struct s3_part){1, BYTES_LIT(MD5_HELLO)}, 1, 5, 0, sync_on_put, s);
	sync_wait(s);
	assert_int_equal(s->err.cls, S3_NOT_FOUND);
	assert_string_equal(s->err.code, "NoSuchUpload");
	assert_int_equal(sync_head(s, KEY("gone")), S3_NOT_FOUND);
}

static void test_buckets(void **state)
{
	struct sync *s = *state, other;

	sync_begin(s);
	s3_head_bucket(s->client, 0, sync_on_done, s);
	sync_wait(s);
	assert_int_equal(s->err.cls, S3_OK);
	assert_string_equal(s3_client_bucket(s->client), "bkt");
	assert_string_equal(s3_client_endpoint(s->client), server.endpoint);
	sync_open(&other, server.endpoint, &(struct s3_config){.bucket = "no-such-bucket"});
	assert_int_equal(sync_put(&other, KEY("a"), "x"), S3_NOT_FOUND);
	assert_string_equal(other.err.code, "NoSuchBucket");
	assert_int_equal(
		sync_list(&other, &(struct s3_list_params){.prefix = BYTES_LIT("")}), S3_NOT_FOUND);
	assert_string_equal(other.err.code, "NoSuchBucket");
	sync_begin(&other);
	s3_head_bucket(other.client, 0, sync_on_done, &other);
	sync_wait(&other);
	assert_int_equal(other.err.cls, S3_NOT_FOUND);
	sync_close(&other);
}

static void test_large_objects(void **state)
{
	struct sync *s = *state;
	size_t len = (size_t)9 << 20, i;
	char *data = mem_calloc(len, 1), *back = mem_calloc(len + 1, 1);
	struct bytes runs[3] = {BYTES(data, 1000), BYTES(data + 1000, 5000000),
		BYTES(data + 5001000, len - 5001000)};
	struct s3_body body = {runs, 3};

	for (i = 0; i < len; i++)
		data[i] = (char)(i * 2654435761u >> 13);
	sync_begin(s);
	s3_put(s->client, KEY("big"), NULL, &body, 0, sync_on_put, s);
	sync_wait(s);
	assert_int_equal(s->err.cls, S3_OK);
	back[len] = '#';
	assert_int_equal(sync_get(s, KEY("big"), 0, back, len), S3_OK);
	assert_int_equal(s->got, len);
	assert_memory_equal(data, back, len);
	assert_int_equal(back[len], '#');
	free(data);
	free(back);
}

#define WITH_CLIENT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CLIENT(test_put_get_head),
		WITH_CLIENT(test_get_ranges),
		cmocka_unit_test(test_get_range_ignored),
		WITH_CLIENT(test_metadata),
		WITH_CLIENT(test_bad_metadata),
		WITH_CLIENT(test_copy),
		WITH_CLIENT(test_odd_keys),
		WITH_CLIENT(test_list),
		WITH_CLIENT(test_delete_thousand),
		WITH_CLIENT(test_delete_singles),
		WITH_CLIENT(test_delete_too_large),
		WITH_CLIENT(test_multipart),
		WITH_CLIENT(test_multipart_abort),
		WITH_CLIENT(test_buckets),
		WITH_CLIENT(test_large_objects),
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
