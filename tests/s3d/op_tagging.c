/* Tags of objects: see ops.h. One thread. */
#include "meta.h"
#include "persist.h"
#include "s3d.h"
#include "xml.h"

void op_get_object_tagging(struct req *r)
{
	struct bucket *bucket = req_bucket(r);
	const struct object *o = bucket ? req_object(r, bucket) : NULL;
	struct buf *b;

	if (!o)
		return;
	b = req_xml(r);
	buf_adds(b, "<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>");
	for (size_t i = 0; o->tags && i < o->tags->count; i++) {
		buf_adds(b, "<Tag>");
		xml_element_str(b, "Key", o->tags->items[i].name);
		xml_element_str(b, "Value", o->tags->items[i].value);
		buf_adds(b, "</Tag>");
	}
	buf_adds(b, "</TagSet></Tagging>");
}

/* Takes `tags`; the object's content and time stay. */
static void set_tags(struct req *r, struct bucket *b, struct object *o, struct kvs *tags)
{
	struct store *store = &r->srv->store;
	struct kvs *before = o->tags;

	o->tags = tags;
	if (store->dir && persist_write(store, b, o)) {
		o->tags = before;
		kvs_unref(tags);
		req_error(r, "InternalError", "The folder of --dir cannot be written");
		return;
	}
	kvs_unref(before);
}

void op_put_object_tagging(struct req *r)
{
	struct bucket *b = req_bucket(r);
	struct object *o = b ? req_object(r, b) : NULL;
	struct kvs *tags;

	if (o && tags_of_body(r, &tags))
		set_tags(r, b, o, tags);
}

void op_delete_object_tagging(struct req *r)
{
	struct bucket *b = req_bucket(r);
	struct object *o = b ? req_object(r, b) : NULL;

	if (!o)
		return;
	set_tags(r, b, o, NULL);
	if (!r->answer.code[0])
		req_status(r, 204);
}
