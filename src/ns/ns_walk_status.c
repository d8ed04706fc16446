/* What a walk has done, and how fast: for s3bulkfsctl. Core thread. */
#include <stdio.h>

#include "ns/ns_walk_int.h"
#include "util/clk.h"

#define RATE_SPAN_MS 500

/* Measures the rate, some time after the last time. */
void walk_measure(struct walk *w)
{
	int64_t now_ms = clk_mono_ms(), span_ms = now_ms - w->rate_ms;
	double rate;

	if (span_ms < RATE_SPAN_MS)
		return;
	rate = (double)(w->done - w->rate_done) * 1000 / (double)span_ms;
	w->rate = w->rate > 0 ? w->rate * 0.7 + rate * 0.3 : rate;
	w->rate_ms = now_ms;
	w->rate_done = w->done;
}

void walk_who(const struct walk *w, struct ns_failure *f)
{
	f->command = w->command;
	f->pid = w->tgid;
	f->walk_id = w->id;
}

void walk_close_failed(struct walk *w, struct ledger *l, const char *path, int errnum)
{
	struct ns_failure who = {0};

	walk_who(w, &who);
	w->failed += ledger_claim(l, w->ledger_seq, path, &who);
	if (!w->failed_errnum)
		w->failed_errnum = errnum;
}

void ns_walk_status(struct walk *w, struct ns_walk_status *s)
{
	uint64_t left = w->pending;

	walk_measure(w);
	*s = (struct ns_walk_status){.id = w->id,
		.pid = w->tgid,
		.run = w->kind == COMMAND_RUN,
		.pending = w->pending,
		.accepted = w->accepted,
		.done = w->done,
		.failed = w->failed,
		.errnum = w->failed_errnum,
		.strict = w->passed_end,
		.ended = w->exited,
		.rate = w->rate,
		.seconds_left = -1};
	snprintf(s->command, sizeof(s->command), "%s", w->command);
	if (w->listed > w->accepted && !w->passed_end && !w->exited)
		left += w->listed - w->accepted;
	s->left = left;
	if (w->rate > 0)
		s->seconds_left = (double)left / w->rate;
}

void ns_each_walk(struct ns_volume *v, void (*fn)(void *ctx, struct walk *walk), void *ctx)
{
	struct walk *w, *next;

	HASH_ITER(hh, v->ns->walks, w, next)
	if (w->volume == v)
		fn(ctx, w);
	for (w = LIST_FIRST(&v->ns->runs); w; w = next) {
		next = LIST_NEXT(w, run_link);
		if (w->volume == v)
			fn(ctx, w);
	}
}

struct ns_volume *walk_volume(const struct walk *w)
{
	return w->volume;
}
