/*
 * The size of a file: O_TRUNC, ftruncate(2), truncate(2) and fallocate(2). Cut, a file keeps the
 * ranges of objects that are left of it; made longer, it has a hole, which is stored as zeros.
 */
#include <errno.h>

#include "ns/ns_content.h"

void truncate_open(struct node *n)
{
	struct content *ct = content_get(n);

	content_clear(ct);
	content_changed(ct, false);
}

/* 0, a positive errno, or -1: the call was parked, with c->errnum for `resume` to look at. */
static int resize(struct ns_call *c, uint64_t size, void (*resume)(struct ns_call *))
{
	struct content *ct = content_get(c->node);

	if (!size) {
		truncate_open(c->node);
		return 0;
	}
	if (ct->errnum)
		return ct->errnum;
	if (!content_load(c, ct, resume))
		return -1;
	if (size < ct->extents.size_bytes && !content_touch(c, ct, size, UINT64_MAX, resume))
		return -1;
	extents_resize(&ct->extents, size);
	content_changed(ct, false);
	return 0;
}

/* A file that nobody has open for writing is stored at once. */
static void store(struct ns_call *c)
{
	struct content *ct = c->node->u.content;

	park(c, &ct->flushers, c->next);
	content_save(ct, NULL, c->tid);
}

static void set_size(struct ns_call *c)
{
	struct node *n = c->node;
	struct content *ct = n->u.content;
	bool open = node_has_writer(n) || (ct && ct->unlinked);
	int r = c->errnum;

	if (!r && (uint64_t)c->st.st_size == n->size_bytes) {
		c->next(c);
		return;
	}
	if (!r && ct && ct->flushing) {
		park(c, &ct->waiters, set_size);
		return;
	}
	if (!r && !n->live && !open)
		r = ENOENT;
	if (!r && !open && n->pending) {
		wait_node(c, n, set_size);
		return;
	}
	if (!r && !open && sources_rescue(c, n, ct, set_size))
		return;
	if (!r)
		r = resize(c, (uint64_t)c->st.st_size, set_size);
	if (r < 0)
		return;
	c->errnum = r;
	if (!r && !open)
		store(c);
	else
		c->next(c);
}

void setattr_size(struct ns_call *c, void (*next)(struct ns_call *))
{
	c->next = next;
	c->errnum = 0;
	if (c->node->kind != NODE_FILE)
		c->errnum = EISDIR;
	else if (c->st.st_size < 0 || (uint64_t)c->st.st_size > FILE_BYTES_MAX)
		c->errnum = EFBIG;
	if (c->errnum)
		next(c);
	else
		set_size(c);
}

/* fallocate(2): S3 has room. Bytes that are written over need none that was not there before. */
static void allocate_go(struct ns_call *c)
{
	struct content *ct = c->node->u.content;
	uint64_t size = c->offset + c->size;
	int r = c->errnum;

	if (!r && ct->flushing) {
		park(c, &ct->waiters, allocate_go);
		return;
	}
	if (!r && size > c->node->size_bytes)
		r = resize(c, size, allocate_go);
	if (r >= 0)
		c->reply(c, r);
}

void ns_fallocate(struct ns_call *c)
{
	c->errnum = 0;
	if (!c->file->writes || !c->node->u.content)
		c->reply(c, EBADF);
	else if (c->flags)
		c->reply(c, EOPNOTSUPP);
	else if (c->offset + c->size > FILE_BYTES_MAX)
		c->reply(c, EFBIG);
	else
		allocate_go(c);
}
