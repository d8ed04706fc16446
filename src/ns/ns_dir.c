/*
 * Directories: reading them, making and removing them. A directory exists by the keys below it or
 * by its marker, the empty object "dir/". mkdir writes the marker; inside a walk only for a
 * directory that is still empty in the end.
 */
#include <errno.h>
#include <stdlib.h>

#include "ns/ns_int.h"
#include "util/clk.h"
#include "util/mem.h"

struct ns_dir_handle {
	struct node *dir; /* a reference */
	LIST_ENTRY(ns_dir_handle) link;
	uint64_t last_ino; /* of the entries handed out */
	char *last_name;
	bool listed;      /* the listing that this handle is about has begun */
	bool told;        /* the walk knows that it was read to its end */
	uint64_t visits;  /* walk_visits when entries were last handed out */
	size_t given;     /* entries that were handed out with their attributes */
	bool bare;        /* the last ones were names only */
	bool looks;       /* the reader has looked one of those up */
	unsigned lookups; /* of the directory, when they were */
};

/* Cookies: 1 is behind ".", 2 behind "..", then inode number + 2. */
#define COOKIE_DOT 1
#define COOKIE_DOTDOT 2
/* A listing that a failed delete has spoiled is repeated; somebody who changes it all the time is
 * not waited for. */
#define LIST_TRIES 5
/* So many entries come with their attributes. */
#define GIVEN_MAX 8000

void ns_opendir(struct ns_call *c)
{
	struct node *n = c->node;
	struct dir *d = n->u.dir;
	struct ns_call nobody = {.node = n};
	struct ns_dir_handle *h;
	struct walk *w;

	if (n->kind != NODE_DIR) {
		c->reply(c, ENOTDIR);
		return;
	}
	w = walk_of(n->volume, c);
	h = mem_zalloc(sizeof(*h));
	h->dir = node_ref(n);
	LIST_INSERT_HEAD(&n->volume->ns->dir_handles, h, link);
	d->handles++;
	/* A recognised walk lists each directory once; others see what has changed since. */
	if (!n->unsent)
		dir_read(n, walk_tgid(n->volume->ns, c),
			dir_is_fresh(n, walk_is_run(w) ? &nobody : c));
	if (w) {
		walk_note_root(w, n);
		walk_opened_dir(w, n);
	}
	d->snapshot_tgid = w ? walk_tgid(n->volume->ns, c) : c->tid;
	d->snapshot_ms = clk_mono_ms();
	c->dir = h;
	c->reply(c, 0);
}

bool dir_handles_of(const struct ns_volume *v)
{
	const struct ns_dir_handle *h;

	LIST_FOREACH(h, &v->ns->dir_handles, link)
	if (h->dir->volume == v)
		return true;
	return false;
}

void dir_handles_free(struct ns *ns)
{
	while (!LIST_EMPTY(&ns->dir_handles))
		ns_releasedir(LIST_FIRST(&ns->dir_handles));
}

void ns_releasedir(struct ns_dir_handle *h)
{
	h->dir->u.dir->handles--;
	LIST_REMOVE(h, link);
	node_unref(h->dir);
	free(h->last_name);
	free(h);
}

static bool fill_dots(struct ns_call *c, ns_fill_fn *fill)
{
	struct node *n = c->node, *up = n->parent ? n->parent : n;
	struct ns_attr attr;

	if (c->offset < COOKIE_DOT) {
		node_attr(n, c, &attr);
		if (!fill(c, ".", NULL, &attr, COOKIE_DOT))
			return false;
	}
	if (c->offset < COOKIE_DOTDOT) {
		node_attr(up, c, &attr);
		if (!fill(c, "..", NULL, &attr, COOKIE_DOTDOT))
			return false;
	}
	return true;
}

struct readdir_work {
	ns_fill_fn *fill;
	bool plus;
	bool waits; /* the next name has to be looked at first */
};

/* It was handed out, to a walk or (NULL) to somebody else. */
static void note_filled(struct ns_dir_handle *h, const struct walk *w, const struct node *n)
{
	h->last_ino = n->ino;
	h->visits = walk_visits(w);
	free(h->last_name);
	h->last_name = mem_strdup(n->name);
}

/*
 * Does the reader get names only? Attributes spare him the lookups, but make an inode of each name
 * in the kernel: who reads on and on without looking at any name (ls -f, a shell's *) does without.
 */
static bool is_bare(struct ns_dir_handle *h, const struct walk *w)
{
	const struct dir *d = h->dir->u.dir;

	if (w || h->looks || h->given < GIVEN_MAX)
		return false;
	if (h->bare && h->lookups != d->lookups) {
		h->looks = true;
		return false;
	}
	h->bare = true;
	h->lookups = d->lookups;
	return true;
}

/* Hands out what is there; false when the buffer was full before the end, or at a name that
 * walk_shows has to see first, which is in *asks then. */
static bool fill_kids(struct ns_call *c, const struct walk *w, struct readdir_work *r,
	size_t *count, struct node **asks)
{
	struct dir *d = c->node->u.dir;
	size_t i = dir_kids_after(d, c->offset <= COOKIE_DOTDOT ? 0 : c->offset - 2);
	const struct node *last = NULL;
	bool full = false, with_attributes = r->plus && !is_bare(c->dir, w);

	*asks = NULL;
	r->waits = false;
	for (; i < d->kid_count; i++) {
		struct node *n = d->kids[i];
		struct ns_attr attr;

		if (!n)
			continue;
		if ((d->lister || d->flat) && n->ino > d->stream_ino)
			break;
		r->waits = full_waits(c->node, n);
		if (r->waits)
			break;
		node_attr(n, c, &attr);
		if (walk_asks_about(w, c, n))
			*asks = n;
		full = *asks || !r->fill(c, n->name, with_attributes ? n : NULL, &attr, n->ino + 2);
		if (full)
			break;
		if (with_attributes) {
			c->dir->given++;
			n->unvisited = true;
			if (!n->lookups++)
				node_ref(n);
		}
		if (!walk_passes_over(w, attr.st.st_mode))
			last = n;
		(*count)++;
	}
	if (last) {
		note_filled(c->dir, w, last);
		if (d->read_ino < last->ino)
			d->read_ino = last->ino;
		full_ahead(c->node);
	}
	return !full;
}

static void readdir_drop(struct ns_call *c)
{
	free(c->work);
	c->work = NULL;
}

static void readdir_end(struct ns_call *c, int errnum)
{
	readdir_drop(c);
	c->reply(c, errnum);
}

static void readdir_go(struct ns_call *c)
{
	struct readdir_work *r = c->work;
	struct dir *d = c->node->u.dir;
	struct walk *w = walk_known(c->node->volume->ns, c);
	struct node *asks;
	size_t count = 0;
	bool full;
	int errnum = 0;

	if (!d->lister && !d->flat && !d->complete && !c->node->unsent) {
		if (c->step && (d->list_errnum || c->step >= LIST_TRIES)) {
			readdir_end(c, d->list_errnum ? d->list_errnum : EBUSY);
			return;
		}
		dir_list(c->node);
		c->step++;
	}
	if ((d->lister || d->flat) && !dir_streams(c->node)) {
		park(c, &d->waiters, readdir_go);
		return;
	}
	if (c->offset < COOKIE_DOTDOT) {
		/* The dots and the entries that follow come in one answer; an empty answer is the
		 * end. */
		if (!fill_dots(c, r->fill)) {
			readdir_end(c, 0);
			return;
		}
		count = 2;
		c->offset = COOKIE_DOTDOT;
	}
	full = !fill_kids(c, w, r, &count, &asks);
	if (asks && !count) {
		if (walk_shows(w, c, asks, readdir_go, &errnum))
			return;
		if (errnum)
			readdir_end(c, errnum);
		else
			readdir_go(c);
		return;
	}
	if (full || count) {
		readdir_end(c, 0);
		return;
	}
	if (d->lister || d->flat || r->waits) {
		park(c, &d->waiters, readdir_go);
		return;
	}
	if (w && !c->dir->told) {
		/* Nothing in the last directory is still to come: its end is the walk's last call.
		 */
		if ((!c->dir->last_ino || c->dir->visits != walk_visits(w)) && walk_is_open(w) &&
			walk_ends_in(w, c->node)) {
			if (walk_barrier(w, c, readdir_go, &errnum))
				return;
			walk_passed_end(w);
		}
		c->dir->told = true;
		walk_listed(w, c->node, c->dir->last_ino, c->dir->last_name);
	}
	readdir_end(c, errnum);
}

void ns_readdir(struct ns_call *c, ns_fill_fn *fill, bool plus)
{
	struct readdir_work *r = mem_zalloc(sizeof(*r));

	r->fill = fill;
	r->plus = plus;
	c->work = r;
	c->drop = readdir_drop;
	readdir_go(c);
}

/* ---- making ---- */

static struct node *dir_make(struct ns_call *c)
{
	struct node *n = node_add(c->node, BYTES_STR(c->name), NODE_DIR);

	n->mtime_ms = clk_wall_ms();
	n->checked_ms = clk_mono_ms();
	n->unsent = true;
	n->u.dir->complete = true;
	n->u.dir->listed_ms = n->checked_ms;
	n->u.dir->snapshot_tgid = walk_tgid(c->node->volume->ns, c);
	n->u.dir->snapshot_ms = n->checked_ms;
	meta_made(n, c);
	node_touch(n);
	return n;
}

static void node_drop(struct ns_call *c)
{
	node_unref(c->work);
	c->work = NULL;
}

static void mkdir_done(struct ns_call *c)
{
	struct node *n = c->work;

	c->work = NULL;
	if (c->errnum)
		c->reply(c, c->errnum);
	else
		reply_entry(c, n);
	node_unref(n);
}

void ns_mkdir(struct ns_call *c)
{
	struct walk *w = walk_of(c->node->volume, c);
	int r = name_check(c, c->name);
	struct node *n, *old;

	walk_turns_to_copy(w);
	if (!r && name_is_beside(BYTES_STR(c->name)))
		r = EINVAL;
	if (r || c->node->volume->config.read_only) {
		c->reply(c, r ? r : EROFS);
		return;
	}
	if (node_live(c->node, BYTES_STR(c->name))) {
		c->reply(c, EEXIST);
		return;
	}
	if (!c->node->live) {
		c->reply(c, ENOENT);
		return;
	}
	/* What is still being removed of an older directory of that name must not show in this one.
	 */
	old = tomb_busy_dir(c->node, BYTES_STR(c->name));
	if (old) {
		wait_node(c, old, ns_mkdir);
		return;
	}
	n = dir_make(c);
	if (w)
		walk_note_root(w, n);
	if (walk_is_run(w) || (walk_is_copy(w) && walk_is_open(w))) {
		walk_note_dir(w, n);
		reply_entry(c, n);
		return;
	}
	c->work = node_ref(n);
	c->drop = node_drop;
	dir_put_marker(n, w, c, mkdir_done);
}

/* ---- removing ---- */

static void rmdir_settled(struct accepted *a, const struct s3_err *err)
{
	if (err->cls != S3_OK)
		name_came_back(a->node);
	else if (a->node->kind == NODE_DIR)
		a->node->u.dir->marker = MARKER_NO;
}

static void rmdir_go(struct ns_call *c);

/* The directory above stays when nothing else is known to be in it, unless the walk removes it,
 * too. */
static void note_parent(const struct ns_call *c, const struct node *n, struct walk *w)
{
	if ((walk_is_remove(w) || walk_is_run(w)) && c->node->parent &&
		c->node->u.dir->kid_live <= n->live && c->node->u.dir->marker != MARKER_YES)
		walk_note_dir(w, c->node);
}

static void rmdir_over(struct ns_call *c)
{
	struct node *n = c->work;
	struct walk *w = walk_known(c->node->volume->ns, c);
	bool last = walk_is_remove(w) && walk_remove_is_last(w, c->node, c->name);
	int errnum = c->errnum;

	if (!errnum && last) {
		if (!n->leaving)
			note_parent(c, n, w);
		n->leaving = true;
		if (walk_barrier(w, c, rmdir_over, &errnum))
			return;
		/* Another command may be removing in here, too: what it has left decides. */
		if (!errnum && n->u.dir->pending) {
			wait_node(c, n, rmdir_over);
			return;
		}
		if (!errnum && !n->unsent && !n->u.dir->complete)
			errnum = ENOTEMPTY;
		walk_passed_end(w);
	}
	n->leaving = false;
	c->work = NULL;
	if (errnum) {
		dir_changed(n);
		/* It stays, and what was in it may have gone: then its marker keeps it. */
		if (last && n->live && n->u.dir->marker != MARKER_YES)
			walk_note_dir(w, n);
	} else if (n->live) {
		tomb_purge(node_bury(n));
	}
	if (!errnum && !last)
		note_parent(c, n, w);
	node_unref(n);
	c->errnum = errnum;
	remove_answer(c);
}

static void rmdir_drop(struct ns_call *c)
{
	((struct node *)c->work)->leaving = false;
	node_drop(c);
}

/* It is empty: what there is to delete is its marker. */
static void rmdir_empty(struct ns_call *c, struct node *n, struct walk *w)
{
	bool last = walk_is_remove(w) && walk_remove_is_last(w, c->node, c->name);
	/* Somebody may be writing its marker just now: chmod. */
	bool marker = n->pending || (!n->unsent && n->u.dir->marker != MARKER_NO);
	bool deferred =
		(walk_is_remove(w) || walk_is_run(w)) && walk_defers(w, WALK_DELETE) && !last;
	struct accepted *a;

	c->work = node_ref(n);
	c->drop = rmdir_drop;
	c->errnum = 0;
	if (!marker) {
		rmdir_over(c);
		return;
	}
	/* The tombstone carries a deferred delete: it must outlive listings that began before it.
	 */
	if (deferred)
		recall_keep(n);
	a = accepted_new(deferred ? node_bury(n) : n, BULK_DELETE, "removing the directory");
	a->settle = rmdir_settled;
	accept_op(a, w, deferred ? NULL : c, rmdir_over);
	if (deferred)
		rmdir_over(c);
}

/* What a removal left behind is why: that says more than that it is not empty. */
static void rmdir_not_empty(struct ns_call *c, struct walk *w)
{
	int errnum = walk_is_remove(w) ? walk_take_failure(w) : 0;

	c->errnum = errnum ? errnum : ENOTEMPTY;
	remove_answer(c);
}

/* The directory above has been seen to. */
static void rmdir_kept(struct ns_call *c)
{
	struct node *n = node_live(c->node, BYTES_STR(c->name));

	if (c->errnum || !n || n->kind != NODE_DIR)
		c->reply(c, c->errnum ? c->errnum : ENOENT);
	else if (n->u.dir->kid_live)
		c->reply(c, ENOTEMPTY);
	else
		rmdir_empty(c, n, walk_of(c->node->volume, c));
}

static void rmdir_go(struct ns_call *c)
{
	struct walk *w = walk_of(c->node->volume, c);
	struct node *n = node_live(c->node, BYTES_STR(c->name));
	struct dir *d;
	bool fresh;

	if (!n) {
		remove_missing(c);
		return;
	}
	if (n->kind != NODE_DIR) {
		c->reply(c, ENOTDIR);
		return;
	}
	d = n->u.dir;
	if (accept_full(c, rmdir_go) || walk_turns_to_remove(w, c, rmdir_go))
		return;
	fresh = dir_is_fresh(n, c);
	if (d->kid_live && fresh) {
		rmdir_not_empty(c, w);
		return;
	}
	/* That it is empty must be true now; to a walk it is as it was when the walk listed it. */
	if (!n->unsent && !((walk_is_remove(w) || walk_is_run(w)) && fresh) &&
		!(c->step && d->complete && !d->lister)) {
		if (!d->lister && (d->list_errnum || c->step >= LIST_TRIES) && c->step) {
			c->errnum = d->list_errnum ? d->list_errnum : EBUSY;
			remove_answer(c);
			return;
		}
		c->step += !d->lister;
		dir_list(n);
		if (!d->kid_live || !dir_streams(n)) {
			park(c, &d->waiters, rmdir_go);
			return;
		}
	}
	if (d->kid_live) {
		rmdir_not_empty(c, w);
	} else if (walk_is_remove(w) || walk_is_run(w)) {
		rmdir_empty(c, n, w);
	} else if (d->pending) {
		/* Strict: what others are still removing below it is gone before it is. */
		c->step = 0;
		wait_node(c, n, rmdir_go);
	} else {
		keep_parent(c, n, rmdir_kept);
	}
}

void ns_rmdir(struct ns_call *c)
{
	if (c->node->volume->config.read_only) {
		c->reply(c, EROFS);
		return;
	}
	c->step = 0;
	rmdir_go(c);
}

/* ---- barrier ---- */

static void fsyncdir_go(struct ns_call *c)
{
	struct dir *d = c->node->u.dir;
	int errnum = d->failed_errnum;

	if (d->pending) {
		wait_node(c, c->node, fsyncdir_go);
		return;
	}
	d->failed_errnum = 0;
	c->reply(c, errnum);
}

void ns_fsyncdir(struct ns_call *c)
{
	fsyncdir_go(c);
}
