/*
 * A copy that changes metadata: REPLACE leaves nothing of the source's, so it is asked for first
 * (HeadObject) and sent again with the changes. Core thread only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bulk/bulk_int.h"
#include "util/mem.h"

static bool is_patched(const struct bulk_op *op, const char *name)
{
	size_t i;

	for (i = 0; i < op->patch_count; i++)
		if (!strcmp(op->patch[i].name, name))
			return true;
	return false;
}

static const char *user_value(const struct s3_object *o, const char *name)
{
	size_t i;

	for (i = 0; i < o->user_count; i++)
		if (!strcmp(o->user[i].name, name))
			return o->user[i].value;
	return NULL;
}

/* Only the name's own attributes change: the object stays what it was in every other respect. */
static bool is_self_copy(const struct bulk_op *op)
{
	return op->source == op->target && bytes_equal(op->source_key, op->key);
}

struct s3_meta meta_patched(
	const struct bulk_op *op, const struct s3_object *o, struct s3_header **headers)
{
	bool self = is_self_copy(op);
	size_t count = 0, i;

	*headers = mem_calloc(o->user_count + op->patch_count + 1, sizeof(**headers));
	for (i = 0; i < o->user_count; i++)
		if (!is_patched(op, o->user[i].name))
			(*headers)[count++] = o->user[i];
	for (i = 0; i < op->patch_count; i++)
		if (op->patch[i].value)
			(*headers)[count++] = op->patch[i];
	if (op->if_absent && !is_patched(op, op->if_absent->name) &&
		!user_value(o, op->if_absent->name))
		(*headers)[count++] = *op->if_absent;
	return (struct s3_meta){
		.content_type = op->content_type ? op->content_type : o->content_type,
		.storage_class = op->storage_class ? op->storage_class : o->storage_class,
		.cache_control = o->cache_control,
		.content_disposition = o->content_disposition,
		.content_encoding = o->content_encoding,
		.content_language = o->content_language,
		.expires = o->expires,
		/* Another object is encrypted as its bucket says, as with every CopyObject. */
		.redirect = self ? o->redirect : NULL,
		.encryption = self ? o->encryption : NULL,
		.kms_key_id = self ? o->kms_key_id : NULL,
		.bucket_key = self ? o->bucket_key : NULL,
		.user = *headers,
		.user_count = count,
	};
}

/*
 * The answer of an earlier attempt was lost, and the object is what that attempt was to make of
 * itself: a multipart object, which gets another ETag by it.
 */
static bool is_done(const struct bulk_op *op, const struct s3_object *o)
{
	size_t i;

	if (!op->retry.attempts || op->source != op->target ||
		!bytes_equal(op->key, op->source_key) || o->size_bytes != op->size_bytes)
		return false;
	for (i = 0; i < op->patch_count; i++) {
		const char *value = user_value(o, op->patch[i].name);

		if (value != op->patch[i].value &&
			(!value || !op->patch[i].value || strcmp(value, op->patch[i].value) != 0))
			return false;
	}
	return true;
}

static void headed(void *ctx, const struct s3_err *err, const struct s3_object *o)
{
	static const struct s3_err changed = {.cls = S3_CHANGED,
		.errnum = ESTALE,
		.code = "SourceChanged",
		.message = "the source changed since it was listed"};
	struct bulk_op *op = ctx;
	struct s3_header *headers;
	struct s3_meta meta;

	if (err->cls == S3_NOT_FOUND && op->or_empty) {
		put_send(op, op->or_empty);
		return;
	}
	if (err->cls == S3_OK && op->source_etag.len && !bytes_equal(o->etag, op->source_etag)) {
		if (is_done(op, o)) {
			copy_found(op, o);
			return;
		}
		err = &changed;
	}
	if (err->cls != S3_OK) {
		copy_failed(op, err);
		return;
	}
	meta = meta_patched(op, o, &headers);
	if (relay_wanted(op))
		relay_begin(op, o, op->whole ? op->whole : &meta);
	else
		copy_send(op, &meta);
	free(headers);
}

void meta_copy_launch(struct bulk_op *op)
{
	s3_head(op->source->client, op->source_key, op->source_etag, S3_NO_RETRY, headed, op);
}
