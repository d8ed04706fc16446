/* Copies of one version of an object: see s3_pin.h. Core thread. */
#include "s3/s3_pin.h"

#include <errno.h>

#define CONDITION "x-amz-copy-source-if-match"

void s3_pin(struct s3_pinned *p, enum s3_ability ability, struct s3_client *source,
	struct bytes key, struct bytes etag)
{
	struct s3_op *op = &p->op;
	bool look = etag.len && s3_client_lacks(op->client, S3_ABLE_COPY_CONDITION);

	p->ability = ability;
	p->source = source ? source : op->client;
	p->source_key = BYTES(s3_op_keep(op, key), key.len);
	p->source_etag = BYTES(s3_op_keep(op, etag), etag.len);
	s3_op_copy_source(op, source, key, etag);
	if (!look)
		return;
	s3_op_drop_header(op, CONDITION);
	p->phase = S3_PIN_LOOKING;
	op->no_request = true; /* before the HeadObject */
}

static void changed(struct s3_op *op)
{
	s3_err_set(&op->err, S3_CHANGED, ESTALE, "SourceChanged",
		"the source is not the version that was to be copied");
}

static void looked(void *ctx, const struct s3_err *err, const struct s3_object *object)
{
	struct s3_pinned *p = ctx;
	struct s3_op *op = &p->op;
	bool after = p->phase == S3_PIN_CHECKING;

	p->look = NULL;
	if (err->cls != S3_OK)
		op->err = *err;
	else if (!bytes_equal(object->etag, p->source_etag))
		changed(op);
	if (op->err.cls == S3_OK && !after) {
		p->phase = S3_PIN_TRUSTED;
		s3_op_resend(op);
		return;
	}
	/* It was made, be it of the wrong version: that is no refusal. */
	op->resent |= after && op->err.cls != S3_OK;
	s3_op_finish(op);
}

static bool look(struct s3_pinned *p)
{
	p->op.err = (struct s3_err){0};
	p->look = s3_head(p->source, p->source_key, p->source_etag, p->op.flags, looked, p);
	return true;
}

static bool has_condition(const struct s3_pinned *p)
{
	return p->source_etag.len && p->phase == S3_PIN_ASKED;
}

/* What the answer says about the server. */
static void learn(struct s3_pinned *p)
{
	struct s3_op *op = &p->op;
	bool missing = s3_err_unimplemented(&op->err);

	s3_client_heard(op->client, p->ability, &op->err, missing);
	if (has_condition(p))
		s3_client_heard(op->client, S3_ABLE_COPY_CONDITION, &op->err, false);
	/* Without the condition it is done: it was that. */
	if (p->refused.cls != S3_OK && op->err.cls == S3_OK)
		s3_client_heard(op->client, S3_ABLE_COPY_CONDITION, &p->refused, true);
}

/*
 * The copy of an object that is not encrypted has the ETag of what was copied; and nothing can be
 * said afterwards of an object that was copied onto itself.
 */
static bool needs_check(const struct s3_pinned *p)
{
	const struct s3_op *op = &p->op;

	return p->phase == S3_PIN_TRUSTED && op->err.cls == S3_OK &&
	       !(p->source == op->client && bytes_equal(p->source_key, op->key)) &&
	       !(p->ability == S3_ABLE_COPY &&
		       bytes_equal(op->fields.etag, s3_pin_etag(p->source, p->source_etag)));
}

bool s3_pin_hold(struct s3_op *op)
{
	struct s3_pinned *p = (struct s3_pinned *)op;

	if (op->cancelled || op->client->closing || op->denied)
		return false;
	if (p->phase == S3_PIN_LOOKING)
		return look(p);
	if (has_condition(p) && s3_err_unimplemented(&op->err) &&
		s3_client_may_lack(op->client, S3_ABLE_COPY_CONDITION) &&
		!s3_client_lacks(op->client, p->ability)) {
		p->refused = op->err;
		p->phase = S3_PIN_LOOKING;
		s3_op_drop_header(op, CONDITION);
		return look(p);
	}
	learn(p);
	if (!needs_check(p))
		return false;
	p->phase = S3_PIN_CHECKING;
	return look(p);
}

void s3_pin_stop(struct s3_op *op)
{
	struct s3_pinned *p = (struct s3_pinned *)op;

	if (p->look)
		s3_cancel(p->look);
}
