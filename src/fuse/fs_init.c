/*
 * A flag of the connection that libfuse 3.14 does not know. The kernel asks a filesystem that has
 * extended attributes for security.capability before each write, unless the filesystem says that
 * it takes privileges away itself (FUSE_HANDLE_KILLPRIV_V2): then only once a file. So the answer
 * to FUSE_INIT gets that flag on its way out, where the kernel has offered it. Core thread.
 *
 * What the flag promises: a write or a truncation by somebody without privileges, and a change of
 * owner, take away the set-user-ID and set-group-ID bits (ns_meta.c). No file has capabilities.
 */
#include <errno.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuse/fs_int.h"

/* Of fuse_init_in and fuse_init_out, from the protocol that has the flag on. */
#define INIT_OFFER(in) (((const struct fuse_init_in *)(in))->flags)

static ssize_t read_request(int fd, void *buf, size_t len, void *userdata)
{
	struct fs *fs = userdata;
	const struct fuse_in_header *h = buf;
	ssize_t n = read(fd, buf, len);

	if (n >= (ssize_t)(sizeof(*h) + sizeof(struct fuse_init_in)) && h->opcode == FUSE_INIT) {
		fs->init_unique = h->unique;
		fs->init_offered = INIT_OFFER(h + 1) & FUSE_HANDLE_KILLPRIV_V2;
	}
	return n;
}

static ssize_t write_answer(int fd, struct iovec *iov, int count, void *userdata)
{
	struct fs *fs = userdata;
	const struct fuse_out_header *h = iov[0].iov_base;

	if (fs->init_unique && h->unique == fs->init_unique) {
		/* Sent, it would make a mount that answers nothing: it is asked again. */
		fs->init_refused = count == 1 && h->error == -ENOMEM;
		if (fs->init_refused)
			return (ssize_t)h->len;
		fs->init_unique = 0;
		if (fs->init_offered && count == 2 &&
			iov[1].iov_len >= sizeof(struct fuse_init_out))
			((struct fuse_init_out *)iov[1].iov_base)->flags |= FUSE_HANDLE_KILLPRIV_V2;
	}
	return writev(fd, iov, count);
}

int fs_init_more(struct fs *fs)
{
	static const struct fuse_custom_io io = {.read = read_request, .writev = write_answer};

	return fuse_session_custom_io(fs->session, &io, fuse_session_fd(fs->session));
}
