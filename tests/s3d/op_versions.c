/* ListObjectVersions, PutBucketVersioning, GetBucketVersioning: see ops.h. One thread. */
#include <stdlib.h>
#include <string.h>

#include "op_list.h"
#include "s3d.h"
#include "xml.h"

/* Where the page begins: behind a version, or behind a key or common prefix. */
struct place {
	struct object *newest; /* of its key */
	struct object *at;     /* NULL: from the newest on */
};

static void add_version(struct listing *l, const struct object *newest, const struct object *o)
{
	const char *element = o->is_marker ? "DeleteMarker" : "Version";
	struct buf *b = l->out;

	buf_addf(b, "<%s>", element);
	list_name(l, b, "Key", object_key(newest));
	xml_element_str(b, "VersionId", version_id(o));
	xml_element_str(b, "IsLatest", o == newest ? "true" : "false");
	xml_element_time(b, "LastModified", o->mtime_ms / 1000 * 1000);
	if (!o->is_marker) {
		buf_addf(b, "<ETag>&quot;%s&quot;</ETag><Size>%llu</Size>", o->data->etag,
			(unsigned long long)o->data->size);
		xml_element_str(b, "StorageClass", o->storage_class);
	}
	buf_adds(b, "<Owner><ID>s3d</ID><DisplayName>s3d</DisplayName></Owner>");
	buf_addf(b, "</%s>", element);
}

/* False with an error answer: there is no such version. */
static bool first_place(
	struct req *r, struct bucket *b, const struct listing *l, const char *id, struct place *p)
{
	struct object *o;

	*p = (struct place){store_seek_any(b, l->prefix), NULL};
	if (!l->after.len || bytes_cmp(l->after, l->prefix) < 0)
		return true;
	p->newest = o = store_seek_any(b, l->after);
	if (!o || !bytes_equal(object_key(o), l->after))
		return true;
	if (!id || !*id) {
		p->newest = o->next[0];
		return true;
	}
	o = store_find_version(b, l->after, id);
	if (!o) {
		req_error(r, "InvalidArgument", "Invalid version id specified");
		return false;
	}
	p->at = o->older;
	if (!p->at)
		p->newest = p->newest->next[0];
	return true;
}

/* All versions of one key; false when the page is full. */
static bool collect_key(struct listing *l, const struct place *p, const char **last_id)
{
	const struct object *o;

	for (o = p->at ? p->at : p->newest; o; o = o->older) {
		if (l->count == l->max)
			return false;
		l->count++;
		buf_cut(&l->last, 0);
		buf_addb(&l->last, object_key(p->newest));
		*last_id = version_id(o);
		add_version(l, p->newest, o);
	}
	return true;
}

/* False when the page is full. */
static bool collect_prefix(struct listing *l, struct bytes prefix, const char **last_id)
{
	/* It was on a page before, or the caller steps over it. */
	if (l->after.len && bytes_cmp(prefix, l->after) <= 0)
		return true;
	if (l->count == l->max)
		return false;
	l->count++;
	buf_cut(&l->last, 0);
	buf_addb(&l->last, prefix);
	*last_id = NULL;
	list_prefix(l, prefix);
	return true;
}

static void collect(struct bucket *b, struct listing *l, struct place p, const char **last_id)
{
	struct buf past = BUF_INIT(1u << 20);

	while (p.newest && bytes_starts(object_key(p.newest), l->prefix)) {
		struct bytes cp = list_common_prefix(l, object_key(p.newest));

		if (cp.len ? !collect_prefix(l, cp, last_id) : !collect_key(l, &p, last_id)) {
			l->truncated = true;
			break;
		}
		if (cp.len)
			p.newest =
				list_beyond(cp, &past) ? store_seek_any(b, buf_bytes(&past)) : NULL;
		else
			p.newest = p.newest->next[0];
		p.at = NULL;
	}
	buf_free(&past);
}

static void send_page(struct req *r, struct bucket *b, struct listing *l, struct place p)
{
	const char *last_id = NULL;
	struct buf *out = l->out = req_xml(r);

	buf_adds(out, "<ListVersionsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	xml_element_str(out, "Name", b->name);
	list_name(l, out, "Prefix", l->prefix);
	list_name(l, out, "KeyMarker", l->after);
	buf_addf(out, "<MaxKeys>%u</MaxKeys>", l->max);
	if (l->delimiter.len)
		list_name(l, out, "Delimiter", l->delimiter);
	if (l->url)
		xml_element_str(out, "EncodingType", "url");
	if (l->max > r->srv->opts.page_max)
		l->max = r->srv->opts.page_max;
	l->prefixes = BUF_INIT(64u << 20);
	l->last = BUF_INIT(1u << 20);
	if (l->max)
		collect(b, l, p, &last_id);
	buf_addf(out, "<IsTruncated>%s</IsTruncated>", l->truncated ? "true" : "false");
	if (l->truncated) {
		list_name(l, out, "NextKeyMarker", buf_bytes(&l->last));
		if (last_id)
			xml_element_str(out, "NextVersionIdMarker", last_id);
	}
	buf_addb(out, buf_bytes(&l->prefixes));
	buf_adds(out, "</ListVersionsResult>");
	buf_free(&l->prefixes);
	buf_free(&l->last);
}

void op_list_object_versions(struct req *r)
{
	struct bucket *b = req_bucket(r);
	const char *id = req_param(r, "version-id-marker");
	struct listing l = {.prefix = BYTES("", 0), .after = BYTES("", 0)};
	struct place p;

	if (!b || !list_params(r, &l))
		return;
	req_param_bytes(r, "key-marker", &l.after);
	if (id && *id && !l.after.len) {
		req_error(r, "InvalidArgument",
			"A version-id marker cannot be specified without a key marker.");
		return;
	}
	if (first_place(r, b, &l, id, &p))
		send_page(r, b, &l, p);
}

void op_get_bucket_versioning(struct req *r)
{
	struct bucket *b = req_bucket(r);
	struct buf *out;

	if (!b)
		return;
	out = req_xml(r);
	buf_adds(
		out, "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	if (b->versioning != VERSIONING_NEVER)
		xml_element_str(out, "Status",
			b->versioning == VERSIONING_ENABLED ? "Enabled" : "Suspended");
	buf_adds(out, "</VersioningConfiguration>");
}

void op_put_bucket_versioning(struct req *r)
{
	struct bucket *b = req_bucket(r);
	xmlDoc *doc = b ? xml_parse(r->body, r->body_len, "VersioningConfiguration") : NULL;
	char *status = doc ? xml_child(xmlDocGetRootElement(doc), "Status") : NULL;

	if (!b)
		return;
	if (r->srv->store.dir)
		req_error(r, "NotImplemented", "A server with --dir keeps no versions");
	else if (status && !strcmp(status, "Enabled"))
		b->versioning = VERSIONING_ENABLED;
	else if (status && !strcmp(status, "Suspended"))
		b->versioning = VERSIONING_SUSPENDED;
	else
		req_error(r, "MalformedXML", NULL);
	free(status);
	xmlFreeDoc(doc);
}
