/*
 * Multipart uploads of open files: parts are sent while data still arrives. A failed part makes the
 * upload fail at the next write or at close; whatever fails is aborted in S3.
 */
#include <stdlib.h>

#include "ns/ns_int.h"
#include "util/log.h"
#include "util/mem.h"

#define PARTS_IN_FLIGHT 8
/* A range of the base becomes parts of at most this size. */
#define BASE_PART ((uint64_t)1 << 30)

/* An upload that its file has let go of: it lives until its last request is answered. */
static void part_free(struct ns *ns, struct upload_part *p)
{
	data_free(ns, p->data, p->cap);
	free(p);
}

static struct upload_part *part_add(struct content *ct)
{
	struct upload_part *p = mem_zalloc(sizeof(*p));

	ct->parts = mem_resize(ct->parts, ct->part_count + 1, sizeof(struct upload_part *));
	ct->parts[ct->part_count++] = p;
	p->content = ct;
	p->volume = ct->node->volume;
	p->number = ct->part_count;
	return p;
}

void upload_queue_data(struct content *ct)
{
	struct upload_part *p = part_add(ct);

	p->len = ct->used;
	p->data = content_take_data(ct, &p->cap);
	upload_pump(ct);
}

void upload_queue_base(struct content *ct)
{
	uint64_t at = 0, left = ct->base_bytes;

	while (left) {
		/* Two last parts of equal size rather than one that is below S3's minimum. */
		uint64_t len = left <= BASE_PART      ? left
			       : left < 2 * BASE_PART ? left / 2
						      : BASE_PART;
		struct upload_part *p = part_add(ct);

		p->base_offset = at;
		p->base_len = len;
		at += len;
		left -= len;
	}
	upload_pump(ct);
}

static void failed(struct content *ct, const struct s3_err *err)
{
	struct buf path = BUF_INIT(0), key = BUF_INIT(0);
	char text[400];

	if (ct->errnum)
		return;
	ct->errnum = err->errnum;
	node_path(ct->node, &path);
	log_error("upload of %s failed: %s", buf_str(&path), s3_err_text(err, text, sizeof(text)));
	node_key(ct->node, &key);
	ledger_add(&ct->node->volume->ledger, &(struct ns_failure){.what = "upload of a part",
						      .path = buf_str(&path),
						      .key = buf_bytes(&key),
						      .err = *err});
	buf_free(&key);
	buf_free(&path);
}

static void part_done(void *ctx, const struct s3_err *err, const struct s3_put_result *result)
{
	struct upload_part *p = ctx;
	struct content *ct = p->content;
	struct ns *ns = p->volume->ns;

	ns->uploads--;
	if (!ct) {
		part_free(ns, p);
		return;
	}
	ct->parts_in_flight--;
	ct->parts_done++;
	p->done = true;
	if (err->cls != S3_OK)
		failed(ct, err);
	else if (result->etag.len < sizeof(p->etag))
		memcpy(p->etag, result->etag.ptr, result->etag.len);
	data_free(ns, p->data, p->cap);
	p->data = NULL;
	upload_pump(ct);
	wake(&ct->waiters);
	wake(&ns->write_waiters); /* they wait only while something is on its way */
}

static void send(struct content *ct, struct upload_part *p)
{
	struct ns_volume *v = ct->node->volume;
	struct bytes id = BYTES_STR(ct->upload_id);
	struct buf key = BUF_INIT(0), source = BUF_INIT(0);
	char text[64];

	p->sent = true;
	ct->parts_in_flight++;
	v->ns->uploads++;
	node_key(ct->node, &key);
	if (p->base_len) {
		struct s3_part_copy_params params = {
			.key = buf_bytes(&key),
			.upload_id = id,
			.number = p->number,
			.source_bucket = s3_client_bucket(ct->base->volume->client),
			.source_etag = etag_text(&ct->base_etag, text),
			.offset = p->base_offset,
			.len = p->base_len,
		};

		node_key(ct->base, &source);
		params.source_key = buf_bytes(&source);
		s3_mpu_part_copy(v->client, &params, 0, part_done, p);
	} else {
		struct s3_body body = {.runs = &p->run, .run_count = 1};

		p->run = BYTES(p->data, p->len);
		s3_mpu_part(v->client, buf_bytes(&key), id, p->number, &body, 0, part_done, p);
	}
	buf_free(&key);
	buf_free(&source);
}

/* What CreateMultipartUpload answers goes to the content, or, if that is gone, to an abort. */
struct create {
	struct content *ct;
	struct ns_volume *volume;
	char *key;
	size_t key_len;
};

static void abort_done(void *ctx, const struct s3_err *err)
{
	struct ns *ns = ctx;
	char text[400];

	ns->uploads--;
	if (err->cls != S3_OK)
		log_warn("an unfinished upload could not be aborted: %s",
			s3_err_text(err, text, sizeof(text)));
}

static void created(void *ctx, const struct s3_err *err, struct bytes id)
{
	struct create *cr = ctx;
	struct content *ct = cr->ct;

	cr->volume->ns->uploads--;
	if (!ct && err->cls == S3_OK) {
		cr->volume->ns->uploads++;
		s3_mpu_abort(cr->volume->client, BYTES(cr->key, cr->key_len), id, 0, abort_done,
			cr->volume->ns);
	}
	if (ct) {
		ct->create = NULL;
		if (err->cls == S3_OK)
			ct->upload_id = mem_dup(id.ptr, id.len);
		else
			failed(ct, err);
		upload_pump(ct);
		wake(&ct->waiters);
	}
	free(cr->key);
	free(cr);
}

void upload_pump(struct content *ct)
{
	struct s3_meta meta = {0};
	struct s3_header *headers;
	struct buf key = BUF_INIT(0);
	unsigned i;

	if (ct->errnum || ct->create)
		return;
	if (!ct->upload_id) {
		struct create *cr = mem_zalloc(sizeof(*cr));

		node_key(ct->node, &key);
		cr->ct = ct;
		cr->volume = ct->node->volume;
		cr->key_len = key.len;
		cr->key = buf_take(&key);
		ct->create = cr;
		cr->volume->ns->uploads++;
		headers = meta_headers(ct->node, &meta.user_count);
		meta.user = headers;
		if (ct->node->meta)
			ct->node->meta->unsaved = false;
		s3_mpu_create(
			cr->volume->client, BYTES(cr->key, cr->key_len), &meta, 0, created, cr);
		meta_headers_free(headers, meta.user_count);
		return;
	}
	for (i = ct->parts_done; i < ct->part_count && ct->parts_in_flight < PARTS_IN_FLIGHT; i++)
		if (!ct->parts[i]->sent)
			send(ct, ct->parts[i]);
}

void upload_abort(struct content *ct)
{
	struct buf key = BUF_INIT(0);

	if (ct->create)
		ct->create->ct = NULL;
	ct->create = NULL;
	if (ct->upload_id) {
		node_key(ct->node, &key);
		ct->node->volume->ns->uploads++;
		s3_mpu_abort(ct->node->volume->client, buf_bytes(&key), BYTES_STR(ct->upload_id), 0,
			abort_done, ct->node->volume->ns);
		buf_free(&key);
	}
	upload_forget(ct);
}

void upload_forget(struct content *ct)
{
	struct ns *ns = ct->node->volume->ns;
	unsigned i;

	for (i = 0; i < ct->part_count; i++) {
		struct upload_part *p = ct->parts[i];

		if (p->sent && !p->done)
			p->content = NULL; /* freed when it is answered */
		else
			part_free(ns, p);
	}
	free(ct->parts);
	free(ct->upload_id);
	ct->parts = NULL;
	ct->upload_id = NULL;
	ct->part_count = ct->parts_done = ct->parts_in_flight = 0;
}
