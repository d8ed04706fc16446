/*
 * A copy by one CopyObject, pinned to the version that was listed or opened (contract C7). Retried
 * in bulk.c (bulk_try_again); larger sources are copied in parts by bulk_mpcopy.c.
 */
#include <string.h>

#include "bulk/bulk_int.h"
#include "s3/s3_errcode.h"

/* Ten tags of 128 and 256 characters, all escaped. */
#define TAGGING_BYTES_MAX ((size_t)64 << 10)

static void tags_denied(struct s3_err *err)
{
	struct s3_err was = *err;

	s3_err_set(err, was.cls, was.errnum, was.code,
		"the source's tags may not be read (-o copy_tags=no copies without them): %s",
		was.message);
	err->http_status = was.http_status;
	memcpy(err->request_id, was.request_id, sizeof(err->request_id));
}

bool tags_wanted(const struct bulk_op *op, const struct s3_object *o)
{
	return o->tag_count && s3_client_copies_tags(op->target->client) &&
	       !s3_client_lacks(op->source->client, S3_ABLE_TAGS);
}

bool tags_take(const struct bulk_op *op, struct s3_meta *meta, struct s3_err *err,
	const struct s3_object_tag *tags, size_t count)
{
	struct buf text = BUF_INIT(TAGGING_BYTES_MAX);

	if (err->cls == S3_DENIED)
		tags_denied(err);
	if (err->cls != S3_OK)
		return s3_client_lacks(op->source->client, S3_ABLE_TAGS);
	s3_tagging_header(tags, count, &text);
	if (count)
		meta->tagging = buf_take(&text);
	return true;
}

/* S3 names the action that is not allowed. */
static bool is_about_tags(const struct s3_err *err)
{
	return err->cls == S3_DENIED && strstr(err->message, "s3:GetObjectTagging");
}

void copy_over(struct bulk_op *op, const struct s3_err *err, const struct s3_put_result *result)
{
	struct s3_err final = *err;

	bulk_landed_one(op->target, &op->launch, err);
	if (err->cls != S3_OK && bulk_try_again(op, err, NULL))
		return;
	if (err->cls == S3_OK && result->etag.len < sizeof(op->etag)) {
		memcpy(op->etag, result->etag.ptr, result->etag.len);
		op->etag[result->etag.len] = '\0';
	}
	if (is_about_tags(err))
		tags_denied(&final);
	bulk_finish(op, &final);
}

static void copy_done(
	void *ctx, const struct s3_err *err, const struct s3_put_result *result, int64_t mtime_ms)
{
	struct bulk_op *op = ctx;

	(void)mtime_ms;
	if (err->cls == S3_OK || err->cls == S3_CANCELLED || !relay_wanted(op)) {
		copy_over(op, err, result);
		return;
	}
	/* The server does not copy: it begins anew, in another way. */
	bulk_landed_one(op->target, &op->launch, err);
	TAILQ_INSERT_HEAD(&op->target->ready, op, link);
}

void copy_failed(struct bulk_op *op, const struct s3_err *err)
{
	static const struct s3_put_result none = {.etag = BYTES_LIT("")};

	copy_over(op, err, &none);
}

void copy_found(struct bulk_op *op, const struct s3_object *o)
{
	static const struct s3_err good;
	struct s3_put_result result = {.etag = o->etag};

	copy_over(op, &good, &result);
}

void copy_launch(struct bulk_op *op)
{
	if (relay_wanted(op))
		meta_copy_launch(op);
	else if (op->whole)
		copy_send(op, op->whole);
	else if (op->patch_count || op->content_type || op->if_absent)
		meta_copy_launch(op);
	else
		copy_send(op, NULL);
}

void copy_send(struct bulk_op *op, const struct s3_meta *replace)
{
	struct s3_copy_params params = {
		.key = op->key,
		.source = op->source->client,
		.source_key = op->source_key,
		.source_etag = op->source_etag,
		.replace = replace,
		.storage_class = op->storage_class,
	};

	s3_copy(op->target->client, &params, S3_NO_RETRY, copy_done, op);
}
