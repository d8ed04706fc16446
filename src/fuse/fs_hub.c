/*
 * Inode 1 when it is a directory of volumes. With a hub it is the root of a mount of all buckets:
 * names come and go in S3 only. Without one it is the hidden root of a shared superblock: nobody
 * but the thread that attaches a volume finds anything in it. Core thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuse/fs_int.h"

#define HUB_INO ((uint64_t)1 << 62) /* the name space counts from 1 */
#define COOKIE_FIRST 3              /* behind the two dots */

static const struct fs *fs_of(const struct ns_call *c)
{
	return fuse_req_userdata(((const struct fs_req *)c)->req);
}

static void fill_attr(const struct fs *fs, struct ns_attr *attr)
{
	const struct fs_hub *hub = fs->hub;

	*attr = (struct ns_attr){.attr_timeout_s = 3600, .entry_timeout_s = 3600};
	attr->st.st_ino = HUB_INO;
	attr->st.st_nlink = 1;
	attr->st.st_mode = S_IFDIR | (hub ? hub->dir_mode & 0555 : 0);
	attr->st.st_uid = hub ? hub->uid : getuid();
	attr->st.st_gid = hub ? hub->gid : getgid();
}

static void found(struct ns_call *c, struct ns_volume *v)
{
	if (!v) {
		c->reply(c, ENOENT);
		return;
	}
	c->node = ns_root(v);
	ns_lookup_root(c);
}

/* ---- visible: names are brought up to date first ---- */

static void refreshed_lookup(void *arg, int errnum)
{
	struct ns_call *c = arg;
	const struct fs_hub *hub = fs_of(c)->hub;

	if (errnum)
		c->reply(c, errnum);
	else
		found(c, hub->volume(hub->ctx, c->name));
}

static void refreshed_open(void *arg, int errnum)
{
	struct ns_call *c = arg;

	c->dir = NULL;
	c->reply(c, errnum);
}

static void fill_names(struct ns_call *c)
{
	const struct fs *fs = fs_of(c);
	struct ns_attr attr;
	uint64_t i;
	const char *name;

	fill_attr(fs, &attr);
	if (c->offset < 1 && !fs_fill(c, ".", NULL, &attr, 1))
		goto out;
	if (c->offset < 2 && !fs_fill(c, "..", NULL, &attr, 2))
		goto out;
	for (i = c->offset < COOKIE_FIRST ? 0 : c->offset - COOKIE_FIRST + 1;
		fs->hub->name(fs->hub->ctx, (size_t)i, &name); i++) {
		/* Without attributes: a bucket is connected to when somebody goes there. */
		struct ns_attr entry = {.st = {.st_ino = HUB_INO + 1 + i, .st_mode = S_IFDIR}};

		if (name && !fs_fill(c, name, NULL, &entry, i + COOKIE_FIRST))
			break;
	}
out:
	c->reply(c, 0);
}

static void start_visible(struct fs_req *r, void (*start)(struct ns_call *))
{
	const struct fs *fs = fuse_req_userdata(r->req);
	struct ns_call *c = &r->call;

	if (start == ns_lookup)
		fs->hub->refresh(fs->hub->ctx, refreshed_lookup, c);
	else if (start == ns_opendir)
		fs->hub->refresh(fs->hub->ctx, refreshed_open, c);
	else if (r->kind == REPLY_DIRENTS)
		fill_names(c);
	else if (start == ns_fsyncdir || start == ns_access)
		c->reply(c, 0);
	else
		c->reply(c, EPERM); /* buckets are made and removed elsewhere */
}

/* ---- both ---- */

void fs_hub_start(struct fs_req *r, void (*start)(struct ns_call *))
{
	const struct fs *fs = fuse_req_userdata(r->req);
	struct ns_call *c = &r->call;

	if (start == ns_getattr) {
		fill_attr(fs, &c->attr);
		c->reply(c, 0);
	} else if (fs->hub) {
		start_visible(r, start);
	} else if (start == ns_lookup) {
		found(c, attacher_find(fs->attacher, c->name, c->tid));
	} else {
		c->reply(c, EACCES);
	}
}

int fs_hub_use(const struct fs_req *r)
{
	const struct fs_hub *hub = fs_of(&r->call)->hub;
	struct ns_volume *v;

	if (!hub || !r->call.node)
		return 0;
	v = ns_volume_of(r->call.node);
	return ns_volume_connected(v) ? 0 : hub->use(hub->ctx, v);
}
