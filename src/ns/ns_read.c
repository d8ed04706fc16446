/*
 * Reading: ranged GETs into blocks, read ahead in a growing window while the reads are sequential.
 * Every range is pinned to the version that was opened; data of two versions are never mixed.
 */
#include <errno.h>
#include <stdlib.h>

#include "ns/ns_int.h"
#include "util/mem.h"

#define BLOCK_START ((size_t)256 << 10)
#define BLOCK_MAX ((size_t)8 << 20)
#define BLOCKS_AHEAD 4
/* Kept behind the reader: the kernel's own readahead comes a little out of order. */
#define KEEP_BEHIND ((uint64_t)1 << 20)
#define RUNS_MAX 64
#define READ_MEMORY_DEFAULT ((uint64_t)64 << 20)

struct block {
	struct readahead *ahead; /* NULL: its handle is gone */
	struct ns_volume *volume;
	uint64_t offset;
	size_t len;
	char *data;
	struct s3_op *op; /* under way */
	int errnum;
	bool changed;
	TAILQ_ENTRY(block) link;
};

struct readahead {
	struct ns_file_handle *handle;
	TAILQ_HEAD(, block) blocks; /* by offset, without overlaps */
	struct ns_call_list waiters;
	TAILQ_ENTRY(readahead) recent; /* in ns->readers, the longest unread first */
	size_t next_len;
	uint64_t next_offset; /* where a sequential reader goes on */
	bool delivered;
};

static void block_free(struct block *b)
{
	if (b->ahead)
		TAILQ_REMOVE(&b->ahead->blocks, b, link);
	b->ahead = NULL;
	if (b->op) {
		s3_cancel(
			b->op); /* its memory is borrowed: freed when the cancel has come through */
		return;
	}
	b->volume->ns->read_bytes -= b->len;
	free(b->data);
	free(b);
}

void readahead_free(struct ns_file_handle *h)
{
	struct block *b;

	if (!h->ahead)
		return;
	while ((b = TAILQ_FIRST(&h->ahead->blocks)))
		block_free(b);
	TAILQ_REMOVE(&h->node->volume->ns->readers, h->ahead, recent);
	free(h->ahead);
	h->ahead = NULL;
}

static void got(void *ctx, const struct s3_err *err, const struct s3_get_result *result)
{
	struct block *b = ctx;

	b->op = NULL;
	if (!b->ahead) {
		block_free(b);
		return;
	}
	if (err->cls != S3_OK)
		b->errnum = err->errnum;
	else if (result->got < b->len)
		b->errnum = ESTALE; /* shorter than it was when it was opened */
	b->changed = err->cls == S3_CHANGED;
	wake(&b->ahead->waiters);
}

static uint64_t read_bound(const struct ns *ns)
{
	return ns->config.read_memory_bytes ? ns->config.read_memory_bytes : READ_MEMORY_DEFAULT;
}

/* Room for a read that cannot wait: what others have read ahead and not used lately goes. */
static void make_room(struct ns *ns, const struct readahead *mine, size_t len)
{
	struct readahead *ra;
	struct block *b, *next;

	TAILQ_FOREACH(ra, &ns->readers, recent)
	{
		for (b = TAILQ_FIRST(&ra->blocks); b && ra != mine; b = next) {
			next = TAILQ_NEXT(b, link);
			if (ns->read_bytes + len <= read_bound(ns))
				return;
			if (!b->op)
				block_free(b);
		}
	}
}

static struct block *fetch(struct readahead *ra, uint64_t offset, size_t len)
{
	struct ns_file_handle *h = ra->handle;
	struct ns_volume *v = h->node->volume;
	struct block *b, *at;
	struct buf key = BUF_INIT(0);
	char text[64];

	make_room(v->ns, ra, len);
	b = mem_zalloc(sizeof(*b));
	b->data = malloc(len);
	if (!b->data) {
		free(b);
		return NULL;
	}
	b->ahead = ra;
	b->volume = v;
	b->offset = offset;
	b->len = len;
	v->ns->read_bytes += len;
	TAILQ_FOREACH(at, &ra->blocks, link)
	if (at->offset > offset)
		break;
	if (at)
		TAILQ_INSERT_BEFORE(at, b, link);
	else
		TAILQ_INSERT_TAIL(&ra->blocks, b, link);
	node_key(h->node, &key);
	b->op = s3_get(v->client, buf_bytes(&key), etag_text(&h->etag, text), offset, b->data, len,
		0, got, b);
	buf_free(&key);
	return b;
}

static struct block *block_at(struct readahead *ra, uint64_t offset)
{
	struct block *b;

	TAILQ_FOREACH(b, &ra->blocks, link)
	if (offset >= b->offset && offset < b->offset + b->len)
		return b;
	return NULL;
}

/* How long a block may be that begins there: up to the next one, or the end. */
static size_t clip(struct readahead *ra, uint64_t offset, size_t len)
{
	uint64_t end = ra->handle->size_bytes;
	struct block *b;

	TAILQ_FOREACH(b, &ra->blocks, link)
	if (b->offset > offset && b->offset < end)
		end = b->offset;
	return end - offset < len ? (size_t)(end - offset) : len;
}

static void fetch_ahead(struct readahead *ra)
{
	struct ns *ns = ra->handle->node->volume->ns;
	uint64_t at = ra->next_offset;
	unsigned count = 0;
	struct block *b;

	while (count < BLOCKS_AHEAD && at < ra->handle->size_bytes) {
		b = block_at(ra, at);
		if (!b) {
			size_t len = clip(ra, at, ra->next_len);

			if (ns->read_bytes + len > read_bound(ns) || !(b = fetch(ra, at, len)))
				return;
			if (ra->next_len < BLOCK_MAX)
				ra->next_len *= 2;
		}
		at = b->offset + b->len;
		count++;
	}
}

static void drop_behind(struct readahead *ra)
{
	struct block *b;

	/* What is under way may have somebody waiting for it. */
	while ((b = TAILQ_FIRST(&ra->blocks)) && !b->op &&
		b->offset + b->len + KEEP_BEHIND < ra->next_offset)
		block_free(b);
}

static void read_go(struct ns_call *c);

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

/* A block that failed: the object has changed since it was listed, which is no error as long as
 * nothing of it was read; or there is an error to report. */
static void read_failed(struct ns_call *c, struct block *b)
{
	struct ns_file_handle *h = c->file;
	struct readahead *ra = h->ahead;
	int errnum = b->errnum;
	bool again = b->changed && !ra->delivered && !c->step && h->node->live && h->node->parent;

	while ((b = TAILQ_FIRST(&ra->blocks)))
		block_free(b);
	if (again) {
		c->step = 1;
		probe_name(c, h->node->parent, BYTES(h->node->name, h->node->name_len), reopened);
	} else {
		c->reply(c, errnum);
	}
	/* Others that waited for these blocks find out for themselves. */
	wake(&ra->waiters);
}

/* The blocks that hold [offset, end): replies from them, or waits for the first that is missing. */
static void read_blocks(struct ns_call *c, uint64_t end)
{
	struct readahead *ra = c->file->ahead;
	struct bytes runs[RUNS_MAX];
	uint64_t at = c->offset;
	size_t count = 0;

	while (at < end && count < RUNS_MAX) {
		struct block *b = block_at(ra, at);
		size_t n;

		if (!b && !(b = fetch(ra, at, clip(ra, at, (size_t)(end - at))))) {
			c->reply(c, ENOMEM);
			return;
		}
		if (b->op) {
			park(c, &ra->waiters, read_go);
			return;
		}
		if (b->errnum) {
			read_failed(c, b);
			return;
		}
		n = (size_t)(b->offset + b->len - at);
		if (n > end - at)
			n = (size_t)(end - at);
		runs[count++] = BYTES(b->data + (at - b->offset), n);
		at += n;
	}
	ra->delivered = true;
	c->runs = runs;
	c->run_count = count;
	if (at > ra->next_offset)
		ra->next_offset = at;
	c->reply(c, 0);
}

static void read_go(struct ns_call *c)
{
	struct ns_file_handle *h = c->file;
	struct readahead *ra = h->ahead;
	struct ns *ns = h->node->volume->ns;
	uint64_t end = c->offset + c->size;
	bool sequential;

	TAILQ_REMOVE(&ns->readers, ra, recent);
	TAILQ_INSERT_TAIL(&ns->readers, ra, recent);

	if (end > h->size_bytes)
		end = h->size_bytes;
	if (c->offset >= end) {
		c->run_count = 0;
		c->reply(c, 0);
		return;
	}
	sequential = c->offset <= ra->next_offset + KEEP_BEHIND &&
		     c->offset + KEEP_BEHIND >= ra->next_offset;
	if (!sequential) {
		ra->next_offset = c->offset;
		ra->next_len = BLOCK_START;
	}
	drop_behind(ra);
	/* A random read fetches what it needs; the second one in a row reads ahead. */
	if (sequential)
		fetch_ahead(ra);
	read_blocks(c, end);
}

/* Bytes of a file that is being written: from its buffer. */
static void read_content(struct ns_call *c, struct content *ct)
{
	struct bytes run;

	if (c->offset >= ct->size_bytes) {
		c->run_count = 0;
		c->reply(c, 0);
		return;
	}
	if (!content_all_local(ct)) {
		c->reply(c, EOPNOTSUPP);
		return;
	}
	run = BYTES(ct->data + c->offset, ct->used - (size_t)c->offset);
	if (run.len > c->size)
		run.len = c->size;
	c->runs = &run;
	c->run_count = 1;
	c->reply(c, 0);
}

void ns_read(struct ns_call *c)
{
	struct ns_file_handle *h = c->file;
	struct content *ct = h->node->u.content;

	if (!h->reads) {
		c->reply(c, EBADF);
		return;
	}
	if (ct && (ct->dirty || ct->flushing)) {
		read_content(c, ct);
		return;
	}
	/* What was written through another handle meanwhile is what is read now. */
	if (h->node->live && !h->node->pending && !etag_equal(&h->etag, &h->node->etag) &&
		(!h->ahead || !h->ahead->delivered)) {
		etag_copy(&h->etag, &h->node->etag);
		h->size_bytes = h->node->size_bytes;
	}
	if (!h->ahead) {
		h->ahead = mem_zalloc(sizeof(*h->ahead));
		h->ahead->handle = h;
		h->ahead->next_len = BLOCK_START;
		TAILQ_INIT(&h->ahead->blocks);
		TAILQ_INIT(&h->ahead->waiters);
		TAILQ_INSERT_TAIL(&h->node->volume->ns->readers, h->ahead, recent);
	}
	c->step = 0;
	read_go(c);
}
