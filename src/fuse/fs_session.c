/* The session: mount, requests as a source of the core loop, signals, unmount. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "fuse/fs_int.h"
#include "util/buf.h"
#include "util/log.h"
#include "util/mem.h"

/* Requests taken in one round, before completions have their turn. */
#define REQUESTS_A_ROUND 16
#define INIT_BYTES 4096       /* more than libfuse needs for one request */
#define COPY_FILE_RANGE_64 53 /* FUSE_COPY_FILE_RANGE_64, which older headers do not have */

/*
 * Linux 6.18 tries an operation with a longer answer before FUSE_COPY_FILE_RANGE. libfuse does not
 * know it, and when two callers are told so at the same time, the kernel never copies in this mount
 * again (fs/fuse/file.c, __fuse_copy_file_range: the second ENOSYS is taken for the older one's).
 * The request is the same; the answer's 32 bits and their padding are the 64 bits that are wanted.
 */
static void as_libfuse_knows_it(struct fuse_buf *buf)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	struct fuse_in_header head;

	if ((buf->flags & FUSE_BUF_IS_FD) || buf->size < sizeof(head))
		return;
	memcpy(&head, buf->mem, sizeof(head));
	if (head.opcode != COPY_FILE_RANGE_64)
		return;
	head.opcode = FUSE_COPY_FILE_RANGE;
	memcpy(buf->mem, &head, sizeof(head));
#else
	(void)buf;
#endif
}

/* FUSE_BATCH_FORGET, behind the header that all requests have. */
static void forget_all(struct fs *fs, const char *list, size_t len)
{
	struct fuse_batch_forget_in head;
	struct fuse_forget_one one;
	size_t at = sizeof(head);

	memcpy(&head, list, sizeof(head));
	for (; head.count && at + sizeof(one) <= len; head.count--, at += sizeof(one)) {
		memcpy(&one, list + at, sizeof(one));
		if (one.nodeid != FUSE_ROOT_ID)
			ns_forget(fs_node(fs, one.nodeid), one.nlookup);
	}
}

/*
 * libfuse answers ENOMEM by itself when it has no memory for a request. The kernel takes no refusal
 * of these: what they let go of would stay for ever. So they are done without libfuse.
 */
static void take_over(struct fs *fs)
{
	const char *body = (const char *)fs->buf.mem + sizeof(struct fuse_in_header);
	size_t len = fs->buf.size - sizeof(struct fuse_in_header);
	struct fuse_release_in release;
	struct fuse_forget_in forget;
	struct fuse_in_header head;

	memcpy(&head, fs->buf.mem, sizeof(head));
	if (head.opcode == FUSE_FORGET && len >= sizeof(forget)) {
		memcpy(&forget, body, sizeof(forget));
		if (head.nodeid != FUSE_ROOT_ID)
			ns_forget(fs_node(fs, head.nodeid), forget.nlookup);
	} else if (head.opcode == FUSE_BATCH_FORGET && len >= sizeof(struct fuse_batch_forget_in)) {
		forget_all(fs, body, len);
	} else if (head.opcode == FUSE_RELEASE && len >= sizeof(release)) {
		memcpy(&release, body, sizeof(release));
		ns_release((struct ns_file_handle *)(uintptr_t)release.fh);
	} else if (head.opcode == FUSE_RELEASEDIR && len >= sizeof(release)) {
		memcpy(&release, body, sizeof(release));
		if (release.fh)
			ns_releasedir((struct ns_dir_handle *)(uintptr_t)release.fh);
	}
}

/* The kernel asks for this once: without an answer there is no mount. */
static void init_again(struct fs *fs)
{
	fuse_session_process_buf(fs->session, &fs->buf);
	if (!fs->init_refused)
		return;
	/* So much fails only where the reserve is taken, and is then free. */
	free(mem_lib_malloc(INIT_BYTES));
	fuse_session_process_buf(fs->session, &fs->buf);
	if (fs->init_refused)
		mem_used_up();
}

static bool poll_requests(void *ctx)
{
	struct fs *fs = ctx;
	int i, n;

	if (mem_short())
		ns_drop_caches(fs->ns);
	for (i = 0; i < REQUESTS_A_ROUND; i++) {
		n = fuse_session_receive_buf(fs->session, &fs->buf);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			break;
		as_libfuse_knows_it(&fs->buf);
		fs->taken = false;
		fuse_session_process_buf(fs->session, &fs->buf);
		if (fs->init_refused)
			init_again(fs);
		if (!fs->taken)
			take_over(fs);
	}
	if (fuse_session_exited(fs->session)) {
		/* A connection that has ended stays readable: it would keep the loop from waiting.
		 */
		loop_set_source(fs->loop, NULL, NULL, -1);
		loop_stop(fs->loop);
	}
	return i > 0;
}

static void signal_came(struct loop_fd *fd)
{
	struct fs *fs = (struct fs *)((char *)fd - offsetof(struct fs, signals));
	struct signalfd_siginfo info;

	if (read(fd->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	fs->signal_count++;
	log_info("signal %u: unmounting", info.ssi_signo);
	if (fs->on_signal) {
		fs->on_signal(fs->signal_ctx);
		return;
	}
	fuse_session_exit(fs->session);
	loop_stop(fs->loop);
}

static void stale(void *ctx, struct node *parent, const char *name, struct node *node)
{
	struct fs *fs = ctx;

	(void)node;
	notifier_stale(fs->notifier, fs_ino(fs, parent), name, true);
}

static int watch_signals(struct fs *fs)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	fs->signals.ready = signal_came;
	fs->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fs->signals.fd < 0 ? -errno : loop_fd_add(fs->loop, &fs->signals);
}

static void add_escaped(struct buf *b, const char *s)
{
	for (; *s; s++) {
		if (*s == ',' || *s == '\\')
			buf_addc(b, '\\');
		buf_addc(b, *s);
	}
}

static struct fuse_session *session_new(struct fs *fs, const struct fs_config *config)
{
	struct buf options = BUF_INIT(65536);
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *se = NULL;

	/* A shared session is mounted by fs_attach.c, with options of its own. */
	buf_adds(&options, "subtype=s3bulkfs,fsname=");
	add_escaped(&options, config->source);
	if (config->check_permissions)
		buf_adds(&options, ",default_permissions");
	if (config->options && *config->options)
		buf_addf(&options, ",%s", config->options);
	if (!fuse_opt_add_arg(&args, "s3bulkfs") && !fuse_opt_add_arg(&args, "-o") &&
		!fuse_opt_add_arg(&args, buf_str(&options)) &&
		(!config->debug || !fuse_opt_add_arg(&args, "-d")))
		se = fuse_session_new(&args, &fs_ops, sizeof(fs_ops), fs);
	fuse_opt_free_args(&args);
	buf_free(&options);
	return se;
}

/* Requests come in from now on. */
static bool session_begin(struct fs *fs, char *why, size_t why_size)
{
	int fd = fuse_session_fd(fs->session);

	fs->notifier = notifier_new(fs);
	if (!fs->notifier) {
		snprintf(why, why_size,
			"cannot start the thread that tells the kernel of changes: "
			"%m; " THREADS_REMEDY);
		return false;
	}
	if (fs_init_more(fs) < 0 || watch_signals(fs) < 0 ||
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 ||
		loop_set_source(fs->loop, poll_requests, fs, fd) < 0) {
		snprintf(why, why_size, "cannot start the session: %m");
		return false;
	}
	ns_on_stale(fs->ns, stale, fs);
	return true;
}

struct fs *fs_mount(struct loop *loop, struct ns *ns, struct ns_volume *volume,
	const struct fs_config *config, char *why, size_t why_size)
{
	struct fs *fs = mem_zalloc(sizeof(*fs));

	fs->loop = loop;
	fs->ns = ns;
	fs->volume = volume;
	fs->hub = config->hub;
	fs->max_read_bytes = config->max_read_bytes;
	fs->signals.fd = -1;
	fs->session = session_new(fs, config);
	if (!fs->session) {
		snprintf(why, why_size, "a mount option is not understood (see above)");
		fs_unmount(fs);
		return NULL;
	}
	if (fuse_session_mount(fs->session, config->mountpoint)) {
		snprintf(why, why_size,
			"cannot mount on %s: see the line above; /dev/fuse and, unless you are "
			"root, "
			"fusermount3 (package fuse3) are needed",
			config->mountpoint);
		fs_unmount(fs);
		return NULL;
	}
	fs->mounted = true;
	if (!session_begin(fs, why, why_size)) {
		fs_unmount(fs);
		return NULL;
	}
	return fs;
}

struct fs *fs_share(struct loop *loop, struct ns *ns, bool allow_other,
	void (*on_signal)(void *ctx), void *ctx, char *why, size_t why_size)
{
	struct fs_config config = {.source = "s3bulkfs"};
	struct fs *fs = mem_zalloc(sizeof(*fs));
	char path[32];

	fs->loop = loop;
	fs->ns = ns;
	fs->on_signal = on_signal;
	fs->signal_ctx = ctx;
	fs->signals.fd = -1;
	fs->attacher = attacher_new(fs, allow_other, why, why_size);
	fs->session = fs->attacher ? session_new(fs, &config) : NULL;
	if (!fs->session) {
		if (fs->attacher)
			snprintf(why, why_size, "libfuse makes no session");
		fs_unmount(fs);
		return NULL;
	}
	/* The form in which libfuse takes over what is mounted already: fuse_session_mount(). */
	snprintf(path, sizeof(path), "/dev/fd/%d", attacher_device_fd(fs->attacher));
	if (fuse_session_mount(fs->session, path)) {
		snprintf(why, why_size, "libfuse does not take the session over");
		fs_unmount(fs);
		return NULL;
	}
	fs->mounted = true;
	if (!session_begin(fs, why, why_size)) {
		fs_unmount(fs);
		return NULL;
	}
	return fs;
}

unsigned fs_signal_count(const struct fs *fs)
{
	return fs ? fs->signal_count : 0;
}

void fs_unmount(struct fs *fs)
{
	if (!fs)
		return;
	ns_on_stale(fs->ns, NULL, NULL);
	loop_set_source(fs->loop, NULL, NULL, -1);
	if (fs->signals.fd >= 0) {
		loop_fd_del(fs->loop, &fs->signals);
		close(fs->signals.fd);
	}
	if (fs->mounted)
		fuse_session_unmount(fs->session);
	notifier_free(fs->notifier);
	if (fs->session)
		fuse_session_destroy(fs->session);
	attacher_free(fs->attacher);
	free(fs->buf.mem);
	free(fs);
}
