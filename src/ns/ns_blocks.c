/*
 * Reading of objects: ranged GETs into blocks, read ahead in a growing window while the reads are
 * sequential. Every range is pinned to one version; data of two versions are never mixed.
 */
#include "ns/ns_blocks.h"

#include <errno.h>
#include <stdlib.h>

#include "util/log.h"
#include "util/mem.h"

#define BLOCK_START ((size_t)256 << 10)
#define BLOCK_MAX ((size_t)8 << 20)
#define BLOCKS_AHEAD 4
/* Kept behind the reader: the kernel's own readahead comes a little out of order. */
#define KEEP_BEHIND ((uint64_t)1 << 20)
#define READ_MEMORY_DEFAULT ((uint64_t)64 << 20)
/* Versions that a handle keeps blocks of, when nobody waits for them. */
#define AHEADS_MAX 4

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

static void readahead_free(struct readahead *ra)
{
	struct block *b;

	while ((b = TAILQ_FIRST(&ra->blocks)))
		block_free(b);
	TAILQ_REMOVE(&ra->handle->node->volume->ns->readers, ra, recent);
	LIST_REMOVE(ra, link);
	etag_free(&ra->etag);
	node_unref(ra->node);
	free(ra);
}

void readaheads_free(struct ns_file_handle *h)
{
	struct readahead *ra;

	while ((ra = LIST_FIRST(&h->aheads)))
		readahead_free(ra);
}

/* Of an older version, or one too many. */
static void trim(struct ns_file_handle *h, const struct node *n)
{
	struct readahead *ra, *next;
	unsigned count = 1;

	for (ra = LIST_FIRST(&h->aheads); ra; ra = next) {
		next = LIST_NEXT(ra, link);
		if (TAILQ_EMPTY(&ra->waiters) && (ra->node == n || ++count > AHEADS_MAX))
			readahead_free(ra);
	}
}

struct readahead *readahead_get(
	struct ns_file_handle *h, struct node *n, const struct etag *etag, uint64_t size_bytes)
{
	struct readahead *ra;

	LIST_FOREACH(ra, &h->aheads, link)
	if (ra->node == n && ra->size_bytes == size_bytes && etag_equal(&ra->etag, etag))
		return ra;
	trim(h, n);
	ra = mem_zalloc(sizeof(*ra));
	ra->handle = h;
	ra->node = node_ref(n);
	etag_copy(&ra->etag, etag);
	ra->size_bytes = size_bytes;
	ra->next_len = BLOCK_START;
	TAILQ_INIT(&ra->blocks);
	TAILQ_INIT(&ra->waiters);
	LIST_INSERT_HEAD(&h->aheads, ra, link);
	TAILQ_INSERT_TAIL(&h->node->volume->ns->readers, ra, recent);
	return ra;
}

/* The caller has an errno only. That a version is not there any more needs no line: reads that
 * matter look for the next one. */
static void tell(const struct node *n, const struct s3_err *err)
{
	struct buf path = BUF_INIT(65536);
	char text[400];

	if (err->cls == S3_OK || err->cls == S3_CHANGED || err->cls == S3_CANCELLED)
		return;
	node_path(n, &path);
	log_error("reading %s failed: %s", buf_str(&path), s3_err_text(err, text, sizeof(text)));
	buf_free(&path);
}

static void got(void *ctx, const struct s3_err *err, const struct s3_get_result *result)
{
	struct block *b = ctx;

	b->op = NULL;
	if (!b->ahead) {
		block_free(b);
		return;
	}
	tell(b->ahead->node, err);
	if (err->cls == S3_NOT_FOUND)
		b->errnum = ESTALE; /* the file was there when it was opened */
	else if (err->cls != S3_OK)
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

/* Of what is kept to be faster this is the large part. */
void ns_drop_caches(struct ns *ns)
{
	struct readahead *ra;
	struct block *b, *next;

	TAILQ_FOREACH(ra, &ns->readers, recent)
	{
		for (b = TAILQ_FIRST(&ra->blocks); b; b = next) {
			next = TAILQ_NEXT(b, link);
			if (!b->op)
				block_free(b);
		}
	}
}

static struct block *fetch(struct readahead *ra, uint64_t offset, size_t len)
{
	struct ns_volume *v = ra->node->volume;
	struct block *b, *at;
	struct buf key = BUF_INIT(0);
	char text[64];

	make_room(v->ns, ra, len);
	b = mem_zalloc(sizeof(*b));
	b->data = mem_large(len);
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
	node_key(ra->node, &key);
	b->op = s3_get(v->client, buf_bytes(&key), etag_text(&ra->etag, text), offset, b->data, len,
		!offset && len == ra->size_bytes ? S3_WHOLE : 0, got, b);
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
	uint64_t end = ra->size_bytes;
	struct block *b;

	TAILQ_FOREACH(b, &ra->blocks, link)
	if (b->offset > offset && b->offset < end)
		end = b->offset;
	return end - offset < len ? (size_t)(end - offset) : len;
}

static void fetch_ahead(struct readahead *ra)
{
	struct ns *ns = ra->node->volume->ns;
	uint64_t at = ra->next_offset;
	unsigned count = 0;
	struct block *b;

	while (count < BLOCKS_AHEAD && at < ra->size_bytes) {
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

/* Others that waited for these blocks find out for themselves. */
static int block_failed(struct readahead *ra, struct block *b)
{
	int errnum = b->errnum;

	ra->changed = b->changed;
	while ((b = TAILQ_FIRST(&ra->blocks)))
		block_free(b);
	return errnum;
}

/* A random read fetches what it needs; the second one in a row reads ahead. */
static void follow(struct readahead *ra, uint64_t offset)
{
	struct ns *ns = ra->node->volume->ns;
	bool sequential =
		offset <= ra->next_offset + KEEP_BEHIND && offset + KEEP_BEHIND >= ra->next_offset;

	TAILQ_REMOVE(&ns->readers, ra, recent);
	TAILQ_INSERT_TAIL(&ns->readers, ra, recent);
	if (!sequential) {
		ra->next_offset = offset;
		ra->next_len = BLOCK_START;
	}
	drop_behind(ra);
	if (sequential)
		fetch_ahead(ra);
}

int readahead_runs(struct ns_call *c, struct readahead *ra, uint64_t offset, uint64_t end,
	struct bytes runs[BLOCK_RUNS_MAX], size_t *count, void (*resume)(struct ns_call *))
{
	uint64_t at = offset;

	*count = 0;
	follow(ra, offset);
	while (at < end && *count < BLOCK_RUNS_MAX) {
		struct block *b = block_at(ra, at);
		size_t n;

		if (!b && !(b = fetch(ra, at, clip(ra, at, (size_t)(end - at)))))
			return ENOMEM;
		if (b->op) {
			park(c, &ra->waiters, resume);
			return -1;
		}
		if (b->errnum)
			return block_failed(ra, b);
		n = (size_t)(b->offset + b->len - at);
		if (n > end - at)
			n = (size_t)(end - at);
		runs[(*count)++] = BYTES(b->data + (at - b->offset), n);
		at += n;
	}
	ra->delivered = true;
	if (at > ra->next_offset)
		ra->next_offset = at;
	return 0;
}
