/*
 * Requests and their answers. A request is answered exactly once: every way ends in reply(), which
 * frees it. Core thread only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "fuse/fs_int.h"
#include "util/mem.h"

#define IOV_PARTS 64

struct node *fs_node(const struct fs *fs, fuse_ino_t ino)
{
	if (ino != FUSE_ROOT_ID)
		return (struct node *)(uintptr_t)ino;
	return fs->volume ? ns_root(fs->volume) : NULL;
}

fuse_ino_t fs_ino(const struct fs *fs, const struct node *n)
{
	return fs->volume && n == ns_root(fs->volume) ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)n;
}

static struct fuse_entry_param entry_of(
	const struct fs *fs, const struct node *n, const struct ns_attr *attr)
{
	return (struct fuse_entry_param){
		.ino = fs_ino(fs, n),
		.attr = attr->st,
		.attr_timeout = attr->attr_timeout_s,
		.entry_timeout = attr->entry_timeout_s,
	};
}

static void reply_read(struct fs_req *r)
{
	struct iovec iov[IOV_PARTS];
	size_t i;

	for (i = 0; i < r->call.run_count && i < IOV_PARTS; i++)
		iov[i] = (struct iovec){.iov_base = (void *)(uintptr_t)r->call.runs[i].ptr,
			.iov_len = r->call.runs[i].len};
	fuse_reply_iov(r->req, iov, (int)i);
}

static void reply_xattr(struct fs_req *r)
{
	struct bytes value = r->call.runs[0];

	if (!r->call.size)
		fuse_reply_xattr(r->req, value.len);
	else if (value.len > r->call.size)
		fuse_reply_err(r->req, ERANGE);
	else
		fuse_reply_buf(r->req, value.ptr, value.len);
}

/* A handle that the kernel could not be told of (the caller was killed) is let go of again. */
static void reply_handle(struct fs_req *r, const struct fs *fs)
{
	struct ns_call *c = &r->call;
	struct fuse_entry_param e;
	int err;

	r->fi.keep_cache = c->keep_cache;
	if (r->kind == REPLY_OPENDIR) {
		r->fi.fh = (uintptr_t)c->dir;
		if (fuse_reply_open(r->req, &r->fi) == -ENOENT)
			ns_releasedir(c->dir);
		return;
	}
	r->fi.fh = (uintptr_t)c->file;
	r->fi.noflush = ns_file_reads_only(c->file);
	if (r->kind == REPLY_OPEN) {
		err = fuse_reply_open(r->req, &r->fi);
	} else {
		e = entry_of(fs, c->result, &c->attr);
		err = fuse_reply_create(r->req, &e, &r->fi);
	}
	if (err != -ENOENT)
		return;
	ns_release(c->file);
	if (r->kind == REPLY_CREATE)
		ns_forget(c->result, 1);
}

static void reply_good(struct fs_req *r)
{
	const struct fs *fs = fuse_req_userdata(r->req);
	struct ns_call *c = &r->call;
	struct fuse_entry_param e;

	switch (r->kind) {
	case REPLY_ERR:
		fuse_reply_err(r->req, 0);
		break;
	case REPLY_ENTRY:
		e = entry_of(fs, c->result, &c->attr);
		if (fuse_reply_entry(r->req, &e) == -ENOENT)
			ns_forget(c->result, 1);
		break;
	case REPLY_ATTR:
		fuse_reply_attr(r->req, &c->attr.st, c->attr.attr_timeout_s);
		break;
	case REPLY_OPEN:
	case REPLY_CREATE:
	case REPLY_OPENDIR:
		reply_handle(r, fs);
		break;
	case REPLY_LINK:
		fuse_reply_readlink(r->req, c->text);
		break;
	case REPLY_XATTR:
		reply_xattr(r);
		break;
	case REPLY_READ:
		reply_read(r);
		break;
	case REPLY_DIRENTS:
		if (fuse_reply_buf(r->req, r->dirents, r->dirents_len) == -ENOENT)
			while (r->filled_count)
				ns_forget(r->filled[--r->filled_count], 1);
		break;
	case REPLY_WRITE:
		fuse_reply_write(r->req, c->done_bytes);
		break;
	}
}

static void reply(struct ns_call *c, int errnum)
{
	struct fs_req *r = (struct fs_req *)c;

	if (r->answered)
		*r->answered = true;
	if (errnum)
		fuse_reply_err(r->req, errnum);
	else
		reply_good(r);
	free(c->name);
	free(c->name2);
	free(r->dirents);
	free(r->filled);
	free(r->data);
	free(r);
}

struct fs_req *fs_begin(fuse_req_t req, fuse_ino_t ino, enum fs_reply kind)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct fs_req *r = mem_zalloc(sizeof(*r));

	r->req = req;
	r->kind = kind;
	r->call.tid = ctx->pid;
	r->call.uid = ctx->uid;
	r->call.gid = ctx->gid;
	r->call.node = fs_node(fuse_req_userdata(req), ino);
	r->call.reply = reply;
	return r;
}

static void interrupted(fuse_req_t req, void *data)
{
	struct fs_req *r = data;

	(void)req;
	ns_interrupt(&r->call);
}

/*
 * What goes on: who has opened a file writes it, into the spool if need be, rather than leaving
 * half of it; what ends something; and attributes, which cost nothing.
 */
static bool serves_in_need(void (*start)(struct ns_call *call))
{
	return start == ns_write || start == ns_copy || start == ns_flush || start == ns_fsync ||
	       start == ns_fsyncdir || start == ns_getattr || start == ns_access;
}

void fs_start(struct fs_req *r, void (*start)(struct ns_call *call))
{
	bool answered = false;
	int errnum = start != ns_getattr ? fs_hub_use(r) : 0;

	if (mem_short() && !serves_in_need(start))
		errnum = ENOMEM;
	r->answered = &answered;
	if (errnum)
		r->call.reply(&r->call, errnum);
	else if (!r->call.node)
		fs_hub_start(r, start);
	else
		start(&r->call);
	if (answered)
		return;
	r->answered = NULL;
	if (r->kind == REPLY_WRITE && r->call.data) {
		/* The session's buffer takes the next request; what is written must be kept. */
		r->data = mem_large(r->call.size);
		if (!r->data) {
			ns_give_up(&r->call, ENOMEM);
			return;
		}
		r->call.data = memcpy(r->data, r->call.data, r->call.size);
	}
	fuse_req_interrupt_func(r->req, interrupted, r);
}

bool fs_fill(struct ns_call *c, const char *name, struct node *n, const struct ns_attr *attr,
	uint64_t next_offset)
{
	struct fs_req *r = (struct fs_req *)c;
	const struct fs *fs = fuse_req_userdata(r->req);
	size_t room = r->dirents_max - r->dirents_len, size;
	struct fuse_entry_param e = {.attr = attr->st};

	if (n)
		e = entry_of(fs, n, attr);
	/* "." and ".." carry no lookup: inode 0 tells the kernel so. */
	if (r->plus)
		size = fuse_add_direntry_plus(
			r->req, r->dirents + r->dirents_len, room, name, &e, (off_t)next_offset);
	else
		size = fuse_add_direntry(r->req, r->dirents + r->dirents_len, room, name, &attr->st,
			(off_t)next_offset);
	if (size > room)
		return false;
	r->dirents_len += size;
	if (n && r->plus) {
		if (!(r->filled_count & (r->filled_count - 1)))
			r->filled = mem_resize(r->filled, r->filled_count ? r->filled_count * 2 : 1,
				sizeof(*r->filled));
		r->filled[r->filled_count++] = n;
	}
	return true;
}
