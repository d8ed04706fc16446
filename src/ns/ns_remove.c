/* unlink and rename. A file's source is deleted only after its copy is confirmed (contract C9). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ns/ns_int.h"
#include "util/mem.h"

void name_came_back(struct node *gone)
{
	struct node *up = gone->parent;

	if (!gone->live || gone->kind == NODE_TOMB)
		tomb_drop(up, BYTES(gone->name, gone->name_len));
	while (up->parent && !up->live) {
		tomb_drop(up->parent, BYTES(up->name, up->name_len));
		up = up->parent;
	}
	dir_changed(up);
}

static void unlink_settled(struct accepted *a, const struct s3_err *err)
{
	struct node *n = a->node;

	if (err->cls != S3_OK)
		name_came_back(n);
	else if (n->kind == NODE_FILE && n->live) {
		node_bury(n);
		tombs_purge(n->parent);
	}
}

/* ---- the last file of a directory without a marker: the directory stays ---- */

struct last_check {
	struct ns_call_list waiters;
	unsigned others;
	bool marker;
	struct s3_err err;
};

static void checked(void *ctx, const struct s3_err *err, const struct s3_list_page *page)
{
	struct last_check *k = ctx;

	k->err = *err;
	k->others = err->cls == S3_OK ? (unsigned)page->count : 0;
	if (TAILQ_EMPTY(&k->waiters))
		free(k);
	else
		wake(&k->waiters);
}

static void check_done(struct ns_call *c)
{
	struct last_check *k = c->work;
	int errnum = k->err.errnum;
	/* The file itself, and nothing else: not even the marker. */
	bool alone = k->others <= 1;

	c->work = NULL;
	free(k);
	if (errnum) {
		c->reply(c, errnum);
		return;
	}
	c->step = 1;
	c->errnum = 0;
	if (alone && c->node->live)
		dir_put_marker(c->node, NULL, c, c->next);
	else
		c->next(c);
}

static bool may_be_last(const struct node *n)
{
	const struct dir *d = n->parent->u.dir;

	return n->parent->parent && !n->parent->unsent && d->marker != MARKER_YES &&
	       d->kid_live == 1;
}

/* Sees to it that the directory c->node outlives its file, then goes on with `next`. */
static void check_last(struct ns_call *c, void (*next)(struct ns_call *))
{
	struct s3_list_params params = {.max_keys = 2};
	struct last_check *k = mem_zalloc(sizeof(*k));
	struct buf key = BUF_INIT(0);

	TAILQ_INIT(&k->waiters);
	c->next = next;
	c->work = k;
	park(c, &k->waiters, check_done);
	node_key(c->node, &key);
	params.prefix = buf_bytes(&key);
	s3_list(c->node->volume->client, &params, 0, checked, k);
	buf_free(&key);
}

void keep_parent(struct ns_call *c, struct node *n, void (*next)(struct ns_call *))
{
	c->errnum = 0;
	if (may_be_last(n))
		check_last(c, next);
	else
		next(c);
}

/* ---- unlink ---- */

static void unlink_last(struct ns_call *c)
{
	struct walk *w = walk_known(c->node->volume->ns, c);
	int errnum = c->errnum;

	/* rm -f passes over what is not there (any more), and then it is the end all the same. */
	if ((!errnum || errnum == ENOENT) && walk_is_remove(w) && walk_is_open(w) &&
		walk_remove_is_last(w, c->node, c->name)) {
		if (walk_barrier(w, c, unlink_last, &errnum))
			return;
		walk_passed_end(w);
	}
	c->reply(c, errnum ? errnum : c->errnum);
}

void remove_missing(struct ns_call *c)
{
	c->errnum = ENOENT;
	unlink_last(c);
}

static void unlink_over(struct ns_call *c)
{
	struct walk *w = walk_known(c->node->volume->ns, c);
	const struct dir *d = c->node->u.dir;

	/* The directory stays when its last file has gone, unless the walk removes it, too. */
	if (!c->errnum && (walk_is_remove(w) || walk_is_run(w)) && c->node->parent &&
		!d->kid_live && d->marker != MARKER_YES)
		walk_note_dir(w, c->node);
	unlink_last(c);
}

static void unlink_strict(struct ns_call *c)
{
	struct walk *w = walk_of(c->node->volume, c);
	struct node *n = node_live(c->node, BYTES_STR(c->name));
	struct accepted *a;

	if (c->errnum) {
		c->reply(c, c->errnum);
		return;
	}
	if (!n) {
		remove_missing(c);
		return;
	}
	a = accepted_new(n, BULK_DELETE, "removal");
	a->settle = unlink_settled;
	accept_op(a, w, c, unlink_over);
}

static void unlink_deferred(struct ns_call *c, struct node *n, struct walk *w)
{
	struct accepted *a = accepted_new(node_bury(n), BULK_DELETE, "removal");

	a->settle = unlink_settled;
	accept_op(a, w, NULL, NULL);
	c->errnum = 0;
	unlink_over(c);
}

void ns_unlink(struct ns_call *c)
{
	struct node *n = node_live(c->node, BYTES_STR(c->name));
	struct walk *w;

	if (c->node->volume->config.read_only || (n && n->kind != NODE_FILE)) {
		c->reply(c, c->node->volume->config.read_only ? EROFS : EISDIR);
		return;
	}
	if (!n) {
		remove_missing(c);
		return;
	}
	c->errnum = careless_remove(c);
	if (c->errnum) {
		c->reply(c, c->errnum);
		return;
	}
	if (n->u.content && n->u.content->created && !n->u.content->flushing) {
		/* S3 has never heard of it. */
		node_remove(n);
		c->errnum = 0;
		unlink_last(c);
		return;
	}
	if (accept_full(c, ns_unlink))
		return;
	w = walk_of(c->node->volume, c);
	if (walk_turns_to_remove(w, c, ns_unlink))
		return;
	c->errnum = 0;
	if ((walk_is_remove(w) || walk_is_run(w)) && walk_defers(w, WALK_DELETE))
		unlink_deferred(c, n, w);
	else if (!c->step && !walk_is_remove(w) && !walk_is_run(w) && may_be_last(n))
		check_last(c, unlink_strict);
	else
		unlink_strict(c);
}

/* ---- rename of a file ---- */

struct rename {
	struct node *node; /* a reference */
	struct etag etag;  /* of the copy: that of a multipart object is another one */
};

static void rename_drop(struct ns_call *c)
{
	struct rename *r = c->work;

	c->work = NULL;
	node_unref(r->node);
	etag_free(&r->etag);
	free(r);
}

static void rename_end(struct ns_call *c)
{
	struct rename *r = c->work;
	struct node *n = r->node;
	struct bytes to = BYTES_STR(c->name2);

	if (!c->errnum) {
		struct node *old = node_live(c->parent2, to);

		if (old && old != n)
			node_remove(old);
		if (n->live)
			node_move(n, c->parent2, to);
		else
			dir_changed(c->parent2);
		etag_copy(&n->etag, &r->etag);
		n->checked_ms =
			0; /* the copy is a version of its own: S3 is asked for it when needed */
	} else {
		dir_changed(c->parent2);
	}
	rename_drop(c);
	c->reply(c, c->errnum);
}

static void rename_kept(struct accepted *a, const struct s3_err *err)
{
	(void)a; /* the name moves when the source is deleted, or stays */
	(void)err;
}

/* Who asked may have been interrupted, and be gone. */
static void rename_copy_settled(struct accepted *a, const struct s3_err *err)
{
	struct ns_call *c = TAILQ_FIRST(&a->waiters);

	if (c && err->cls == S3_OK)
		etag_set(&((struct rename *)c->work)->etag, BYTES_STR(a->op.etag));
}

/* The copy is confirmed: now the source may go. */
static void rename_copied(struct ns_call *c)
{
	struct node *n = ((struct rename *)c->work)->node;
	struct accepted *a;

	if (c->errnum) {
		rename_end(c);
		return;
	}
	a = accepted_new(n, BULK_DELETE, "removal of the renamed file's old name");
	a->settle = rename_kept;
	accept_op(a, NULL, c, rename_end);
}

static void rename_copy(struct ns_call *c, struct node *n)
{
	struct rename *r = mem_zalloc(sizeof(*r));
	struct accepted *a = accepted_new(n, BULK_COPY, "copy for the rename");
	struct buf key = BUF_INIT(0);

	accepted_source(a, n, &n->etag);
	free((char *)a->op.key.ptr);
	node_child_key(c->parent2, BYTES_STR(c->name2), &key);
	a->op.key.len = key.len;
	a->op.key.ptr = buf_take(&key);
	a->op.size_bytes = n->size_bytes;
	a->settle = rename_copy_settled;
	r->node = node_ref(n);
	c->work = r;
	c->drop = rename_drop;
	accept_op(a, NULL, c, rename_copied);
}

void ns_rename(struct ns_call *c)
{
	struct node *n = node_live(c->node, BYTES_STR(c->name));
	struct node *to = node_live(c->parent2, BYTES_STR(c->name2));
	struct ns_call target = {.node = c->parent2};
	int r = name_check(&target, c->name2);

	if (c->node->volume->config.read_only)
		r = EROFS;
	else if (!n || !c->parent2->live)
		r = ENOENT;
	else if (c->flags & ~(unsigned)RENAME_NOREPLACE)
		r = EINVAL;
	else if (to && (c->flags & RENAME_NOREPLACE))
		r = EEXIST;
	else if (n->volume != c->parent2->volume ||
		 (n->kind == NODE_FILE && walk_is_tree_move(walk_known(n->volume->ns, c))))
		r = EXDEV; /* mv then walks through the fast copy and the batched delete */
	else if (n->kind == NODE_DIR) {
		rename_dir(c);
		return;
	} else if (to && to->kind == NODE_DIR)
		r = EISDIR;
	else if (node_has_writer(n) || (to && node_has_writer(to)))
		r = EBUSY;
	if (!r && n->pending) {
		wait_node(c, n, ns_rename);
		return;
	}
	if (r || to == n)
		c->reply(c, r);
	else if (!c->step && c->node != c->parent2 && may_be_last(n))
		check_last(c, ns_rename);
	else if (c->errnum)
		c->reply(c, c->errnum);
	else
		rename_copy(c, n);
}
