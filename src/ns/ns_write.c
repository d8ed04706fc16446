/*
 * write(2): bytes become local extents of the file. What was written one behind the other and is
 * more than a part is sent while more arrives.
 */
#include <errno.h>

#include "ns/ns_content.h"

/* Is the file to be uploaded while it is written? What comes one after the other will not change.
 */
static void stream(struct content *ct, uint64_t from, uint64_t to)
{
	struct plan_limits limits;
	uint64_t sent;

	if (from != ct->run_end)
		ct->run_start = from;
	ct->run_end = to;
	if (ct->unlinked || ct->leaving || !ct->node->live)
		return;
	sent = ct->upload ? ct->upload->end : 0;
	if (sent < ct->run_start)
		sent = ct->run_start;
	plan_limits_of(ct, &limits);
	if (to <= sent || to - sent <= limits.part_bytes)
		return;
	if (!ct->upload)
		upload_new(ct);
	/* With too many parts: close(2) says so, if it cannot do with fewer either. */
	upload_plan(ct->upload, to, false);
}

static void write_go(struct ns_call *c)
{
	struct content *ct = c->node->u.content;
	uint64_t from = c->offset + c->done_bytes, end = c->offset + c->size;
	int r = c->errnum ? c->errnum : ct->errnum;

	if (!r && ct->flushing) {
		park(c, &ct->waiters, write_go);
		return;
	}
	if (!r && (end > FILE_BYTES_MAX || end < c->offset))
		r = EFBIG;
	if (!r && (!content_load(c, ct, write_go) || !content_touch(c, ct, from, end, write_go)))
		return;
	if (!r)
		r = content_put(ct, c->offset, c->data, c->size, &c->done_bytes);
	if (r == SLAB_WAIT) {
		park(c, &c->node->volume->ns->slabs.waiters, write_go);
		return;
	}
	if (c->offset + c->done_bytes > from) {
		content_changed(ct, true);
		stream(ct, from, c->offset + c->done_bytes);
	}
	/* A short count, and the error with the next call: as write(2) has it. */
	c->reply(c, c->done_bytes ? 0 : r);
}

void ns_write(struct ns_call *c)
{
	if (!c->file->writes || !c->node->u.content) {
		c->reply(c, EBADF);
		return;
	}
	c->done_bytes = 0;
	c->errnum = 0;
	write_go(c);
}
