/* Token buckets a partition: see limit.h. One thread. */
#include "limit.h"

#include <stdlib.h>
#include <uthash.h>

#include "req.h"
#include "util/mem.h"

#define PARTITIONS_MAX 100000

struct limit_partition {
	struct {
		double tokens;
		int64_t filled_ms;
	} kinds[2]; /* reads, writes */
	UT_hash_handle hh;
	size_t name_len;
	char name[];
};

static void forget_all(struct limit *l)
{
	struct limit_partition *p, *tmp;

	HASH_ITER(hh, l->partitions, p, tmp)
	{
		HASH_DEL(l->partitions, p);
		free(p);
	}
}

static double burst(const struct limit *l, double per_s)
{
	return per_s * l->burst_s > 1 ? per_s * l->burst_s : 1;
}

/* Bytes of the key that name its partition. */
static size_t prefix_len(const struct limit *l, struct bytes key)
{
	size_t i = 0;

	for (unsigned depth = 0; i < key.len; i++)
		if (key.ptr[i] == '/' && ++depth >= l->prefix_depth)
			return i + 1;
	/* An object at the top belongs to the partition of the bucket itself. */
	while (i && key.ptr[i - 1] != '/')
		i--;
	return i;
}

static struct limit_partition *partition(
	struct limit *l, const char *bucket, struct bytes key, int64_t now_ms)
{
	size_t bucket_len = strlen(bucket), len = l->prefix_depth ? prefix_len(l, key) : 0;
	struct limit_partition *p, *found;

	p = mem_zalloc(sizeof(*p) + bucket_len + 1 + len);
	p->name_len = bucket_len + 1 + len;
	memcpy(p->name, bucket, bucket_len + 1);
	if (len)
		memcpy(p->name + bucket_len + 1, key.ptr, len);
	HASH_FIND(hh, l->partitions, p->name, p->name_len, found);
	if (found) {
		free(p);
		return found;
	}
	if (HASH_COUNT(l->partitions) >= PARTITIONS_MAX)
		forget_all(l);
	p->kinds[0].tokens = burst(l, l->read_per_s);
	p->kinds[1].tokens = burst(l, l->write_per_s);
	p->kinds[0].filled_ms = p->kinds[1].filled_ms = now_ms;
	HASH_ADD_KEYPTR(hh, l->partitions, p->name, p->name_len, p);
	return p;
}

/* Tokens there are now. */
static double *filled(struct limit *l, struct limit_partition *p, bool write, int64_t now_ms)
{
	double per_s = write ? l->write_per_s : l->read_per_s;
	double most = burst(l, per_s), *tokens = &p->kinds[write].tokens;

	*tokens += per_s * (double)(now_ms - p->kinds[write].filled_ms) / 1000;
	if (*tokens > most)
		*tokens = most;
	p->kinds[write].filled_ms = now_ms;
	return tokens;
}

static bool take_batch(struct limit *l, const struct req *r, int64_t now_ms)
{
	if (l->write_per_s <= 0)
		return true;
	for (size_t i = 0; i < r->key_count; i++)
		if (*filled(l, partition(l, r->bucket, r->keys[i], now_ms), true, now_ms) <= 0)
			return false;
	for (size_t i = 0; i < r->key_count; i++)
		*filled(l, partition(l, r->bucket, r->keys[i], now_ms), true, now_ms) -= 1;
	return true;
}

bool limit_take(struct limit *l, const struct req *r, int64_t now_ms)
{
	bool write = op_is_write(r->op);
	struct bytes key = r->key;
	double *tokens;

	if (!r->bucket)
		return true;
	if (r->op == OP_DELETE_OBJECTS)
		return take_batch(l, r, now_ms);
	if ((write ? l->write_per_s : l->read_per_s) <= 0)
		return true;
	if (!key.len)
		req_param_bytes(r, "prefix", &key);
	tokens = filled(l, partition(l, r->bucket, key, now_ms), write, now_ms);
	if (*tokens < 1)
		return false;
	*tokens -= 1;
	return true;
}

void limit_free(struct limit *l)
{
	forget_all(l);
}
