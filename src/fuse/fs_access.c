/*
 * Who may do what, where the kernel leaves it to us: in a superblock that several mounts share it
 * lets everyone in, and it does not check mode bits (that would cost a GETATTR of the directory for
 * every file made in it). The decision is the name space's; this says what each request needs. Core
 * thread.
 */
#include <errno.h>
#include <stdlib.h>

#include "fuse/fs_int.h"
#include "util/mem.h"

#define GROUPS_START 64

/* The caller's supplementary groups; they are only read when the answer may hang on them. */
static bool caller_has_group(void *ctx, gid_t gid)
{
	const struct fs_req *r = ctx;
	int i, n, max = GROUPS_START;
	gid_t *groups = mem_calloc((size_t)max, sizeof(*groups));
	bool found = false;

	n = fuse_req_getgroups(r->req, max, groups);
	if (n > max) {
		max = n;
		groups = mem_resize(groups, (size_t)max, sizeof(*groups));
		n = fuse_req_getgroups(r->req, max, groups);
	}
	for (i = 0; i < n && i < max && !found; i++)
		found = groups[i] == gid;
	free(groups);
	return found;
}

static int permit_node(const struct fs_req *r, const struct node *n, unsigned need)
{
	struct ns_who who = {
		.uid = r->call.uid,
		.gid = r->call.gid,
		.has_group = caller_has_group,
		.ctx = (void *)(uintptr_t)r,
	};

	return ns_permit(n, &who, need & (FS_NEED_R | FS_NEED_W | FS_NEED_X), need & FS_NEED_OWNER);
}

int fs_permit(const struct fs_req *r)
{
	const struct fs *fs = fuse_req_userdata(r->req);
	int errnum = 0;

	/* Root may do everything, as everywhere; an open handle is a permission that was given. */
	if (!fs->attacher || !r->call.uid || !r->need || !r->call.node)
		return 0;
	errnum = permit_node(r, r->call.node, r->need);
	if (!errnum && r->need2 && r->call.parent2)
		errnum = permit_node(r, r->call.parent2, r->need2);
	return errnum;
}

void fs_start_access(struct ns_call *c)
{
	c->reply(c, 0);
}
