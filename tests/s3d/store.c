/*
 * Buckets, objects and uploads: see store.h. The objects of a bucket are a skip list (Pugh 1990) in
 * the order of their keys: a seek is O(log n), so that a listing steps over a whole common prefix
 * at the price of one lookup. One thread.
 */
#include "store.h"

#include <stdio.h>
#include <stdlib.h>

#include "hash.h"
#include "persist.h"
#include "util/clk.h"
#include "util/mem.h"

void store_open(struct store *store)
{
	if (!store->blob_bytes_max)
		store->blob_bytes_max = (uint64_t)4 << 30;
	store->rng.state = (uint64_t)clk_wall_ms();
}

void store_close(struct store *store)
{
	struct bucket *b, *tmp;

	HASH_ITER(hh, store->buckets, b, tmp)
	store_bucket_free(store, b);
	free(store->dir);
}

struct bucket *store_bucket(struct store *store, const char *name)
{
	struct bucket *b;

	HASH_FIND_STR(store->buckets, name, b);
	return b;
}

struct bucket *store_bucket_new(struct store *store, const char *name, const char *region)
{
	struct bucket *b;

	if (store_bucket(store, name))
		return NULL;
	b = mem_zalloc(sizeof(*b));
	b->name = mem_strdup(name);
	b->region = mem_strdup(region);
	b->created_ms = clk_wall_ms();
	HASH_ADD_KEYPTR(hh, store->buckets, b->name, strlen(b->name), b);
	return b;
}

void store_bucket_free(struct store *store, struct bucket *bucket)
{
	struct upload *u, *tmp;

	for (struct object *o = bucket->first[0], *next; o; o = next) {
		next = o->next[0];
		object_free_all(store, o);
	}
	HASH_ITER(hh, bucket->uploads, u, tmp)
	upload_free(store, bucket, u);
	HASH_DEL(store->buckets, bucket);
	free(bucket->name);
	free(bucket->region);
	free(bucket->owner);
	free(bucket);
}

/* For each height the link that points at the first object not below `key`; returns that object. */
static struct object *path_to(
	struct bucket *bucket, struct bytes key, struct object **links[STORE_HEIGHT_MAX])
{
	struct object **row = bucket->first;

	for (int h = STORE_HEIGHT_MAX - 1; h >= 0; h--) {
		while (row[h] && bytes_cmp(object_key(row[h]), key) < 0)
			row = row[h]->next;
		if (links)
			links[h] = &row[h];
	}
	return row[0];
}

struct object *store_seek_any(struct bucket *bucket, struct bytes key)
{
	return path_to(bucket, key, NULL);
}

static struct object *past_markers(struct object *o)
{
	while (o && o->is_marker)
		o = o->next[0];
	return o;
}

struct object *store_seek(struct bucket *bucket, struct bytes key)
{
	return past_markers(path_to(bucket, key, NULL));
}

struct object *store_next(const struct object *o)
{
	return past_markers(o->next[0]);
}

struct object *store_find(struct bucket *bucket, struct bytes key)
{
	struct object *o = path_to(bucket, key, NULL);

	return o && bytes_equal(object_key(o), key) && !o->is_marker ? o : NULL;
}

static uint32_t draw_height(struct store *store)
{
	uint64_t bits = rng_next(&store->rng);
	uint32_t h = 1;

	for (; h < STORE_HEIGHT_MAX && (bits & 3) == 0; bits >>= 2)
		h++;
	return h;
}

static struct object *insert(struct store *store, struct bucket *bucket, struct bytes key,
	struct object **links[STORE_HEIGHT_MAX])
{
	uint32_t height = draw_height(store);
	size_t head = sizeof(struct object) + height * sizeof(struct object *);
	struct object *o = mem_zalloc(head + key.len + 1);

	o->height = height;
	o->key = (char *)o + head;
	o->key_len = (uint32_t)key.len;
	if (key.len)
		memcpy(o->key, key.ptr, key.len);
	for (uint32_t h = 0; h < height; h++) {
		o->next[h] = *links[h];
		*links[h] = o;
	}
	bucket->object_count++;
	return o;
}

struct object *store_set(struct store *store, struct bucket *bucket, struct bytes key,
	struct data *data, struct kvs *meta, struct kvs *tags, const char *storage_class,
	int64_t mtime_ms)
{
	struct object **links[STORE_HEIGHT_MAX];
	struct object *o = path_to(bucket, key, links);

	if (o && bytes_equal(object_key(o), key))
		version_turn(store, bucket, o);
	else
		o = insert(store, bucket, key, links);
	o->is_marker = !data;
	o->data = data;
	o->meta = meta;
	o->tags = tags;
	o->storage_class = storage_class;
	o->mtime_ms = mtime_ms;
	version_name(store, bucket, o);
	return o;
}

struct object *store_put(struct store *store, struct bucket *bucket, struct bytes key,
	struct data *data, struct kvs *meta, struct kvs *tags, const char *storage_class)
{
	struct object like = {.data = data,
		.meta = meta,
		.tags = tags,
		.storage_class = storage_class,
		.mtime_ms = store_now_ms(store),
		.key_len = (uint32_t)key.len,
		.key = (char *)(uintptr_t)key.ptr};

	if (store->dir && persist_write(store, bucket, &like)) {
		data_unref(store, data);
		kvs_unref(meta);
		kvs_unref(tags);
		return NULL;
	}
	return store_set(store, bucket, key, data, meta, tags, storage_class, like.mtime_ms);
}

void store_unlink(struct store *store, struct bucket *bucket, struct bytes key)
{
	struct object **links[STORE_HEIGHT_MAX];
	struct object *o = path_to(bucket, key, links);

	if (store->dir)
		persist_remove(store, bucket, key);
	for (uint32_t h = 0; h < o->height; h++)
		*links[h] = o->next[h];
	bucket->object_count--;
	object_free_all(store, o);
}

bool store_delete(struct store *store, struct bucket *bucket, struct bytes key)
{
	bool was_there = store_find(bucket, key);

	if (bucket->versioning != VERSIONING_NEVER)
		store_set(store, bucket, key, NULL, NULL, NULL, "", store_now_ms(store));
	else if (was_there)
		store_unlink(store, bucket, key);
	return was_there;
}

struct upload *upload_new(struct store *store, struct bucket *bucket, struct bytes key)
{
	struct upload *u = mem_zalloc(sizeof(*u));

	snprintf(u->id, sizeof(u->id), "%016llx%016llx", (unsigned long long)rng_next(&store->rng),
		(unsigned long long)rng_next(&store->rng));
	u->key = mem_dup(key.ptr, key.len);
	u->key_len = key.len;
	u->started_ms = clk_wall_ms();
	HASH_ADD_STR(bucket->uploads, id, u);
	return u;
}

struct upload *upload_find(struct bucket *bucket, const char *id)
{
	struct upload *u;

	HASH_FIND_STR(bucket->uploads, id, u);
	return u;
}

/* Place of part `number`, or where it belongs. */
static size_t part_place(const struct upload *u, unsigned number)
{
	size_t lo = 0, hi = u->part_count;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (u->parts[mid].number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct part *upload_part(struct upload *u, unsigned number)
{
	size_t i = part_place(u, number);

	return i < u->part_count && u->parts[i].number == number ? &u->parts[i] : NULL;
}

struct part *upload_set_part(
	struct store *store, struct upload *u, unsigned number, struct data *data)
{
	size_t i = part_place(u, number);

	if (i < u->part_count && u->parts[i].number == number) {
		data_unref(store, u->parts[i].data);
	} else {
		u->parts = mem_resize(u->parts, u->part_count + 1, sizeof(u->parts[0]));
		memmove(&u->parts[i + 1], &u->parts[i], (u->part_count - i) * sizeof(u->parts[0]));
		u->part_count++;
	}
	u->parts[i] = (struct part){.number = number, .data = data, .mtime_ms = clk_wall_ms()};
	return &u->parts[i];
}

void upload_free(struct store *store, struct bucket *bucket, struct upload *u)
{
	HASH_DEL(bucket->uploads, u);
	for (size_t i = 0; i < u->part_count; i++)
		data_unref(store, u->parts[i].data);
	kvs_unref(u->meta);
	kvs_unref(u->tags);
	free(u->parts);
	free(u->key);
	free(u);
}
