/*
 * Tags of objects: GetObjectTagging, PutObjectTagging, DeleteObjectTagging (S3 API reference). S3
 * knows whole sets only: who changes one tag reads the others first. Core thread.
 */
#include "s3/s3_int.h"

/* Ten tags of 128 and 256 characters, each of up to four bytes, all of them escaped. */
#define TAGGING_BYTES_MAX ((size_t)128 << 10)

static void tags_complete(struct s3_op *op)
{
	bool good = op->err.cls == S3_OK;

	s3_client_heard(op->client, S3_ABLE_TAGS, &op->err, s3_err_unimplemented(&op->err));
	op->done.tags(
		op->ctx, &op->err, good ? op->fields.tags : NULL, good ? op->fields.tag_count : 0);
}

/* S3 answers an empty set, some servers that there is none. */
static void tags_forgive(struct s3_op *op)
{
	if (strcmp(op->err.code, "NoSuchTagSet") != 0)
		return;
	memset(&op->err, 0, sizeof(op->err));
	memset(&op->fields, 0, sizeof(op->fields));
}

static const struct s3_op_type get_type = {
	.name = "GetObjectTagging",
	.method = "GET",
	.size = sizeof(struct s3_op),
	.root = S3_ROOT_TAGGING,
	.forgive = tags_forgive,
	.complete = tags_complete,
};

struct s3_op *s3_get_tags(struct s3_client *c, struct bytes key, struct bytes pin, unsigned flags,
	s3_tags_fn *done, void *ctx)
{
	struct s3_op *op;

	if (c->settings.version_at_ms && !pin.len) {
		s3_at_tags(c, key, flags, done, ctx);
		return NULL;
	}
	op = s3_op_new(c, &get_type, key, flags, ctx);
	op->done.tags = done;
	s3_op_version(op, pin);
	s3_op_query(op, "tagging", BYTES_LIT(""));
	return s3_op_start(op);
}

struct put_op {
	struct s3_op op;
	struct buf xml;
	struct bytes run;
};

static void put_release(struct s3_op *op)
{
	buf_free(&((struct put_op *)op)->xml);
}

static const struct s3_op_type put_type = {
	.name = "PutObjectTagging",
	.method = "PUT",
	.size = sizeof(struct put_op),
	.payload = S3_PAYLOAD_SMALL,
	.complete = s3_op_complete_plain,
	.release = put_release,
};

static const struct s3_op_type delete_type = {
	.name = "DeleteObjectTagging",
	.method = "DELETE",
	.size = sizeof(struct put_op),
	.complete = s3_op_complete_plain,
	.release = put_release,
};

struct s3_op *s3_put_tags(struct s3_client *c, struct bytes key, const struct s3_object_tag *tags,
	size_t count, unsigned flags, s3_done_fn *done, void *ctx)
{
	struct s3_op *op = s3_op_new(c, count ? &put_type : &delete_type, key, flags, ctx);
	struct put_op *p = (struct put_op *)op;

	op->done.plain = done;
	s3_op_query(op, "tagging", BYTES_LIT(""));
	if (!count)
		return s3_op_start(op);
	p->xml = BUF_INIT(TAGGING_BYTES_MAX);
	s3_xml_build_tagging(&p->xml, tags, count);
	/* Text that XML cannot carry makes no set that S3 could have. */
	op->no_request = op->refused = p->xml.failed;
	p->run = buf_bytes(&p->xml);
	op->http.runs = &p->run;
	op->http.run_count = 1;
	op->sum = S3_SUM_MD5;
	s3_op_header_str(op, "content-type", "application/xml");
	return s3_op_start(op);
}
