/*
 * One request: what was asked, what becomes of it, and the answer. Lives from the request line
 * until libmicrohttpd has done with the answer; owned by server.c; handlers borrow it. One thread.
 */
#ifndef S3D_REQ_H
#define S3D_REQ_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "faults.h"
#include "ops.h"
#include "store.h"
#include "timer.h"
#include "util/buf.h"
#include "util/bytes.h"

struct account;
struct s3d;

#define REQ_HEADERS_MAX 96 /* of an answer */

struct param {
	struct bytes name, value; /* decoded; NUL-terminated behind their length */
};

struct answer {
	int status;
	char code[64]; /* S3's error code; "" for success */
	struct buf body;
	struct data *data; /* instead of `body`: the object whose bytes are sent (owned) */
	uint64_t data_off, data_len;
	struct kv headers[REQ_HEADERS_MAX];
	size_t header_count;
	const char *content_type; /* static; NULL: none */
};

enum req_phase { REQ_BODY, REQ_WAITING, REQ_READY, REQ_ANSWERED };

struct req {
	struct s3d *srv;
	struct MHD_Connection *conn;
	enum req_phase phase;
	char *uri;          /* as received */
	char *path_mem;     /* decoded path */
	struct bytes path;  /* all of it, with the first slash */
	const char *method; /* libmicrohttpd's */
	enum op op;
	bool is_control; /* below /-/ */
	char *bucket;    /* NULL: none */
	struct bytes key;
	const struct account *account; /* whose key it is signed with; NULL: the server's own */
	struct param *params;
	size_t param_count;
	char id[20]; /* x-amz-request-id */
	uint64_t seq;
	int64_t started_ms; /* monotonic */

	char *body; /* NUL-terminated behind body_len */
	size_t body_len, body_cap;
	bool body_too_large;

	struct bytes *keys; /* DeleteObjects */
	size_t key_count;
	char **key_etags; /* one a key; NULL: no condition */
	bool quiet;

	struct fault_action action;
	struct timer timer;
	struct req *prev, *next; /* list of suspended requests */
	int watched_fd;          /* of a hanging request; -1: none */
	bool is_gone;            /* the connection went while it was hanging */
	struct answer answer;
};

/* The request's header, or NULL. Borrowed. */
const char *req_header(const struct req *r, const char *name);
/* The value of a query parameter as a C string, or NULL when it is not there ("" without `=`). */
const char *req_param(const struct req *r, const char *name);
/* The same as bytes; false when it is not there. */
bool req_param_bytes(const struct req *r, const char *name, struct bytes *ret_value);

/* Splits r->uri into path, parameters, and by Host or path the bucket and key. */
void req_parse_uri(struct req *r);

/*
 * Makes the answer an error document after the table of codes in req.c (status and message;
 * `detail` replaces the message when not NULL). `extra_xml` is put into <Error> or is NULL.
 */
void req_error(struct req *r, const char *code, const char *detail);
void req_error_xml(struct req *r, const char *code, const char *detail, const char *extra_xml);
/* The same with a status of the caller's. */
void req_error_status(struct req *r, int status, const char *code, const char *detail);
/* Starts an XML answer with status 200; the caller adds to r->answer.body. */
struct buf *req_xml(struct req *r);
void req_status(struct req *r, int status);
/* Adds a header to the answer; bounded by REQ_HEADERS_MAX, beyond which it is an InternalError. */
void req_add_header(struct req *r, const char *name, const char *value);
/* Drops the answer made so far. */
void req_clear_answer(struct req *r);
/* The bucket of the request; makes the answer NoSuchBucket and returns NULL when there is none. */
struct bucket *req_bucket(struct req *r);
/* The object of the request, or its version that versionId names; makes the answer NoSuchKey or the
 * like and returns NULL when there is none. */
struct object *req_object(struct req *r, struct bucket *bucket);

void req_free(struct req *r);

#endif
