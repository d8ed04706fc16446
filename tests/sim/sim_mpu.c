/* Multipart uploads of the simulated S3. Parts are copied when they arrive. One thread. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim_s3.h"
#include "util/clk.h"
#include "util/mem.h"

#define PARTS_MAX 64

struct upload {
	struct upload *next;
	char id[32];
	char *parts[PARTS_MAX];
	size_t lens[PARTS_MAX];
	unsigned mode;
};

static struct upload *uploads;
static unsigned next_id;

static struct upload *upload_find(struct s3_op *op)
{
	struct upload *u;

	for (u = uploads; u; u = u->next)
		if (!strcmp(u->id, op->upload_id))
			return u;
	op_set(&op->err, S3_NOT_FOUND, ENOENT, "NoSuchUpload");
	return NULL;
}

static void upload_free(struct upload *u)
{
	struct upload **at;
	size_t i;

	for (at = &uploads; *at != u; at = &(*at)->next)
		;
	*at = u->next;
	for (i = 0; i < PARTS_MAX; i++)
		free(u->parts[i]);
	free(u);
}

void uploads_clear(void)
{
	while (uploads)
		upload_free(uploads);
	next_id = 0;
}

size_t uploads_open(void)
{
	const struct upload *u;
	size_t n = 0;

	for (u = uploads; u; u = u->next)
		n++;
	return n;
}

static void create_effect(struct s3_op *op)
{
	struct upload *u = mem_zalloc(sizeof(*u));

	snprintf(u->id, sizeof(u->id), "upload-%u", ++next_id);
	u->mode = op->mode;
	snprintf(op->upload_id, sizeof(op->upload_id), "%s", u->id);
	u->next = uploads;
	uploads = u;
}

static void create_finish(struct s3_op *op)
{
	((s3_create_fn *)op->done)(op->ctx, &op->err, BYTES_STR(op->upload_id));
}

struct s3_op *s3_mpu_create(struct s3_client *c, struct bytes key, const struct s3_meta *meta,
	unsigned flags, s3_create_fn *done, void *ctx)
{
	struct s3_op *op =
		op_new(OP_CREATE, key, flags, create_effect, create_finish, (void *)done, ctx);

	(void)c;
	op->mode = op_mode(meta);
	op_start(op);
	return op;
}

static void part_store(struct s3_op *op, const char *data, size_t len)
{
	struct upload *u = upload_find(op);

	if (!u)
		return;
	if (!op->number || op->number > PARTS_MAX)
		sim_fail("part number %u", op->number);
	free(u->parts[op->number - 1]);
	u->parts[op->number - 1] = mem_dup(data, len);
	u->lens[op->number - 1] = len;
	snprintf(
		op->etag, sizeof(op->etag), "%032llx", (unsigned long long)content_hash(data, len));
}

static void part_effect(struct s3_op *op)
{
	size_t len;
	char *data = body_join(&op->body_copy, &len);

	part_store(op, data, len);
	free(data);
}

static void put_finish(struct s3_op *op)
{
	struct s3_put_result result = {.etag = BYTES_STR(op->etag)};

	((s3_put_fn *)op->done)(op->ctx, &op->err, &result);
}

struct s3_op *s3_mpu_part(struct s3_client *c, struct bytes key, struct bytes upload_id,
	unsigned number, const struct s3_body *body, unsigned flags, s3_put_fn *done, void *ctx)
{
	struct s3_op *op = op_new(OP_PART, key, flags, part_effect, put_finish, (void *)done, ctx);

	(void)c;
	op_etag(upload_id, op->upload_id, sizeof(op->upload_id));
	op->number = number;
	op->body_copy = *body;
	op_start(op);
	return op;
}

static void part_copy_effect(struct s3_op *op)
{
	const struct object *o = op_source(op, BYTES(op->source, op->source_len));

	if (!o)
		return;
	if (op->size_bytes && op->offset + op->size_bytes > o->len)
		op_set(&op->err, S3_INVALID, EINVAL, "InvalidArgument");
	else
		part_store(
			op, o->data + op->offset, op->size_bytes ? (size_t)op->size_bytes : o->len);
}

struct s3_op *s3_mpu_part_copy(struct s3_client *c, const struct s3_part_copy_params *params,
	unsigned flags, s3_put_fn *done, void *ctx)
{
	struct s3_op *op = op_new(
		OP_PART_COPY, params->key, flags, part_copy_effect, put_finish, (void *)done, ctx);

	(void)c;
	op_etag(params->upload_id, op->upload_id, sizeof(op->upload_id));
	op_etag(params->source_etag, op->if_match, sizeof(op->if_match));
	op->number = params->number;
	op->source = mem_dup(params->source_key.ptr, params->source_key.len);
	op->source_len = params->source_key.len;
	op->offset = params->offset;
	op->size_bytes = params->len;
	op_start(op);
	return op;
}

static void complete_effect(struct s3_op *op)
{
	struct upload *u = upload_find(op);
	char *data = mem_zalloc(1);
	size_t len = 0, i;

	for (i = 0; u && i < op->part_count; i++) {
		unsigned n = op->parts[i].number;
		char etag[48];

		if (n != i + 1 || n > PARTS_MAX || !u->parts[n - 1]) {
			op_set(&op->err, S3_FAILED, EIO, "InvalidPart");
			break;
		}
		snprintf(etag, sizeof(etag), "%032llx",
			(unsigned long long)content_hash(u->parts[n - 1], u->lens[n - 1]));
		if (!bytes_equal(op->parts[i].etag, BYTES_STR(etag)))
			op_set(&op->err, S3_FAILED, EIO, "InvalidPart");
		data = mem_resize(data, len + u->lens[n - 1] + 1, 1);
		memcpy(data + len, u->parts[n - 1], u->lens[n - 1]);
		len += u->lens[n - 1];
	}
	if (op->err.cls == S3_OK && len != op->size_bytes)
		op_set(&op->err, S3_INVALID, EINVAL, "InvalidRequest");
	if (op->err.cls == S3_OK) {
		sim_trace("S3: completed %s", op->key);
		store_put(op_key(op), data, len, (unsigned)op->part_count);
		/* A write that was interrupted may have put a part of its bytes; and what two
		 * write at once is of both. */
		if (sim.interrupts || sim.kills || sim.shared)
			content_note(content_hash(data, len));
		store_set_mode(op_key(op), u->mode);
		snprintf(op->etag, sizeof(op->etag), "%s", store_get(op_key(op))->etag);
		upload_free(u);
	}
	free(data);
}

struct s3_op *s3_mpu_complete(struct s3_client *c, struct bytes key, struct bytes upload_id,
	const struct s3_part *parts, size_t count, uint64_t size_bytes, unsigned flags,
	s3_put_fn *done, void *ctx)
{
	struct s3_op *op =
		op_new(OP_COMPLETE, key, flags, complete_effect, put_finish, (void *)done, ctx);
	size_t i;

	(void)c;
	op_etag(upload_id, op->upload_id, sizeof(op->upload_id));
	op->parts = mem_calloc(count, sizeof(*op->parts));
	op->part_count = count;
	for (i = 0; i < count; i++) {
		op->parts[i].number = parts[i].number;
		op->parts[i].etag =
			BYTES(mem_dup(parts[i].etag.ptr, parts[i].etag.len), parts[i].etag.len);
	}
	op->size_bytes = size_bytes;
	op_start(op);
	return op;
}

static void abort_effect(struct s3_op *op)
{
	struct upload *u = upload_find(op);

	op->err = (struct s3_err){0};
	if (u)
		upload_free(u);
}

static void abort_finish(struct s3_op *op)
{
	((s3_done_fn *)op->done)(op->ctx, &op->err);
}

struct s3_op *s3_mpu_abort(struct s3_client *c, struct bytes key, struct bytes upload_id,
	unsigned flags, s3_done_fn *done, void *ctx)
{
	struct s3_op *op =
		op_new(OP_ABORT, key, flags, abort_effect, abort_finish, (void *)done, ctx);

	(void)c;
	op_etag(upload_id, op->upload_id, sizeof(op->upload_id));
	op_start(op);
	return op;
}
