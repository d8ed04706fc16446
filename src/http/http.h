/*
 * HTTP/1.1 requests, hundreds at once, on a few I/O threads that each run an epoll loop over
 * libcurl multi handles. Upper layers see no libcurl. A request is one attempt: whoever sent it
 * decides about another. Bodies are handed over as they are: nothing is decompressed, no redirect
 * is followed.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "util/buf.h"
#include "util/bytes.h"
#include "util/loop.h"

struct http_engine;
struct http_transfer;
struct http_request;

/* 0 and NULL mean the default. Strings are copied. */
struct http_config {
	unsigned threads;           /* 0: 1 on up to 2 processors, 2 on up to 7, else 4 */
	unsigned connections_max;   /* open at once, over all threads; 0: 1024 */
	const char *ca_bundle;      /* PEM file; NULL: libcurl's default */
	int64_t connect_timeout_ms; /* 0: 10 s; resolving, TCP and TLS together */
	int64_t stall_timeout_ms;   /* no byte either way for so long ends a transfer; 0: 60 s */
};

/*
 * Makes an engine and starts its threads (all signals blocked in them): call after daemonising.
 * Completions run on the thread of `loop`. NULL and a sentence in `why` on failure. Core thread.
 */
struct http_engine *http_engine_new(
	struct loop *loop, const struct http_config *config, char *why, size_t why_size);
/*
 * Ends every request (completions run with HTTP_CANCELLED before this returns) and joins the
 * threads. Not from within a completion. NULL is allowed. Core thread.
 */
void http_engine_free(struct http_engine *engine);
/* How many I/O threads there are. Any thread. */
unsigned http_engine_threads(const struct http_engine *engine);

/* ---- the request as it goes out -------------------------------------------------------------- */

/* What `prepare` fills in. The buffers are reused from request to request. */
struct http_draft {
	unsigned thread;    /* which I/O thread this is, from 0: for state that each thread has */
	struct buf url;     /* absolute, percent-encoded; sent as it is (RFC 3986) */
	struct buf headers; /* "Name: value" lines, each ended by a NUL: http_draft_header */
};

/* Adds a header. A value that holds CR, LF or NUL fails the draft (RFC 9110, 5.5). I/O thread. */
void http_draft_header(struct http_draft *draft, const char *name, struct bytes value);

/* ---- the answer ------------------------------------------------------------------------------ */

enum http_code {
	HTTP_DONE,          /* there is an answer, complete, of whatever status */
	HTTP_NO_HOST,       /* the name did not resolve */
	HTTP_NO_CONNECTION, /* refused, unreachable, or TLS broke off */
	HTTP_UNTRUSTED,     /* the certificate was not accepted, or the CA bundle cannot be read */
	HTTP_TIMED_OUT,     /* connecting took too long, or nothing moved for the stall timeout */
	HTTP_CUT,           /* the connection ended before the answer was complete */
	HTTP_BAD_ANSWER,    /* what came is not HTTP, or its headers pass 64 KiB */
	HTTP_REFUSED,       /* the sink said HTTP_REFUSE */
	HTTP_NOT_SENT,      /* `prepare` failed, or libcurl does not take the URL */
	HTTP_SHORT,         /* memory or descriptors were short here: `errnum` says which */
	HTTP_CANCELLED
};

/* A short word for an error code of ours: "ConnectionFailed", "TimedOut", ... */
const char *http_code_word(enum http_code code);

enum http_take {
	HTTP_MORE,
	HTTP_ENOUGH, /* the rest is not wanted: the connection is dropped, the result is HTTP_DONE
		      */
	HTTP_REFUSE  /* this answer is not wanted: HTTP_REFUSED */
};

struct http_result {
	enum http_code code;
	int status;      /* 0: no answer */
	int errnum;      /* of HTTP_SHORT: ENOMEM, EMFILE, ENFILE or ENOBUFS */
	bool stale;      /* a kept connection turned out to be closed: nothing of the answer came */
	bool sent_again; /* a kept connection was closed: what became of it there, nobody knows */
	char text[256];  /* libcurl's words on a failure */
	struct buf headers;           /* of the answer: http_header */
	struct buf error;             /* body when the status is 300 or more; its first 64 KiB */
	uint64_t bytes_in, bytes_out; /* of bodies */
	int64_t took_ms;
};

/* Value of a header of the answer, NULL when absent; `name` in lower case. Borrowed. Any thread. */
const char *http_header(const struct http_result *result, const char *name);
/* Calls `each` for every header, names in lower case. Any thread. */
void http_header_each(const struct http_result *result,
	void (*each)(void *ctx, const char *name, const char *value), void *ctx);

/* Milliseconds since 1970 of an HTTP date (RFC 9110, 5.6.7), -1 when it is none. Any thread. */
int64_t http_date_ms(const char *text);

/* ---- a request ------------------------------------------------------------------------------- */

/*
 * Embedded in its owner, zeroed at first; it may be submitted again after `done` has run. From
 * http_submit to `done` it belongs to the engine.
 */
struct http_request {
	const char *method; /* "GET", "HEAD", "PUT", "POST", "DELETE"; static */
	/* The body, borrowed until `done`; sent with PUT and POST only, and then also when empty.
	 */
	const struct bytes *runs;
	size_t run_count;
	size_t buffer_bytes;        /* receive buffer; 0: 16 KiB */
	bool fresh;                 /* on a new connection */
	bool direct;                /* through no proxy, whatever the environment says */
	int64_t connect_timeout_ms; /* 0: the engine's */
	int64_t limit_ms;           /* for all of it; 0: none but the engine's */
	/* I/O thread, once, right before sending: URL, headers, signature. False: HTTP_NOT_SENT. */
	bool (*prepare)(struct http_request *request, struct http_draft *draft);
	/* I/O thread, when the headers of an answer below 300 are complete; may be NULL. */
	enum http_take (*begin)(struct http_request *request);
	/* I/O thread, for each piece of the body of an answer below 300; NULL: not wanted. */
	enum http_take (*data)(struct http_request *request, const char *ptr, size_t len);
	/* Core thread, exactly once a submit, never inside it. */
	void (*done)(struct http_request *request);
	struct http_result result; /* of the last attempt; http_request_free */

	/* For the engine only. */
	struct http_thread *thread;
	struct http_transfer *transfer;
	TAILQ_ENTRY(http_request) link, cancel_link;
	enum { HTTP_AT_REST, HTTP_QUEUED, HTTP_ACTIVE } state; /* I/O thread */
	bool cancel_asked;                                     /* under the thread's mutex */
};

/* Sends a request. Core thread. */
void http_submit(struct http_engine *engine, struct http_request *request);
/* Ends a submitted request: `done` runs soon, with HTTP_CANCELLED unless it was through. Core. */
void http_cancel(struct http_request *request);
/* Frees the memory of the result. Core thread, not while submitted. */
void http_request_free(struct http_request *request);

#endif
