/*
 * write(2): bytes are appended to the file's buffer; full buffers become parts that are uploaded
 * while more arrives. Within the buffer any offset may be written; a byte that is on its way to S3
 * already cannot be changed.
 */
#include <errno.h>
#include <stdlib.h>

#include "ns/ns_int.h"
#include "util/clk.h"
#include "util/log.h"
#include "util/mem.h"

static void write_go(struct ns_call *c);

/* ---- an object that is appended to, and too small to be a part: its bytes are fetched ---- */

struct load {
	struct node *node; /* a reference; NULL base: it was truncated meanwhile */
	char *data;
	size_t len;
};

static void loaded(void *ctx, const struct s3_err *err, const struct s3_get_result *result)
{
	struct load *l = ctx;
	struct content *ct = l->node->u.content;

	if (ct && ct->loading == l) {
		ct->loading = NULL;
		if (err->cls != S3_OK || result->got != l->len) {
			ct->errnum = err->cls != S3_OK ? err->errnum : EIO;
		} else if (content_room(ct, l->len) > 0) {
			ct->errnum = ENOMEM;
		} else {
			memcpy(ct->data, l->data, l->len);
			ct->used = l->len;
			content_drop_base(ct);
		}
		wake(&ct->waiters);
	}
	free(l->data);
	node_unref(l->node);
	free(l);
}

static void load_base(struct content *ct)
{
	struct load *l = mem_zalloc(sizeof(*l));
	struct buf key = BUF_INIT(0);
	char text[64];

	l->node = node_ref(ct->node);
	l->len = (size_t)ct->base_bytes;
	l->data = malloc(l->len ? l->len : 1);
	if (!l->data) {
		ct->errnum = ENOMEM;
		node_unref(l->node);
		free(l);
		return;
	}
	ct->loading = l;
	node_key(ct->base, &key);
	s3_get(ct->base->volume->client, buf_bytes(&key), etag_text(&ct->base_etag, text), 0,
		l->data, l->len, 0, loaded, l);
	buf_free(&key);
}

/* Brings the base into a form that bytes can be added to. False: the call was parked. */
static bool base_ready(struct ns_call *c, struct content *ct)
{
	if (ct->own) {
		if (ct->node->pending && ct->node->size_bytes) {
			wait_node(c, ct->node, write_go);
			return false;
		}
		ct->own = false;
		if (ct->node->size_bytes) {
			content_set_base(ct, ct->node, &ct->node->etag, ct->node->size_bytes);
			ct->base_bytes = ct->base_full_bytes;
		}
	}
	if (!ct->base || ct->part_count)
		return true;
	if (ct->base_bytes > part_bytes(ct)) {
		upload_queue_base(ct);
		return true;
	}
	if (!ct->loading)
		load_base(ct);
	if (!ct->errnum)
		park(c, &ct->waiters, write_go);
	return !c->parked;
}

/* Copies as much as one buffer takes: 0, a positive errno, or -1: the call was parked. */
static int add(struct ns_call *c, struct content *ct)
{
	size_t part = part_bytes(ct), left = c->size - c->done_bytes;
	uint64_t start = ct->size_bytes - ct->used, at = c->offset + c->done_bytes;
	size_t rel, n;
	int r;

	if (at < start || at - start > part) {
		log_warn("%s: a write at %llu is neither at its end nor within its last %zu bytes; "
			 "write it to a local file and copy that",
			ct->node->name, (unsigned long long)at, part);
		return EOPNOTSUPP;
	}
	rel = (size_t)(at - start);
	if (rel == part) {
		upload_queue_data(ct);
		return ct->errnum;
	}
	n = left < part - rel ? left : part - rel;
	r = rel + n > ct->used ? content_room(ct, rel + n - ct->used) : 0;
	if (r > 0)
		return r;
	if (r < 0) {
		park(c, &ct->node->volume->ns->write_waiters, write_go);
		return -1;
	}
	if (rel > ct->used)
		memset(ct->data + ct->used, 0, rel - ct->used);
	memcpy(ct->data + rel, c->data + c->done_bytes, n);
	if (rel + n > ct->used)
		ct->used = rel + n;
	ct->size_bytes = start + ct->used;
	c->done_bytes += n;
	return 0;
}

static void write_go(struct ns_call *c)
{
	struct content *ct = c->node->u.content;
	int r = ct->errnum;

	if (!r && ct->flushing) {
		park(c, &ct->waiters, write_go);
		return;
	}
	if (!r && !base_ready(c, ct))
		return;
	while (!r && !(r = ct->errnum) && c->done_bytes < c->size)
		r = add(c, ct);
	if (r < 0)
		return;
	ct->dirty = true;
	c->node->size_bytes = ct->size_bytes;
	c->node->mtime_ms = clk_wall_ms();
	meta_written(c->node);
	c->node->pages_good = true;
	node_touch(c->node);
	c->reply(c, r);
}

void ns_write(struct ns_call *c)
{
	if (!c->file->writes || !c->node->u.content) {
		c->reply(c, EBADF);
		return;
	}
	c->done_bytes = 0;
	write_go(c);
}
