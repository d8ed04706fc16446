/* HeadObject, GetObject, PutObject: see ops.h. One thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "customer.h"
#include "meta.h"
#include "s3d.h"
#include "util/mem.h"

/*
 * If-Match, If-Unmodified-Since (412) and If-None-Match, If-Modified-Since (304) of a read, with
 * the precedence of RFC 7232, 6. True when the object is to be sent.
 */
static bool check_read_conditions(struct req *r, const struct object *o)
{
	const char *match = req_header(r, "If-Match"), *none = req_header(r, "If-None-Match");
	const char *unmodified = req_header(r, "If-Unmodified-Since");
	const char *modified = req_header(r, "If-Modified-Since");
	int64_t mtime_ms = o->mtime_ms / 1000 * 1000;

	if (match ? !etag_matches(match, o->data->etag)
		  : unmodified && http_date_ms(unmodified) >= 0 &&
				mtime_ms > http_date_ms(unmodified)) {
		req_error_xml(r, "PreconditionFailed", NULL,
			match ? "<Condition>If-Match</Condition>"
			      : "<Condition>If-Unmodified-Since</Condition>");
		return false;
	}
	if (none ? etag_matches(none, o->data->etag)
		 : modified && http_date_ms(modified) >= mtime_ms) {
		req_status(r, 304);
		add_header_etag(r, o->data->etag);
		add_header_date(r, "Last-Modified", o->mtime_ms);
		return false;
	}
	return true;
}

/* Digits into a number; false when there is none or it does not fit. */
static bool take_number(const char **p, uint64_t *ret)
{
	uint64_t v = 0;
	const char *s = *p;

	for (; *s >= '0' && *s <= '9'; s++) {
		if (v > (UINT64_MAX - 9) / 10)
			return false;
		v = v * 10 + (uint64_t)(*s - '0');
	}
	if (s == *p)
		return false;
	*p = s;
	*ret = v;
	return true;
}

enum range { RANGE_NONE, RANGE_OK, RANGE_BAD };

/* One range of RFC 7233; anything else, also several ranges, is no range, as on S3. */
static enum range parse_range(const char *text, uint64_t size, uint64_t *off, uint64_t *len)
{
	uint64_t first = 0, last = UINT64_MAX;

	if (!text || strncmp(text, "bytes=", 6))
		return RANGE_NONE;
	text += 6;
	if (*text == '-') {
		text++;
		if (!take_number(&text, &last) || *text)
			return RANGE_NONE;
		*off = last < size ? size - last : 0;
		*len = size - *off;
		return *len ? RANGE_OK : RANGE_BAD;
	}
	if (!take_number(&text, &first) || *text++ != '-')
		return RANGE_NONE;
	if (*text && (!take_number(&text, &last) || *text || last < first))
		return RANGE_NONE;
	if (first >= size)
		return RANGE_BAD;
	*off = first;
	*len = (last < size - 1 ? last : size - 1) - first + 1;
	return RANGE_OK;
}

static void bad_range(struct req *r, const char *text, uint64_t size)
{
	char extra[200], header[40];

	snprintf(extra, sizeof(extra),
		"<RangeRequested>%.60s</RangeRequested><ActualObjectSize>%llu</ActualObjectSize>",
		text, (unsigned long long)size);
	req_error_xml(r, "InvalidRange", NULL, extra);
	snprintf(header, sizeof(header), "bytes */%llu", (unsigned long long)size);
	req_add_header(r, "Content-Range", header);
}

static void add_object_headers(struct req *r, const struct object *o, bool whole)
{
	const char *mode = req_header(r, "x-amz-checksum-mode");
	bool sums = whole && mode && !strcasecmp(mode, "ENABLED"), summed = false;
	char text[24];

	add_header_etag(r, o->data->etag);
	add_header_date(r, "Last-Modified", o->mtime_ms);
	req_add_header(r, "Accept-Ranges", "bytes");
	if (!kvs_get(o->meta, "content-type"))
		req_add_header(r, "Content-Type", "binary/octet-stream");
	for (size_t i = 0; o->meta && i < o->meta->count; i++)
		if (strcmp(o->meta->items[i].name, META_ACL) &&
			(sums || !meta_is_sum(o->meta->items[i].name)))
			req_add_header(r, o->meta->items[i].name, o->meta->items[i].value);
	add_header_version(r, o);
	for (size_t i = 0; o->meta && i < o->meta->count; i++)
		summed |= meta_is_sum(o->meta->items[i].name);
	if (sums && summed && !kvs_get(o->meta, "x-amz-checksum-type"))
		req_add_header(r, "x-amz-checksum-type", "FULL_OBJECT");
	if (strcmp(o->storage_class, "STANDARD"))
		req_add_header(r, "x-amz-storage-class", o->storage_class);
	if (o->tags) {
		snprintf(text, sizeof(text), "%zu", o->tags->count);
		req_add_header(r, "x-amz-tagging-count", text);
	}
}

static void send_object(struct req *r, bool archived_too)
{
	struct bucket *b = req_bucket(r);
	struct object *o = b ? req_object(r, b) : NULL;
	const char *text = req_header(r, "Range");
	char header[80];
	enum range range;
	uint64_t off = 0, len;

	if (!o || !customer_key_fits(r, false, o->meta) || !check_read_conditions(r, o))
		return;
	if (!archived_too && storage_class_archived(o->storage_class)) {
		req_error(r, "InvalidObjectState", NULL);
		return;
	}
	len = o->data->size;
	range = parse_range(text, o->data->size, &off, &len);
	if (range == RANGE_BAD) {
		bad_range(r, text, o->data->size);
		return;
	}
	r->answer.data = data_ref(o->data);
	r->answer.data_off = off;
	r->answer.data_len = len;
	/* S3 sends none with a range. */
	add_object_headers(r, o, range != RANGE_OK);
	if (range != RANGE_OK)
		return;
	req_status(r, 206);
	snprintf(header, sizeof(header), "bytes %llu-%llu/%llu", (unsigned long long)off,
		(unsigned long long)(off + len - 1), (unsigned long long)o->data->size);
	req_add_header(r, "Content-Range", header);
}

void op_head_object(struct req *r)
{
	send_object(r, true);
}

void op_get_object(struct req *r)
{
	send_object(r, false);
}

void op_put_object(struct req *r)
{
	struct store *store = &r->srv->store;
	struct bucket *b = req_bucket(r);
	const char *storage_class = b ? storage_class_of_request(r) : NULL;
	struct kvs *meta = NULL, *tags = NULL;
	struct blob *blob = NULL;
	const struct object *o;
	struct data *data;
	size_t len = r->body_len;

	if (!storage_class || !check_write_conditions(r, store_find(b, r->key)) ||
		!meta_of_request(r, &meta))
		return;
	if (!tags_of_request(r, &tags)) {
		kvs_unref(meta);
		return;
	}
	if (len) {
		blob = blob_new(store, r->body, len);
		r->body = NULL;
		if (!blob) {
			kvs_unref(meta);
			kvs_unref(tags);
			req_error(r, "QuotaExceeded", NULL);
			return;
		}
	}
	data = data_new(blob);
	customer_seal(r, data);
	add_header_etag(r, data->etag);
	o = store_put(store, b, r->key, data, meta, tags, storage_class);
	if (o)
		add_header_version(r, o);
	else
		req_error(r, "InternalError", "The folder of --dir cannot be written");
}
