/* The low-level FUSE operations: each decodes a request and hands it to the name space. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "fuse/fs_int.h"
#include "util/mem.h"

#define NAME_BYTES_MAX 1024

static void fs_init(void *userdata, struct fuse_conn_info *conn)
{
	const struct fs *fs = userdata;

	conn->want &=
		~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
			    FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_WRITEBACK_CACHE);
	/* Attributes come with every listing, so no entry of a directory is looked up again. */
	conn->want |= conn->capable &
		      (FUSE_CAP_READDIRPLUS | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_ATOMIC_O_TRUNC |
			      FUSE_CAP_ASYNC_READ | FUSE_CAP_AUTO_INVAL_DATA);
	conn->max_write = 1 << 20;
	if (fs->max_read_bytes)
		conn->max_read = fs->max_read_bytes;
	conn->max_background = 128;
	conn->congestion_threshold = 96;
	conn->time_gran = 1; /* times are kept to the nanosecond (ns_meta.c) */
}

static void fs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs_req *r = fs_begin(req, parent, REPLY_ENTRY);

	r->call.name = mem_strdup(name);
	fs_start(r, ns_lookup);
}

static void fs_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	struct fs *fs = fuse_req_userdata(req);

	fs->taken = true;
	if (ino != FUSE_ROOT_ID)
		ns_forget(fs_node(fs, ino), nlookup);
	fuse_reply_none(req);
}

static void fs_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct fs *fs = fuse_req_userdata(req);
	size_t i;

	fs->taken = true;
	for (i = 0; i < count; i++)
		if (forgets[i].ino != FUSE_ROOT_ID)
			ns_forget(fs_node(fs, forgets[i].ino), forgets[i].nlookup);
	fuse_reply_none(req);
}

static struct ns_file_handle *file_of(const struct fuse_file_info *fi)
{
	return fi ? (struct ns_file_handle *)(uintptr_t)fi->fh : NULL;
}

static void fs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs_req *r = fs_begin(req, ino, REPLY_ATTR);

	r->call.file = file_of(fi);
	fs_start(r, ns_getattr);
}

/* Not asked where the kernel checks modes itself. */
static void fs_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	struct fs_req *r = fs_begin(req, ino, REPLY_ERR);

	r->call.flags = (unsigned)mask;
	fs_start(r, ns_access);
}

static void fs_setattr(
	fuse_req_t req, fuse_ino_t ino, struct stat *st, int to_set, struct fuse_file_info *fi)
{
	static const struct {
		int fuse;
		unsigned ns;
	} map[] = {
		{FUSE_SET_ATTR_MODE, NS_SET_MODE},
		{FUSE_SET_ATTR_UID, NS_SET_UID},
		{FUSE_SET_ATTR_GID, NS_SET_GID},
		{FUSE_SET_ATTR_SIZE, NS_SET_SIZE},
		{FUSE_SET_ATTR_ATIME, NS_SET_ATIME},
		{FUSE_SET_ATTR_MTIME, NS_SET_MTIME},
		{FUSE_SET_ATTR_MTIME_NOW, NS_SET_MTIME_NOW},
	};
	struct fs_req *r = fs_begin(req, ino, REPLY_ATTR);
	size_t i;

	for (i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (to_set & map[i].fuse)
			r->call.flags |= map[i].ns;
	r->call.st = *st;
	r->call.file = file_of(fi);
	fs_start(r, ns_setattr);
}

static void fs_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct fs_req *r = fs_begin(req, parent, REPLY_ENTRY);

	r->call.name = mem_strdup(name);
	r->call.st.st_mode = mode;
	fs_start(r, ns_mkdir);
}

static void fs_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs_req *r = fs_begin(req, parent, REPLY_ERR);

	r->call.name = mem_strdup(name);
	fs_start(r, ns_unlink);
}

static void fs_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs_req *r = fs_begin(req, parent, REPLY_ERR);

	r->call.name = mem_strdup(name);
	fs_start(r, ns_rmdir);
}

static void fs_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
	const char *newname, unsigned int flags)
{
	struct fs_req *r = fs_begin(req, parent, REPLY_ERR);

	r->call.name = mem_strdup(name);
	r->call.parent2 = fs_node(fuse_req_userdata(req), newparent);
	r->call.name2 = mem_strdup(newname);
	r->call.flags = flags;
	fs_start(r, ns_rename);
}

/* S3 has no such thing; EPERM is what link(2) calls a filesystem without it. */
static void fs_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname)
{
	(void)ino;
	(void)newparent;
	(void)newname;
	fuse_reply_err(req, EPERM);
}

static void fs_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
	struct fs_req *r = fs_begin(req, parent, REPLY_ENTRY);

	r->call.name = mem_strdup(name);
	r->call.name2 = mem_strdup(link);
	fs_start(r, ns_symlink);
}

static void fs_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct fs_req *r = fs_begin(req, ino, REPLY_LINK);

	fs_start(r, ns_readlink);
}

static void fs_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	struct fs_req *r = fs_begin(req, parent, REPLY_ENTRY);

	(void)rdev;
	r->call.name = mem_strdup(name);
	r->call.st.st_mode = mode;
	fs_start(r, ns_mknod);
}

static void fs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs_req *r = fs_begin(req, ino, REPLY_OPEN);

	r->fi = *fi;
	r->call.flags = (unsigned)fi->flags;
	fs_start(r, ns_open);
}

static void fs_create(
	fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct fs_req *r = fs_begin(req, parent, REPLY_CREATE);

	r->call.st.st_mode = mode;
	r->fi = *fi;
	r->call.flags = (unsigned)fi->flags;
	r->call.name = mem_strdup(name);
	fs_start(r, ns_create);
}

static void fs_read(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct fs_req *r = fs_begin(req, ino, REPLY_READ);

	r->call.file = file_of(fi);
	r->call.offset = (uint64_t)off;
	r->call.size = size;
	fs_start(r, ns_read);
}

static void fs_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t off,
	struct fuse_file_info *fi)
{
	struct fs_req *r = fs_begin(req, ino, REPLY_WRITE);

	r->call.file = file_of(fi);
	r->call.offset = (uint64_t)off;
	r->call.size = size;
	r->call.data = data;
	fs_start(r, ns_write);
}

static void fs_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs_req *r = fs_begin(req, ino, REPLY_ERR);

	r->call.file = file_of(fi);
	fs_start(r, ns_flush);
}

static void fs_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct fs_req *r = fs_begin(req, ino, REPLY_ERR);

	(void)datasync;
	r->call.file = file_of(fi);
	fs_start(r, ns_fsync);
}

static void fs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fuse_req_userdata(req);

	(void)ino;
	fs->taken = true;
	fuse_reply_err(req, 0);
	ns_release(file_of(fi));
}

static void fs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs_req *r = fs_begin(req, ino, REPLY_OPENDIR);

	r->fi = *fi;
	fs_start(r, ns_opendir);
}

static void start_readdir(struct ns_call *c)
{
	struct fs_req *r = (struct fs_req *)c;

	if (r->dirents)
		ns_readdir(c, fs_fill, r->plus);
	else
		c->reply(c, ENOMEM);
}

static void read_dir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
	struct fuse_file_info *fi, bool plus)
{
	struct fs_req *r = fs_begin(req, ino, REPLY_DIRENTS);

	r->call.dir = (struct ns_dir_handle *)(uintptr_t)fi->fh;
	r->call.offset = (uint64_t)off;
	r->dirents = mem_large(size);
	r->dirents_max = r->dirents ? size : 0;
	r->plus = plus;
	fs_start(r, start_readdir);
}

static void fs_readdir(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	read_dir(req, ino, size, off, fi, false);
}

static void fs_readdirplus(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	read_dir(req, ino, size, off, fi, true);
}

static void fs_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fuse_req_userdata(req);

	(void)ino;
	fs->taken = true;
	fuse_reply_err(req, 0);
	if (fi->fh)
		ns_releasedir((struct ns_dir_handle *)(uintptr_t)fi->fh);
}

static void fs_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)datasync;
	(void)fi;
	fs_start(fs_begin(req, ino, REPLY_ERR), ns_fsyncdir);
}

/* A bucket has no size of its own: the numbers only have to be large and constant. */
static void fs_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st = {
		.f_bsize = 1 << 20,
		.f_frsize = 4096,
		.f_blocks = (fsblkcnt_t)1 << 38,
		.f_bfree = (fsblkcnt_t)1 << 38,
		.f_bavail = (fsblkcnt_t)1 << 38,
		.f_files = (fsfilcnt_t)1 << 40,
		.f_ffree = (fsfilcnt_t)1 << 40,
		.f_favail = (fsfilcnt_t)1 << 40,
		.f_namemax = NAME_BYTES_MAX,
	};

	(void)ino;
	fuse_reply_statfs(req, &st);
}

static void fs_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
	struct fuse_file_info *fi)
{
	struct fs_req *r = fs_begin(req, ino, REPLY_ERR);

	r->call.file = file_of(fi);
	r->call.offset = (uint64_t)offset;
	r->call.size = (size_t)length;
	r->call.flags = (unsigned)mode;
	fs_start(r, ns_fallocate);
}

static void fs_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
	struct fuse_file_info *fi_in, fuse_ino_t ino_out, off_t off_out,
	struct fuse_file_info *fi_out, size_t len, int flags)
{
	struct fs_req *r = fs_begin(req, ino_out, REPLY_WRITE);

	(void)ino_in;
	(void)flags;
	r->call.file = file_of(fi_in);
	r->call.file2 = file_of(fi_out);
	r->call.offset = (uint64_t)off_in;
	r->call.offset2 = (uint64_t)off_out;
	r->call.size = len;
	fs_start(r, ns_copy);
}

const struct fuse_lowlevel_ops fs_ops = {
	.init = fs_init,
	.lookup = fs_lookup,
	.forget = fs_forget,
	.forget_multi = fs_forget_multi,
	.getattr = fs_getattr,
	.access = fs_access,
	.setattr = fs_setattr,
	.readlink = fs_readlink,
	.mknod = fs_mknod,
	.mkdir = fs_mkdir,
	.unlink = fs_unlink,
	.rmdir = fs_rmdir,
	.rename = fs_rename,
	.link = fs_link,
	.symlink = fs_symlink,
	.open = fs_open,
	.create = fs_create,
	.read = fs_read,
	.write = fs_write,
	.flush = fs_flush,
	.fsync = fs_fsync,
	.release = fs_release,
	.opendir = fs_opendir,
	.readdir = fs_readdir,
	.readdirplus = fs_readdirplus,
	.releasedir = fs_releasedir,
	.fsyncdir = fs_fsyncdir,
	.getxattr = fs_getxattr,
	.listxattr = fs_listxattr,
	.setxattr = fs_setxattr,
	.removexattr = fs_removexattr,
	.statfs = fs_statfs,
	.fallocate = fs_fallocate,
	.copy_file_range = fs_copy_file_range,
};
