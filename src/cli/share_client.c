/*
 * The mounting command's side of a shared daemon: finds it or starts it, hands over settings and
 * mount point, waits for the word. The lock is held until the daemon has said welcome: before that
 * it could be about to end. Main thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/ctl_dir.h"
#include "cli/process.h"
#include "cli/share.h"
#include "cli/volume.h"
#include "util/log.h"
#include "util/mem.h"

#define BACKLOG 64
#define TRIES 3
#define WELCOME_WAIT_S 30

struct meeting {
	char *socket_path, *lock_path;
	int lock_fd;
	int mountpoint_fd;
	struct buf message;
	pid_t daemon; /* that we have started; 0: none */
};

bool share_possible(const struct opts *o)
{
	return !geteuid() && !o->foreground && !o->own_daemon && !o->all_buckets &&
	       !o->own_superblock;
}

static bool open_lock(struct meeting *m, const struct opts *o)
{
	/* Whom the kernel lets in holds for a superblock: mounts with allow_other have their own.
	 */
	const char *kind = o->allow_other ? "-others" : "";
	struct stat st;
	char why[256], *dir;

	/* Processes of another mount namespace cannot be given a mount. */
	if (stat("/proc/self/ns/mnt", &st) < 0)
		return false;
	dir = ctl_dir_make(why, sizeof(why));
	if (!dir) {
		log_warn("no directory for the socket of a shared daemon: %s", why);
		return false;
	}
	m->socket_path = mem_printf("%s/shared-%lu%s.sock", dir, (unsigned long)st.st_ino, kind);
	m->lock_path = mem_printf("%s/shared-%lu%s.lock", dir, (unsigned long)st.st_ino, kind);
	free(dir);
	m->lock_fd = open(m->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	while (m->lock_fd >= 0 && flock(m->lock_fd, LOCK_EX) < 0) {
		if (errno == EINTR)
			continue;
		log_warn("%s: %m", m->lock_path);
		return false;
	}
	return m->lock_fd >= 0;
}

static struct sockaddr_un address_of(const struct meeting *m)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", m->socket_path);
	return address;
}

/* ---- starting it ---- */

/* The socket listens before the daemon exists: nobody who holds the lock finds it half made. */
static bool start_daemon(struct meeting *m)
{
	struct sockaddr_un address = address_of(m);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return false;
	/* Whoever made it has gone: the lock is ours. */
	unlink(m->socket_path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0 ||
		(m->daemon = process_detach()) < 0) {
		close(fd);
		return false;
	}
	if (!m->daemon) {
		close(m->lock_fd);
		close(m->mountpoint_fd);
		share_wipe(&m->message);
		exit(share_serve(fd, m->socket_path, m->lock_path));
	}
	close(fd);
	return true;
}

/* ---- talking to it ---- */

static int connect_to(const struct meeting *m)
{
	struct timeval wait = {.tv_sec = WELCOME_WAIT_S};
	struct sockaddr_un address = address_of(m);
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.uid != geteuid() ||
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool send_request(const struct meeting *m, int fd)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {.iov_base = m->message.ptr, .iov_len = m->message.len};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &m->mountpoint_fd, sizeof(int));
	return sendmsg(fd, &msg, MSG_NOSIGNAL) == (ssize_t)m->message.len;
}

/* The next answer, 0 when the daemon has hung up; `text` is what follows the first byte. */
static char receive(int fd, char text[WHY_MAX])
{
	char answer[WHY_MAX];
	ssize_t n;

	do
		n = recv(fd, answer, sizeof(answer) - 1, 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return 0;
	answer[n] = '\0';
	snprintf(text, WHY_MAX, "%s", answer + 1);
	return answer[0];
}

/* A connection that was welcomed, or -1; `*answer` is what was said first. */
static int meet(struct meeting *m, char *answer, char text[WHY_MAX])
{
	int i, fd;

	for (i = 0; i < TRIES; i++) {
		fd = connect_to(m);
		if (fd >= 0 && send_request(m, fd) && (*answer = receive(fd, text)))
			return fd;
		if (fd >= 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			close(fd);
			snprintf(text, WHY_MAX,
				"the daemon of the other mounts does not answer; "
				"-o private mounts without it");
			*answer = SHARE_FAILED;
			return -1;
		}
		if (fd >= 0)
			close(fd);
		if (!start_daemon(m)) {
			snprintf(text, WHY_MAX, "cannot start the daemon: %m");
			*answer = SHARE_FAILED;
			return -1;
		}
	}
	snprintf(text, WHY_MAX, "the daemon ends at once; its log says why");
	*answer = SHARE_FAILED;
	return -1;
}

/* The lock is free again; what is said from now on is about this mount only, and takes its time. */
static char hear_out(struct meeting *m, int fd, char text[WHY_MAX])
{
	struct timeval forever = {0};
	char answer;

	flock(m->lock_fd, LOCK_UN);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever)) < 0)
		return 0;
	answer = receive(fd, text);
	if (!answer) {
		snprintf(text, WHY_MAX,
			"the daemon has ended before the mount worked; its log says why");
		answer = SHARE_FAILED;
	}
	return answer;
}

/* False when it does not fit into a message: an environment may be of any size. */
static bool pack(struct meeting *m, const struct opts *o, const char *mountpoint)
{
	struct opts full = *o;
	const char *tmp = getenv("TMPDIR");

	full.mountpoint = (char *)(uintptr_t)mountpoint;
	if (!full.ns.spool_dir && tmp && tmp[0] == '/')
		full.ns.spool_dir = tmp;
	m->message = BUF_INIT(SHARE_MESSAGE_MAX);
	share_pack(&full, &m->message);
	return !m->message.failed;
}

/*
 * A real path has no links. One that is there now was put there in between by somebody who owns a
 * directory of the path, and who is not to choose what is mounted upon.
 */
static int open_mountpoint(const char *path)
{
	struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};

	/* Glibc has no openat2(2). */
	return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

static int mount_with(struct meeting *m, const struct opts *o, const char *mountpoint)
{
	char why[WHY_MAX] = "", answer = SHARE_FAILED;
	int fd = -1;

	m->mountpoint_fd = open_mountpoint(mountpoint);
	if (m->mountpoint_fd < 0)
		snprintf(why, sizeof(why), "mount point '%s': %m", mountpoint);
	else if (pack(m, o, mountpoint))
		fd = meet(m, &answer, why);
	else
		answer = SHARE_PRIVATE;
	if (answer == SHARE_WELCOME)
		answer = hear_out(m, fd, why);
	if (fd >= 0)
		close(fd);
	if (m->mountpoint_fd >= 0)
		close(m->mountpoint_fd);
	share_wipe(&m->message);
	if (answer == SHARE_PRIVATE)
		return -1;
	if (answer != SHARE_MOUNTED)
		fprintf(stderr, "s3bulkfs: %s\n", why);
	return answer == SHARE_MOUNTED ? EXIT_SUCCESS : EXIT_FAILURE;
}

int share_mount(const struct opts *o, const char *mountpoint)
{
	struct meeting m = {.lock_fd = -1, .mountpoint_fd = -1};
	int r = -1;

	if (open_lock(&m, o))
		r = mount_with(&m, o, mountpoint);
	if (m.lock_fd >= 0)
		close(m.lock_fd);
	free(m.socket_path);
	free(m.lock_path);
	return r;
}
