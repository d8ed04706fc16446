/*
 * The list of extents against an array of bytes, and plans of uploads against what S3 takes:
 * random, the seed is printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "ns/ns_content.h"
#include "util/rng.h"

#define SIZE_MAX_BYTES 3000
#define SOURCES 4
#define SOURCE_BYTES 500
#define MIN 40
#define PART 64

static struct rng rng;
static struct slab_pool pool;
static struct source *sources[SOURCES];
static struct slab *slab;

static unsigned below(unsigned n)
{
	return (unsigned)rng_below(&rng, n);
}

/* One byte of the model: where it comes from. */
struct cell {
	enum extent_kind kind;
	const void *of;
	uint64_t at;
};

static struct cell cells[SIZE_MAX_BYTES];
static size_t cell_count;

static int set_up(void **state)
{
	size_t i;

	(void)state;
	slab_pool_init(&pool, 1 << 20);
	assert_int_equal(slab_new(&pool, NULL, SIZE_MAX_BYTES, false, &slab), 0);
	for (i = 0; i < SOURCES; i++) {
		sources[i] = calloc(1, sizeof(*sources[i]));
		sources[i]->refs = 1;
		/* One of them is too small for a range of it to be copied. */
		sources[i]->size_bytes = i ? SOURCE_BYTES : MIN;
	}
	return 0;
}

static int tear_down(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < SOURCES; i++) {
		assert_int_equal(sources[i]->refs, 1);
		free(sources[i]);
	}
	assert_int_equal(slab->refs, 1);
	slab_unref(slab);
	assert_int_equal(pool.memory_bytes, 0);
	return 0;
}

static void model_put(const struct extent *e)
{
	uint64_t i;

	for (; cell_count < e->offset; cell_count++)
		cells[cell_count] = (struct cell){.kind = EXTENT_ZERO};
	for (i = 0; i < e->len; i++) {
		struct cell *c = &cells[e->offset + i];

		*c = (struct cell){.kind = e->kind};
		if (e->kind == EXTENT_LOCAL)
			*c = (struct cell){EXTENT_LOCAL, e->of.slab, e->at + i};
		else if (e->kind == EXTENT_OBJECT)
			*c = (struct cell){EXTENT_OBJECT, e->of.source, e->at + i};
	}
	if (e->offset + e->len > cell_count)
		cell_count = e->offset + e->len;
}

static void random_put(struct extents *x)
{
	struct extent e = {.kind = below(4), .offset = below(SIZE_MAX_BYTES - SOURCE_BYTES)};
	struct source *s = sources[below(SOURCES)];

	e.len = 1 + below(below(2) ? 10 : SOURCE_BYTES);
	if (e.kind == EXTENT_LOCAL) {
		e.of.slab = slab;
		e.at = below(2) ? e.offset : below(SIZE_MAX_BYTES - SOURCE_BYTES);
	} else if (e.kind == EXTENT_OBJECT) {
		e.of.source = s;
		e.len = below(2) ? s->size_bytes : e.len < s->size_bytes ? e.len : s->size_bytes;
		e.at = below((unsigned)(s->size_bytes - e.len + 1));
	}
	if (below(3) == 0)
		e.offset = x->size_bytes < SIZE_MAX_BYTES - SOURCE_BYTES ? x->size_bytes : e.offset;
	extents_put(x, &e);
	model_put(&e);
}

static bool in_order(const struct extent *t)
{
	return !t || ((!t->child[0] || t->child[0]->rank <= t->rank) &&
			     (!t->child[1] || t->child[1]->rank <= t->rank) &&
			     in_order(t->child[0]) && in_order(t->child[1]));
}

static void check(const struct extents *x)
{
	const struct extent *e, *last = NULL;
	uint64_t at = 0, i;
	size_t count = 0;

	assert_int_equal(x->size_bytes, cell_count);
	for (e = extents_at(x, 0); e; e = extents_next(x, e)) {
		assert_int_equal(e->offset, at);
		for (i = 0; i < e->len; i++) {
			const struct cell *c = &cells[at + i];

			assert_int_equal(e->kind, c->kind);
			if (c->of) {
				assert_ptr_equal(e->of.slab, c->of);
				assert_int_equal(e->at + i, c->at);
			}
		}
		/* What continues is one extent. */
		if (last && last->kind == e->kind &&
			(e->kind == EXTENT_ZERO || e->kind == EXTENT_SENT))
			fail_msg("two extents where one does");
		last = e;
		at += e->len;
		count++;
	}
	assert_int_equal(at, cell_count);
	assert_int_equal(count, x->count);
	assert_true(in_order(x->root));
}

static void test_list(void **state)
{
	struct extents x = {0};
	unsigned round, i;

	(void)state;
	for (round = 0; round < 300; round++) {
		for (i = 0; i < 60; i++) {
			if (below(10)) {
				random_put(&x);
			} else {
				size_t size = below(SIZE_MAX_BYTES), old = cell_count;

				extents_resize(&x, size);
				for (; old < size; old++)
					cells[old] = (struct cell){.kind = EXTENT_ZERO};
				cell_count = size;
			}
			check(&x);
		}
		extents_clear(&x);
		cell_count = 0;
		assert_int_equal(slab->refs, 1);
	}
}

/* ---- plans ---- */

static const struct plan_limits limits = {
	.min_bytes = MIN, .part_bytes = PART, .copy_part_bytes = 100, .parts_max = 10000};

/* What S3 would say of these parts. */
static void check_parts(const struct extents *x, const struct plan *p, uint64_t from, uint64_t end,
	bool at_end, const struct plan_limits *l)
{
	uint64_t at = from;
	size_t i;

	for (i = 0; i < p->count; i++) {
		const struct plan_part *part = &p->parts[i];
		const struct extent *e = extents_at(x, part->offset);

		assert_int_equal(part->offset, at);
		assert_true(part->len > 0);
		if (i + 1 < p->count || !at_end)
			assert_true(part->len >= l->min_bytes);
		if (part->copy) {
			const struct source *s = e->of.source;

			assert_int_equal(e->kind, EXTENT_OBJECT);
			assert_true(part->offset + part->len <= extent_end(e));
			assert_true(s->size_bytes > l->min_bytes || part->len == s->size_bytes);
		}
		at += part->len;
	}
	assert_int_equal(at, p->end);
	if (at_end)
		assert_int_equal(at, end);
}

/* Bytes of objects that the plan sends: between copies at most what a part lacks, and what is too
 * small, or has too little left, to be copied. */
static uint64_t fetched(const struct extents *x, const struct plan *p)
{
	uint64_t n = 0, i;
	size_t k;

	for (k = 0; k < p->count; k++)
		for (i = 0; !p->parts[k].copy && i < p->parts[k].len; i++)
			n += cells[p->parts[k].offset + i].kind == EXTENT_OBJECT;
	(void)x;
	return n;
}

static void no_sent(struct extents *x)
{
	struct extent zero = {.kind = EXTENT_ZERO};
	uint64_t at = 0;

	while (at < x->size_bytes) {
		const struct extent *e = extents_at(x, at);

		zero.offset = e->offset;
		zero.len = e->len;
		at = extent_end(e);
		if (e->kind == EXTENT_SENT) {
			extents_put(x, &zero);
			model_put(&zero);
		}
	}
}

static void test_plans(void **state)
{
	struct extents x = {0};
	struct plan p = {0};
	unsigned round, i;

	(void)state;
	for (round = 0; round < 3000; round++) {
		uint64_t from = 0, to;

		for (i = 0; i < 1 + below(25); i++)
			random_put(&x);
		no_sent(&x);
		assert_true(plan_make(&p, &x, 0, x.size_bytes, true, 0, &limits));
		check_parts(&x, &p, 0, x.size_bytes, true, &limits);
		/* As it grows: what is planned stays so. */
		for (to = 1 + below(200); to < x.size_bytes; to += 1 + below(200)) {
			assert_true(plan_make(&p, &x, from, to, false, 0, &limits));
			check_parts(&x, &p, from, to, false, &limits);
			assert_true(p.end >= from && p.end <= to);
			from = p.end;
		}
		assert_true(plan_make(&p, &x, from, x.size_bytes, true, 0, &limits));
		check_parts(&x, &p, from, x.size_bytes, true, &limits);
		extents_clear(&x);
		cell_count = 0;
	}
	plan_free(&p);
}

static void put_object(struct extents *x, struct source *s, uint64_t at, uint64_t len)
{
	struct extent e = {.kind = EXTENT_OBJECT,
		.offset = x->size_bytes,
		.len = len,
		.at = at,
		.of.source = s};

	extents_put(x, &e);
	model_put(&e);
}

static void put_local(struct extents *x, uint64_t offset, uint64_t len)
{
	struct extent e = {
		.kind = EXTENT_LOCAL, .offset = offset, .len = len, .at = 0, .of.slab = slab};

	extents_put(x, &e);
	model_put(&e);
}

/* Nothing is fetched that the server can copy. */
static void test_plans_are_cheap(void **state)
{
	struct extents x = {0};
	struct plan p = {0};

	(void)state;
	/* Appending. */
	put_object(&x, sources[1], 0, SOURCE_BYTES);
	put_local(&x, SOURCE_BYTES, 1);
	assert_true(plan_make(&p, &x, 0, x.size_bytes, true, 0, &limits));
	assert_int_equal(fetched(&x, &p), 0);
	assert_int_equal(p.count, 6);
	/* One byte in the middle takes along what a part lacks. */
	put_local(&x, 200, 1);
	assert_true(plan_make(&p, &x, 0, x.size_bytes, true, 0, &limits));
	assert_int_equal(fetched(&x, &p), MIN - 1);
	/* Cut. */
	extents_resize(&x, 190);
	cell_count = 190;
	assert_true(plan_make(&p, &x, 0, x.size_bytes, true, 0, &limits));
	assert_int_equal(fetched(&x, &p), 0);
	assert_int_equal(p.count, 1);
	extents_clear(&x);
	cell_count = 0;
	/* Whole objects one behind the other, the first of them of the least size. */
	put_object(&x, sources[0], 0, MIN);
	put_object(&x, sources[1], 0, SOURCE_BYTES);
	put_object(&x, sources[2], 0, 3);
	assert_true(plan_make(&p, &x, 0, x.size_bytes, true, 0, &limits));
	assert_int_equal(fetched(&x, &p), 0);
	/* But no range of such a small one. */
	extents_clear(&x);
	cell_count = 0;
	put_local(&x, 0, 1);
	put_object(&x, sources[0], 0, MIN);
	assert_true(plan_make(&p, &x, 0, x.size_bytes, true, 0, &limits));
	assert_int_equal(p.count, 1);
	assert_false(p.parts[0].copy);
	extents_clear(&x);
	cell_count = 0;
	plan_free(&p);
}

/* A server that copies no ranges is sent all of it, in parts as large as those of other bytes. */
static void test_no_copies(void **state)
{
	struct plan_limits sent = limits;
	struct extents x = {0};
	struct plan p = {0};
	size_t i;

	(void)state;
	sent.no_copies = true;
	put_object(&x, sources[1], 0, SOURCE_BYTES);
	put_local(&x, SOURCE_BYTES, 1);
	assert_true(plan_copies(&x, &limits));
	assert_false(plan_copies(&x, &sent));
	assert_true(plan_make(&p, &x, 0, x.size_bytes, true, 0, &sent));
	check_parts(&x, &p, 0, x.size_bytes, true, &sent);
	assert_int_equal(fetched(&x, &p), SOURCE_BYTES);
	for (i = 0; i < p.count; i++)
		assert_true(!p.parts[i].copy && p.parts[i].len <= PART);
	extents_clear(&x);
	cell_count = 0;
	plan_free(&p);
}

/* More parts than S3 takes: they become larger. */
static void test_parts_max(void **state)
{
	struct plan_limits few = limits;
	struct extents x = {0};
	struct plan p = {0};
	unsigned i;

	(void)state;
	few.parts_max = 7;
	put_local(&x, 0, 2000);
	assert_true(plan_make(&p, &x, 0, x.size_bytes, true, 0, &few));
	assert_true(p.count <= 7);
	check_parts(&x, &p, 0, x.size_bytes, true, &few);
	for (i = 0; i < 10; i++) {
		put_object(&x, sources[1], i, 90);
		put_local(&x, x.size_bytes, 1);
	}
	assert_true(plan_make(&p, &x, 0, x.size_bytes, true, 3, &few));
	assert_true(p.count <= 4);
	few.parts_max = 0;
	assert_false(plan_make(&p, &x, 0, x.size_bytes, true, 0, &few));
	extents_clear(&x);
	cell_count = 0;
	plan_free(&p);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_plans),
		cmocka_unit_test(test_plans_are_cheap),
		cmocka_unit_test(test_no_copies),
		cmocka_unit_test(test_parts_max),
	};

	rng.state = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
	print_message("seed %llu\n", (unsigned long long)rng.state);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
