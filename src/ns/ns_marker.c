/*
 * The object "dir/", a directory's marker: it keeps a directory that is empty, carries what was set
 * for it, and may have content, which is the file "dir/%:". Core thread.
 */
#include "ns/ns_content.h"
#include "util/clk.h"

void dirs_sent(struct node *dir)
{
	for (; dir && dir->unsent; dir = dir->parent) {
		dir->unsent = false;
		dir->u.dir->marker = MARKER_NO;
	}
}

static void marker_settled(struct accepted *a, const struct s3_err *err)
{
	struct node *n = a->node;

	if (err->cls == S3_OK) {
		n->unsent = false;
		n->u.dir->marker = MARKER_YES;
		dirs_sent(n->parent);
		n->checked_ms = clk_mono_ms();
		node_touch(n);
		n->u.dir->marker_seq = n->change_seq;
		recall_drop(n->volume, a->op.key);
	} else if (!n->unsent) {
		/* Without it S3 may know nothing of the directory, nor of those above it. */
		meta_lost(n);
		for (n = n->parent; n; n = n->parent)
			dir_changed(n);
	} else if (n->unsent && n->live && !n->u.dir->kid_live) {
		node_stale(n);
		node_remove(n);
	}
}

/* The content of the object "dir/", which is the directory's marker. */
static const struct bytes content_name = {"%:", 2};

static bool dir_has_content(const struct node *dir)
{
	const struct node *n = node_live(dir, content_name);

	return n && n->kind == NODE_FILE;
}

bool is_marker_content(const struct node *n)
{
	return n->kind == NODE_FILE && n->parent && n->parent->parent &&
	       bytes_equal(BYTES(n->name, n->name_len), content_name);
}

void dir_content_stored(const struct node *n)
{
	struct node *dir = n->parent;

	if (!dir || !bytes_equal(BYTES(n->name, n->name_len), content_name))
		return;
	dir->u.dir->marker = MARKER_YES;
	node_touch(dir);
	dir->u.dir->marker_seq = dir->change_seq;
	/* The marker is not ours alone: its attributes are changed by a copy of it. */
	meta_get(dir)->others = true;
}

struct accepted *marker_emptied(struct node *dir, const char *what)
{
	struct accepted *a = accepted_new(dir, BULK_PUT, what);

	a->op.meta = &a->meta;
	meta_send(a);
	a->settle = marker_settled;
	return a;
}

void dir_put_marker(
	struct node *dir, struct walk *w, struct ns_call *c, void (*then)(struct ns_call *))
{
	bool is_new = !dir_has_content(dir) &&
		      (dir->unsent || dir->u.dir->marker == MARKER_NO ||
			      (meta_is_known(dir, true) && !(dir->meta && dir->meta->tagged)));
	struct accepted *a = accepted_new(dir, is_new ? BULK_PUT : BULK_COPY,
		is_new ? "making the directory" : "change of attributes");

	a->op.meta = &a->meta;
	if (!is_new) {
		/* A marker that may be there keeps what it has, content included. */
		accepted_source(a, dir, &dir->etag);
		a->op.or_empty = &a->meta;
	}
	meta_send(a);
	a->op.whole = NULL;
	a->settle = marker_settled;
	accept_op(a, w, c, then);
}
