/*
 * DeleteObject and DeleteObjects (S3 API reference). A batch is one request with an XML body; keys
 * that XML 1.0 cannot carry become single deletes beside it, a few at a time, and the batch is held
 * until they are through.
 */
#include "s3/s3_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/mem.h"

#define SINGLES_MAX 16 /* at once, a batch */
#define BODY_BYTES_MAX (S3_DELETE_BYTES_MAX + 4096)

/* ---- one key ---- */

/* S3 answers 204 whether the key was there or not; some servers answer 404. */
static void delete_forgive(struct s3_op *op)
{
	if (!strcmp(op->err.code, "NoSuchKey"))
		memset(&op->err, 0, sizeof(op->err));
}

static const struct s3_op_type delete_type = {
	.name = "DeleteObject",
	.method = "DELETE",
	.size = sizeof(struct s3_op),
	.forgive = delete_forgive,
	.complete = s3_op_complete_plain,
};

struct s3_op *s3_delete(
	struct s3_client *c, struct bytes key, unsigned flags, s3_done_fn *done, void *ctx)
{
	struct s3_op *op = s3_op_new(c, &delete_type, key, flags, ctx);

	op->done.plain = done;
	return s3_op_start(op);
}

/* ---- many keys ---- */

struct delete_many;

/* A key that goes by itself. */
struct single {
	struct delete_many *batch;
	size_t index;     /* of the caller's keys */
	struct s3_op *op; /* while under way */
};

struct delete_many {
	struct s3_op op;
	struct buf xml;
	struct bytes run;
	size_t count;
	struct s3_err *key_errs; /* one a key of the caller */
	struct bytes *sent;      /* the keys in the body, kept */
	size_t *sent_index;      /* which of the caller's keys each is */
	size_t sent_count;
	struct single *singles;
	size_t single_count, single_next, single_running;
	bool request_over;
};

static void many_settle(struct delete_many *m);

static void single_done(void *ctx, const struct s3_err *err)
{
	struct single *s = ctx;
	struct delete_many *m = s->batch;

	s->op = NULL;
	m->key_errs[s->index] = *err;
	m->single_running--;
	many_settle(m);
}

/* Starts singles, and completes the batch once nothing of it is under way. */
static void many_settle(struct delete_many *m)
{
	if (m->op.cancelled || m->op.client->closing)
		m->single_next = m->single_count;
	while (m->single_next < m->single_count && m->single_running < SINGLES_MAX) {
		struct single *s = &m->singles[m->single_next++];

		m->single_running++;
		s->op = s3_delete(m->op.client, m->sent[m->sent_count + (size_t)(s - m->singles)],
			m->op.flags, single_done, s);
	}
	if (!m->request_over || m->single_running)
		return;
	/* Some of the singles were never sent. */
	if (m->op.cancelled || m->op.client->closing)
		s3_err_set(&m->op.err, S3_CANCELLED, EINTR, "Cancelled",
			"the operation was cancelled");
	s3_op_finish(&m->op);
}

static bool many_hold(struct s3_op *op)
{
	struct delete_many *m = (struct delete_many *)op;

	m->request_over = true;
	return m->single_running || m->single_next < m->single_count;
}

static void many_stop(struct s3_op *op)
{
	struct delete_many *m = (struct delete_many *)op;
	size_t i;

	for (i = 0; i < m->single_next; i++)
		if (m->singles[i].op)
			s3_cancel(m->singles[i].op);
	m->single_next = m->single_count;
}

/* The key of an error in the reply. Servers answer in the order of the request, so the search goes
 * on where it ended. */
static bool find_sent(const struct delete_many *m, struct bytes key, size_t *at)
{
	size_t i;

	for (i = 0; i < m->sent_count; i++) {
		size_t k = (*at + i) % m->sent_count;

		if (bytes_equal(m->sent[k], key)) {
			*at = k;
			return true;
		}
	}
	return false;
}

static void many_check(struct s3_op *op)
{
	struct delete_many *m = (struct delete_many *)op;
	struct bytes id = s3_op_answer(op, "x-amz-request-id");
	size_t i, at = 0;

	for (i = 0; i < m->sent_count; i++)
		memset(&m->key_errs[m->sent_index[i]], 0, sizeof(*m->key_errs));
	s3_op_check_reply(op);
	for (i = 0; op->err.cls == S3_OK && i < op->fields.key_error_count; i++) {
		const struct s3_xml_key_error *e = &op->fields.key_errors[i];

		if (!find_sent(m, e->key, &at)) {
			/* Some key was not deleted, and we cannot tell which. */
			s3_op_xml_failure(op, S3_XML_BAD, NULL);
			return;
		}
		if (!bytes_equal(e->code, BYTES_LIT("NoSuchKey")))
			s3_err_answer(&m->key_errs[m->sent_index[at]], op->http.result.status,
				e->code, e->message, id);
		at++;
	}
}

static void many_complete(struct s3_op *op)
{
	struct delete_many *m = (struct delete_many *)op;
	size_t i;

	if (m->sent_count)
		s3_client_heard(
			op->client, S3_ABLE_DELETE_MANY, &op->err, s3_err_no_batches(&op->err));
	for (i = 0; i < m->count; i++)
		m->key_errs[i].resent |= op->err.resent;
	op->done.delete_many(op->ctx, &op->err, m->key_errs, m->count);
}

static void many_release(struct s3_op *op)
{
	struct delete_many *m = (struct delete_many *)op;

	buf_free(&m->xml);
	free(m->key_errs);
	free(m->sent);
	free(m->sent_index);
	free(m->singles);
}

static const struct s3_op_type many_type = {
	.name = "DeleteObjects",
	.method = "POST",
	.size = sizeof(struct delete_many),
	.root = S3_ROOT_DELETE,
	.payload = S3_PAYLOAD_SMALL,
	.check = many_check,
	.hold = many_hold,
	.stop = many_stop,
	.complete = many_complete,
	.release = many_release,
};

/* Keeps the keys: first those that go into the body, behind them the singles. */
static void split_keys(struct delete_many *m, const struct bytes *keys, size_t count)
{
	size_t i;

	m->count = count;
	m->key_errs = mem_calloc(count, sizeof(*m->key_errs));
	m->sent = mem_calloc(count, sizeof(*m->sent));
	m->sent_index = mem_calloc(count, sizeof(*m->sent_index));
	for (i = 0; i < count; i++)
		if (s3_xml_key_ok(keys[i])) {
			m->sent_index[m->sent_count] = i;
			m->sent[m->sent_count++] = BYTES(s3_op_keep(&m->op, keys[i]), keys[i].len);
		}
	m->singles = mem_calloc(count - m->sent_count, sizeof(*m->singles));
	for (i = 0; m->sent_count + m->single_count < count; i++)
		if (!s3_xml_key_ok(keys[i])) {
			m->sent[m->sent_count + m->single_count] =
				BYTES(s3_op_keep(&m->op, keys[i]), keys[i].len);
			m->singles[m->single_count++] = (struct single){.batch = m, .index = i};
		}
}

struct s3_op *s3_delete_many(struct s3_client *c, const struct bytes *keys, size_t count,
	unsigned flags, s3_delete_many_fn *done, void *ctx)
{
	struct s3_op *op = s3_op_new(c, &many_type, BYTES_LIT(""), flags, ctx);
	struct delete_many *m = (struct delete_many *)op;

	op->done.delete_many = done;
	split_keys(m, keys, count);
	m->xml = BUF_INIT(BODY_BYTES_MAX);
	if (m->sent_count) {
		s3_xml_build_delete(&m->xml, m->sent, m->sent_count);
		m->run = buf_bytes(&m->xml);
		op->http.runs = &m->run;
		op->http.run_count = 1;
		op->sum = S3_SUM_MD5;
		s3_op_query(op, "delete", BYTES_LIT(""));
		s3_op_header_str(op, "content-type", "application/xml");
	}
	/* A body that passed its bound is not sent: it would delete something else. */
	op->no_request = !m->sent_count;
	if (m->xml.failed) {
		op->no_request = true;
		op->refused = true;
	}
	s3_op_start(op);
	if (!op->refused)
		many_settle(m);
	return op;
}
