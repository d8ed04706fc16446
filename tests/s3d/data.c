/* Contents, metadata lists and storage classes: see store.h. One thread; reference counts. */
#include "store.h"

#include <stdio.h>
#include <stdlib.h>

#include "hash.h"
#include "util/mem.h"

struct blob *blob_new(struct store *store, char *ptr, size_t size)
{
	struct blob *b;

	if (size > store->blob_bytes_max - store->blob_bytes) {
		free(ptr);
		return NULL;
	}
	b = mem_zalloc(sizeof(*b));
	*b = (struct blob){.refs = 1, .serial = ++store->blob_serial, .size = size, .ptr = ptr};
	store->blob_bytes += size;
	return b;
}

void blob_unref(struct store *store, struct blob *blob)
{
	if (!blob || --blob->refs)
		return;
	store->blob_bytes -= blob->size;
	free(blob->ptr);
	free(blob);
}

static struct data *data_alloc(size_t count)
{
	struct data *d = mem_zalloc(sizeof(*d) + count * sizeof(d->pieces[0]));

	d->refs = 1;
	d->count = count;
	return d;
}

struct data *data_new(struct blob *blob)
{
	struct data *d = data_alloc(blob ? 1 : 0);
	uint8_t md5[MD5_LEN];

	if (blob) {
		d->pieces[0] = (struct piece){.blob = blob, .len = blob->size};
		d->size = blob->size;
	}
	hash_md5(blob ? blob->ptr : "", (size_t)d->size, md5);
	hash_hex(md5, MD5_LEN, d->etag);
	return d;
}

struct data *data_new_seeded(uint64_t size, uint64_t seed)
{
	struct data *d = data_alloc(size ? 1 : 0);

	if (size)
		d->pieces[0] = (struct piece){.seed = seed, .len = size};
	d->size = size;
	data_md5(d);
	return d;
}

/* Appends the part of `from` that covers [off, off + len) to d->pieces, counting in d->count. */
static void add_range(struct data *d, const struct data *from, uint64_t off, uint64_t len)
{
	for (size_t i = 0; i < from->count && len; i++) {
		struct piece p = from->pieces[i];

		if (off >= p.len) {
			off -= p.len;
			continue;
		}
		p.off += off;
		p.len -= off;
		off = 0;
		if (p.len > len)
			p.len = len;
		len -= p.len;
		if (p.blob)
			p.blob->refs++;
		d->pieces[d->count++] = p;
		d->size += p.len;
	}
}

struct data *data_slice(const struct data *data, uint64_t off, uint64_t len)
{
	struct data *d = data_alloc(data->count);

	d->count = 0;
	add_range(d, data, off, len);
	data_md5(d);
	return d;
}

struct data *data_concat(struct data *const *list, size_t count, const char *etag)
{
	struct data *d;
	size_t pieces = 0;

	for (size_t i = 0; i < count; i++)
		pieces += list[i]->count;
	d = data_alloc(pieces);
	d->count = 0;
	for (size_t i = 0; i < count; i++)
		add_range(d, list[i], 0, list[i]->size);
	snprintf(d->etag, sizeof(d->etag), "%s", etag);
	return d;
}

/* Bytes [off, off + len) of the endless made-up content of `seed`. */
static void make_up(uint64_t seed, uint64_t off, char *out, size_t len)
{
	while (len) {
		struct rng r = {.state = seed + (off / 8) * 0x9e3779b97f4a7c15u};
		uint64_t word = rng_next(&r);
		size_t skip = off % 8, n = 8 - skip;

		if (n > len)
			n = len;
		memcpy(out, (const char *)&word + skip, n);
		out += n;
		off += n;
		len -= n;
	}
}

size_t data_read(const struct data *data, uint64_t off, char *out, size_t len)
{
	size_t got = 0;

	for (size_t i = 0; i < data->count && got < len; i++) {
		const struct piece *p = &data->pieces[i];
		size_t n;

		if (off >= p->len) {
			off -= p->len;
			continue;
		}
		n = p->len - off < len - got ? (size_t)(p->len - off) : len - got;
		if (p->blob)
			memcpy(out + got, p->blob->ptr + p->off + off, n);
		else
			make_up(p->seed, p->off + off, out + got, n);
		got += n;
		off = 0;
	}
	return got;
}

void data_md5(struct data *d)
{
	static char chunk[1 << 16];
	uint8_t md5[MD5_LEN];
	bool whole = d->size <= STORE_MD5_MAX;

	hash_md5_begin();
	for (uint64_t off = 0; whole && off < d->size;) {
		size_t n = data_read(d, off, chunk, sizeof(chunk));

		hash_md5_add(chunk, n);
		off += n;
	}
	for (size_t i = 0; !whole && i < d->count; i++) {
		const struct piece *p = &d->pieces[i];
		uint64_t id[4] = {p->blob ? p->blob->serial : 0, p->seed, p->off, p->len};

		hash_md5_add(id, sizeof(id));
	}
	hash_md5_end(md5);
	hash_hex(md5, MD5_LEN, d->etag);
}

struct data *data_ref(struct data *data)
{
	data->refs++;
	return data;
}

void data_unref(struct store *store, struct data *data)
{
	if (!data || --data->refs)
		return;
	for (size_t i = 0; i < data->count; i++)
		blob_unref(store, data->pieces[i].blob);
	free(data);
}

struct kvs *kvs_new(const struct kv *items, size_t count)
{
	struct kvs *k;

	if (!count)
		return NULL;
	k = mem_zalloc(sizeof(*k));
	k->refs = 1;
	k->count = count;
	k->items = mem_calloc(count, sizeof(k->items[0]));
	for (size_t i = 0; i < count; i++) {
		k->items[i].name = mem_strdup(items[i].name);
		k->items[i].value = mem_strdup(items[i].value);
	}
	return k;
}

const char *kvs_get(const struct kvs *kvs, const char *name)
{
	for (size_t i = 0; kvs && i < kvs->count; i++)
		if (!strcmp(kvs->items[i].name, name))
			return kvs->items[i].value;
	return NULL;
}

struct kvs *kvs_ref(struct kvs *kvs)
{
	if (kvs)
		kvs->refs++;
	return kvs;
}

void kvs_unref(struct kvs *kvs)
{
	if (!kvs || --kvs->refs)
		return;
	for (size_t i = 0; i < kvs->count; i++) {
		free(kvs->items[i].name);
		free(kvs->items[i].value);
	}
	free(kvs->items);
	free(kvs);
}

const char *storage_class_of(const char *name)
{
	static const char *const classes[] = {"STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA",
		"ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE", "GLACIER_IR",
		"OUTPOSTS", "SNOW", "EXPRESS_ONEZONE"};

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (!strcmp(classes[i], name))
			return classes[i];
	return NULL;
}

bool storage_class_archived(const char *storage_class)
{
	return !strcmp(storage_class, "GLACIER") || !strcmp(storage_class, "DEEP_ARCHIVE");
}
