/*
 * A bucket as it was (struct s3_config, version_at_ms): s3_list, s3_head and s3_get_tags by way of
 * ListObjectVersions. Of each key the newest version that is not younger than that time counts; if
 * that is a delete marker, the key was not there. Core thread only; what is under way belongs to
 * its request.
 *
 * A common prefix says no more than that some version of some key below it exists. So each is
 * looked at, up to PROBES_MAX at a time, with a listing of what is below it that ends at the first
 * key that was there then: mostly one small request; all its versions are read only where nothing
 * was there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "s3/s3_int.h"
#include "s3/s3_value.h"
#include "util/mem.h"

#define PROBES_MAX 32
/* Of who wants one key: enough for a key that was changed a few times since. */
#define FEW_VERSIONS 20
#define MARKER_MAX ((size_t)8 << 10)
#define TEXT_MAX_BYTES ((size_t)16 << 20)

struct row {
	size_t key, key_len, pin, pin_len, class_at, class_len; /* places in `text` */
	uint64_t size_bytes;
	int64_t mtime_ms;
	bool is_prefix, is_gone; /* gone: a prefix below which nothing was there */
};

struct at_list {
	struct s3_client *client;
	char *prefix;
	size_t prefix_len;
	bool delimiter;
	bool exact;   /* only the key that the prefix is */
	unsigned max; /* of the first request */
	unsigned flags;
	/* Where the next request begins; of the key of which the last word is known, `settled`. */
	struct buf key_marker, version_marker, settled;
	bool jumped; /* it began behind all versions of key_marker, or should have */
	bool truncated;
	struct row *rows;
	size_t count, room, shown;
	struct buf text;
	size_t probe_next; /* the first row that was not probed */
	unsigned probes;   /* under way */
	struct s3_err err; /* the first one */
	s3_list_fn *done;
	void *ctx;
};

/* ---- the answer ---- */

static void at_free(struct at_list *l)
{
	free(l->prefix);
	free(l->rows);
	buf_free(&l->key_marker);
	buf_free(&l->version_marker);
	buf_free(&l->settled);
	buf_free(&l->text);
	free(l);
}

static struct bytes place(const struct at_list *l, size_t at, size_t len)
{
	return BYTES(buf_str(&l->text) + at, len);
}

static size_t make_entries(const struct at_list *l, struct s3_list_entry *entries)
{
	size_t i, n = 0;

	for (i = 0; i < l->count; i++) {
		const struct row *row = &l->rows[i];
		struct bytes class = place(l, row->class_at, row->class_len);

		if (row->is_gone)
			continue;
		entries[n++] = (struct s3_list_entry){
			.key = place(l, row->key, row->key_len),
			.etag = place(l, row->pin, row->pin_len),
			.size_bytes = row->size_bytes,
			.mtime_ms = row->mtime_ms,
			.is_prefix = row->is_prefix,
			.archived = s3_class_archived(class),
			.storage_class = class,
		};
	}
	return n;
}

/* The token of the next page: the length of the key, whether all is known of it, the key, the
 * version. */
static void make_token(const struct at_list *l, struct buf *token)
{
	bool known = bytes_equal(buf_bytes(&l->settled), buf_bytes(&l->key_marker));

	buf_addf(token, "%zu%c", l->key_marker.len, known ? '+' : '-');
	buf_addb(token, buf_bytes(&l->key_marker));
	buf_addb(token, buf_bytes(&l->version_marker));
}

static void take_token(struct at_list *l, struct bytes token)
{
	size_t digits = strspn(token.ptr, "0123456789"), head = digits + 1;
	uint64_t len = 0;

	if (head > token.len || !s3_value_size(BYTES(token.ptr, digits), &len) ||
		len > token.len - head)
		return;
	buf_add(&l->key_marker, token.ptr + head, (size_t)len);
	l->jumped = token.ptr[digits] == '+';
	buf_add(&l->version_marker, token.ptr + head + len, token.len - head - (size_t)len);
}

static void finish(struct at_list *l)
{
	struct s3_list_page page = {0};
	struct s3_list_entry *entries = NULL;
	struct buf token = BUF_INIT(MARKER_MAX);

	if (l->text.failed && l->err.cls == S3_OK)
		s3_err_set(&l->err, S3_FAILED, EIO, "BadAnswer", "a listing's names are too long");
	if (l->err.cls == S3_OK) {
		entries = mem_calloc(l->count, sizeof(*entries));
		page.count = make_entries(l, entries);
		page.entries = entries;
		page.truncated = l->truncated;
		if (l->truncated)
			make_token(l, &token);
		page.next_token = buf_bytes(&token);
	}
	l->done(l->ctx, &l->err, &page);
	free(entries);
	buf_free(&token);
	at_free(l);
}

/* ---- prefixes ---- */

struct probe {
	struct at_list *list;
	size_t row;
};

static void go_on(struct at_list *l);

static void probed(void *ctx, const struct s3_err *err, const struct s3_list_page *page)
{
	struct probe *p = ctx;
	struct at_list *l = p->list;

	if (err->cls != S3_OK && l->err.cls == S3_OK)
		l->err = *err;
	if (page->count)
		l->shown++;
	else
		l->rows[p->row].is_gone = true;
	l->probes--;
	free(p);
	go_on(l);
}

static void probe(struct at_list *l, size_t i)
{
	struct s3_list_params params = {
		.prefix = place(l, l->rows[i].key, l->rows[i].key_len),
		.max_keys = 1,
	};
	struct probe *p = mem_zalloc(sizeof(*p));

	p->list = l;
	p->row = i;
	l->probes++;
	s3_at_list(l->client, &params, l->flags, probed, p);
}

/* ---- pages ---- */

static size_t keep(struct at_list *l, struct bytes text)
{
	size_t at = l->text.len;

	buf_addb(&l->text, text);
	return at;
}

static struct row *add_row(struct at_list *l, struct bytes key)
{
	struct row *row;

	if (l->count == l->room) {
		l->room = l->room ? l->room * 2 : 64;
		l->rows = mem_resize(l->rows, l->room, sizeof(*l->rows));
	}
	row = &l->rows[l->count++];
	*row = (struct row){.key = keep(l, key), .key_len = key.len};
	return row;
}

static void set(struct buf *to, struct bytes text)
{
	buf_cut(to, 0);
	buf_addb(to, text);
}

static void add_version(struct at_list *l, const struct s3_version *v)
{
	struct row *row = add_row(l, v->key);

	row->pin = keep(l, v->etag);
	buf_addc(&l->text, ' ');
	buf_addb(&l->text, v->id);
	row->pin_len = l->text.len - row->pin;
	row->class_at = keep(l, v->storage_class);
	row->class_len = v->storage_class.len;
	row->size_bytes = v->size_bytes;
	row->mtime_ms = v->mtime_ms;
	l->shown++;
}

/* S3 tells whole seconds, some servers thousandths: a second that is named is that second's end. */
static bool is_later(const struct at_list *l, const struct s3_version *v)
{
	int64_t at_ms = l->client->settings.version_at_ms;

	return v->mtime_ms > (at_ms % 1000 ? at_ms : at_ms + 999);
}

/* False: what follows does not matter any more. */
static bool take_version(struct at_list *l, const struct s3_version *v)
{
	if (l->exact && !bytes_equal(v->key, BYTES(l->prefix, l->prefix_len)))
		return false;
	if (v->is_prefix) {
		if (bytes_cmp(v->key, buf_bytes(&l->key_marker)) > 0)
			add_row(l, v->key)->is_prefix = true;
		return true;
	}
	if ((l->settled.len && bytes_cmp(v->key, buf_bytes(&l->settled)) <= 0) || is_later(l, v))
		return true;
	set(&l->settled, v->key);
	if (!v->is_marker)
		add_version(l, v);
	return !l->exact;
}

/*
 * Where the next page begins. When all is known of a key, its older versions are passed over,
 * unless that was tried and the server begins with the marker itself. False when it would send the
 * same page again.
 */
static bool step(struct at_list *l, const struct s3_versions_page *page)
{
	struct bytes version = page->next_version;
	bool same_key = bytes_equal(page->next_key, buf_bytes(&l->key_marker));

	l->jumped = same_key && l->jumped;
	if (bytes_equal(page->next_key, buf_bytes(&l->settled)) && !l->jumped) {
		l->jumped = true;
		version = BYTES_LIT("");
	}
	if (bytes_cmp(page->next_key, buf_bytes(&l->key_marker)) < 0 ||
		(same_key && bytes_equal(version, buf_bytes(&l->version_marker))))
		return false;
	set(&l->key_marker, page->next_key);
	set(&l->version_marker, version);
	return true;
}

static void page_in(void *ctx, const struct s3_err *err, const struct s3_versions_page *page)
{
	struct at_list *l = ctx;
	bool more = true;
	size_t i;

	l->err = *err;
	for (i = 0; i < page->count && more; i++)
		more = take_version(l, &page->versions[i]);
	l->truncated = more && page->truncated;
	if (l->truncated && !step(l, page))
		s3_err_set(&l->err, S3_FAILED, EIO, "BadAnswer",
			"ListObjectVersions does not go on behind its markers");
	l->max = 0;
	go_on(l);
}

static void ask(struct at_list *l)
{
	struct s3_versions_params params = {
		.prefix = BYTES(l->prefix, l->prefix_len),
		.delimiter = l->delimiter,
		.key_marker = buf_bytes(&l->key_marker),
		.version_marker = buf_bytes(&l->version_marker),
		.max_keys = l->max,
	};

	s3_list_versions(l->client, &params, l->flags, page_in, l);
}

/* A page has come, or a probe's answer. A page of which nothing is left is not worth a callback. */
static void go_on(struct at_list *l)
{
	while (l->err.cls == S3_OK && l->probe_next < l->count && l->probes < PROBES_MAX) {
		size_t i = l->probe_next++;

		if (l->rows[i].is_prefix)
			probe(l, i);
	}
	if (l->probes)
		return;
	if (l->err.cls == S3_OK && !l->shown && l->truncated) {
		l->count = l->probe_next = 0;
		buf_cut(&l->text, 0);
		ask(l);
	} else {
		finish(l);
	}
}

static struct at_list *list_new(struct s3_client *c, const struct s3_list_params *params,
	unsigned flags, s3_list_fn *done, void *ctx)
{
	struct at_list *l = mem_zalloc(sizeof(*l));

	l->client = c;
	l->prefix = mem_dup(params->prefix.ptr, params->prefix.len);
	l->prefix_len = params->prefix.len;
	l->delimiter = params->delimiter;
	l->max = params->max_keys && params->max_keys < FEW_VERSIONS ? FEW_VERSIONS
								     : params->max_keys;
	l->flags = flags;
	l->done = done;
	l->ctx = ctx;
	l->key_marker = l->version_marker = l->settled = BUF_INIT(MARKER_MAX);
	l->text = BUF_INIT(TEXT_MAX_BYTES);
	if (params->token.ptr) {
		take_token(l, params->token);
	} else {
		buf_addb(&l->key_marker, params->start_after);
		l->jumped = true;
	}
	if (l->jumped)
		set(&l->settled, buf_bytes(&l->key_marker));
	return l;
}

void s3_at_list(struct s3_client *c, const struct s3_list_params *params, unsigned flags,
	s3_list_fn *done, void *ctx)
{
	ask(list_new(c, params, flags, done, ctx));
}

/* ---- one key ---- */

struct at_find {
	struct s3_client *client;
	char *key;
	size_t key_len;
	unsigned flags;
	s3_head_fn *head; /* or */
	s3_tags_fn *tags;
	void *ctx;
};

static void tell(const struct at_find *f, const struct s3_err *err)
{
	static const struct s3_object none;

	if (f->head)
		f->head(f->ctx, err, &none);
	else
		f->tags(f->ctx, err, NULL, 0);
}

static void found(void *ctx, const struct s3_err *err, const struct s3_list_page *page)
{
	struct at_find *f = ctx;
	struct bytes key = BYTES(f->key, f->key_len);
	struct s3_err absent = {0};

	s3_err_set(&absent, S3_NOT_FOUND, ENOENT, "NoSuchKey", "it was not there at that time");
	absent.http_status = 404;
	if (err->cls != S3_OK || !page->count)
		tell(f, err->cls != S3_OK ? err : &absent);
	else if (f->head)
		s3_head(f->client, key, page->entries[0].etag, f->flags, f->head, f->ctx);
	else
		s3_get_tags(f->client, key, page->entries[0].etag, f->flags, f->tags, f->ctx);
	free(f->key);
	free(f);
}

static struct at_find *find(struct s3_client *c, struct bytes key, unsigned flags, void *ctx)
{
	struct s3_list_params params = {.prefix = key, .max_keys = 1};
	struct at_find *f = mem_zalloc(sizeof(*f));
	struct at_list *l = list_new(c, &params, flags, found, f);

	f->client = c;
	f->key = mem_dup(key.ptr, key.len);
	f->key_len = key.len;
	f->flags = flags;
	f->ctx = ctx;
	l->exact = true;
	ask(l);
	return f;
}

void s3_at_head(struct s3_client *c, struct bytes key, unsigned flags, s3_head_fn *done, void *ctx)
{
	find(c, key, flags, ctx)->head = done;
}

void s3_at_tags(struct s3_client *c, struct bytes key, unsigned flags, s3_tags_fn *done, void *ctx)
{
	find(c, key, flags, ctx)->tags = done;
}
