/*
 * HeadObject, HeadBucket, GetObject and PutObject (S3 API reference). A GET writes straight into
 * the caller's buffer on the I/O thread, never more than was asked for.
 */
#include "s3/s3_int.h"
#include "s3/s3_value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/mem.h"

/* ---- HeadObject, HeadBucket ---- */

static enum http_take no_data(struct s3_op *op, const char *ptr, size_t len)
{
	(void)op;
	(void)ptr;
	(void)len;
	return HTTP_MORE;
}

static void no_check(struct s3_op *op)
{
	(void)op;
}

static void head_check(struct s3_op *op)
{
	uint64_t size;

	/* A page of what stands in between has a length, too, but is no object. */
	if (!s3_value_size(s3_op_answer(op, "content-length"), &size) || !s3_op_answer_etag(op).len)
		s3_err_set(&op->err, S3_TRANSIENT, EIO, "BadAnswer",
			"HeadObject answered without a Content-Length or an ETag");
}

struct user_meta {
	struct s3_header *list;
	size_t count, cap;
};

static void collect_user(void *ctx, const char *name, const char *value)
{
	static const char prefix[] = "x-amz-meta-";
	struct user_meta *u = ctx;

	if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
		return;
	if (u->count == u->cap) {
		u->cap = u->cap ? u->cap * 2 : 8;
		u->list = mem_resize(u->list, u->cap, sizeof(*u->list));
	}
	u->list[u->count++] = (struct s3_header){.name = name + sizeof(prefix) - 1, .value = value};
}

static int64_t answer_mtime_ms(const struct s3_op *op)
{
	int64_t t = http_date_ms(http_header(&op->http.result, "last-modified"));

	return t < 0 ? 0 : t;
}

static void head_complete(struct s3_op *op)
{
	const struct http_result *res = &op->http.result;
	struct s3_object object = {.etag = BYTES_LIT("")};
	struct user_meta user = {0};
	uint64_t tags;

	if (op->err.cls == S3_OK) {
		http_header_each(res, collect_user, &user);
		s3_value_size(s3_op_answer(op, "content-length"), &object.size_bytes);
		object.etag = s3_op_answer_etag(op);
		if (op->version.len)
			object.etag = s3_op_pin(op, object.etag, op->version);
		object.mtime_ms = answer_mtime_ms(op);
		object.content_type = http_header(res, "content-type");
		object.storage_class = http_header(res, "x-amz-storage-class");
		object.cache_control = http_header(res, "cache-control");
		object.content_disposition = http_header(res, "content-disposition");
		object.content_encoding = http_header(res, "content-encoding");
		object.content_language = http_header(res, "content-language");
		object.expires = http_header(res, "expires");
		object.redirect = http_header(res, "x-amz-website-redirect-location");
		object.encryption = http_header(res, "x-amz-server-side-encryption");
		object.kms_key_id = http_header(res, "x-amz-server-side-encryption-aws-kms-key-id");
		object.bucket_key =
			http_header(res, "x-amz-server-side-encryption-bucket-key-enabled");
		object.checksum = s3_sum_algorithm(op);
		object.version_id = http_header(res, "x-amz-version-id");
		if (s3_value_size(s3_op_answer(op, "x-amz-tagging-count"), &tags))
			object.tag_count = (unsigned)(tags < UINT32_MAX ? tags : UINT32_MAX);
		if (!object.version_id && op->version.len)
			object.version_id = op->version.ptr;
		object.user = user.list;
		object.user_count = user.count;
	}
	op->done.head(op->ctx, &op->err, &object);
	free(user.list);
}

static const struct s3_op_type head_type = {
	.name = "HeadObject",
	.method = "HEAD",
	.size = sizeof(struct s3_op),
	.data = no_data,
	.check = head_check,
	.customer = true,
	.complete = head_complete,
};

struct s3_op *s3_head(struct s3_client *c, struct bytes key, struct bytes pin, unsigned flags,
	s3_head_fn *done, void *ctx)
{
	struct s3_op *op;

	if (c->settings.version_at_ms && !pin.len) {
		s3_at_head(c, key, flags, done, ctx);
		return NULL;
	}
	op = s3_op_new(c, &head_type, key, flags, ctx);
	op->done.head = done;
	s3_op_version(op, pin);
	if (flags & S3_CHECKSUM)
		s3_sum_ask(op);
	return s3_op_start(op);
}

static const struct s3_op_type head_bucket_type = {
	.name = "HeadBucket",
	.method = "HEAD",
	.size = sizeof(struct s3_op),
	.data = no_data,
	.check = no_check,
	.complete = s3_op_complete_plain,
};

struct s3_op *s3_head_bucket(struct s3_client *c, unsigned flags, s3_done_fn *done, void *ctx)
{
	struct s3_op *op = s3_op_new(c, &head_bucket_type, BYTES_LIT(""), flags, ctx);

	op->done.plain = done;
	return s3_op_start(op);
}

/* ---- GetObject ---- */

struct get_op {
	struct s3_op op;
	char *target;
	uint64_t offset;
	size_t len;
	struct bytes if_match; /* kept */
	bool whole;            /* asked for without a range */
	/* Of this attempt; I/O thread until it is done. */
	uint64_t skip; /* bytes before the range: the server sends the whole object */
	uint64_t size_bytes;
	size_t got;
	const char *differs; /* the header that says so; NULL: nothing does */
};

static void get_reset(struct s3_op *op)
{
	struct get_op *g = (struct get_op *)op;

	g->skip = g->size_bytes = 0;
	g->got = 0;
	g->differs = NULL;
}

/* Is it the version that was asked for? What stands in between, a portal say, sends what it likes.
 * A weak ETag (RFC 9110, 8.8.1) is what some proxies make of it. */
static bool get_is_pinned(const struct get_op *g)
{
	struct bytes etag = s3_op_answer(&g->op, "etag");

	if (!g->if_match.len)
		return true;
	if (bytes_starts(etag, BYTES_LIT("W/")))
		etag = BYTES(etag.ptr + 2, etag.len - 2);
	return bytes_equal(s3_etag_unquoted(etag), g->if_match);
}

static enum http_take get_begin(struct s3_op *op)
{
	struct get_op *g = (struct get_op *)op;
	uint64_t first;

	if (!get_is_pinned(g))
		return HTTP_REFUSE;
	if (op->http.result.status == 206) {
		if (!s3_value_range(s3_op_answer(op, "content-range"), &first, &g->size_bytes) ||
			first != g->offset)
			return HTTP_REFUSE;
		return HTTP_MORE;
	}
	/* A server that does not know ranges sends all of it (RFC 9110, 14.2). */
	if (op->http.result.status != 200 ||
		!s3_value_size(s3_op_answer(op, "content-length"), &g->size_bytes))
		return HTTP_REFUSE;
	/* Of this version it is known how long it is. */
	if (g->whole && g->size_bytes != g->len)
		return HTTP_REFUSE;
	g->skip = g->offset;
	return g->offset >= g->size_bytes ? HTTP_ENOUGH : HTTP_MORE;
}

static enum http_take get_data(struct s3_op *op, const char *ptr, size_t len)
{
	struct get_op *g = (struct get_op *)op;
	size_t room = g->len - g->got;

	if (g->skip >= len) {
		g->skip -= len;
		return HTTP_MORE;
	}
	ptr += g->skip;
	len -= (size_t)g->skip;
	g->skip = 0;
	if (len > room) {
		memcpy(g->target + g->got, ptr, room);
		g->got = g->len;
		return HTTP_ENOUGH;
	}
	memcpy(g->target + g->got, ptr, len);
	g->got += len;
	if (g->whole && g->got == g->size_bytes && op->http.result.status == 200)
		g->differs = s3_sum_differs(op, BYTES(g->target, g->got));
	return HTTP_MORE;
}

static void get_check(struct s3_op *op)
{
	struct get_op *g = (struct get_op *)op;
	uint64_t left = g->offset < g->size_bytes ? g->size_bytes - g->offset : 0;

	if (g->got != (left < g->len ? left : g->len))
		s3_err_set(&op->err, S3_TRANSIENT, EIO, "BadAnswer",
			"GetObject gave %zu bytes where %" PRIu64 " were to come", g->got,
			left < g->len ? left : (uint64_t)g->len);
	else if (g->differs)
		s3_err_set(&op->err, S3_TRANSIENT, EIO, "ChecksumMismatch",
			"the bytes that came are not those of %s", g->differs);
}

/* 416: the range begins at or past the object's end. Its Content-Range tells where that is. */
static void get_forgive(struct s3_op *op)
{
	struct get_op *g = (struct get_op *)op;
	struct bytes range = s3_op_answer(op, "content-range");
	struct bytes prefix = BYTES_LIT("bytes */");

	if (op->http.result.code != HTTP_DONE || op->http.result.status != 416)
		return;
	memset(&op->err, 0, sizeof(op->err));
	g->got = 0;
	if (!bytes_starts(range, prefix) ||
		!s3_value_size(
			BYTES(range.ptr + prefix.len, range.len - prefix.len), &g->size_bytes))
		g->size_bytes = 0;
}

static void get_complete(struct s3_op *op)
{
	struct get_op *g = (struct get_op *)op;
	struct s3_get_result result = {.etag = BYTES_LIT("")};

	if (op->err.cls == S3_OK) {
		result.got = g->got;
		result.size_bytes = g->size_bytes;
		result.etag = s3_op_answer_etag(op);
		result.mtime_ms = answer_mtime_ms(op);
	}
	op->done.get(op->ctx, &op->err, &result);
}

static const struct s3_op_type get_type = {
	.name = "GetObject",
	.method = "GET",
	.size = sizeof(struct get_op),
	.reset = get_reset,
	.begin = get_begin,
	.data = get_data,
	.check = get_check,
	.forgive = get_forgive,
	.customer = true,
	.complete = get_complete,
};

/* Large bodies in few pieces, small ones without a large buffer. */
static size_t buffer_bytes(size_t len)
{
	return len >= (size_t)1 << 20    ? (size_t)512 << 10
	       : len >= (size_t)64 << 10 ? (size_t)64 << 10
					 : 0;
}

struct s3_op *s3_get(struct s3_client *c, struct bytes key, struct bytes if_match, uint64_t offset,
	char *target, size_t len, unsigned flags, s3_get_fn *done, void *ctx)
{
	struct s3_op *op = s3_op_new(c, &get_type, key, flags, ctx);
	struct get_op *g = (struct get_op *)op;
	char range[64];

	op->done.get = done;
	s3_op_version(op, if_match);
	if_match = s3_pin_etag(c, if_match);
	g->target = target;
	g->offset = offset;
	g->len = len;
	g->if_match = BYTES(s3_op_keep(op, if_match), if_match.len);
	op->http.buffer_bytes = buffer_bytes(len);
	g->whole = flags & S3_WHOLE && c->sums.reads && if_match.len && !offset;
	if (g->whole)
		s3_sum_ask(op);
	snprintf(range, sizeof(range), "bytes=%" PRIu64 "-%" PRIu64, offset,
		offset > UINT64_MAX - len ? UINT64_MAX : offset + len - 1);
	if (!g->whole)
		s3_op_header_str(op, "range", range);
	s3_op_header_etag(op, "if-match", if_match);
	return s3_op_start(op);
}

/* ---- PutObject ---- */

static const struct s3_op_type put_type = {
	.name = "PutObject",
	.method = "PUT",
	.size = sizeof(struct s3_op),
	.payload = S3_PAYLOAD_DATA,
	.customer = true,
	.complete = s3_op_complete_put,
};

struct s3_op *s3_put(struct s3_client *c, struct bytes key, const struct s3_meta *meta,
	const struct s3_body *body, unsigned flags, s3_put_fn *done, void *ctx)
{
	struct s3_op *op = s3_op_new(c, &put_type, key, flags, ctx);

	op->done.put = done;
	s3_op_meta(op, meta);
	s3_op_body(op, body);
	s3_sum_body(op, S3_SUMS_PUT);
	return s3_op_start(op);
}
