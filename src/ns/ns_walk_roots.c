/*
 * The trees that a walk lists or makes. What it is told about names in them the kernel may trust
 * until the walk ends; then it is told to forget the trees. Core thread only.
 *
 * To forget a directory takes its name from it: a process that works in it is told by getcwd(3)
 * that it has been removed, until somebody looks the name up. So of a directory in which a walk's
 * process works (`cp -r . ../b`), and the shell that has started it, only the directories in it are
 * forgotten; it and the files in it are trusted no longer than others. The same goes for a root,
 * which has no name.
 */
#include <limits.h>
#include <string.h>

#include "ns/ns_walk_int.h"
#include "util/mem.h"

static bool stays(const struct node *dir)
{
	return !dir->parent || dir->u.dir->is_cwd;
}

bool walk_vouches(const struct ns_call *c, const struct node *n)
{
	const struct ns *ns = n->volume->ns;
	pid_t tgid;

	/* What chmod has set is to be remembered: the kernel is not told to forget it. */
	if (!n->parent || !walk_recognised(ns, c) || walk_is_change(walk_known(ns, c)))
		return false;
	tgid = walk_tgid(ns, c);
	if (n->kind == NODE_DIR && n->u.dir->snapshot_tgid == tgid)
		return !stays(n);
	return n->parent->u.dir->snapshot_tgid == tgid && !stays(n->parent);
}

static bool has_root_at(const struct walk *w, const struct node *n)
{
	size_t i;

	for (i = 0; i < w->root_count; i++)
		if (node_is_under(w->roots[i], n) || node_is_under(n, w->roots[i]))
			return true;
	return false;
}

/* The latest tree is the likeliest; a miss costs a request anyway. */
bool walk_is_below(const struct walk *w, const struct node *dir)
{
	size_t i;

	for (i = w->root_count; i; i--)
		if (node_is_under(w->roots[i - 1], dir))
			return true;
	return false;
}

/*
 * Another walk that is in the same tree: the names there stay with it. Taken back under it, they
 * would come again as other inodes, and cp believe that a file was replaced while it copied it.
 */
static struct walk *walk_at(const struct walk *w, const struct node *n)
{
	struct walk *u, *next;

	HASH_ITER(hh, w->ns->walks, u, next)
	if (u != w && !u->exited && has_root_at(u, n))
		return u;
	return NULL;
}

static void root_add(struct walk *w, struct node *n)
{
	w->roots = mem_resize(w->roots, w->root_count + 1, sizeof(*w->roots));
	w->roots[w->root_count++] = node_ref(n);
}

static void root_hand_on(struct walk *to, struct node *n)
{
	size_t i;

	for (i = 0; i < to->root_count; i++)
		if (node_is_under(n, to->roots[i]))
			return;
	root_add(to, n);
}

static bool is_cwd(const struct walk *w, const struct node *n)
{
	const char *top = n->volume->mountpoint;
	struct buf path = BUF_INIT(2 * PATH_MAX);
	bool same;

	if (!w->cwd)
		return false;
	buf_adds(&path, strcmp(top, "/") ? top : "");
	node_path(n, &path);
	same = !path.failed && !strcmp(buf_str(&path), w->cwd);
	buf_free(&path);
	return same;
}

void walk_note_root(struct walk *w, struct node *n)
{
	const struct node *up = n->parent;

	/* To these two the kernel is told nothing that is to be taken back. */
	if (w->kind == COMMAND_CHANGE || w->kind == COMMAND_RUN)
		return;
	if (up && up->u.dir->snapshot_tgid == w->tgid)
		return;
	n->u.dir->is_cwd = n->u.dir->is_cwd || is_cwd(w, n);
	root_add(w, n);
}

static void forget(struct node *root)
{
	struct ns *ns = root->volume->ns;
	const struct dir *d = root->u.dir;
	size_t i;

	if (!ns->stale || !root->live)
		return;
	if (!stays(root)) {
		ns->stale(ns->stale_ctx, root->parent, root->name, root);
		return;
	}
	for (i = d->kid_first; i < d->kid_count; i++) {
		struct node *kid = d->kids[i];

		if (kid && kid->kind == NODE_DIR && kid->lookups)
			ns->stale(ns->stale_ctx, root, kid->name, kid);
	}
}

void walk_roots_drop(struct walk *w, const struct ns_volume *v)
{
	size_t i, count = w->root_count, kept = 0;

	for (i = 0; i < count; i++) {
		struct node *n = w->roots[i];
		struct walk *u;

		if (v && n->volume != v) {
			w->roots[kept++] = n;
			continue;
		}
		u = v ? NULL : walk_at(w, n);
		if (u)
			root_hand_on(u, n);
		else if (!v)
			forget(n);
		node_unref(n);
	}
	w->root_count = kept;
}
