/* What is told about a volume, and waiting until nothing of it is pending. Core thread only. */
#include "ns/ns_int.h"

void ns_volume_status(const struct ns_volume *v, struct ns_volume_status *s)
{
	struct bulk_stats b;

	bulk_target_stats(v->target, &b);
	*s = (struct ns_volume_status){
		.pending = v->root->u.dir->pending,
		.in_flight = b.in_flight,
		.window = b.window,
		.copies = b.copies_done,
		.removals = b.deletes_done,
		.uploads = b.puts_done,
		.throttled = b.throttled,
		.errors = v->ledger.seq,
		.deferred_errors = v->ledger.deferred_count,
	};
}

struct ledger *ns_ledger(struct ns_volume *v)
{
	return &v->ledger;
}

/* ---- waiting ---- */

static void put_markers(void *ctx, struct walk *w)
{
	walk_put_markers(w, ctx);
}

/* The node at the path, or the nearest directory above that is known. */
static struct node *deepest(struct node *root, const char *path)
{
	struct node *n = root, *kid;

	while (*path && n->kind == NODE_DIR) {
		size_t len = strcspn(path, "/");

		if (len) {
			kid = node_live(n, BYTES(path, len));
			if (!kid)
				break;
			n = kid;
		}
		path += len;
		path += *path == '/';
	}
	return n;
}

static void settle_go(struct ns_call *c)
{
	struct node *n = deepest(c->node, c->name);

	if (n->kind == NODE_DIR ? n->u.dir->pending : n->pending) {
		wait_node(c, n, settle_go);
	} else if (!c->step && n->kind == NODE_DIR) {
		/* What walks have emptied is looked at when it has been removed, not before. */
		c->step = 1;
		ns_each_walk(c->node->volume, put_markers, n);
		settle_go(c);
	} else {
		c->reply(c, 0);
	}
}

void ns_settle(struct ns_call *c)
{
	c->step = 0;
	settle_go(c);
}
