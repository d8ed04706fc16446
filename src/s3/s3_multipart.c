/*
 * Multipart uploads: CreateMultipartUpload, UploadPart, UploadPartCopy, CompleteMultipartUpload,
 * AbortMultipartUpload (S3 API reference).
 */
#include "s3/s3_pin.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/mem.h"

/* 10,000 parts with ETags of up to some hundred bytes. */
#define COMPLETE_BYTES_MAX ((size_t)8 << 20)

static void query_part(struct s3_op *op, unsigned number, struct bytes upload_id)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	s3_op_query(op, "partNumber", BYTES_STR(text));
	s3_op_query(op, "uploadId", upload_id);
}

/* ---- Create ---- */

static void create_check(struct s3_op *op)
{
	s3_op_check_reply(op);
	if (op->err.cls == S3_OK && !op->fields.upload_id.len)
		s3_op_xml_failure(op, S3_XML_BAD, NULL);
}

static void create_complete(struct s3_op *op)
{
	op->done.create(
		op->ctx, &op->err, op->err.cls == S3_OK ? op->fields.upload_id : BYTES_LIT(""));
}

static const struct s3_op_type create_type = {
	.name = "CreateMultipartUpload",
	.method = "POST",
	.size = sizeof(struct s3_op),
	.root = S3_ROOT_INITIATE,
	.check = create_check,
	.customer = true,
	.complete = create_complete,
};

struct s3_op *s3_mpu_create(struct s3_client *c, struct bytes key, const struct s3_meta *meta,
	unsigned flags, s3_create_fn *done, void *ctx)
{
	struct s3_op *op = s3_op_new(c, &create_type, key, flags, ctx);

	op->done.create = done;
	s3_op_query(op, "uploads", BYTES_LIT(""));
	s3_op_meta(op, meta);
	s3_sum_upload(op, meta ? meta->checksum : NULL);
	return s3_op_start(op);
}

/* ---- parts ---- */

/* Without its ETag a part is of no use: the upload could not be completed. */
static void part_check(struct s3_op *op)
{
	s3_op_check_reply(op);
	if (op->err.cls == S3_OK && !op->fields.etag.len && !s3_op_answer_etag(op).len)
		s3_err_set(&op->err, S3_TRANSIENT, EIO, "BadAnswer", "%s answered without an ETag",
			op->type->name);
}

static const struct s3_op_type part_type = {
	.name = "UploadPart",
	.method = "PUT",
	.size = sizeof(struct s3_op),
	.payload = S3_PAYLOAD_DATA,
	.check = part_check,
	.customer = true,
	.complete = s3_op_complete_put,
};

struct s3_op *s3_mpu_part(struct s3_client *c, struct bytes key, struct bytes upload_id,
	unsigned number, const struct s3_body *body, unsigned flags, s3_put_fn *done, void *ctx)
{
	struct s3_op *op = s3_op_new(c, &part_type, key, flags, ctx);

	op->done.put = done;
	query_part(op, number, upload_id);
	s3_op_body(op, body);
	s3_sum_body(op, S3_SUMS_UPLOAD);
	return s3_op_start(op);
}

static const struct s3_op_type part_copy_type = {
	.name = "UploadPartCopy",
	.method = "PUT",
	.size = sizeof(struct s3_pinned),
	.root = S3_ROOT_COPY_PART,
	.hold = s3_pin_hold,
	.stop = s3_pin_stop,
	.check = part_check,
	.customer = true,
	.complete = s3_op_complete_put,
};

struct s3_op *s3_mpu_part_copy(struct s3_client *c, const struct s3_part_copy_params *params,
	unsigned flags, s3_put_fn *done, void *ctx)
{
	struct s3_op *op = s3_op_new(c, &part_copy_type, params->key, flags, ctx);
	char range[64];

	op->done.put = done;
	query_part(op, params->number, params->upload_id);
	s3_pin((struct s3_pinned *)op, S3_ABLE_PART_COPY, params->source, params->source_key,
		params->source_etag);
	if (params->len) {
		snprintf(range, sizeof(range), "bytes=%" PRIu64 "-%" PRIu64, params->offset,
			params->offset + params->len - 1);
		s3_op_header_str(op, "x-amz-copy-source-range", range);
	}
	return s3_op_start(op);
}

/* ---- Complete ---- */

struct complete_op {
	struct s3_op op;
	struct buf xml;
	struct bytes run;
	char expected[64]; /* the ETag that the parts make; "" when it cannot be foretold */
	uint64_t size_bytes;
	struct s3_op *look; /* HeadObject under way */
};

/*
 * An answer may be lost after S3 has completed the upload; the next attempt then hears that there
 * is no such upload. Whether the object is the one that was to be made shows in its ETag: the MD5
 * of the parts' MD5s, a dash, and their number (AWS Knowledge Center, "multipart upload ETag").
 */
static void foretell_etag(struct complete_op *m, const struct s3_part *parts, size_t count)
{
	struct buf sums = BUF_INIT(16 * (size_t)S3_PARTS_MAX);
	char hex[S3_MD5_HEX_SIZE];
	struct bytes run;
	size_t i, k;

	for (i = 0; i < count && parts[i].etag.len == 32; i++)
		for (k = 0; k < 32; k += 2) {
			char digits[3] = {parts[i].etag.ptr[k], parts[i].etag.ptr[k + 1], '\0'};

			buf_addc(&sums, (char)strtoul(digits, NULL, 16));
		}
	run = buf_bytes(&sums);
	if (i == count && !sums.failed && s3_md5_hex(&run, 1, hex))
		snprintf(m->expected, sizeof(m->expected), "%s-%zu", hex, count);
	buf_free(&sums);
}

static void looked_up(void *ctx, const struct s3_err *err, const struct s3_object *object)
{
	struct complete_op *m = ctx;
	struct s3_op *op = &m->op;

	m->look = NULL;
	if (err->cls == S3_OK && object->size_bytes == m->size_bytes &&
		bytes_equal(object->etag, BYTES_STR(m->expected))) {
		memset(&op->err, 0, sizeof(op->err));
		op->fields.etag = BYTES_STR(m->expected);
	}
	s3_op_finish(op);
}

static bool complete_hold(struct s3_op *op)
{
	struct complete_op *m = (struct complete_op *)op;

	if (strcmp(op->err.code, "NoSuchUpload") != 0 || !m->expected[0] || op->client->closing ||
		op->cancelled)
		return false;
	m->look = s3_head(op->client, op->key, BYTES_NONE, op->flags, looked_up, m);
	return true;
}

static void complete_stop(struct s3_op *op)
{
	struct complete_op *m = (struct complete_op *)op;

	if (m->look)
		s3_cancel(m->look);
}

static void complete_release(struct s3_op *op)
{
	buf_free(&((struct complete_op *)op)->xml);
}

static const struct s3_op_type complete_type = {
	.name = "CompleteMultipartUpload",
	.method = "POST",
	.size = sizeof(struct complete_op),
	.root = S3_ROOT_COMPLETE,
	.payload = S3_PAYLOAD_SMALL,
	.hold = complete_hold,
	.stop = complete_stop,
	.complete = s3_op_complete_put,
	.release = complete_release,
};

struct s3_op *s3_mpu_complete(struct s3_client *c, struct bytes key, struct bytes upload_id,
	const struct s3_part *parts, size_t count, uint64_t size_bytes, unsigned flags,
	s3_put_fn *done, void *ctx)
{
	struct s3_op *op = s3_op_new(c, &complete_type, key, flags, ctx);
	struct complete_op *m = (struct complete_op *)op;
	char size[32];

	op->done.put = done;
	m->xml = BUF_INIT(COMPLETE_BYTES_MAX);
	m->size_bytes = size_bytes;
	foretell_etag(m, parts, count);
	s3_xml_build_complete(&m->xml, parts, count);
	m->run = buf_bytes(&m->xml);
	op->http.runs = &m->run;
	op->http.run_count = 1;
	s3_op_query(op, "uploadId", upload_id);
	s3_op_header_str(op, "content-type", "application/xml");
	/* A wrong total then fails instead of making a wrong object. */
	snprintf(size, sizeof(size), "%" PRIu64, size_bytes);
	s3_op_header_str(op, "x-amz-mp-object-size", size);
	return s3_op_start(op);
}

/* ---- Abort ---- */

static void abort_forgive(struct s3_op *op)
{
	if (!strcmp(op->err.code, "NoSuchUpload"))
		memset(&op->err, 0, sizeof(op->err));
}

static const struct s3_op_type abort_type = {
	.name = "AbortMultipartUpload",
	.method = "DELETE",
	.size = sizeof(struct s3_op),
	.forgive = abort_forgive,
	.complete = s3_op_complete_plain,
};

struct s3_op *s3_mpu_abort(struct s3_client *c, struct bytes key, struct bytes upload_id,
	unsigned flags, s3_done_fn *done, void *ctx)
{
	struct s3_op *op = s3_op_new(c, &abort_type, key, flags, ctx);

	op->done.plain = done;
	s3_op_query(op, "uploadId", upload_id);
	return s3_op_start(op);
}
