/*
 * Multipart uploads of files: parts are sent while data still arrives, several at once; ranges of
 * objects are copied by the server. A part whose bytes change is sent again under its number. Core
 * thread only. An upload belongs to its content; let go of, it lives until S3 has heard that it is
 * aborted.
 */
#include <errno.h>
#include <stdlib.h>

#include "ns/ns_content.h"
#include "util/log.h"
#include "util/mem.h"

#define SENDING_MAX 8
/* They cost nothing here. */
#define COPYING_MAX 32
/* Parts double every so many: S3_PARTS_MAX of them reach 8 TiB, whatever is not known yet. */
#define PARTS_A_SIZE 1000

void plan_limits_of(const struct content *ct, struct plan_limits *limits)
{
	const struct ns_volume *v = ct->node->volume;
	uint64_t min = v->config.part_min_bytes ? v->config.part_min_bytes : S3_PART_MIN;
	uint64_t part = v->config.part_bytes ? v->config.part_bytes : NS_PART_BYTES;

	part <<= (ct->upload ? ct->upload->count : 0) / PARTS_A_SIZE;
	*limits = (struct plan_limits){
		.min_bytes = min,
		.part_bytes = part < S3_PART_MAX - S3_PART_MIN ? part : S3_PART_MAX - S3_PART_MIN,
		.copy_part_bytes = bulk_target_copy_part_bytes(v->target),
		.parts_max = S3_PARTS_MAX,
		.no_copies = s3_client_lacks(v->client, S3_ABLE_PART_COPY),
	};
	if (limits->copy_part_bytes < min)
		limits->copy_part_bytes = min;
}

uint64_t put_bytes_max(const struct content *ct)
{
	struct plan_limits limits;

	plan_limits_of(ct, &limits);
	return limits.part_bytes;
}

/* ---- the end ---- */

static void upload_free(struct upload *u)
{
	if (u->gone)
		u->gone(u->gone_ctx);
	free(u->parts);
	free(u->key);
	free(u->id);
	free(u);
}

static void part_free(struct upload_part *p)
{
	struct slab_pool *pool = &p->upload->volume->ns->slabs;
	struct fetch *f;

	if (p->state == PART_QUEUED)
		TAILQ_REMOVE(&p->upload->queue, p, queue_link);
	evict_forbid(pool, &p->evictable);
	while ((f = LIST_FIRST(&p->fetches)))
		fetch_drop(f);
	lent_return(&p->lent, pool);
	free(p);
}

static void aborted(void *ctx, const struct s3_err *err)
{
	struct upload *u = ctx;
	char text[400];

	u->volume->ns->uploads--;
	if (err->cls != S3_OK)
		log_warn("an unfinished upload could not be aborted: %s",
			s3_err_text(err, text, sizeof(text)));
	upload_free(u);
}

/* Nobody wants it any more: when nothing is on its way, S3 is told. */
static void wind_up(struct upload *u)
{
	if (u->creating || u->sending || u->copying)
		return;
	if (!u->id) {
		upload_free(u);
		return;
	}
	u->volume->ns->uploads++;
	s3_mpu_abort(u->volume->client, BYTES(u->key, u->key_len), BYTES_STR(u->id), 0, aborted, u);
}

void upload_let_go(struct content *ct, void (*gone)(void *ctx), void *ctx)
{
	struct upload *u = ct->upload;
	unsigned i;

	if (!u)
		return;
	ct->upload = NULL;
	u->content = NULL;
	u->gone = gone;
	u->gone_ctx = ctx;
	if (!u->asked)
		u->creating = false;
	for (i = 0; i < u->count; i++) {
		struct upload_part *p = u->parts[i];

		if (p->state == PART_SENT) {
			s3_cancel(p->op);
			continue; /* freed when that has come through */
		}
		if (p->state == PART_FETCHING)
			u->sending--;
		part_free(p);
	}
	u->count = 0;
	wind_up(u);
}

void upload_forget(struct content *ct)
{
	struct upload *u = ct->upload;

	ct->upload = NULL;
	upload_take_back(u, 0);
	upload_free(u);
}

/* ---- parts ---- */

/* Its local bytes are only in the upload from now on; objects and holes stay what they are. */
static void drop_sent(struct upload_part *p)
{
	struct extents *x = &p->upload->content->extents;
	uint64_t at = p->offset, end = p->offset + p->len;

	while (at < end) {
		const struct extent *e = extents_at(x, at);
		uint64_t to = extent_end(e) < end ? extent_end(e) : end;
		struct extent sent = {.kind = EXTENT_SENT, .offset = at, .len = to - at};

		if (e->kind == EXTENT_LOCAL) {
			p->upload->lossy = true;
			extents_put(x, &sent);
		}
		at = to;
	}
}

static bool has_local(const struct upload_part *p)
{
	return extents_have(
		&p->upload->content->extents, p->offset, p->offset + p->len, EXTENT_LOCAL);
}

static void part_evict(struct evictable *e)
{
	drop_sent((struct upload_part *)((char *)e - offsetof(struct upload_part, evictable)));
}

static void part_new(struct upload *u, const struct plan_part *plan)
{
	struct upload_part *p = mem_zalloc(sizeof(*p));

	if (u->count == u->cap) {
		u->cap = u->cap ? u->cap * 2 : 8;
		u->parts = mem_resize(u->parts, u->cap, sizeof(struct upload_part *));
	}
	u->parts[u->count++] = p;
	p->upload = u;
	p->evictable.evict = part_evict;
	p->number = u->count;
	p->offset = plan->offset;
	p->len = plan->len;
	p->copy = plan->copy;
	LIST_INIT(&p->fetches);
	TAILQ_INSERT_TAIL(&u->queue, p, queue_link);
}

bool upload_plan(struct upload *u, uint64_t to, bool at_end)
{
	struct content *ct = u->content;
	struct plan_limits limits;
	struct plan plan = {0};
	bool good;
	size_t i;

	plan_limits_of(ct, &limits);
	good = plan_make(&plan, &ct->extents, u->end, to, at_end, u->count, &limits);
	for (i = 0; good && i < plan.count; i++)
		part_new(u, &plan.parts[i]);
	if (good)
		u->end = plan.end;
	plan_free(&plan);
	upload_pump(u);
	return good;
}

unsigned upload_part_at(const struct upload *u, uint64_t offset)
{
	unsigned low = 0, high = u->count;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (u->parts[mid]->offset + u->parts[mid]->len > offset)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

void upload_take_back(struct upload *u, unsigned first)
{
	if (first < u->count)
		u->end = u->parts[first]->offset;
	while (u->count > first)
		part_free(u->parts[--u->count]);
}

bool upload_is_idle(const struct upload *u)
{
	return !u->creating && !u->sending && !u->copying;
}

bool upload_queue_stale(struct upload *u)
{
	bool any = false;
	unsigned i;

	for (i = 0; i < u->count; i++) {
		struct upload_part *p = u->parts[i];

		if (!p->stale || p->state != PART_DONE)
			continue;
		p->state = PART_QUEUED;
		TAILQ_INSERT_TAIL(&u->queue, p, queue_link);
		any = true;
	}
	return any;
}

bool upload_evict(struct upload *u)
{
	struct slab_pool *pool = &u->volume->ns->slabs;
	bool any = false;
	unsigned i;

	for (i = 0; i < u->count; i++) {
		struct upload_part *p = u->parts[i];

		if (p->copy || p->stale || p->state != PART_DONE || !has_local(p))
			continue;
		evict_forbid(pool, &p->evictable);
		drop_sent(p);
		any = true;
	}
	return any;
}

void upload_keep_bytes(struct upload *u)
{
	unsigned i;

	for (i = 0; i < u->count; i++)
		evict_forbid(&u->volume->ns->slabs, &u->parts[i]->evictable);
}

/* ---- sending ---- */

static void failed(struct upload *u, const struct s3_err *err)
{
	struct content *ct = u->content;
	struct buf path = BUF_INIT(0);
	char text[400];

	if (ct->errnum)
		return;
	/* A range of an object that has changed or gone since it was opened (contract C7). */
	ct->errnum = err->cls == S3_NOT_FOUND ? ESTALE : err->errnum;
	node_path(ct->node, &path);
	log_error("upload of %s failed: %s", buf_str(&path), s3_err_text(err, text, sizeof(text)));
	ledger_add(&u->volume->ledger, &(struct ns_failure){.what = "upload of a part",
					       .path = buf_str(&path),
					       .key = BYTES(u->key, u->key_len),
					       .err = *err});
	buf_free(&path);
}

static void queue_again(struct upload_part *p)
{
	p->state = PART_QUEUED;
	TAILQ_INSERT_HEAD(&p->upload->queue, p, queue_link);
}

/* Who waits for the upload, and the next parts. */
static void progress(struct upload *u)
{
	struct content *ct = u->content;
	struct node *n = node_ref(ct->node);

	if (ct->save)
		save_progress(ct);
	else
		upload_pump(u);
	if (n->u.content == ct)
		wake(&ct->waiters);
	node_unref(n);
}

/* What of a part that S3 has is kept here: memory until it is needed, the spool for who may read.
 */
static void part_kept(struct upload_part *p, bool in_memory)
{
	struct upload *u = p->upload;

	if (p->copy || p->stale || u->content->readable || !has_local(p))
		return;
	/* The beginning of a file is what is most often changed in the end. */
	if (in_memory)
		evict_allow(&u->volume->ns->slabs, &p->evictable, !p->offset);
	else
		drop_sent(p);
}

static void part_done(void *ctx, const struct s3_err *err, const struct s3_put_result *result)
{
	struct upload_part *p = ctx;
	struct upload *u = p->upload;
	struct slab_pool *pool = &u->volume->ns->slabs;
	bool in_memory = p->lent.draining_bytes > 0;
	struct fetch *f;

	u->volume->ns->uploads--;
	*(p->copy ? &u->copying : &u->sending) -= 1;
	p->op = NULL;
	p->state = PART_DONE;
	if (!u->content) {
		part_free(p);
		wind_up(u);
		return;
	}
	lent_return(&p->lent, pool);
	while ((f = LIST_FIRST(&p->fetches)))
		fetch_drop(f);
	if (err->cls != S3_OK) {
		/* Without UploadPartCopy it is sent (`begin`). */
		if (!p->copy || !s3_client_lacks(u->volume->client, S3_ABLE_PART_COPY))
			failed(u, err);
		queue_again(p);
	} else {
		p->etag[0] = '\0';
		if (result->etag.len < sizeof(p->etag)) {
			memcpy(p->etag, result->etag.ptr, result->etag.len);
			p->etag[result->etag.len] = '\0';
		}
		part_kept(p, in_memory);
	}
	progress(u);
}

static void send_copy(struct upload *u, struct upload_part *p)
{
	const struct extent *e = extents_at(&u->content->extents, p->offset);
	struct source *s = e->of.source;
	struct s3_part_copy_params params = {
		.key = BYTES(u->key, u->key_len),
		.upload_id = BYTES_STR(u->id),
		.number = p->number,
		.source = s->node->volume->client,
		.offset = e->at + (p->offset - e->offset),
		.len = p->len,
	};
	struct buf key = BUF_INIT(0);
	char text[64];

	/* Of an object of less than 5 MiB S3 copies no range. */
	if (!params.offset && params.len == s->size_bytes)
		params.len = 0;
	node_key(s->node, &key);
	params.source_key = buf_bytes(&key);
	params.source_etag = etag_text(&s->etag, text);
	u->copying++;
	p->op = s3_mpu_part_copy(u->volume->client, &params, 0, part_done, p);
	buf_free(&key);
}

static void send_bytes(struct upload *u, struct upload_part *p)
{
	struct s3_body body = {.runs = p->lent.runs, .run_count = p->lent.run_count};

	/* What was fetched for it goes in any case; of other bytes, what nobody can read. */
	if (!u->content->readable)
		lent_drains(&p->lent, &u->volume->ns->slabs);
	p->op = s3_mpu_part(u->volume->client, BYTES(u->key, u->key_len), BYTES_STR(u->id),
		p->number, &body, 0, part_done, p);
}

static struct fetch *fetch_of(const struct upload_part *p, const struct extent *e, uint64_t at)
{
	struct fetch *f;

	LIST_FOREACH(f, &p->fetches, link)
	if (at >= f->offset && at < f->offset + f->len && f->source == e->of.source &&
		f->at + (at - f->offset) == e->at + (at - e->offset))
		return f;
	return NULL;
}

static void fetched(struct fetch *f);

/* How far `at` the part is there, as it is now; *complete: all of it. What is not is fetched. */
static int gather(struct upload_part *p, bool *complete)
{
	const struct extents *x = &p->upload->content->extents;
	uint64_t at = p->offset, end = p->offset + p->len;
	unsigned under_way = 0;
	int errnum = 0;

	*complete = true;
	while (at < end && !errnum && under_way < SENDING_MAX) {
		const struct extent *e = extents_at(x, at);
		uint64_t to = extent_end(e) < end ? extent_end(e) : end;
		struct fetch *f = NULL;

		if (e->kind == EXTENT_OBJECT) {
			f = fetch_of(p, e, at);
			if (!f && (f = fetch_start(e, at, to, fetched, p, &errnum)))
				LIST_INSERT_HEAD(&p->fetches, f, link);
			if (f && f->errnum)
				errnum = f->errnum;
			*complete &= f && !f->op && !errnum;
			under_way += f && f->op;
			if (f && f->offset + f->len < to)
				to = f->offset + f->len;
		}
		at = to;
	}
	*complete &= at == end;
	return errnum;
}

static void lend_part(struct upload_part *p)
{
	const struct extents *x = &p->upload->content->extents;
	uint64_t at = p->offset, end = p->offset + p->len;

	while (at < end) {
		const struct extent *e = extents_at(x, at);
		uint64_t to = extent_end(e) < end ? extent_end(e) : end;

		if (e->kind == EXTENT_OBJECT) {
			struct fetch *f = fetch_of(p, e, at);

			if (!f)
				abort(); /* rather than other bytes: gather() has fetched it */
			to = f->offset + f->len < to ? f->offset + f->len : to;
			lend_slab(&p->lent, f->slab, at - f->offset, (size_t)(to - at));
		} else {
			lend_run(&p->lent, e, at, to);
		}
		at = to;
	}
}

/* Sends a part of bytes if all of them are there. */
static void try_send(struct upload_part *p)
{
	struct upload *u = p->upload;
	bool complete;
	int errnum = gather(p, &complete);

	if (errnum) {
		struct fetch *f;

		while ((f = LIST_FIRST(&p->fetches)))
			fetch_drop(f);
		u->sending--;
		queue_again(p);
		if (!u->content->errnum)
			u->content->errnum = errnum;
		return;
	}
	if (!complete)
		return;
	p->state = PART_SENT;
	p->stale = false;
	lend_part(p);
	u->volume->ns->uploads++;
	send_bytes(u, p);
}

static void fetched(struct fetch *f)
{
	struct upload_part *p = f->owner;

	try_send(p);
	progress(p->upload);
}

/* A range of an object may have become local since it was planned: then it is sent. */
static bool is_range(const struct upload *u, const struct upload_part *p)
{
	const struct extent *e = extents_at(&u->content->extents, p->offset);

	return e->kind == EXTENT_OBJECT && extent_end(e) >= p->offset + p->len;
}

static void begin(struct upload *u, struct upload_part *p)
{
	TAILQ_REMOVE(&u->queue, p, queue_link);
	p->copy &= is_range(u, p) && !s3_client_lacks(u->volume->client, S3_ABLE_PART_COPY);
	if (p->copy) {
		p->state = PART_SENT;
		u->volume->ns->uploads++;
		send_copy(u, p);
	} else {
		p->state = PART_FETCHING;
		u->sending++;
		try_send(p);
	}
}

void upload_pump(struct upload *u)
{
	struct upload_part *p, *next;

	if (!u->id)
		return;
	for (p = TAILQ_FIRST(&u->queue); p && !u->content->errnum; p = next) {
		next = TAILQ_NEXT(p, queue_link);
		if (u->sending >= SENDING_MAX && u->copying >= COPYING_MAX)
			break;
		if (p->copy ? u->copying < COPYING_MAX : u->sending < SENDING_MAX)
			begin(u, p);
	}
}

/* ---- the beginning ---- */

static void created(void *ctx, const struct s3_err *err, struct bytes id)
{
	struct upload *u = ctx;

	u->volume->ns->uploads--;
	u->creating = false;
	if (err->cls == S3_OK)
		u->id = mem_dup(id.ptr, id.len);
	if (!u->content) {
		wind_up(u);
		return;
	}
	if (err->cls != S3_OK)
		failed(u, err);
	progress(u);
}

void upload_begin(struct upload *u)
{
	struct accepted like = {.node = u->content->node, .op = {.kind = BULK_PUT}};
	struct s3_err err = {.cls = S3_FAILED, .code = "Unknown"};

	/* What it takes along of the old object may have to be asked for first. */
	err.errnum = keep_ready(like.node, NULL, NULL);
	if (err.errnum < 0)
		return;
	u->asked = true;
	u->volume->ns->uploads++;
	if (err.errnum) {
		created(u, &err, BYTES_NONE);
		return;
	}
	meta_send(&like);
	s3_mpu_create(u->volume->client, BYTES(u->key, u->key_len), &like.meta, 0, created, u);
	meta_unsend(&like);
}

struct upload *upload_new(struct content *ct)
{
	struct upload *u = mem_zalloc(sizeof(*u));
	struct node *n = ct->node;
	struct buf key = BUF_INIT(0);

	node_key(n, &key);
	u->key_len = key.len;
	u->key = buf_take(&key);
	u->content = ct;
	u->volume = n->volume;
	u->creating = true;
	TAILQ_INIT(&u->queue);
	ct->upload = u;
	upload_begin(u);
	return u;
}
