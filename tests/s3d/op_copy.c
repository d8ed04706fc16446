/* CopyObject and UploadPartCopy: see ops.h. One thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "customer.h"
#include "guard.h"
#include "meta.h"
#include "s3d.h"
#include "source.h"
#include "uri.h"
#include "util/clk.h"
#include "util/mem.h"
#include "xml.h"

/* "arn:...:ACCOUNT:accesspoint/NAME/object/KEY": the bucket is called NAME-ACCOUNT here. */
static char *of_access_point(struct bytes name)
{
	char account[13], point[51];
	int key = 0;

	if (sscanf(name.ptr, "arn:%*[^:]:s3:%*[^:]:%12[0-9]:accesspoint/%50[^/]/object/%n", account,
		    point, &key) != 2 ||
		!key)
		return NULL;
	return mem_printf(
		"%s-%s/%.*s", point, account, (int)(name.len - (size_t)key), name.ptr + key);
}

/* `version` NULL: the newest. */
static struct object *find_named(
	struct req *r, struct bytes name, const char *version, struct bucket **ret_bucket)
{
	const char *slash;
	char *bucket_name;
	struct object *o;

	while (name.len && name.ptr[0] == '/')
		name = BYTES(name.ptr + 1, name.len - 1);
	slash = name.len ? memchr(name.ptr, '/', name.len) : NULL;
	if (!slash || slash == name.ptr || slash == name.ptr + name.len - 1) {
		req_error(r, "InvalidArgument", "Invalid copy source object key");
		return NULL;
	}
	bucket_name = mem_dup(name.ptr, (size_t)(slash - name.ptr));
	*ret_bucket = store_bucket(&r->srv->store, bucket_name);
	free(bucket_name);
	if (!*ret_bucket) {
		req_error(r, "NoSuchBucket", NULL);
		return NULL;
	}
	if (!guard_check_source(r, *ret_bucket))
		return NULL;
	name = BYTES(slash + 1, name.len - (size_t)(slash + 1 - name.ptr));
	o = version ? store_find_version(*ret_bucket, name, version)
		    : store_find(*ret_bucket, name);
	if (!o)
		req_error(r, version ? "NoSuchVersion" : "NoSuchKey", NULL);
	else if (o->is_marker)
		req_error(r, "InvalidRequest",
			"The source of a copy request may not specifically refer to a delete "
			"marker by version id.");
	return o && !o->is_marker ? o : NULL;
}

/*
 * The table of "CopyObject": if-match overrides if-unmodified-since, a failing if-none-match
 * overrides if-modified-since; every failure is 412.
 */
static bool check_source_conditions(struct req *r, const struct object *o)
{
	const char *match = req_header(r, "x-amz-copy-source-if-match");
	const char *none = req_header(r, "x-amz-copy-source-if-none-match");
	const char *unmodified = req_header(r, "x-amz-copy-source-if-unmodified-since");
	const char *modified = req_header(r, "x-amz-copy-source-if-modified-since");
	int64_t mtime_ms = o->mtime_ms / 1000 * 1000;
	const char *failed = NULL;

	if (match && !etag_matches(match, o->data->etag))
		failed = "x-amz-copy-source-If-Match";
	else if (!match && unmodified && http_date_ms(unmodified) >= 0 &&
		 mtime_ms > http_date_ms(unmodified))
		failed = "x-amz-copy-source-If-Unmodified-Since";
	else if (none && etag_matches(none, o->data->etag))
		failed = "x-amz-copy-source-If-None-Match";
	else if (!none && modified && http_date_ms(modified) >= mtime_ms)
		failed = "x-amz-copy-source-If-Modified-Since";
	if (failed) {
		char extra[100];

		snprintf(extra, sizeof(extra), "<Condition>%s</Condition>", failed);
		req_error_xml(r, "PreconditionFailed", NULL, extra);
	}
	return !failed;
}

struct object *source_find(struct req *r, struct bucket **ret_bucket)
{
	const char *header = req_header(r, "x-amz-copy-source");
	size_t len = strcspn(header, "?");
	const char *version = header[len] ? header + len + 1 : NULL;
	char *name = mem_dup(header, len), *point;
	struct bytes decoded;
	struct object *o;

	if (version && strncmp(version, "versionId=", 10)) {
		free(name);
		req_error(r, "InvalidArgument", NULL);
		return NULL;
	}
	decoded = uri_decode(name, len);
	point = of_access_point(decoded);
	o = find_named(
		r, point ? BYTES_STR(point) : decoded, version ? version + 10 : NULL, ret_bucket);
	free(point);
	free(name);
	if (!o || !customer_key_fits(r, true, o->meta) || !check_source_conditions(r, o))
		return NULL;
	if (storage_class_archived(o->storage_class)) {
		req_error(r, "ObjectNotInActiveTierError", NULL);
		return NULL;
	}
	return o;
}

/* COPY, REPLACE or the default COPY into `ret_replace`; false with an error answer. */
static bool directive(struct req *r, const char *header, bool *ret_replace)
{
	const char *text = req_header(r, header);

	*ret_replace = text && !strcmp(text, "REPLACE");
	if (!text || *ret_replace || !strcmp(text, "COPY"))
		return true;
	req_error(r, "InvalidArgument", "Unknown directive");
	return false;
}

/* What was uploaded in parts becomes one part, with the ETag of one. */
static struct data *copied_data(const struct req *r, const struct object *source)
{
	bool keyed = kvs_get(source->meta, "x-amz-server-side-encryption-customer-key-md5") ||
		     req_header(r, "x-amz-server-side-encryption-customer-key-md5");
	struct data *data;

	if (!keyed && !strchr(source->data->etag, '-'))
		return data_ref(source->data);
	data = data_slice(source->data, 0, source->data->size);
	customer_seal(r, data);
	return data;
}

static bool check_self_copy(
	struct req *r, const struct object *source, const struct object *now, bool replace)
{
	if (source != now || replace || req_header(r, "x-amz-storage-class") ||
		req_header(r, "x-amz-website-redirect-location") ||
		req_header(r, "x-amz-server-side-encryption"))
		return true;
	req_error(r, "InvalidRequest",
		"This copy request is illegal because it is trying to copy an object to itself "
		"without changing the object's metadata, storage class, website redirect location "
		"or encryption attributes.");
	return false;
}

static void copy_result(struct req *r, const char *root, const char *etag, int64_t mtime_ms)
{
	struct buf *b = req_xml(r);

	buf_addf(b, "<%s xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">", root);
	xml_element_time(b, "LastModified", mtime_ms);
	buf_addf(b, "<ETag>&quot;%s&quot;</ETag></%s>", etag, root);
}

static void copy_to(struct req *r, struct bucket *b, const struct object *source,
	const char *storage_class, bool replace_meta, bool replace_tags)
{
	struct kvs *meta = NULL, *tags = NULL;
	struct object *o;

	if (replace_meta ? !meta_of_request(r, &meta) : !made_headers_ok(r))
		return;
	meta = replace_meta ? meta_with_sums(meta, source->meta) : meta_of_copy(r, source->meta);
	if (replace_tags && !tags_of_request(r, &tags)) {
		kvs_unref(meta);
		return;
	}
	if (!replace_tags)
		tags = kvs_ref(source->tags);
	o = store_put(&r->srv->store, b, r->key, copied_data(r, source), meta, tags, storage_class);
	if (o) {
		copy_result(r, "CopyObjectResult", o->data->etag, o->mtime_ms);
		add_header_version(r, o);
	} else {
		req_error(r, "InternalError", "The folder of --dir cannot be written");
	}
}

void op_copy_object(struct req *r)
{
	struct bucket *b = req_bucket(r), *source_bucket;
	const struct object *now = b ? store_find(b, r->key) : NULL;
	const struct object *source;
	const char *storage_class;
	bool replace_meta, replace_tags;

	if (!b || !directive(r, "x-amz-metadata-directive", &replace_meta) ||
		!directive(r, "x-amz-tagging-directive", &replace_tags))
		return;
	source = source_find(r, &source_bucket);
	storage_class = source ? storage_class_of_request(r) : NULL;
	if (!storage_class || !check_write_conditions(r, now) ||
		!check_self_copy(r, source, now, replace_meta))
		return;
	if (source->data->size > COPY_SOURCE_MAX) {
		req_error(r, "InvalidRequest",
			"The specified copy source is larger than the maximum allowable size for a "
			"copy source: 5368709120");
		return;
	}
	copy_to(r, b, source, storage_class, replace_meta, replace_tags);
}

/* bytes=FIRST-LAST, both needed and within the source. */
static bool copy_range(struct req *r, const struct object *source, uint64_t *off, uint64_t *len)
{
	const char *text = req_header(r, "x-amz-copy-source-range");
	unsigned long long first, last;
	char rest;

	*off = 0;
	*len = source->data->size;
	if (!text)
		return true;
	if (sscanf(text, "bytes=%20llu-%20llu%c", &first, &last, &rest) != 2 || last < first) {
		req_error(r, "InvalidArgument",
			"The x-amz-copy-source-range value must be of the form bytes=first-last");
		return false;
	}
	if (source->data->size <= r->srv->opts.part_min_bytes) {
		req_error(r, "InvalidRequest",
			"The specified copy source is not supported as a byte-range copy source");
		return false;
	}
	if (last >= source->data->size) {
		char message[120];

		snprintf(message, sizeof(message),
			"Range specified is not valid for source object of size: %llu",
			(unsigned long long)source->data->size);
		req_error(r, "InvalidArgument", message);
		return false;
	}
	*off = first;
	*len = last - first + 1;
	return true;
}

void op_upload_part_copy(struct req *r)
{
	struct bucket *b = req_bucket(r), *source_bucket;
	struct upload *u = b ? multi_upload(r, b) : NULL;
	unsigned number = u ? multi_part_number(r) : 0;
	const struct object *source = number ? source_find(r, &source_bucket) : NULL;
	uint64_t off, len;
	struct data *data;
	const struct part *p;

	if (!source || !customer_key_fits(r, false, u->meta) || !copy_range(r, source, &off, &len))
		return;
	if (len > COPY_SOURCE_MAX) {
		req_error(r, "InvalidRequest",
			"The specified copy source is larger than the maximum allowable size for a "
			"copy source: 5368709120");
		return;
	}
	data = data_slice(source->data, off, len);
	customer_seal(r, data);
	p = upload_set_part(&r->srv->store, u, number, data);
	copy_result(r, "CopyPartResult", p->data->etag, p->mtime_ms);
}
