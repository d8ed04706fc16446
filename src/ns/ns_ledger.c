/* The ledger: a ring of the last failures, which owns their strings. Core thread only. */
#include "ns/ns_ledger.h"

#include <stdlib.h>
#include <string.h>

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
	l->untold_lost += f->deferred && !f->told;
	entry_clear(f);
	*f = *failure;
	f->seq = ++l->seq;
	f->time_ms = clk_wall_ms();
	f->path = mem_strdup(failure->path ? failure->path : "");
	f->key = BYTES(mem_dup(failure->key.ptr ? failure->key.ptr : "", failure->key.len),
		failure->key.len);
	f->command = mem_strdup(failure->command ? failure->command : "");
	l->deferred_count += f->deferred;
}

/* The sequence number before the oldest entry that is kept. */
static uint64_t before_kept(const struct ledger *l)
{
	return l->seq > LEDGER_MAX ? l->seq - LEDGER_MAX : 0;
}

void ledger_each(
	const struct ledger *l, void (*fn)(void *ctx, const struct ns_failure *failure), void *ctx)
{
	uint64_t seq;

	for (seq = before_kept(l); seq < l->seq; seq++)
		fn(ctx, &l->ring[seq % LEDGER_MAX]);
}

bool ledger_is_below(const struct ns_failure *f, const char *path)
{
	size_t n = strlen(path);

	while (n && path[n - 1] == '/')
		n--;
	return !strncmp(f->path, path, n) && (!f->path[n] || f->path[n] == '/');
}

void ledger_tell(struct ledger *l, uint64_t walk_id, const char *path)
{
	uint64_t seq;

	for (seq = before_kept(l); seq < l->seq; seq++) {
		struct ns_failure *f = &l->ring[seq % LEDGER_MAX];

		if ((!walk_id || f->walk_id == walk_id) && ledger_is_below(f, path))
			f->told = true;
	}
	if (!walk_id && !strcmp(path, "/"))
		l->untold_lost = 0;
}

bool ledger_claim(struct ledger *l, uint64_t since, const char *path, const struct ns_failure *who)
{
	uint64_t seq;

	for (seq = l->seq; seq > before_kept(l) && seq > since; seq--) {
		struct ns_failure *f = &l->ring[(seq - 1) % LEDGER_MAX];

		if (f->deferred || strcmp(f->path, path) != 0)
			continue;
		f->walk_id = who->walk_id;
		f->pid = who->pid;
		free((char *)f->command);
		f->command = mem_strdup(who->command);
		f->deferred = true;
		l->deferred_count++;
		return true;
	}
	return false;
}

uint64_t ledger_lost(const struct ledger *l)
{
	return before_kept(l);
}

void ledger_clear(struct ledger *l)
{
	size_t i;

	for (i = 0; l->ring && i < LEDGER_MAX; i++)
		entry_clear(&l->ring[i]);
	free(l->ring);
	*l = (struct ledger){0};
}
