/*
 * Extended attributes of the namespace user: kept with the object as s3fs keeps them, sent and read
 * with its other attributes (ns_meta.c). What S3 itself says of an object is in the namespace s3
 * (ns_info.c). The rest of the namespaces have no place in S3. Core thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <linux/limits.h>
#include <sys/xattr.h>

#include "ns/ns_int.h"

/* Room for mode, uid, gid and mtime at their longest, with the prefix that S3 may or may not count.
 */
#define OTHERS_BYTES 105
#define XATTR_BYTES (META_BYTES_MAX - OTHERS_BYTES - sizeof("x-amz-meta-xattr"))

static bool is_user(const char *name)
{
	return !strncmp(name, "user.", 5);
}

static bool is_s3(const char *name)
{
	return !strncmp(name, "s3.", 3);
}

bool ns_xattr_offered(const char *name)
{
	return is_user(name) || is_s3(name);
}

static void reply_value(struct ns_call *c, struct bytes value)
{
	c->runs = &value;
	c->run_count = 1;
	c->reply(c, 0);
}

/* ---- reading ---- */

void ns_getxattr(struct ns_call *c)
{
	struct node *n = c->node;
	const struct xattr *a;

	if (is_s3(c->name)) {
		info_get(c);
		return;
	}
	if (!is_user(c->name)) {
		c->reply(c, EOPNOTSUPP);
		return;
	}
	if (!(n->meta && (n->meta->has & META_XATTRS)) && meta_look(c, n, ns_getxattr))
		return;
	if (c->errnum) {
		c->reply(c, c->errnum);
		return;
	}
	a = n->meta ? xattrs_find(&n->meta->xattrs, c->name) : NULL;
	if (a)
		reply_value(c, BYTES(a->value, a->len));
	else
		c->reply(c, ENODATA);
}

/*
 * Who goes through a directory that he has listed is told what is known, as of modes and times: he
 * asks this of every name.
 */
static bool goes_by_listing(const struct ns_call *c)
{
	const struct node *up = c->node->parent;
	const struct ns *ns = c->node->volume->ns;

	return walk_recognised(ns, c) || (up && up->u.dir->snapshot_tgid == walk_tgid(ns, c));
}

void ns_listxattr(struct ns_call *c)
{
	struct node *n = c->node;
	struct buf names = BUF_INIT(XATTR_LIST_MAX);
	size_t i;

	if (!goes_by_listing(c) && meta_look(c, n, ns_listxattr))
		return;
	for (i = 0; n->meta && i < n->meta->xattrs.count; i++) {
		const char *name = n->meta->xattrs.items[i].name;

		if (is_user(name) && strlen(name) <= XATTR_NAME_MAX)
			buf_add(&names, name, strlen(name) + 1);
	}
	if (c->errnum)
		c->reply(c, c->errnum);
	else
		reply_value(c, buf_bytes(&names));
	buf_free(&names);
}

/* ---- changing ---- */

/* 0, or why a set of that size cannot be kept; `value_len` of the one that is added. */
static int check_room(const struct node *n, const struct xattrs *x, const char *name, size_t len)
{
	struct xattrs alone = {0};
	struct buf text = BUF_INIT(XATTR_BYTES);
	bool fits;

	/* In base64, which is URL-encoded then, it takes a third more at least. */
	if (len > XATTR_BYTES)
		return E2BIG;
	xattrs_set(&alone, name, xattrs_find(x, name)->value, len);
	xattrs_format(&alone, &text);
	fits = !text.failed;
	xattrs_free(&alone);
	buf_free(&text);
	if (!fits)
		return E2BIG;
	text.max = XATTR_BYTES - (n->meta && n->meta->size < XATTR_BYTES ? n->meta->size : 0);
	xattrs_format(x, &text);
	fits = !text.failed && !(n->meta && n->meta->size >= XATTR_BYTES);
	buf_free(&text);
	return fits ? 0 : ENOSPC;
}

/* The changed set, or why not. */
static int change(const struct ns_call *c, bool set, struct xattrs *x)
{
	const struct node_meta *m = c->node->meta;
	const struct xattr *old;

	if (m)
		xattrs_copy(x, &m->xattrs);
	old = xattrs_find(x, c->name);
	if (!set)
		return xattrs_remove(x, c->name) ? 0 : ENODATA;
	if (old && (c->flags & XATTR_CREATE))
		return EEXIST;
	if (!old && (c->flags & XATTR_REPLACE))
		return ENODATA;
	xattrs_set(x, c->name, c->data, c->size);
	return check_room(c->node, x, c->name, c->size);
}

static void change_done(struct ns_call *c)
{
	c->reply(c, c->errnum);
}

static void change_go(struct ns_call *c, bool set, void (*again)(struct ns_call *))
{
	struct node *n = c->node;
	struct node_meta m = {.has = META_XATTRS};
	int errnum = 0;

	if (n->volume->config.read_only)
		errnum = EROFS;
	else if (is_s3(c->name)) {
		info_set(c, set);
		return;
	} else if (!is_user(c->name) || !n->parent || n->link)
		errnum = EOPNOTSUPP;
	else if (!c->name[5])
		errnum = EINVAL;
	if (!errnum && (meta_busy(c, again) || meta_look(c, n, again)))
		return;
	if (!errnum)
		errnum = c->errnum ? c->errnum : change(c, set, &m.xattrs);
	if (errnum || (n->meta && xattrs_equal(&m.xattrs, &n->meta->xattrs) &&
			      (n->meta->has & META_XATTRS)))
		c->reply(c, errnum);
	else
		meta_change(c, &m, change_done);
	meta_clear(&m);
}

void ns_setxattr(struct ns_call *c)
{
	change_go(c, true, ns_setxattr);
}

void ns_removexattr(struct ns_call *c)
{
	change_go(c, false, ns_removexattr);
}
