/* The S3 client made synchronous for tests: see s3_sync.h. One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "s3_sync.h"

static void keep(char *to, size_t size, struct bytes from)
{
	assert_true(from.len < size);
	if (from.len)
		memcpy(to, from.ptr, from.len);
	to[from.len] = '\0';
}

static void keep_str(char *to, size_t size, const char *from)
{
	keep(to, size, from ? BYTES_STR(from) : BYTES_LIT("-"));
}

static struct sync *over(void *ctx, const struct s3_err *err)
{
	struct sync *s = ctx;

	s->done++;
	s->err = *err;
	return s;
}

void sync_on_list(void *ctx, const struct s3_err *err, const struct s3_list_page *page)
{
	struct sync *s = over(ctx, err);
	size_t i;

	s->count = page->count;
	s->truncated = page->truncated;
	keep(s->token, sizeof(s->token), page->next_token);
	for (i = 0; i < page->count; i++) {
		buf_addb(&s->keys, page->entries[i].key);
		buf_addc(&s->keys, '\n');
		s->size_bytes += page->entries[i].size_bytes;
		if (!page->entries[i].is_prefix)
			s->mtime_ms = page->entries[i].mtime_ms;
	}
}

void sync_on_head(void *ctx, const struct s3_err *err, const struct s3_object *object)
{
	struct sync *s = over(ctx, err);
	size_t i, at = 0;

	keep(s->etag, sizeof(s->etag), object->etag);
	s->size_bytes = object->size_bytes;
	s->mtime_ms = object->mtime_ms;
	keep_str(s->content_type, sizeof(s->content_type), object->content_type);
	keep_str(s->storage_class, sizeof(s->storage_class), object->storage_class);
	s->user[0] = '\0';
	for (i = 0; i < object->user_count && at < sizeof(s->user); i++)
		at += (size_t)snprintf(s->user + at, sizeof(s->user) - at, "%s=%s;",
			object->user[i].name, object->user[i].value);
}

void sync_on_get(void *ctx, const struct s3_err *err, const struct s3_get_result *result)
{
	struct sync *s = over(ctx, err);

	s->got = result->got;
	s->size_bytes = result->size_bytes;
	s->mtime_ms = result->mtime_ms;
	keep(s->etag, sizeof(s->etag), result->etag);
}

void sync_on_put(void *ctx, const struct s3_err *err, const struct s3_put_result *result)
{
	struct sync *s = over(ctx, err);

	keep(s->etag, sizeof(s->etag), result->etag);
}

void sync_on_copy(
	void *ctx, const struct s3_err *err, const struct s3_put_result *result, int64_t mtime_ms)
{
	sync_on_put(ctx, err, result);
	((struct sync *)ctx)->mtime_ms = mtime_ms;
}

void sync_on_done(void *ctx, const struct s3_err *err)
{
	over(ctx, err);
}

void sync_on_delete_many(
	void *ctx, const struct s3_err *err, const struct s3_err *key_errs, size_t count)
{
	struct sync *s = over(ctx, err);

	assert_true(count <= 1000);
	s->count = count;
	memcpy(s->key_errs, key_errs, count * sizeof(*key_errs));
}

void sync_on_create(void *ctx, const struct s3_err *err, struct bytes upload_id)
{
	struct sync *s = over(ctx, err);

	keep(s->upload_id, sizeof(s->upload_id), upload_id);
}

void sync_on_tags(
	void *ctx, const struct s3_err *err, const struct s3_object_tag *tags, size_t count)
{
	struct sync *s = over(ctx, err);
	size_t i;

	s->count = count;
	for (i = 0; i < count; i++) {
		buf_addb(&s->keys, tags[i].key);
		buf_addc(&s->keys, '=');
		buf_addb(&s->keys, tags[i].value);
		buf_addc(&s->keys, '\n');
	}
}

void sync_open(struct sync *s, const char *endpoint, const struct s3_config *config)
{
	struct s3_config full = *config;
	char why[512];

	memset(s, 0, sizeof(*s));
	s->keys = BUF_INIT((size_t)4 << 20);
	s->loop = loop_new();
	assert_non_null(s->loop);
	full.endpoint_url = endpoint;
	if (!full.bucket)
		full.bucket = "bkt";
	s->client = s3_client_new(s->loop, &full, why, sizeof(why));
	if (!s->client)
		fail_msg("no client: %s", why);
}

void sync_close(struct sync *s)
{
	s3_client_free(s->client);
	loop_once(s->loop, 0);
	loop_free(s->loop);
	buf_free(&s->keys);
}

void sync_begin(struct sync *s)
{
	s->done = 0;
	s->size_bytes = 0;
	s->mtime_ms = 0;
	s->got = s->count = 0;
	s->truncated = false;
	buf_cut(&s->keys, 0);
	memset(&s->err, 0xff, sizeof(s->err));
}

void sync_wait(struct sync *s)
{
	assert_int_equal(s->done, 0); /* never inside the call */
	while (!s->done)
		loop_once(s->loop, -1);
	loop_once(s->loop, 0);
	assert_int_equal(s->done, 1);
}

enum s3_class sync_put(struct sync *s, struct bytes key, const char *content)
{
	struct bytes run = BYTES_STR(content);
	struct s3_body body = {.runs = &run, .run_count = 1};

	sync_begin(s);
	s3_put(s->client, key, NULL, &body, s->flags, sync_on_put, s);
	sync_wait(s);
	return s->err.cls;
}

enum s3_class sync_get(struct sync *s, struct bytes key, uint64_t offset, char *target, size_t len)
{
	sync_begin(s);
	s3_get(s->client, key, BYTES_NONE, offset, target, len, s->flags, sync_on_get, s);
	sync_wait(s);
	return s->err.cls;
}

enum s3_class sync_head(struct sync *s, struct bytes key)
{
	sync_begin(s);
	s3_head(s->client, key, BYTES_NONE, s->flags, sync_on_head, s);
	sync_wait(s);
	return s->err.cls;
}

enum s3_class sync_copy(struct sync *s, struct bytes from, struct bytes to)
{
	struct s3_copy_params p = {.key = to, .source_key = from};

	sync_begin(s);
	s3_copy(s->client, &p, s->flags, sync_on_copy, s);
	sync_wait(s);
	return s->err.cls;
}

enum s3_class sync_delete(struct sync *s, struct bytes key)
{
	sync_begin(s);
	s3_delete(s->client, key, s->flags, sync_on_done, s);
	sync_wait(s);
	return s->err.cls;
}

enum s3_class sync_delete_many(struct sync *s, const struct bytes *keys, size_t count)
{
	sync_begin(s);
	s3_delete_many(s->client, keys, count, s->flags, sync_on_delete_many, s);
	sync_wait(s);
	return s->err.cls;
}

enum s3_class sync_list(struct sync *s, const struct s3_list_params *params)
{
	sync_begin(s);
	s3_list(s->client, params, s->flags, sync_on_list, s);
	sync_wait(s);
	return s->err.cls;
}
