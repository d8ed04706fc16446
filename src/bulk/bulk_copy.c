/*
 * A copy by one CopyObject, pinned to the version that was listed or opened (contract C7). Retried
 * in bulk.c (bulk_try_again); larger sources are copied in parts by bulk_mpcopy.c.
 */
#include <string.h>

#include "bulk/bulk_int.h"
#include "s3/s3_errcode.h"

void copy_tags_denied(struct s3_err *err)
{
	struct s3_err was = *err;

	s3_err_set(err, was.cls, was.errnum, was.code,
		"the source's tags may not be read (-o copy_tags=no copies without them): %s",
		was.message);
	err->http_status = was.http_status;
	memcpy(err->request_id, was.request_id, sizeof(err->request_id));
}

/* S3 names the action that is not allowed. */
static bool is_about_tags(const struct s3_err *err)
{
	return err->cls == S3_DENIED && strstr(err->message, "s3:GetObjectTagging");
}

static void copy_done(
	void *ctx, const struct s3_err *err, const struct s3_put_result *result, int64_t mtime_ms)
{
	struct bulk_op *op = ctx;
	struct s3_err final = *err;

	(void)mtime_ms;
	bulk_landed_one(op->target, &op->launch, err);
	if (err->cls != S3_OK && bulk_try_again(op, err, NULL))
		return;
	if (err->cls == S3_OK && result->etag.len < sizeof(op->etag)) {
		memcpy(op->etag, result->etag.ptr, result->etag.len);
		op->etag[result->etag.len] = '\0';
	}
	if (is_about_tags(err))
		copy_tags_denied(&final);
	bulk_finish(op, &final);
}

void copy_failed(struct bulk_op *op, const struct s3_err *err)
{
	static const struct s3_put_result none;

	copy_done(op, err, &none, 0);
}

void copy_found(struct bulk_op *op, const struct s3_object *o)
{
	static const struct s3_err good;
	struct s3_put_result result = {.etag = o->etag};

	copy_done(op, &good, &result, o->mtime_ms);
}

void copy_launch(struct bulk_op *op)
{
	if (op->whole)
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
