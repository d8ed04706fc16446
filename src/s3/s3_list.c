/*
 * ListObjectsV2 (S3 API reference). The page is parsed on the I/O thread while it arrives, and
 * handed to the core thread as a whole.
 */
#include "s3/s3_int.h"

#include <stdio.h>
#include <string.h>

#define MAX_KEYS 1000

struct list_op {
	struct s3_op op;
	struct s3_xml_list *parser;
	struct s3_list_page page;
};

static void list_reset(struct s3_op *op)
{
	s3_xml_list_reset(((struct list_op *)op)->parser);
}

static enum http_take list_data(struct s3_op *op, const char *ptr, size_t len)
{
	s3_xml_list_feed(((struct list_op *)op)->parser, ptr, len);
	return HTTP_MORE;
}

static void list_check(struct s3_op *op)
{
	struct list_op *l = (struct list_op *)op;
	struct s3_xml_fault fault;
	enum s3_xml_status status = s3_xml_list_end(l->parser, &l->page, &fault);

	if (status != S3_XML_OK)
		s3_op_xml_failure(op, status, &fault);
}

static void list_complete(struct s3_op *op)
{
	static const struct s3_list_page none;
	struct list_op *l = (struct list_op *)op;

	op->done.list(op->ctx, &op->err, op->err.cls == S3_OK ? &l->page : &none);
}

static void list_release(struct s3_op *op)
{
	s3_client_give_list(op->client, ((struct list_op *)op)->parser);
}

static const struct s3_op_type list_type = {
	.name = "ListObjectsV2",
	.method = "GET",
	.size = sizeof(struct list_op),
	.reset = list_reset,
	.data = list_data,
	.check = list_check,
	.complete = list_complete,
	.release = list_release,
};

static struct s3_op *list_now(struct s3_client *c, const struct s3_list_params *params,
	unsigned flags, s3_list_fn *done, void *ctx)
{
	struct s3_op *op = s3_op_new(c, &list_type, BYTES_LIT(""), flags, ctx);
	unsigned max =
		params->max_keys && params->max_keys < MAX_KEYS ? params->max_keys : MAX_KEYS;
	char number[16];

	snprintf(number, sizeof(number), "%u", max);
	((struct list_op *)op)->parser = s3_client_take_list(c);
	op->done.list = done;
	op->http.buffer_bytes = (size_t)64 << 10;
	s3_op_query(op, "list-type", BYTES_LIT("2"));
	/* Without it keys with control characters would make a page that is not XML. */
	s3_op_query(op, "encoding-type", BYTES_LIT("url"));
	s3_op_query(op, "max-keys", BYTES_STR(number));
	if (params->prefix.len)
		s3_op_query(op, "prefix", params->prefix);
	if (params->delimiter)
		s3_op_query(op, "delimiter", BYTES_LIT("/"));
	if (params->start_after.ptr)
		s3_op_query(op, "start-after", params->start_after);
	if (params->token.ptr)
		s3_op_query(op, "continuation-token", params->token);
	return s3_op_start(op);
}

struct s3_op *s3_list(struct s3_client *c, const struct s3_list_params *params, unsigned flags,
	s3_list_fn *done, void *ctx)
{
	if (!c->settings.version_at_ms)
		return list_now(c, params, flags, done, ctx);
	s3_at_list(c, params, flags, done, ctx);
	return NULL;
}
