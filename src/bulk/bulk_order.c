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
static struct key_queue *queue_new(struct bulk_target *t, struct bytes key)
{
	struct key_queue *q = mem_zalloc(sizeof(*q) + key.len);

	q->bulk = t->bulk;
	q->target = t;
	memcpy(q->key, key.ptr, key.len);
	TAILQ_INIT(&q->waits);
	return q;
}

static struct key_queue *queue_find(const struct bulk_target *t, struct bytes key)
{
	char small[sizeof(t) + 1100];
	size_t len = sizeof(t) + key.len;
	char *probe = len <= sizeof(small) ? small : mem_zalloc(len);
	struct key_queue *q;

	memcpy(probe, &t, sizeof(t));
	memcpy(probe + sizeof(t), key.ptr, key.len);
	HASH_FIND(hh, t->bulk->queues, probe, len, q);
	if (probe != small)
		free(probe);
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
	struct key_queue *q = queue_find(t, key);

	if (!q) {
		struct bulk *b = t->bulk;

		q = queue_new(t, key);
		HASH_ADD(hh, b->queues, target, sizeof(q->target) + key.len, q);
	}
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
	const struct key_queue *q = queue_find(t, key);

	return q && q->writers;
}
