/*
 * The glue to libmicrohttpd: connections, bodies in, answers out, delays. libmicrohttpd runs with
 * epoll but without a thread of its own: server_run polls its epoll descriptor beside ours, so that
 * everything in this program happens on one thread and needs no lock.
 *
 * A request is suspended while it is delayed or hangs, and is executed when it goes on, just before
 * its answer is sent. A request owns itself from the request line (uri_begins) until libmicrohttpd
 * reports its end (request_ends).
 */
#include "guard.h"
#include "s3d.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "answer.h"
#include "control.h"
#include "req.h"
#include "util/clk.h"
#include "util/mem.h"

#define CONNECTIONS_MAX 20000
#define CONNECTION_MEMORY_BYTES ((size_t)16 << 10)
#define XML_BODY_MAX ((size_t)8 << 20)

static void suspend(struct req *r)
{
	struct s3d *srv = r->srv;

	r->phase = REQ_WAITING;
	r->prev = NULL;
	r->next = srv->suspended;
	if (r->next)
		r->next->prev = r;
	srv->suspended = r;
	MHD_suspend_connection(r->conn);
}

static void resume(struct req *r)
{
	struct s3d *srv = r->srv;

	timer_stop(&srv->timers, &r->timer);
	if (r->watched_fd >= 0)
		epoll_ctl(srv->epoll_fd, EPOLL_CTL_DEL, r->watched_fd, NULL);
	r->watched_fd = -1;
	if (r->prev)
		r->prev->next = r->next;
	else
		srv->suspended = r->next;
	if (r->next)
		r->next->prev = r->prev;
	r->phase = REQ_READY;
	MHD_resume_connection(r->conn);
}

static void delay_ends(struct timer *timer)
{
	resume((struct req *)((char *)timer - offsetof(struct req, timer)));
}

/* libmicrohttpd does not look at suspended connections: we watch for the client going away. */
static void hang(struct req *r)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(r->conn, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct epoll_event ev = {.events = EPOLLRDHUP, .data.ptr = r};

	if (info && !epoll_ctl(r->srv->epoll_fd, EPOLL_CTL_ADD, info->connect_fd, &ev))
		r->watched_fd = info->connect_fd;
	suspend(r);
}

size_t server_release(struct s3d *srv)
{
	size_t n = 0;

	for (struct req *r = srv->suspended, *next; r; r = next) {
		next = r->next;
		if (r->timer.place)
			continue;
		resume(r);
		n++;
	}
	return n;
}

/* Makes the answer that a rule wants instead of the operation's. */
static void spoil(struct req *r)
{
	const struct fault_action *a = &r->action;
	char text[24];

	if (a->empty) {
		req_clear_answer(r);
		return;
	}
	req_error_status(r, a->in200 ? 200 : a->status, a->code, a->message);
	if (a->body[0]) {
		buf_cut(&r->answer.body, 0);
		for (int64_t i = 0; i < a->repeat && !r->answer.body.failed; i++)
			buf_adds(&r->answer.body, a->body);
		r->answer.content_type = "text/html";
	}
	if (a->retry_after_s) {
		snprintf(text, sizeof(text), "%lld", (long long)a->retry_after_s);
		req_add_header(r, "Retry-After", text);
	}
}

static void add_spaces(struct req *r, int64_t count)
{
	struct buf *b = &r->answer.body, before = *b;
	const char *end = b->len ? strchr(b->ptr, '\n') : NULL;
	size_t head = end ? (size_t)(end + 1 - b->ptr) : 0;

	if (!end)
		return;
	*b = BUF_INIT(before.max);
	buf_add(b, before.ptr, head);
	for (int64_t i = 0; i < count && !b->failed; i++)
		buf_addc(b, ' ');
	buf_add(b, before.ptr + head, before.len - head);
	buf_free(&before);
}

static enum MHD_Result finish(struct req *r)
{
	const struct fault_action *a = &r->action;
	bool spoiled = a->fires && (a->status || a->close || a->empty || a->in200);

	if (r->srv->is_stopping || r->is_gone)
		return MHD_NO;
	if (!spoiled || a->after)
		op_run(r);
	if (a->fires && a->spaces > 0)
		add_spaces(r, a->spaces);
	r->phase = REQ_ANSWERED;
	if (spoiled && a->close) {
		req_clear_answer(r);
		r->answer.status = 0;
		snprintf(r->answer.code, sizeof(r->answer.code), "Closed");
	} else if (spoiled) {
		spoil(r);
	}
	stats_request(&r->srv->stats, r);
	return spoiled && a->close ? MHD_NO : answer_send(r);
}

/* An answer made before the operation was run. */
static enum MHD_Result refuse(struct req *r)
{
	r->phase = REQ_ANSWERED;
	stats_request(&r->srv->stats, r);
	return answer_send(r);
}

static bool is_chunked(const struct req *r)
{
	return req_header(r, "Transfer-Encoding") != NULL;
}

/* What is checked when the whole request is there and before its delay. */
static bool check(struct req *r)
{
	if (!auth_check(r) || !guard_check(r))
		return false;
	if (r->body_too_large) {
		req_error(r, r->key.len ? "EntityTooLarge" : "MalformedXML", NULL);
		return false;
	}
	if (is_chunked(r)) {
		req_error(r, "MissingContentLength", NULL);
		return false;
	}
	if (r->key.len > 1024) {
		req_error(r, "KeyTooLongError", NULL);
		return false;
	}
	return auth_check_body(r) && (r->op != OP_DELETE_OBJECTS || op_delete_objects_parse(r));
}

/* A bit of what came is another one: do the checksums that came with it tell? */
static bool damage(struct req *r)
{
	size_t at = (size_t)r->action.flip_at;

	if (at >= r->body_len)
		return true;
	r->body[at] ^= 1;
	return auth_check_body(r);
}

static enum MHD_Result begin(struct req *r)
{
	struct s3d *srv = r->srv;
	int64_t delay_ms;

	if (r->is_control) {
		control_run(r);
		r->phase = REQ_ANSWERED;
		return answer_send(r);
	}
	if (!check(r))
		return refuse(r);
	if (!limit_take(&srv->limit, r, r->started_ms)) {
		req_error(r, "SlowDown", NULL);
		return refuse(r);
	}
	r->action = faults_for(&srv->faults, r);
	if (r->action.fires && r->action.flip && !damage(r))
		return refuse(r);
	if (r->action.fires && r->action.hang) {
		hang(r);
		return MHD_YES;
	}
	delay_ms = srv->latency_ms[r->op] + r->action.delay_ms;
	if (delay_ms <= 0)
		return finish(r);
	r->timer.fire = delay_ends;
	timer_start(&srv->timers, &r->timer, clk_mono_ms() + delay_ms);
	suspend(r);
	return MHD_YES;
}

static void *uri_begins(void *cls, const char *uri, struct MHD_Connection *conn)
{
	struct s3d *srv = cls;
	struct req *r = mem_zalloc(sizeof(*r));

	r->srv = srv;
	r->conn = conn;
	r->uri = mem_strdup(uri);
	r->seq = ++srv->last_seq;
	r->started_ms = clk_mono_ms();
	r->watched_fd = -1;
	snprintf(r->id, sizeof(r->id), "%016llX", (unsigned long long)r->seq);
	req_clear_answer(r);
	return r;
}

static void head_arrived(struct req *r, const char *method)
{
	struct stats *s = &r->srv->stats;

	r->method = method;
	req_parse_uri(r);
	if (r->is_control)
		return;
	r->op = op_of(r);
	if (++s->in_flight > s->in_flight_peak)
		s->in_flight_peak = s->in_flight;
}

/* The body grows into one block, which becomes the object's content without a copy. */
static void body_arrived(struct req *r, const char *p, size_t len)
{
	uint64_t max = r->key.len || r->is_control ? r->srv->opts.body_max_bytes : XML_BODY_MAX;
	char *grown;

	if (r->body_too_large || r->body_len + len > max) {
		r->body_too_large = true;
		return;
	}
	if (r->body_len + len + 1 > r->body_cap) {
		const char *text = req_header(r, "Content-Length");
		size_t whole = text ? (size_t)strtoull(text, NULL, 10) + 1 : 0;
		size_t cap = r->body_cap * 2 + len + 1;

		/* The length is believed up to 64 MiB at once; more must arrive first. */
		if (whole > cap && whole <= r->body_len + ((size_t)64 << 20))
			cap = whole;
		grown = realloc(r->body, cap);
		if (!grown) {
			r->body_too_large = true;
			return;
		}
		r->body = grown;
		r->body_cap = cap;
	}
	memcpy(r->body + r->body_len, p, len);
	r->body_len += len;
	r->body[r->body_len] = '\0';
}

static enum MHD_Result request_goes_on(void *cls, struct MHD_Connection *conn, const char *url,
	const char *method, const char *version, const char *data, size_t *data_len, void **req)
{
	struct req *r = *req;

	if (!r)
		return MHD_NO;
	if (!r->method) {
		head_arrived(r, method);
		return MHD_YES;
	}
	if (*data_len) {
		body_arrived(r, data, *data_len);
		*data_len = 0;
		return MHD_YES;
	}
	if (r->phase == REQ_BODY)
		return begin(r);
	return r->phase == REQ_READY ? finish(r) : MHD_YES;
}

static void request_ends(
	void *cls, struct MHD_Connection *conn, void **req, enum MHD_RequestTerminationCode code)
{
	struct s3d *srv = cls;
	struct req *r = *req;

	if (!r)
		return;
	*req = NULL;
	if (r->method && !r->is_control) {
		srv->stats.in_flight--;
		srv->stats.aborted += code != MHD_REQUEST_TERMINATED_COMPLETED_OK;
	}
	req_free(r);
}

static void connection_changes(void *cls, struct MHD_Connection *conn, void **context,
	enum MHD_ConnectionNotificationCode code)
{
	struct stats *s = &((struct s3d *)cls)->stats;

	if (code != MHD_CONNECTION_NOTIFY_STARTED) {
		s->connections_open--;
		return;
	}
	s->connections_opened++;
	if (++s->connections_open > s->connections_peak)
		s->connections_peak = s->connections_open;
}

/* URIs are decoded by uri.c, which knows about NULs and `+`. */
static size_t leave_escaped(void *cls, struct MHD_Connection *conn, char *s)
{
	return strlen(s);
}

static char *read_file(const char *name)
{
	FILE *f = fopen(name, "re");
	struct buf text = BUF_INIT(1u << 20);
	char chunk[4096];

	if (!f)
		return NULL;
	for (size_t n; (n = fread(chunk, 1, sizeof(chunk), f)) > 0;)
		buf_add(&text, chunk, n);
	fclose(f);
	return buf_take(&text);
}

static int listen_on(uint16_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_port = htons(*port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	/* Accepted sockets inherit both. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) ||
		bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 4096) ||
		getsockname(fd, (struct sockaddr *)&a, &len)) {
		close(fd);
		return -1;
	}
	*port = ntohs(a.sin_port);
	return fd;
}

static void start_daemon(struct s3d *srv, int fd, const char *cert, const char *key)
{
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (key ? MHD_USE_TLS : 0u);
	struct MHD_OptionItem tls[] = {
		{key ? MHD_OPTION_HTTPS_MEM_KEY : MHD_OPTION_END, 0, (char *)(uintptr_t)key},
		{MHD_OPTION_HTTPS_MEM_CERT, 0, (char *)(uintptr_t)cert},
		{MHD_OPTION_END, 0, NULL},
	};

	srv->daemon = MHD_start_daemon(flags, 0, NULL, NULL, request_goes_on, srv,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK, uri_begins, srv,
		MHD_OPTION_NOTIFY_COMPLETED, request_ends, srv, MHD_OPTION_NOTIFY_CONNECTION,
		connection_changes, srv, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY_BYTES,
		MHD_OPTION_CONNECTION_TIMEOUT, srv->opts.idle_timeout_s, MHD_OPTION_ARRAY, tls,
		MHD_OPTION_END);
}

static bool watch(struct s3d *srv, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN};

	return !epoll_ctl(srv->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

uint16_t server_open(struct s3d *srv, char *why, size_t why_size)
{
	uint16_t port = srv->opts.port;
	char *cert = srv->opts.tls_cert ? read_file(srv->opts.tls_cert) : NULL;
	char *key = srv->opts.tls_key ? read_file(srv->opts.tls_key) : NULL;
	const union MHD_DaemonInfo *info = NULL;
	int fd = -1;

	if (srv->opts.tls_key && (!cert || !key)) {
		snprintf(why, why_size, "cannot read %s or %s", srv->opts.tls_cert,
			srv->opts.tls_key);
	} else if ((fd = listen_on(&port)) < 0) {
		snprintf(why, why_size, "cannot listen on 127.0.0.1:%u: %s", port,
			strerrordesc_np(errno));
	} else {
		start_daemon(srv, fd, cert, key);
		if (srv->daemon)
			info = MHD_get_daemon_info(srv->daemon, MHD_DAEMON_INFO_EPOLL_FD);
		srv->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	}
	free(cert);
	free(key);
	if (info && srv->epoll_fd >= 0 && watch(srv, info->epoll_fd))
		return port;
	if (fd >= 0)
		snprintf(why, why_size, "libmicrohttpd does not start");
	return 0;
}

/* The soonest of what libmicrohttpd and our timers wait for, in ms; -1: nothing. */
static int next_timeout(struct s3d *srv)
{
	MHD_UNSIGNED_LONG_LONG mhd_ms;
	int64_t ms = timers_next(&srv->timers, clk_mono_ms());

	if (MHD_get_timeout(srv->daemon, &mhd_ms) == MHD_YES && (ms < 0 || (int64_t)mhd_ms < ms))
		ms = (int64_t)mhd_ms;
	return ms > 60000 ? 60000 : (int)ms;
}

void server_run(struct s3d *srv, int signal_fd)
{
	struct epoll_event signal_event = {.events = EPOLLIN, .data.ptr = srv}, events[64];
	bool stop = epoll_ctl(srv->epoll_fd, EPOLL_CTL_ADD, signal_fd, &signal_event) != 0;

	while (!stop) {
		int n = epoll_wait(srv->epoll_fd, events, 64, next_timeout(srv));

		for (int i = 0; i < n; i++) {
			struct req *r = events[i].data.ptr;

			if (events[i].data.ptr == srv) {
				stop = true;
			} else if (r) {
				r->is_gone = true;
				resume(r);
			}
		}
		timers_run(&srv->timers, clk_mono_ms());
		MHD_run(srv->daemon);
	}
}

void server_close(struct s3d *srv)
{
	srv->is_stopping = true;
	while (srv->suspended)
		resume(srv->suspended);
	if (srv->daemon) {
		MHD_run(srv->daemon);
		MHD_stop_daemon(srv->daemon);
	}
	if (srv->epoll_fd >= 0)
		close(srv->epoll_fd);
	timers_free(&srv->timers);
}
