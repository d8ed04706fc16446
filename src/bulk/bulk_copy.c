/*
 * A copy by one CopyObject, pinned to the version that was listed or opened (contract C7). Retried
 * in bulk.c (bulk_try_again); larger sources are copied in parts by bulk_mpcopy.c.
 */
#include "bulk/bulk_int.h"

static void copy_done(
	void *ctx, const struct s3_err *err, const struct s3_put_result *result, int64_t mtime_ms)
{
	struct bulk_op *op = ctx;

	(void)mtime_ms;
	bulk_landed_one(op->target, &op->launch, err);
	if (err->cls != S3_OK && bulk_try_again(op, err, NULL))
		return;
	if (err->cls == S3_OK && result->etag.len < sizeof(op->etag)) {
		memcpy(op->etag, result->etag.ptr, result->etag.len);
		op->etag[result->etag.len] = '\0';
	}
	bulk_finish(op, err);
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
