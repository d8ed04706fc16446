/*
 * One libcurl easy handle and the request that runs on it: options, body, answer. Everything here
 * runs on the I/O thread that owns the handle. Handles are reused: options that never change are
 * set once, each request sets only what it changes.
 */
#include "http/http_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clk.h"
#include "util/log.h"
#include "util/mem.h"

#define URL_BYTES_MAX ((size_t)32 << 10)
#define BUFFER_BYTES ((long)16 << 10)
/* S3 closes connections that were idle for about 5 s; one that old may be closing right now. */
#define IDLE_MAX_S 4L

static void touch(struct http_transfer *x)
{
	struct http_thread *t = x->thread;

	if (x->active_ms == t->now_ms)
		return;
	x->active_ms = t->now_ms;
	TAILQ_REMOVE(&t->active, x, link);
	TAILQ_INSERT_TAIL(&t->active, x, link);
}

/* CURLOPT_READFUNCTION */
static size_t on_read(char *to, size_t size, size_t count, void *ctx)
{
	struct http_transfer *x = ctx;
	const struct http_request *r = x->request;
	size_t room = size * count, put = 0;

	while (put < room && x->run < r->run_count) {
		const struct bytes *run = &r->runs[x->run];
		size_t n = run->len - x->run_offset;

		if (n > room - put)
			n = room - put;
		if (n)
			memcpy(to + put, run->ptr + x->run_offset, n);
		put += n;
		x->run_offset += n;
		if (x->run_offset == run->len) {
			x->run++;
			x->run_offset = 0;
		}
	}
	x->request->result.bytes_out += put;
	touch(x);
	return put;
}

/* CURLOPT_SEEKFUNCTION: libcurl sends the body again when a kept connection was closed. */
static int on_seek(void *ctx, curl_off_t offset, int origin)
{
	struct http_transfer *x = ctx;
	const struct http_request *r = x->request;
	uint64_t left = (uint64_t)offset;

	if (origin != SEEK_SET || offset < 0)
		return CURL_SEEKFUNC_CANTSEEK;
	x->run = 0;
	while (x->run < r->run_count && left >= r->runs[x->run].len)
		left -= r->runs[x->run++].len;
	x->run_offset = (size_t)left;
	return CURL_SEEKFUNC_OK;
}

static int parse_status(struct bytes line)
{
	const char *space = memchr(line.ptr, ' ', line.len);
	int status = 0, i;

	if (!space || line.len - (size_t)(space - line.ptr) < 4)
		return 0;
	for (i = 1; i <= 3; i++) {
		if (space[i] < '0' || space[i] > '9')
			return 0;
		status = status * 10 + (space[i] - '0');
	}
	return status;
}

/* CURLOPT_HEADERFUNCTION: one line at a time, the status line first, an empty one last; and after
 * the body the trailers of a chunked answer, which nobody wants. */
static size_t on_header(char *ptr, size_t size, size_t count, void *ctx)
{
	struct http_transfer *x = ctx;
	struct http_result *res = &x->request->result;
	struct bytes line = BYTES(ptr, size * count);

	touch(x);
	if (x->answered)
		return line.len;
	if (bytes_starts(line, BYTES_LIT("HTTP/"))) {
		buf_cut(&res->headers, 0);
		res->status = parse_status(line);
		return line.len;
	}
	if (line.len && line.ptr[0] != '\r' && line.ptr[0] != '\n') {
		http_header_take(res, line);
		return res->headers.failed ? 0 : line.len;
	}
	if (res->status < 200)
		return line.len;
	x->answered = true;
	if (res->status < 300 && x->request->begin)
		x->take = x->request->begin(x->request);
	return x->take == HTTP_MORE ? line.len : 0;
}

/* What is behind the bound is not waited for: it may never end. */
static enum http_take keep_error(struct http_result *res, const char *ptr, size_t len)
{
	size_t room = res->error.max - res->error.len;

	buf_add(&res->error, ptr, len < room ? len : room);
	return len < room ? HTTP_MORE : HTTP_ENOUGH;
}

/* CURLOPT_WRITEFUNCTION: only answers below 300 reach the sink. */
static size_t on_data(char *ptr, size_t size, size_t count, void *ctx)
{
	struct http_transfer *x = ctx;
	struct http_request *r = x->request;
	size_t len = size * count;

	touch(x);
	r->result.bytes_in += len;
	if (r->result.status >= 300)
		x->take = keep_error(&r->result, ptr, len);
	else if (r->data)
		x->take = r->data(r, ptr, len);
	return x->take == HTTP_MORE ? len : 0;
}

/* CURLOPT_PREREQFUNCTION: connected, and about to send. */
static int on_send(void *ctx, char *ip, char *local_ip, int port, int local_port)
{
	struct http_transfer *x = ctx;

	(void)ip;
	(void)local_ip;
	(void)port;
	(void)local_port;
	x->sendings++;
	return CURL_PREREQFUNC_OK;
}

/* Options that hold for every request. False: no memory. */
static bool set_up(struct http_transfer *x, const struct http_config *config)
{
	CURL *c = x->easy;

	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(c, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(c, CURLOPT_MAXAGE_CONN, IDLE_MAX_S);
	/* S3's names have several addresses: let the connections spread over them. */
	curl_easy_setopt(c, CURLOPT_DNS_SHUFFLE_ADDRESSES, 1L);
	curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 1L);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, x->error);
	curl_easy_setopt(c, CURLOPT_PRIVATE, x);
	curl_easy_setopt(c, CURLOPT_SHARE, x->thread->share);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, http_lane_open_socket);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, x);
	curl_easy_setopt(c, CURLOPT_CLOSESOCKETFUNCTION, http_lane_close_socket);
	curl_easy_setopt(c, CURLOPT_CLOSESOCKETDATA, x->thread);
	curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(c, CURLOPT_READDATA, x);
	curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_seek);
	curl_easy_setopt(c, CURLOPT_SEEKDATA, x);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_send);
	curl_easy_setopt(c, CURLOPT_PREREQDATA, x);
	/* Of all these libcurl copies only strings. */
	return !config->ca_bundle ||
	       curl_easy_setopt(c, CURLOPT_CAINFO, config->ca_bundle) == CURLE_OK;
}

struct http_transfer *http_transfer_new(struct http_thread *t)
{
	struct http_transfer *x = mem_zalloc(sizeof(*x));

	x->thread = t;
	x->easy = curl_easy_init();
	x->draft.thread = t->index;
	x->draft.url = BUF_INIT(URL_BYTES_MAX);
	x->draft.headers = BUF_INIT(HEADERS_BYTES_MAX);
	if (!x->easy || !set_up(x, http_engine_config(t->engine))) {
		http_transfer_free(x);
		return NULL;
	}
	return x;
}

void http_transfer_free(struct http_transfer *x)
{
	curl_easy_cleanup(x->easy);
	buf_free(&x->draft.url);
	/* Session tokens and keys of SSE-C were among them. */
	if (x->draft.headers.ptr)
		explicit_bzero(x->draft.headers.ptr, x->draft.headers.cap);
	buf_free(&x->draft.headers);
	free(x->nodes);
	free(x);
}

static bool is_upload(const struct http_request *r)
{
	return !strcmp(r->method, "PUT") || !strcmp(r->method, "POST");
}

static curl_off_t body_bytes(const struct http_request *r)
{
	curl_off_t sum = 0;
	size_t i;

	for (i = 0; i < r->run_count; i++)
		sum += (curl_off_t)r->runs[i].len;
	return sum;
}

/* The draft's lines as a list for libcurl, which neither changes nor frees it. */
static struct curl_slist *link_headers(struct http_transfer *x)
{
	struct buf *b = &x->draft.headers;
	size_t at, n = 0;

	/* Not "Expect: 100-continue": it costs a round trip, or a second where it is not known. */
	buf_add(b, "Expect:", sizeof("Expect:"));
	buf_add(b, "Accept:", sizeof("Accept:"));
	/* RFC 9110, 8.6: a method that may have a body says when it has none. */
	if (!body_bytes(x->request) && is_upload(x->request))
		buf_add(b, "Content-Length: 0", sizeof("Content-Length: 0"));
	if (b->failed)
		return NULL;
	for (at = 0; at < b->len; at += strlen(b->ptr + at) + 1) {
		if (n == x->node_cap) {
			x->node_cap = n ? n * 2 : 32;
			x->nodes = mem_resize(x->nodes, x->node_cap, sizeof(*x->nodes));
		}
		x->nodes[n++].data = b->ptr + at;
	}
	for (at = 0; at < n; at++)
		x->nodes[at].next = at + 1 < n ? &x->nodes[at + 1] : NULL;
	return x->nodes;
}

static CURLcode set_method(CURL *c, const struct http_request *r)
{
	curl_off_t bytes = body_bytes(r);

	/* Without a body there is nothing to upload, whatever the method: libcurl would hold a
	 * buffer of 64 KiB for it. */
	if (bytes) {
		curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, bytes);
	} else if (!strcmp(r->method, "HEAD")) {
		curl_easy_setopt(c, CURLOPT_UPLOAD, 0L);
		curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	} else {
		curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
	}
	return curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method);
}

static void result_reset(struct http_request *r)
{
	struct http_result *res = &r->result;
	struct buf headers = res->headers, error = res->error;

	memset(res, 0, sizeof(*res));
	headers.max = HEADERS_BYTES_MAX;
	error.max = ERROR_BYTES_MAX;
	buf_cut(&headers, 0);
	buf_cut(&error, 0);
	res->headers = headers;
	res->error = error;
}

static CURLcode set_limits(const struct http_transfer *x, const struct http_request *r)
{
	int64_t connect_ms = r->connect_timeout_ms;

	if (!connect_ms)
		connect_ms = http_engine_config(x->thread->engine)->connect_timeout_ms;
	curl_easy_setopt(x->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
	curl_easy_setopt(x->easy, CURLOPT_TIMEOUT_MS, (long)r->limit_ms);
	/* NULL: what the environment says. */
	return curl_easy_setopt(x->easy, CURLOPT_NOPROXY, r->direct ? "*" : NULL);
}

bool http_transfer_begin(struct http_transfer *x, struct http_request *r)
{
	struct curl_slist *headers;
	CURL *c = x->easy;

	x->request = r;
	x->run = x->run_offset = 0;
	x->sendings = 0;
	x->answered = false;
	x->take = HTTP_MORE;
	x->error[0] = '\0';
	x->start_ms = x->active_ms = x->thread->now_ms;
	x->socket_errnum = 0;
	result_reset(r);
	buf_cut(&x->draft.url, 0);
	buf_cut(&x->draft.headers, 0);
	if (!r->prepare(r, &x->draft) || x->draft.url.failed || !(headers = link_headers(x))) {
		/* A digest that had no memory says only that there is none. */
		if (mem_short())
			http_transfer_short(x);
		else
			http_transfer_abort(x, HTTP_NOT_SENT, "the request could not be built");
		return false;
	}
	/* An address that is none shows when libcurl begins: here it only copies. */
	if (curl_easy_setopt(c, CURLOPT_URL, buf_str(&x->draft.url)) != CURLE_OK ||
		curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers) != CURLE_OK ||
		set_method(c, r) != CURLE_OK || set_limits(x, r) != CURLE_OK) {
		http_transfer_short(x);
		return false;
	}
	curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, r->fresh ? 1L : 0L);
	curl_easy_setopt(
		c, CURLOPT_BUFFERSIZE, r->buffer_bytes ? (long)r->buffer_bytes : BUFFER_BYTES);
	return true;
}

/* Method, host and path: never the query, which may carry secrets, nor a header. */
static void log_request(const struct http_transfer *x)
{
	const struct http_result *res = &x->request->result;
	const char *url = buf_str(&x->draft.url), *host = strstr(url, "://");
	size_t len = strcspn(url, "?");

	host = host ? host + 3 : url;
	log_debug("http %s %.*s: %d %s%s%s in %lld ms", x->request->method,
		(int)(len - (size_t)(host - url)), host, res->status, http_code_word(res->code),
		res->text[0] ? ": " : "", res->text, (long long)res->took_ms);
}

/* socket(2) says the same of an address family that the machine does not have. */
static bool is_scarce(int errnum)
{
	return errnum == EMFILE || errnum == ENFILE || errnum == ENOBUFS || errnum == ENOMEM;
}

static enum http_code from_curl(const struct http_transfer *x, CURLcode code)
{
	long sent_bytes = 0;

	switch (code) {
	case CURLE_OK:
		return x->answered ? HTTP_DONE : HTTP_BAD_ANSWER;
	case CURLE_WRITE_ERROR:
		if (x->request->result.headers.failed)
			return HTTP_BAD_ANSWER;
		return x->take == HTTP_ENOUGH ? HTTP_DONE : HTTP_REFUSED;
	case CURLE_OUT_OF_MEMORY:
		return HTTP_SHORT;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return HTTP_NO_HOST;
	case CURLE_COULDNT_CONNECT:
		return is_scarce(x->socket_errnum) ? HTTP_SHORT : HTTP_NO_CONNECTION;
	case CURLE_SSL_CONNECT_ERROR:
		return HTTP_NO_CONNECTION;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_ISSUER_ERROR:
		return HTTP_UNTRUSTED;
	case CURLE_OPERATION_TIMEDOUT:
		return HTTP_TIMED_OUT;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		/* The second also stands for an answer that is not HTTP/1: then we had sent. */
		curl_easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &sent_bytes);
		return sent_bytes ? HTTP_BAD_ANSWER : HTTP_NOT_SENT;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_HTTP2:
		return HTTP_BAD_ANSWER;
	default:
		return HTTP_CUT;
	}
}

/* A kept connection that the server closed meanwhile: the request never got an answer. */
static bool is_stale(const struct http_transfer *x)
{
	long connects = 1;

	if (x->request->result.status || x->request->result.code != HTTP_CUT)
		return false;
	curl_easy_getinfo(x->easy, CURLINFO_NUM_CONNECTS, &connects);
	return connects == 0;
}

void http_transfer_end(struct http_transfer *x, CURLcode code)
{
	struct http_result *res = &x->request->result;

	res->code = from_curl(x, code);
	if (res->code == HTTP_SHORT)
		res->errnum = code == CURLE_OUT_OF_MEMORY ? ENOMEM : x->socket_errnum;
	res->stale = is_stale(x);
	res->sent_again = x->sendings > 1;
	res->took_ms = x->thread->now_ms - x->start_ms;
	if (res->code != HTTP_DONE)
		snprintf(res->text, sizeof(res->text), "%s",
			res->code == HTTP_SHORT ? strerrordesc_np(res->errnum)
			: x->error[0]           ? x->error
						: curl_easy_strerror(code));
	if (log_wants(LOG_LVL_DEBUG))
		log_request(x);
}

void http_transfer_abort(struct http_transfer *x, enum http_code code, const char *text)
{
	struct http_result *res = &x->request->result;

	res->code = code;
	res->took_ms = x->thread->now_ms - x->start_ms;
	snprintf(res->text, sizeof(res->text), "%s", text);
	if (log_wants(LOG_LVL_DEBUG))
		log_request(x);
}

void http_transfer_short(struct http_transfer *x)
{
	x->request->result.errnum = ENOMEM;
	http_transfer_abort(x, HTTP_SHORT, "there is no memory for the request");
}
