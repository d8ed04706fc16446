/* What the files of src/http share. */
#ifndef HTTP_HTTP_INT_H
#define HTTP_HTTP_INT_H

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "http/http.h"

#define HEADERS_BYTES_MAX ((size_t)64 << 10)
#define ERROR_BYTES_MAX ((size_t)64 << 10)

TAILQ_HEAD(http_queue, http_request);
TAILQ_HEAD(transfer_queue, http_transfer);

/* One easy handle with what a request on it needs. Belongs to its I/O thread. */
struct http_transfer {
	CURL *easy;
	struct http_thread *thread;
	struct http_lane *lane;          /* NULL: not with libcurl */
	struct http_request *request;    /* NULL: idle, in the pool */
	TAILQ_ENTRY(http_transfer) link; /* in thread->active (by last activity) or ->idle */
	struct http_draft draft;
	struct curl_slist *nodes; /* array over draft.headers; libcurl only reads it */
	size_t node_cap;
	size_t run, run_offset; /* how far the body has been read */
	unsigned sendings;      /* libcurl sends again when a kept connection was closed */
	bool answered;          /* the headers of the final answer are complete */
	enum http_take take;    /* what the sink said last */
	int64_t start_ms, active_ms;
	int socket_errnum; /* why there was no socket; 0: there was */
	char error[CURL_ERROR_SIZE];
};

/* A socket and epoll. */
struct http_watch {
	uint32_t watched; /* events that epoll was told; 0: it does not know the socket */
	uint32_t wanted;  /* events that libcurl waits for */
	struct http_lane *lane;
	bool ours; /* opened and closed by http_lane_*_socket */
};

/* How many transfers a lane runs at once, and how many connections it keeps. */
#define HTTP_LANE_TRANSFERS 32

/* One libcurl multi handle. Belongs to its I/O thread. */
struct http_lane {
	struct http_thread *thread;
	CURLM *multi;
	unsigned active_count;
	int running_count;    /* transfers that libcurl has not ended */
	int64_t timer_due_ms; /* when libcurl wants to be called; -1: never */
};

/* What an I/O thread does, or is about to do. */
enum http_rest {
	HTTP_AWAKE,
	HTTP_PAUSES, /* for a moment, though it is busy: work gathers meanwhile */
	HTTP_SLEEPS  /* until something happens */
};

/* One I/O thread. Everything is its own but `locked`, `posted` and `rest`. */
struct http_thread {
	struct http_engine *engine;
	unsigned index;
	pthread_t id;
	bool started; /* the fields are set up */
	bool running;
	unsigned load; /* core thread: requests submitted and not done */
	int epoll_fd, wake_fd;
	struct http_lane **lanes;
	size_t lane_count;
	CURLSH *share;              /* of the lanes: names that were looked up, TLS sessions */
	struct http_watch *watches; /* by file descriptor */
	size_t watch_count;
	int64_t now_ms; /* of this round */
	unsigned active_count, active_max;
	bool more_events;             /* than one call of epoll_wait gives */
	struct transfer_queue active; /* the one that was silent longest comes first */
	struct transfer_queue idle;   /* last used first: its memory is warm */
	struct http_queue waiting;    /* taken over, not started: active_max */
	struct http_queue finished;   /* to be handed to the core thread at the end of the round */
	atomic_bool posted;           /* something may be in `locked` */
	atomic_int rest;              /* enum http_rest */
	struct {
		pthread_mutex_t mutex;
		struct http_queue submitted, cancelled;
		bool stop;
	} locked;
};

/* http_engine.c */
const struct http_config *http_engine_config(const struct http_engine *engine);
/* Hands finished requests to the core thread; `list` is empty after it. I/O thread. */
void http_engine_finished(struct http_engine *engine, struct http_queue *list);

/* http_thread.c */
int http_thread_start(struct http_thread *t); /* 0 or negative errno */
void http_thread_join(struct http_thread *t);
/* Something was posted; `now`: it cannot wait for the end of a pause. Any thread. */
void http_thread_wake(struct http_thread *t, bool now);

/* http_lane.c: all on the I/O thread. */
struct http_lane *http_lane_new(struct http_thread *t); /* NULL: no memory */
void http_lane_free(struct http_lane *lane);            /* has no transfers any more */
/* Gives a transfer to libcurl. False: it does not take it. */
bool http_lane_add(struct http_lane *lane, struct http_transfer *x);
/* Takes it back, whatever its state: unless it has ended, its connection is closed. */
void http_lane_remove(struct http_transfer *x);
/* The next transfer that has ended, taken back, and how; NULL: no other. */
struct http_transfer *http_lane_ended(struct http_lane *lane, CURLcode *ret);
void http_lane_run_timer(struct http_lane *lane);
/* Lets libcurl handle what epoll says of a socket. */
void http_lane_handle_socket(struct http_thread *t, int fd, uint32_t events);

/* CURLOPT_OPENSOCKETFUNCTION; `ctx` is the transfer. CURLOPT_CLOSESOCKETFUNCTION; the thread. */
curl_socket_t http_lane_open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address);
int http_lane_close_socket(void *ctx, curl_socket_t fd);

/* http_transfer.c: all on the I/O thread. */
struct http_transfer *http_transfer_new(struct http_thread *t);
void http_transfer_free(struct http_transfer *x);
/* Sets the handle up for a request. On failure fills its result and returns false. */
bool http_transfer_begin(struct http_transfer *x, struct http_request *request);
/* Fills the request's result from what libcurl says. */
void http_transfer_end(struct http_transfer *x, CURLcode code);
/* The same for one that we end ourselves. */
void http_transfer_abort(struct http_transfer *x, enum http_code code, const char *text);
/* The same when there was no memory for it. */
void http_transfer_short(struct http_transfer *x);

/* http_header.c: I/O thread. */
/* Takes one header line as libcurl gives it, with its line end. */
void http_header_take(struct http_result *result, struct bytes line);

#endif
