/*
 * readlink(2). Where a link points to is the content of its object: it is kept once it was written
 * here, or fetched. Core thread; a fetch under way belongs to its request.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "ns/ns_int.h"
#include "util/mem.h"

struct link_fetch {
	struct node *node; /* a reference */
	struct ns_call_list waiters;
	struct etag etag;
	size_t len;
	char text[PATH_MAX];
	int errnum;
	void (*done)(void *ctx); /* nobody's call waits for it */
	void *ctx;
};

static void fetch_free(struct link_fetch *f)
{
	etag_free(&f->etag);
	node_unref(f->node);
	free(f);
}

static void fetched(void *ctx, const struct s3_err *err, const struct s3_get_result *result)
{
	struct link_fetch *f = ctx;
	struct node *n = f->node;

	if (err->cls != S3_OK)
		f->errnum = err->errnum;
	else if (result->got != f->len || memchr(f->text, '\0', f->len))
		f->errnum = EIO; /* nothing that could be a path */
	if (!f->errnum && n->link && etag_equal(&n->etag, &f->etag)) {
		free(meta_get(n)->target);
		n->meta->target = mem_dup(f->text, f->len);
	}
	if (f->done)
		f->done(f->ctx);
	if (TAILQ_EMPTY(&f->waiters))
		fetch_free(f);
	else
		wake(&f->waiters); /* ends in fetch_over */
}

static void fetch_over(struct ns_call *c)
{
	struct link_fetch *f = c->work;
	int errnum = f->errnum;

	c->work = NULL;
	c->text = f->text; /* NUL-terminated: it was zeroed */
	c->reply(c, errnum);
	fetch_free(f);
}

static struct link_fetch *fetch(struct node *n)
{
	struct link_fetch *f = mem_zalloc(sizeof(*f));
	struct buf key = BUF_INIT(0);
	char text[64];

	f->node = node_ref(n);
	f->len = (size_t)n->size_bytes;
	etag_copy(&f->etag, &n->etag);
	TAILQ_INIT(&f->waiters);
	node_key(n, &key);
	s3_get(n->volume->client, buf_bytes(&key), etag_text(&f->etag, text), 0, f->text, f->len,
		S3_WHOLE, fetched, f);
	buf_free(&key);
	return f;
}

bool link_fetch_ahead(struct node *n, void (*done)(void *ctx), void *ctx)
{
	struct link_fetch *f;

	if (!n->size_bytes || n->size_bytes >= PATH_MAX)
		return false;
	f = fetch(n);
	f->done = done;
	f->ctx = ctx;
	return true;
}

void ns_readlink(struct ns_call *c)
{
	struct node *n = c->node;
	struct link_fetch *f;
	struct walk *w;
	int errnum;

	if (n->kind != NODE_FILE || !n->link) {
		c->reply(c, EINVAL);
		return;
	}
	w = walk_of(n->volume, c);
	if (walk_follows(w, c, ns_readlink, &errnum))
		return;
	if (errnum) {
		c->reply(c, errnum);
		return;
	}
	if (walk_is_copy(w))
		walk_opened(w, n);
	if (n->meta && n->meta->target) {
		c->text = n->meta->target;
		c->reply(c, 0);
	} else if (n->pending) {
		wait_node(c, n, ns_readlink);
	} else if (!n->size_bytes || n->size_bytes >= PATH_MAX) {
		c->reply(c, n->size_bytes ? ENAMETOOLONG : EIO);
	} else {
		f = fetch(n);
		c->work = f;
		park(c, &f->waiters, fetch_over);
	}
}
