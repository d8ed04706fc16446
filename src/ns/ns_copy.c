/*
 * copy_file_range: a range of an object becomes what a file consists of; close(2) then copies it in
 * S3. Between two volumes S3 may not be able to do so (another account, another server behind the
 * same name), which only trying shows: the first copy of each pair of volumes is made at once, and
 * when S3 refuses it the kernel is told to copy by itself. Core thread only.
 */
#include <errno.h>
#include <stdlib.h>

#include "ns/ns_int.h"
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

bool volume_copies_from(const struct ns_volume *to, const struct ns_volume *from)
{
	return pair_state(to, from) == PAIR_COPIES;
}

/* ---- the first copy of a pair ---- */

/* Is it the pair that cannot, rather than this object? */
static bool refuses(const struct s3_err *err)
{
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
		file_stored(a);
		ct->dirty = ct->created = false;
		ct->own = true;
		n->size_bytes = ct->size_bytes = a->op.size_bytes;
		n->pages_good = false;
	}
	node_ref(n);
	wake(&ct->waiters);
	if (n->u.content == ct && !ct->writers) {
		bool lost = ct->dirty;

		content_free(n);
		if (lost)
			file_lost(n);
	}
	node_unref(n);
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

static void copy_first(struct ns_call *c, struct node *from, struct node *to)
{
	struct accepted *a;

	if (accept_full(c, ns_copy))
		return;
	a = accepted_new(to, BULK_COPY, "copy");
	accepted_source(a, from, &c->file->etag);
	a->op.size_bytes = from->size_bytes;
	a->attempt = true;
	a->settle = first_settled;
	to->u.content->flushing = true;
	accept_op(a, walk_of(to->volume, c), c, first_done);
}

/* ---- the call ---- */

/* Can the range be what the file begins with, or goes on with? The rest the kernel copies itself.
 */
static bool fits(const struct ns_call *c, const struct node *from, const struct content *ct)
{
	if (from == ct->node || node_has_writer(from) || from->pending || ct->flushing || ct->own ||
		ct->used || ct->part_count || c->offset != c->offset2 ||
		c->offset2 != ct->size_bytes)
		return false;
	if (!ct->base)
		return c->offset == 0;
	return ct->base == from && etag_equal(&ct->base_etag, &c->file->etag);
}

static void take_range(struct ns_call *c, struct node *from, struct node *to)
{
	struct content *ct = to->u.content;
	uint64_t n = from->size_bytes - c->offset;

	if (n > c->size)
		n = c->size;
	if (n > COPY_REPLY_MAX)
		n = COPY_REPLY_MAX;
	if (!ct->base)
		content_set_base(ct, from, &c->file->etag, from->size_bytes);
	ct->base_bytes += n;
	ct->size_bytes += n;
	ct->dirty = true;
	to->size_bytes = ct->size_bytes;
	to->mtime_ms = clk_wall_ms();
	meta_written(to);
	to->pages_good = false;
	node_touch(to);
	c->done_bytes = (size_t)n;
	c->reply(c, 0);
}

/* To who does not look at what close says the range that completes the file is the file's copy. */
static bool copies_now(const struct ns_call *c, const struct node *from, const struct node *to)
{
	uint64_t left = from->size_bytes - c->offset;

	return left <= c->size && left <= COPY_REPLY_MAX &&
	       walk_is_careless(walk_of(to->volume, c));
}

static void copy_now(struct ns_call *c, struct node *from, struct node *to)
{
	if (accept_full(c, ns_copy))
		return;
	c->done_bytes = (size_t)(from->size_bytes - c->offset);
	careless_copy(c, from, &c->file->etag, to, reply_errnum);
}

void ns_copy(struct ns_call *c)
{
	struct node *from = c->file->node, *to = c->file2->node;
	struct content *ct = to->u.content;
	enum pair_state state;

	if (!c->file2->writes || !ct || ct->errnum) {
		c->reply(c, ct && ct->errnum ? ct->errnum : EBADF);
		return;
	}
	if (c->offset >= from->size_bytes) {
		c->done_bytes = 0;
		c->reply(c, 0);
		return;
	}
	state = fits(c, from, ct) ? pair_state(to->volume, from->volume) : PAIR_REFUSED;
	if (state == PAIR_COPIES && copies_now(c, from, to))
		copy_now(c, from, to);
	else if (state == PAIR_COPIES)
		take_range(c, from, to);
	else if (state == PAIR_UNKNOWN && !ct->base && c->size >= from->size_bytes)
		copy_first(c, from, to);
	else
		c->reply(c, EXDEV);
}
