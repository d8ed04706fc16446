/*
 * Which process reads which directory: directories are read from flat listings (ns_flat.c) when
 * their reader came from the directory above, else listed by themselves. Core thread.
 */
#include <stdlib.h>

#include "ns/ns_flat.h"
#include "util/clk.h"
#include "util/mem.h"

#define FLATS_MAX 16

static void flat_free(struct flat *f)
{
	struct node **over;
	size_t count;

	flat_give_up(f);
	over = f->over;
	count = f->over_count;
	LIST_REMOVE(f, link);
	f->ns->flat_count--;
	node_unref(f->root);
	buf_free(&f->path);
	buf_free(&f->pos);
	buf_free(&f->token);
	free(f->frames);
	free(f);
	flat_wake_nodes(over, count);
}

static struct flat *flat_of(struct ns *ns, pid_t tgid)
{
	struct flat *f;
	int64_t now_ms = clk_mono_ms();

	LIST_FOREACH(f, &ns->flats, link)
	{
		if (f->tgid != tgid)
			continue;
		if (now_ms - f->used_ms > SNAPSHOT_MS && !f->want) {
			flat_free(f);
			return NULL;
		}
		f->used_ms = now_ms;
		return f;
	}
	return NULL;
}

static struct flat *flat_new(struct node *root, pid_t tgid)
{
	struct ns *ns = root->volume->ns;
	struct flat *f, *oldest = NULL;

	if (ns->flat_count == FLATS_MAX) {
		LIST_FOREACH(f, &ns->flats, link)
		if (!oldest || f->used_ms < oldest->used_ms)
			oldest = f;
		if (oldest)
			flat_free(oldest);
	}
	f = mem_zalloc(sizeof(*f));
	f->ns = ns;
	f->tgid = tgid;
	f->root = node_ref(root);
	f->used_ms = clk_mono_ms();
	f->pos = f->token = BUF_INIT(POS_MAX);
	node_key(root, &f->path);
	f->root_len = f->path.len;
	LIST_INSERT_HEAD(&ns->flats, f, link);
	ns->flat_count++;
	return f;
}

/* Has this process just read the directory that `dir` is in? */
static bool came_from(const struct node *dir, pid_t tgid)
{
	const struct dir *up = dir->parent ? dir->parent->u.dir : NULL;

	return up && up->snapshot_tgid == tgid && up->complete &&
	       clk_mono_ms() - up->snapshot_ms < SNAPSHOT_MS;
}

/* The directory is one that the listing will come by, or can be at with its next page. */
static bool flat_want(struct flat *f, struct node *dir)
{
	const struct frame *fr;
	struct buf key = BUF_INIT(0);
	bool ahead;

	if (flat_root_moved(f)) {
		flat_give_up(f);
		return false;
	}
	fr = flat_frame(f, dir);
	if (fr && !fr->fills)
		return false;
	if (!fr) {
		node_key(dir, &key);
		ahead = !f->ended && bytes_cmp(buf_bytes(&key), buf_bytes(&f->pos)) > 0;
		buf_free(&key);
		if (!ahead)
			return false;
	}
	flat_await(f, dir);
	flat_go_on(f);
	return true;
}

static bool flat_take(struct node *dir, pid_t tgid)
{
	struct flat *f = flat_of(dir->volume->ns, tgid);
	bool below = f && dir != f->root && node_is_under(dir, f->root);

	if (below)
		return !f->given_up && flat_want(f, dir);
	if (!came_from(dir, tgid))
		return false;
	if (f)
		flat_free(f);
	flat_jump(flat_new(dir->parent, tgid), dir);
	return true;
}

/* A directory that was listed ahead is read now. */
static void flat_passed(struct node *dir, pid_t tgid)
{
	struct dir *d = dir->u.dir;
	struct flat *f;

	if (d->ahead_tgid != tgid)
		return;
	f = flat_of(dir->volume->ns, tgid);
	if (!f || f->given_up)
		return;
	flat_served(f, d, d->ahead_page);
	flat_go_on(f);
}

void dir_read(struct node *dir, pid_t tgid, bool fresh)
{
	struct dir *d = dir->u.dir;
	struct flat *f;

	/* What was listed ahead for him is as good as listed now. */
	if (d->complete && d->ahead_tgid == tgid && clk_mono_ms() - d->listed_ms < SNAPSHOT_MS)
		fresh = true;
	if (fresh)
		flat_passed(dir, tgid);
	else if (!d->lister && !d->flat && !flat_take(dir, tgid))
		dir_list(dir);
	d->ahead_tgid = 0;
	f = flat_of(dir->volume->ns, tgid);
	if (f)
		flat_wake(f);
}

void flats_free(struct ns *ns, const struct ns_volume *v)
{
	struct flat *f, *next;

	for (f = LIST_FIRST(&ns->flats); f; f = next) {
		next = LIST_NEXT(f, link);
		if (!v || f->root->volume == v)
			flat_free(f);
	}
}
