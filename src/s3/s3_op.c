/*
 * Building an operation: its memory, query, headers and body; and the small things that several
 * operations do alike with their answers. Core thread only. An operation belongs to its client from
 * s3_op_new on and is freed by s3_attempt.c after its completion.
 */
#include "s3/s3_int.h"

#include <stdlib.h>
#include <string.h>

#include "s3/s3_arn.h"
#include "s3/s3_made.h"
#include "s3/s3_uri.h"
#include "util/mem.h"

/* Most answers are headers and a few hundred bytes; libcurl takes this much for each transfer. */
#define REPLY_BUFFER_BYTES ((size_t)4 << 10)
#define CHUNK_BYTES ((size_t)1536)
#define SOURCE_BYTES_MAX ((size_t)8 << 10)

/* What every request says; there is no owner of all buckets. */
static void add_common_headers(struct s3_op *op)
{
	const struct s3_settings *s = &op->client->settings;

	if (s->requester_pays)
		s3_op_header_str(op, "x-amz-request-payer", "requester");
	if (s->bucket[0])
		s3_op_header_str(op, "x-amz-expected-bucket-owner", s->bucket_owner);
}

struct s3_op *s3_op_new(struct s3_client *c, const struct s3_op_type *type, struct bytes key,
	unsigned flags, void *ctx)
{
	struct s3_op *op = mem_zalloc(type->size);

	op->client = c;
	op->type = type;
	op->flags = flags;
	op->ctx = ctx;
	op->http.method = type->method;
	op->http.buffer_bytes = REPLY_BUFFER_BYTES;
	op->key = BYTES(s3_op_keep(op, key), key.len);
	add_common_headers(op);
	if (type->customer)
		op->customer = s3_customer_key_ref(c->settings.customer);
	return op;
}

char *s3_op_keep(struct s3_op *op, struct bytes data)
{
	struct s3_chunk *chunk = op->chunks;
	char *to;

	if (!chunk || chunk->size - chunk->used <= data.len) {
		size_t size = data.len < CHUNK_BYTES / 2 ? CHUNK_BYTES : data.len + 1;

		chunk = mem_zalloc(sizeof(*chunk) + size);
		chunk->size = size;
		chunk->next = op->chunks;
		op->chunks = chunk;
	}
	to = chunk->data + chunk->used;
	if (data.len)
		memcpy(to, data.ptr, data.len);
	to[data.len] = '\0';
	chunk->used += data.len + 1;
	return to;
}

void s3_op_query(struct s3_op *op, const char *name, struct bytes value)
{
	struct s3_pair *pair = &op->query[op->query_count++];

	pair->name = BYTES_STR(name);
	pair->value = BYTES(s3_op_keep(op, value), value.len);
}

void s3_op_header(struct s3_op *op, const char *name, struct bytes value)
{
	struct s3_pair *pair;

	if (!value.ptr)
		return;
	if (op->header_count == op->header_cap) {
		op->header_cap = op->header_cap ? op->header_cap * 2 : 8;
		op->headers = mem_resize(op->headers, op->header_cap, sizeof(*op->headers));
	}
	pair = &op->headers[op->header_count++];
	pair->name = BYTES(s3_op_keep(op, BYTES_STR(name)), strlen(name));
	pair->value = BYTES(s3_op_keep(op, value), value.len);
}

void s3_op_header_str(struct s3_op *op, const char *name, const char *value)
{
	if (value)
		s3_op_header(op, name, BYTES_STR(value));
}

void s3_op_drop_header(struct s3_op *op, const char *name)
{
	size_t i, kept = 0;

	for (i = 0; i < op->header_count; i++)
		if (strcmp(op->headers[i].name.ptr, name) != 0)
			op->headers[kept++] = op->headers[i];
	op->header_count = kept;
}

void s3_op_header_etag(struct s3_op *op, const char *name, struct bytes etag)
{
	struct buf quoted = BUF_INIT(4096);

	if (!etag.len)
		return;
	buf_addc(&quoted, '"');
	buf_addb(&quoted, etag);
	buf_addc(&quoted, '"');
	/* An ETag that long is none; cut short it matches nothing, which fails safely. */
	s3_op_header(op, name, buf_bytes(&quoted));
	buf_free(&quoted);
}

void s3_op_meta(struct s3_op *op, const struct s3_meta *meta)
{
	struct s3_meta made = {0};
	size_t i;

	if (meta)
		made = *meta;
	s3_object_settings_apply(&op->client->settings.object, &made);
	s3_op_header_str(op, "content-type", made.content_type);
	s3_op_header_str(op, "x-amz-storage-class", made.storage_class);
	s3_op_header_str(op, "cache-control", made.cache_control);
	s3_op_header_str(op, "content-disposition", made.content_disposition);
	s3_op_header_str(op, "content-encoding", made.content_encoding);
	s3_op_header_str(op, "content-language", made.content_language);
	s3_op_header_str(op, "expires", made.expires);
	s3_op_header_str(op, "x-amz-website-redirect-location", made.redirect);
	s3_op_header_str(op, "x-amz-server-side-encryption", made.encryption);
	s3_op_header_str(op, "x-amz-server-side-encryption-aws-kms-key-id", made.kms_key_id);
	s3_op_header_str(op, "x-amz-server-side-encryption-bucket-key-enabled", made.bucket_key);
	s3_op_header_str(op, "x-amz-tagging", made.tagging);
	s3_op_header_str(op, "x-amz-acl", op->client->settings.object.acl);
	for (i = 0; i < made.user_count; i++) {
		char *name = mem_printf("x-amz-meta-%s", made.user[i].name);

		s3_op_header_str(op, name, made.user[i].value);
		free(name);
	}
}

/* A pin is the ETag, a space, which no ETag has (RFC 9110, 8.8.3), and the version's id. */
static struct bytes pin_part(const struct s3_settings *s, struct bytes pin, bool version)
{
	const char *space = pin.len && s->version_at_ms ? memchr(pin.ptr, ' ', pin.len) : NULL;

	if (!space)
		return version ? BYTES_LIT("") : pin;
	return version ? BYTES(space + 1, (size_t)(pin.ptr + pin.len - space - 1))
		       : BYTES(pin.ptr, (size_t)(space - pin.ptr));
}

struct bytes s3_pin_etag(const struct s3_client *c, struct bytes pin)
{
	return pin_part(&c->settings, pin, false);
}

struct bytes s3_pin_version(const struct s3_client *c, struct bytes pin)
{
	return pin_part(&c->settings, pin, true);
}

struct bytes s3_op_pin(struct s3_op *op, struct bytes etag, struct bytes version)
{
	struct buf pin = BUF_INIT(SOURCE_BYTES_MAX);
	struct bytes kept;

	buf_addb(&pin, etag);
	buf_addc(&pin, ' ');
	buf_addb(&pin, version);
	kept = BYTES(s3_op_keep(op, buf_bytes(&pin)), pin.len);
	buf_free(&pin);
	return kept;
}

void s3_op_version(struct s3_op *op, struct bytes pin)
{
	struct bytes version = s3_pin_version(op->client, pin);

	if (!op->client->settings.version_at_ms)
		return;
	/* Without a version it would be that of now. */
	op->no_request = op->refused = !version.len;
	op->version = BYTES(s3_op_keep(op, version), version.len);
	s3_op_query(op, "versionId", version);
}

void s3_op_copy_source(
	struct s3_op *op, const struct s3_client *source, struct bytes key, struct bytes etag)
{
	const struct s3_settings *from = source ? &source->settings : &op->client->settings;
	struct buf path = BUF_INIT(SOURCE_BYTES_MAX);
	struct bytes version = pin_part(from, etag, true);

	s3_uri_path(&path, BYTES_STR(from->bucket));
	buf_adds(&path, s3_is_arn(from->bucket) ? "/object/" : "/");
	s3_uri_path(&path, key);
	if (version.len) {
		buf_adds(&path, "?versionId=");
		s3_uri_query(&path, version);
	} else if (from->version_at_ms) {
		op->no_request = op->refused = true;
	}
	/* A key that does not fit is no key of S3 (1,024 bytes); the empty source is refused there.
	 */
	s3_op_header(op, "x-amz-copy-source", path.failed ? BYTES_LIT("") : buf_bytes(&path));
	buf_free(&path);
	s3_op_header_etag(op, "x-amz-copy-source-if-match", pin_part(from, etag, false));
	s3_op_header_str(op, "x-amz-source-expected-bucket-owner", from->bucket_owner);
	/* One header for both buckets. */
	if (from->requester_pays && !op->client->settings.requester_pays)
		s3_op_header_str(op, "x-amz-request-payer", "requester");
	op->source_customer = s3_customer_key_ref(from->customer);
}

void s3_op_body(struct s3_op *op, const struct s3_body *body)
{
	size_t bytes = body->run_count * sizeof(*body->runs);

	op->http.run_count = body->run_count;
	op->http.runs = NULL;
	if (!body->run_count)
		return;
	op->own_runs = mem_calloc(body->run_count, sizeof(*body->runs));
	memcpy(op->own_runs, body->runs, bytes);
	op->http.runs = op->own_runs;
}

/* ---- answers ---- */

struct bytes s3_op_answer(const struct s3_op *op, const char *name)
{
	const char *value = http_header(&op->http.result, name);

	return value ? BYTES_STR(value) : BYTES_LIT("");
}

struct bytes s3_etag_unquoted(struct bytes etag)
{
	if (etag.len >= 2 && etag.ptr[0] == '"' && etag.ptr[etag.len - 1] == '"')
		return BYTES(etag.ptr + 1, etag.len - 2);
	return etag;
}

struct bytes s3_op_answer_etag(const struct s3_op *op)
{
	return s3_etag_unquoted(s3_op_answer(op, "etag"));
}

void s3_op_complete_plain(struct s3_op *op)
{
	op->done.plain(op->ctx, &op->err);
}

void s3_op_complete_put(struct s3_op *op)
{
	struct s3_put_result result = {.etag = BYTES_LIT("")};

	if (!op->err.cls)
		result.etag = op->fields.etag.len ? op->fields.etag : s3_op_answer_etag(op);
	op->done.put(op->ctx, &op->err, &result);
}
