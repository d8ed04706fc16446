/*
 * Versions of objects that files consist of. Each is pinned by its ETag (contract C7): S3 refuses
 * to read or copy of another one. What this mount itself replaces or removes is fetched before, if
 * a file that is open consists of it: on a local filesystem it would have its bytes already. Core
 * thread only; references are counted.
 */
#include <stdlib.h>

#include "ns/ns_content.h"
#include "util/mem.h"

struct source *source_get(struct node *n, const struct etag *etag, uint64_t size_bytes)
{
	struct ns *ns = n->volume->ns;
	struct source *s;

	LIST_FOREACH(s, &ns->sources, link)
	if (s->node == n && s->size_bytes == size_bytes && etag_equal(&s->etag, etag))
		return source_ref(s);
	s = mem_zalloc(sizeof(*s));
	s->node = node_ref(n);
	etag_copy(&s->etag, etag);
	s->size_bytes = size_bytes;
	s->refs = 1;
	LIST_INSERT_HEAD(&ns->sources, s, link);
	return s;
}

struct source *source_ref(struct source *s)
{
	s->refs++;
	return s;
}

void source_unref(struct source *s)
{
	if (!s || --s->refs)
		return;
	LIST_REMOVE(s, link);
	etag_free(&s->etag);
	node_unref(s->node);
	free(s);
}

void sources_follow(struct node *n, const struct etag *old, const struct etag *now)
{
	struct ns *ns = n->volume->ns;
	struct ns_file_handle *h;
	struct source *s;

	LIST_FOREACH(s, &ns->sources, link)
	if (s->node == n && etag_equal(&s->etag, old))
		etag_copy(&s->etag, now);
	if (!n->opens)
		return;
	LIST_FOREACH(h, &ns->file_handles, link)
	if (h->node == n && etag_equal(&h->etag, old))
		etag_copy(&h->etag, now);
}

static bool consists_of(const struct content *ct, const struct node *n)
{
	const struct extent *e;

	for (e = extents_at(&ct->extents, 0); e; e = extents_next(&ct->extents, e))
		if (e->kind == EXTENT_OBJECT && e->of.source->node == n)
			return true;
	return false;
}

bool sources_rescue(
	struct ns_call *c, struct node *n, struct content *except, void (*resume)(struct ns_call *))
{
	struct ns *ns = n->volume->ns;
	struct content *ct;

	LIST_FOREACH(ct, &ns->contents, link)
	{
		if (ct == except || ct->own || !ct->foreign || !consists_of(ct, n))
			continue;
		/* What cannot be fetched is missed when that file is stored, or read: ESTALE. */
		if (content_localise(ct, 0, ct->extents.size_bytes, n) < 0) {
			park(c, &ct->waiters, resume);
			return true;
		}
	}
	return false;
}

/* Bytes of the node's own object that the file consists of. */
static uint64_t own_bytes(const struct content *ct)
{
	const struct extent *e;
	uint64_t n = 0;

	if (!ct || ct->own)
		return UINT64_MAX;
	for (e = extents_at(&ct->extents, 0); e; e = extents_next(&ct->extents, e))
		if (e->kind == EXTENT_OBJECT && e->of.source->node == ct->node)
			n += e->len;
	return n;
}

bool content_keep(struct ns_call *c, struct node *n, void (*resume)(struct ns_call *))
{
	uint64_t own = own_bytes(n->u.content);
	struct content *ct;

	if (!n->opens ||
		(own == UINT64_MAX ? n->size_bytes : own) > n->volume->ns->slabs.bound_bytes)
		return false;
	ct = content_get(n);
	if (!content_load(c, ct, resume))
		return true;
	/* What cannot be fetched cannot be read afterwards: ESTALE. */
	if (content_localise(ct, 0, ct->extents.size_bytes, n) >= 0)
		return false;
	park(c, &ct->waiters, resume);
	return true;
}
