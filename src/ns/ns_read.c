/*
 * read(2): of the object that was opened (ns_blocks.c), or, of a file that is written, of what it
 * consists of. Core thread only.
 */
#include <errno.h>
#include <stdlib.h>

#include "ns/ns_blocks.h"
#include "util/mem.h"

static void read_go(struct ns_call *c);

/* ---- the object that was opened ---- */

static void reopened(struct ns_call *c)
{
	struct ns_file_handle *h = c->file;
	int errnum = probe_take(c);

	if (errnum || !h->node->live) {
		c->reply(c, errnum ? errnum : ESTALE);
		return;
	}
	etag_copy(&h->etag, &h->node->etag);
	h->size_bytes = h->node->size_bytes;
	read_go(c);
}

/* The object has changed since it was listed, which is no error as long as nothing of it was read.
 */
static void read_failed(struct ns_call *c, struct readahead *ra, int errnum)
{
	struct ns_file_handle *h = c->file;
	bool again = ra->changed && !ra->delivered && !c->step && h->node->live && h->node->parent;

	if (again) {
		c->step = 1;
		probe_name(c, h->node->parent, BYTES(h->node->name, h->node->name_len), reopened);
	} else {
		c->reply(c, errnum);
	}
	/* Others that waited for the same bytes find out for themselves. */
	wake(&ra->waiters);
}

static bool has_delivered(const struct ns_file_handle *h)
{
	const struct readahead *ra;

	LIST_FOREACH(ra, &h->aheads, link)
	if (ra->node == h->node && ra->delivered && etag_equal(&ra->etag, &h->etag))
		return true;
	return false;
}

static void read_object(struct ns_call *c)
{
	struct ns_file_handle *h = c->file;
	struct bytes runs[BLOCK_RUNS_MAX];
	uint64_t end = c->offset + c->size;
	struct readahead *ra = NULL;
	size_t count = 0;
	int r = 0;

	/* What others have written meanwhile is what is read now, if nothing was read before. */
	if (h->node->live && !h->node->pending && !etag_equal(&h->etag, &h->node->etag) &&
		!has_delivered(h)) {
		etag_copy(&h->etag, &h->node->etag);
		h->size_bytes = h->node->size_bytes;
	}
	if (end > h->size_bytes)
		end = h->size_bytes;
	if (c->offset < end) {
		ra = readahead_get(h, h->node, &h->etag, h->size_bytes);
		r = readahead_runs(c, ra, c->offset, end, runs, &count, read_go);
	}
	if (r > 0)
		read_failed(c, ra, r);
	if (r)
		return;
	c->runs = runs;
	c->run_count = count;
	c->reply(c, 0);
}

/* ---- a file that is written ---- */

/* What a read has gathered so far. */
struct reading {
	size_t got;
	char data[];
};

static void reading_drop(struct ns_call *c)
{
	free(c->work);
	c->work = NULL;
	c->drop = NULL;
}

static void reading_over(struct ns_call *c, struct reading *r, int errnum)
{
	struct bytes run = BYTES(r->data, r->got);

	c->work = NULL;
	c->drop = NULL;
	c->runs = &run;
	c->run_count = r->got ? 1 : 0;
	c->reply(c, errnum);
	free(r);
}

/* A range of an object: 0, a positive errno, or -1: the call was parked. */
static int read_range(struct ns_call *c, struct reading *r, const struct extent *e, uint64_t len)
{
	const struct source *s = e->of.source;
	uint64_t at = e->at + (c->offset + r->got - e->offset);
	struct bytes runs[BLOCK_RUNS_MAX];
	struct readahead *ra = readahead_get(c->file, s->node, &s->etag, s->size_bytes);
	size_t count, i;
	int errnum = readahead_runs(c, ra, at, at + len, runs, &count, read_go);

	if (errnum > 0)
		wake(&ra->waiters);
	for (i = 0; !errnum && i < count; i++) {
		memcpy(r->data + r->got, runs[i].ptr, runs[i].len);
		r->got += runs[i].len;
	}
	return errnum;
}

/* Bytes that only the upload has. */
static int read_sent(struct ns_call *c, struct content *ct)
{
	if (!ct->upload || c->errnum)
		return c->errnum ? c->errnum : EIO;
	if (ct->flushing)
		park(c, &ct->waiters, read_go);
	else
		content_settle(c, ct, read_go);
	return -1;
}

static int read_piece(struct ns_call *c, struct content *ct, struct reading *r, uint64_t end)
{
	const struct extent *e = extents_at(&ct->extents, c->offset + r->got);
	uint64_t to = extent_end(e) < end ? extent_end(e) : end;
	uint64_t skip = c->offset + r->got - e->offset;
	size_t len = (size_t)(to - c->offset - r->got);

	if (e->kind == EXTENT_OBJECT)
		return read_range(c, r, e, len);
	if (e->kind == EXTENT_SENT)
		return read_sent(c, ct);
	if (e->kind == EXTENT_LOCAL)
		memcpy(r->data + r->got, e->of.slab->data + e->at + skip, len);
	else
		memset(r->data + r->got, 0, len);
	r->got += len;
	return 0;
}

static void read_content(struct ns_call *c, struct content *ct)
{
	struct reading *r = c->work;
	uint64_t end = c->offset + c->size;
	int errnum = 0;

	if (!r) {
		r = mem_large(sizeof(*r) + c->size);
		if (!r) {
			c->reply(c, ENOMEM);
			return;
		}
		r->got = 0;
		c->work = r;
		c->drop = reading_drop;
	}
	if (end > ct->extents.size_bytes)
		end = ct->extents.size_bytes;
	while (!errnum && c->offset + r->got < end)
		errnum = read_piece(c, ct, r, end);
	if (errnum >= 0)
		reading_over(c, r, errnum);
}

static void read_go(struct ns_call *c)
{
	struct content *ct = c->node->u.content;

	if (content_is_read(ct)) {
		read_content(c, ct);
		return;
	}
	/* It was stored meanwhile: all of it is read from there. */
	if (c->drop)
		c->drop(c);
	read_object(c);
}

void ns_read(struct ns_call *c)
{
	if (!c->file->reads) {
		c->reply(c, EBADF);
		return;
	}
	c->step = 0;
	c->errnum = 0;
	read_go(c);
}
