/*
 * The simulated S3: the functions of s3/s3.h. Each operation takes effect at one random moment and
 * is answered at a later one, or fails before its effect, or after it (the answer was lost). One
 * thread. An operation owns copies of its parameters and is freed when its completion has run.
 */
#include "sim_s3.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/clk.h"
#include "util/mem.h"

static size_t under_way;

size_t sim_s3_under_way(void)
{
	return under_way;
}

const char *s3_client_bucket(const struct s3_client *client)
{
	(void)client;
	return "bucket";
}

const char *s3_client_endpoint(const struct s3_client *client)
{
	(void)client;
	return "https://s3.test";
}

const char *s3_client_storage_class(const struct s3_client *client)
{
	(void)client;
	return NULL;
}

bool s3_client_copies_tags(const struct s3_client *client)
{
	(void)client;
	return true;
}

/* This S3 can do everything. */
bool s3_client_lacks(const struct s3_client *client, enum s3_ability ability)
{
	(void)client;
	(void)ability;
	return false;
}

size_t s3_delete_weight(struct bytes key)
{
	return key.len + 30;
}

void op_set(struct s3_err *err, enum s3_class cls, int errnum, const char *code)
{
	*err = (struct s3_err){.cls = cls, .errnum = errnum};
	snprintf(err->code, sizeof(err->code), "%s", code);
}

void op_etag(struct bytes from, char *to, size_t size)
{
	size_t n = from.len < size ? from.len : size - 1;

	if (n)
		memcpy(to, from.ptr, n);
	to[n] = '\0';
}

struct bytes op_key(const struct s3_op *op)
{
	return BYTES(op->key, op->key_len);
}

/* ---- what goes wrong ---- */

/* The same keys are refused throughout a schedule, for each kind of operation others. */
static bool denied(enum sim_op kind, struct bytes key)
{
	static const char group[] = {[OP_LIST] = 'l',
		[OP_HEAD] = 'g',
		[OP_GET] = 'g',
		[OP_PUT] = 'p',
		[OP_COPY] = 'p',
		[OP_DELETE] = 'd',
		[OP_CREATE] = 'p',
		[OP_PART] = 'n',
		[OP_PART_COPY] = 'n',
		[OP_COMPLETE] = 'n',
		[OP_ABORT] = 'n'};
	uint64_t h = content_hash(key.ptr, key.len) ^ sim.seed * 0x9e3779b97f4a7c15u ^
		     (uint64_t)group[kind] << 40;
	struct rng r = {.state = h};

	if (sim.errors < 2 || !sim.deny_one_in || group[kind] == 'n' || sim.quiet)
		return false;
	/* Reading is refused less often, so that commands get somewhere. */
	return !rng_below(&r, sim.deny_one_in * (group[kind] == 'g' || group[kind] == 'l' ? 8 : 1));
}

static void fail_retried(struct s3_err *err)
{
	if (sim_chance(50))
		op_set(err, S3_THROTTLED, EIO, "SlowDown");
	else
		op_set(err, S3_TRANSIENT, EIO, "InternalError");
}

/* Draws a failure of this attempt, or none. */
static void draw(struct s3_op *op)
{
	/* A failed abort leaves an upload behind, which is S3's to expire. */
	if (sim.quiet || !sim.errors || op->kind == OP_ABORT)
		return;
	if (op->kind != OP_DELETE && denied(op->kind, op_key(op)))
		op_set(&op->err, S3_DENIED, EACCES, "AccessDenied");
	else if ((op->flags & S3_NO_RETRY) && sim_chance(sim.retry_percent))
		fail_retried(&op->err);
	else if (!(op->flags & S3_NO_RETRY) && sim.errors == 2 && sim_chance(1))
		op_set(&op->err, S3_TRANSIENT, EIO, "InternalError");
}

static int64_t delay(void)
{
	return sim_chance(80) ? 1 + sim_below(20) : 1 + sim_below(300);
}

/* ---- the life of an operation ---- */

static void op_free(struct s3_op *op)
{
	size_t i;

	for (i = 0; i < op->entry_count; i++) {
		free((char *)op->entries[i].key.ptr);
		free((char *)op->entries[i].etag.ptr);
	}
	for (i = 0; i < op->key_count; i++)
		free((char *)op->keys[i].ptr);
	for (i = 0; i < op->part_count; i++)
		free((char *)op->parts[i].etag.ptr);
	free(op->entries);
	free(op->keys);
	free(op->key_errs);
	free(op->parts);
	free(op->key);
	free(op->source);
	free(op->data);
	free(op->token);
	free(op);
	under_way--;
}

/* Will somebody try this again? */
static bool is_final(const struct s3_op *op, const struct s3_err *err)
{
	return err->cls != S3_OK && err->cls != S3_CANCELLED &&
	       (!(op->flags & S3_NO_RETRY) ||
		       (err->cls != S3_THROTTLED && err->cls != S3_TRANSIENT));
}

static void tell_model(struct s3_op *op)
{
	size_t i;

	/* A listing of one key may be about whether a directory needs its marker. */
	if ((op->kind == OP_LIST && op->max_keys != 1) || op->kind == OP_GET ||
		op->kind == OP_ABORT)
		return;
	if (op->kind == OP_DELETE) {
		for (i = 0; i < op->key_count; i++)
			if (is_final(op, &op->key_errs[i]))
				model_refused(op->keys[i], false, op->key_errs[i].cls == S3_DENIED);
	} else if (is_final(op, &op->err)) {
		model_refused(op_key(op), op->kind == OP_HEAD,
			op->kind == OP_COPY && op->err.cls == S3_DENIED);
	}
}

static void op_finish(struct loop_timer *timer)
{
	struct s3_op *op = (struct s3_op *)timer;

	if (op->cancelled)
		op_set(&op->err, S3_CANCELLED, EINTR, "Cancelled");
	tell_model(op);
	op->finish(op);
	op_free(op);
}

static bool changes(const struct s3_op *op)
{
	return op->kind == OP_PUT || op->kind == OP_COPY || op->kind == OP_DELETE;
}

static void op_effect(struct loop_timer *timer)
{
	struct s3_op *op = (struct s3_op *)timer;
	struct s3_err lost;

	op->timer.fire = op_finish;
	draw(op);
	if (op->err.cls == S3_OK) {
		op->effect(op);
	} else if (op->err.cls == S3_TRANSIENT && changes(op) && sim_chance(50)) {
		lost = op->err;
		op->err = (struct s3_err){0};
		op->effect(op);
		op->err = lost;
	}
	loop_timer_set(sim.loop, &op->timer, delay());
}

struct s3_op *op_new(enum sim_op kind, struct bytes key, unsigned flags,
	void (*effect)(struct s3_op *), void (*finish)(struct s3_op *), void *done, void *ctx)
{
	struct s3_op *op = mem_zalloc(sizeof(*op));

	under_way++;
	op->kind = kind;
	op->flags = flags;
	op->effect = effect;
	op->finish = finish;
	op->done = done;
	op->ctx = ctx;
	op->key = mem_dup(key.ptr ? key.ptr : "", key.len);
	op->key_len = key.len;
	return op;
}

void op_start(struct s3_op *op)
{
	op->timer.fire = op_effect;
	loop_timer_set(sim.loop, &op->timer, delay());
}

void s3_cancel(struct s3_op *op)
{
	op->cancelled = true;
	op->timer.fire = op_finish;
	loop_timer_set(sim.loop, &op->timer, (int64_t)sim_below(5));
}

/* ---- ListObjectsV2 ---- */

static void list_add(struct s3_op *op, struct bytes key, const struct object *o)
{
	struct s3_list_entry *e;

	op->entries = mem_resize(op->entries, op->entry_count + 1, sizeof(*op->entries));
	e = &op->entries[op->entry_count++];
	*e = (struct s3_list_entry){.is_prefix = !o, .storage_class = BYTES_LIT("STANDARD")};
	e->key = BYTES(mem_dup(key.ptr, key.len), key.len);
	if (!o)
		return;
	e->etag = BYTES(mem_strdup(o->etag), strlen(o->etag));
	e->size_bytes = o->len;
	e->mtime_ms = o->mtime_ms;
}

/* The part of `key` that a listing with delimiter shows: its common prefix, or all of it. */
static struct bytes rolled_up(const struct s3_op *op, struct bytes key, bool *ret_prefix)
{
	const char *slash = NULL;

	if (op->delimiter)
		slash = memchr(key.ptr + op->key_len, '/', key.len - op->key_len);
	*ret_prefix = slash;
	return slash ? BYTES(key.ptr, (size_t)(slash + 1 - key.ptr)) : key;
}

static void list_effect(struct s3_op *op)
{
	unsigned room = op->max_keys ? op->max_keys : 2 + sim_below(6);
	struct bytes last = BYTES(op->token, op->token_len);
	size_t i;

	for (i = store_first(op_key(op)); i < store_count(); i++) {
		const struct object *o = store_at(i);
		struct bytes key = BYTES(o->key, o->key_len), shown;
		bool is_prefix;

		if (!bytes_starts(key, op_key(op)))
			break;
		shown = rolled_up(op, key, &is_prefix);
		if (last.ptr && bytes_cmp(shown, last) <= 0)
			continue;
		if (op->entry_count == room) {
			op->truncated = true;
			break;
		}
		list_add(op, shown, is_prefix ? NULL : o);
		last = op->entries[op->entry_count - 1].key;
		sim_trace("S3: lists %s", last.ptr);
	}
}

static void list_finish(struct s3_op *op)
{
	struct s3_list_page page = {
		.entries = op->entries, .count = op->entry_count, .truncated = op->truncated};

	if (op->truncated)
		page.next_token = op->entries[op->entry_count - 1].key;
	((s3_list_fn *)op->done)(op->ctx, &op->err, &page);
}

struct s3_op *s3_list(struct s3_client *c, const struct s3_list_params *params, unsigned flags,
	s3_list_fn *done, void *ctx)
{
	struct s3_op *op =
		op_new(OP_LIST, params->prefix, flags, list_effect, list_finish, (void *)done, ctx);

	(void)c;
	op->delimiter = params->delimiter;
	op->max_keys = params->max_keys;
	/* A token is the last key of the page before it. */
	if (params->token.ptr || params->start_after.ptr) {
		struct bytes after = params->token.ptr ? params->token : params->start_after;

		op->token = mem_dup(after.ptr, after.len);
		op->token_len = after.len;
	}
	op_start(op);
	return op;
}

unsigned op_mode(const struct s3_meta *meta)
{
	size_t i;

	for (i = 0; meta && i < meta->user_count; i++)
		if (!strcmp(meta->user[i].name, "mode"))
			return (unsigned)strtoul(meta->user[i].value, NULL, 10);
	return 0;
}

/* ---- HeadObject, GetObject ---- */

const struct object *op_source(struct s3_op *op, struct bytes key)
{
	const struct object *o = store_get(key);

	if (!o)
		op_set(&op->err, S3_NOT_FOUND, ENOENT, "NoSuchKey");
	else if (op->if_match[0] && strcmp(op->if_match, o->etag) != 0)
		op_set(&op->err, S3_CHANGED, ESTALE, "PreconditionFailed");
	return op->err.cls == S3_OK ? o : NULL;
}

static void read_effect(struct s3_op *op)
{
	const struct object *o = op_source(op, op_key(op));

	if (!o)
		return;
	snprintf(op->etag, sizeof(op->etag), "%s", o->etag);
	op->size_bytes = o->len;
	op->mtime_ms = o->mtime_ms;
	op->mode = o->mode;
	if (op->kind == OP_HEAD)
		return;
	if (op->offset < o->len) {
		size_t left = o->len - (size_t)op->offset;

		op->len = op->len < left ? op->len : left;
		memcpy(op->target, o->data + op->offset, op->len);
	} else {
		op->len = 0;
	}
}

static void head_finish(struct s3_op *op)
{
	char mode[16];
	struct s3_header user = {"mode", mode};
	struct s3_object object = {.etag = BYTES_STR(op->etag),
		.size_bytes = op->size_bytes,
		.mtime_ms = op->mtime_ms,
		.user = &user,
		.user_count = op->mode != 0};

	snprintf(mode, sizeof(mode), "%u", op->mode);
	((s3_head_fn *)op->done)(op->ctx, &op->err, &object);
}

struct s3_op *s3_head(struct s3_client *c, struct bytes key, struct bytes pin, unsigned flags,
	s3_head_fn *done, void *ctx)
{
	struct s3_op *op = op_new(OP_HEAD, key, flags, read_effect, head_finish, (void *)done, ctx);

	(void)c, (void)pin;
	op_start(op);
	return op;
}

static void get_finish(struct s3_op *op)
{
	struct s3_get_result result = {.got = op->len,
		.size_bytes = op->size_bytes,
		.etag = BYTES_STR(op->etag),
		.mtime_ms = op->mtime_ms};

	((s3_get_fn *)op->done)(op->ctx, &op->err, &result);
}

struct s3_op *s3_get(struct s3_client *c, struct bytes key, struct bytes if_match, uint64_t offset,
	char *target, size_t len, unsigned flags, s3_get_fn *done, void *ctx)
{
	struct s3_op *op = op_new(OP_GET, key, flags, read_effect, get_finish, (void *)done, ctx);

	(void)c;
	op_etag(if_match, op->if_match, sizeof(op->if_match));
	op->offset = offset;
	op->target = target;
	op->len = len;
	op_start(op);
	return op;
}

/* ---- PutObject, CopyObject ---- */

char *body_join(const struct s3_body *body, size_t *len)
{
	char *data;
	size_t i;

	*len = 0;
	for (i = 0; i < body->run_count; i++)
		*len += body->runs[i].len;
	data = mem_zalloc(*len + 1);
	*len = 0;
	for (i = 0; i < body->run_count; i++) {
		if (body->runs[i].len)
			memcpy(data + *len, body->runs[i].ptr, body->runs[i].len);
		*len += body->runs[i].len;
	}
	return data;
}

static void put_effect(struct s3_op *op)
{
	size_t len;
	char *data = body_join(&op->body_copy, &len);

	sim_trace("S3: put %s, mode %o", op->key, op->mode);
	store_put(op_key(op), data, len, 0);
	store_set_mode(op_key(op), op->mode);
	content_note(content_hash(data, len)); /* what a killed writer had so far is whole, too */
	snprintf(op->etag, sizeof(op->etag), "%s", store_get(op_key(op))->etag);
	free(data);
}

static void put_finish(struct s3_op *op)
{
	struct s3_put_result result = {.etag = BYTES_STR(op->etag)};

	((s3_put_fn *)op->done)(op->ctx, &op->err, &result);
}

struct s3_op *s3_put(struct s3_client *c, struct bytes key, const struct s3_meta *meta,
	const struct s3_body *body, unsigned flags, s3_put_fn *done, void *ctx)
{
	struct s3_op *op = op_new(OP_PUT, key, flags, put_effect, put_finish, (void *)done, ctx);

	(void)c;
	op->mode = op_mode(meta);
	op->body_copy = *body;
	op_start(op);
	return op;
}

static void copy_effect(struct s3_op *op)
{
	const struct object *o = op_source(op, BYTES(op->source, op->source_len));
	char *data;
	size_t len;

	sim_trace("S3: copy %s to %s: %s", op->source, op->key, o ? "done" : op->err.code);
	if (!o)
		return;
	data = mem_dup(o->data, o->len);
	len = o->len;
	if (!op->replace)
		op->mode = o->mode;
	store_put(op_key(op), data, len, 0);
	store_set_mode(op_key(op), op->mode);
	free(data);
	o = store_get(op_key(op));
	snprintf(op->etag, sizeof(op->etag), "%s", o->etag);
	op->mtime_ms = o->mtime_ms;
}

static void copy_finish(struct s3_op *op)
{
	struct s3_put_result result = {.etag = BYTES_STR(op->etag)};

	((s3_copy_fn *)op->done)(op->ctx, &op->err, &result, op->mtime_ms);
}

struct s3_op *s3_copy(struct s3_client *c, const struct s3_copy_params *params, unsigned flags,
	s3_copy_fn *done, void *ctx)
{
	struct s3_op *op =
		op_new(OP_COPY, params->key, flags, copy_effect, copy_finish, (void *)done, ctx);

	(void)c;
	op->source = mem_dup(params->source_key.ptr, params->source_key.len);
	op->source_len = params->source_key.len;
	op_etag(params->source_etag, op->if_match, sizeof(op->if_match));
	op->replace = params->replace;
	op->mode = op_mode(params->replace);
	op_start(op);
	return op;
}

/* ---- DeleteObjects ---- */

static void delete_effect(struct s3_op *op)
{
	size_t i;

	for (i = 0; i < op->key_count; i++) {
		struct s3_err *e = &op->key_errs[i];

		if (denied(OP_DELETE, op->keys[i]))
			op_set(e, S3_DENIED, EACCES, "AccessDenied");
		else if (!sim.quiet && sim.errors && sim_chance(sim.retry_percent))
			fail_retried(e);
		sim_trace("S3: delete %s: %s", op->keys[i].ptr, e->cls ? e->code : "done");
		if (e->cls == S3_OK || (e->cls == S3_TRANSIENT && sim_chance(30)))
			store_delete(op->keys[i]);
	}
}

static void delete_finish(struct s3_op *op)
{
	((s3_delete_many_fn *)op->done)(op->ctx, &op->err, op->key_errs, op->key_count);
}

struct s3_op *s3_delete_many(struct s3_client *c, const struct bytes *keys, size_t count,
	unsigned flags, s3_delete_many_fn *done, void *ctx)
{
	struct s3_op *op = op_new(
		OP_DELETE, BYTES_NONE, flags, delete_effect, delete_finish, (void *)done, ctx);
	size_t i;

	(void)c;
	op->keys = mem_calloc(count, sizeof(*op->keys));
	op->key_errs = mem_calloc(count, sizeof(*op->key_errs));
	for (i = 0; i < count; i++)
		op->keys[i] = BYTES(mem_dup(keys[i].ptr, keys[i].len), keys[i].len);
	op->key_count = count;
	op_start(op);
	return op;
}

/* With DeleteObjects there is no need of it. */
struct s3_op *s3_delete(
	struct s3_client *c, struct bytes key, unsigned flags, s3_done_fn *done, void *ctx)
{
	(void)c, (void)flags, (void)done, (void)ctx;
	sim_fail("%.*s is deleted singly", (int)key.len, key.ptr);
}

/* ---- tags: no object here has any ---- */

struct s3_op *s3_get_tags(struct s3_client *c, struct bytes key, struct bytes pin, unsigned flags,
	s3_tags_fn *done, void *ctx)
{
	(void)c, (void)pin, (void)flags, (void)done, (void)ctx;
	sim_fail("the tags of %.*s are asked for", (int)key.len, key.ptr);
}

struct s3_op *s3_put_tags(struct s3_client *c, struct bytes key, const struct s3_object_tag *tags,
	size_t count, unsigned flags, s3_done_fn *done, void *ctx)
{
	(void)c, (void)tags, (void)count, (void)flags, (void)done, (void)ctx;
	sim_fail("tags of %.*s are set", (int)key.len, key.ptr);
}

/* ---- no bucket here has versions ---- */

struct bytes s3_pin_etag(const struct s3_client *c, struct bytes pin)
{
	(void)c;
	return pin;
}

struct bytes s3_pin_version(const struct s3_client *c, struct bytes pin)
{
	(void)c, (void)pin;
	return BYTES_LIT("");
}
