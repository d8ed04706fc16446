/*
 * Programs that do not look at what close(2) says: the cp and mv of uutils (libraries of Rust drop
 * the answer). To them a file is stored by a call whose answer they look at: a whole file by the
 * copy_file_range that completes it, an empty one by the fchmod that follows its creation, and
 * where the bytes come from elsewhere, the creation itself stores an empty object first, so that
 * what S3 refuses is refused there. A source is not removed when its copy's close has failed. Core
 * thread.
 */
#include <stdlib.h>

#include "ns/ns_content.h"

static void stored_settled(struct accepted *a, const struct s3_err *err)
{
	struct node *n = a->node;
	struct content *ct = n->u.content;

	if (!ct)
		return;
	ct->flushing = false;
	/* What was refused is not tried again by the close, which would store an empty object. */
	if (err->cls != S3_OK) {
		ct->refused = err->errnum;
		ct->late = false;
		return;
	}
	file_stored(a);
	ct->created = false;
	/* A copy is all there is to store; the content of a file that was created follows. */
	if (!a->source)
		return;
	n->size_bytes = a->op.size_bytes;
	ct->dirty = ct->late = false;
	content_is_own(ct);
	handles_follow(n);
	n->pages_good = false;
}

void careless_copy(struct ns_call *c, struct node *from, const struct etag *etag, struct node *to,
	void (*then)(struct ns_call *))
{
	struct accepted *a = accepted_new(to, BULK_COPY, "copy");

	accepted_source(a, from, etag);
	a->op.size_bytes = from->size_bytes;
	file_copy_meta(a);
	a->settle = stored_settled;
	a->after = content_attempted;
	to->u.content->flushing = true;
	accept_op(a, walk_known(to->volume->ns, c), c, then);
}

bool careless_setattr(struct ns_call *c, void (*then)(struct ns_call *))
{
	struct content *ct = c->node->kind == NODE_FILE ? c->node->u.content : NULL;
	struct node *from;

	/* The kernel does not say that it was fchmod, and of which descriptor. */
	if (!ct || !ct->writers || !ct->dirty || ct->flushing || ct->extents.size_bytes ||
		!c->node->live || !walk_is_careless(walk_known(c->node->volume->ns, c)))
		return false;
	from = file_opened_by(c->node->volume->ns, c->tid);
	if (!from || from->size_bytes || from->pending ||
		!volume_copies_from(c->node->volume, from->volume))
		return false;
	careless_copy(c, from, &from->etag, c->node, then);
	return true;
}

/* ---- creation ---- */

static void create_undo(struct ns_call *c)
{
	ns_release(c->file);
	c->file = NULL;
}

static void create_stored(struct ns_call *c)
{
	struct node *n = c->work;

	c->work = NULL;
	c->drop = NULL;
	if (c->errnum) {
		create_undo(c);
		c->reply(c, c->errnum);
	} else {
		reply_entry(c, n);
	}
	node_unref(n);
}

static void create_drop(struct ns_call *c)
{
	create_undo(c);
	node_unref(c->work);
	c->work = NULL;
}

bool careless_create(struct ns_call *c, struct node *n)
{
	struct walk *w = walk_of(n->volume, c);
	const struct node *from;
	struct accepted *a;

	if (!walk_is_careless(w) || walk_is_remove(w))
		return false;
	/* What is copied will be stored by that copy; what S3 may not be able to copy, is not. */
	from = file_opened_by(n->volume->ns, c->tid);
	if (from && volume_copies_from(n->volume, from->volume))
		return false;
	a = accepted_new(n, BULK_PUT, "upload");
	a->op.meta = &a->meta;
	meta_send(a);
	a->settle = stored_settled;
	a->after = content_attempted;
	n->u.content->flushing = true;
	c->work = node_ref(n);
	c->drop = create_drop;
	accept_op(a, w, c, create_stored);
	return true;
}

/* ---- moves ---- */

void careless_closed(struct ns_call *c)
{
	struct walk *w = walk_known(c->node->volume->ns, c);

	if (c->errnum && walk_is_careless(w) && !walk_is_remove(w))
		walk_keep_failure(w, c->errnum);
}

int careless_remove(const struct ns_call *c)
{
	struct walk *w = walk_known(c->node->volume->ns, c);

	return walk_is_careless(w) && !walk_is_remove(w) ? walk_take_failure(w) : 0;
}
