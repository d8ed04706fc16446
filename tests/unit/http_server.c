/*
 * The test server: see http_server.h. A thread accepts; each connection has a thread of its own,
 * detached and counted. Paths:
 *   /ok            200, "hello"
 *   /bytes/N       200, N bytes of 'x'
 *   /cut           200, Content-Length 100, ten bytes, closed
 *   /close         closed without an answer
 *   /first-only    200 on a fresh connection, closed without an answer on a kept one
 *   /hang          no answer
 *   /half          200, Content-Length 100, ten bytes, then silence
 *   /error         503 with a body of 100,000 bytes
 *   /garbage       an answer that is not HTTP
 *   /big-headers   200 with 200 KB of headers
 *   /chunked       200, chunked, "hello" in two chunks, with a trailer
 *   /continue      100 Continue first, then 200 "hello"
 *   /bkt/digits    200 "01234567890123456789", whatever range was asked for
 *   /bkt/other-range, /bkt/short-range   206 with bytes 0-3, of 20
 *   /bkt/cut       as /cut
 *   /echo          200 with the request's head and body as the body
 */
#include "http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/mem.h"

struct http_server {
	int fd, port;
	pthread_t thread;
	atomic_int connections, requests;
	pthread_mutex_t mutex;
	pthread_cond_t ended;
	int open;
	bool (*script)(void *ctx, int fd, struct bytes request);
	void *script_ctx;
};

struct connection {
	struct http_server *server;
	int fd;
};

static bool send_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static bool send_str(int fd, const char *s)
{
	return send_all(fd, s, strlen(s));
}

static bool send_answer(int fd, const char *status, struct bytes body)
{
	char *head = mem_printf(
		"HTTP/1.1 %s\r\nContent-Length: %zu\r\nX-Test: yes\r\n\r\n", status, body.len);
	bool ok = send_str(fd, head) && send_all(fd, body.ptr, body.len);

	free(head);
	return ok;
}

static bool send_bytes(int fd, const char *status, size_t count)
{
	char *body = mem_calloc(count, 1);
	bool ok;

	memset(body, 'x', count);
	ok = send_answer(fd, status, BYTES(body, count));
	free(body);
	return ok;
}

static void wait_for_end(int fd)
{
	char byte;

	while (recv(fd, &byte, 1, 0) > 0)
		;
}

static bool big_headers(int fd)
{
	int i;

	if (!send_str(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"))
		return false;
	for (i = 0; i < 2000; i++) {
		char line[128];

		snprintf(line, sizeof(line), "X-Filler-%d: %090d\r\n", i, i);
		if (!send_str(fd, line))
			return false;
	}
	return send_str(fd, "\r\n");
}

/* False when the connection is to be closed. */
static bool answer(int fd, struct bytes head, struct bytes all, int nth)
{
	const char *path = strchr(head.ptr, ' ') + 1;
	size_t len = strcspn(path, " ?");
	size_t count;

#define IS(text) (len == strlen(text) && !memcmp(path, text, len))
	if (IS("/ok"))
		return send_answer(fd, "200 OK", BYTES_LIT("hello"));
	if (sscanf(path, "/bytes/%zu", &count) == 1)
		return send_bytes(fd, "200 OK", count);
	if (IS("/error"))
		return send_bytes(fd, "503 Slow Down", 100000);
	if (IS("/echo"))
		return send_answer(fd, "200 OK", all);
	if (IS("/first-only"))
		return nth == 1 && send_answer(fd, "200 OK", BYTES_LIT("hello"));
	if (IS("/chunked"))
		return send_str(fd,
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Late\r\n\r\n"
			"2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Late: 1\r\n\r\n");
	if (IS("/continue"))
		return send_str(fd, "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n") &&
		       send_answer(fd, "200 OK", BYTES_LIT("hello"));
	if (IS("/big-headers"))
		return big_headers(fd);
	if (IS("/bkt/digits"))
		return send_answer(fd, "200 OK", BYTES_LIT("01234567890123456789"));
	if (IS("/bkt/other-range") || IS("/bkt/short-range"))
		return send_answer(fd, "206 Partial Content\r\nContent-Range: bytes 0-3/20",
			BYTES_LIT("0123"));
	if (IS("/cut") || IS("/bkt/cut"))
		send_str(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
	else if (IS("/garbage"))
		send_str(fd, "SSH-2.0-OpenSSH_9.2\r\nnothing of HTTP in here\r\n");
	else if (IS("/hang"))
		wait_for_end(fd);
	else if (IS("/half") &&
		 send_str(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789"))
		wait_for_end(fd);
#undef IS
	return false;
}

static size_t content_length(const char *head, size_t head_len)
{
	const char *p = head, *end = head + head_len;

	while ((p = memchr(p, '\n', (size_t)(end - p)))) {
		p++;
		if (!strncasecmp(p, "content-length:", 15))
			return strtoul(p + 15, NULL, 10);
	}
	return 0;
}

/* Reads one request into `b`. False at the end of the connection. */
static bool read_request(int fd, struct buf *b, size_t *head_len)
{
	char *end;
	ssize_t n;

	buf_cut(b, 0);
	for (;;) {
		char chunk[65536];

		end = b->len ? strstr(b->ptr, "\r\n\r\n") : NULL;
		if (end) {
			*head_len = (size_t)(end + 4 - b->ptr);
			if (b->len >= *head_len + content_length(b->ptr, *head_len))
				return true;
		}
		n = recv(fd, chunk, sizeof(chunk), 0);
		if (n <= 0)
			return false;
		buf_add(b, chunk, (size_t)n);
	}
}

static void *serve(void *arg)
{
	struct connection *c = arg;
	struct http_server *s = c->server;
	struct buf request = BUF_INIT((size_t)64 << 20);
	size_t head_len;
	int nth = 0;

	while (read_request(c->fd, &request, &head_len)) {
		atomic_fetch_add(&s->requests, 1);
		if (s->script) {
			if (!s->script(s->script_ctx, c->fd, buf_bytes(&request)))
				break;
		} else if (!answer(c->fd, BYTES(request.ptr, head_len), buf_bytes(&request),
				   ++nth)) {
			break;
		}
	}
	close(c->fd);
	buf_free(&request);
	free(c);
	pthread_mutex_lock(&s->mutex);
	s->open--;
	pthread_cond_signal(&s->ended);
	pthread_mutex_unlock(&s->mutex);
	return NULL;
}

static void *accept_all(void *arg)
{
	struct http_server *s = arg;
	pthread_attr_t attr;
	int fd, one = 1;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, (size_t)512 << 10);
	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		struct connection *c = mem_zalloc(sizeof(*c));
		pthread_t thread;

		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		*c = (struct connection){.server = s, .fd = fd};
		atomic_fetch_add(&s->connections, 1);
		pthread_mutex_lock(&s->mutex);
		s->open++;
		pthread_mutex_unlock(&s->mutex);
		if (pthread_create(&thread, &attr, serve, c) != 0)
			abort();
	}
	pthread_attr_destroy(&attr);
	return NULL;
}

struct http_server *http_server_start(void)
{
	struct http_server *s = mem_zalloc(sizeof(*s));
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t len = sizeof(addr);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	pthread_mutex_init(&s->mutex, NULL);
	pthread_cond_init(&s->ended, NULL);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
		listen(s->fd, 1024) < 0 || getsockname(s->fd, (struct sockaddr *)&addr, &len) < 0 ||
		pthread_create(&s->thread, NULL, accept_all, s) != 0)
		abort();
	s->port = ntohs(addr.sin_port);
	return s;
}

void http_server_script(
	struct http_server *s, bool (*script)(void *ctx, int fd, struct bytes request), void *ctx)
{
	s->script = script;
	s->script_ctx = ctx;
}

void http_server_stop(struct http_server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	pthread_mutex_lock(&s->mutex);
	while (s->open)
		pthread_cond_wait(&s->ended, &s->mutex);
	pthread_mutex_unlock(&s->mutex);
	pthread_mutex_destroy(&s->mutex);
	pthread_cond_destroy(&s->ended);
	free(s);
}

int http_server_port(const struct http_server *s)
{
	return s->port;
}

int http_server_connections(struct http_server *s)
{
	return atomic_load(&s->connections);
}

int http_server_requests(struct http_server *s)
{
	return atomic_load(&s->requests);
}
