/*
 * Plans of uploads: see ns_plan.h. Limits of S3: parts of 5 MiB to 5 GiB, the last one as small as
 * it likes, at most 10,000 ("Amazon S3 multipart upload limits"); ranges are copied of sources of
 * more than 5 MiB only (UploadPartCopy).
 */
#include "ns/ns_plan.h"

#include <stdlib.h>

#include "ns/ns_content.h"
#include "util/mem.h"

/* Room for a last part that takes along what is less than the least. */
#define SENT_PART_MAX (S3_PART_MAX - S3_PART_MIN)

struct planner {
	const struct extents *x;
	struct plan *plan;
	struct plan_limits limits;
	uint64_t run; /* where the bytes begin that are to be sent next */
	uint64_t to;
	bool at_end;
};

static void emit(struct planner *p, uint64_t offset, uint64_t len, bool copy)
{
	struct plan *plan = p->plan;

	if (plan->count == plan->cap) {
		plan->cap = plan->cap ? plan->cap * 2 : 8;
		plan->parts = mem_resize(plan->parts, plan->cap, sizeof(*plan->parts));
	}
	plan->parts[plan->count++] = (struct plan_part){.offset = offset, .len = len, .copy = copy};
}

/* Whole parts of what is to be sent before `end`; `left` bytes and more may stay. */
static void emit_whole(struct planner *p, uint64_t end, uint64_t left)
{
	uint64_t part = p->limits.part_bytes;

	while (end - p->run > part && end - p->run - part >= left) {
		emit(p, p->run, part, false);
		p->run += part;
	}
}

static void emit_run(struct planner *p, uint64_t end, bool last)
{
	emit_whole(p, end, last ? 1 : p->limits.min_bytes);
	if (end > p->run)
		emit(p, p->run, end - p->run, false);
	p->run = end;
}

/* Equal pieces, none of which is below the least or above the most. */
static void emit_copies(struct planner *p, uint64_t from, uint64_t end)
{
	uint64_t len = end - from, n = len / p->limits.copy_part_bytes, i;

	if (n < (len + S3_PART_MAX - 1) / S3_PART_MAX)
		n = (len + S3_PART_MAX - 1) / S3_PART_MAX;
	if (!n)
		n = 1;
	for (i = 0; i < n; i++) {
		uint64_t a = len / n * i + len % n * i / n;
		uint64_t b = len / n * (i + 1) + len % n * (i + 1) / n;

		emit(p, from + a, b - a, true);
	}
}

/* The server copies ranges of larger objects only, and smaller ones as a whole. */
static bool can_copy(const struct extent *e, uint64_t len, const struct plan_limits *limits)
{
	const struct source *s = e->of.source;

	return e->kind == EXTENT_OBJECT && !limits->no_copies &&
	       (s->size_bytes > limits->min_bytes || (e->len == len && e->len == s->size_bytes));
}

static void visit(struct planner *p, const struct extent *e, uint64_t at, uint64_t end)
{
	uint64_t len = end - at, min = p->limits.min_bytes, unsent = at - p->run, need = 0;
	bool last = p->at_end && end == p->to;

	if (!can_copy(e, len, &p->limits) || (len < min && !(last && (!unsent || unsent >= min)))) {
		emit_whole(p, end, 1);
		return;
	}
	if (unsent && unsent < min)
		need = min - unsent;
	/* What would be left is too little to be a part, or to be copied of: all of it is sent. */
	if (need &&
		(e->of.source->size_bytes <= min || !(len - need >= min || (last && len > need)))) {
		emit_whole(p, end, 1);
		return;
	}
	if (unsent)
		emit_run(p, at + need, false);
	emit_copies(p, at + need, end);
	p->run = end;
}

static void plan_once(struct planner *p, uint64_t from)
{
	uint64_t at = from;

	p->plan->count = 0;
	p->run = from;
	while (at < p->to) {
		const struct extent *e = extents_at(p->x, at);
		uint64_t end = extent_end(e) < p->to ? extent_end(e) : p->to;

		visit(p, e, at, end);
		at = end;
	}
	if (p->at_end)
		emit_run(p, p->to, true);
	p->plan->end = p->run;
}

static void enlarge(struct plan_limits *l)
{
	l->min_bytes *= 2;
	l->part_bytes = l->part_bytes > SENT_PART_MAX / 2 ? SENT_PART_MAX : l->part_bytes * 2;
	l->copy_part_bytes =
		l->copy_part_bytes > S3_PART_MAX / 2 ? S3_PART_MAX : l->copy_part_bytes * 2;
	if (l->min_bytes > l->part_bytes)
		l->min_bytes = l->part_bytes;
}

bool plan_make(struct plan *plan, const struct extents *x, uint64_t from, uint64_t to, bool at_end,
	unsigned taken, const struct plan_limits *limits)
{
	struct planner p = {.x = x, .plan = plan, .limits = *limits, .to = to, .at_end = at_end};

	for (;;) {
		bool largest = p.limits.part_bytes >= SENT_PART_MAX &&
			       p.limits.copy_part_bytes >= S3_PART_MAX &&
			       p.limits.min_bytes >= p.limits.part_bytes;

		plan_once(&p, from);
		if (taken + plan->count <= limits->parts_max)
			return true;
		if (largest)
			return false;
		enlarge(&p.limits);
	}
}

void plan_free(struct plan *plan)
{
	free(plan->parts);
	*plan = (struct plan){0};
}

bool plan_copies(const struct extents *x, const struct plan_limits *limits)
{
	const struct extent *e;

	for (e = extents_at(x, 0); e; e = extents_next(x, e))
		if (e->len >= limits->min_bytes && can_copy(e, e->len, limits))
			return true;
	return false;
}
