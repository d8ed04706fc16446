/*
 * Getting credentials from a source: one fetch, asked for once, answered once. Each kind of source
 * that asks somebody has a file of its own, s3_fetch_KIND.c. Core thread.
 */
#ifndef S3_S3_FETCH_H
#define S3_S3_FETCH_H

#include <stdatomic.h>

#include "s3/s3_ask.h"
#include "s3/s3_creds.h"
#include "s3/s3_source.h"

#define S3_WHY_MAX 600 /* bytes of a sentence about a failure */

/* What all fetches of a client share. */
struct s3_fetch_place {
	struct loop *loop;
	struct http_engine *http;
	const char *const *env;        /* of a credential_process */
	atomic_llong *clock_offset_ms; /* the servers' time less ours */
};

struct s3_fetch;
struct s3_process;

/* `creds` is owned by the called, NULL with a sentence in `why`. May free the fetch. */
typedef void s3_fetch_fn(void *ctx, struct s3_creds *creds, const char *why);

struct s3_fetch {
	const struct s3_fetch_place *place;
	const struct s3_source *source;
	bool patient; /* failures that may pass are worth a longer wait */
	s3_fetch_fn *done;
	void *ctx;

	struct s3_fetch *inner; /* gets those that ask for a role */
	struct s3_creds *base;  /* what it got */
	struct s3_ask ask;
	struct s3_process *process;
	char *token; /* of an instance's service, of SSO. Secret. */
	enum { S3_STEP_FIRST, S3_STEP_SECOND, S3_STEP_LAST } step;
};

/* `source` is borrowed until the fetch is freed. */
struct s3_fetch *s3_fetch_new(const struct s3_fetch_place *place, const struct s3_source *source,
	bool patient, s3_fetch_fn *done, void *ctx);
/* `done` may run within the call. */
void s3_fetch_start(struct s3_fetch *fetch);
/* `done` does not run any more. Free it after the HTTP engine, which may still have its request. */
void s3_fetch_stop(struct s3_fetch *fetch);
void s3_fetch_free(struct s3_fetch *fetch); /* NULL is fine */

/* ---- inside: s3_fetch*.c ---- */

/* The end of a fetch; the caller returns at once. */
void s3_fetch_good(struct s3_fetch *fetch, struct s3_creds *creds);
void s3_fetch_bad(struct s3_fetch *fetch, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* "STS at URL ..." when there is no answer below 300: says so and ends. */
int64_t s3_fetch_now_ms(const struct s3_fetch *fetch);

void s3_fetch_role(struct s3_fetch *fetch); /* when fetch->base is there */
void s3_fetch_web_identity(struct s3_fetch *fetch);
void s3_fetch_sts_answered(struct s3_fetch *fetch);
void s3_fetch_sso(struct s3_fetch *fetch);
void s3_fetch_sso_answered(struct s3_fetch *fetch);
void s3_fetch_container(struct s3_fetch *fetch);
void s3_fetch_container_answered(struct s3_fetch *fetch);
void s3_fetch_instance(struct s3_fetch *fetch);
void s3_fetch_instance_answered(struct s3_fetch *fetch);
void s3_fetch_process(struct s3_fetch *fetch);
void s3_process_free(struct s3_process *process); /* ends it; NULL is fine */

/* The content of a small text file without white space at its end: a token, or JSON. Secret: owned,
 * s3_secret_free. NULL with errno. */
char *s3_fetch_file(const char *path);

/* Names of the fields in a JSON document; `expires` may be missing with `may_last`. */
struct s3_json_names {
	const char *id, *secret, *token, *expires;
	bool may_last;
};
/*
 * Credentials out of JSON. NULL with words for a sentence in `why`: "has no AccessKeyId". `within`:
 * the member that has them, NULL: the document.
 */
struct s3_creds *s3_json_creds(struct bytes json, const char *within,
	const struct s3_json_names *names, int64_t now_ms, const char **why);
/* One text of a JSON object; NULL: it is not there, or no JSON. Secret, owned. */
char *s3_json_text(struct bytes json, const char *name);
/* The token of the AWS CLI's SSO cache and when it ends; NULL: it has none that can be sent, or
 * does not say. Secret, owned. */
char *s3_json_sso_token(struct bytes json, int64_t *end_ms);

#endif
