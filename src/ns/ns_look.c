/*
 * Looking: HeadObject for one name whose node is there, for what a listing does not say. What was
 * set here and is not in S3 yet stays as it is. Core thread; a look under way belongs to its call,
 * or to its request once the call is gone.
 */
#include <errno.h>
#include <stdlib.h>

#include "ns/ns_content.h"
#include "util/mem.h"

struct look_ask {
	struct node *node; /* a reference */
	struct ns_call_list waiters;
	int errnum;
};

/* Something else under a name that the kernel knows: it has to look the name up again. */
static bool became_other(struct node *n, bool is_link)
{
	if (n->kind != NODE_FILE || n->link == is_link)
		return false;
	if (n->lookups) {
		node_remove(n);
		dir_changed(n->parent);
		return true;
	}
	n->link = is_link;
	return false;
}

int meta_looked(struct node *n, const struct s3_err *err, const struct s3_object *o)
{
	struct node_meta m = {0};
	struct etag etag = {0};
	bool same;

	if (err->cls == S3_NOT_FOUND && n->kind == NODE_DIR) {
		n->u.dir->marker = n->unsent ? n->u.dir->marker : MARKER_NO;
		n->look = LOOK_DONE;
		return 0;
	}
	if (err->cls != S3_OK)
		return err->errnum;
	if (became_other(n, meta_parse(o, meta_type_by_name(n), &m))) {
		meta_clear(&m);
		return ESTALE;
	}
	etag_set(&etag, o->etag);
	same = n->kind == NODE_DIR || etag_equal(&etag, &n->etag);
	etag_free(&etag);
	if (n->kind == NODE_DIR) {
		n->u.dir->marker = MARKER_YES;
		m.others |= o->size_bytes > 0;
	}
	meta_merge(n, &m);
	n->look = same ? LOOK_DONE : LOOK_NONE;
	return 0;
}

static void ask_free(struct look_ask *k)
{
	node_unref(k->node);
	free(k);
}

static void headed(void *ctx, const struct s3_err *err, const struct s3_object *o)
{
	struct look_ask *k = ctx;

	k->errnum = k->node->live ? meta_looked(k->node, err, o) : 0;
	if (TAILQ_EMPTY(&k->waiters))
		ask_free(k);
	else
		wake(&k->waiters);
}

/* c->step: it was asked for. Whatever it found, it is not asked for twice. */
static void look_over(struct ns_call *c)
{
	struct look_ask *k = c->work;

	c->work = NULL;
	c->errnum = k->errnum;
	c->step = 1;
	ask_free(k);
	c->next(c);
}

bool meta_look(struct ns_call *c, struct node *n, void (*next)(struct ns_call *))
{
	struct buf key = BUF_INIT(0);
	struct look_ask *k;
	char text[64];

	if (n->look == LOOK_DONE || c->step || !n->live || !n->parent ||
		(n->kind == NODE_FILE && n->u.content && n->u.content->created) ||
		(n->kind == NODE_DIR && n->unsent))
		return false;
	k = mem_zalloc(sizeof(*k));
	k->node = node_ref(n);
	TAILQ_INIT(&k->waiters);
	c->work = k;
	c->next = next;
	park(c, &k->waiters, look_over);
	node_key(n, &key);
	s3_head(n->volume->client, buf_bytes(&key), etag_text(&n->etag, text), 0, headed, k);
	buf_free(&key);
	return true;
}
