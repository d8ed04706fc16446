/*
 * close(2) and fsync(2). Outside of walks they wait until the file is stored (ns_save.c). In a walk
 * a copy of a whole object, or a small file, is deferred: the operation takes along what it needs.
 * The walk's last copy is held until all of the walk is done (contract C3).
 */
#include <errno.h>
#include <stdlib.h>

#include "ns/ns_content.h"
#include "util/clk.h"
#include "util/mem.h"

static void flush_go(struct ns_call *c);

void file_lost(struct node *n)
{
	if (!n->live)
		return;
	/* An older object of that name may still be there: the directory is asked again. */
	dir_changed(n->parent);
	node_stale(n);
	node_remove(n);
}

/* The storage class that its object has been given. */
static uint8_t class_made(const struct accepted *a)
{
	const char *name = s3_client_storage_class(a->node->volume->client);

	if (!name && a->source)
		return a->source->class_id;
	if (!name)
		name = a->meta.storage_class;
	return class_id(a->ns, BYTES_STR(name ? name : ""));
}

void file_stored(struct accepted *a)
{
	struct node *n = a->node;

	etag_set(&n->etag, BYTES_STR(a->op.etag));
	/* It stays as old as it is here; what S3 says of the new version is not known yet. */
	n->s3_time = false;
	n->class_id = class_made(a);
	n->archived = false;
	n->checked_ms = clk_mono_ms();
	node_touch(n);
	dirs_sent(n->parent);
	dir_content_stored(n);
	meta_stored(a);
	recall_drop(n->volume, a->op.key);
}

void file_copy_meta(struct accepted *a)
{
	/* Without attributes of its own it keeps all that the source has. */
	if (meta_copy(a->node, a->source))
		meta_send(a);
}

/* ---- the last call of a walk ---- */

static void flush_barrier(struct ns_call *c)
{
	struct walk *w = walk_known(c->node->volume->ns, c);
	int errnum = 0;

	if (w && walk_barrier(w, c, flush_barrier, &errnum))
		return;
	if (w)
		walk_passed_end(w);
	c->reply(c, errnum);
}

static bool is_last(struct ns_call *c, const struct walk *w)
{
	return walk_is_copy(w) && walk_is_open(w) && walk_copy_is_last(w);
}

static void stored_go(struct ns_call *c)
{
	struct node *n = c->node;

	if (stale_holds(c, stored_go))
		return;
	careless_closed(c);
	/* Attributes that were set when the upload had begun are still to be sent. */
	if (!c->errnum && n->meta && n->meta->unsaved && n->meta->has && n->live &&
		!(n->u.content && n->u.content->dirty)) {
		meta_save_file(n, walk_known(n->volume->ns, c), c, stored_go);
		return;
	}
	if (!c->errnum && is_last(c, walk_known(c->node->volume->ns, c)))
		flush_barrier(c);
	else
		c->next(c);
}

/* Many programs do not look at what close says (a shell's `>`): a run does it for them. */
static void closed(struct ns_call *c)
{
	struct node *n = c->node;
	struct walk *w = c->errnum ? walk_of(n->volume, c) : NULL;
	struct buf path = BUF_INIT(0);

	if (walk_is_run(w)) {
		node_path(n, &path);
		walk_close_failed(w, &n->volume->ledger, buf_str(&path), c->errnum);
		buf_free(&path);
	}
	c->reply(c, c->errnum);
}

/* ---- what a walk defers ---- */

static void deferred_settled(struct accepted *a, const struct s3_err *err)
{
	struct node *n = a->node;

	if (err->cls == S3_OK) {
		file_stored(a);
		handles_follow(n);
	} else if (n->pending == 1 && !(n->u.content && n->u.content->dirty)) {
		file_lost(n);
	}
}

/* The operation has all it needs: the file is as if S3 had it. */
static void defer(struct ns_call *c, struct accepted *a, struct walk *w)
{
	struct content *ct = c->node->u.content;

	a->settle = deferred_settled;
	ct->dirty = ct->created = ct->late = false;
	content_is_own(ct);
	etag_free(&c->node->etag);
	accept_op(a, w, NULL, NULL);
}

static void defer_copy(struct ns_call *c, const struct copied *from, struct walk *w)
{
	struct accepted *a = accepted_new(c->node, BULK_COPY, "copy");
	bool last = is_last(c, w);

	accepted_source(a, from->node, from->etag);
	a->op.size_bytes = from->size_bytes;
	file_copy_meta(a);
	defer(c, a, w);
	if (last)
		flush_barrier(c);
	else
		c->reply(c, 0);
}

static void defer_put(struct ns_call *c, struct content *ct, struct walk *w)
{
	struct accepted *a = accepted_new(c->node, BULK_PUT, "upload");
	const struct extent *e = extents_at(&ct->extents, 0);

	/* It waits, perhaps with thousands of others: only as much memory as it needs. */
	slab_unref(ct->slab);
	ct->slab = NULL;
	if (e && e->kind == EXTENT_LOCAL)
		slab_shrink(e->of.slab);
	put_body(a, ct);
	defer(c, a, w);
	c->reply(c, 0);
}

/* The empty file that the command has opened, if what it closes now is to be a copy of it. */
static struct node *empty_source(const struct content *ct, const struct walk *w)
{
	struct node *n = walk_is_copy(w) && ct->created && !ct->upload && !ct->own &&
					 !extents_at(&ct->extents, 0)
				 ? walk_source(w)
				 : NULL;

	return n && n->kind == NODE_FILE && n->live && !n->size_bytes ? n : NULL;
}

/* S3 has copied it, or will not between these two: then it is put. */
static void empty_tried(struct ns_call *c)
{
	struct node *n = c->node;
	const struct walk *w = walk_known(n->volume->ns, c);
	const struct node *from = w && n->u.content ? empty_source(n->u.content, w) : NULL;

	if (c->errnum && from && volume_is_untried(n->volume, from->volume))
		stored_go(c);
	else
		flush_go(c);
}

/* What the file is a copy of, as a whole and with nothing sent yet: false, or *from. */
static bool is_copy(const struct content *ct, const struct walk *w, struct copied *from)
{
	const struct extent *e = extents_at(&ct->extents, 0);
	struct node *n;

	if (ct->upload || ct->own)
		return false;
	if (e && ct->extents.count == 1 && e->kind == EXTENT_OBJECT &&
		e->len == e->of.source->size_bytes && e->of.source->node != ct->node) {
		*from = (struct copied){e->of.source->node, &e->of.source->etag, e->len};
		return true;
	}
	/* An empty file of a copy is copied like any other, with what metadata it has. */
	n = empty_source(ct, w);
	if (!n || !volume_copies_from(ct->node->volume, n->volume))
		return false;
	*from = (struct copied){n, &n->etag, 0};
	return true;
}

/* Small enough, and all of it is here. */
static bool is_small(const struct content *ct)
{
	return !ct->upload && ct->extents.size_bytes <= put_bytes_max(ct) &&
	       !extents_have(&ct->extents, 0, ct->extents.size_bytes, EXTENT_OBJECT);
}

static void store(struct ns_call *c, struct content *ct)
{
	struct walk *w = walk_of(c->node->volume, c);
	bool last = is_last(c, w), defers = walk_is_copy(w) || walk_is_run(w);
	struct copied from;
	bool copy = !ct->errnum && is_copy(ct, w, &from);
	struct node *empty = ct->errnum || copy ? NULL : empty_source(ct, w);
	int r;

	if (empty && volume_is_untried(c->node->volume, empty->volume)) {
		copy_empty_first(c, empty, empty_tried);
		return;
	}
	if (copy && (last || (defers && walk_defers(w, WALK_COPY)))) {
		defer_copy(c, &from, w);
		return;
	}
	/* A copy of a walk that no server can make, from one endpoint to another. */
	if (!copy && !ct->errnum && defers && !last && is_small(ct) && walk_defers(w, WALK_PUT)) {
		r = keep_ready(c->node, c, flush_go);
		if (r > 0)
			c->reply(c, r);
		else if (!r)
			defer_put(c, ct, w);
		return;
	}
	park(c, &ct->flushers, stored_go);
	if (copy)
		content_save_copy(ct, &from, w, c->tid);
	else
		content_save(ct, w, c->tid);
}

/* ---- the calls ---- */

static void flush_go(struct ns_call *c)
{
	struct node *n = c->node;
	struct content *ct = n->u.content;

	c->errnum = 0;
	if (ct && ct->flushing) {
		park(c, ct->save ? &ct->flushers : &ct->waiters, ct->save ? stored_go : flush_go);
		return;
	}
	if (ct && ct->leaving) {
		park(c, &ct->waiters, flush_go);
		return;
	}
	/* A file without a name any more has nowhere to go. */
	if (!ct || !ct->dirty || ct->unlinked) {
		stored_go(c);
		return;
	}
	if (!n->live) {
		c->reply(c, EIO);
		return;
	}
	if (ct->refused) {
		c->errnum = ct->refused;
		stored_go(c);
		return;
	}
	if (accept_full(c, flush_go) || sources_rescue(c, n, ct, flush_go))
		return;
	store(c, ct);
}

void ns_flush(struct ns_call *c)
{
	if (!c->file->writes) {
		c->reply(c, 0);
		return;
	}
	c->next = closed;
	flush_go(c);
}

/* A barrier for the file: what was accepted for it before is done, too. */
static void fsync_wait(struct ns_call *c)
{
	struct node *n = c->node;
	bool lost = !n->live && !(n->u.content && n->u.content->unlinked);

	if (n->pending) {
		wait_node(c, n, fsync_wait);
		return;
	}
	c->reply(c, lost && c->file->writes ? EIO : 0);
}

void ns_fsync(struct ns_call *c)
{
	struct content *ct = c->node->u.content;

	c->next = reply_errnum;
	if (ct && (ct->dirty || ct->flushing) && !ct->unlinked)
		flush_go(c);
	else
		fsync_wait(c);
}
