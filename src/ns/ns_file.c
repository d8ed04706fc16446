/* Files: opening, creating, and letting go of them. Core thread only. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "ns/ns_blocks.h"
#include "util/clk.h"
#include "util/mem.h"

static struct ns_file_handle *handle_new(struct ns_call *c, struct node *n)
{
	struct ns_file_handle *h = mem_zalloc(sizeof(*h));
	int mode = (int)c->flags & O_ACCMODE;

	h->node = node_ref(n);
	LIST_INSERT_HEAD(&n->volume->ns->file_handles, h, link);
	LIST_INIT(&h->aheads);
	h->reads = mode != O_WRONLY;
	h->writes = mode != O_RDONLY;
	h->tid = c->tid;
	h->size_bytes = n->size_bytes;
	etag_copy(&h->etag, &n->etag);
	n->opens++;
	if (h->writes)
		content_get(n)->writers++;
	if (n->u.content && (h->reads || n->opens > n->u.content->writers))
		content_readable(n->u.content);
	c->file = h;
	return h;
}

/* Somebody waits for bytes of another version than that of the handle. */
static struct readahead *outdated(const struct ns_file_handle *h)
{
	struct readahead *ra;

	LIST_FOREACH(ra, &h->aheads, link)
	if (ra->node == h->node && !TAILQ_EMPTY(&ra->waiters) && !etag_equal(&ra->etag, &h->etag))
		return ra;
	return NULL;
}

void handles_follow(struct node *n)
{
	struct ns_file_handle *h;
	struct readahead *ra;

	if (!n->opens)
		return;
	LIST_FOREACH(h, &n->volume->ns->file_handles, link)
	{
		if (h->node != n)
			continue;
		etag_copy(&h->etag, &n->etag);
		h->size_bytes = n->size_bytes;
		while ((ra = outdated(h)))
			wake(&ra->waiters);
	}
}

bool ns_file_reads_only(const struct ns_file_handle *h)
{
	return !h->writes;
}

static void open_go(struct ns_call *c)
{
	struct node *n = c->node;
	struct walk *w = walk_known(n->volume->ns, c);
	bool truncates = (c->flags & O_TRUNC) && (c->flags & O_ACCMODE) != O_RDONLY;
	struct content *ct = n->u.content;

	if (n->kind != NODE_FILE) {
		c->reply(c, n->kind == NODE_DIR ? EISDIR : ENOENT);
		return;
	}
	/* A copy that is pending is opened when it is there. What is being stored can be read. */
	if (ct && (ct->flushing || ct->leaving) && (truncates || !ct->save)) {
		park(c, &ct->waiters, open_go);
		return;
	}
	if (n->pending && !content_is_read(ct) && !truncates) {
		wait_node(c, n, open_go);
		return;
	}
	/* The kernel does not know yet that it has gone, or is another now: it looks again. */
	if (!n->live && !ct) {
		c->reply(c, ESTALE);
		return;
	}
	/* A move that has just removed something goes on with a copy. */
	if (w && !walk_is_run(w) && (c->flags & O_ACCMODE) == O_RDONLY)
		walk_opened(w, n);
	handle_new(c, n);
	if (truncates && (n->size_bytes || !n->u.content->dirty))
		truncate_open(n);
	c->keep_cache = n->pages_good && !truncates;
	n->pages_good = true;
	c->reply(c, 0);
}

void ns_open(struct ns_call *c)
{
	if (c->node->volume->config.read_only && (c->flags & O_ACCMODE) != O_RDONLY) {
		c->reply(c, EROFS);
		return;
	}
	open_go(c);
}

void ns_create(struct ns_call *c)
{
	int r = name_check(c, c->name);
	struct content *ct;
	struct node *n;

	if (!r && c->node->volume->config.read_only)
		r = EROFS;
	if (!r && !c->node->live)
		r = ENOENT;
	if (!r && node_live(c->node, BYTES_STR(c->name)))
		r = EEXIST;
	if (r) {
		c->reply(c, r);
		return;
	}
	walk_turns_to_copy(walk_known(c->node->volume->ns, c));
	n = node_add(c->node, BYTES_STR(c->name), NODE_FILE);
	n->mtime_ms = clk_wall_ms();
	n->checked_ms = clk_mono_ms();
	n->pages_good = true;
	meta_made(n, c);
	node_touch(n);
	ct = content_get(n);
	ct->own = false;
	ct->created = ct->dirty = true;
	handle_new(c, n);
	if (!careless_create(c, n))
		reply_entry(c, n);
}

void file_handles_free(struct ns *ns)
{
	while (!LIST_EMPTY(&ns->file_handles))
		ns_release(LIST_FIRST(&ns->file_handles));
}

struct node *file_opened_by(const struct ns *ns, pid_t tid)
{
	const struct ns_file_handle *h;

	LIST_FOREACH(h, &ns->file_handles, link)
	if (h->tid == tid && h->reads && !h->writes)
		return h->node;
	return NULL;
}

bool file_handles_of(const struct ns_volume *v)
{
	const struct ns_file_handle *h;

	LIST_FOREACH(h, &v->ns->file_handles, link)
	if (h->node->volume == v)
		return true;
	return false;
}

void ns_release(struct ns_file_handle *h)
{
	struct node *n = h->node;
	struct content *ct = n->u.content;

	if (h->writes && ct)
		ct->writers--;
	n->opens--;
	readaheads_free(h);
	LIST_REMOVE(h, link);
	etag_free(&h->etag);
	free(h);
	content_release(n);
	node_unref(n);
}

/* ---- setattr ---- */

static void sized(struct ns_call *c)
{
	if (c->errnum)
		c->reply(c, c->errnum);
	else
		meta_set(c);
}

static void setattr_stored(struct ns_call *c)
{
	if (c->errnum)
		c->reply(c, c->errnum);
	else
		ns_setattr(c);
}

void ns_setattr(struct ns_call *c)
{
	struct walk *w = NULL;

	/* chmod and chown come here before they read a directory. */
	if (c->flags & (NS_SET_MODE | NS_SET_UID | NS_SET_GID))
		w = walk_of(c->node->volume, c);
	if (walk_is_change(w))
		walk_visited(w);
	if (careless_setattr(c, setattr_stored))
		return;
	if (c->node->volume->config.read_only)
		c->reply(c, EROFS);
	else if (c->flags & NS_SET_SIZE)
		setattr_size(c, sized);
	else
		meta_set(c);
}
