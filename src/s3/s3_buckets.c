/*
 * ListBuckets (S3 API reference), on a client without a bucket. The page is parsed on the I/O
 * thread while it arrives, and handed to the core thread as a whole.
 */
#include "s3/s3_int.h"

struct buckets_op {
	struct s3_op op;
	struct s3_xml_buckets *parser;
	struct s3_bucket_page page;
	struct bytes token; /* that was sent; kept */
	s3_buckets_fn *done;
};

static void buckets_reset(struct s3_op *op)
{
	s3_xml_buckets_reset(((struct buckets_op *)op)->parser);
}

static enum http_take buckets_data(struct s3_op *op, const char *ptr, size_t len)
{
	struct s3_xml_buckets *parser = ((struct buckets_op *)op)->parser;

	return s3_xml_buckets_feed(parser, ptr, len) ? HTTP_MORE : HTTP_ENOUGH;
}

static void buckets_check(struct s3_op *op)
{
	struct buckets_op *b = (struct buckets_op *)op;
	struct s3_xml_fault fault;
	enum s3_xml_status status = s3_xml_buckets_end(b->parser, &b->page, &fault);

	if (status != S3_XML_OK)
		s3_op_xml_failure(op, status, &fault);
	else if (b->token.len && bytes_equal(b->page.next_token, b->token))
		s3_op_bad_answer(op, "the list goes round in a circle: its next page is this one");
}

static void buckets_complete(struct s3_op *op)
{
	static const struct s3_bucket_page none;
	struct buckets_op *b = (struct buckets_op *)op;

	b->done(op->ctx, &op->err, op->err.cls == S3_OK ? &b->page : &none);
}

static void buckets_release(struct s3_op *op)
{
	s3_xml_buckets_free(((struct buckets_op *)op)->parser);
}

static const struct s3_op_type buckets_type = {
	.name = "ListBuckets",
	.method = "GET",
	.size = sizeof(struct buckets_op),
	.reset = buckets_reset,
	.data = buckets_data,
	.check = buckets_check,
	.complete = buckets_complete,
	.release = buckets_release,
};

struct s3_op *s3_list_buckets(
	struct s3_client *c, struct bytes token, unsigned flags, s3_buckets_fn *done, void *ctx)
{
	struct s3_op *op = s3_op_new(c, &buckets_type, BYTES_LIT(""), flags, ctx);

	((struct buckets_op *)op)->parser = s3_xml_buckets_new();
	((struct buckets_op *)op)->done = done;
	((struct buckets_op *)op)->token = BYTES(s3_op_keep(op, token), token.len);
	op->http.buffer_bytes = (size_t)64 << 10;
	if (token.ptr)
		s3_op_query(op, "continuation-token", token);
	return s3_op_start(op);
}
