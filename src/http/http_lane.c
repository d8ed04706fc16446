/*
 * A lane: one libcurl multi handle with a bounded number of transfers, driven by
 * curl_multi_socket_action (libcurl: libcurl-multi(3), "multi_socket"). For each transfer that
 * begins or ends libcurl goes through all connections of its handle, so that hundreds in one handle
 * would cost with the square of their number: a thread has as many lanes as it needs. I/O thread.
 */
#include "http/http_int.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/clk.h"
#include "util/log.h"
#include "util/mem.h"

/* ---- libcurl's callbacks ---- */

static struct http_watch *watch_of(struct http_thread *t, int fd)
{
	size_t need = (size_t)fd + 1, old = t->watch_count;

	if (need > old) {
		t->watch_count = need > 2 * old ? need : 2 * old;
		t->watches = mem_resize(t->watches, t->watch_count, sizeof(*t->watches));
		memset(t->watches + old, 0, (t->watch_count - old) * sizeof(*t->watches));
	}
	return &t->watches[fd];
}

/* Makes epoll watch for what is wanted. Negative errno on failure. */
static int watch_apply(struct http_thread *t, int fd, struct http_watch *w)
{
	struct epoll_event ev = {.events = w->wanted, .data.fd = fd};
	int what = !w->wanted ? EPOLL_CTL_DEL : w->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (w->wanted == w->watched)
		return 0;
	if (epoll_ctl(t->epoll_fd, what, fd, &ev) < 0)
		return -errno;
	w->watched = w->wanted;
	return 0;
}

/*
 * CURLMOPT_SOCKETFUNCTION. Connections stay in epoll between two requests, which saves two system
 * calls a request; an event on one that nobody waits for takes it out. Sockets that libcurl opens
 * for itself (of its resolver) are taken out at once: nobody tells us when they are closed.
 */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *unused)
{
	struct http_lane *lane = ctx;
	struct http_watch *w = watch_of(lane->thread, fd);
	int err;

	(void)easy;
	(void)unused;
	w->lane = lane;
	w->wanted = 0;
	if (what != CURL_POLL_REMOVE && what & CURL_POLL_IN)
		w->wanted |= EPOLLIN;
	if (what != CURL_POLL_REMOVE && what & CURL_POLL_OUT)
		w->wanted |= EPOLLOUT;
	if (!w->wanted && w->ours)
		return 0;
	err = watch_apply(lane->thread, fd, w);
	if (err)
		log_error("http: epoll_ctl failed: %s", strerrordesc_np(-err));
	return err ? -1 : 0;
}

curl_socket_t http_lane_open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_transfer *x = ctx;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

	(void)purpose;
	x->socket_errnum = fd < 0 ? errno : 0;
	if (fd < 0)
		return CURL_SOCKET_BAD;
	*watch_of(x->thread, fd) = (struct http_watch){.ours = true};
	return fd;
}

int http_lane_close_socket(void *ctx, curl_socket_t fd)
{
	struct http_thread *t = ctx;

	/* Closing takes it out of epoll. */
	*watch_of(t, fd) = (struct http_watch){0};
	return close(fd);
}

/* CURLMOPT_TIMERFUNCTION */
static int on_timer(CURLM *multi, long timeout_ms, void *ctx)
{
	struct http_lane *lane = ctx;

	lane->timer_due_ms = timeout_ms < 0 ? -1 : clk_mono_ms() + timeout_ms;
	return 0;
}

/* ---- lanes ---- */

struct http_lane *http_lane_new(struct http_thread *t)
{
	struct http_lane *lane = mem_zalloc(sizeof(*lane));

	lane->thread = t;
	lane->timer_due_ms = -1;
	lane->multi = curl_multi_init();
	if (!lane->multi) {
		free(lane);
		return NULL;
	}
	curl_multi_setopt(lane->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(lane->multi, CURLMOPT_SOCKETDATA, lane);
	curl_multi_setopt(lane->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(lane->multi, CURLMOPT_TIMERDATA, lane);
	curl_multi_setopt(lane->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_LANE_TRANSFERS);
	curl_multi_setopt(lane->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	return lane;
}

void http_lane_free(struct http_lane *lane)
{
	curl_multi_cleanup(lane->multi);
	free(lane);
}

bool http_lane_add(struct http_lane *lane, struct http_transfer *x)
{
	if (curl_multi_add_handle(lane->multi, x->easy) != CURLM_OK)
		return false;
	x->lane = lane;
	lane->active_count++;
	return true;
}

void http_lane_remove(struct http_transfer *x)
{
	curl_multi_remove_handle(x->lane->multi, x->easy);
	x->lane->active_count--;
	x->lane = NULL;
}

struct http_transfer *http_lane_ended(struct http_lane *lane, CURLcode *ret)
{
	struct http_transfer *x;
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(lane->multi, &left))) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		/* The message is gone once the handle is removed. */
		*ret = msg->data.result;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&x);
		http_lane_remove(x);
		return x;
	}
	return NULL;
}

void http_lane_run_timer(struct http_lane *lane)
{
	if (lane->timer_due_ms < 0 || lane->timer_due_ms > lane->thread->now_ms)
		return;
	lane->timer_due_ms = -1;
	curl_multi_socket_action(lane->multi, CURL_SOCKET_TIMEOUT, 0, &lane->running_count);
}

/*
 * When bytes came and no transfer ended, the rest of an answer is still to come, and a server that
 * leaves Nagle's algorithm on holds it back until what we have is acknowledged: up to 40 ms, unless
 * it is done at once (tcp(7), TCP_QUICKACK).
 */
void http_lane_handle_socket(struct http_thread *t, int fd, uint32_t events)
{
	struct http_watch *w = watch_of(t, fd);
	struct http_lane *lane = w->lane;
	int before, one = 1, mask = 0;

	if (!w->wanted) {
		watch_apply(t, fd, w);
		return;
	}
	if (events & EPOLLIN)
		mask |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (events & (EPOLLERR | EPOLLHUP))
		mask |= CURL_CSELECT_ERR;
	before = lane->running_count;
	curl_multi_socket_action(lane->multi, fd, mask, &lane->running_count);
	/* It fails on a socket that was closed meanwhile, which is as good. */
	if (events & EPOLLIN && lane->running_count == before)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
}
