/*
 * ListObjectVersions and GetBucketVersioning (S3 API reference). A page is parsed on the I/O thread
 * while it arrives, and handed to the core thread as a whole.
 */
#include "s3/s3_int.h"

#include <stdio.h>
#include <string.h>

#define MAX_KEYS 1000

struct versions_op {
	struct s3_op op;
	struct s3_xml_versions *parser;
	struct s3_versions_page page;
};

static void versions_reset(struct s3_op *op)
{
	s3_xml_versions_reset(((struct versions_op *)op)->parser);
}

static enum http_take versions_data(struct s3_op *op, const char *ptr, size_t len)
{
	s3_xml_versions_feed(((struct versions_op *)op)->parser, ptr, len);
	return HTTP_MORE;
}

static void versions_check(struct s3_op *op)
{
	struct versions_op *v = (struct versions_op *)op;
	struct s3_xml_fault fault;
	enum s3_xml_status status = s3_xml_versions_end(v->parser, &v->page, &fault);

	if (status != S3_XML_OK)
		s3_op_xml_failure(op, status, &fault);
}

static void versions_complete(struct s3_op *op)
{
	static const struct s3_versions_page none;
	struct versions_op *v = (struct versions_op *)op;

	op->done.versions(op->ctx, &op->err, op->err.cls == S3_OK ? &v->page : &none);
}

static void versions_release(struct s3_op *op)
{
	s3_xml_versions_free(((struct versions_op *)op)->parser);
}

static const struct s3_op_type versions_type = {
	.name = "ListObjectVersions",
	.method = "GET",
	.size = sizeof(struct versions_op),
	.reset = versions_reset,
	.data = versions_data,
	.check = versions_check,
	.complete = versions_complete,
	.release = versions_release,
};

struct s3_op *s3_list_versions(struct s3_client *c, const struct s3_versions_params *params,
	unsigned flags, s3_versions_fn *done, void *ctx)
{
	struct s3_op *op = s3_op_new(c, &versions_type, BYTES_LIT(""), flags, ctx);
	unsigned max =
		params->max_keys && params->max_keys < MAX_KEYS ? params->max_keys : MAX_KEYS;
	char number[16];

	snprintf(number, sizeof(number), "%u", max);
	((struct versions_op *)op)->parser = s3_xml_versions_new();
	op->done.versions = done;
	op->http.buffer_bytes = (size_t)64 << 10;
	s3_op_query(op, "versions", BYTES_LIT(""));
	s3_op_query(op, "encoding-type", BYTES_LIT("url"));
	s3_op_query(op, "max-keys", BYTES_STR(number));
	if (params->prefix.len)
		s3_op_query(op, "prefix", params->prefix);
	if (params->delimiter)
		s3_op_query(op, "delimiter", BYTES_LIT("/"));
	if (params->key_marker.len)
		s3_op_query(op, "key-marker", params->key_marker);
	if (params->version_marker.len)
		s3_op_query(op, "version-id-marker", params->version_marker);
	return s3_op_start(op);
}

static void versioning_complete(struct s3_op *op)
{
	op->done.versioning(
		op->ctx, &op->err, op->err.cls == S3_OK ? op->fields.status : BYTES_LIT(""));
}

static const struct s3_op_type versioning_type = {
	.name = "GetBucketVersioning",
	.method = "GET",
	.size = sizeof(struct s3_op),
	.root = S3_ROOT_VERSIONING,
	.complete = versioning_complete,
};

struct s3_op *s3_get_versioning(
	struct s3_client *c, unsigned flags, s3_versioning_fn *done, void *ctx)
{
	struct s3_op *op = s3_op_new(c, &versioning_type, BYTES_LIT(""), flags, ctx);

	op->done.versioning = done;
	s3_op_query(op, "versioning", BYTES_LIT(""));
	return s3_op_start(op);
}
