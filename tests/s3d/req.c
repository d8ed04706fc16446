/* A request's parts and its answer: see req.h. One thread. */
#include "req.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3d.h"
#include "uri.h"
#include "util/mem.h"
#include "xml.h"

/* Status and message of S3's error codes: "Error responses", Amazon S3 API Reference. */
static const struct {
	const char *code;
	int status;
	const char *message;
} errors[] = {
	{"AccessDenied", 403, "Access Denied"},
	{"AuthorizationHeaderMalformed", 400, "The authorization header is malformed"},
	{"BadDigest", 400,
		"The Content-MD5 or checksum you specified did not match what we received."},
	{"BucketAlreadyOwnedByYou", 409,
		"Your previous request to create the named bucket succeeded and you already own "
		"it."},
	{"BucketNotEmpty", 409, "The bucket you tried to delete is not empty"},
	{"ConditionalRequestConflict", 409, "A conflicting operation occurred."},
	{"EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size"},
	{"EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size"},
	{"ExpiredToken", 400, "The provided token has expired."},
	{"IllegalLocationConstraintException", 400,
		"The location constraint is not this region's."},
	{"InternalError", 500, "We encountered an internal error. Please try again."},
	{"InvalidAccessKeyId", 403,
		"The AWS Access Key Id you provided does not exist in our records."},
	{"InvalidArgument", 400, "Invalid Argument"},
	{"InvalidBucketName", 400, "The specified bucket is not valid."},
	{"InvalidDigest", 400, "The Content-MD5 you specified was invalid."},
	{"InvalidEncryptionAlgorithmError", 400,
		"The encryption request that you specified is not valid"},
	{"InvalidObjectState", 403, "The operation is not valid for the object's storage class"},
	{"InvalidPart", 400,
		"One or more of the specified parts could not be found. The part may not have been "
		"uploaded, or the specified entity tag may not match the part's entity tag."},
	{"InvalidPartOrder", 400,
		"The list of parts was not in ascending order. Parts must be ordered by part "
		"number."},
	{"InvalidRange", 416, "The requested range is not satisfiable"},
	{"InvalidRequest", 400, "Invalid Request"},
	{"InvalidStorageClass", 400, "The storage class you specified is not valid"},
	{"InvalidTag", 400, "The tag provided was not a valid tag."},
	{"InvalidToken", 400, "The provided token is malformed or otherwise invalid."},
	{"InvalidURI", 400, "Couldn't parse the specified URI."},
	{"KeyTooLongError", 400, "Your key is too long"},
	{"MalformedXML", 400,
		"The XML you provided was not well-formed or did not validate against our "
		"published "
		"schema"},
	{"MetadataTooLarge", 400, "Your metadata headers exceed the maximum allowed metadata size"},
	{"MethodNotAllowed", 405, "The specified method is not allowed against this resource."},
	{"MissingContentLength", 411, "You must provide the Content-Length HTTP header."},
	{"MissingSecurityHeader", 400, "Your request was missing a required header"},
	{"NoSuchBucket", 404, "The specified bucket does not exist"},
	{"NoSuchKey", 404, "The specified key does not exist."},
	{"NoSuchUpload", 404,
		"The specified upload does not exist. The upload ID may be invalid, or the upload "
		"may "
		"have been aborted or completed."},
	{"NoSuchVersion", 404, "The specified version does not exist."},
	{"NotImplemented", 501,
		"A header you provided implies functionality that is not implemented"},
	{"ObjectNotInActiveTierError", 403,
		"The source object of the COPY operation is not in the active tier"},
	{"PreconditionFailed", 412,
		"At least one of the pre-conditions you specified did not hold"},
	{"QuotaExceeded", 403, "The server's bound on memory (--quota-mb) is reached"},
	{"RequestTimeTooSkewed", 403,
		"The difference between the request time and the current time is too large."},
	{"RequestTimeout", 400,
		"Your socket connection to the server was not read from or written to within the "
		"timeout period."},
	{"ServiceUnavailable", 503, "Service is unable to handle request."},
	{"SignatureDoesNotMatch", 403,
		"The request signature we calculated does not match the signature you provided. "
		"Check "
		"your key and signing method."},
	{"SlowDown", 503, "Please reduce your request rate."},
	{"XAmzContentSHA256Mismatch", 400,
		"The provided 'x-amz-content-sha256' header does not match what was computed."},
};

const char *req_header(const struct req *r, const char *name)
{
	return MHD_lookup_connection_value(r->conn, MHD_HEADER_KIND, name);
}

bool req_param_bytes(const struct req *r, const char *name, struct bytes *ret_value)
{
	struct bytes want = BYTES_STR(name);

	for (size_t i = 0; i < r->param_count; i++)
		if (bytes_equal(r->params[i].name, want)) {
			*ret_value = r->params[i].value;
			return true;
		}
	return false;
}

const char *req_param(const struct req *r, const char *name)
{
	struct bytes v;

	return req_param_bytes(r, name, &v) ? v.ptr : NULL;
}

/* A decoded copy with its NUL. */
static struct bytes decoded(const char *p, size_t len)
{
	char *copy = mem_dup(p, len);
	struct bytes b = uri_decode(copy, len);

	copy[b.len] = '\0';
	return b;
}

static void parse_query(struct req *r, const char *q)
{
	while (*q) {
		size_t len = strcspn(q, "&");
		const char *eq = memchr(q, '=', len);
		size_t name_len = eq ? (size_t)(eq - q) : len;

		if (len) {
			r->params = mem_resize(r->params, r->param_count + 1, sizeof(r->params[0]));
			r->params[r->param_count++] = (struct param){
				.name = decoded(q, name_len),
				.value = eq ? decoded(eq + 1, len - name_len - 1) : decoded("", 0),
			};
		}
		q += len + (q[len] == '&');
	}
}

/* The bucket in front of ".DOMAIN" of the Host header, or NULL. */
static char *bucket_of_host(const struct req *r)
{
	const char *host = req_header(r, "Host"), *domain = r->srv->opts.domain;
	size_t len = host ? strcspn(host, ":") : 0, tail = domain ? strlen(domain) : 0;

	if (!tail || len < tail + 2 || host[len - tail - 1] != '.' ||
		memcmp(host + len - tail, domain, tail))
		return NULL;
	return mem_dup(host, len - tail - 1);
}

void req_parse_uri(struct req *r)
{
	size_t len = strcspn(r->uri, "?");
	const char *slash;
	struct bytes rest;

	r->path_mem = mem_dup(r->uri, len);
	r->path = uri_decode(r->path_mem, len);
	r->path_mem[r->path.len] = '\0';
	if (r->uri[len])
		parse_query(r, r->uri + len + 1);
	r->bucket = bucket_of_host(r);
	r->is_control = !r->bucket && bytes_starts(r->path, BYTES_LIT("/-/"));
	if (r->is_control || !r->path.len)
		return;
	rest = BYTES(r->path.ptr + 1, r->path.len - 1);
	if (r->bucket) {
		r->key = rest;
		return;
	}
	slash = rest.len ? memchr(rest.ptr, '/', rest.len) : NULL;
	if (!rest.len)
		return;
	r->bucket = mem_dup(rest.ptr, slash ? (size_t)(slash - rest.ptr) : rest.len);
	if (slash)
		r->key = BYTES(slash + 1, rest.len - (size_t)(slash + 1 - rest.ptr));
}

void req_clear_answer(struct req *r)
{
	struct answer *a = &r->answer;

	for (size_t i = 0; i < a->header_count; i++) {
		free(a->headers[i].name);
		free(a->headers[i].value);
	}
	buf_free(&a->body);
	data_unref(&r->srv->store, a->data);
	*a = (struct answer){.status = 200, .body = BUF_INIT((size_t)1 << 30)};
}

static void error_document(
	struct req *r, int status, const char *code, const char *message, const char *extra_xml)
{
	struct buf *b = &r->answer.body;

	req_clear_answer(r);
	r->answer.status = status;
	snprintf(r->answer.code, sizeof(r->answer.code), "%s", code);
	if (!strcmp(r->method, "HEAD"))
		return;
	r->answer.content_type = "application/xml";
	buf_adds(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
	xml_element_str(b, "Code", code);
	xml_element_str(b, "Message", message);
	if (!strcmp(code, "NoSuchBucket") && r->bucket)
		xml_element_str(b, "BucketName", r->bucket);
	else if (!strcmp(code, "NoSuchKey"))
		xml_element(b, "Key", r->key);
	if (extra_xml)
		buf_adds(b, extra_xml);
	xml_element(b, "Resource", r->path);
	xml_element_str(b, "RequestId", r->id);
	xml_element_str(b, "HostId", "s3d");
	buf_adds(b, "</Error>");
}

void req_error_xml(struct req *r, const char *code, const char *detail, const char *extra_xml)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (!strcmp(errors[i].code, code)) {
			error_document(r, errors[i].status, code,
				detail ? detail : errors[i].message, extra_xml);
			return;
		}
	error_document(r, 400, code, detail ? detail : code, extra_xml);
}

void req_error(struct req *r, const char *code, const char *detail)
{
	req_error_xml(r, code, detail, NULL);
}

void req_error_status(struct req *r, int status, const char *code, const char *detail)
{
	req_error_xml(r, code, detail && *detail ? detail : NULL, NULL);
	r->answer.status = status;
}

struct buf *req_xml(struct req *r)
{
	struct buf *b = &r->answer.body;

	r->answer.content_type = "application/xml";
	buf_adds(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
	return b;
}

void req_status(struct req *r, int status)
{
	r->answer.status = status;
}

void req_add_header(struct req *r, const char *name, const char *value)
{
	struct answer *a = &r->answer;

	if (a->header_count == REQ_HEADERS_MAX) {
		req_error(r, "InternalError", "More headers than this server sends in one answer");
		return;
	}
	a->headers[a->header_count++] =
		(struct kv){.name = mem_strdup(name), .value = mem_strdup(value)};
}

struct bucket *req_bucket(struct req *r)
{
	struct bucket *b = r->bucket ? store_bucket(&r->srv->store, r->bucket) : NULL;

	if (!b)
		req_error(r, "NoSuchBucket", NULL);
	return b;
}

struct object *req_object(struct req *r, struct bucket *bucket)
{
	const char *version = req_param(r, "versionId");
	struct object *o =
		version ? store_find_version(bucket, r->key, version) : store_find(bucket, r->key);

	if (!o)
		req_error(r, version ? "NoSuchVersion" : "NoSuchKey", NULL);
	else if (o->is_marker)
		req_error(r, "MethodNotAllowed", NULL);
	return o && !o->is_marker ? o : NULL;
}

void req_free(struct req *r)
{
	req_clear_answer(r);
	for (size_t i = 0; i < r->param_count; i++) {
		free((char *)(uintptr_t)r->params[i].name.ptr);
		free((char *)(uintptr_t)r->params[i].value.ptr);
	}
	for (size_t i = 0; i < r->key_count; i++) {
		free((char *)(uintptr_t)r->keys[i].ptr);
		free(r->key_etags[i]);
	}
	free(r->keys);
	free(r->key_etags);
	free(r->params);
	free(r->path_mem);
	free(r->bucket);
	free(r->body);
	free(r->uri);
	free(r);
}
