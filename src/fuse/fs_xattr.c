/* Extended attributes: see ns_xattr.c. Core thread. */
#include <errno.h>
#include <stdlib.h>

#include "fuse/fs_int.h"
#include "util/mem.h"

/* The kernel asks for security.capability before it writes: that must cost nothing. */
static bool refused(fuse_req_t req, const char *name)
{
	if (ns_xattr_offered(name))
		return false;
	fuse_reply_err(req, EOPNOTSUPP);
	return true;
}

void fs_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct fs_req *r;

	if (refused(req, name))
		return;
	r = fs_begin(req, ino, REPLY_XATTR);
	r->call.name = mem_strdup(name);
	r->call.size = size;
	fs_start(r, ns_getxattr);
}

void fs_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct fs_req *r = fs_begin(req, ino, REPLY_XATTR);

	r->call.size = size;
	fs_start(r, ns_listxattr);
}

void fs_setxattr(
	fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
{
	struct fs_req *r;

	if (refused(req, name))
		return;
	r = fs_begin(req, ino, REPLY_ERR);
	r->call.name = mem_strdup(name);
	r->data = mem_dup(value, size);
	r->call.data = r->data;
	r->call.size = size;
	r->call.flags = (unsigned)flags;
	fs_start(r, ns_setxattr);
}

void fs_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct fs_req *r;

	if (refused(req, name))
		return;
	r = fs_begin(req, ino, REPLY_ERR);
	r->call.name = mem_strdup(name);
	fs_start(r, ns_removexattr);
}
