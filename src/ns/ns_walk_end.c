/*
 * The ends of walks. The end of a copy is found through the listings that were handed out: GNU cp
 * works through a directory by rising inode number, and ours rise in the order of readdir. `chain`
 * holds, from the last source argument downwards, each directory that is the last entry of the one
 * above it; the file that is the last entry of the chain's end is the last file of the walk.
 * Wherever the end comes, what a walk does after it is strict: a walk that does not fit this
 * picture loses speed, never the truth. Core thread.
 */
#include <errno.h>
#include <stdlib.h>

#include "ns/ns_walk_int.h"
#include "util/mem.h"

void walk_chain_cut(struct walk *w, size_t len)
{
	while (w->chain_len > len) {
		free(w->chain[--w->chain_len].last_name);
		node_unref(w->chain[w->chain_len].dir);
	}
}

static bool is_path(const struct node *n, const char *path)
{
	struct buf b = BUF_INIT(0);
	bool same;

	node_path(n, &b);
	same = !strcmp(buf_str(&b), path);
	buf_free(&b);
	return same;
}

bool walk_is_last_argument(const struct walk *w, const struct node *n)
{
	if (n->volume != w->volume)
		return false;
	if (!n->parent)
		return !*w->last_name;
	return !strcmp(n->name, w->last_name) && is_path(n, w->last);
}

void walk_opened(struct walk *w, struct node *source)
{
	if (w->source == source)
		return;
	if (w->source)
		node_unref(w->source);
	w->source = node_ref(source);
}

struct node *walk_source(const struct walk *w)
{
	return w->source;
}

void walk_opened_dir(struct walk *w, const struct node *dir)
{
	w->reached = w->reached || walk_is_last_argument(w, dir);
}

/* The last entry as far as the chain is known. What took its place since it was listed, be it of
 * another kind, has its name. */
bool walk_is_last_entry(const struct walk *w, const struct node *n)
{
	const struct link *end;

	if (!w->chain_len)
		return walk_is_last_argument(w, n);
	end = &w->chain[w->chain_len - 1];
	return end->last_ino == n->ino ||
	       (end->last_name && n->parent == end->dir && !strcmp(n->name, end->last_name));
}

void walk_listed(struct walk *w, struct node *dir, uint64_t last_ino, const char *last_name)
{
	struct link link = {.dir = dir, .last_ino = last_ino};
	size_t i;

	if (w->kind == COMMAND_RUN)
		return;
	for (i = 0; i < dir->u.dir->kid_count; i++)
		w->listed += dir->u.dir->kids[i] && dir->u.dir->kids[i]->kind == NODE_FILE;
	if (walk_is_last_argument(w, dir))
		walk_chain_cut(w, 0);
	else if (!w->chain_len || !walk_is_last_entry(w, dir))
		return;
	node_ref(dir);
	link.last_name = last_name ? mem_strdup(last_name) : NULL;
	w->chain = mem_resize(w->chain, w->chain_len + 1, sizeof(*w->chain));
	w->chain[w->chain_len++] = link;
}

bool walk_ends_in(const struct walk *w, const struct node *dir)
{
	if (w->kind != COMMAND_COPY && !(w->kind == COMMAND_CHANGE && w->dirs_first))
		return false;
	return w->end_moved || walk_is_last_argument(w, dir) ||
	       (w->chain_len && walk_is_last_entry(w, dir));
}

bool walk_copy_is_last(const struct walk *w)
{
	return w->end_moved || (w->source && walk_is_last_entry(w, w->source));
}

/* How `path` lies on the way to the last argument: 0 not at all, 1 above it, 2 it is it. */
static int on_the_way(const struct walk *w, const char *path)
{
	size_t n = strlen(path);

	if (strncmp(path, w->last, n) != 0)
		return 0;
	return !w->last[n] ? 2 : w->last[n] == '/';
}

bool walk_remove_fails_at(
	const struct walk *w, const struct node *parent, const char *name, const struct node *n)
{
	struct buf b = BUF_INIT(0);
	int place;

	if (w->kind != COMMAND_REMOVE || parent->volume != w->volume || (n && n->kind == NODE_DIR))
		return false;
	node_path(parent, &b);
	if (b.len > 1)
		buf_addc(&b, '/');
	buf_adds(&b, name);
	place = on_the_way(w, buf_str(&b));
	buf_free(&b);
	/* Nothing there, or a file where a directory would have to be: rm -f passes over it. */
	return n ? place == 1 || (place == 2 && w->last_slash) : place > 0;
}

/* As far as the way to the last argument is known: *rest is what is left of it then. */
static struct node *go_to_last(const struct walk *w, const char **rest)
{
	struct node *n = w->volume->root;
	const char *at = w->last;

	while (n && n->kind == NODE_DIR && *at == '/') {
		size_t len = strcspn(++at, "/");

		n = len ? node_live(n, BYTES(at, len)) : n;
		at += len;
	}
	*rest = at;
	return n;
}

static bool end_is_in(const struct walk *w, const struct node *n)
{
	struct buf b = BUF_INIT(0);
	bool in = w->source && node_is_under(w->source, n);
	size_t i;

	for (i = 0; i < w->chain_len && !in; i++)
		in = w->chain[i].last_ino == n->ino || node_is_under(w->chain[i].dir, n);
	if (in)
		return true;
	node_path(n, &b);
	in = on_the_way(w, buf_str(&b)) != 0;
	buf_free(&b);
	return in;
}

void walks_name_moves(const struct node *n)
{
	struct walk *w, *next;

	HASH_ITER(hh, n->volume->ns->walks, w, next)
	if (w->volume == n->volume && end_is_in(w, n))
		w->end_moved = true;
}

/* Does it follow a symbolic link that is its last argument? GNU's cp -r copies it. */
static bool follows_last(const struct walk *w)
{
	if (w->last_slash)
		return true;
	return w->kind == COMMAND_CHANGE || (w->kind == COMMAND_COPY && !w->recursive && !w->moves);
}

/*
 * What lies behind a link on the way to the last argument has another path than the command line
 * says, and its end would not be known when it comes.
 */
static bool is_link_on_the_way(const struct walk *w, const struct node *n)
{
	struct buf b = BUF_INIT(0);
	int place;

	if (!n->link || n->volume != w->volume)
		return false;
	node_path(n, &b);
	place = on_the_way(w, buf_str(&b));
	buf_free(&b);
	return place == 1 || (place == 2 && follows_last(w));
}

bool walk_follows(struct walk *w, struct ns_call *c, void (*resume)(struct ns_call *), int *errnum)
{
	*errnum = 0;
	if (!w || walk_is_run(w) || !walk_is_open(w) || !is_link_on_the_way(w, c->node))
		return false;
	if (walk_barrier(w, c, resume, errnum))
		return true;
	walk_passed_end(w);
	return false;
}

bool walk_end_will_come(const struct walk *w, const struct ns_call *c)
{
	const char *rest;
	struct node *n = go_to_last(w, &rest);

	if (w->kind != COMMAND_REMOVE)
		return !n || n->kind != NODE_FILE || !is_link_on_the_way(w, n);
	/* A file where the way needs a directory: the kernel knows it, too, and never asks us. The
	 * same for an argument that was shown before. */
	return !n || !((n->kind == NODE_FILE && (*rest || w->last_slash)) ||
			     (!*rest && walk_asks_about(w, c, n)));
}

bool walk_breaks(struct walk *w, int errnum)
{
	if (!w || !errnum || (errnum == ENOENT && w->forced) || !walk_is_remove(w) || w->passed_end)
		return false;
	w->broken = true;
	return true;
}

/* The entry that comes last in the directory that was listed last, or that directory, if empty. */
static bool ends_chain(const struct walk *w, const struct node *parent, const char *name)
{
	const struct link *end = w->chain_len ? &w->chain[w->chain_len - 1] : NULL;

	if (!end)
		return false;
	if (end->last_name)
		return end->dir == parent && !strcmp(end->last_name, name);
	return end->dir->parent == parent && !strcmp(end->dir->name, name);
}

bool walk_remove_is_last(const struct walk *w, const struct node *parent, const char *name)
{
	struct buf b = BUF_INIT(0);
	bool same;

	if (w->kind != COMMAND_REMOVE || parent->volume != w->volume)
		return false;
	if (w->end_moved || (w->broken && ends_chain(w, parent, name)))
		return true;
	if (strcmp(name, w->last_name) != 0)
		return false;
	node_path(parent, &b);
	if (b.len > 1)
		buf_addc(&b, '/');
	buf_adds(&b, name);
	same = !strcmp(buf_str(&b), w->last);
	buf_free(&b);
	return same;
}

/* ---- a move: a copy and a remove in turn ---- */

bool walk_turns_to_remove(struct walk *w, struct ns_call *c, void (*resume)(struct ns_call *))
{
	int errnum;

	if (!w || !w->moves || w->kind == COMMAND_REMOVE)
		return false;
	if (walk_barrier(w, c, resume, &errnum))
		return true;
	if (errnum) {
		/* Nothing of the source goes: mv is told so at each name. */
		walk_keep_failure(w, errnum);
		c->reply(c, errnum);
		return true;
	}
	w->kind = COMMAND_REMOVE;
	w->passed_end = false;
	return false;
}

void walk_moves_tree(struct walk *w)
{
	if (w && w->moves)
		w->moves_tree = true;
}

bool walk_is_tree_move(const struct walk *w)
{
	return w && w->moves_tree;
}

void walk_turns_to_copy(struct walk *w)
{
	if (!w || !w->moves || w->kind == COMMAND_COPY)
		return;
	w->kind = COMMAND_COPY;
	w->passed_end = false;
	walk_chain_cut(w, 0);
}
