/*
 * CopyObject (S3 API reference). S3 sends the status 200 before the copy is done: only the reply's
 * root element tells whether it was.
 */
#include "s3/s3_pin.h"

static void copy_complete(struct s3_op *op)
{
	struct s3_put_result result = {.etag = BYTES_LIT("")};

	if (op->err.cls == S3_OK)
		result.etag = op->fields.etag;
	op->done.copy(op->ctx, &op->err, &result, op->err.cls == S3_OK ? op->fields.mtime_ms : 0);
}

static const struct s3_op_type copy_type = {
	.name = "CopyObject",
	.method = "PUT",
	.size = sizeof(struct s3_pinned),
	.root = S3_ROOT_COPY_OBJECT,
	.hold = s3_pin_hold,
	.stop = s3_pin_stop,
	.customer = true,
	.complete = copy_complete,
};

/*
 * A version that is copied back to where it was, and perhaps still is: S3 refuses a copy of an
 * object to itself that changes nothing, and takes one that names a storage class.
 */
static bool is_same_object(const struct s3_client *c, const struct s3_copy_params *params)
{
	return params->source && params->source->settings.version_at_ms &&
	       !strcmp(params->source->settings.bucket, c->settings.bucket) &&
	       bytes_equal(params->source_key, params->key);
}

struct s3_op *s3_copy(struct s3_client *c, const struct s3_copy_params *params, unsigned flags,
	s3_copy_fn *done, void *ctx)
{
	struct s3_op *op = s3_op_new(c, &copy_type, params->key, flags, ctx);
	struct s3_meta meta = {0};

	op->done.copy = done;
	s3_pin((struct s3_pinned *)op, S3_ABLE_COPY, params->source, params->source_key,
		params->source_etag);
	if (params->replace) {
		meta = *params->replace;
		s3_op_header_str(op, "x-amz-metadata-directive", "REPLACE");
	}
	if (params->storage_class)
		meta.storage_class = params->storage_class;
	else if (!params->replace && is_same_object(c, params))
		meta.storage_class = "STANDARD";
	/* Without the directive S3 reads the source's tags, which wants a right of its own. */
	if (!s3_client_copies_tags(c)) {
		meta.tagging = "";
		s3_op_header_str(op, "x-amz-tagging-directive", "REPLACE");
	}
	s3_op_meta(op, &meta);
	return s3_op_start(op);
}
