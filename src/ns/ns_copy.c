/*
 * copy_file_range: a range of an object becomes what a file consists of; close(2) then copies it in
 * S3. Between two volumes S3 may not be able to do so (another account, another server behind the
 * same name), which only trying shows: the first copy of each pair of volumes is made at once, and
 * when S3 refuses it the kernel is told to copy by itself. Core thread only.
 */
#include <errno.h>
#include <stdlib.h>

#include "ns/ns_content.h"
#include "util/clk.h"
#include "util/log.h"
#include "util/mem.h"

/* One reply of copy_file_range carries 32 bits; the kernel asks again for the rest. */
#define COPY_REPLY_MAX ((uint64_t)1 << 31)
/* After so long a refused pair is tried again: rights may have been given. */
#define REFUSED_MS 60000

enum pair_state { PAIR_UNKNOWN, PAIR_COPIES, PAIR_REFUSED };

struct copy_pair {
	uint64_t source_id;
	enum pair_state state;
	int64_t refused_ms;
};

/* ---- pairs of volumes ---- */

/* Amazon's servers of all regions are one S3. */
static bool same_server(const struct ns_volume *a, const struct ns_volume *b)
{
	static const char *const amazon[] = {".amazonaws.com", ".amazonaws.com.cn"};
	const char *x = s3_client_endpoint(a->client), *y = s3_client_endpoint(b->client);
	size_t i, nx = strlen(x), ny = strlen(y);

	if (!strcmp(x, y))
		return true;
	for (i = 0; i < sizeof(amazon) / sizeof(amazon[0]); i++) {
		size_t n = strlen(amazon[i]);

		if (nx > n && ny > n && !strcmp(x + nx - n, amazon[i]) &&
			!strcmp(y + ny - n, amazon[i]))
			return true;
	}
	return false;
}

static struct copy_pair *pair_find(const struct ns_volume *to, const struct ns_volume *from)
{
	size_t i;

	for (i = 0; i < to->pair_count; i++)
		if (to->pairs[i].source_id == from->id)
			return &to->pairs[i];
	return NULL;
}

static enum pair_state pair_state(const struct ns_volume *to, const struct ns_volume *from)
{
	const struct copy_pair *p;

	if (to == from)
		return PAIR_COPIES;
	if (!from->client || !to->client || !same_server(to, from))
		return PAIR_REFUSED;
	p = pair_find(to, from);
	if (!p || (p->state == PAIR_REFUSED && clk_mono_ms() - p->refused_ms > REFUSED_MS))
		return PAIR_UNKNOWN;
	return p->state;
}

static bool is_of_volume(const struct ns *ns, uint64_t id)
{
	const struct ns_volume *v;

	for (v = ns->volumes; v; v = v->next)
		if (v->id == id)
			return true;
	return false;
}

static void pair_set(struct ns_volume *to, const struct ns_volume *from, enum pair_state state)
{
	struct copy_pair *p = pair_find(to, from);
	size_t i, kept = 0;

	if (!p) {
		/* No more than there are volumes. */
		for (i = 0; i < to->pair_count; i++)
			if (is_of_volume(to->ns, to->pairs[i].source_id))
				to->pairs[kept++] = to->pairs[i];
		to->pairs = mem_resize(to->pairs, kept + 1, sizeof(*to->pairs));
		to->pair_count = kept + 1;
		p = &to->pairs[kept];
	}
	*p = (struct copy_pair){.source_id = from->id, .state = state, .refused_ms = clk_mono_ms()};
}

bool volume_is_untried(const struct ns_volume *to, const struct ns_volume *from)
{
	return pair_state(to, from) == PAIR_UNKNOWN;
}

bool volume_copies_from(const struct ns_volume *to, const struct ns_volume *from)
{
	return pair_state(to, from) == PAIR_COPIES;
}

/* ---- the first copy of a pair ---- */

/* Is it the pair that cannot, rather than this object, or these keys at the moment? */
static bool refuses(const struct s3_err *err)
{
	if (s3_err_is_of_keys(err))
		return false;
	return err->cls == S3_DENIED || err->cls == S3_INVALID || err->cls == S3_FAILED ||
	       (err->cls == S3_NOT_FOUND && !strcmp(err->code, "NoSuchBucket"));
}

static void first_settled(struct accepted *a, const struct s3_err *err)
{
	struct node *n = a->node;
	struct content *ct = n->u.content;
	char text[400];

	if (err->cls == S3_OK)
		pair_set(n->volume, a->source->volume, PAIR_COPIES);
	else if (refuses(err)) {
		pair_set(n->volume, a->source->volume, PAIR_REFUSED);
		log_info(
			"S3 does not copy from bucket %s to bucket %s (%s): data goes through here",
			s3_client_bucket(a->source->volume->client),
			s3_client_bucket(n->volume->client), s3_err_text(err, text, sizeof(text)));
	}
	ct->flushing = false;
	/* A larger one is copied again at its close: the kernel comes back for the rest first. */
	if (err->cls == S3_OK && a->op.size_bytes <= COPY_REPLY_MAX) {
		n->size_bytes = a->op.size_bytes;
		file_stored(a);
		/* What was set for it is still to be sent: at its close. */
		if (meta_copy(n, a->source))
			n->meta->unsaved = true;
		ct->dirty = ct->created = ct->late = false;
		content_is_own(ct);
		handles_follow(n);
		n->pages_good = false;
	}
}

static void first_done(struct ns_call *c)
{
	const struct node *from = c->file->node, *to = c->file2->node;

	if (!c->errnum && from->size_bytes > COPY_REPLY_MAX) {
		ns_copy(c);
		return;
	}
	c->done_bytes = (size_t)from->size_bytes;
	if (c->errnum && pair_state(to->volume, from->volume) == PAIR_REFUSED)
		c->errnum = EXDEV;
	c->reply(c, c->errnum);
}

static void attempt(struct ns_call *c, const struct copied *from, struct node *to,
	void (*then)(struct ns_call *))
{
	struct accepted *a = accepted_new(to, BULK_COPY, "copy");

	accepted_source(a, from->node, from->etag);
	a->op.size_bytes = from->size_bytes;
	a->attempt = true;
	a->settle = first_settled;
	a->after = content_attempted;
	to->u.content->flushing = true;
	accept_op(a, walk_of(to->volume, c), c, then);
}

static void copy_first(struct ns_call *c, struct node *from, struct node *to)
{
	const struct copied whole = {from, &c->file->etag, from->size_bytes};

	if (!accept_full(c, ns_copy))
		attempt(c, &whole, to, first_done);
}

void copy_empty_first(struct ns_call *c, struct node *from, void (*then)(struct ns_call *))
{
	const struct copied empty = {from, &from->etag, 0};

	attempt(c, &empty, c->node, then);
}

/* ---- the call ---- */

/* Local bytes are copied here, a while of them at once: the kernel asks again for the rest. */
#define LOCAL_BYTES_MAX ((uint64_t)1 << 20)

static void copy_go(struct ns_call *c);

static void copied(struct ns_call *c, struct content *to, uint64_t len)
{
	c->done_bytes = (size_t)len;
	content_changed(to, false);
	c->reply(c, 0);
}

/* Bytes that another file, or this one, has here. */
static void copy_local(struct ns_call *c, struct content *to, const struct extent *e, uint64_t len)
{
	size_t done = 0;
	char *data;
	int r;

	if (len > LOCAL_BYTES_MAX)
		len = LOCAL_BYTES_MAX;
	/* A copy: where they are may change when bytes are put. */
	data = mem_large((size_t)len);
	if (!data) {
		c->reply(c, ENOMEM);
		return;
	}
	memcpy(data, e->of.slab->data + e->at + (c->offset - e->offset), (size_t)len);
	r = content_put(to, c->offset2, data, (size_t)len, &done);
	free(data);
	if (done)
		copied(c, to, done);
	else if (r == SLAB_WAIT)
		park(c, &to->node->volume->ns->slabs.waiters, copy_go);
	else
		c->reply(c, r);
}

/* The range, or the part of it that is of one kind, becomes one of the target's extents. */
static void copy_extent(struct ns_call *c, struct content *to, const struct extent *e)
{
	uint64_t len = extent_end(e) - c->offset;
	struct extent piece = *e;

	if (len > c->size)
		len = c->size;
	if (len > COPY_REPLY_MAX)
		len = COPY_REPLY_MAX;
	if (e->kind == EXTENT_LOCAL) {
		copy_local(c, to, e, len);
		return;
	}
	/* Only the upload has it: the kernel reads it, and that makes it readable. */
	if (e->kind == EXTENT_SENT) {
		c->reply(c, EXDEV);
		return;
	}
	piece.offset = c->offset2;
	piece.len = len;
	if (e->kind == EXTENT_OBJECT) {
		piece.at = e->at + (c->offset - e->offset);
		to->foreign |= e->of.source->node != to->node;
	}
	extents_put(&to->extents, &piece);
	copied(c, to, len);
}

static void copy_range(struct ns_call *c, struct node *from, struct content *to)
{
	struct content *ct = from->u.content;
	struct extent whole = {.kind = EXTENT_OBJECT, .len = c->file->size_bytes};

	if (!content_load(c, to, copy_go) ||
		!content_touch(c, to, c->offset2, c->offset2 + c->size, copy_go))
		return;
	if (content_is_read(ct)) {
		copy_extent(c, to, extents_at(&ct->extents, c->offset));
		return;
	}
	whole.of.source = source_get(from, &c->file->etag, whole.len);
	copy_extent(c, to, &whole);
	source_unref(whole.of.source);
}

static uint64_t size_of(const struct ns_call *c)
{
	const struct content *ct = c->file->node->u.content;

	return content_is_read(ct) ? ct->extents.size_bytes : c->file->size_bytes;
}

/* Something has to end first: true, and the call was parked. */
static bool waits(struct ns_call *c, struct node *from, struct content *to)
{
	struct content *ct = from->u.content;

	if (to->flushing)
		park(c, &to->waiters, copy_go);
	else if (ct && ct->flushing)
		park(c, &ct->waiters, copy_go);
	else if (from->pending && !content_is_read(ct))
		wait_node(c, from, copy_go);
	return c->parked;
}

/*
 * To who does not look at what close says the range that completes the file is the file's copy:
 * what there is so far is what it begins with.
 */
static bool completes(const struct ns_call *c, const struct node *from, const struct content *ct)
{
	const struct extent *e = extents_at(&ct->extents, 0);
	bool begun = e && ct->extents.count == 1 && e->kind == EXTENT_OBJECT && !e->at &&
		     e->of.source->node == from && etag_equal(&e->of.source->etag, &c->file->etag);

	return !ct->own && !ct->upload && c->offset == c->offset2 &&
	       c->offset == ct->extents.size_bytes && (begun || !c->offset) &&
	       c->offset + c->size == from->size_bytes && c->size <= COPY_REPLY_MAX &&
	       !content_is_read(from->u.content) && walk_is_careless(walk_of(ct->node->volume, c));
}

static void copy_now(struct ns_call *c, struct node *from, struct node *to)
{
	if (accept_full(c, copy_go))
		return;
	c->done_bytes = c->size;
	careless_copy(c, from, &c->file->etag, to, reply_errnum);
}

static void copy_go(struct ns_call *c)
{
	struct node *from = c->file->node, *to = c->file2->node;
	struct content *ct = to->u.content;
	bool whole;

	if (c->errnum || ct->errnum) {
		c->reply(c, c->errnum ? c->errnum : ct->errnum);
		return;
	}
	if (waits(c, from, ct))
		return;
	c->done_bytes = 0;
	if (c->offset >= size_of(c)) {
		c->reply(c, 0);
		return;
	}
	if (c->size > size_of(c) - c->offset)
		c->size = (size_t)(size_of(c) - c->offset);
	if (c->offset2 + c->size > FILE_BYTES_MAX) {
		c->reply(c, EFBIG);
		return;
	}
	/* What is here, and holes, need no copy by S3; but then most of such a file does. */
	whole = !c->offset && !c->offset2 && !ct->own && !ct->extents.size_bytes &&
		!content_is_read(from->u.content) && c->size == from->size_bytes;
	switch (pair_state(to->volume, from->volume)) {
	case PAIR_COPIES:
		if (completes(c, from, ct))
			copy_now(c, from, to);
		else
			copy_range(c, from, ct);
		break;
	case PAIR_UNKNOWN:
		if (whole)
			copy_first(c, from, to);
		else
			c->reply(c, EXDEV);
		break;
	case PAIR_REFUSED:
		c->reply(c, EXDEV);
		break;
	}
}

void ns_copy(struct ns_call *c)
{
	c->errnum = 0;
	if (!c->file2->writes || !c->file2->node->u.content)
		c->reply(c, EBADF);
	else
		copy_go(c);
}
