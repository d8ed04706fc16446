/*
 * Accepted operations: what a system call asked for and the bulk engine does. A strict call waits
 * for its operation; a deferred one was answered already, so its failure belongs to its walk, to
 * the fsync of a directory above it, and to the ledger: nothing fails in silence (contract C8).
 */
#include <stdlib.h>

#include "ns/ns_int.h"
#include "util/log.h"
#include "util/mem.h"

#define PENDING_MAX_DEFAULT 10000

static unsigned pending_max(const struct ns *ns)
{
	return ns->config.pending_max ? ns->config.pending_max : PENDING_MAX_DEFAULT;
}

struct accepted *accepted_new(struct node *n, enum bulk_kind kind, const char *what)
{
	struct accepted *a = mem_zalloc(sizeof(*a));
	struct buf key = BUF_INIT(0);

	a->ns = n->volume->ns;
	a->node = node_ref(n);
	a->what = what;
	TAILQ_INIT(&a->waiters);
	a->op.kind = kind;
	a->op.target = n->volume->target;
	node_key(n, &key);
	a->op.key.len = key.len;
	a->op.key.ptr = buf_take(&key);
	return a;
}

void accepted_source(struct accepted *a, struct node *source, const struct etag *etag)
{
	char text[64];
	struct bytes e = etag_text(etag, text);
	struct buf key = BUF_INIT(0);

	a->source = node_ref(source);
	a->op.source = source->volume->target;
	a->op.source_etag = BYTES(mem_dup(e.ptr, e.len), e.len);
	node_key(source, &key);
	a->op.source_key.len = key.len;
	a->op.source_key.ptr = buf_take(&key);
	if (source->class_id)
		a->op.storage_class = a->ns->classes[source->class_id];
}

static void accepted_free(struct accepted *a)
{
	free((char *)a->op.key.ptr);
	free((char *)a->op.source_key.ptr);
	free((char *)a->op.source_etag.ptr);
	if (a->release)
		a->release(a);
	free(a->extra);
	meta_unsend(a);
	node_unref(a->node);
	if (a->source)
		node_unref(a->source);
	free(a);
}

static void take_down(const struct accepted *a, const char *path, const struct s3_err *err)
{
	char name[64] = "";
	struct ns_failure f = {.what = a->what,
		.path = path,
		.key = a->op.key,
		.err = *err,
		.command = name,
		.pid = a->tid,
		.deferred = a->deferred};

	if (a->walk)
		walk_who(a->walk, &f);
	else if (a->tid)
		procstat_command(a->tid, name);
	ledger_add(&a->node->volume->ledger, &f);
}

static void report(struct accepted *a, const struct s3_err *err)
{
	struct buf path = BUF_INIT(0);
	struct node *p;
	char text[400];

	node_path(a->node, &path);
	log_error("%s of %s failed: %s", a->what, buf_str(&path),
		s3_err_text(err, text, sizeof(text)));
	take_down(a, buf_str(&path), err);
	buf_free(&path);
	if (!a->deferred)
		return;
	a->ns->failures++;
	for (p = a->node->parent; p; p = p->parent)
		if (!p->u.dir->failed_errnum)
			p->u.dir->failed_errnum = err->errnum;
}

void wake_settled(struct node *n)
{
	struct node *p;

	wake_node(n);
	for (p = n->parent; p && p->parent; p = p->parent) {
		/* Nothing below it can come back from S3 any more. */
		if (!p->live && !p->u.dir->pending)
			tomb_purge_of(p);
		if (p->waiters && !p->u.dir->pending)
			wake_node(p);
	}
	if (p && p->waiters && !p->u.dir->pending)
		wake_node(p);
}

static void done(struct bulk_op *op, const struct s3_err *err)
{
	struct accepted *a = (struct accepted *)op;
	struct ns *ns = a->ns;
	struct ns_call *c;

	a->settle(a, err);
	if (err->cls != S3_OK && !a->attempt)
		report(a, err);
	node_pend(a->node, -1);
	if (a->node->kind == NODE_TOMB)
		tomb_purge(a->node);
	ns->accepted--;
	if (a->walk)
		walk_settled(a->walk, a, err);
	/* Who asked for it was interrupted, and does not know how it ended: S3 does. */
	if (!a->deferred && !a->after && TAILQ_EMPTY(&a->waiters) && a->node->parent)
		dir_changed(a->node->parent);
	TAILQ_FOREACH(c, &a->waiters, link)
	c->errnum = err->errnum;
	wake(&a->waiters);
	wake_settled(a->node);
	if (ns->accepted < pending_max(ns) * 9 / 10)
		wake(&ns->room_waiters);
	if (a->after)
		a->after(a);
	accepted_free(a);
}

void reply_errnum(struct ns_call *c)
{
	c->reply(c, c->errnum);
}

static void accept(struct accepted *a, struct walk *w, pid_t tid)
{
	a->op.done = done;
	a->walk = w;
	a->tid = tid;
	a->ns->accepted++;
	node_pend(a->node, 1);
	node_touch(a->node);
	if (w)
		walk_accepted(w);
	bulk_submit(&a->op);
}

void accept_own(struct accepted *a, struct walk *w, pid_t tid)
{
	struct bulk_target *t = a->op.target;

	accept(a, w, tid);
	bulk_hurry(t);
}

void accept_op(
	struct accepted *a, struct walk *w, struct ns_call *c, void (*then)(struct ns_call *))
{
	a->deferred = !c;
	accept(a, w, c ? c->tid : 0);
	if (!c)
		return;
	c->errnum = 0;
	bulk_hurry(a->op.target);
	park(c, &a->waiters, then ? then : reply_errnum);
}

bool accept_full(struct ns_call *c, void (*resume)(struct ns_call *))
{
	struct ns *ns = c->node->volume->ns;

	if (ns->accepted < pending_max(ns))
		return false;
	bulk_hurry(c->node->volume->target);
	park(c, &ns->room_waiters, resume);
	return true;
}
