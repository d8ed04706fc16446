/* The list of extents: see ns_extents.h. A treap, by offset. Core thread only. */
#include "ns/ns_extents.h"

#include <stdlib.h>

#include "ns/ns_content.h"
#include "util/mem.h"

static void of_ref(const struct extent *e)
{
	if (e->kind == EXTENT_LOCAL)
		slab_ref(e->of.slab);
	else if (e->kind == EXTENT_OBJECT)
		source_ref(e->of.source);
}

static void extent_free(struct extent *e)
{
	if (e->kind == EXTENT_LOCAL)
		slab_unref(e->of.slab);
	else if (e->kind == EXTENT_OBJECT)
		source_unref(e->of.source);
	free(e);
}

/* ---- the tree ---- */

static void split(struct extent *t, uint64_t offset, struct extent **less, struct extent **rest)
{
	if (!t) {
		*less = *rest = NULL;
	} else if (t->offset < offset) {
		split(t->child[1], offset, &t->child[1], rest);
		*less = t;
	} else {
		split(t->child[0], offset, less, &t->child[0]);
		*rest = t;
	}
}

static struct extent *join(struct extent *less, struct extent *rest)
{
	if (!less || !rest)
		return less ? less : rest;
	if (less->rank > rest->rank) {
		less->child[1] = join(less->child[1], rest);
		return less;
	}
	rest->child[0] = join(less, rest->child[0]);
	return rest;
}

static void insert(struct extents *x, const struct extent *like)
{
	struct extent *e = mem_zalloc(sizeof(*e)), *less, *rest;

	*e = *like;
	e->child[0] = e->child[1] = NULL;
	/* xorshift32 (Marsaglia, "Xorshift RNGs"): any sequence does that nobody's offsets follow.
	 */
	if (!x->chance)
		x->chance = 2463534242u;
	x->chance ^= x->chance << 13;
	x->chance ^= x->chance >> 17;
	x->chance ^= x->chance << 5;
	e->rank = x->chance;
	of_ref(e);
	split(x->root, e->offset, &less, &rest);
	x->root = join(join(less, e), rest);
	x->count++;
}

static size_t free_all(struct extent *t)
{
	size_t n;

	if (!t)
		return 0;
	n = free_all(t->child[0]) + free_all(t->child[1]);
	extent_free(t);
	return n + 1;
}

struct extent *extents_at(const struct extents *x, uint64_t offset)
{
	struct extent *t = x->root;

	if (offset >= x->size_bytes)
		return NULL;
	while (t && (offset < t->offset || offset >= extent_end(t)))
		t = t->child[offset >= t->offset];
	return t;
}

/* ---- changes ---- */

/* Sees to it that an extent begins at `offset`, if the file reaches that far. */
static void cut(struct extents *x, uint64_t offset)
{
	struct extent *e = extents_at(x, offset), tail;

	if (!e || e->offset == offset)
		return;
	tail = *e;
	tail.offset = offset;
	tail.len = extent_end(e) - offset;
	if (e->kind == EXTENT_LOCAL || e->kind == EXTENT_OBJECT)
		tail.at += offset - e->offset;
	e->len = offset - e->offset;
	insert(x, &tail);
}

/* Takes out what is in [from, to). */
static void take_out(struct extents *x, uint64_t from, uint64_t to)
{
	struct extent *less, *mid, *rest;

	cut(x, from);
	cut(x, to);
	split(x->root, from, &less, &rest);
	split(rest, to, &mid, &rest);
	x->root = join(less, rest);
	x->count -= free_all(mid);
}

static bool continues(const struct extent *a, const struct extent *b)
{
	if (!a || !b || a->kind != b->kind || extent_end(a) != b->offset)
		return false;
	if (a->kind == EXTENT_LOCAL)
		return a->of.slab == b->of.slab && a->at + a->len == b->at;
	if (a->kind == EXTENT_OBJECT)
		return a->of.source == b->of.source && a->at + a->len == b->at;
	return true;
}

static void merge(struct extents *x, struct extent *a, const struct extent *b)
{
	struct extent *less, *mid, *rest;

	if (!continues(a, b))
		return;
	a->len += b->len;
	split(x->root, b->offset, &less, &rest);
	split(rest, b->offset + 1, &mid, &rest);
	x->root = join(less, rest);
	x->count -= free_all(mid);
}

static struct extent *before(const struct extents *x, uint64_t offset)
{
	return offset ? extents_at(x, offset - 1) : NULL;
}

void extents_put(struct extents *x, const struct extent *e)
{
	uint64_t end = extent_end(e);
	struct extent *mine;

	if (!e->len)
		return;
	if (e->offset > x->size_bytes)
		extents_resize(x, e->offset);
	if (e->offset == x->size_bytes && continues(before(x, e->offset), e)) {
		before(x, e->offset)->len += e->len;
		x->size_bytes = end;
		return;
	}
	take_out(x, e->offset, end);
	insert(x, e);
	if (end > x->size_bytes)
		x->size_bytes = end;
	mine = extents_at(x, e->offset);
	merge(x, mine, extents_next(x, mine));
	merge(x, before(x, e->offset), mine);
}

void extents_resize(struct extents *x, uint64_t size_bytes)
{
	struct extent hole = {.kind = EXTENT_ZERO, .offset = x->size_bytes};

	if (size_bytes < x->size_bytes) {
		take_out(x, size_bytes, x->size_bytes);
		x->size_bytes = size_bytes;
	} else if (size_bytes > x->size_bytes) {
		hole.len = size_bytes - x->size_bytes;
		extents_put(x, &hole);
	}
}

void extents_clear(struct extents *x)
{
	free_all(x->root);
	*x = (struct extents){0};
}

bool extents_have(const struct extents *x, uint64_t from, uint64_t to, enum extent_kind kind)
{
	const struct extent *e;

	for (e = extents_at(x, from); e && e->offset < to; e = extents_next(x, e))
		if (e->kind == kind)
			return true;
	return false;
}
