/*
 * What the kernel believes and is no longer so. It is told by a thread of the mount's
 * (ns_on_stale), which may have to wait for a lock whose holder waits for an answer of ours. A
 * failure, a close and a walk's end are answered when the kernel has been told, so that who hears
 * of it sees what is true, but not much later: it may be that answer. Core thread only.
 */
#include "ns/ns_int.h"

#define PATIENCE_MS 1000

static void patience_ends(struct loop_timer *timer)
{
	struct ns *ns = (struct ns *)((char *)timer - offsetof(struct ns, told_timer));

	wake(&ns->told_waiters);
}

void stale_init(struct ns *ns)
{
	TAILQ_INIT(&ns->told_waiters);
	ns->told_timer.fire = patience_ends;
}

void stale_free(struct ns *ns)
{
	ns->stale = NULL;
	loop_timer_stop(ns->loop, &ns->told_timer);
}

void ns_on_stale(struct ns *ns,
	void (*stale)(void *ctx, struct node *parent, const char *name, struct node *node),
	void *ctx)
{
	ns->stale = stale;
	ns->stale_ctx = ctx;
	ns_told(ns, ns->untold);
}

static void tell(struct node *parent, const char *name, struct node *n)
{
	struct ns *ns = parent->volume->ns;

	if (!ns->stale)
		return;
	ns->untold++;
	ns->stale(ns->stale_ctx, parent, name, n);
}

void node_stale(struct node *n)
{
	tell(n->parent, n->name, n);
}

void name_stale(struct node *parent, const char *name)
{
	tell(parent, name, NULL);
}

void ns_told(struct ns *ns, uint64_t count)
{
	ns->untold -= count < ns->untold ? count : ns->untold;
	if (ns->untold)
		return;
	loop_timer_stop(ns->loop, &ns->told_timer);
	wake(&ns->told_waiters);
}

bool stale_holds(struct ns_call *c, void (*resume)(struct ns_call *))
{
	struct ns *ns = c->node->volume->ns;

	if (!ns->untold || c->heard)
		return false;
	c->heard = true;
	if (!ns->told_timer.slot)
		loop_timer_set(ns->loop, &ns->told_timer, PATIENCE_MS);
	park(c, &ns->told_waiters, resume);
	return true;
}
