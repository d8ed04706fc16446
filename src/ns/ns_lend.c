/*
 * Local bytes as the body of a request: a list of runs, and the slabs that must not change while it
 * is under way. Core thread only; owned by who sends the request.
 */
#include <stdlib.h>

#include "ns/ns_content.h"
#include "util/mem.h"

static void add_run(struct lent *l, const char *ptr, size_t len)
{
	struct bytes *last = l->run_count ? &l->runs[l->run_count - 1] : NULL;

	if (last && last->ptr + last->len == ptr) {
		last->len += len;
		return;
	}
	if (!l->runs || l->run_count == l->run_cap) {
		l->run_cap = l->run_cap ? l->run_cap * 2 : 4;
		l->runs = mem_resize(l->runs, l->run_cap, sizeof(*l->runs));
	}
	l->runs[l->run_count++] = BYTES(ptr, len);
}

void lend_slab(struct lent *l, struct slab *s, uint64_t at, size_t len)
{
	add_run(l, s->data + at, len);
	if (l->slab_count && l->slabs[l->slab_count - 1] == s)
		return;
	if (l->slab_count == l->slab_cap) {
		l->slab_cap = l->slab_cap ? l->slab_cap * 2 : 4;
		l->slabs = mem_resize(l->slabs, l->slab_cap, sizeof(struct slab *));
	}
	l->slabs[l->slab_count++] = s;
	slab_lend(s);
}

void lend_run(struct lent *l, const struct extent *e, uint64_t from, uint64_t to)
{
	uint64_t len = to - from;

	if (e->kind == EXTENT_LOCAL) {
		lend_slab(l, e->of.slab, e->at + (from - e->offset), (size_t)len);
		return;
	}
	while (len) {
		size_t n = len < SLAB_ZEROS ? (size_t)len : SLAB_ZEROS;

		add_run(l, slab_zeros(), n);
		len -= n;
	}
}

void lent_drains(struct lent *l, struct slab_pool *pool)
{
	size_t i;

	for (i = 0; i < l->slab_count; i++)
		l->draining_bytes += slab_memory(l->slabs[i]);
	pool->draining_bytes += l->draining_bytes;
}

void lent_return(struct lent *l, struct slab_pool *pool)
{
	size_t i;

	for (i = 0; i < l->slab_count; i++)
		slab_return(l->slabs[i]);
	pool->draining_bytes -= l->draining_bytes;
	pool->changed |= l->draining_bytes > 0;
	free(l->slabs);
	free(l->runs);
	*l = (struct lent){0};
}
