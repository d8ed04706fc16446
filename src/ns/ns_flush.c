/*
 * close(2) and fsync(2): what the file consists of is turned into the cheapest plan: one
 * CopyObject, one PutObject, or the end of a multipart upload. A copy of a walk is deferred; the
 * walk's last one is held until all of the walk is done (contract C3).
 */
#include <errno.h>
#include <stdlib.h>

#include "ns/ns_int.h"
#include "util/clk.h"
#include "util/mem.h"

static void flush_go(struct ns_call *c);

void file_lost(struct node *n)
{
	struct ns *ns = n->volume->ns;

	if (!n->live)
		return;
	/* An older object of that name may still be there: the directory is asked again. */
	dir_changed(n->parent);
	if (ns->stale)
		ns->stale(ns->stale_ctx, n->parent, n->name, n);
	node_remove(n);
}

void file_stored(struct accepted *a)
{
	struct node *n = a->node;

	etag_set(&n->etag, BYTES_STR(a->op.etag));
	if (a->op.mtime_ms)
		n->mtime_ms = a->op.mtime_ms;
	n->class_id = a->source ? a->source->class_id : 0;
	n->archived = false;
	n->checked_ms = clk_mono_ms();
	node_touch(n);
	dirs_sent(n->parent);
}

static void copy_settled(struct accepted *a, const struct s3_err *err)
{
	struct node *n = a->node;

	if (err->cls == S3_OK)
		file_stored(a);
	else if (n->pending == 1 && !(n->u.content && n->u.content->dirty))
		file_lost(n);
}

static void upload_settled(struct accepted *a, const struct s3_err *err)
{
	struct node *n = a->node;
	struct content *ct = n->u.content;

	if (err->cls == S3_OK)
		file_stored(a);
	if (!ct)
		return;
	ct->flushing = false;
	if (err->cls == S3_OK) {
		ct->dirty = ct->created = false;
		if (ct->upload_id) {
			upload_forget(ct);
			content_drop_base(ct);
			ct->own = true;
		}
	} else if (ct->upload_id) {
		ct->errnum = err->errnum;
	}
	node_ref(n);
	wake(&ct->waiters);
	if (n->u.content == ct && !ct->writers) {
		content_free(n);
		if (err->cls != S3_OK)
			file_lost(n);
	}
	node_unref(n);
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
		c->reply(c, c->errnum);
}

/* ---- the plans ---- */

static void flush_copy(struct ns_call *c, struct content *ct, struct walk *w)
{
	struct node *n = c->node;
	bool last = is_last(c, w);
	bool deferred = last || ((walk_is_copy(w) || walk_is_run(w)) && walk_defers(w, WALK_COPY));
	struct accepted *a = accepted_new(n, BULK_COPY, "copy");

	accepted_source(a, ct->base, &ct->base_etag);
	a->op.size_bytes = ct->base_full_bytes;
	a->settle = copy_settled;
	/* Without attributes of its own it keeps all that the source has. */
	if (n->meta && n->meta->unsaved && n->meta->has) {
		meta_send(a);
		a->op.patch = a->patch;
		a->op.patch_count = a->patch_count;
	} else {
		meta_copy(n, ct->base);
	}
	ct->dirty = ct->created = false;
	ct->own = true;
	content_drop_base(ct);
	etag_free(&n->etag);
	accept_op(a, w, deferred ? NULL : c, NULL);
	if (last)
		flush_barrier(c);
	else if (deferred)
		c->reply(c, 0);
}

static void put_run(struct accepted *a, struct content *ct)
{
	struct bytes *run = mem_zalloc(sizeof(*run));

	*run = BYTES(ct && ct->data ? ct->data : "", ct ? ct->used : 0);
	a->extra = run;
	a->op.body = (struct s3_body){.runs = run, .run_count = 1};
	a->op.meta = &a->meta;
	meta_send(a);
	a->settle = upload_settled;
}

/* The operation takes the bytes along: the file is as if S3 had it. */
static void flush_put_deferred(struct ns_call *c, struct content *ct, struct walk *w)
{
	struct accepted *a = accepted_new(c->node, BULK_PUT, "upload");

	put_run(a, ct);
	a->data = content_take_put(ct, &a->data_cap);
	if (a->data) {
		((struct bytes *)a->extra)->ptr = a->data;
		c->node->volume->ns->uploads++;
	}
	a->settle = copy_settled;
	ct->dirty = ct->created = false;
	ct->own = true;
	etag_free(&c->node->etag);
	accept_op(a, w, NULL, NULL);
	c->reply(c, 0);
}

static void flush_put(struct ns_call *c, struct content *ct, struct walk *w)
{
	struct accepted *a;

	/* A copy of a walk that no server can make, from one endpoint to another. */
	if ((walk_is_run(w) || (walk_is_copy(w) && !is_last(c, w))) && walk_defers(w, WALK_PUT)) {
		flush_put_deferred(c, ct, w);
		return;
	}
	a = accepted_new(c->node, BULK_PUT, "upload");
	put_run(a, ct);
	ct->flushing = true;
	accept_op(a, w, c, stored_go);
}

void file_put_empty(struct node *n, struct ns_call *c, void (*then)(struct ns_call *))
{
	struct accepted *a = accepted_new(n, BULK_PUT, "truncation");

	put_run(a, NULL);
	accept_op(a, NULL, c, then);
}

static void completed(void *ctx, const struct s3_err *err, const struct s3_put_result *result)
{
	struct accepted *a = ctx;

	if (err->cls == S3_OK && result->etag.len < sizeof(a->op.etag)) {
		memcpy(a->op.etag, result->etag.ptr, result->etag.len);
		a->op.etag[result->etag.len] = '\0';
	}
	bulk_release(&a->op);
	a->op.done(&a->op, err);
}

static void complete(struct bulk_op *op)
{
	struct accepted *a = (struct accepted *)op;
	struct content *ct = a->node->u.content;
	struct s3_part *list = mem_calloc(ct->part_count, sizeof(*list));
	unsigned i;

	for (i = 0; i < ct->part_count; i++)
		list[i] = (struct s3_part){.number = i + 1, .etag = BYTES_STR(ct->parts[i]->etag)};
	s3_mpu_complete(a->node->volume->client, op->key, BYTES_STR(ct->upload_id), list,
		ct->part_count, ct->size_bytes, 0, completed, a);
	free(list);
}

static void flush_parts(struct ns_call *c, struct content *ct, struct walk *w)
{
	struct accepted *a;

	if (ct->used)
		upload_queue_data(ct);
	if (ct->errnum) {
		c->reply(c, ct->errnum);
		return;
	}
	if (!ct->upload_id || ct->parts_done < ct->part_count) {
		park(c, &ct->waiters, flush_go);
		return;
	}
	a = accepted_new(c->node, BULK_WRITE, "upload");
	a->settle = upload_settled;
	a->op.granted = complete;
	ct->flushing = true;
	accept_op(a, w, c, stored_go);
}

static void flush_go(struct ns_call *c)
{
	struct node *n = c->node;
	struct content *ct = n->u.content;
	struct walk *w;

	if (ct && ct->flushing) {
		park(c, &ct->waiters, flush_go);
		return;
	}
	/* A file without a name any more has nowhere to go. */
	if (!ct || !ct->dirty || !n->live || ct->errnum) {
		c->errnum = ct && n->live ? ct->errnum : 0;
		stored_go(c);
		return;
	}
	if (accept_full(c, flush_go))
		return;
	w = walk_of(n->volume, c);
	if (walk_is_copy(w) && ct->created && !ct->size_bytes && walk_source(w) &&
		volume_copies_from(n->volume, walk_source(w)->volume) &&
		!walk_source(w)->size_bytes && walk_source(w)->kind == NODE_FILE) {
		/* An empty file is copied like any other, with what metadata it has. */
		content_set_base(ct, walk_source(w), &walk_source(w)->etag, 0);
		flush_copy(c, ct, w);
	} else if (ct->part_count) {
		flush_parts(c, ct, w);
	} else if (ct->base && ct->base_bytes == ct->base_full_bytes) {
		flush_copy(c, ct, w);
	} else if (ct->base) {
		upload_queue_base(ct);
		flush_parts(c, ct, w);
	} else {
		flush_put(c, ct, w);
	}
}

void ns_flush(struct ns_call *c)
{
	if (!c->file->writes) {
		c->reply(c, 0);
		return;
	}
	flush_go(c);
}

/* A barrier for the file: what was accepted for it before is done, too. */
static void fsync_wait(struct ns_call *c)
{
	struct node *n = c->node;

	if (n->pending) {
		wait_node(c, n, fsync_wait);
		return;
	}
	c->reply(c, n->live || !c->file->writes ? 0 : EIO);
}

void ns_fsync(struct ns_call *c)
{
	struct content *ct = c->node->u.content;

	if (ct && ct->dirty && c->node->live)
		flush_go(c);
	else
		fsync_wait(c);
}
