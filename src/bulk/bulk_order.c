/*
 * Order per key: a queue for each key that somebody reads or writes, in the order of submission. An
 * operation runs when it is granted in the queues of all its keys. Since all queues are entered in
 * one go, in submission order, operations can never wait for each other in a circle.
 */
#include <stdlib.h>
#include <stddef.h>

#include "bulk/bulk_int.h"
#include "util/mem.h"

/* What is hashed: the target's address and the key's bytes, in one run of memory. */
struct probe {
	char small[sizeof(struct bulk_target *) + 1100];
	char *bytes; /* small, or memory of its own */
	size_t len;
	unsigned hash;
};

static void probe_set(struct probe *p, const struct bulk_target *t, struct bytes key)
{
	p->len = sizeof(t) + key.len;
	p->bytes = p->len <= sizeof(p->small) ? p->small : mem_zalloc(p->len);
	memcpy(p->bytes, &t, sizeof(t));
	memcpy(p->bytes + sizeof(t), key.ptr, key.len);
	HASH_VALUE(p->bytes, p->len, p->hash);
}

static void probe_done(struct probe *p)
{
	if (p->bytes != p->small)
		free(p->bytes);
}

static struct key_queue *queue_find(const struct bulk *b, const struct probe *p)
{
	struct key_queue *q;

	HASH_FIND_BYHASHVALUE(hh, b->queues, p->bytes, p->len, p->hash, q);
	return q;
}

static struct key_queue *queue_add(struct bulk_target *t, struct bytes key, const struct probe *p)
{
	struct bulk *b = t->bulk;
	struct key_queue *q = mem_zalloc(sizeof(*q) + key.len);

	q->bulk = b;
	q->target = t;
	memcpy(q->key, key.ptr, key.len);
	TAILQ_INIT(&q->waits);
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, b->queues, &q->target, p->len, p->hash, q);
	return q;
}

/* Grants from the front: one writer, or readers up to the first writer. */
static bool may_grant(const struct key_wait *w)
{
	const struct key_wait *prev = TAILQ_PREV(w, key_waits, link);

	if (!prev)
		return true;
	return !w->write && !prev->write && prev->granted;
}

static void enter_one(
	struct bulk_op *op, unsigned n, struct bulk_target *t, struct bytes key, bool write)
{
	struct key_wait *w = &op->waits[n];
	struct key_queue *q;
	struct probe p;

	probe_set(&p, t, key);
	q = queue_find(t->bulk, &p);
	if (!q)
		q = queue_add(t, key, &p);
	probe_done(&p);
	*w = (struct key_wait){.op = op, .queue = q, .write = write};
	TAILQ_INSERT_TAIL(&q->waits, w, link);
	q->writers += write;
	w->granted = may_grant(w);
	op->waits_left += !w->granted;
}

void order_enter(struct bulk_op *op)
{
	op->waits_left = 0;
	op->waits[1].queue = NULL;
	/* A copy onto itself is one writer. */
	if (op->kind == BULK_COPY &&
		!(op->source == op->target && bytes_equal(op->source_key, op->key)))
		enter_one(op, 1, op->source, op->source_key, false);
	enter_one(op, 0, op->target, op->key, op->kind != BULK_READ);
}

static void leave_one(struct key_wait *w)
{
	struct key_queue *q = w->queue;
	struct key_wait *next = TAILQ_NEXT(w, link);
	struct bulk *b;

	if (!q)
		return;
	b = q->bulk;
	w->queue = NULL;
	TAILQ_REMOVE(&q->waits, w, link);
	q->writers -= w->write;
	if (TAILQ_EMPTY(&q->waits)) {
		HASH_DELETE(hh, q->bulk->queues, q);
		free(q);
		return;
	}
	for (; next && may_grant(next); next = TAILQ_NEXT(next, link)) {
		if (next->granted)
			continue;
		next->granted = true;
		if (!--next->op->waits_left) {
			TAILQ_INSERT_TAIL(&b->runnable, next->op, link);
			next->op->runnable = true;
		}
	}
}

void order_leave(struct bulk_op *op)
{
	if (op->runnable) {
		TAILQ_REMOVE(&op->target->bulk->runnable, op, link);
		op->runnable = false;
	}
	leave_one(&op->waits[0]);
	leave_one(&op->waits[1]);
}

void order_run(struct bulk *b)
{
	struct bulk_op *op;

	while ((op = TAILQ_FIRST(&b->runnable))) {
		TAILQ_REMOVE(&b->runnable, op, link);
		op->runnable = false;
		bulk_run(op);
	}
}

bool bulk_key_busy(const struct bulk_target *t, struct bytes key)
{
	const struct key_queue *q;
	struct probe p;

	probe_set(&p, t, key);
	q = queue_find(t->bulk, &p);
	probe_done(&p);
	return q && q->writers;
}
