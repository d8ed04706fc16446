/*
 * The content of a file that is open for writing: see ns_content.h. Here is how it begins and ends,
 * and how bytes are put into it. Core thread only; it belongs to its node.
 */
#include <errno.h>
#include <stdlib.h>

#include "ns/ns_content.h"
#include "util/clk.h"
#include "util/mem.h"

/* Most files are small: their first slab doubles until it holds a part. */
#define SLAB_START ((size_t)64 << 10)
/* A file of so many extents is stored before it gets more: everything has a bound. */
#define EXTENTS_MAX ((size_t)1 << 18)

static void clean_evict(struct evictable *e)
{
	struct content *ct = (struct content *)((char *)e - offsetof(struct content, clean));

	content_is_own(ct);
}

struct content *content_get(struct node *n)
{
	struct content *ct = n->u.content;

	if (ct)
		return ct;
	ct = mem_zalloc(sizeof(*ct));
	ct->node = n;
	ct->own = true;
	ct->clean.evict = clean_evict;
	LIST_INIT(&ct->fetches);
	TAILQ_INIT(&ct->waiters);
	TAILQ_INIT(&ct->flushers);
	LIST_INSERT_HEAD(&n->volume->ns->contents, ct, link);
	n->u.content = ct;
	return ct;
}

bool node_has_writer(const struct node *n)
{
	return n->kind == NODE_FILE && n->u.content &&
	       (n->u.content->writers || n->u.content->dirty || n->u.content->flushing);
}

static void drop_bytes(struct content *ct)
{
	evict_forbid(&ct->node->volume->ns->slabs, &ct->clean);
	content_drop_fetches(ct);
	extents_clear(&ct->extents);
	slab_unref(ct->slab);
	ct->slab = NULL;
	ct->run_start = ct->run_end = 0;
	ct->foreign = false;
}

void content_is_own(struct content *ct)
{
	drop_bytes(ct);
	ct->own = true;
}

void content_clear(struct content *ct)
{
	upload_let_go(ct, NULL, NULL);
	drop_bytes(ct);
	ct->own = false;
	ct->errnum = ct->refused = 0;
}

void content_unlink(struct content *ct)
{
	ct->unlinked = true;
	ct->leaving = false;
	if (!save_is_final(ct))
		upload_let_go(ct, NULL, NULL);
	save_progress(ct);
}

void content_stays(struct node *n)
{
	struct content *ct = n->u.content;

	if (!ct)
		return;
	node_ref(n);
	ct->leaving = false;
	wake(&ct->waiters);
	content_release(n);
	node_unref(n);
}

void content_free(struct node *n)
{
	struct content *ct = n->u.content;

	if (!ct)
		return;
	n->u.content = NULL;
	/* A listing under way may have passed it over because of the writer. */
	node_touch(n);
	upload_let_go(ct, NULL, NULL);
	drop_bytes(ct);
	LIST_REMOVE(ct, link);
	/* Who waited for something of it looks again. */
	wake(&ct->waiters);
	free(ct);
}

/*
 * What comes after the last close (pages of a mapping) is stored when the last handle goes. What is
 * not, because that has failed and its close has said so, is lost.
 */
void content_release(struct node *n)
{
	struct content *ct = n->u.content;
	bool lost;

	if (!ct || ct->flushing || ct->leaving || (ct->unlinked ? n->opens : ct->writers))
		return;
	lost = ct->dirty && n->live && !ct->unlinked;
	if (lost && ct->late && !n->volume->ns->closing) {
		content_save(ct, NULL, 0);
		return;
	}
	content_free(n);
	if (lost)
		file_lost(n);
}

void content_attempted(struct accepted *a)
{
	content_stays(a->node);
}

bool content_is_read(const struct content *ct)
{
	return ct && !ct->own;
}

void content_readable(struct content *ct)
{
	ct->readable = true;
	if (ct->upload)
		upload_keep_bytes(ct->upload);
}

bool content_load(struct ns_call *c, struct content *ct, void (*resume)(struct ns_call *))
{
	struct node *n = ct->node;
	struct extent whole = {.kind = EXTENT_OBJECT};

	if (ct->extents.count > EXTENTS_MAX && !ct->unlinked && !ct->leaving) {
		content_settle(c, ct, resume);
		return false;
	}
	if (!ct->own) {
		evict_forbid(&n->volume->ns->slabs, &ct->clean);
		return true;
	}
	if (n->pending && n->size_bytes) {
		wait_node(c, n, resume);
		return false;
	}
	ct->own = false;
	if (!n->size_bytes)
		return true;
	whole.len = n->size_bytes;
	whole.of.source = source_get(n, &n->etag, n->size_bytes);
	extents_put(&ct->extents, &whole);
	source_unref(whole.of.source);
	return true;
}

/* ---- what was sent already ---- */

static bool take_back(struct ns_call *c, struct content *ct, unsigned first, uint64_t to,
	void (*resume)(struct ns_call *))
{
	struct upload *u = ct->upload;
	unsigned i;

	if (extents_have(&ct->extents, u->parts[first]->offset, to, EXTENT_SENT)) {
		content_settle(c, ct, resume);
		return false;
	}
	for (i = first; i < u->count; i++)
		if (u->parts[i]->state == PART_SENT || u->parts[i]->state == PART_FETCHING) {
			c->errnum = 0;
			park(c, &ct->waiters, resume);
			return false;
		}
	upload_take_back(u, first);
	return true;
}

/*
 * A part of local bytes is sent again under its number. One that the server has copied is not worth
 * that: it and what follows is planned anew. Bytes that are nowhere but in the upload have to be
 * made readable first.
 */
bool content_touch(struct ns_call *c, struct content *ct, uint64_t from, uint64_t to,
	void (*resume)(struct ns_call *))
{
	struct upload *u = ct->upload;
	unsigned i;

	if (!u || from >= u->end)
		return true;
	i = upload_part_at(u, from);
	if (to == UINT64_MAX)
		return take_back(c, ct, i, from, resume);
	for (; i < u->count && u->parts[i]->offset < to; i++) {
		struct upload_part *p = u->parts[i];

		if (p->copy)
			return take_back(c, ct, i, u->end, resume);
		if (extents_have(&ct->extents, p->offset, p->offset + p->len, EXTENT_SENT)) {
			content_settle(c, ct, resume);
			return false;
		}
		p->stale = true;
		evict_forbid(&u->volume->ns->slabs, &p->evictable);
	}
	return true;
}

/* ---- bytes ---- */

static size_t slab_cap(const struct content *ct, size_t want)
{
	struct plan_limits limits;
	size_t cap = SLAB_START, part;

	plan_limits_of(ct, &limits);
	part = (size_t)limits.part_bytes;
	/* One that is full was as large as they get: this file is no small one. */
	if (ct->slab && ct->slab->cap_bytes >= part)
		return part;
	if (ct->slab && !ct->slab->lent)
		want += ct->slab->used_bytes;
	while (cap < want)
		cap *= 2;
	return cap < part ? cap : part;
}

/* Room for new bytes in ct->slab, at least one: 0 and *ret, a positive errno, or SLAB_WAIT. */
static int make_room(struct content *ct, size_t want, size_t *ret)
{
	struct ns_volume *v = ct->node->volume;
	struct slab *s = ct->slab, *fresh;
	size_t cap;
	int r = 0;

	if (!s || s->used_bytes == s->cap_bytes) {
		cap = slab_cap(ct, want);
		if (s && !s->lent && cap > s->cap_bytes) {
			r = slab_grow(s, v->config.spool_dir, cap, true);
		} else {
			r = slab_new(&v->ns->slabs, v->config.spool_dir, cap, true, &fresh);
			if (!r) {
				slab_unref(s);
				ct->slab = fresh;
			}
		}
	}
	if (!r)
		*ret = ct->slab->cap_bytes - ct->slab->used_bytes;
	return r;
}

static bool in_place(const struct extent *e)
{
	return e->kind == EXTENT_LOCAL && !e->of.slab->lent;
}

/* How many bytes from `at` on cannot be changed where they are. */
static size_t fresh_len(const struct content *ct, uint64_t at, size_t len)
{
	const struct extent *e;

	for (e = extents_at(&ct->extents, at); e && e->offset < at + len;
		e = extents_next(&ct->extents, e))
		if (in_place(e))
			return (size_t)(e->offset - at);
	return len;
}

static void put_fresh(struct content *ct, uint64_t at, const char *data, size_t len)
{
	struct slab *s = ct->slab;
	struct extent local = {
		.kind = EXTENT_LOCAL, .offset = at, .len = len, .at = s->used_bytes, .of.slab = s};

	memcpy(s->data + s->used_bytes, data, len);
	s->used_bytes += len;
	extents_put(&ct->extents, &local);
}

int content_put(struct content *ct, uint64_t offset, const char *data, size_t len, size_t *done)
{
	while (*done < len) {
		uint64_t at = offset + *done;
		const struct extent *e = extents_at(&ct->extents, at);
		size_t n, room;
		int r;

		if (e && in_place(e)) {
			n = (size_t)(extent_end(e) - at);
			n = n < len - *done ? n : len - *done;
			memcpy(e->of.slab->data + e->at + (at - e->offset), data + *done, n);
			*done += n;
			continue;
		}
		n = fresh_len(ct, at, len - *done);
		r = make_room(ct, n, &room);
		/* A full disk: what S3 has already need not be kept. */
		if (r == ENOSPC && ct->upload && upload_evict(ct->upload))
			continue;
		if (r)
			return r;
		n = n < room ? n : room;
		put_fresh(ct, at, data + *done, n);
		*done += n;
	}
	return 0;
}

void content_changed(struct content *ct, bool pages_good)
{
	struct node *n = ct->node;

	if (!ct->dirty)
		recall_note(n);
	ct->dirty = ct->late = true;
	ct->refused = 0;
	n->size_bytes = ct->extents.size_bytes;
	n->mtime_ms = clk_wall_ms();
	meta_written(n);
	n->pages_good = pages_good;
	node_touch(n);
}
