/*
 * One HTTP exchange with a service that gives credentials: a small request, a small answer, tried
 * again where that helps. Redirects are not followed. Core thread; what the I/O thread reads does
 * not change while the exchange is under way. Buffers may hold secrets and are wiped.
 */
#ifndef S3_S3_ASK_H
#define S3_S3_ASK_H

#include "http/http.h"
#include "s3/s3.h"
#include "util/buf.h"
#include "util/loop.h"
#include "util/rng.h"

#define S3_ASK_BYTES_MAX ((size_t)64 << 10) /* of a body, either way */

struct s3_ask {
	struct http_request http; /* first; `direct` and the time limits are the caller's */
	struct loop *loop;
	struct http_engine *engine;
	const struct s3_retry_policy *policy;
	struct rng rng;
	/* When there is an answer, or none can be had. Not after s3_ask_stop. */
	void (*done)(struct s3_ask *ask);

	struct buf url, headers; /* headers: name, NUL, value, NUL, ... */
	struct buf body, answer; /* answer: of a status below 300 */
	struct bytes run;
	struct s3_retry retry;
	struct loop_timer timer;
	bool stopped, too_large;
};

/* Once; the members above `url` are set before. */
void s3_ask_init(struct s3_ask *ask);
/* Not while a request is with the engine. */
void s3_ask_free(struct s3_ask *ask);
/* Starts a new request; `method` is static. */
void s3_ask_begin(struct s3_ask *ask, const char *method, const char *url);
void s3_ask_header(struct s3_ask *ask, const char *name, const char *value);
void s3_ask_send(struct s3_ask *ask);
/* No completion from now on. What the engine has of it comes back with the engine's end. */
void s3_ask_stop(struct s3_ask *ask);

/* The status of the answer, 0: there is none, or one that is too large. */
int s3_ask_status(const struct s3_ask *ask);
/* The body of the answer, whatever its status. Borrowed. */
struct bytes s3_ask_answer(const struct s3_ask *ask);
/* What went wrong, for a sentence: "no connection (...)", "HTTP 500". Writes into `text`. */
const char *s3_ask_problem(const struct s3_ask *ask, char *text, size_t size);

#endif
