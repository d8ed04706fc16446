/*
 * Delete batches: deletes whose turn has come are gathered and sent as DeleteObjects of up to 1,000
 * keys. A batch leaves when it is full, when somebody waits (bulk_hurry), or when no delete has
 * come for a moment. Every key has its own answer, its own retries and its own completion. A server
 * without DeleteObjects is sent a DeleteObject for each, through the same window.
 */
#include <stdlib.h>

#include "bulk/bulk_int.h"
#include "util/clk.h"
#include "util/mem.h"

/* Without a new delete for so long, what has gathered is sent. */
#define QUIET_MS 150
/* A batch occupies S3 about as much as this many single requests. */
#define KEYS_PER_PLACE 50

struct batch {
	struct bulk_target *target;
	struct bulk_launch launch;
	size_t count;
	struct bulk_op *ops[];
};

void delete_queue(struct bulk_op *op)
{
	struct bulk_target *t = op->target;

	TAILQ_INSERT_TAIL(&t->deletes, op, link);
	t->delete_count++;
	t->delete_bytes += s3_delete_weight(op->key);
	loop_timer_set(t->bulk->loop, &t->deletes_timer, QUIET_MS);
}

void bulk_hurry(struct bulk_target *t)
{
	if (t->delete_count)
		t->deletes_due = true;
}

/* How many keys of the batch were refused for being too many. */
static unsigned refused_keys(const struct s3_err *err, const struct s3_err *key_errs, size_t count)
{
	unsigned refused = 0;
	size_t i;

	if (err->cls != S3_OK)
		return err->cls == S3_THROTTLED ? (unsigned)count : 0;
	for (i = 0; i < count; i++)
		refused += key_errs[i].cls == S3_THROTTLED;
	return refused;
}

static void batch_done(
	void *ctx, const struct s3_err *err, const struct s3_err *key_errs, size_t count)
{
	struct batch *b = ctx;
	struct bulk_target *t = b->target;
	bool singly = err->cls != S3_OK && err->cls != S3_CANCELLED &&
		      s3_client_lacks(t->client, S3_ABLE_DELETE_MANY);
	int64_t delay_ms = -1;
	size_t i;

	bulk_heard(t, err);
	bulk_landed(t, &b->launch, refused_keys(err, key_errs, count));
	for (i = 0; i < b->count; i++) {
		const struct s3_err *e = err->cls == S3_OK ? &key_errs[i] : err;

		if (singly) {
			delete_queue(b->ops[i]);
			continue;
		}
		/* What is to be tried again comes back together, to be a batch again. */
		if (e->cls != S3_OK && bulk_try_again(b->ops[i], e, &delay_ms))
			continue;
		bulk_finish(b->ops[i], e);
	}
	free(b);
}

static struct bulk_cost cost_of(size_t keys)
{
	return (struct bulk_cost){
		.places = (unsigned)((keys + KEYS_PER_PLACE - 1) / KEYS_PER_PLACE),
		.writes = (unsigned)keys,
	};
}

/* How many keys the next batch should have. */
static unsigned batch_max(const struct bulk_target *t)
{
	return bulk_rate_batch(&t->window.rate, S3_DELETE_MAX);
}

/* How many deletes from the front fit into one request. */
static size_t batch_fit(const struct bulk_target *t, bool *full)
{
	const struct bulk_op *op;
	size_t count = 0, bytes = 0, most = batch_max(t);

	TAILQ_FOREACH(op, &t->deletes, link)
	{
		bytes += s3_delete_weight(op->key);
		if (count == most || (count && bytes > S3_DELETE_BYTES_MAX)) {
			*full = true;
			return count;
		}
		count++;
	}
	*full = count == most;
	return count;
}

static void delete_unqueue(struct bulk_op *op)
{
	struct bulk_target *t = op->target;

	TAILQ_REMOVE(&t->deletes, op, link);
	t->delete_count--;
	t->delete_bytes -= s3_delete_weight(op->key);
}

static void single_done(void *ctx, const struct s3_err *err)
{
	struct bulk_op *op = ctx;

	bulk_landed_one(op->target, &op->launch, err);
	if (err->cls == S3_OK || !bulk_try_again(op, err, NULL))
		bulk_finish(op, err);
}

/* Nothing is gained by waiting for more. */
static bool launch_single(struct bulk_target *t)
{
	struct bulk_op *op = TAILQ_FIRST(&t->deletes);

	if (!op || !bulk_window_admits(&t->window, BULK_COST_ONE, clk_mono_ms()))
		return false;
	delete_unqueue(op);
	bulk_begun(op);
	op->launch = bulk_launched(t, BULK_COST_ONE);
	s3_delete(t->client, op->key, S3_NO_RETRY, single_done, op);
	return true;
}

bool delete_launch(struct bulk_target *t)
{
	struct bulk_op *first;
	struct batch *b;
	struct bytes *keys;
	size_t count, i;
	bool full;

	while ((first = TAILQ_FIRST(&t->deletes)) && bulk_is_hopeless(t, first)) {
		delete_unqueue(first);
		bulk_finish(first, &t->trouble);
	}
	if (!t->delete_count)
		t->deletes_due = false;
	if (s3_client_lacks(t->client, S3_ABLE_DELETE_MANY))
		return launch_single(t);
	if (!t->deletes_due && t->delete_count < batch_max(t) &&
		t->delete_bytes <= S3_DELETE_BYTES_MAX)
		return false;
	count = batch_fit(t, &full);
	if ((!full && !t->deletes_due) ||
		!bulk_window_admits(&t->window, cost_of(count), clk_mono_ms()))
		return false;
	b = mem_zalloc(sizeof(*b) + count * sizeof(struct bulk_op *));
	keys = mem_calloc(count, sizeof(*keys));
	b->target = t;
	for (i = 0; i < count; i++) {
		struct bulk_op *op = TAILQ_FIRST(&t->deletes);

		delete_unqueue(op);
		bulk_begun(op);
		b->ops[b->count++] = op;
		keys[i] = op->key;
	}
	b->launch = bulk_launched(t, cost_of(count));
	s3_delete_many(t->client, keys, count, S3_NO_RETRY, batch_done, b);
	free(keys);
	return true;
}
