/* ListParts and ListMultipartUploads: see ops.h. One thread. */
#include <stdlib.h>
#include <string.h>

#include "req.h"
#include "s3d.h"
#include "source.h"
#include "uri.h"
#include "util/mem.h"
#include "xml.h"

/* A number from 1 to 1,000; 1,000 without the parameter. */
static unsigned page_size(const struct req *r, const char *name)
{
	const char *text = req_param(r, name);
	unsigned long n = text ? strtoul(text, NULL, 10) : 1000;

	return n >= 1 && n < 1000 ? (unsigned)n : 1000;
}

void op_list_parts(struct req *r)
{
	struct bucket *bucket = req_bucket(r);
	struct upload *u = bucket ? multi_upload(r, bucket) : NULL;
	const char *text = req_param(r, "part-number-marker");
	unsigned marker = text ? (unsigned)strtoul(text, NULL, 10) : 0, last = marker;
	unsigned max = page_size(r, "max-parts"), count = 0;
	bool truncated = false;
	struct buf *b;

	if (!u)
		return;
	b = req_xml(r);
	buf_adds(b, "<ListPartsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	xml_element_str(b, "Bucket", bucket->name);
	xml_element(b, "Key", r->key);
	xml_element_str(b, "UploadId", u->id);
	xml_element_str(b, "StorageClass", u->storage_class);
	for (size_t i = 0; i < u->part_count; i++) {
		const struct part *p = &u->parts[i];

		if (p->number <= marker)
			continue;
		if (count == max) {
			truncated = true;
			break;
		}
		buf_addf(b, "<Part><PartNumber>%u</PartNumber>", p->number);
		xml_element_time(b, "LastModified", p->mtime_ms);
		buf_addf(b, "<ETag>&quot;%s&quot;</ETag><Size>%llu</Size></Part>", p->data->etag,
			(unsigned long long)p->data->size);
		last = p->number;
		count++;
	}
	buf_addf(b,
		"<PartNumberMarker>%u</PartNumberMarker><NextPartNumberMarker>%u"
		"</NextPartNumberMarker><MaxParts>%u</MaxParts><IsTruncated>%s</IsTruncated>"
		"</ListPartsResult>",
		marker, last, max, truncated ? "true" : "false");
}

static int upload_cmp(const void *a, const void *b)
{
	const struct upload *x = *(struct upload *const *)a, *y = *(struct upload *const *)b;
	int c = bytes_cmp(BYTES(x->key, x->key_len), BYTES(y->key, y->key_len));

	return c ? c : strcmp(x->id, y->id);
}

static struct upload **sorted_uploads(struct bucket *bucket, size_t *ret_count)
{
	size_t n = 0;
	struct upload **list = mem_calloc(HASH_COUNT(bucket->uploads), sizeof(*list)), *u, *tmp;

	HASH_ITER(hh, bucket->uploads, u, tmp)
	list[n++] = u;
	if (n)
		qsort(list, n, sizeof(*list), upload_cmp);
	*ret_count = n;
	return list;
}

static void add_key(struct buf *out, const char *name, const struct upload *u, bool url)
{
	struct buf coded = BUF_INIT(1u << 20);
	struct bytes key = BYTES(u->key, u->key_len);

	if (url)
		uri_encode_listing(&coded, key);
	xml_element(out, name, url ? buf_bytes(&coded) : key);
	buf_free(&coded);
}

static void add_upload(struct buf *b, const struct upload *u, bool url)
{
	buf_adds(b, "<Upload>");
	add_key(b, "Key", u, url);
	xml_element_str(b, "UploadId", u->id);
	xml_element_str(b, "StorageClass", u->storage_class);
	xml_element_time(b, "Initiated", u->started_ms);
	buf_adds(b, "</Upload>");
}

/* Greater than the markers of the page before: by key, then by upload id. */
static bool is_after(const struct upload *u, struct bytes key_marker, const char *id_marker)
{
	int c = key_marker.ptr ? bytes_cmp(BYTES(u->key, u->key_len), key_marker) : 1;

	return c > 0 || (c == 0 && id_marker && strcmp(u->id, id_marker) > 0);
}

void op_list_multipart_uploads(struct req *r)
{
	struct bucket *bucket = req_bucket(r);
	struct bytes prefix = BYTES("", 0), key_marker = BYTES_NONE;
	const char *id_marker = req_param(r, "upload-id-marker");
	unsigned max = page_size(r, "max-uploads"), count = 0;
	bool url = req_param(r, "encoding-type");
	const struct upload *last = NULL, *more = NULL;
	struct upload **list;
	struct buf *b;
	size_t n;

	if (!bucket)
		return;
	req_param_bytes(r, "prefix", &prefix);
	req_param_bytes(r, "key-marker", &key_marker);
	list = sorted_uploads(bucket, &n);
	b = req_xml(r);
	buf_adds(b, "<ListMultipartUploadsResult "
		    "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	xml_element_str(b, "Bucket", bucket->name);
	if (url)
		xml_element_str(b, "EncodingType", "url");
	for (size_t i = 0; i < n && !more; i++) {
		if (!bytes_starts(BYTES(list[i]->key, list[i]->key_len), prefix) ||
			!is_after(list[i], key_marker, id_marker))
			continue;
		if (count == max) {
			more = list[i];
			break;
		}
		add_upload(b, list[i], url);
		last = list[i];
		count++;
	}
	if (more && last) {
		add_key(b, "NextKeyMarker", last, url);
		xml_element_str(b, "NextUploadIdMarker", last->id);
	}
	buf_addf(b, "<MaxUploads>%u</MaxUploads><IsTruncated>%s</IsTruncated>", max,
		more ? "true" : "false");
	buf_adds(b, "</ListMultipartUploadsResult>");
	free(list);
}
