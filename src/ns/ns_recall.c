/*
 * What is known of names that the kernel has forgotten: their nodes go with it, and a listing does
 * not bring back what was set for them. So attributes of names that are dropped are kept here,
 * within a bound, the longest unused going first, and are given back when a listing shows the same
 * version again. Core thread.
 */
#include <stdlib.h>

#include "ns/ns_int.h"
#include "ns/ns_list.h"
#include "util/hash.h"
#include "util/mem.h"

#define RECALL_BYTES_MAX ((size_t)16 << 20)

struct recalled {
	UT_hash_handle hh;
	TAILQ_ENTRY(recalled) link;
	struct etag etag;
	struct node_meta *meta; /* or NULL */
	int64_t mtime_ms;       /* as it is shown */
	int64_t s3_time_s;      /* as S3 has it; 0: not known */
	size_t bytes;
	uint8_t look;
	bool is_link;
	uint64_t volume_id; /* with `key`, what is hashed: the two must stay adjacent */
	char key[];
};

struct recall {
	struct recalled *entries;
	TAILQ_HEAD(, recalled) recent; /* the longest unused first */
	size_t bytes;
};

static void drop(struct recall *r, struct recalled *e)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is in the table */
	HASH_DELETE(hh, r->entries, e);
	TAILQ_REMOVE(&r->recent, e, link);
	r->bytes -= e->bytes;
	etag_free(&e->etag);
	if (e->meta)
		meta_clear(e->meta);
	free(e->meta);
	free(e);
}

static size_t meta_bytes(const struct node_meta *m)
{
	size_t bytes = sizeof(*m), i;

	for (i = 0; i < m->xattrs.count; i++)
		bytes += sizeof(m->xattrs.items[i]) + strlen(m->xattrs.items[i].name) +
			 m->xattrs.items[i].len;
	return bytes + (m->target ? strlen(m->target) : 0) +
	       (m->content_type ? strlen(m->content_type) : 0);
}

static struct recalled *entry_new(const struct ns_volume *v, struct bytes key)
{
	struct recalled *e = mem_zalloc(sizeof(*e) + key.len);

	e->bytes = sizeof(*e) + key.len;
	e->volume_id = v->id;
	memcpy(e->key, key.ptr, key.len);
	return e;
}

static unsigned hashed_bytes(const struct recalled *e)
{
	return (unsigned)(sizeof(e->volume_id) + e->bytes - sizeof(*e));
}

/* NULL: there is none. */
static struct recalled *find_key(const struct ns_volume *v, struct bytes key)
{
	struct recall *r = v->ns->recall;
	struct recalled *probe, *found;

	if (!r || !r->entries)
		return NULL;
	probe = entry_new(v, key);
	HASH_FIND(hh, r->entries, &probe->volume_id, hashed_bytes(probe), found);
	free(probe);
	return found;
}

static void add(struct recall *r, struct recalled *e)
{
	HASH_ADD(hh, r->entries, volume_id, hashed_bytes(e), e);
	e->bytes += e->meta ? meta_bytes(e->meta) : 0;
	TAILQ_INSERT_TAIL(&r->recent, e, link);
	r->bytes += e->bytes;
	while (r->bytes > RECALL_BYTES_MAX)
		drop(r, TAILQ_FIRST(&r->recent));
}

static bool is_worth(const struct node *n)
{
	return n->link || (n->meta && !n->meta->unsaved);
}

/* In place of what was known of the key; `meta` is taken. */
static void keep(const struct node *n, struct node_meta *meta)
{
	struct ns *ns = n->volume->ns;
	struct buf key = BUF_INIT(0);
	struct recalled *e;

	node_key(n, &key);
	recall_drop(n->volume, buf_bytes(&key));
	e = is_worth(n) ? entry_new(n->volume, buf_bytes(&key)) : NULL;
	buf_free(&key);
	if (!e)
		return;
	if (!ns->recall) {
		ns->recall = mem_zalloc(sizeof(*ns->recall));
		TAILQ_INIT(&ns->recall->recent);
	}
	etag_copy(&e->etag, &n->etag);
	e->mtime_ms = n->mtime_ms;
	e->s3_time_s = n->s3_time ? node_s3_time_s(n) : 0;
	e->look = n->look;
	e->is_link = n->link;
	e->meta = meta;
	add(ns->recall, e);
}

void recall_keep(struct node *n)
{
	struct node_meta *meta = n->meta;

	if (!n->volume->ns->recall && !is_worth(n))
		return;
	keep(n, is_worth(n) ? meta : NULL);
	if (is_worth(n))
		n->meta = NULL;
}

void recall_note(const struct node *n)
{
	/* What is on its way is not S3's yet: what was noted before it stays. */
	if (!is_worth(n) || n->pending || (n->kind == NODE_FILE ? !n->etag.form : n->unsent))
		return;
	keep(n, meta_clone(n->meta));
}

void recall_drop(const struct ns_volume *v, struct bytes key)
{
	struct recalled *e = find_key(v, key);

	if (e)
		drop(v->ns->recall, e);
}

void recall_move(const struct ns_volume *v, struct bytes from, struct bytes to, struct bytes etag)
{
	struct recalled *e, *moved;

	recall_drop(v, to);
	e = find_key(v, from);
	if (!e)
		return;
	/* The copy's time is not known. */
	moved = entry_new(v, to);
	etag_set(&moved->etag, etag);
	moved->mtime_ms = e->mtime_ms;
	moved->look = e->look;
	moved->is_link = e->is_link;
	moved->meta = e->meta;
	e->meta = NULL;
	drop(v->ns->recall, e);
	add(v->ns->recall, moved);
}

void recall_take(struct node *n)
{
	struct recall *r = n->volume->ns->recall;
	struct buf key = BUF_INIT(0);
	struct recalled *e;

	if (!r || !r->entries)
		return;
	node_key(n, &key);
	e = find_key(n->volume, buf_bytes(&key));
	buf_free(&key);
	if (!e)
		return;
	if (etag_equal(&e->etag, &n->etag) &&
		(!e->s3_time_s || n->kind == NODE_DIR || e->s3_time_s == node_s3_time_s(n))) {
		if (n->kind == NODE_FILE) {
			n->s3_ahead_s = (int32_t)(node_s3_time_s(n) - e->mtime_ms / 1000);
			n->mtime_ms = e->mtime_ms;
		}
		n->link = e->is_link;
		n->look = e->look;
		n->meta = e->meta;
		e->meta = NULL;
	}
	drop(r, e);
}

void recall_free(struct ns *ns, const struct ns_volume *v)
{
	struct recall *r = ns->recall;
	struct recalled *e, *next;

	if (!r)
		return;
	for (e = TAILQ_FIRST(&r->recent); e; e = next) {
		next = TAILQ_NEXT(e, link);
		if (!v || e->volume_id == v->id)
			drop(r, e);
	}
	if (v)
		return;
	free(r);
	ns->recall = NULL;
}
