/*
 * chmod and chown as walks. GNU's go through a tree with fts(3), which takes the entries of a
 * directory by rising inode number or as readdir has them; both are the order in which the mount
 * hands them out. chmod changes a directory before it reads it, so its last call is the change of
 * the last entry of the last directory, or the end of that directory when nothing in it is to be
 * changed. chown changes a directory after what is in it: its last call is the change of the last
 * argument. Either makes its call for every name, equal or not. Core thread.
 */
#include <errno.h>

#include "ns/ns_walk_int.h"

void walk_visited(struct walk *w)
{
	w->visits++;
}

uint64_t walk_visits(const struct walk *w)
{
	return w ? w->visits : 0;
}

bool walk_passes_over(const struct walk *w, mode_t mode)
{
	/* chmod leaves symbolic links alone. */
	return walk_is_change(w) && w->dirs_first && S_ISLNK(mode);
}

static bool is_last(const struct walk *w, const struct node *n)
{
	if (w->end_moved)
		return true;
	if (!w->recursive || !w->dirs_first)
		return walk_is_last_argument(w, n);
	return n->kind == NODE_FILE && walk_is_last_entry(w, n);
}

bool walk_holds_change(struct walk *w, struct ns_call *c, void (*resume)(struct ns_call *))
{
	if (c->errnum || !walk_is_change(w) || !walk_is_open(w) || !is_last(w, c->node))
		return false;
	if (walk_barrier(w, c, resume, &c->errnum))
		return true;
	walk_passed_end(w);
	/* chown passes over what "is not supported". */
	if (c->errnum == EOPNOTSUPP)
		c->errnum = EIO;
	/* What has failed need not be this one, of which the kernel believes it now. */
	if (c->errnum && w->ns->stale && c->node->parent && c->node->live)
		w->ns->stale(w->ns->stale_ctx, c->node->parent, c->node->name, c->node);
	return false;
}
