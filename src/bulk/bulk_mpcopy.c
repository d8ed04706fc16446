/*
 * A copy in parts: HeadObject (for the metadata, which CreateMultipartUpload does not take over),
 * GetObjectTagging when there are tags and they are wanted, CreateMultipartUpload, UploadPartCopy
 * for each range pinned by ETag, CompleteMultipartUpload; on any failure AbortMultipartUpload.
 * Where the server has no UploadPartCopy, each range is read and sent by UploadPart, in smaller
 * parts. One pure step function says what comes next. What comes before the parts has one place in
 * the window, then each part its own; who has one to send waits for his turn (bulk_pump). Core
 * thread only.
 */
#include <errno.h>
#include <stdlib.h>

#include "bulk/bulk_int.h"
#include "util/log.h"
#include "util/mem.h"

/* Parts of one object in flight; many large objects share the window with everything else. */
#define PARTS_IN_FLIGHT 32
/* The same of parts that pass through this machine. */
#define RELAYED_IN_FLIGHT 8

struct mp_part {
	struct bulk_op *op;
	unsigned number;
	struct bulk_launch launch;
	struct bulk_fetch fetch; /* of a copy that is relayed */
	char etag[80];
};

struct mp_copy {
	char *upload_id;
	char *etag;    /* of the source */
	bool relayed;  /* through this machine */
	bool to_relay; /* when the parts under way have been refused, too */
	bool waits;    /* for a turn to send a part: it is in the target's list */
	uint64_t part_bytes;
	unsigned part_count, next, in_flight, finished;
	struct mp_part *parts;
	struct s3_meta *meta; /* while its tags are asked for */
	struct s3_err err;    /* the first final one */
};

bool mp_copy_wanted(const struct bulk_op *op)
{
	return op->size_bytes > op->target->config.copy_part_threshold_bytes ||
	       op->size_bytes > S3_COPY_MAX ||
	       (relay_wanted(op) && op->size_bytes > RELAY_BYTES_MAX);
}

static void step(struct bulk_op *op);

static void mp_end(struct bulk_op *op, const struct s3_err *err)
{
	struct mp_copy *m = op->parts;
	struct s3_err final = *err;

	op->parts = NULL;
	free(m->upload_id);
	free(m->etag);
	free(m->parts);
	s3_meta_free(m->meta);
	free(m);
	bulk_finish(op, &final);
}

static void aborted(void *ctx, const struct s3_err *err)
{
	struct bulk_op *op = ctx;
	char text[400];

	/* The error that led here is the one to report; but what is left of it costs money. */
	if (err->cls != S3_OK && err->cls != S3_NOT_FOUND && err->cls != S3_CANCELLED)
		log_warn("an unfinished upload to %.*s in bucket %s could not be aborted: %s",
			(int)(op->key.len < 1024 ? op->key.len : 1024), op->key.ptr,
			s3_client_bucket(op->target->client), s3_err_text(err, text, sizeof(text)));
	mp_end(op, &op->parts->err);
}

static void completed(void *ctx, const struct s3_err *err, const struct s3_put_result *result)
{
	struct bulk_op *op = ctx;

	if (err->cls != S3_OK) {
		op->parts->err = *err;
		step(op);
		return;
	}
	if (result->etag.len < sizeof(op->etag)) {
		memcpy(op->etag, result->etag.ptr, result->etag.len);
		op->etag[result->etag.len] = '\0';
	}
	mp_end(op, err);
}

static void complete(struct bulk_op *op)
{
	struct mp_copy *m = op->parts;
	struct s3_part *list = mem_calloc(m->part_count, sizeof(*list));
	unsigned i;

	for (i = 0; i < m->part_count; i++)
		list[i] = (struct s3_part){.number = i + 1, .etag = BYTES_STR(m->parts[i].etag)};
	s3_mpu_complete(op->target->client, op->key, BYTES_STR(m->upload_id), list, m->part_count,
		op->size_bytes, 0, completed, op);
	free(list);
}

static void part_done(void *ctx, const struct s3_err *err, const struct s3_put_result *result)
{
	struct mp_part *p = ctx;
	struct bulk_op *op = p->op;
	struct mp_copy *m = op->parts;

	if (m->relayed)
		fetch_end(&p->fetch);
	bulk_landed_one(op->target, &p->launch, err);
	m->in_flight--;
	m->finished++;
	if (err->cls != S3_OK && err->cls != S3_CANCELLED && !m->relayed &&
		s3_client_lacks(op->target->client, S3_ABLE_PART_COPY)) {
		m->to_relay = true;
	} else if (err->cls != S3_OK) {
		if (m->err.cls == S3_OK)
			m->err = *err;
	} else if (result->etag.len < sizeof(p->etag)) {
		memcpy(p->etag, result->etag.ptr, result->etag.len);
		p->etag[result->etag.len] = '\0';
	}
	step(op);
}

static void fetched(struct bulk_fetch *f, const struct s3_err *err)
{
	static const struct s3_put_result none;
	struct mp_part *p = (struct mp_part *)((char *)f - offsetof(struct mp_part, fetch));
	struct mp_copy *m = p->op->parts;
	struct s3_body body = {.runs = &f->run, .run_count = 1};

	if (err->cls == S3_OK && m->err.cls == S3_OK)
		s3_mpu_part(p->op->target->client, p->op->key, BYTES_STR(m->upload_id), p->number,
			&body, 0, part_done, p);
	else
		part_done(p, err->cls == S3_OK ? &m->err : err, &none);
}

static void relay_part(struct bulk_op *op, struct mp_part *p, uint64_t offset, uint64_t len)
{
	p->fetch = (struct bulk_fetch){
		.bulk = op->target->bulk,
		.client = op->source->client,
		.key = op->source_key,
		.etag = BYTES_STR(op->parts->etag),
		.offset = offset,
		.len = (size_t)len,
		.ready = fetched,
	};
	fetch_begin(&p->fetch);
}

static void copy_part(struct bulk_op *op, struct mp_part *p, uint64_t offset, uint64_t len)
{
	struct s3_part_copy_params params = {
		.key = op->key,
		.upload_id = BYTES_STR(op->parts->upload_id),
		.number = p->number,
		.source = op->source->client,
		.source_key = op->source_key,
		.source_etag = op->source_etag,
		.offset = offset,
		.len = len,
	};

	s3_mpu_part_copy(op->target->client, &params, 0, part_done, p);
}

static void send_part(struct bulk_op *op, unsigned index)
{
	struct mp_copy *m = op->parts;
	struct mp_part *p = &m->parts[index];
	uint64_t offset = index * m->part_bytes, left = op->size_bytes - offset;
	uint64_t len = left < m->part_bytes ? left : m->part_bytes;

	p->op = op;
	p->number = index + 1;
	p->launch = bulk_launched(op->target, BULK_COST_ONE);
	m->in_flight++;
	if (m->relayed)
		relay_part(op, p, offset, len);
	else
		copy_part(op, p, offset, len);
}

static void cut_into_parts(struct bulk_op *op, uint64_t part_bytes)
{
	struct mp_copy *m = op->parts;

	while (op->size_bytes / part_bytes >= S3_PARTS_MAX)
		part_bytes *= 2;
	m->part_bytes = part_bytes;
	m->part_count = (unsigned)((op->size_bytes + part_bytes - 1) / part_bytes);
	free(m->parts);
	m->parts = mem_calloc(m->part_count, sizeof(*m->parts));
	m->next = m->finished = 0;
}

/* Nothing is under way. Parts that are there are replaced, those of higher numbers not completed.
 */
static void relay(struct bulk_op *op)
{
	op->parts->relayed = true;
	op->parts->to_relay = false;
	cut_into_parts(op, RELAY_BYTES_MAX);
}

/* What is next, given what was sent and what came back? */
static void step(struct bulk_op *op)
{
	struct mp_copy *m = op->parts;

	if (m->waits)
		TAILQ_REMOVE(&op->target->parts, op, link);
	m->waits = false;
	if (m->err.cls != S3_OK) {
		if (m->in_flight)
			return;
		if (m->upload_id)
			s3_mpu_abort(op->target->client, op->key, BYTES_STR(m->upload_id), 0,
				aborted, op);
		else
			mp_end(op, &m->err);
		return;
	}
	if (m->to_relay && m->in_flight)
		return;
	if (m->to_relay)
		relay(op);
	if (m->next < m->part_count &&
		m->in_flight < (m->relayed ? RELAYED_IN_FLIGHT : PARTS_IN_FLIGHT)) {
		m->waits = true;
		TAILQ_INSERT_TAIL(&op->target->parts, op, link);
	}
	if (m->finished == m->part_count)
		complete(op);
}

void mp_copy_turn(struct bulk_op *op, const struct s3_err *hopeless)
{
	struct mp_copy *m = op->parts;

	m->waits = false;
	if (hopeless)
		m->err = *hopeless;
	else
		send_part(op, m->next++);
	step(op);
}

static void created(void *ctx, const struct s3_err *err, struct bytes upload_id)
{
	struct bulk_op *op = ctx;

	bulk_landed_one(op->target, &op->launch, err);
	if (err->cls != S3_OK)
		op->parts->err = *err;
	else
		op->parts->upload_id = mem_dup(upload_id.ptr, upload_id.len);
	step(op);
}

static void tags_in(
	void *ctx, const struct s3_err *err, const struct s3_object_tag *tags, size_t count)
{
	struct bulk_op *op = ctx;
	struct mp_copy *m = op->parts;
	struct s3_err final = *err;

	if (!tags_take(op, m->meta, &final, tags, count)) {
		bulk_landed_one(op->target, &op->launch, err);
		m->err = final;
		step(op);
		return;
	}
	s3_mpu_create(op->target->client, op->key, m->meta, 0, created, op);
}

static void headed(void *ctx, const struct s3_err *err, const struct s3_object *object)
{
	struct bulk_op *op = ctx;
	struct s3_header *headers;
	struct s3_meta meta;

	if (err->cls != S3_OK) {
		bulk_landed_one(op->target, &op->launch, err);
		op->parts->err = *err;
		step(op);
		return;
	}
	if (!bytes_equal(object->etag, op->source_etag) && op->source_etag.len) {
		bulk_landed_one(op->target, &op->launch, err);
		op->parts->err = (struct s3_err){.cls = S3_CHANGED,
			.errnum = ESTALE,
			.code = "SourceChanged",
			.message = "the source changed since it was listed"};
		step(op);
		return;
	}
	op->parts->etag = mem_dup(object->etag.ptr, object->etag.len);
	meta = meta_patched(op, object, &headers);
	meta.checksum = object->checksum;
	if (tags_wanted(op, object)) {
		op->parts->meta = s3_meta_dup(&meta);
		s3_get_tags(op->source->client, op->source_key, op->source_etag, 0, tags_in, op);
	} else {
		s3_mpu_create(op->target->client, op->key, &meta, 0, created, op);
	}
	free(headers);
}

void mp_copy_launch(struct bulk_op *op)
{
	op->parts = mem_zalloc(sizeof(*op->parts));
	if (s3_client_lacks(op->target->client, S3_ABLE_PART_COPY))
		relay(op);
	else
		cut_into_parts(op, op->target->config.copy_part_bytes);
	op->launch = bulk_launched(op->target, BULK_COST_ONE);
	s3_head(op->source->client, op->source_key, op->source_etag, S3_CHECKSUM, headed, op);
}
