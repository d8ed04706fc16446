/*
 * A copy by GetObject, pinned to the version that was listed, and PutObject: for servers that have
 * no CopyObject. The source was asked for its metadata (bulk_meta.c), since all of it is sent
 * again. One place in the window covers all of its requests. Core thread only.
 */
#include <stdlib.h>
#include <string.h>

#include "bulk/bulk_int.h"
#include "util/mem.h"

struct relay {
	struct bulk_op *op;
	struct s3_meta *meta; /* owned */
	char *etag;
	struct bulk_fetch fetch;
};

bool relay_wanted(const struct bulk_op *op)
{
	return s3_client_lacks(op->target->client, S3_ABLE_COPY);
}

static void relay_end(struct relay *r, const struct s3_err *err, const struct s3_put_result *result)
{
	struct bulk_op *op = r->op;

	op->relay = NULL;
	if (r->fetch.len)
		fetch_end(&r->fetch);
	s3_meta_free(r->meta);
	free(r->etag);
	free(r);
	copy_over(op, err, result);
}

static void put_done(void *ctx, const struct s3_err *err, const struct s3_put_result *result)
{
	relay_end(ctx, err, result);
}

static void put(struct relay *r)
{
	struct s3_body body = {.runs = &r->fetch.run, .run_count = r->fetch.len > 0};

	s3_put(r->op->target->client, r->op->key, r->meta, &body, S3_NO_RETRY, put_done, r);
}

static void fetched(struct bulk_fetch *f, const struct s3_err *err)
{
	static const struct s3_put_result none;
	struct relay *r = (struct relay *)((char *)f - offsetof(struct relay, fetch));

	if (err->cls == S3_OK)
		put(r);
	else
		relay_end(r, err, &none);
}

static void fetch(struct relay *r)
{
	if (r->fetch.len)
		fetch_begin(&r->fetch);
	else
		put(r);
}

static void tags_in(
	void *ctx, const struct s3_err *err, const struct s3_object_tag *tags, size_t count)
{
	static const struct s3_put_result none;
	struct relay *r = ctx;
	struct s3_err final = *err;

	if (tags_take(r->op, r->meta, &final, tags, count)) {
		fetch(r);
		return;
	}
	r->fetch.len = 0; /* it has not begun */
	relay_end(r, &final, &none);
}

void relay_begin(struct bulk_op *op, const struct s3_object *o, const struct s3_meta *meta)
{
	struct relay *r = mem_zalloc(sizeof(*r));

	op->relay = r;
	r->op = op;
	r->meta = s3_meta_dup(meta);
	r->etag = mem_dup(o->etag.ptr, o->etag.len);
	r->fetch = (struct bulk_fetch){
		.bulk = op->target->bulk,
		.client = op->source->client,
		.key = op->source_key,
		.etag = BYTES(r->etag, o->etag.len),
		.len = (size_t)o->size_bytes,
		.flags = S3_NO_RETRY,
		.ready = fetched,
	};
	if (tags_wanted(op, o))
		s3_get_tags(op->source->client, op->source_key, op->source_etag, S3_NO_RETRY,
			tags_in, r);
	else
		fetch(r);
}
