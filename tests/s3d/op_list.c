/*
 * ListObjectsV2 and ListObjects: see ops.h. One thread.
 *
 * One rule serves start-after, marker and continuation tokens: a page holds what is greater than
 * `after`, and a common prefix that is not greater is left out. A token is therefore the last item
 * of its page, disguised so that nobody relies on it.
 */
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "op_list.h"
#include "s3d.h"
#include "req.h"
#include "uri.h"
#include "util/mem.h"
#include "xml.h"

#define TOKEN_SUM 6

bool list_beyond(struct bytes prefix, struct buf *out)
{
	buf_cut(out, 0);
	buf_addb(out, prefix);
	while (out->len && (unsigned char)out->ptr[out->len - 1] == 0xff)
		buf_cut(out, out->len - 1);
	if (!out->len)
		return false;
	out->ptr[out->len - 1]++;
	return true;
}

struct bytes list_common_prefix(const struct listing *l, struct bytes key)
{
	const char *found = NULL;

	if (l->delimiter.len && key.len > l->prefix.len)
		found = memmem(key.ptr + l->prefix.len, key.len - l->prefix.len, l->delimiter.ptr,
			l->delimiter.len);
	return found ? BYTES(key.ptr, (size_t)(found - key.ptr) + l->delimiter.len) : BYTES("", 0);
}

void list_name(const struct listing *l, struct buf *out, const char *name, struct bytes text)
{
	struct buf coded = BUF_INIT(1u << 20);

	if (l->url) {
		uri_encode_listing(&coded, text);
		text = buf_bytes(&coded);
	}
	xml_element(out, name, text);
	buf_free(&coded);
}

static void add_object(struct listing *l, const struct object *o)
{
	struct buf *b = l->out;

	buf_adds(b, "<Contents>");
	list_name(l, b, "Key", object_key(o));
	xml_element_time(b, "LastModified", o->mtime_ms);
	buf_addf(b, "<ETag>&quot;%s&quot;</ETag><Size>%llu</Size>", o->data->etag,
		(unsigned long long)o->data->size);
	if (l->owner)
		buf_adds(b, "<Owner><ID>s3d</ID><DisplayName>s3d</DisplayName></Owner>");
	xml_element_str(b, "StorageClass", o->storage_class);
	buf_adds(b, "</Contents>");
}

void list_prefix(struct listing *l, struct bytes prefix)
{
	buf_adds(&l->prefixes, "<CommonPrefixes>");
	list_name(l, &l->prefixes, "Prefix", prefix);
	buf_adds(&l->prefixes, "</CommonPrefixes>");
}

static struct object *first_of(struct bucket *b, const struct listing *l)
{
	struct object *o;

	if (!l->after.len || bytes_cmp(l->after, l->prefix) < 0)
		return store_seek(b, l->prefix);
	o = store_seek(b, l->after);
	return o && bytes_equal(object_key(o), l->after) ? store_next(o) : o;
}

static void collect(struct bucket *b, struct listing *l)
{
	struct buf past = BUF_INIT(1u << 20);
	struct object *o = l->max ? first_of(b, l) : NULL;

	while (o && bytes_starts(object_key(o), l->prefix)) {
		struct bytes cp = list_common_prefix(l, object_key(o));
		bool listed = !cp.len || !l->after.len || bytes_cmp(cp, l->after) > 0;

		if (listed && l->count == l->max) {
			l->truncated = true;
			break;
		}
		if (listed) {
			l->count++;
			buf_cut(&l->last, 0);
			buf_addb(&l->last, cp.len ? cp : object_key(o));
		}
		if (!cp.len)
			add_object(l, o);
		else if (listed)
			list_prefix(l, cp);
		if (cp.len)
			o = list_beyond(cp, &past) ? store_seek(b, buf_bytes(&past)) : NULL;
		else
			o = store_next(o);
	}
	buf_free(&past);
}

/* Base64 of a checksum and the item. */
static char *token_make(struct bytes last)
{
	uint8_t sum[SHA256_LEN];
	struct buf raw = BUF_INIT(1u << 20);
	char *text;

	hash_hmac("s3d token", 9, last.ptr, last.len, sum);
	buf_add(&raw, sum, TOKEN_SUM);
	buf_addb(&raw, last);
	text = mem_calloc(1, 4 * ((raw.len + 2) / 3) + 1);
	hash_base64((uint8_t *)raw.ptr, raw.len, text);
	buf_free(&raw);
	return text;
}

/* The item of a token, into `out`; false when we have not made it. */
static bool token_take(const char *token, struct buf *out)
{
	uint8_t sum[SHA256_LEN];
	size_t len;
	uint8_t *raw = hash_unbase64(token, &len);
	bool ok = raw && len > TOKEN_SUM;

	if (ok) {
		hash_hmac("s3d token", 9, raw + TOKEN_SUM, len - TOKEN_SUM, sum);
		ok = !memcmp(sum, raw, TOKEN_SUM);
		buf_add(out, raw + TOKEN_SUM, len - TOKEN_SUM);
	}
	free(raw);
	return ok;
}

bool list_params(struct req *r, struct listing *l)
{
	const char *max = req_param(r, "max-keys"), *encoding = req_param(r, "encoding-type");
	char *end = NULL;
	unsigned long n = max ? strtoul(max, &end, 10) : 1000;

	if (max && (!*max || *end || *max == '-' || n > INT32_MAX)) {
		req_error(r, "InvalidArgument",
			"Argument max-keys must be an integer between 0 and 2147483647");
		return false;
	}
	if (encoding && strcmp(encoding, "url")) {
		req_error(r, "InvalidArgument", "Invalid Encoding Method specified in Request");
		return false;
	}
	l->max = n < 1000 ? (unsigned)n : 1000;
	l->url = encoding && !r->srv->lacks.encoding;
	req_param_bytes(r, "prefix", &l->prefix);
	req_param_bytes(r, "delimiter", &l->delimiter);
	return true;
}

static void list_begins(struct req *r, struct bucket *b, struct listing *l)
{
	l->out = req_xml(r);
	buf_adds(l->out, "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	xml_element_str(l->out, "Name", b->name);
	list_name(l, l->out, "Prefix", l->prefix);
	if (l->delimiter.len)
		list_name(l, l->out, "Delimiter", l->delimiter);
	buf_addf(l->out, "<MaxKeys>%u</MaxKeys>", l->max);
	if (l->url)
		xml_element_str(l->out, "EncodingType", "url");
	if (l->max > r->srv->opts.page_max)
		l->max = r->srv->opts.page_max;
	l->prefixes = BUF_INIT(64u << 20);
	l->last = BUF_INIT(1u << 20);
}

static void list_ends(struct listing *l)
{
	buf_addb(l->out, buf_bytes(&l->prefixes));
	buf_adds(l->out, "</ListBucketResult>");
	buf_free(&l->prefixes);
	buf_free(&l->last);
}

void op_list_objects_v2(struct req *r)
{
	struct bucket *b = req_bucket(r);
	struct listing l = {.prefix = BYTES("", 0)};
	const char *token = req_param(r, "continuation-token");
	const char *owner = req_param(r, "fetch-owner");
	struct bytes start_after = BYTES_NONE;
	struct buf item = BUF_INIT(1u << 20);

	if (r->srv->lacks.list_type) {
		op_list_objects(r);
		return;
	}
	if (!b || !list_params(r, &l))
		return;
	req_param_bytes(r, "start-after", &start_after);
	if (token && !token_take(token, &item)) {
		buf_free(&item);
		req_error(r, "InvalidArgument", "The continuation token provided is incorrect");
		return;
	}
	l.after = token ? buf_bytes(&item) : start_after;
	l.owner = owner && !strcmp(owner, "true");
	list_begins(r, b, &l);
	if (start_after.ptr)
		list_name(&l, l.out, "StartAfter", start_after);
	if (token)
		xml_element_str(l.out, "ContinuationToken", token);
	collect(b, &l);
	buf_addf(l.out, "<KeyCount>%u</KeyCount><IsTruncated>%s</IsTruncated>", l.count,
		l.truncated ? "true" : "false");
	if (l.truncated) {
		char *next = token_make(buf_bytes(&l.last));

		xml_element_str(l.out, "NextContinuationToken", next);
		free(next);
	}
	list_ends(&l);
	buf_free(&item);
}

void op_list_objects(struct req *r)
{
	struct bucket *b = req_bucket(r);
	struct listing l = {.prefix = BYTES("", 0), .after = BYTES("", 0), .owner = true};

	if (!b || !list_params(r, &l))
		return;
	req_param_bytes(r, "marker", &l.after);
	list_begins(r, b, &l);
	list_name(&l, l.out, "Marker", l.after);
	collect(b, &l);
	buf_addf(l.out, "<IsTruncated>%s</IsTruncated>", l.truncated ? "true" : "false");
	/* Without a delimiter the client takes the last key. */
	if (l.truncated && l.delimiter.len)
		list_name(&l, l.out, "NextMarker", buf_bytes(&l.last));
	list_ends(&l);
}
