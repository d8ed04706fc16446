/* Multipart uploads: see ops.h. One thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "customer.h"
#include "hash.h"
#include "meta.h"
#include "s3d.h"
#include "source.h"
#include "util/mem.h"
#include "xml.h"

#define PARTS_MAX 10000
#define PART_MAX ((uint64_t)5 << 30)

struct upload *multi_upload(struct req *r, struct bucket *bucket)
{
	const char *id = req_param(r, "uploadId");
	struct upload *u = id ? upload_find(bucket, id) : NULL;

	if (u && bytes_equal(BYTES(u->key, u->key_len), r->key))
		return u;
	req_error(r, "NoSuchUpload", NULL);
	return NULL;
}

unsigned multi_part_number(struct req *r)
{
	const char *text = req_param(r, "partNumber");
	char *end = NULL;
	unsigned long n = text ? strtoul(text, &end, 10) : 0;

	if (n >= 1 && n <= PARTS_MAX && !*end)
		return (unsigned)n;
	req_error(r, "InvalidArgument",
		"Part number must be an integer between 1 and 10000, inclusive");
	return 0;
}

void op_create_multipart_upload(struct req *r)
{
	struct bucket *bucket = req_bucket(r);
	const char *storage_class = bucket ? storage_class_of_request(r) : NULL;
	struct kvs *meta, *tags;
	struct upload *u;
	struct buf *b;

	if (!storage_class || !meta_of_request(r, &meta))
		return;
	if (!tags_of_request(r, &tags)) {
		kvs_unref(meta);
		return;
	}
	u = upload_new(&r->srv->store, bucket, r->key);
	u->meta = meta;
	u->tags = tags;
	u->storage_class = storage_class;
	b = req_xml(r);
	buf_adds(b, "<InitiateMultipartUploadResult "
		    "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	xml_element_str(b, "Bucket", bucket->name);
	xml_element(b, "Key", r->key);
	xml_element_str(b, "UploadId", u->id);
	buf_adds(b, "</InitiateMultipartUploadResult>");
}

void op_upload_part(struct req *r)
{
	struct bucket *b = req_bucket(r);
	struct upload *u = b ? multi_upload(r, b) : NULL;
	unsigned number = u ? multi_part_number(r) : 0;
	struct blob *blob = NULL;
	struct data *data;

	if (!number || !customer_key_fits(r, false, u->meta) || !auth_check_part_sum(r, u->meta))
		return;
	if (r->body_len > PART_MAX) {
		req_error(r, "EntityTooLarge", NULL);
		return;
	}
	if (r->body_len) {
		blob = blob_new(&r->srv->store, r->body, r->body_len);
		r->body = NULL;
		if (!blob) {
			req_error(r, "QuotaExceeded", NULL);
			return;
		}
	}
	data = data_new(blob);
	customer_seal(r, data);
	add_header_etag(r, data->etag);
	upload_set_part(&r->srv->store, u, number, data);
}

void op_abort_multipart_upload(struct req *r)
{
	struct bucket *b = req_bucket(r);
	struct upload *u = b ? multi_upload(r, b) : NULL;

	if (!u)
		return;
	upload_free(&r->srv->store, b, u);
	req_status(r, 204);
}

/* The parts that Complete names. */
struct chosen {
	struct data **list;
	size_t count;
	unsigned last_number;
	uint64_t size;
	const char *error; /* S3 code; NULL: none */
};

static void choose(struct req *r, struct upload *u, const xmlNode *node, struct chosen *c)
{
	char *number = xml_child(node, "PartNumber"), *etag = xml_child(node, "ETag");
	unsigned n = number ? (unsigned)strtoul(number, NULL, 10) : 0;
	const struct part *p = n ? upload_part(u, n) : NULL;

	if (!n || !etag)
		c->error = "MalformedXML";
	else if (n <= c->last_number)
		c->error = "InvalidPartOrder";
	/* "CompletedPart", API reference: consecutive, with checksums. */
	else if (n != c->last_number + 1 && kvs_get(u->meta, "x-amz-checksum-algorithm"))
		c->error = "InvalidRequest";
	else if (!p || !etag_matches(etag, p->data->etag) || !strcmp(etag, "*"))
		c->error = "InvalidPart";
	else if (c->count && c->list[c->count - 1]->size < r->srv->opts.part_min_bytes)
		c->error = "EntityTooSmall";
	free(number);
	free(etag);
	if (c->error)
		return;
	c->list = mem_resize(c->list, c->count + 1, sizeof(*c->list));
	c->list[c->count++] = p->data;
	c->last_number = n;
	c->size += p->data->size;
}

static void choose_all(struct req *r, struct upload *u, struct chosen *c)
{
	const char *whole = req_header(r, "x-amz-mp-object-size");
	xmlDoc *doc = xml_parse(r->body, r->body_len, "CompleteMultipartUpload");

	if (!doc) {
		c->error = "MalformedXML";
		return;
	}
	for (const xmlNode *n = xmlDocGetRootElement(doc)->children; n && !c->error; n = n->next)
		if (n->type == XML_ELEMENT_NODE && !strcmp((const char *)n->name, "Part"))
			choose(r, u, n, c);
	xmlFreeDoc(doc);
	if (!c->error && (!c->count || c->count > PARTS_MAX))
		c->error = "MalformedXML";
	else if (!c->error && whole && strtoull(whole, NULL, 10) != c->size)
		c->error = "InvalidRequest";
}

/* MD5 over the parts' MD5s in binary, and their number. */
static void multi_etag(const struct chosen *c, char out[40])
{
	uint8_t md5[MD5_LEN];

	hash_md5_begin();
	for (size_t i = 0; i < c->count; i++) {
		hash_unhex(c->list[i]->etag, md5, MD5_LEN);
		hash_md5_add(md5, MD5_LEN);
	}
	hash_md5_end(md5);
	hash_hex(md5, MD5_LEN, out);
	snprintf(out + 2 * MD5_LEN, 40 - 2 * MD5_LEN, "-%u", (unsigned)(c->count & 0xffff));
}

static void complete(struct req *r, struct bucket *bucket, struct upload *u, struct chosen *c)
{
	struct store *store = &r->srv->store;
	const struct object *o;
	struct data *data;
	struct kvs *sum, *meta;
	char etag[40];
	struct buf *b;

	multi_etag(c, etag);
	data = data_concat(c->list, c->count, etag);
	sum = auth_whole_sum(u->meta, data);
	meta = meta_with_sums(kvs_ref(u->meta), sum);
	kvs_unref(sum);
	o = store_put(store, bucket, r->key, data, meta, kvs_ref(u->tags), u->storage_class);
	if (!o) {
		req_error(r, "InternalError", "The folder of --dir cannot be written");
		return;
	}
	upload_free(store, bucket, u);
	b = req_xml(r);
	add_header_version(r, o);
	buf_adds(b, "<CompleteMultipartUploadResult "
		    "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	xml_element(b, "Location", r->path);
	xml_element_str(b, "Bucket", bucket->name);
	xml_element(b, "Key", r->key);
	buf_addf(b, "<ETag>&quot;%s&quot;</ETag></CompleteMultipartUploadResult>", etag);
}

void op_complete_multipart_upload(struct req *r)
{
	struct bucket *b = req_bucket(r);
	struct upload *u = b ? multi_upload(r, b) : NULL;
	struct chosen c = {0};

	if (!u || !check_write_conditions(r, store_find(b, r->key)))
		return;
	choose_all(r, u, &c);
	if (c.error)
		req_error(r, c.error, NULL);
	else
		complete(r, b, u, &c);
	free(c.list);
}
