/*
 * Directories that a walk has made or emptied: those that are empty when it ends are kept by their
 * markers, which is part of the walk. Core thread.
 */
#include <stdlib.h>

#include "ns/ns_walk_int.h"
#include "util/mem.h"

/* What is kept keeps the directories above it: none of them is gone because S3 lists nothing. */
static void keep(struct node *dir, int change)
{
	struct node *p;

	for (p = dir; p; p = p->parent)
		p->keepers = (uint32_t)((int)p->keepers + change);
}

void walk_dir_unkeep(struct node *dir)
{
	keep(dir, -1);
	node_touch(dir); /* a listing under way may have passed it over */
	node_unref(dir);
}

void walk_dirs_move(struct node *from, struct node *to, uint32_t keepers)
{
	struct node *p;

	for (p = from; p; p = p->parent)
		p->keepers -= keepers;
	for (p = to; p; p = p->parent)
		p->keepers += keepers;
}

static size_t dirs_in(const struct walk *w, const struct node *dir)
{
	size_t i, n = 0;

	for (i = 0; i < w->dir_count; i++)
		n += node_is_under(w->dirs[i], dir);
	return n;
}

struct held_walks {
	struct walk **list;
	size_t count, keepers;
};

static void hold_if_in(struct held_walks *h, struct walk *w, const struct node *dir)
{
	size_t n = dirs_in(w, dir);

	if (!n)
		return;
	h->keepers += n;
	h->list = mem_resize(h->list, h->count + 1, sizeof(struct walk *));
	h->list[h->count++] = w;
	walk_hold(w);
}

struct held_walks *walks_hold(const struct node *dir)
{
	struct held_walks *h = mem_zalloc(sizeof(*h));
	struct ns *ns = dir->volume->ns;
	struct walk *w, *next;

	if (dir->keepers) {
		HASH_ITER(hh, ns->walks, w, next)
		hold_if_in(h, w, dir);
		LIST_FOREACH(w, &ns->runs, run_link)
		hold_if_in(h, w, dir);
	}
	if (h->keepers == dir->keepers)
		return h;
	walks_release(h);
	return NULL;
}

void walks_release(struct held_walks *h)
{
	size_t i;

	for (i = 0; i < h->count; i++)
		walk_settled_one(h->list[i]);
	free(h->list);
	free(h);
}

struct dir_check {
	struct walk *walk;
	struct node *dir; /* a reference */
};

static void dir_checked(void *ctx, const struct s3_err *err, const struct s3_list_page *page)
{
	struct dir_check *k = ctx;
	struct walk *w = k->walk;
	struct node *n = k->dir;

	free(k);
	if (err->cls != S3_OK) {
		if (!w->failed_errnum)
			w->failed_errnum = err->errnum;
	} else if (!page->count && n->live) {
		n->u.dir->marker = MARKER_NO;
		dir_put_marker(n, w, NULL, NULL);
	}
	node_pend(n, -1);
	wake_settled(n);
	walk_dir_unkeep(n);
	walk_settled_one(w);
}

/* The marker of a directory of which not all names are known: only if nothing is left of it. */
static void check_dir(struct walk *w, struct node *n)
{
	struct s3_list_params params = {.max_keys = 1};
	struct dir_check *k = mem_zalloc(sizeof(*k));
	struct buf key = BUF_INIT(0);

	k->walk = w;
	k->dir = node_ref(n);
	keep(n, 1);
	/* Who waits for what is pending there waits for the marker, too. */
	node_pend(n, 1);
	w->pending++;
	node_key(n, &key);
	params.prefix = buf_bytes(&key);
	s3_list(n->volume->client, &params, 0, dir_checked, k);
	buf_free(&key);
}

/* Nothing is in it, but for what is about to go. */
static bool is_left_empty(const struct node *n)
{
	const struct dir *d = n->u.dir;
	size_t i, leaving = 0;

	for (i = 0; d->kid_live && i < d->kid_count; i++)
		leaving += d->kids[i] && d->kids[i]->kind == NODE_DIR && d->kids[i]->leaving;
	return d->kid_live == leaving;
}

void walk_put_markers(struct walk *w, const struct node *in)
{
	size_t i, kept = 0;

	for (i = 0; i < w->dir_count; i++) {
		struct node *n = w->dirs[i];
		bool unsaved = n->meta && n->meta->unsaved;

		/* What is in it may not come to be: then it is looked at again. */
		if ((in && !node_is_under(n, in)) ||
			(n->live && n->parent && !unsaved && n->unsent && !is_left_empty(n))) {
			w->dirs[kept++] = n;
			continue;
		}
		if (n->live && n->parent && !n->leaving &&
			(unsaved || (is_left_empty(n) &&
					    (n->unsent || n->u.dir->marker != MARKER_YES)))) {
			if (unsaved || n->unsent || n->u.dir->complete)
				dir_put_marker(n, w, NULL, NULL);
			else
				check_dir(w, n);
		}
		walk_dir_unkeep(n);
	}
	w->dir_count = kept;
	/* Nothing of the walk's is on its way: what is in them is another's, and may never come. */
	while (!in && !w->pending && w->dir_count) {
		struct node *n = w->dirs[--w->dir_count];

		dir_put_marker(n, w, NULL, NULL);
		walk_dir_unkeep(n);
	}
}

static int by_address(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t) * (struct node *const *)a,
		  y = (uintptr_t) * (struct node *const *)b;

	return (x > y) - (x < y);
}

/*
 * A run may come by the same directories for hours: keeps each one once, and only those that may
 * still need a marker. Makes room, or leaves it to the caller to grow the list.
 */
static void drop_settled_dirs(struct walk *w)
{
	size_t i, kept = 0;

	qsort(w->dirs, w->dir_count, sizeof(*w->dirs), by_address);
	for (i = 0; i < w->dir_count; i++) {
		struct node *n = w->dirs[i];

		if ((kept && w->dirs[kept - 1] == n) || !n->live ||
			(!n->unsent && n->u.dir->kid_live && !(n->meta && n->meta->unsaved)))
			walk_dir_unkeep(n);
		else
			w->dirs[kept++] = n;
	}
	w->dir_count = kept;
	/* Sorted again and again only when that frees much. */
	if (kept > w->dir_cap / 2) {
		w->dir_cap *= 2;
		w->dirs = mem_resize(w->dirs, w->dir_cap, sizeof(*w->dirs));
	}
}

void walk_note_dir(struct walk *w, struct node *dir)
{
	if (w->dir_count && w->dirs[w->dir_count - 1] == dir)
		return;
	if (w->dir_count && w->dir_count == w->dir_cap && w->kind == COMMAND_RUN)
		drop_settled_dirs(w);
	if (w->dir_count == w->dir_cap) {
		w->dir_cap = w->dir_cap ? w->dir_cap * 2 : 16;
		w->dirs = mem_resize(w->dirs, w->dir_cap, sizeof(*w->dirs));
	}
	w->dirs[w->dir_count++] = node_ref(dir);
	keep(dir, 1);
}
