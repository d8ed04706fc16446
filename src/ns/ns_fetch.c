/*
 * Ranges of objects that become local bytes: because they are to be sent with others in one part or
 * put, or because their object is about to go. Core thread; a fetch belongs to who asked for it,
 * or, when it was dropped, to its request.
 */
#include <errno.h>
#include <stdlib.h>

#include "ns/ns_content.h"
#include "util/mem.h"

/* One request: large enough for its round trip not to count. */
#define FETCH_BYTES_MAX ((uint64_t)8 << 20)
#define FETCHES_MAX 8

static void fetch_free(struct fetch *f)
{
	slab_unref(f->slab);
	source_unref(f->source);
	free(f);
}

static void got(void *ctx, const struct s3_err *err, const struct s3_get_result *result)
{
	struct fetch *f = ctx;

	f->op = NULL;
	if (f->dropped) {
		fetch_free(f);
		return;
	}
	if (err->cls == S3_NOT_FOUND)
		f->errnum = ESTALE;
	else if (err->cls != S3_OK)
		f->errnum = err->errnum;
	else if (result->got != f->len)
		f->errnum = ESTALE;
	f->done(f);
}

struct fetch *fetch_start(const struct extent *e, uint64_t from, uint64_t to,
	void (*done)(struct fetch *f), void *owner, int *errnum)
{
	struct ns_volume *v = e->of.source->node->volume;
	uint64_t len = to - from < FETCH_BYTES_MAX ? to - from : FETCH_BYTES_MAX;
	struct buf key = BUF_INIT(0);
	struct slab *slab;
	struct fetch *f;
	char text[64];

	*errnum = slab_new(&v->ns->slabs, v->config.spool_dir, (size_t)len, false, &slab);
	if (*errnum)
		return NULL;
	slab->used_bytes = (size_t)len;
	f = mem_zalloc(sizeof(*f));
	f->slab = slab;
	f->source = source_ref(e->of.source);
	f->offset = from;
	f->at = e->at + (from - e->offset);
	f->len = (size_t)len;
	f->done = done;
	f->owner = owner;
	node_key(f->source->node, &key);
	f->op = s3_get(v->client, buf_bytes(&key), etag_text(&f->source->etag, text), f->at,
		slab->data, f->len, !f->at && f->len == f->source->size_bytes ? S3_WHOLE : 0, got,
		f);
	buf_free(&key);
	return f;
}

void fetch_drop(struct fetch *f)
{
	LIST_REMOVE(f, link);
	f->dropped = true;
	if (f->op)
		s3_cancel(f->op); /* its memory is borrowed until that has come through */
	else
		fetch_free(f);
}

/* ---- of a content: what was fetched takes the place of the range ---- */

/* What was not changed meanwhile. */
static void take_in(struct content *ct, struct fetch *f)
{
	uint64_t at = f->offset, end = f->offset + f->len;
	const struct extent *e;

	while (at < end && (e = extents_at(&ct->extents, at))) {
		uint64_t to = extent_end(e) < end ? extent_end(e) : end;
		struct extent local = {.kind = EXTENT_LOCAL,
			.offset = at,
			.len = to - at,
			.at = at - f->offset,
			.of.slab = f->slab};

		if (e->kind == EXTENT_OBJECT && e->of.source == f->source &&
			e->at + (at - e->offset) == f->at + (at - f->offset))
			extents_put(&ct->extents, &local);
		at = to;
	}
}

static void landed(struct fetch *f)
{
	struct content *ct = f->owner;
	struct node *n = node_ref(ct->node);

	/* A failed one stays until somebody asks for that range again. */
	if (!f->errnum) {
		take_in(ct, f);
		fetch_drop(f);
	}
	wake(&ct->waiters);
	if (n->u.content == ct)
		save_progress(ct);
	node_unref(n);
}

static struct fetch *fetch_of(const struct content *ct, uint64_t offset)
{
	struct fetch *f;

	LIST_FOREACH(f, &ct->fetches, link)
	if (offset >= f->offset && offset < f->offset + f->len)
		return f;
	return NULL;
}

static int take_failure(struct content *ct)
{
	struct fetch *f;
	int errnum;

	LIST_FOREACH(f, &ct->fetches, link)
	if (f->errnum) {
		errnum = f->errnum;
		fetch_drop(f);
		return errnum;
	}
	return 0;
}

int content_localise(struct content *ct, uint64_t from, uint64_t to, const struct node *source)
{
	int errnum = take_failure(ct);
	const struct extent *e;
	unsigned under_way = 0;
	uint64_t at = from;
	struct fetch *f;

	LIST_FOREACH(f, &ct->fetches, link)
	under_way++;
	while (!errnum && at < to && (e = extents_at(&ct->extents, at))) {
		uint64_t end = extent_end(e) < to ? extent_end(e) : to;

		if (e->kind != EXTENT_OBJECT || (source && e->of.source->node != source)) {
			at = end;
			continue;
		}
		f = fetch_of(ct, at);
		if (!f && under_way >= FETCHES_MAX)
			break;
		if (!f && (f = fetch_start(e, at, end, landed, ct, &errnum))) {
			LIST_INSERT_HEAD(&ct->fetches, f, link);
			under_way++;
		}
		if (f)
			at = f->offset + f->len;
	}
	return errnum ? errnum : under_way ? -1 : 0;
}

void content_drop_fetches(struct content *ct)
{
	struct fetch *f;

	while ((f = LIST_FIRST(&ct->fetches)))
		fetch_drop(f);
}
