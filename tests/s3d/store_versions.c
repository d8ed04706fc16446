/*
 * Versions of objects: see store.h. The newest of a key stands in the bucket's list, the others
 * hang behind it, newest first. After "How S3 Versioning works", S3 User Guide. One thread.
 */
#include <stdio.h>
#include <stdlib.h>

#include "store.h"
#include "util/clk.h"
#include "util/mem.h"

int64_t store_now_ms(const struct store *store)
{
	return clk_wall_ms() + store->made_offset_ms;
}

const char *version_id(const struct object *o)
{
	return o->version[0] ? o->version : "null";
}

static bool is_null(const struct object *o)
{
	return !strcmp(version_id(o), "null");
}

void object_drop(struct store *store, struct object *o)
{
	data_unref(store, o->data);
	kvs_unref(o->meta);
	kvs_unref(o->tags);
	o->data = NULL;
	o->meta = o->tags = NULL;
}

void object_free_all(struct store *store, struct object *o)
{
	while (o) {
		struct object *older = o->older;

		object_drop(store, o);
		free(o);
		o = older;
	}
}

/* What `from` is beside its key and its place. */
static void take_over(struct object *to, const struct object *from)
{
	to->data = from->data;
	to->meta = from->meta;
	to->tags = from->tags;
	to->storage_class = from->storage_class;
	to->mtime_ms = from->mtime_ms;
	to->is_marker = from->is_marker;
	memcpy(to->version, from->version, sizeof(to->version));
}

static void push_down(struct object *o)
{
	struct object *was = mem_zalloc(sizeof(*was) + o->key_len + 1);

	take_over(was, o);
	was->key = (char *)(was + 1);
	was->key_len = o->key_len;
	memcpy(was->key, o->key, o->key_len);
	was->older = o->older;
	o->older = was;
}

/* There is one version "null" of a key at most. */
static void drop_null(struct store *store, struct object *o)
{
	struct object **at = &o->older;

	while (*at && !is_null(*at))
		at = &(*at)->older;
	if (*at) {
		struct object *gone = *at;

		*at = gone->older;
		gone->older = NULL;
		object_free_all(store, gone);
	}
}

void version_turn(struct store *store, struct bucket *bucket, struct object *o)
{
	if (bucket->versioning == VERSIONING_ENABLED ||
		(bucket->versioning == VERSIONING_SUSPENDED && !is_null(o)))
		push_down(o);
	else
		object_drop(store, o);
	if (bucket->versioning == VERSIONING_SUSPENDED)
		drop_null(store, o);
}

void version_name(struct store *store, const struct bucket *bucket, struct object *o)
{
	if (bucket->versioning == VERSIONING_ENABLED)
		snprintf(o->version, sizeof(o->version), "%016llx._-",
			(unsigned long long)rng_next(&store->rng));
	else
		snprintf(o->version, sizeof(o->version), "%s",
			bucket->versioning == VERSIONING_SUSPENDED ? "null" : "");
}

struct object *store_find_version(struct bucket *bucket, struct bytes key, const char *id)
{
	struct object *o = store_seek_any(bucket, key);

	if (!o || !bytes_equal(object_key(o), key))
		return NULL;
	while (o && strcmp(version_id(o), id))
		o = o->older;
	return o;
}

bool store_delete_version(
	struct store *store, struct bucket *bucket, struct bytes key, const char *id)
{
	struct object *gone = store_find_version(bucket, key, id);
	struct object *o = store_seek_any(bucket, key), **at;

	if (!gone)
		return false;
	if (gone == o && !o->older) {
		store_unlink(store, bucket, key);
		return true;
	}
	if (gone == o) {
		gone = o->older;
		object_drop(store, o);
		take_over(o, gone);
		gone->data = NULL;
		gone->meta = gone->tags = NULL;
	}
	for (at = &o->older; *at != gone; at = &(*at)->older)
		;
	*at = gone->older;
	gone->older = NULL;
	object_free_all(store, gone);
	return true;
}
