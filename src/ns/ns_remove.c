/* unlink(2), and what keeps a directory when its last file goes. Core thread only. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ns/ns_content.h"
#include "util/mem.h"

void name_came_back(struct node *gone)
{
	if (!gone->live || gone->kind == NODE_TOMB)
		tomb_fails(gone->parent, BYTES(gone->name, gone->name_len));
	dir_came_back(gone->parent);
}

static void unlink_settled(struct accepted *a, const struct s3_err *err)
{
	struct node *n = a->node;

	if (err->cls != S3_OK) {
		name_came_back(n);
	} else if (n->kind == NODE_TOMB) {
		recall_drop(n->volume, a->op.key);
	} else if (n->kind == NODE_FILE && n->live) {
		if (n->u.content)
			content_unlink(n->u.content);
		tomb_purge(node_bury(n));
	}
}

/* What was written to it meanwhile is stored under its name, if it still has one. */
static void unlink_after(struct accepted *a)
{
	if (a->node->kind == NODE_FILE)
		content_stays(a->node);
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
	/* What goes, and nothing else: not even the marker. */
	bool alone = k->others <= 1;

	c->work = NULL;
	free(k);
	if (errnum) {
		c->reply(c, errnum);
		return;
	}
	c->step = 1;
	c->errnum = 0;
	if (alone && c->node->live) {
		c->node->u.dir->marker = MARKER_NO;
		dir_put_marker(c->node, NULL, c, c->next);
	} else {
		c->next(c);
	}
}

static bool may_be_last(const struct node *n)
{
	const struct dir *d = n->parent->u.dir;

	return n->parent->parent && !n->parent->unsent && d->marker != MARKER_YES &&
	       d->kid_live == 1 && !is_marker_content(n);
}

static void check_begin(struct ns_call *c)
{
	struct s3_list_params params = {.max_keys = 2, .delimiter = true};
	struct last_check *k;
	struct buf key = BUF_INIT(0);

	/* What is going already would be listed, and keep nothing. */
	if (c->node->u.dir->pending) {
		wait_node(c, c->node, check_begin);
		return;
	}
	k = mem_zalloc(sizeof(*k));
	TAILQ_INIT(&k->waiters);
	c->work = k;
	park(c, &k->waiters, check_done);
	node_key(c->node, &key);
	params.prefix = buf_bytes(&key);
	s3_list(c->node->volume->client, &params, 0, checked, k);
	buf_free(&key);
}

/* Sees to it that the directory c->node outlives what was in it, then goes on with `next`. */
static void check_last(struct ns_call *c, void (*next)(struct ns_call *))
{
	c->next = next;
	check_begin(c);
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

static void unlink_strict(struct ns_call *c);

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
		/* It has gone, but the kernel will hear that something else has failed. */
		if (errnum && !c->errnum && !node_live(c->node, BYTES_STR(c->name)))
			name_stale(c->node, c->name);
	}
	c->errnum = errnum ? errnum : c->errnum;
	remove_answer(c);
}

void remove_answer(struct ns_call *c)
{
	struct walk *w = walk_known(c->node->volume->ns, c);
	int errnum;

	if (walk_breaks(w, c->errnum) && walk_barrier(w, c, remove_answer, &errnum))
		return;
	c->reply(c, c->errnum);
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

/* The file was the marker's content: the same for its name, which is not that of a->node. */
static void content_settled(struct accepted *a, const struct s3_err *err)
{
	struct node *n = a->extra;

	if (err->cls != S3_OK || !n->live)
		return;
	if (n->u.content)
		content_unlink(n->u.content);
	tomb_purge(node_bury(n));
}

static void let_content_go(struct accepted *a)
{
	struct node *n = a->extra;

	a->extra = NULL;
	content_stays(n);
	node_unref(n);
}

/* What the marker may have beside its content, the directory's mode say, is looked for before. */
static bool unlink_content(struct ns_call *c, struct node *n, struct walk *w)
{
	struct accepted *a;

	if (!is_marker_content(n))
		return false;
	if (meta_look(c, n->parent, unlink_strict))
		return true;
	a = marker_emptied(n->parent, "removal");
	a->settle = content_settled;
	a->extra = node_ref(n);
	a->release = let_content_go;
	if (n->u.content)
		n->u.content->leaving = true;
	accept_op(a, w, c, unlink_over);
	return true;
}

static void unlink_strict(struct ns_call *c)
{
	struct walk *w = walk_of(c->node->volume, c);
	struct node *n = node_live(c->node, BYTES_STR(c->name));
	struct accepted *a;

	if (c->errnum) {
		remove_answer(c);
		return;
	}
	if (!n) {
		remove_missing(c);
		return;
	}
	if (n->u.content && n->u.content->flushing && !save_is_final(n->u.content)) {
		park(c, &n->u.content->waiters, unlink_strict);
		return;
	}
	if (unlink_content(c, n, w))
		return;
	a = accepted_new(n, BULK_DELETE, "removal");
	a->settle = unlink_settled;
	if (n->u.content) {
		n->u.content->leaving = true;
		a->after = unlink_after;
	}
	accept_op(a, w, c, unlink_over);
}

static void unlink_deferred(struct ns_call *c, struct node *n, struct walk *w)
{
	struct accepted *a;

	if (n->u.content)
		content_unlink(n->u.content);
	/* Should S3 refuse, a listing brings the name back, and this what is known of it. */
	if (!n->opens && !n->pending)
		recall_keep(n);
	/* The walk keeps the directory by another one if it does not remove it. */
	if (is_marker_content(n))
		n->parent->u.dir->marker = MARKER_NO;
	a = accepted_new(node_bury(n), BULK_DELETE, "removal");
	a->settle = unlink_settled;
	accept_op(a, w, NULL, NULL);
	c->errnum = 0;
	unlink_over(c);
}

bool file_unname(struct ns_call *c, struct node *n, void (*resume)(struct ns_call *))
{
	struct content *ct = n->u.content;

	c->errnum = 0;
	if (ct && ct->flushing && !save_is_final(ct)) {
		park(c, &ct->waiters, resume);
		return true;
	}
	if (ct && ct->upload && ct->upload->lossy && ct->readable && !ct->flushing) {
		content_settle(c, ct, resume);
		return true;
	}
	return !(ct && (ct->created || ct->flushing)) &&
	       (content_keep(c, n, resume) || sources_rescue(c, n, n->u.content, resume));
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
	if (!c->errnum)
		c->errnum = careless_remove(c);
	if (c->errnum) {
		remove_answer(c);
		return;
	}
	if (file_unname(c, n, ns_unlink))
		return;
	if (n->u.content && n->u.content->created && !n->u.content->flushing) {
		/* S3 has never heard of it. */
		content_unlink(n->u.content);
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
