/*
 * The control socket: accepting, lines in, lines out, hanging up. Core thread. Everything is
 * non-blocking; an epoll of its own, watched by the core loop, also tells when a peer can take
 * more.
 */
#include "cli/ctl_server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/ctl_dir.h"
#include "cli/process.h"
#include "cli/ctl_int.h"
#include "util/log.h"
#include "util/mem.h"

#define CONNS_MAX 64
#define REQUEST_BYTES_MAX ((size_t)64 << 10)
#define ANSWER_BYTES_MAX ((size_t)32 << 20)
#define EVENTS_MAX 16

/* ---- one connection ---- */

static void conn_watch(struct ctl_conn *k, int how)
{
	struct epoll_event ev = {.events = EPOLLRDHUP, .data.ptr = k};

	if (k->sent < k->out.len)
		ev.events |= EPOLLOUT;
	else if (!k->waiting)
		ev.events |= EPOLLIN;
	if (epoll_ctl(k->ctl->events.fd, how, k->fd, &ev) < 0)
		log_warn("the control socket: %m");
}

static void conn_free(struct ctl_conn *k)
{
	k->ctl->conn_count--;
	LIST_REMOVE(k, link);
	epoll_ctl(k->ctl->events.fd, EPOLL_CTL_DEL, k->fd, NULL);
	close(k->fd);
	if (k->run)
		ns_run_end(k->run);
	buf_free(&k->in);
	buf_free(&k->out);
	free(k->call.name);
	free(k);
}

static void conn_write(struct ctl_conn *k)
{
	ssize_t n;

	while (k->sent < k->out.len) {
		n = send(k->fd, k->out.ptr + k->sent, k->out.len - k->sent,
			MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			k->hung_up = true;
		if (n <= 0)
			return;
		k->sent += (size_t)n;
	}
	buf_free(&k->out);
	k->out = BUF_INIT(ANSWER_BYTES_MAX);
	k->sent = 0;
}

void ctl_send(struct ctl_conn *k, cJSON *answer)
{
	char *text = cJSON_PrintUnformatted(answer);

	if (text) {
		buf_adds(&k->out, text);
		buf_addc(&k->out, '\n');
	}
	/* Half an answer would be worse than none. */
	if (!text || k->out.failed)
		k->hung_up = true;
	cJSON_free(text);
	cJSON_Delete(answer);
	if (!k->hung_up)
		conn_write(k);
}

static void take_line(struct ctl_conn *k, size_t len)
{
	cJSON *request = cJSON_ParseWithLength(k->in.ptr, len);
	size_t rest = k->in.len - len - 1;

	memmove(k->in.ptr, k->in.ptr + len + 1, rest);
	buf_cut(&k->in, rest);
	if (cJSON_IsObject(request))
		ctl_request(k, request);
	else
		k->hung_up = true;
	cJSON_Delete(request);
}

/* Takes what requests have come, one after the other's answer. */
static void conn_progress(struct ctl_conn *k)
{
	const char *end;

	while (!k->hung_up && !k->waiting && k->sent == k->out.len && k->in.len &&
		(end = memchr(k->in.ptr, '\n', k->in.len)))
		take_line(k, (size_t)(end - k->in.ptr));
	if (k->in.failed)
		k->hung_up = true;
	if (k->hung_up && !k->waiting)
		conn_free(k);
	else
		conn_watch(k, EPOLL_CTL_MOD);
}

static void conn_read(struct ctl_conn *k)
{
	char chunk[4096];
	ssize_t n = recv(k->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

	if (n > 0)
		buf_add(&k->in, chunk, (size_t)n);
	else if (!n || (errno != EAGAIN && errno != EINTR))
		k->hung_up = true;
}

static void call_replied(struct ns_call *c, int errnum)
{
	struct ctl_conn *k = (struct ctl_conn *)c;
	bool later = k->waiting;

	k->waiting = false;
	k->replied = true;
	c->errnum = errnum;
	if (errnum == EINTR)
		k->hung_up = true; /* the mount ends under it, or the peer has gone */
	if (!k->hung_up)
		k->answer(k);
	if (later)
		conn_progress(k);
}

void ctl_wait(
	struct ctl_conn *k, void (*start)(struct ctl_conn *), void (*answer)(struct ctl_conn *))
{
	k->answer = answer;
	k->replied = false;
	start(k);
	k->waiting = !k->replied;
}

static void conn_event(struct ctl_conn *k, uint32_t events)
{
	if (events & EPOLLOUT)
		conn_write(k);
	if (events & EPOLLIN)
		conn_read(k);
	else if (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP))
		k->hung_up = true;
	if (k->hung_up && k->waiting)
		ns_interrupt(&k->call); /* goes on in call_replied */
	else
		conn_progress(k);
}

static bool peer_may(int fd, struct ucred *who)
{
	socklen_t size = sizeof(*who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, who, &size) == 0 &&
	       (!who->uid || who->uid == geteuid());
}

static bool watch_listener(struct ctl *ctl)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};

	return !epoll_ctl(ctl->events.fd, EPOLL_CTL_ADD, ctl->listen_fd, &ev);
}

static void accept_again(struct loop_timer *timer)
{
	struct ctl *ctl = (struct ctl *)((char *)timer - offsetof(struct ctl, again));

	if (!watch_listener(ctl))
		loop_timer_set(ctl->loop, timer, PROCESS_ACCEPT_AGAIN_MS);
}

/* Who asks stays in the queue, so the socket stays readable: watched, it would keep us busy. */
static void accept_later(struct ctl *ctl)
{
	log_warn("the control socket of %s: %m; raise the limit on open files (ulimit -n)",
		ctl->mountpoint);
	epoll_ctl(ctl->events.fd, EPOLL_CTL_DEL, ctl->listen_fd, NULL);
	loop_timer_set(ctl->loop, &ctl->again, PROCESS_ACCEPT_AGAIN_MS);
}

static void accept_one(struct ctl *ctl)
{
	int fd = accept4(ctl->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	static const char full[] = "{\"ok\":false,\"error\":\"the daemon serves as many "
				   "connections as it can; try again later\"}\n";
	struct ctl_conn *k;
	struct ucred who;

	if (fd < 0 && process_is_scarce(errno))
		accept_later(ctl);
	if (fd < 0)
		return;
	if (!peer_may(fd, &who) || ctl->conn_count >= CONNS_MAX) {
		if (ctl->conn_count >= CONNS_MAX)
			send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		log_warn("the control socket: process %d of user %u is refused", (int)who.pid,
			(unsigned)who.uid);
		close(fd);
		return;
	}
	k = mem_zalloc(sizeof(*k));
	k->ctl = ctl;
	k->fd = fd;
	k->pid = who.pid;
	k->in = BUF_INIT(REQUEST_BYTES_MAX);
	k->out = BUF_INIT(ANSWER_BYTES_MAX);
	k->call.node = ns_root(ctl->volume);
	k->call.reply = call_replied;
	LIST_INSERT_HEAD(&ctl->conns, k, link);
	ctl->conn_count++;
	conn_watch(k, EPOLL_CTL_ADD);
}

static void events_ready(struct loop_fd *fd)
{
	struct ctl *ctl = (struct ctl *)((char *)fd - offsetof(struct ctl, events));
	struct epoll_event event;
	int i;

	/* One at a time: handling one may free another. */
	for (i = 0; i < EVENTS_MAX && epoll_wait(fd->fd, &event, 1, 0) == 1; i++) {
		if (event.data.ptr)
			conn_event(event.data.ptr, event.events);
		else
			accept_one(ctl);
	}
}

/* ---- the socket ---- */

/* Connects, and says whether somebody listens. */
static bool is_alive(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive = fd < 0 || connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 ||
		     errno != ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return alive;
}

static bool set_addr(struct sockaddr_un *addr, const char *path)
{
	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	return (size_t)snprintf(addr->sun_path, sizeof(addr->sun_path), "%s", path) <
	       sizeof(addr->sun_path);
}

/* Removes the sockets of daemons that ended without doing so. */
static void sweep(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char *path =
			ctl_dir_is_socket(e->d_name) ? mem_printf("%s/%s", dir, e->d_name) : NULL;
		struct sockaddr_un addr;

		if (path && set_addr(&addr, path) && !is_alive(&addr))
			unlink(path);
		free(path);
	}
	if (d)
		closedir(d);
}

/*
 * Bound under another name and renamed when it listens: it never looks dead, and it takes the place
 * of what a mount below this one, or a crash, has left.
 */
static bool listen_at(struct ctl *ctl, const char *dir)
{
	char *fresh = mem_printf("%s/.%d", dir, (int)getpid());
	struct sockaddr_un addr;
	struct stat st;
	bool good = false;

	ctl->path = ctl_dir_socket(dir, ctl->mountpoint);
	unlink(fresh);
	ctl->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (!set_addr(&addr, fresh))
		errno = ENAMETOOLONG;
	else
		good = ctl->listen_fd >= 0 &&
		       !bind(ctl->listen_fd, (const struct sockaddr *)&addr, sizeof(addr)) &&
		       !chmod(fresh, 0600) && !listen(ctl->listen_fd, CONNS_MAX) &&
		       !stat(fresh, &st) && !rename(fresh, ctl->path);
	if (good)
		ctl->path_ino = st.st_ino;
	free(fresh);
	return good;
}

static bool start(struct ctl *ctl)
{
	char why[200];
	char *dir = ctl_dir_make(why, sizeof(why));
	bool good;

	if (!dir) {
		log_warn("s3bulkfsctl will not find this mount: %s", why);
		return false;
	}
	sweep(dir);
	ctl->events.ready = events_ready;
	ctl->events.fd = epoll_create1(EPOLL_CLOEXEC);
	good = ctl->events.fd >= 0 && listen_at(ctl, dir) && watch_listener(ctl) &&
	       !loop_fd_add(ctl->loop, &ctl->events);
	if (!good)
		log_warn("s3bulkfsctl will not find this mount: no control socket in %s: %m", dir);
	free(dir);
	return good;
}

struct ctl *ctl_new(struct loop *loop, const struct ctl_mount *mount)
{
	struct ctl *ctl = mem_zalloc(sizeof(*ctl));

	ctl->loop = loop;
	ctl->volume = mount->volume;
	ctl->mountpoint = mem_strdup(mount->mountpoint);
	ctl->source = mem_strdup(mount->source);
	ctl->read_only = mount->read_only;
	ctl->listen_fd = ctl->events.fd = -1;
	ctl->again.fire = accept_again;
	LIST_INIT(&ctl->conns);
	if (start(ctl))
		return ctl;
	ctl_free(ctl, false);
	return NULL;
}

void ctl_free(struct ctl *ctl, bool process_ends)
{
	struct ctl_conn *k;
	struct stat st;

	if (!ctl)
		return;
	while ((k = LIST_FIRST(&ctl->conns))) {
		if (k->waiting) {
			k->hung_up = true;
			ns_interrupt(&k->call);
			continue;
		}
		if (k->ending)
			ctl_send(k, ctl_ended(ctl, process_ends));
		conn_free(k);
	}
	if (ctl->path_ino && !stat(ctl->path, &st) && st.st_ino == ctl->path_ino)
		unlink(ctl->path);
	loop_timer_stop(ctl->loop, &ctl->again);
	if (ctl->events.fd >= 0) {
		loop_fd_del(ctl->loop, &ctl->events);
		close(ctl->events.fd);
	}
	if (ctl->listen_fd >= 0)
		close(ctl->listen_fd);
	free(ctl->path);
	free(ctl->mountpoint);
	free(ctl->source);
	free(ctl);
}
