/*
 * Storing a file: what it consists of is turned into the cheapest plan, one CopyObject, one
 * PutObject, or a multipart upload of copies and parts, and carried out. Nothing changes the file
 * meanwhile. When it fails the old object is as it was, the upload is aborted, and the bytes are
 * kept: the next fsync or close tries again. Core thread only; a save belongs to its content, which
 * it keeps alive.
 */
#include <errno.h>
#include <stdlib.h>

#include "ns/ns_content.h"
#include "util/mem.h"

enum how { BY_NOTHING, BY_COPY, BY_PUT, BY_PARTS };

struct save {
	struct content *content;
	struct node *node; /* a reference */
	struct walk *walk; /* of the call, if the object is made at once; held; or NULL */
	pid_t tid;
	enum how how;
	bool planned;
	bool final; /* what makes the object is on its way */
	bool aborting;
	int errnum;
};

static void step(struct save *s);

/* ---- the end ---- */

/* Nobody waits for it: the next fsync of a directory above says so (contract C8). */
static void unheard(struct node *n, int errnum)
{
	struct node *p;

	n->volume->ns->failures++;
	for (p = n->parent; p; p = p->parent)
		if (!p->u.dir->failed_errnum)
			p->u.dir->failed_errnum = errnum;
}

static void save_end(struct save *s)
{
	struct content *ct = s->content;
	struct node *n = s->node;
	struct ns_call *c;

	ct->save = NULL;
	ct->flushing = false;
	n->volume->ns->saving--;
	if (s->errnum && TAILQ_EMPTY(&ct->flushers))
		unheard(n, s->errnum);
	TAILQ_FOREACH(c, &ct->flushers, link)
	c->errnum = s->errnum;
	if (s->walk)
		walk_settled_one(s->walk);
	free(s);
	wake(&ct->flushers);
	if (n->u.content == ct)
		wake(&ct->waiters);
	content_release(n);
	node_unref(n);
}

static void abort_over(void *ctx)
{
	struct save *s = ctx;

	s->aborting = false;
	save_end(s);
}

/* An upload whose parts are nowhere else is kept, for another try or the last close. */
static void fail(struct save *s, int errnum)
{
	struct content *ct = s->content;

	s->errnum = errnum;
	if (!ct->upload || ct->upload->lossy) {
		save_end(s);
		return;
	}
	s->aborting = true;
	upload_let_go(ct, abort_over, s);
}

/* A small file that stays open keeps its bytes: for the next put they need not be fetched. */
static bool is_kept(const struct save *s)
{
	return s->how == BY_PUT && s->content->writers &&
	       s->content->extents.size_bytes <= S3_PART_MIN;
}

static void stored(struct accepted *a, const struct s3_err *err)
{
	struct content *ct = a->node->u.content;
	struct save *s = ct->save;

	s->final = false;
	/* A range of an object that has changed or gone since it was opened. */
	s->errnum = err->cls == S3_NOT_FOUND ? ESTALE : err->errnum;
	if (err->cls != S3_OK) {
		/* Nobody can try again. The walk is to know before it looks at its directories. */
		if (!ct->writers && !ct->late)
			file_lost(a->node);
		return;
	}
	file_stored(a);
	ct->dirty = ct->created = false;
	if (s->how == BY_PARTS)
		upload_forget(ct);
	/* Without a name its bytes have to stay here. */
	if (ct->unlinked)
		return;
	if (is_kept(s))
		evict_allow(&a->ns->slabs, &ct->clean, true);
	else
		content_is_own(ct);
	handles_follow(a->node);
}

static void submitted_over(struct accepted *a)
{
	struct save *s = a->node->u.content->save;

	if (s->errnum)
		fail(s, s->errnum);
	else
		save_end(s);
}

static void submit(struct save *s, struct accepted *a)
{
	a->settle = stored;
	a->after = submitted_over;
	s->final = true;
	accept_own(a, s->walk, s->tid);
}

/* ---- CopyObject, PutObject ---- */

static void submit_copy(struct save *s, const struct copied *from)
{
	struct accepted *a = accepted_new(s->node, BULK_COPY, "copy");

	accepted_source(a, from->node, from->etag);
	a->op.size_bytes = from->size_bytes;
	file_copy_meta(a);
	submit(s, a);
}

static void body_release(struct accepted *a)
{
	lent_return(a->extra, &a->ns->slabs);
}

void put_body(struct accepted *a, struct content *ct)
{
	struct lent *l = mem_zalloc(sizeof(*l));
	const struct extents *x = ct ? &ct->extents : NULL;
	const struct extent *e;

	for (e = x ? extents_at(x, 0) : NULL; e; e = extents_next(x, e))
		lend_run(l, e, e->offset, extent_end(e));
	lent_drains(l, &a->ns->slabs);
	a->extra = l;
	a->release = body_release;
	a->op.body = (struct s3_body){.runs = l->runs, .run_count = l->run_count};
	a->op.meta = &a->meta;
	meta_send(a);
}

static void step_put(struct save *s)
{
	struct content *ct = s->content;
	int r = content_localise(ct, 0, ct->extents.size_bytes, NULL);
	struct accepted *a;

	if (r > 0)
		fail(s, r);
	if (r)
		return;
	a = accepted_new(s->node, BULK_PUT, "upload");
	put_body(a, ct);
	submit(s, a);
}

/* ---- a multipart upload ---- */

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
	const struct upload *u = a->node->u.content->upload;
	struct s3_part *list = mem_calloc(u->count, sizeof(*list));
	unsigned i;

	for (i = 0; i < u->count; i++)
		list[i] = (struct s3_part){.number = i + 1, .etag = BYTES_STR(u->parts[i]->etag)};
	s3_mpu_complete(u->volume->client, op->key, BYTES_STR(u->id), list, u->count, u->end, 0,
		completed, a);
	free(list);
}

static void step_parts(struct save *s)
{
	struct content *ct = s->content;
	struct accepted *a;

	if (!ct->upload)
		upload_new(ct);
	if (!s->planned && !upload_plan(ct->upload, ct->extents.size_bytes, true)) {
		fail(s, EFBIG);
		return;
	}
	s->planned = true;
	upload_pump(ct->upload);
	if (!ct->errnum && upload_is_idle(ct->upload) && upload_queue_stale(ct->upload))
		upload_pump(ct->upload);
	if (ct->errnum) {
		step(s);
		return;
	}
	if (!upload_is_idle(ct->upload))
		return;
	a = accepted_new(s->node, BULK_WRITE, "upload");
	a->op.granted = complete;
	submit(s, a);
}

/* ---- what comes next? ---- */

static void step(struct save *s)
{
	struct content *ct = s->content;
	int errnum = ct->errnum;

	if (s->final || s->aborting)
		return;
	ct->errnum = 0;
	if (ct->unlinked)
		save_end(s);
	else if (errnum)
		fail(s, errnum);
	else if ((s->how == BY_PUT || s->how == BY_PARTS) && !ct->upload &&
		 (errnum = keep_ready(s->node, NULL, NULL))) {
		if (errnum > 0)
			fail(s, errnum);
	} else if (s->how == BY_PARTS)
		step_parts(s);
	else if (s->how == BY_PUT)
		step_put(s);
	else
		save_end(s);
}

void save_progress(struct content *ct)
{
	if (ct->save)
		step(ct->save);
}

bool save_is_final(const struct content *ct)
{
	return ct->save && ct->save->final;
}

static enum how choose(const struct content *ct)
{
	const struct extents *x = &ct->extents;
	struct plan_limits limits;

	if (ct->upload)
		return BY_PARTS;
	plan_limits_of(ct, &limits);
	if (x->size_bytes < limits.min_bytes ||
		(x->size_bytes <= limits.part_bytes && !plan_copies(x, &limits)))
		return BY_PUT;
	return BY_PARTS;
}

static struct save *save_new(struct content *ct, struct walk *w, pid_t tid, enum how how)
{
	struct save *s = mem_zalloc(sizeof(*s));

	s->content = ct;
	s->node = node_ref(ct->node);
	s->walk = w;
	if (w)
		walk_hold(w);
	s->tid = tid;
	s->how = how;
	ct->save = s;
	ct->flushing = true;
	ct->late = false;
	s->node->volume->ns->saving++;
	return s;
}

void content_save_copy(struct content *ct, const struct copied *from, struct walk *w, pid_t tid)
{
	submit_copy(save_new(ct, w, tid, BY_COPY), from);
}

void content_save(struct content *ct, struct walk *w, pid_t tid)
{
	const struct extents *x = &ct->extents;
	const struct extent *e = extents_at(x, 0);
	const struct source *s = e && e->kind == EXTENT_OBJECT ? e->of.source : NULL;
	struct copied from;

	if (ct->errnum || ct->upload || x->count != 1 || !s || e->len != s->size_bytes) {
		enum how how = choose(ct);

		/* The walk may be over when something has been fetched, or sent in parts. */
		if (how != BY_PUT || extents_have(x, 0, x->size_bytes, EXTENT_OBJECT))
			w = NULL;
		step(save_new(ct, w, tid, how));
		return;
	}
	from = (struct copied){s->node, &s->etag, s->size_bytes};
	if (s->node != ct->node || !etag_equal(&s->etag, &ct->node->etag)) {
		content_save_copy(ct, &from, w, tid);
		return;
	}
	/* It is what it was again. */
	content_is_own(ct);
	ct->dirty = false;
	step(save_new(ct, NULL, tid, BY_NOTHING));
}

void content_settle(struct ns_call *c, struct content *ct, void (*resume)(struct ns_call *))
{
	c->errnum = 0;
	if (ct->leaving) {
		park(c, &ct->waiters, resume);
		return;
	}
	if (sources_rescue(c, ct->node, ct, resume))
		return;
	park(c, &ct->flushers, resume);
	content_save(ct, NULL, c->tid);
}
