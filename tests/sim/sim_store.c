/* The objects of the simulated bucket, in an array sorted by key. What is put is copied. One
 * thread. */
#include <stdio.h>
#include <stdlib.h>

#include "sim.h"
#include "util/clk.h"
#include "util/mem.h"

static struct object *objects;
static size_t count, cap;
static uint64_t *known;
static size_t known_count, known_cap;
static unsigned next_serial;

size_t store_first(struct bytes key)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (bytes_cmp(BYTES(objects[mid].key, objects[mid].key_len), key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool is_at(size_t i, struct bytes key)
{
	return i < count && bytes_equal(BYTES(objects[i].key, objects[i].key_len), key);
}

void store_put(struct bytes key, const char *data, size_t len, unsigned parts)
{
	size_t i = store_first(key);
	struct object *o;

	if (is_at(i, key)) {
		free(objects[i].data);
	} else {
		if (count == cap) {
			cap = cap ? cap * 2 : 64;
			objects = mem_resize(objects, cap, sizeof(*objects));
		}
		memmove(objects + i + 1, objects + i, (count - i) * sizeof(*objects));
		count++;
		objects[i].key = mem_dup(key.ptr, key.len);
		objects[i].key_len = key.len;
	}
	o = &objects[i];
	o->data = mem_dup(data, len);
	o->len = len;
	o->hash = content_hash(data, len);
	o->mtime_ms = clk_wall_ms();
	o->mode = 0;
	snprintf(o->etag, sizeof(o->etag), "%016llx%016llx", (unsigned long long)o->hash,
		(unsigned long long)~o->hash);
	if (parts)
		snprintf(o->etag + 32, sizeof(o->etag) - 32, "-%u", parts);
}

void store_set_mode(struct bytes key, unsigned mode)
{
	size_t i = store_first(key);

	if (is_at(i, key))
		objects[i].mode = mode;
}

void store_delete(struct bytes key)
{
	size_t i = store_first(key);

	if (!is_at(i, key))
		return;
	free(objects[i].key);
	free(objects[i].data);
	count--;
	memmove(objects + i, objects + i + 1, (count - i) * sizeof(*objects));
}

const struct object *store_get(struct bytes key)
{
	size_t i = store_first(key);

	return is_at(i, key) ? &objects[i] : NULL;
}

size_t store_count(void)
{
	return count;
}

const struct object *store_at(size_t i)
{
	return &objects[i];
}

void store_clear(void)
{
	while (count) {
		count--;
		free(objects[count].key);
		free(objects[count].data);
	}
	free(objects);
	objects = NULL;
	cap = 0;
	free(known);
	known = NULL;
	known_count = known_cap = 0;
	next_serial = 0;
}

uint64_t content_hash(const char *data, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u;
	size_t i;

	for (i = 0; i < len; i++)
		h = (h ^ (unsigned char)data[i]) * 0x100000001b3u;
	h ^= h >> 29;
	return h ? h : 1;
}

void content_note(uint64_t hash)
{
	if (content_known(hash))
		return;
	if (known_count == known_cap) {
		known_cap = known_cap ? known_cap * 2 : 64;
		known = mem_resize(known, known_cap, sizeof(*known));
	}
	known[known_count++] = hash;
}

bool content_known(uint64_t hash)
{
	size_t i;

	for (i = 0; i < known_count; i++)
		if (known[i] == hash)
			return true;
	return false;
}

char *content_new(size_t max, size_t *len)
{
	char *text = mem_printf("%06u", ++next_serial);
	char *data;
	size_t i;

	*len = sim_chance(10) ? 0 : 6 + sim_below((unsigned)(max - 6));
	data = mem_zalloc(*len + 1);
	for (i = 0; i < *len; i++)
		data[i] = text[i % 6];
	free(text);
	content_note(content_hash(data, *len));
	return data;
}
