/* The ledger: a ring of the last failures, which owns their strings. Core thread only. */
#include "ns/ns_ledger.h"

#include <stdlib.h>

#include "util/clk.h"
#include "util/mem.h"

static void entry_clear(struct ns_failure *f)
{
	free((char *)f->path);
	free((char *)f->key.ptr);
	free((char *)f->command);
	*f = (struct ns_failure){0};
}

void ledger_add(struct ledger *l, const struct ns_failure *failure)
{
	struct ns_failure *f;

	if (!l->ring)
		l->ring = mem_calloc(LEDGER_MAX, sizeof(*l->ring));
	f = &l->ring[l->seq % LEDGER_MAX];
	entry_clear(f);
	*f = *failure;
	f->seq = ++l->seq;
	f->time_ms = clk_wall_ms();
	f->path = mem_strdup(failure->path ? failure->path : "");
	f->key = BYTES(mem_dup(failure->key.ptr ? failure->key.ptr : "", failure->key.len),
		failure->key.len);
	f->command = mem_strdup(failure->command ? failure->command : "");
	if (f->deferred)
		l->deferred_seq = f->seq;
}

/* The sequence number before the oldest entry that is kept. */
static uint64_t before_kept(const struct ledger *l)
{
	return l->seq > LEDGER_MAX ? l->seq - LEDGER_MAX : 0;
}

void ledger_each(const struct ledger *l, uint64_t after_seq,
	bool (*fn)(void *ctx, const struct ns_failure *failure), void *ctx)
{
	uint64_t seq = after_seq > before_kept(l) ? after_seq : before_kept(l);

	while (seq < l->seq && fn(ctx, &l->ring[seq % LEDGER_MAX]))
		seq++;
}

uint64_t ledger_lost(const struct ledger *l, uint64_t after_seq)
{
	uint64_t kept = before_kept(l);

	return kept > after_seq ? kept - after_seq : 0;
}

void ledger_clear(struct ledger *l)
{
	size_t i;

	for (i = 0; l->ring && i < LEDGER_MAX; i++)
		entry_clear(&l->ring[i]);
	free(l->ring);
	*l = (struct ledger){0};
}
