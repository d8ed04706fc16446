/* DeleteObject and DeleteObjects: see ops.h. One thread. */
#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "meta.h"
#include "s3d.h"
#include "util/mem.h"
#include "xml.h"

#define KEYS_MAX 1000

/* One version for good, or as a bucket with versions has it. */
static void delete_now(struct req *r, struct bucket *b)
{
	const char *version = req_param(r, "versionId");
	const struct object *o;

	if (version) {
		store_delete_version(&r->srv->store, b, r->key, version);
		return;
	}
	store_delete(&r->srv->store, b, r->key);
	o = store_seek_any(b, r->key);
	if (o && bytes_equal(object_key(o), r->key))
		add_header_version(r, o);
}

void op_delete_object(struct req *r)
{
	struct bucket *b = req_bucket(r);
	const char *match = req_header(r, "If-Match");
	const struct object *o = b ? store_find(b, r->key) : NULL;

	if (!b)
		return;
	if (match && o && !etag_matches(match, o->data->etag)) {
		req_error(r, "PreconditionFailed", NULL);
		return;
	}
	if (match && !o) {
		req_error(r, "NoSuchKey", NULL);
		return;
	}
	delete_now(r, b);
	req_status(r, 204);
}

/* Takes over `key` and `etag`. */
static void add_key(struct req *r, char *key, char *etag)
{
	size_t n = r->key_count + 1;

	if ((n & (n - 1)) == 0) {
		r->keys = mem_resize(r->keys, 2 * n, sizeof(r->keys[0]));
		r->key_etags = mem_resize(r->key_etags, 2 * n, sizeof(r->key_etags[0]));
	}
	r->keys[r->key_count] = BYTES_STR(key);
	r->key_etags[r->key_count++] = etag;
}

static bool take_keys(struct req *r, const xmlNode *root)
{
	char *quiet = xml_child(root, "Quiet");

	r->quiet = quiet && !strcmp(quiet, "true");
	free(quiet);
	for (const xmlNode *n = root->children; n; n = n->next) {
		char *key;

		if (n->type != XML_ELEMENT_NODE || strcmp((const char *)n->name, "Object"))
			continue;
		key = xml_child(n, "Key");
		if (!key)
			return false;
		add_key(r, key, xml_child(n, "ETag"));
		if (!key[0] || r->key_count > KEYS_MAX)
			return false;
	}
	return r->key_count > 0;
}

bool op_delete_objects_parse(struct req *r)
{
	xmlDoc *doc;
	bool ok;

	if (!auth_has_body_digest(r)) {
		req_error(r, "InvalidRequest",
			"Missing required header for this request: Content-MD5 OR "
			"x-amz-checksum-*");
		return false;
	}
	doc = xml_parse(r->body, r->body_len, "Delete");
	ok = doc && take_keys(r, xmlDocGetRootElement(doc));
	xmlFreeDoc(doc);
	if (!ok)
		req_error(r, "MalformedXML", NULL);
	return ok;
}

static void key_error(struct buf *out, struct bytes key, const char *code, const char *message)
{
	buf_adds(out, "<Error>");
	xml_element(out, "Key", key);
	xml_element_str(out, "Code", code);
	xml_element_str(out, "Message", message);
	buf_adds(out, "</Error>");
}

static void delete_one(struct req *r, struct bucket *b, size_t i, struct buf *out)
{
	struct bytes key = r->keys[i];
	const struct object *o;
	struct fault_action a = {0};

	if (r->srv->faults.first)
		a = faults_for_key(&r->srv->faults, r, key);
	if (a.fires) {
		key_error(out, key, a.code, a.message[0] ? a.message : a.code);
		return;
	}
	o = r->key_etags[i] ? store_find(b, key) : NULL;
	if (r->key_etags[i] && (!o || !etag_matches(r->key_etags[i], o->data->etag))) {
		key_error(out, key, "PreconditionFailed",
			"At least one of the pre-conditions you specified did not hold");
		return;
	}
	r->srv->stats.keys_deleted += store_delete(&r->srv->store, b, key);
	if (r->quiet)
		return;
	buf_adds(out, "<Deleted>");
	xml_element(out, "Key", key);
	buf_adds(out, "</Deleted>");
}

void op_delete_objects(struct req *r)
{
	struct bucket *b = req_bucket(r);
	struct buf *out;

	if (!b)
		return;
	out = req_xml(r);
	buf_adds(out, "<DeleteResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	for (size_t i = 0; i < r->key_count; i++)
		delete_one(r, b, i, out);
	buf_adds(out, "</DeleteResult>");
}
