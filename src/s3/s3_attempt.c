/*
 * The attempt loop of an operation: send, judge the answer, correct what can be corrected (clock,
 * region, a kept connection that was closed), wait, send again, complete. Core thread, except
 * `prepare` and the sinks, which run on the I/O thread that has the request and touch the operation
 * only while it is S3_OP_SENT.
 */
#include "s3/s3_int.h"
#include "s3/s3_value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clk.h"
#include "util/log.h"
#include "util/mem.h"

#define MOVES_MAX 3
#define RENEWALS_MAX 2
#define SKEW_MS 240000

/* ---- I/O thread ---- */

/* The hash of the body, made once: bodies do not change between attempts. */
static const char *payload_hash(struct s3_op *op)
{
	if (op->type->payload == S3_PAYLOAD_EMPTY)
		return S3_EMPTY_SHA256;
	if (op->type->payload == S3_PAYLOAD_DATA && op->target->addr.https)
		return S3_UNSIGNED_PAYLOAD;
	if (!op->payload_hash[0] &&
		!s3_sha256_hex(op->http.runs, op->http.run_count, op->payload_hash))
		return NULL;
	return op->payload_hash;
}

static bool sign(struct s3_op *op, const struct s3_sign_input *in, struct http_draft *draft)
{
	struct s3_client *c = op->client;
	struct s3_desk *desk = &c->desks[draft->thread];
	const struct s3_creds *creds = op->creds;

	if (!in->payload_hash || !s3_sign(desk->signer, creds, in, &desk->out))
		return false;
	http_draft_header(draft, "x-amz-date", BYTES_STR(desk->out.amz_date));
	http_draft_header(draft, "x-amz-content-sha256", BYTES_STR(in->payload_hash));
	if (creds->session_token)
		http_draft_header(draft, "x-amz-security-token", BYTES_STR(creds->session_token));
	http_draft_header(draft, "Authorization", buf_bytes(&desk->out.authorization));
	return true;
}

/* Host, checksums, and the keys of SSE-C. */
#define OWN_HEADERS (1 + S3_SUM_HEADERS + 2 * S3_CUSTOMER_HEADERS)

/* All headers but those that signing makes. */
static size_t gather_headers(struct s3_op *op, struct s3_pair *pairs)
{
	size_t n = 0, i;

	pairs[n++] = (struct s3_pair){BYTES_LIT("host"), BYTES_STR(op->target->addr.host)};
	n += s3_sum_headers(op, pairs + n);
	for (i = 0; i < op->header_count; i++)
		pairs[n++] = op->headers[i];
	n += s3_customer_headers(op->customer, false, pairs + n);
	n += s3_customer_headers(op->source_customer, true, pairs + n);
	return n;
}

static bool prepare(struct http_request *r, struct http_draft *draft)
{
	struct s3_op *op = (struct s3_op *)r;
	struct s3_client *c = op->client;
	struct s3_pair pairs[S3_SIGN_HEADERS_MAX];
	struct s3_sign_input in = {.method = op->type->method, .headers = pairs};
	size_t path, query, i;

	if (op->header_count + OWN_HEADERS > S3_SIGN_HEADERS_MAX)
		return false;
	if (!s3_sum_make(op))
		return false;
	buf_adds(&draft->url, op->target->addr.url_base);
	path = draft->url.len;
	s3_addr_path(&op->target->addr, op->key, &draft->url);
	query = draft->url.len;
	if (op->query_count) {
		buf_addc(&draft->url, '?');
		s3_query_build(&draft->url, op->query, op->query_count);
	}
	if (draft->url.failed)
		return false;
	in.path = BYTES(draft->url.ptr + path, query - path);
	if (op->query_count)
		in.query = BYTES(draft->url.ptr + query + 1, draft->url.len - query - 1);
	in.header_count = gather_headers(op, pairs);
	for (i = 0; i < in.header_count; i++)
		http_draft_header(draft, pairs[i].name.ptr, pairs[i].value);
	if (!c->settings.sign)
		return true;
	in.payload_hash = payload_hash(op);
	in.region = op->target->addr.region;
	op->offset_ms = atomic_load(&c->clock_offset_ms);
	in.now_ms = clk_wall_ms() + op->offset_ms;
	return sign(op, &in, draft);
}

static enum http_take feed_reply(struct http_request *r, const char *ptr, size_t len)
{
	return s3_xml_reply_feed(((struct s3_op *)r)->reply, ptr, len) ? HTTP_MORE : HTTP_ENOUGH;
}

static enum http_take begin(struct http_request *r)
{
	struct s3_op *op = (struct s3_op *)r;

	return op->type->begin(op);
}

static enum http_take data(struct http_request *r, const char *ptr, size_t len)
{
	struct s3_op *op = (struct s3_op *)r;

	return op->type->data(op, ptr, len);
}

/* ---- completion ---- */

static void op_free(struct s3_op *op)
{
	struct s3_chunk *chunk;

	if (op->type->release)
		op->type->release(op);
	if (op->reply)
		s3_client_give_reply(op->client, op->reply);
	http_request_free(&op->http);
	s3_creds_unref(op->creds);
	s3_customer_key_unref(op->customer);
	s3_customer_key_unref(op->source_customer);
	while ((chunk = op->chunks)) {
		op->chunks = chunk->next;
		free(chunk);
	}
	free(op->headers);
	free(op->own_runs);
	free(op);
}

void s3_op_finish(struct s3_op *op)
{
	LIST_REMOVE(op, link);
	op->client->stats.in_flight--;
	op->err.resent = op->resent;
	op->type->complete(op);
	op_free(op);
}

static void finish_or_hold(struct s3_op *op)
{
	op->state = S3_OP_HELD;
	if (op->type->hold && op->type->hold(op))
		return;
	s3_op_finish(op);
}

static void finish_cancelled(struct s3_op *op)
{
	s3_err_set(&op->err, S3_CANCELLED, EINTR, "Cancelled", "the operation was cancelled");
	finish_or_hold(op);
}

/* ---- attempts ---- */

static void wait_ms(struct s3_op *op, int64_t delay_ms)
{
	op->state = S3_OP_WAITING;
	loop_timer_set(op->client->loop, &op->timer, delay_ms);
}

void s3_op_resend(struct s3_op *op)
{
	if (!op->type->data && !op->reply)
		op->reply = s3_client_take_reply(op->client);
	op->no_request = false;
	wait_ms(op, 0);
}

/* True when the attempt may be signed; else the operation waits for credentials, or for its end. */
static bool take_creds(struct s3_op *op)
{
	struct s3_provider *provider = op->client->provider;

	s3_creds_unref(op->creds);
	op->creds = NULL;
	if (!provider)
		return true;
	switch (s3_provider_get(provider, &op->creds)) {
	case S3_CREDS_READY:
		return true;
	case S3_CREDS_WAIT:
		op->state = S3_OP_WAITING;
		op->wants_creds = true;
		return false;
	case S3_CREDS_NONE:
		break;
	}
	s3_err_set(&op->err, S3_DENIED, EACCES, S3_NO_CREDENTIALS, "%s",
		s3_provider_problem(provider));
	op->denied = true;
	wait_ms(op, 0);
	return false;
}

static void send_attempt(struct s3_op *op)
{
	struct s3_client *c = op->client;

	if (!take_creds(op))
		return;
	op->state = S3_OP_SENT;
	op->target = c->target;
	memset(&op->err, 0, sizeof(op->err));
	memset(&op->fields, 0, sizeof(op->fields));
	if (op->reply)
		s3_xml_reply_reset(op->reply, op->type->root);
	if (op->type->reset)
		op->type->reset(op);
	c->stats.requests++;
	http_submit(c->http, &op->http);
}

static void on_timer(struct loop_timer *timer)
{
	struct s3_op *op = (struct s3_op *)((char *)timer - offsetof(struct s3_op, timer));

	if (op->refused)
		s3_err_set(&op->err, S3_INVALID, EINVAL, "TooLarge",
			"%s: the body would be too large", op->type->name);
	if (op->cancelled || op->client->closing)
		finish_cancelled(op);
	else if (op->no_request || op->denied)
		finish_or_hold(op);
	else
		send_attempt(op);
}

void s3_op_creds_changed(struct s3_client *c)
{
	struct s3_op *op;

	LIST_FOREACH(op, &c->ops, link)
	{
		if (op->wants_creds)
			wait_ms(op, 0);
		op->wants_creds = false;
	}
}

/* ---- the verdict ---- */

static void judge_no_answer(struct s3_op *op)
{
	const struct http_result *res = &op->http.result;
	const char *word = http_code_word(res->code), *host = op->target->addr.host;

	switch (res->code) {
	case HTTP_CANCELLED:
		s3_err_set(&op->err, S3_CANCELLED, EINTR, word, "the operation was cancelled");
		return;
	case HTTP_NOT_SENT:
		s3_err_set(&op->err, S3_INVALID, EINVAL, word, "%s", res->text);
		return;
	case HTTP_SHORT:
		s3_err_set(&op->err, S3_TRANSIENT, res->errnum, word, "%s", res->text);
		return;
	case HTTP_UNTRUSTED:
		s3_err_set(&op->err, S3_FAILED, EIO, word, "%s: %s", host, res->text);
		return;
	default:
		s3_err_set(&op->err, S3_TRANSIENT, EIO, word, "%s: %s", host, res->text);
	}
}

/*
 * A bare 400 to a HEAD is what S3 says without the object's key, or with a key where it has none.
 * Not every caller logs what fails, a lookup of a name does not: once is enough to be told.
 */
static void suspect_key(struct s3_op *op)
{
	struct s3_client *c = op->client;
	char text[400];

	snprintf(op->err.message, sizeof(op->err.message),
		op->customer ? "perhaps the object is not encrypted with a customer key, as "
			       "-o sse_customer_key_file says"
			     : "perhaps the object is encrypted with a customer key: "
			       "-o sse_customer_key_file");
	/* Temporary credentials that have expired are refused in the same way. */
	if (c->key_suspected || (op->creds && op->creds->session_token && !op->renewals))
		return;
	log_warn("%s of %.*s in bucket %s failed: %s", op->type->name,
		(int)(op->key.len < 1024 ? op->key.len : 1024), op->key.ptr, c->settings.bucket,
		s3_err_text(&op->err, text, sizeof(text)));
	c->key_suspected = true;
}

static void set_fault(struct s3_op *op, const struct s3_xml_fault *fault)
{
	struct bytes id = fault->request_id;

	s3_err_answer(&op->err, op->http.result.status, fault->code, fault->message,
		id.len ? id : s3_op_answer(op, "x-amz-request-id"));
	op->err.retry_after_ms = s3_value_retry_ms(s3_op_answer(op, "retry-after"));
	/* The answer to HEAD has no body to say why. */
	if (!op->err.code[0])
		snprintf(op->err.code, sizeof(op->err.code), "HTTP%d", op->http.result.status);
	if (!op->err.message[0] && op->type->customer && op->http.result.status == 400)
		suspect_key(op);
	op->fault_region = s3_op_keep(op, fault->region);
	op->fault_time_ms = fault->server_time_ms;
}

void s3_op_bad_answer(struct s3_op *op, const char *what)
{
	struct bytes id = s3_op_answer(op, "x-amz-request-id");

	s3_err_set(&op->err, S3_TRANSIENT, EIO, "BadAnswer", "%s answered %d, but %s",
		op->type->name, op->http.result.status, what);
	op->err.http_status = op->http.result.status;
	if (id.len < sizeof(op->err.request_id))
		memcpy(op->err.request_id, id.ptr, id.len + 1);
}

void s3_op_xml_failure(
	struct s3_op *op, enum s3_xml_status status, const struct s3_xml_fault *fault)
{
	static const char *const words[] = {
		[S3_XML_EMPTY] = "the body is empty",
		[S3_XML_CUT] = "the document ends too early",
		[S3_XML_BAD] = "the document is not what S3 sends",
		[S3_XML_OTHER] = "the document is of another kind",
	};

	if (status == S3_XML_ERROR)
		set_fault(op, fault);
	else
		s3_op_bad_answer(op, words[status]);
}

void s3_op_check_reply(struct s3_op *op)
{
	struct s3_xml_fault fault;
	enum s3_xml_status status = s3_xml_reply_end(op->reply, &op->fields, &fault);

	if (status == S3_XML_OK)
		return;
	/* What has no document in its answer may have anything but an error there. */
	if (op->type->root == S3_ROOT_NONE && status != S3_XML_ERROR)
		return;
	s3_op_xml_failure(op, status, &fault);
}

/* An answer of 300 or more. Its body, if it has one, is an error document. */
static void judge_failure(struct s3_op *op)
{
	struct s3_client *c = op->client;
	struct bytes body = buf_bytes(&op->http.result.error);
	struct s3_xml_fault fault;
	struct s3_xml_fields fields;

	s3_xml_reply_reset(c->faults, S3_ROOT_NONE);
	s3_xml_reply_feed(c->faults, body.ptr, body.len);
	if (s3_xml_reply_end(c->faults, &fields, &fault) != S3_XML_ERROR)
		memset(&fault, 0, sizeof(fault));
	set_fault(op, &fault);
}

static void judge(struct s3_op *op)
{
	op->fault_region = NULL;
	op->fault_time_ms = 0;
	if (op->http.result.code != HTTP_DONE)
		judge_no_answer(op);
	else if (op->http.result.status >= 300)
		judge_failure(op);
	else if (op->type->check)
		op->type->check(op);
	else
		s3_op_check_reply(op);
	if (op->err.cls != S3_OK && op->type->forgive)
		op->type->forgive(op);
}

/* ---- corrections: another attempt at once, at most a few times an operation ---- */

/* S3 names the right region in a header, and in the body of some errors (API reference, HeadBucket
 * and "Error responses"). */
static bool correct_region(struct s3_op *op)
{
	struct bytes named = s3_op_answer(op, "x-amz-bucket-region");
	const char *region = named.len ? named.ptr : op->fault_region;
	bool asked = s3_err_other_region(&op->err) || (named.len && op->http.result.status == 400);

	if (!asked || op->moves >= MOVES_MAX)
		return false;
	op->moves++;
	/* Another operation was here before. */
	if (op->client->target != op->target)
		return true;
	if (!region || !region[0] || !strcmp(region, op->target->addr.region))
		return false;
	return s3_client_move(op->client, region);
}

/* The answer to HEAD cannot say so: then clocks that are as far apart as the SDKs look at are. The
 * clock that counts is the attempt's own: another operation may have corrected it since. */
static bool is_bare_skew(const struct s3_op *op, int64_t server_ms)
{
	int64_t off_ms = server_ms - clk_wall_ms() - op->offset_ms;

	return op->http.result.status == 403 && !strcmp(op->type->method, "HEAD") &&
	       (off_ms > SKEW_MS || off_ms < -SKEW_MS);
}

static bool correct_clock(struct s3_op *op)
{
	int64_t server_ms = op->fault_time_ms;

	if (server_ms <= 0)
		server_ms = http_date_ms(http_header(&op->http.result, "date"));
	if (op->skew_used || server_ms < 0 ||
		(!s3_err_skewed(&op->err) && !is_bare_skew(op, server_ms)))
		return false;
	op->skew_used = true;
	atomic_store(&op->client->clock_offset_ms, server_ms - clk_wall_ms());
	return true;
}

/* The answer to HEAD has no body that could say that the token has expired: S3 sends a bare 400. */
static bool is_bare_refusal(const struct s3_op *op)
{
	return op->http.result.status == 400 && !strcmp(op->type->method, "HEAD") &&
	       op->creds->session_token;
}

static bool correct_creds(struct s3_op *op)
{
	if (!op->creds || (!s3_err_expired(&op->err) && !is_bare_refusal(op)))
		return false;
	if (op->renewals++ < RENEWALS_MAX && s3_provider_reject(op->client->provider, op->creds))
		return true;
	if (is_bare_refusal(op)) {
		op->err.cls = S3_DENIED;
		op->err.errnum = EACCES;
	}
	return false;
}

/* Only what was sent on a kept connection that turned out to be closed, and only once. */
static bool correct_stale(struct s3_op *op)
{
	if (!op->http.result.stale || op->stale_used)
		return false;
	op->stale_used = op->http.fresh = op->resent = true;
	return true;
}

static void log_failure(const struct s3_op *op, int64_t delay_ms)
{
	char text[512];

	log_debug("s3 %s %.*s failed: %s; again in %lld ms", op->type->name,
		(int)(op->key.len < 1024 ? op->key.len : 1024), op->key.ptr,
		s3_err_text(&op->err, text, sizeof(text)), (long long)delay_ms);
	if (delay_ms < 0 && !(op->flags & (S3_NO_RETRY | S3_QUIET)))
		s3_client_unserved(op);
}

static void http_done(struct http_request *r)
{
	struct s3_op *op = (struct s3_op *)r;
	struct s3_client *c = op->client;
	int64_t delay;

	op->state = S3_OP_HELD;
	c->stats.bytes_in += r->result.bytes_in;
	c->stats.bytes_out += r->result.bytes_out;
	op->resent |= r->result.sent_again;
	judge(op);
	r->fresh = false;
	if (op->err.cls == S3_THROTTLED)
		c->stats.throttled++;
	if (op->err.cls == S3_OK) {
		s3_client_served(c);
		s3_sum_served(op);
	}
	if (op->err.cls == S3_OK || op->err.cls == S3_CANCELLED) {
		finish_or_hold(op);
		return;
	}
	if (op->cancelled || c->closing) {
		finish_cancelled(op);
		return;
	}
	if (correct_stale(op) || correct_clock(op) || correct_region(op) || correct_creds(op) ||
		s3_sum_correct(op)) {
		send_attempt(op);
		return;
	}
	delay = op->flags & S3_NO_RETRY
			? -1
			: s3_retry_next(&op->retry, &c->retry, &op->err, clk_mono_ms(), &c->rng);
	log_failure(op, delay);
	if (delay < 0) {
		finish_or_hold(op);
		return;
	}
	c->stats.retries++;
	op->resent |= op->err.cls == S3_TRANSIENT;
	wait_ms(op, delay);
}

/* ---- from the caller ---- */

struct s3_op *s3_op_start(struct s3_op *op)
{
	struct s3_client *c = op->client;
	const struct s3_op_type *type = op->type;

	LIST_INSERT_HEAD(&c->ops, op, link);
	c->stats.in_flight++;
	op->http.prepare = prepare;
	op->http.done = http_done;
	op->timer.fire = on_timer;
	op->http.begin = type->begin ? begin : NULL;
	op->http.data = type->data ? data : feed_reply;
	if (!type->data && !op->no_request)
		op->reply = s3_client_take_reply(c);
	op->retry.first_ms = clk_mono_ms();
	if (c->closing || op->no_request)
		wait_ms(op, 0);
	else
		send_attempt(op);
	return op;
}

void s3_cancel(struct s3_op *op)
{
	if (op->cancelled)
		return;
	op->cancelled = true;
	if (op->type->stop)
		op->type->stop(op);
	if (op->state == S3_OP_SENT)
		http_cancel(&op->http);
	else if (op->state == S3_OP_WAITING)
		wait_ms(op, 0);
}

static struct s3_op *first_waiting(const struct s3_client *c)
{
	struct s3_op *op;

	LIST_FOREACH(op, &c->ops, link)
	if (op->state == S3_OP_WAITING)
		return op;
	return NULL;
}

void s3_op_abandon_all(struct s3_client *c)
{
	struct s3_op *op;

	/* A held operation ends with the last of those that it waits for. */
	while ((op = first_waiting(c))) {
		loop_timer_stop(c->loop, &op->timer);
		finish_cancelled(op);
	}
}
