/* The name space as a whole: making it, waiting until nothing is pending, taking it down. */
#include "ns/ns.h"

#include <stdlib.h>

#include "ns/ns_int.h"
#include "util/clk.h"
#include "util/mem.h"

struct ns *ns_new(struct loop *loop, struct bulk *bulk, const struct ns_config *config)
{
	struct ns *ns = mem_zalloc(sizeof(*ns));

	ns->loop = loop;
	ns->bulk = bulk;
	ns->config = *config;
	ns->config.spool_dir = mem_strdup(config->spool_dir);
	LIST_INIT(&ns->file_handles);
	LIST_INIT(&ns->dir_handles);
	TAILQ_INIT(&ns->room_waiters);
	LIST_INIT(&ns->flats);
	TAILQ_INIT(&ns->write_waiters);
	return ns;
}

struct ns_volume *ns_volume_new(struct ns *ns, struct bulk_target *target, const char *prefix,
	const char *mountpoint, const struct ns_config *config)
{
	struct ns_volume *v = mem_zalloc(sizeof(*v));

	v->ns = ns;
	v->target = target;
	v->client = bulk_target_client(target);
	v->prefix = mem_strdup(prefix);
	v->mountpoint = mem_strdup(mountpoint);
	v->config = *config;
	v->next = ns->volumes;
	ns->volumes = v;
	v->root = node_root_new(v);
	v->root->mtime_ms = clk_wall_ms();
	return v;
}

struct node *ns_root(struct ns_volume *v)
{
	return v->root;
}

void ns_on_stale(struct ns *ns,
	void (*stale)(void *ctx, struct node *parent, const char *name, struct node *node), void *ctx)
{
	ns->stale = stale;
	ns->stale_ctx = ctx;
}

void ns_drain(struct ns *ns)
{
	struct ns_volume *v;

	for (v = ns->volumes; v; v = v->next)
		bulk_hurry(v->target);
}

bool ns_idle(const struct ns *ns)
{
	return !ns->accepted && !ns->uploads;
}

uint64_t ns_failures(const struct ns *ns)
{
	return ns->failures;
}

void ns_abandon(struct ns *ns)
{
	size_t i;
	struct node *n;

	for (i = 0; i < ns->table_size; i++)
		for (n = ns->table[i]; n; n = n->table_next)
			if (n->kind == NODE_FILE && n->u.content && !n->u.content->flushing)
				upload_abort(n->u.content);
}

void ns_close(struct ns *ns)
{
	ns->closing = true;
}

/* After the kernel has gone: every node that is left is held by the table, or by a lost reference. */
void ns_free(struct ns *ns)
{
	struct ns_volume *v;
	size_t i;

	ns->stale = NULL;
	flats_free(ns, NULL);
	walks_free(ns);
	file_handles_free(ns);
	dir_handles_free(ns);
	members_free(ns);
	for (i = 0; i < ns->table_size; i++) {
		struct node *n;

		for (n = ns->table[i]; n; n = n->table_next)
			if (n->lookups) {
				n->lookups = 0;
				n->refs--;
			}
	}
	for (i = 0; i < ns->table_size; i++)
		while (ns->table[i] && ns->table[i]->kind == NODE_TOMB)
			tomb_drop(ns->table[i]->parent,
				BYTES(ns->table[i]->name, ns->table[i]->name_len));
	for (i = 0; i < ns->table_size; i++)
		while (ns->table[i])
			node_remove(ns->table[i]);
	while ((v = ns->volumes)) {
		ns->volumes = v->next;
		node_unref(v->root);
		ledger_clear(&v->ledger);
		free(v->prefix);
		free(v->mountpoint);
		free(v);
	}
	for (i = 0; i < CLASSES_MAX; i++)
		free(ns->classes[i]);
	for (i = 0; i < ABSENT_MAX; i++)
		free(ns->absent[i].name);
	free((char *)ns->config.spool_dir);
	free(ns->table);
	free(ns);
}
