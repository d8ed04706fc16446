/* The name space as a whole: making it, waiting until nothing is pending, taking it down. */
#include "ns/ns.h"

#include <stdlib.h>

#include "ns/ns_content.h"
#include "util/clk.h"
#include "util/mem.h"
#include "util/mime.h"

static void room_hook(void *ctx)
{
	struct ns *ns = ctx;

	slab_pool_wake(&ns->slabs);
}

struct ns *ns_new(struct loop *loop, struct bulk *bulk, const struct ns_config *config)
{
	struct ns *ns = mem_zalloc(sizeof(*ns));

	ns->loop = loop;
	ns->bulk = bulk;
	ns->config = *config;
	ns->config.spool_dir = mem_strdup(config->spool_dir);
	ns->mime = mime_new();
	LIST_INIT(&ns->file_handles);
	TAILQ_INIT(&ns->readers);
	LIST_INIT(&ns->dir_handles);
	TAILQ_INIT(&ns->room_waiters);
	stale_init(ns);
	LIST_INIT(&ns->flats);
	LIST_INIT(&ns->contents);
	LIST_INIT(&ns->sources);
	slab_pool_init(&ns->slabs, config->write_memory_bytes);
	loop_add_hook(loop, room_hook, ns);
	LIST_INIT(&ns->full_asks);
	return ns;
}

struct ns_volume *ns_volume_new(struct ns *ns, struct bulk_target *target, const char *prefix,
	const char *mountpoint, const struct ns_config *config)
{
	struct ns_volume *v = mem_zalloc(sizeof(*v));

	v->ns = ns;
	v->target = target;
	v->client = target ? bulk_target_client(target) : NULL;
	v->id = ++ns->volume_id;
	v->prefix = mem_strdup(prefix);
	v->mountpoint = mem_strdup(mountpoint);
	v->config = *config;
	v->config.spool_dir = mem_strdup(config->spool_dir);
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

void ns_drain(struct ns *ns)
{
	struct ns_volume *v;

	for (v = ns->volumes; v; v = v->next)
		if (v->target)
			bulk_hurry(v->target);
}

bool ns_idle(const struct ns *ns)
{
	return !ns->accepted && !ns->uploads && !ns->saving;
}

uint64_t ns_failures(const struct ns *ns)
{
	return ns->failures;
}

void ns_abandon(struct ns *ns)
{
	struct content *ct;

	LIST_FOREACH(ct, &ns->contents, link)
	if (!ct->flushing)
		upload_let_go(ct, NULL, NULL);
}

void ns_close(struct ns *ns)
{
	ns->closing = true;
}

/* Takes the nodes of one volume, or (NULL) of all, out of the table: the kernel knows none any
 * more. */
static void drop_nodes(struct ns *ns, const struct ns_volume *v)
{
	struct node *n, *next;
	size_t i;

	for (i = 0; i < ns->table_size; i++)
		for (n = ns->table[i]; n; n = n->table_next)
			if (n->lookups && (!v || n->volume == v)) {
				n->lookups = 0;
				n->refs--;
			}
	for (i = 0; i < ns->table_size; i++)
		for (n = ns->table[i]; n; n = next) {
			next = n->table_next;
			if (n->kind != NODE_TOMB || (v && n->volume != v))
				continue;
			tomb_drop(n->parent, BYTES(n->name, n->name_len));
			next = ns->table[i];
		}
	for (i = 0; i < ns->table_size; i++)
		for (n = ns->table[i]; n; n = next) {
			next = n->table_next;
			if (v && n->volume != v)
				continue;
			node_remove(n);
			/* What hung on it may have gone, too. */
			next = ns->table[i];
		}
}

void volume_release(struct ns_volume *v)
{
	ledger_clear(&v->ledger);
	free((char *)v->config.spool_dir);
	free(v->pairs);
	free(v->prefix);
	free(v->mountpoint);
	free(v);
}

void ns_volume_connect(struct ns_volume *v, struct bulk_target *target)
{
	v->target = target;
	v->client = bulk_target_client(target);
}

bool ns_volume_connected(const struct ns_volume *v)
{
	return v->target != NULL;
}

struct ns_volume *ns_volume_of(const struct node *n)
{
	return n->volume;
}

bool ns_volume_pending(const struct ns_volume *v)
{
	return v->root->u.dir->pending > 0;
}

bool ns_volume_forgotten(const struct ns_volume *v)
{
	return !v->root->lookups && !v->root->u.dir->pending && !dir_handles_of(v) &&
	       !file_handles_of(v);
}

/* A directory that was in use when it was told as stale cannot be found by its name any more: what
 * is in it holds it, and is told by itself. */
static void let_go_below(const struct node *dir)
{
	const struct dir *d = dir->u.dir;
	size_t i;

	for (i = 0; i < d->kid_count; i++) {
		struct node *n = d->kids[i];

		if (n && n->kind == NODE_DIR)
			let_go_below(n);
		if (n && n->lookups)
			node_stale(n);
	}
}

void ns_volume_let_go(struct ns_volume *v)
{
	if (!v->ns->untold && !dir_handles_of(v) && !file_handles_of(v))
		let_go_below(v->root);
}

void ns_volume_free(struct ns_volume *v)
{
	struct ns *ns = v->ns;
	struct ns_volume **at;

	flats_free(ns, v);
	recall_free(ns, v);
	full_free(ns, v);
	walks_leave_volume(ns, v);
	drop_nodes(ns, v);
	for (at = &ns->volumes; *at != v; at = &(*at)->next)
		;
	*at = v->next;
	v->left = true;
	/* The root is in no table. */
	if (v->root->lookups) {
		v->root->lookups = 0;
		v->root->refs--;
	}
	/* Its memory goes with its last node: something may still hold one. */
	node_unref(v->root);
}

/* After the kernel has gone: every node that is left is held by the table, or by a lost reference.
 */
void ns_free(struct ns *ns)
{
	size_t i;

	stale_free(ns);
	full_free(ns, NULL);
	walks_free(ns);
	file_handles_free(ns);
	dir_handles_free(ns);
	members_free(ns);
	makers_free(ns);
	recall_free(ns, NULL);
	info_free(ns);
	while (ns->volumes)
		ns_volume_free(ns->volumes);
	for (i = 0; i < CLASSES_MAX; i++)
		free(ns->classes[i]);
	for (i = 0; i < ABSENT_MAX; i++)
		free(ns->absent[i].name);
	loop_del_hook(ns->loop, room_hook, ns);
	free((char *)ns->config.spool_dir);
	mime_free(ns->mime);
	free(ns->table);
	free(ns);
}
