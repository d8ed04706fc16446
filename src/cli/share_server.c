/*
 * The shared daemon: one name space and one superblock for all mounts that were handed to it. A
 * mount is checked, attached, served, and, when it was unmounted, ended once nothing of it is
 * pending and the kernel has forgotten it. The last one ends the daemon. Core thread.
 *
 *   CHECKING -> ATTACHING -> MOUNTED -> LEAVING -> (freed)
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/ctl_server.h"
#include "cli/process.h"
#include "cli/share.h"
#include "cli/volume.h"
#include "fuse/fs.h"
#include "util/clk.h"
#include "util/log.h"
#include "util/mem.h"

#define CONNS_MAX 128
#define TICK_MS 20
#define LET_GO_TICKS 25
#define FIRST_WAIT_MS 30000 /* for who has started us */

struct share;

struct conn {
	struct share *share;
	struct loop_fd in;
	struct mount *mount; /* what it has asked for; or NULL */
	LIST_ENTRY(conn) link;
};

enum mount_state { MOUNT_CHECKING, MOUNT_ATTACHING, MOUNT_MOUNTED, MOUNT_LEAVING };

struct mount {
	struct share *share;
	struct opts opts;
	struct volume volume;
	struct conn *conn; /* who waits for it; or NULL */
	struct ctl *ctl;
	int mountpoint_fd; /* -1 once it was handed on */
	char *mountpoint;
	enum mount_state state;
	bool attached;  /* it is in the session's list */
	unsigned ticks; /* since it is leaving */
	LIST_ENTRY(mount) link;
};

struct share {
	struct loop *loop;
	struct bulk *bulk;
	struct ns *ns;
	struct fs *fs;
	struct loop_fd listener;
	struct loop_timer again; /* until it is watched again: there were no descriptors */
	const char *socket_path, *lock_path;
	LIST_HEAD(, conn) conns;
	unsigned conn_count;
	LIST_HEAD(, mount) mounts;
	struct loop_timer tick;
	bool ending;    /* a signal came: everything is to be unmounted */
	bool detaching; /* that is under way */
	bool detached;  /* and is done */
};

static void tick_soon(struct share *s)
{
	if (!s->tick.slot || s->tick.due_ms > clk_mono_ms() + TICK_MS)
		loop_timer_set(s->loop, &s->tick, TICK_MS);
}

/* ---- answers ---- */

static void conn_free(struct conn *k)
{
	struct share *s = k->share;

	if (k->mount)
		k->mount->conn = NULL;
	loop_fd_del(s->loop, &k->in);
	close(k->in.fd);
	LIST_REMOVE(k, link);
	s->conn_count--;
	free(k);
	tick_soon(s);
}

static void say(struct conn *k, char what, const char *text)
{
	char answer[WHY_MAX];
	int n = snprintf(answer, sizeof(answer), "%c%s", what, text);
	size_t len = n < (int)sizeof(answer) ? (size_t)n : sizeof(answer) - 1;

	if (send(k->in.fd, answer, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_warn("a mounting command has gone: %m");
}

static void answer(struct mount *m, char what, const char *text)
{
	if (!m->conn) {
		log_warn("the command that mounts %s has gone; the mount %s", m->opts.source,
			what == SHARE_MOUNTED ? "stays" : "has failed, too");
		return;
	}
	say(m->conn, what, text);
	conn_free(m->conn);
}

/* ---- one mount ---- */

static void mount_free(struct mount *m)
{
	struct share *s = m->share;

	ctl_free(m->ctl, s->detached);
	if (m->attached)
		fs_drop(s->fs, m->volume.ns);
	volume_end(&m->volume);
	LIST_REMOVE(m, link);
	if (m->mountpoint_fd >= 0)
		close(m->mountpoint_fd);
	opts_free(&m->opts);
	free(m->mountpoint);
	free(m);
	tick_soon(s);
}

/* What is left of it is ended by the tick, not from within a completion of its own client. */
static void mount_leave(struct mount *m)
{
	m->state = MOUNT_LEAVING;
	tick_soon(m->share);
}

static void mount_failed(struct mount *m, const char *why)
{
	answer(m, SHARE_FAILED, why);
	mount_leave(m);
}

static void mount_detached(void *ctx)
{
	struct mount *m = ctx;

	mount_leave(m);
}

static void mount_attached(void *ctx, int errnum, const char *step)
{
	struct mount *m = ctx;
	char why[WHY_MAX];

	if (errnum) {
		snprintf(why, sizeof(why), "cannot mount on %s: %s: %s", m->mountpoint, step,
			strerrordesc_np(errnum));
		mount_failed(m, why);
		return;
	}
	m->state = MOUNT_MOUNTED;
	m->ctl = ctl_new(m->share->loop, &(struct ctl_mount){.volume = m->volume.ns,
						 .mountpoint = m->mountpoint,
						 .source = m->opts.source,
						 .read_only = m->opts.ns.read_only});
	log_info("%s is mounted on %s", m->opts.source, m->mountpoint);
	answer(m, SHARE_MOUNTED, "");
}

static void share_signal(void *ctx)
{
	struct share *s = ctx;

	/* A second one says that it takes too long. */
	if (s->ending)
		loop_stop(s->loop);
	s->ending = true;
	tick_soon(s);
}

static void mount_checked(void *ctx, const char *bad)
{
	struct mount *m = ctx;
	struct share *s = m->share;
	char why[WHY_MAX];
	struct fs_attach attach = {
		.mountpoint_fd = m->mountpoint_fd,
		.source = m->opts.source,
		.attributes = m->opts.mount_attributes,
		.attached = mount_attached,
		.detached = mount_detached,
		.ctx = m,
	};

	if (bad || s->ending) {
		mount_failed(m, bad ? bad : "the daemon has been told to end");
		return;
	}
	if (!s->fs)
		s->fs = fs_share(
			s->loop, s->ns, m->opts.allow_other, share_signal, s, why, sizeof(why));
	if (!s->fs) {
		mount_failed(m, why);
		return;
	}
	volume_begin(&m->volume, s->bulk, s->ns, m->mountpoint);
	m->state = MOUNT_ATTACHING;
	attach.volume = m->volume.ns;
	m->mountpoint_fd = -1;
	m->attached = true;
	fs_attach(s->fs, &attach);
}

/* Where the mount point is, as this process sees it. */
static char *path_of(int fd)
{
	char link[64], path[4096];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	return n > 0 && n < (ssize_t)sizeof(path) ? mem_dup(path, (size_t)n) : NULL;
}

static void mount_begin(struct conn *k, const struct opts *opts, int mountpoint_fd)
{
	struct share *s = k->share;
	struct mount *m = mem_zalloc(sizeof(*m));
	char why[WHY_MAX];

	m->share = s;
	m->opts = *opts;
	m->conn = k;
	m->mountpoint_fd = mountpoint_fd;
	m->mountpoint = path_of(mountpoint_fd);
	LIST_INSERT_HEAD(&s->mounts, m, link);
	k->mount = m;
	if (!m->mountpoint) {
		mount_failed(m, "the mount point has gone");
		return;
	}
	if (!volume_open(&m->volume, s->loop, &m->opts, why)) {
		mount_failed(m, why);
		return;
	}
	volume_check(&m->volume, mount_checked, m);
}

/* ---- requests ---- */

static bool same_file(const char *ours_path, const char *theirs_path)
{
	struct stat ours, theirs;

	return !stat(ours_path, &ours) && !stat(theirs_path, &theirs) &&
	       ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

/* The same mounts, and the same files: those of the AWS CLI are read here, now and later. */
static bool same_place(pid_t pid)
{
	char ns[64], root[64];

	snprintf(ns, sizeof(ns), "/proc/%d/ns/mnt", (int)pid);
	snprintf(root, sizeof(root), "/proc/%d/root", (int)pid);
	return same_file("/proc/self/ns/mnt", ns) && same_file("/", root);
}

static bool peer_is_good(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) && peer.uid == geteuid() &&
	       same_place(peer.pid);
}

/* One message and the descriptor that comes with it (-1: none). */
static ssize_t receive(int fd, char *data, size_t size, int *ret_fd)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = data, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space)};
	struct cmsghdr *c;
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*ret_fd = -1;
	c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
		c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
	return n;
}

static void conn_ready(struct loop_fd *in)
{
	struct conn *k = (struct conn *)((char *)in - offsetof(struct conn, in));
	char *data = mem_zalloc(SHARE_MESSAGE_MAX);
	struct opts opts;
	int fd;
	ssize_t n = receive(in->fd, data, SHARE_MESSAGE_MAX, &fd);

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		free(data);
		return;
	}
	if (n <= 0 || k->mount || fd < 0) {
		if (fd >= 0)
			close(fd);
		conn_free(k);
	} else if (!share_unpack(data, (size_t)n, &opts)) {
		close(fd);
		say(k, SHARE_PRIVATE, "");
		conn_free(k);
	} else {
		say(k, SHARE_WELCOME, "");
		mount_begin(k, &opts, fd);
	}
	explicit_bzero(data, SHARE_MESSAGE_MAX);
	free(data);
}

static void accept_again(struct loop_timer *timer)
{
	struct share *s = (struct share *)((char *)timer - offsetof(struct share, again));

	if (loop_fd_add(s->loop, &s->listener) < 0)
		loop_timer_set(s->loop, timer, PROCESS_ACCEPT_AGAIN_MS);
}

static void listener_ready(struct loop_fd *listener)
{
	struct share *s = (struct share *)((char *)listener - offsetof(struct share, listener));
	struct conn *k;
	int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 && process_is_scarce(errno)) {
		/* Who waits there would keep us busy. */
		log_warn("a mounting command has to wait: %m; raise the limit on open files "
			 "(ulimit -n)");
		loop_fd_del(s->loop, listener);
		loop_timer_set(s->loop, &s->again, PROCESS_ACCEPT_AGAIN_MS);
	}
	if (fd < 0)
		return;
	if (s->conn_count >= CONNS_MAX || !peer_is_good(fd)) {
		static const char no = SHARE_PRIVATE;

		if (send(fd, &no, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			log_warn("a mounting command could not be refused: %m");
		close(fd);
		return;
	}
	k = mem_zalloc(sizeof(*k));
	k->share = s;
	k->in = (struct loop_fd){.ready = conn_ready, .fd = fd};
	s->conn_count++;
	LIST_INSERT_HEAD(&s->conns, k, link);
	if (loop_fd_add(s->loop, &k->in) < 0)
		conn_free(k);
}

/* ---- the end ---- */

static bool may_be_freed(struct mount *m)
{
	struct s3_stats stats;

	if (!m->volume.ns)
		return true;
	if (ns_volume_pending(m->volume.ns))
		return false;
	/* Whoever still has a file open after a signal finds that the mount has gone. */
	if (m->share->detached)
		return true;
	s3_client_stats(m->volume.client, &stats);
	if (ns_volume_forgotten(m->volume.ns))
		return !stats.in_flight;
	/* What was open at a lazy unmount, the kernel keeps in its caches when it is closed. */
	if (++m->ticks % LET_GO_TICKS == 0)
		ns_volume_let_go(m->volume.ns);
	return false;
}

static void all_detached(void *ctx)
{
	struct share *s = ctx;

	s->detached = true;
	tick_soon(s);
}

/* Who mounts now holds the lock, and will start another one if we are about to end. */
static bool close_door(struct share *s)
{
	int fd = open(s->lock_path, O_RDWR | O_CLOEXEC);
	bool mine = fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB);

	if (mine)
		unlink(s->socket_path);
	if (fd >= 0)
		close(fd);
	return mine;
}

static bool anybody_at_the_door(struct share *s)
{
	unsigned before = s->conn_count;

	listener_ready(&s->listener);
	return s->conn_count != before;
}

static void tick(struct loop_timer *timer)
{
	struct share *s = (struct share *)((char *)timer - offsetof(struct share, tick));
	struct mount *m, *next;
	bool leaving = false;

	for (m = LIST_FIRST(&s->mounts); m; m = next) {
		next = LIST_NEXT(m, link);
		if (m->state != MOUNT_LEAVING)
			continue;
		if (may_be_freed(m) && !s->detached) {
			if (m->volume.ns)
				log_info("%s is unmounted from %s", m->opts.source, m->mountpoint);
			mount_free(m);
			continue;
		}
		leaving = true;
		if (m->volume.target)
			bulk_hurry(m->volume.target);
	}
	if (s->ending && !s->detaching) {
		ns_drain(s->ns);
		leaving = true;
		if (ns_idle(s->ns)) {
			s->detaching = true;
			if (s->fs)
				fs_detach_all(s->fs, all_detached, s);
			else
				s->detached = true;
		}
	}
	if ((s->detached && ns_idle(s->ns)) || (LIST_EMPTY(&s->mounts) && LIST_EMPTY(&s->conns) &&
						       !anybody_at_the_door(s) && close_door(s)))
		loop_stop(s->loop);
	else if (leaving || (LIST_EMPTY(&s->mounts) && LIST_EMPTY(&s->conns)))
		tick_soon(s);
}

static int finish(struct share *s)
{
	uint64_t failures = ns_failures(s->ns);
	struct mount *m, *next;
	struct conn *k;

	if (s->detached)
		close_door(s);
	loop_timer_stop(s->loop, &s->again);
	loop_fd_del(s->loop, &s->listener);
	close(s->listener.fd);
	while ((k = LIST_FIRST(&s->conns)))
		conn_free(k);
	if (failures)
		log_warn("%llu operations had failed after they were accepted",
			(unsigned long long)failures);
	ns_close(s->ns);
	for (m = LIST_FIRST(&s->mounts); m; m = LIST_NEXT(m, link)) {
		log_info("%s is unmounted from %s", m->opts.source, m->mountpoint);
		s3_client_free(m->volume.client);
		m->volume.client = NULL;
	}
	fs_unmount(s->fs);
	s->fs = NULL;
	for (m = LIST_FIRST(&s->mounts); m; m = next) {
		next = LIST_NEXT(m, link);
		m->attached = false;
		mount_free(m);
	}
	ns_free(s->ns);
	bulk_free(s->bulk);
	loop_timer_stop(s->loop, &s->tick);
	loop_free(s->loop);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

int share_serve(int listen_fd, const char *socket_path, const char *lock_path)
{
	static const struct bulk_config bulk;
	static const struct ns_config config;
	struct share s = {.socket_path = socket_path, .lock_path = lock_path};
	char why[WHY_MAX];
	int r;

	process_block_signals();
	process_set_limits();
	process_go_silent();
	log_open(true, LOG_LVL_INFO);
	if (!process_reserve_memory(why, sizeof(why))) {
		log_error("%s", why);
		return EXIT_FAILURE;
	}
	LIST_INIT(&s.conns);
	LIST_INIT(&s.mounts);
	s.listener = (struct loop_fd){.ready = listener_ready, .fd = listen_fd};
	s.tick.fire = tick;
	s.again.fire = accept_again;
	s.loop = loop_new();
	if (!s.loop || loop_fd_add(s.loop, &s.listener) < 0) {
		log_error("cannot make an event loop: %m");
		return EXIT_FAILURE;
	}
	s.bulk = bulk_new(s.loop, &bulk);
	s.ns = ns_new(s.loop, s.bulk, &config);
	loop_timer_set(s.loop, &s.tick, FIRST_WAIT_MS);
	loop_run(s.loop);
	r = finish(&s);
	log_info("the last mount has gone");
	return r;
}
