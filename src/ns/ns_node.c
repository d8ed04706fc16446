/*
 * Nodes and the table that finds them by parent and name. References are counted: the table, each
 * child, the kernel (once, however many lookups), handles, and accepted operations hold one each.
 */
#include <errno.h>
#include <stdlib.h>

#include "ns/ns_content.h"
#include "util/clk.h"
#include "util/mem.h"

#define TABLE_START 4096
#define KEY_MAX 4096 /* S3 allows 1,024 bytes; other servers decide for themselves */

static uint32_t hash_of(const struct node *parent, struct bytes name)
{
	uint64_t h = 0xcbf29ce484222325u ^ ((uintptr_t)parent >> 4);
	size_t i;

	for (i = 0; i < name.len; i++)
		h = (h ^ (unsigned char)name.ptr[i]) * 0x100000001b3u;
	return (uint32_t)(h ^ (h >> 32));
}

static void table_grow(struct ns *ns)
{
	size_t size = ns->table_size ? ns->table_size * 2 : TABLE_START, i;
	struct node **table = mem_calloc(size, sizeof(*table));

	for (i = 0; i < ns->table_size; i++) {
		struct node *n, *next;

		for (n = ns->table[i]; n; n = next) {
			next = n->table_next;
			n->table_next = table[n->hash & (size - 1)];
			table[n->hash & (size - 1)] = n;
		}
	}
	free(ns->table);
	ns->table = table;
	ns->table_size = size;
}

static void table_put(struct ns *ns, struct node *n)
{
	struct node **slot;

	if (ns->node_count >= ns->table_size)
		table_grow(ns);
	slot = &ns->table[n->hash & (ns->table_size - 1)];
	n->table_next = *slot;
	*slot = n;
	ns->node_count++;
}

static void table_take(struct ns *ns, struct node *n)
{
	struct node **slot = &ns->table[n->hash & (ns->table_size - 1)];

	while (*slot != n)
		slot = &(*slot)->table_next;
	*slot = n->table_next;
	ns->node_count--;
}

struct node *node_find(const struct node *parent, struct bytes name)
{
	const struct ns *ns = parent->volume->ns;
	uint32_t hash = hash_of(parent, name);
	struct node *n;

	if (!ns->table_size)
		return NULL;
	for (n = ns->table[hash & (ns->table_size - 1)]; n; n = n->table_next)
		if (n->hash == hash && n->parent == parent && n->name_len == name.len &&
			!memcmp(n->name, name.ptr, name.len))
			return n;
	return NULL;
}

struct node *node_live(const struct node *parent, struct bytes name)
{
	struct node *n = node_find(parent, name);

	return n && n->kind != NODE_TOMB ? n : NULL;
}

static struct node *node_alloc(
	struct ns_volume *v, struct node *parent, struct bytes name, enum node_kind kind)
{
	struct node *n = mem_zalloc(sizeof(*n) + name.len + 1);

	n->volume = v;
	v->node_count++;
	n->parent = parent ? node_ref(parent) : NULL;
	n->kind = (uint8_t)kind;
	n->refs = 1;
	n->name_len = (uint16_t)name.len;
	memcpy(n->own_name, name.ptr, name.len);
	n->name = n->own_name;
	n->ino = ++v->ns->next_ino;
	if (kind == NODE_DIR) {
		n->u.dir = mem_zalloc(sizeof(*n->u.dir));
		TAILQ_INIT(&n->u.dir->waiters);
		LIST_INIT(&n->u.dir->tombs);
	}
	return n;
}

struct node *node_root_new(struct ns_volume *v)
{
	struct node *n = node_alloc(v, NULL, BYTES_LIT(""), NODE_DIR);

	n->live = true;
	return n;
}

static void kids_compact(struct dir *d)
{
	size_t i, kept = 0;

	for (i = d->kid_first; i < d->kid_count; i++)
		if (d->kids[i])
			d->kids[kept++] = d->kids[i];
	d->kid_first = 0;
	d->kid_count = kept;
}

static void kid_append(struct dir *d, struct node *n)
{
	if (d->kid_count == d->kid_cap && d->kid_live < d->kid_cap / 2)
		kids_compact(d);
	if (d->kid_count == d->kid_cap) {
		d->kid_cap = d->kid_cap ? d->kid_cap * 2 : 8;
		d->kids = mem_resize(d->kids, d->kid_cap, sizeof(struct node *));
	}
	d->kids[d->kid_count++] = n;
	d->kid_live++;
}

/*
 * Inode numbers rise in the order of appending, so the place is found by halving. Those behind it
 * may move to lower places.
 */
static void kid_drop(struct dir *d, const struct node *n)
{
	size_t low = d->kid_first, high = d->kid_count;

	while (low < high) {
		size_t mid = (low + high) / 2, at = mid;

		while (at < high && !d->kids[at])
			at++;
		if (at == high)
			high = mid;
		else if (d->kids[at] == n) {
			d->kids[at] = NULL;
			d->kid_live--;
			while (d->kid_count > d->kid_first && !d->kids[d->kid_count - 1])
				d->kid_count--;
			while (d->kid_first < d->kid_count && !d->kids[d->kid_first])
				d->kid_first++;
			/* Or the search would have to pass over more and more that is not there. */
			if (d->kid_live < (d->kid_count - d->kid_first) / 4)
				kids_compact(d);
			return;
		} else if (d->kids[at]->ino < n->ino)
			low = at + 1;
		else
			high = mid;
	}
}

size_t dir_kids_after(const struct dir *d, uint64_t ino)
{
	size_t low = d->kid_first, high = d->kid_count;

	while (low < high) {
		size_t mid = (low + high) / 2, at = mid;

		while (at < high && !d->kids[at])
			at++;
		if (at == high || d->kids[at]->ino > ino)
			high = mid;
		else
			low = at + 1;
	}
	return low;
}

static void tomb_free(struct node *t)
{
	struct node *parent = t->parent;

	if (!t->live)
		return;
	LIST_REMOVE(t, u.tomb_link);
	t->live = false;
	parent->u.dir->purged_seq = t->volume->ns->seq;
	table_take(t->volume->ns, t);
	node_ref(parent);
	if (t->came_back)
		dir_came_back(parent);
	node_unref(t);
	node_unref(parent);
}

struct node *node_add(struct node *parent, struct bytes name, enum node_kind kind)
{
	struct ns *ns = parent->volume->ns;
	struct node *old = node_find(parent, name);
	struct node *n;

	if (old && old->kind == NODE_TOMB)
		tomb_free(old);
	n = node_alloc(parent->volume, parent, name, kind);
	n->hash = hash_of(parent, name);
	n->live = true;
	table_put(ns, n);
	kid_append(parent->u.dir, n);
	return n;
}

void node_remove(struct node *n)
{
	if (!n->live || !n->parent)
		return;
	n->live = false;
	table_take(n->volume->ns, n);
	kid_drop(n->parent->u.dir, n);
	node_unref(n);
}

/* The tombstone keeps what a failed delete has to say about the name. */
struct node *node_bury(struct node *n)
{
	struct node *parent = n->parent, *t;

	node_ref(n);
	node_remove(n);
	t = node_alloc(n->volume, parent, BYTES(n->name, n->name_len), NODE_TOMB);
	t->hash = n->hash;
	t->live = true;
	t->was_dir = n->kind == NODE_DIR;
	if (t->was_dir && n->u.dir->pending)
		t->buried = node_ref(n);
	node_touch(t);
	table_put(n->volume->ns, t);
	LIST_INSERT_HEAD(&parent->u.dir->tombs, t, u.tomb_link);
	node_unref(n);
	return t;
}

void node_move(struct node *n, struct node *parent, struct bytes name)
{
	struct node *old = n->parent;

	node_ref(n);
	tomb_purge(node_bury(n));
	tomb_drop(parent, name);
	if (n->name != n->own_name)
		free((char *)n->name);
	n->name = mem_dup(name.ptr, name.len);
	n->name_len = (uint16_t)name.len;
	if (n->kind == NODE_DIR && n->keepers)
		walk_dirs_move(old, parent, n->keepers);
	n->parent = node_ref(parent);
	n->hash = hash_of(parent, name);
	n->ino = ++n->volume->ns->next_ino;
	n->live = true;
	table_put(n->volume->ns, n);
	kid_append(parent->u.dir, n);
	node_touch(n);
	node_unref(old);
}

void tomb_drop(struct node *parent, struct bytes name)
{
	struct node *t = node_find(parent, name);

	if (t && t->kind == NODE_TOMB)
		tomb_free(t);
}

void tomb_fails(struct node *parent, struct bytes name)
{
	struct node *t = node_find(parent, name);

	if (!t || t->kind != NODE_TOMB)
		return;
	/* Made anew it would show what is still being removed in it. */
	if (t->buried && t->buried->u.dir->pending)
		t->came_back = true;
	else
		tomb_free(t);
}

void dir_came_back(struct node *dir)
{
	while (dir->parent && !dir->live) {
		tomb_fails(dir->parent, BYTES(dir->name, dir->name_len));
		dir = dir->parent;
	}
	dir_changed(dir);
}

void tomb_purge(struct node *t)
{
	if (!t->parent->u.dir->readers && !t->pending && !(t->buried && t->buried->u.dir->pending))
		tomb_free(t);
}

void tomb_purge_of(const struct node *dir)
{
	struct node *t = node_find(dir->parent, BYTES(dir->name, dir->name_len));

	if (t && t->kind == NODE_TOMB && t->buried == dir)
		tomb_purge(t);
}

void tombs_purge(struct node *dir)
{
	struct node *t, *next;

	if (dir->u.dir->readers)
		return;
	for (t = LIST_FIRST(&dir->u.dir->tombs); t; t = next) {
		next = LIST_NEXT(t, u.tomb_link);
		tomb_purge(t);
	}
}

struct node *tomb_busy_dir(const struct node *parent, struct bytes name)
{
	struct node *t = node_find(parent, name);

	return t && t->kind == NODE_TOMB && t->buried && t->buried->u.dir->pending ? t->buried
										   : NULL;
}

struct node *node_ref(struct node *n)
{
	n->refs++;
	return n;
}

static void node_free(struct node *n)
{
	struct ns_volume *v = n->volume;

	if (n->kind == NODE_DIR) {
		absent_forget(n->volume->ns, n);
		/* A flat listing under way would make it anew, without knowing what was removed. */
		if (n->parent && n->parent->u.dir->purged_seq < n->u.dir->purged_seq)
			n->parent->u.dir->purged_seq = n->u.dir->purged_seq;
		free(n->u.dir->kids);
		free(n->u.dir);
	} else if (n->kind == NODE_FILE) {
		content_free(n);
	} else if (n->buried) {
		node_unref(n->buried);
	}
	etag_free(&n->etag);
	meta_drop(n);
	if (n->name != n->own_name)
		free((char *)n->name);
	free(n->waiters);
	free(n);
	if (!--v->node_count && v->left)
		volume_release(v);
}

void node_unref(struct node *n)
{
	while (n && !--n->refs) {
		struct node *parent = n->parent;

		node_free(n);
		n = parent;
	}
}

void node_forget_kids(struct node *dir)
{
	struct dir *d = dir->u.dir;
	size_t i;

	node_ref(dir);
	/* From the end: see kid_drop. */
	for (i = d->kid_count; i > 0; i--) {
		struct node *n = i <= d->kid_count ? d->kids[i - 1] : NULL;

		if (!n || n->refs > 1 || n->pending)
			continue;
		recall_keep(n);
		node_remove(n);
		d->complete = false;
		dir_doubtful(dir);
	}
	/* A name that was not there, was made, and is dropped now, is there. */
	absent_forget(dir->volume->ns, dir);
	tombs_purge(dir);
	node_unref(dir);
}

void node_pend(struct node *n, int change)
{
	struct node *p;

	n->pending = (uint32_t)((int)n->pending + change);
	for (p = n->kind == NODE_DIR ? n : n->parent; p; p = p->parent) {
		p->u.dir->pending = (unsigned)((int)p->u.dir->pending + change);
		/* A listing under way may have passed it over because of what was pending. */
		if (!p->u.dir->pending)
			node_touch(p);
	}
}

void node_touch(struct node *n)
{
	n->change_seq = ++n->volume->ns->seq;
}

static void component(const struct node *n, struct buf *out)
{
	struct bytes name = BYTES(n->name, n->name_len);

	/* An undecodable name cannot be in the tree: lookup and create refuse it. */
	if (n->name[0] == '%')
		name_decode(name, out);
	else
		buf_addb(out, name);
}

void node_key(const struct node *n, struct buf *out)
{
	if (!out->max)
		*out = BUF_INIT(KEY_MAX);
	if (!n->parent) {
		buf_adds(out, n->volume->prefix);
		return;
	}
	node_key(n->parent, out);
	component(n, out);
	if (n->kind == NODE_DIR || n->was_dir)
		buf_addc(out, '/');
}

void node_child_key(const struct node *parent, struct bytes name, struct buf *out)
{
	node_key(parent, out);
	name_decode(name, out);
}

void node_path(const struct node *n, struct buf *out)
{
	if (!out->max)
		*out = BUF_INIT(2 * KEY_MAX);
	if (!n->parent) {
		if (!out->len)
			buf_addc(out, '/');
		return;
	}
	if (n->parent->parent)
		node_path(n->parent, out);
	buf_addc(out, '/');
	buf_add(out, n->name, n->name_len);
}

bool node_is_under(const struct node *n, const struct node *dir)
{
	for (; n; n = n->parent)
		if (n == dir)
			return true;
	return false;
}

/* Storage classes are few: each node keeps a number. 0 is STANDARD, or one that did not fit. */
uint8_t class_id(struct ns *ns, struct bytes name)
{
	uint8_t i;

	if (!name.len || bytes_equal(name, BYTES_LIT("STANDARD")))
		return 0;
	for (i = 1; i < CLASSES_MAX; i++) {
		if (!ns->classes[i])
			ns->classes[i] = mem_dup(name.ptr, name.len);
		if (bytes_equal(BYTES_STR(ns->classes[i]), name))
			return i;
	}
	return 0;
}

/* ---- calls that wait ---- */

void park(struct ns_call *c, struct ns_call_list *list, void (*resume)(struct ns_call *))
{
	c->resume = resume;
	c->parked_on = list;
	c->parked = true;
	TAILQ_INSERT_TAIL(list, c, link);
}

void wake(struct ns_call_list *list)
{
	struct ns_call_list mine = TAILQ_HEAD_INITIALIZER(mine);
	struct ns_call *c;

	TAILQ_FOREACH(c, list, link)
	c->parked_on = &mine;
	TAILQ_CONCAT(&mine, list, link);
	while ((c = TAILQ_FIRST(&mine))) {
		TAILQ_REMOVE(&mine, c, link);
		c->parked = false;
		if (!c->node->volume->ns->closing) {
			c->resume(c);
			continue;
		}
		if (c->drop)
			c->drop(c);
		c->reply(c, EINTR);
	}
}

void ns_interrupt(struct ns_call *c)
{
	ns_give_up(c, EINTR);
}

void ns_give_up(struct ns_call *c, int errnum)
{
	if (!c->parked)
		return;
	TAILQ_REMOVE(c->parked_on, c, link);
	c->parked = false;
	if (c->drop)
		c->drop(c);
	c->reply(c, errnum);
}

void wait_node(struct ns_call *c, struct node *n, void (*resume)(struct ns_call *))
{
	if (!n->waiters) {
		n->waiters = mem_zalloc(sizeof(*n->waiters));
		TAILQ_INIT(n->waiters);
	}
	bulk_hurry(n->volume->target);
	park(c, n->waiters, resume);
}

void wake_node(struct node *n)
{
	if (!n->waiters || n->pending)
		return;
	node_ref(n);
	wake(n->waiters);
	node_unref(n);
}
