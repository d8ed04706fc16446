/*
 * What the files of the S3 client share: the client, and the operation that all the calls of s3.h
 * are made of.
 *
 * An operation is made by s3_op_new, filled with key, query, headers and body, and started. From
 * then on s3_op.c drives it: an HTTP attempt, the verdict on its answer, perhaps a timer and
 * another attempt, at last type->complete. What `prepare` and the sinks read on the I/O thread does
 * not change while an attempt is under way.
 */
#ifndef S3_S3_INT_H
#define S3_S3_INT_H

#include <stdatomic.h>
#include <sys/queue.h>

#include "http/http.h"
#include "s3/s3.h"
#include "s3/s3_addr.h"
#include "s3/s3_conf.h"
#include "s3/s3_errcode.h"
#include "s3/s3_lacks.h"
#include "s3/s3_provider.h"
#include "s3/s3_sign.h"
#include "s3/s3_sum.h"
#include "s3/s3_xml.h"

/* Where requests go. Never changed once made: attempts under way read it on the I/O threads. */
struct s3_target {
	struct s3_addr addr;
	struct s3_target *older; /* kept until the client is freed */
};

/* What one I/O thread needs for signing. */
struct s3_desk {
	struct s3_signer *signer;
	struct s3_sign_output out;
};

LIST_HEAD(s3_op_list, s3_op);

struct s3_client {
	struct loop *loop;
	struct http_engine *http;
	struct s3_settings settings;
	struct s3_target *target; /* the newest */
	unsigned target_count;
	atomic_llong clock_offset_ms; /* server's time less ours; 0 until a server complained */
	struct s3_desk *desks;        /* one an I/O thread */
	struct s3_fetch_place place;
	struct s3_provider *provider; /* NULL: requests are not signed */
	struct rng rng;
	struct s3_retry_policy retry;
	struct s3_op_list ops;
	struct s3_xml_reply *faults; /* parser of error documents, core thread */
	/* Parsers at rest: making one costs more than a small reply. */
	struct s3_xml_reply **replies;
	struct s3_xml_list **lists;
	size_t reply_count, list_count;
	struct s3_stats stats;
	struct s3_sums sums;
	struct s3_abilities abilities;
	char outage[sizeof(
		((struct s3_err *)0)->code)]; /* why nothing is served, as was logged; "": it is */
	bool listed;                          /* a listing has been served */
	bool lists_plain;                     /* with encoding-type it would not be */
	bool closing;
	bool key_suspected; /* it was logged that an object may want another key of SSE-C, or none
			     */
};

/* Parsers from and to the client's store. Core thread. */
struct s3_xml_reply *s3_client_take_reply(struct s3_client *c);
void s3_client_give_reply(struct s3_client *c, struct s3_xml_reply *reply);
struct s3_xml_list *s3_client_take_list(struct s3_client *c);
void s3_client_give_list(struct s3_client *c, struct s3_xml_list *list);
/*
 * From now on requests go to `region`, on AWS also to its host. False when that makes no usable
 * address, or the region changed too often to be true. Core thread.
 */
bool s3_client_move(struct s3_client *c, const char *region);

/*
 * What the answer to a request that needs the ability says of it. `refused`: it means that the
 * server cannot. The first time it says so, that is logged. Core thread.
 */
void s3_client_heard(
	struct s3_client *c, enum s3_ability ability, const struct s3_err *err, bool refused);

/* Is it neither served nor noted as missing, or noted as missing? */
bool s3_client_may_lack(const struct s3_client *c, enum s3_ability ability);
/* The same of a parameter: was it answered as if it had not been there? */
void s3_client_ignored(struct s3_client *c, enum s3_ability ability, bool ignored);

/* For a person who reads the log: an operation has failed for good; one has not. */
void s3_client_unserved(const struct s3_op *op);
void s3_client_served(struct s3_client *c);

/* ---- operations ---- */

enum s3_payload {
	S3_PAYLOAD_EMPTY, /* no body */
	S3_PAYLOAD_SMALL, /* hashed always */
	S3_PAYLOAD_DATA   /* hashed over plain http, else UNSIGNED-PAYLOAD: TLS guards it */
};

struct s3_op;

struct s3_op_type {
	const char *name; /* S3's name of the operation, for logs */
	const char *method;
	size_t size; /* of the struct that begins with struct s3_op */
	/* The XML reply of a success; with S3_ROOT_NONE it has none. Not used with `data`. */
	enum s3_xml_root root;
	enum s3_payload payload;
	bool customer; /* the client's key of SSE-C goes along */
	/* I/O thread: before each attempt; as struct http_request's. NULL: the reply parser's. */
	void (*reset)(struct s3_op *op);
	enum http_take (*begin)(struct s3_op *op);
	enum http_take (*data)(struct s3_op *op, const char *ptr, size_t len);
	/* Core thread: the verdict on an answer below 300; leaves op->err at S3_OK when all is
	 * well. NULL: the reply parser's. */
	void (*check)(struct s3_op *op);
	/* Core thread: may turn a failure into a success. May be NULL. */
	void (*forgive)(struct s3_op *op);
	/* Core thread: true keeps the operation until s3_op_finish is called. May be NULL. */
	bool (*hold)(struct s3_op *op);
	void (*stop)(struct s3_op *op); /* core thread: it was cancelled. May be NULL. */
	/* Core thread: calls the caller's completion with op->err. */
	void (*complete)(struct s3_op *op);
	void (*release)(struct s3_op *op); /* core thread: frees what it holds. May be NULL. */
};

/* Memory of one operation, freed with it. */
struct s3_chunk {
	struct s3_chunk *next;
	size_t used, size;
	char data[];
};

struct s3_op {
	struct http_request http; /* first: an http_request * is an s3_op * */
	const struct s3_op_type *type;
	struct s3_client *client;
	LIST_ENTRY(s3_op) link;
	struct loop_timer timer;
	struct s3_retry retry;
	struct s3_err err;
	unsigned flags;
	enum {
		S3_OP_WAITING, /* for its timer */
		S3_OP_SENT,
		S3_OP_HELD
	} state;
	bool cancelled;
	bool no_request; /* there is nothing to send: it succeeds at once */
	bool refused;    /* with no_request: it fails, its parameters pass a bound */
	bool stale_used, skew_used;
	bool resent;       /* after an attempt of which the answer was lost */
	unsigned moves;    /* to other regions */
	unsigned renewals; /* of credentials that the server took for expired */
	bool wants_creds;  /* waits for them */
	bool denied;       /* there are none: it fails, as err says */

	struct s3_target *target; /* of this attempt */
	int64_t offset_ms;        /* of the clock that it is signed with */
	struct s3_creds *creds;   /* the same; NULL: it is not signed */
	struct bytes key;
	struct bytes version; /* that was asked for; empty: none */
	struct s3_pair query[8];
	size_t query_count;
	struct s3_pair *headers; /* lower case names */
	size_t header_count, header_cap;
	/* Sent in headers, too; counted, so that they are nowhere else. NULL: none. */
	struct s3_customer_key *customer, *source_customer;
	char payload_hash[S3_SHA256_HEX_SIZE]; /* once it was computed */
	enum s3_sum sum;                       /* of this attempt, as what follows */
	enum s3_sum_group sum_group;
	bool sum_optional;                 /* without it the operation is none the worse */
	char sum_text[S3_MD5_BASE64_SIZE]; /* the algorithm, or the checksum once computed */
	char sum_refusal[64];              /* S3's code for an attempt that had one */
	struct bytes *own_runs;            /* the array behind http.runs */
	char *fault_region;    /* named in the error document of this attempt; NULL: none */
	int64_t fault_time_ms; /* the server's clock in that document; 0: not named */
	struct s3_xml_reply *reply;
	struct s3_xml_fields fields; /* of a reply that was good */
	struct s3_chunk *chunks;
	union {
		s3_done_fn *plain;
		s3_list_fn *list;
		s3_head_fn *head;
		s3_get_fn *get;
		s3_put_fn *put;
		s3_copy_fn *copy;
		s3_delete_many_fn *delete_many;
		s3_create_fn *create;
		s3_tags_fn *tags;
		s3_versions_fn *versions;
		s3_versioning_fn *versioning;
	} done;
	void *ctx;
};

/* A new operation on `key`, which is copied. Never NULL. Core thread, as all here. */
struct s3_op *s3_op_new(struct s3_client *c, const struct s3_op_type *type, struct bytes key,
	unsigned flags, void *ctx);
/* A copy of `len` bytes, NUL-terminated, that lives as long as the operation. */
char *s3_op_keep(struct s3_op *op, struct bytes data);
/* Adds a query parameter; `name` is static, `value` is copied. */
void s3_op_query(struct s3_op *op, const char *name, struct bytes value);
/* Adds a header, copied; `name` in lower case. NULL as ptr: not sent. */
void s3_op_header(struct s3_op *op, const char *name, struct bytes value);
/* The same with a string, NULL: not sent. */
void s3_op_header_str(struct s3_op *op, const char *name, const char *value);
/* Takes a header away again. */
void s3_op_drop_header(struct s3_op *op, const char *name);
/* Adds an ETag as a header's value, quoted; not when it is empty. */
void s3_op_header_etag(struct s3_op *op, const char *name, struct bytes etag);
/* Adds the headers of new objects, the client's settings over `meta`, which may be NULL. */
void s3_op_meta(struct s3_op *op, const struct s3_meta *meta);
/* Adds x-amz-copy-source, its condition, and what else says which object of `source` it is and how
 * to read it. `source` NULL: the operation's own client. */
void s3_op_copy_source(
	struct s3_op *op, const struct s3_client *source, struct bytes key, struct bytes etag);
/* With version_at_ms: asks for the version of the pin; without one nothing is sent, and it fails.
 */
void s3_op_version(struct s3_op *op, struct bytes pin);
/* A pin of this ETag and version that lives as long as the operation. */
struct bytes s3_op_pin(struct s3_op *op, struct bytes etag, struct bytes version);
/* The body; the runs are borrowed, the array of runs is copied. */
void s3_op_body(struct s3_op *op, const struct s3_body *body);
struct s3_op *s3_op_start(struct s3_op *op);
/* Sends a held operation again, which may have another query and other headers now. */
void s3_op_resend(struct s3_op *op);
/* Completes a held operation, now. */
void s3_op_finish(struct s3_op *op);

/* There are other credentials, or none can be had: those that wait for them go on. */
void s3_op_creds_changed(struct s3_client *c);

/* s3_at.c: what s3_list, s3_head and s3_get_tags do without a pin where there is a version_at_ms.
 */
void s3_at_list(struct s3_client *c, const struct s3_list_params *params, unsigned flags,
	s3_list_fn *done, void *ctx);
void s3_at_head(struct s3_client *c, struct bytes key, unsigned flags, s3_head_fn *done, void *ctx);
void s3_at_tags(struct s3_client *c, struct bytes key, unsigned flags, s3_tags_fn *done, void *ctx);

/* Completes all operations that are not under way in http, as cancelled. */
void s3_op_abandon_all(struct s3_client *c);

/* The verdict on an answer with an XML reply: what type->check NULL does. */
void s3_op_check_reply(struct s3_op *op);
/* Sets op->err for what an XML parser found; `what` is for the message. */
void s3_op_xml_failure(
	struct s3_op *op, enum s3_xml_status status, const struct s3_xml_fault *fault);
/* Sets op->err for an answer of which S3 says that it is good: `what` says why it is not. */
void s3_op_bad_answer(struct s3_op *op, const char *what);
/* A header of the answer, "" when absent; the ETag without quotes. */
struct bytes s3_op_answer(const struct s3_op *op, const char *name);
/* Without the quotes around it. */
struct bytes s3_etag_unquoted(struct bytes etag);
struct bytes s3_op_answer_etag(const struct s3_op *op);
/* Completion of operations without a result. */
void s3_op_complete_plain(struct s3_op *op);
/* Completion of operations whose result is an ETag: from the reply, else from the header. */
void s3_op_complete_put(struct s3_op *op);

#endif
