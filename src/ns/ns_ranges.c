/*
 * Listing a very large directory in parallel ranges. A page names its successor only when it is
 * there, so a chain of pages costs a round trip each. The keys not seen yet are split at guessed
 * names (ns_split.c): each range is a chain of its own, begun with start-after and ended by its
 * first key behind the range. A guess may be wrong, then a page is lost; when too many are, nothing
 * is split any more. Guessed names have no '/', so a common prefix is in one range only.
 *
 * Entries of the first range are handed out as they come, those of later ones are kept until it is
 * their turn. So it is what comes next that is split, and listed in parallel: some AHEAD_KEYS keys,
 * as they are guessed to be spread. Once KEPT_MAX_BYTES are kept only the first range goes on.
 *
 * Core thread. Requests under way hold a struct range_ask, whose range is NULL once it is gone.
 */
#include "ns/ns_ranges.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "util/buf.h"
#include "util/mem.h"

#define FLIGHTS_START 4
#define FLIGHTS_MAX 32
#define KEPT_MAX_BYTES ((size_t)24 << 20)
#define KEY_MAX 4096
#define PAGE_KEYS 1000
/* A range with fewer keys to come is not split: half a page is lost at the end of each. */
#define SPLIT_KEYS 8000.0
#define SPLIT_KEYS_NEAR_END 4000.0
#define AHEAD_KEYS (FLIGHTS_MAX * SPLIT_KEYS)
/* Places in pages that may be lost to wrong guesses: as many as there are keys, up to LOST_MAX, and
 * of more keys this share. */
#define LOST_MAX (16 * PAGE_KEYS)
#define LOST_SHARE 5

struct packed {
	uint64_t size_bytes;
	int64_t mtime_ms;
	uint16_t key_len, etag_len, class_len;
	bool is_prefix, archived;
};

/* What a page brought for a range whose turn has not come. */
struct chunk {
	STAILQ_ENTRY(chunk) link;
	size_t len;
	unsigned count;
	char data[];
};

struct range_ask {
	struct range *range;
};

struct range {
	TAILQ_ENTRY(range) link;
	struct ranges *all;
	struct buf start, end; /* names: behind start, up to and with end; end.ptr NULL: no end */
	struct buf last;       /* the last key seen */
	struct buf token;
	struct range_ask *ask;
	STAILQ_HEAD(, chunk) kept;
	uint64_t keys;
	double expected; /* how many keys, before the first are there */
	size_t kept_keys;
	bool begun, done;
};

struct ranges {
	struct s3_client *client;
	struct ranges_user user;
	char *prefix;
	size_t prefix_len;
	struct alphabet alphabet;
	struct buf first, last; /* of what the owner has taken */
	struct buf scratch;
	TAILQ_HEAD(, range) list;
	unsigned flights, flights_max;
	size_t kept_bytes;
	uint64_t keys, lost;
	bool unordered; /* keys came that a listing in order would not have brought */
	bool taken;
};

static void set(struct buf *b, struct bytes s)
{
	buf_cut(b, 0);
	buf_addb(b, s);
}

/* ptr NULL when there is none. */
static struct bytes bound(const struct buf *b)
{
	return BYTES(b->ptr, b->len);
}

struct ranges *ranges_new(
	struct s3_client *client, struct bytes prefix, const struct ranges_user *user)
{
	struct ranges *r = mem_zalloc(sizeof(*r));

	r->client = client;
	r->user = *user;
	r->prefix = mem_dup(prefix.ptr, prefix.len);
	r->prefix_len = prefix.len;
	r->flights_max = FLIGHTS_START;
	r->first = r->last = BUF_INIT(KEY_MAX);
	r->scratch = BUF_INIT(2 * KEY_MAX);
	buf_addb(&r->scratch, prefix);
	TAILQ_INIT(&r->list);
	return r;
}

/* The name below the directory, with the final '/' of a prefix; false for what is not below it. */
static bool name_of(const struct ranges *r, const struct s3_list_entry *e, struct bytes *name)
{
	if (!bytes_starts(e->key, BYTES(r->prefix, r->prefix_len)))
		return false;
	*name = BYTES(e->key.ptr + r->prefix_len, e->key.len - r->prefix_len);
	return true;
}

void ranges_learn(struct ranges *r, const struct s3_list_page *page)
{
	struct bytes name;
	size_t i;

	for (i = 0; i < page->count; i++) {
		if (!name_of(r, &page->entries[i], &name))
			continue;
		alphabet_learn(&r->alphabet, name);
		if (!r->first.len && name.len)
			set(&r->first, name);
		if (!i && r->last.len && bytes_cmp(name, buf_bytes(&r->last)) <= 0)
			r->unordered = true;
		if (i + 1 == page->count)
			set(&r->last, name);
	}
	r->keys += page->count;
}

bool ranges_possible(const struct ranges *r)
{
	return !r->unordered && r->first.len && !r->first.failed && !r->last.failed;
}

/* ---- what is kept ---- */

static void add(char **to, const void *from, size_t len)
{
	memcpy(*to, from, len);
	*to += len;
}

static void keep(struct range *g, const struct s3_list_entry *entries, size_t count)
{
	struct ranges *r = g->all;
	struct chunk *k;
	size_t i, len = 0;
	char *to;

	for (i = 0; i < count; i++)
		len += sizeof(struct packed) + entries[i].key.len - r->prefix_len +
		       entries[i].etag.len + entries[i].storage_class.len;
	k = mem_zalloc(sizeof(*k) + len);
	k->len = len;
	k->count = (unsigned)count;
	to = k->data;
	for (i = 0; i < count; i++) {
		const struct s3_list_entry *e = &entries[i];
		struct packed p = {
			.size_bytes = e->size_bytes,
			.mtime_ms = e->mtime_ms,
			.key_len = (uint16_t)(e->key.len - r->prefix_len),
			.etag_len = (uint16_t)e->etag.len,
			.class_len = (uint16_t)e->storage_class.len,
			.is_prefix = e->is_prefix,
			.archived = e->archived,
		};

		add(&to, &p, sizeof(p));
		add(&to, e->key.ptr + r->prefix_len, p.key_len);
		add(&to, e->etag.ptr ? e->etag.ptr : "", p.etag_len);
		add(&to, e->storage_class.ptr ? e->storage_class.ptr : "", p.class_len);
	}
	STAILQ_INSERT_TAIL(&g->kept, k, link);
	g->kept_keys += count;
	r->kept_bytes += len;
}

static void hand_out(struct ranges *r, struct chunk *k)
{
	const char *from = k->data;
	unsigned i;

	for (i = 0; i < k->count; i++) {
		struct s3_list_entry e = {0};
		struct packed p;

		memcpy(&p, from, sizeof(p));
		from += sizeof(p);
		buf_cut(&r->scratch, r->prefix_len);
		buf_add(&r->scratch, from, p.key_len);
		e.key = buf_bytes(&r->scratch);
		e.etag = BYTES(from + p.key_len, p.etag_len);
		e.storage_class = BYTES(from + p.key_len + p.etag_len, p.class_len);
		from += (size_t)p.key_len + p.etag_len + p.class_len;
		e.size_bytes = p.size_bytes;
		e.mtime_ms = p.mtime_ms;
		e.is_prefix = p.is_prefix;
		e.archived = p.archived;
		r->user.take(r->user.ctx, &e);
		r->taken = true;
	}
}

static void drop_first_chunk(struct range *g)
{
	struct chunk *k = STAILQ_FIRST(&g->kept);

	STAILQ_REMOVE_HEAD(&g->kept, link);
	g->kept_keys -= k->count;
	g->all->kept_bytes -= k->len;
	free(k);
}

/* ---- ranges ---- */

static struct range *range_new(struct ranges *r, struct bytes start)
{
	struct range *g = mem_zalloc(sizeof(*g));

	g->all = r;
	g->start = g->end = g->last = g->token = BUF_INIT(KEY_MAX);
	set(&g->start, start);
	set(&g->last, start);
	STAILQ_INIT(&g->kept);
	return g;
}

static void range_free(struct range *g)
{
	if (g->ask) {
		g->ask->range = NULL;
		g->all->flights--;
	}
	while (!STAILQ_EMPTY(&g->kept))
		drop_first_chunk(g);
	TAILQ_REMOVE(&g->all->list, g, link);
	buf_free(&g->start);
	buf_free(&g->end);
	buf_free(&g->last);
	buf_free(&g->token);
	free(g);
}

void ranges_free(struct ranges *r)
{
	if (!r)
		return;
	while (!TAILQ_EMPTY(&r->list))
		range_free(TAILQ_FIRST(&r->list));
	buf_free(&r->first);
	buf_free(&r->last);
	buf_free(&r->scratch);
	free(r->prefix);
	free(r);
}

static void page_in(void *ctx, const struct s3_err *err, const struct s3_list_page *page);

static void ask(struct range *g)
{
	struct ranges *r = g->all;
	struct buf key = BUF_INIT(2 * KEY_MAX);
	struct s3_list_params params = {
		.prefix = BYTES(r->prefix, r->prefix_len),
		.delimiter = true,
	};

	if (g->token.len) {
		params.token = buf_bytes(&g->token);
	} else {
		buf_addb(&key, params.prefix);
		buf_addb(&key, buf_bytes(&g->start));
		params.start_after = buf_bytes(&key);
	}
	g->ask = mem_zalloc(sizeof(*g->ask));
	g->ask->range = g;
	r->flights++;
	s3_list(r->client, &params, 0, page_in, g->ask);
	buf_free(&key);
}

static void finish(struct ranges *r, const struct s3_err *err)
{
	struct ranges_user user = r->user;

	user.end(user.ctx, err);
}

static double keys_to_come(const struct range *g)
{
	if (g->done)
		return 0;
	if (!g->begun)
		return g->expected;
	return (double)g->keys * split_rest(&g->all->alphabet, buf_bytes(&g->start),
					 buf_bytes(&g->last), bound(&g->end));
}

/*
 * The range to split: the largest of those that are to be listed now. NULL: they are enough, or
 * none is large enough.
 */
static struct range *to_split(struct ranges *r)
{
	struct range *g, *best = NULL;
	double most = 0, come, ahead = 0;
	unsigned count = 0;

	TAILQ_FOREACH(g, &r->list, link)
	{
		come = keys_to_come(g);
		if (come > most && (g->begun || !g->ask)) {
			best = g;
			most = come;
		}
		count += !g->done;
		ahead += come + (double)g->kept_keys;
		if (ahead > AHEAD_KEYS)
			break;
	}
	if (most < (ahead < AHEAD_KEYS / 2 ? SPLIT_KEYS_NEAR_END : SPLIT_KEYS))
		return NULL;
	return count < r->flights_max ? best : NULL;
}

static bool split(struct ranges *r)
{
	struct range *g = to_split(r), *h;
	char middle[SPLIT_MAX];
	size_t len;

	if (!g || !split_middle(&r->alphabet, buf_bytes(&g->last), bound(&g->end), middle, &len))
		return false;
	h = range_new(r, BYTES(middle, len));
	h->expected = keys_to_come(g) / 2;
	g->expected = h->expected;
	if (g->end.ptr)
		set(&h->end, buf_bytes(&g->end));
	set(&g->end, BYTES(middle, len));
	TAILQ_INSERT_AFTER(&r->list, g, h, link);
	return true;
}

static bool may_split(const struct ranges *r)
{
	uint64_t may_lose = r->keys < LOST_MAX ? r->keys : LOST_MAX;

	return !r->unordered && r->flights < r->flights_max && r->kept_bytes < KEPT_MAX_BYTES &&
	       r->lost < may_lose + r->keys / LOST_SHARE;
}

/* Those whose turn comes next; without too much being kept, the others, too. */
static void ask_all(struct ranges *r)
{
	struct range *g;
	double ahead = 0;

	TAILQ_FOREACH(g, &r->list, link)
	{
		bool first = g == TAILQ_FIRST(&r->list);

		if (!first && (r->flights >= r->flights_max || r->kept_bytes >= KEPT_MAX_BYTES ||
				      (ahead > AHEAD_KEYS && r->kept_bytes > KEPT_MAX_BYTES / 4)))
			break;
		ahead += keys_to_come(g) + (double)g->kept_keys;
		if (!g->ask && !g->done)
			ask(g);
	}
}

/* Hands out what is first in order. False when all is done, and `r` is gone. */
static bool drain(struct ranges *r)
{
	static const struct s3_err none;
	struct range *g;

	while ((g = TAILQ_FIRST(&r->list))) {
		while (!STAILQ_EMPTY(&g->kept)) {
			hand_out(r, STAILQ_FIRST(&g->kept));
			drop_first_chunk(g);
		}
		if (!g->done)
			return true;
		range_free(g);
	}
	finish(r, &none);
	return false;
}

static void go_on(struct ranges *r)
{
	if (!drain(r))
		return;
	while (may_split(r) && split(r)) {
	}
	ask_all(r);
	if (r->taken) {
		r->taken = false;
		r->user.moved(r->user.ctx);
	}
}

/* What is behind the range is listed by nobody yet: it is the range's again. */
static bool absorb_next(struct range *g)
{
	struct range *h = TAILQ_NEXT(g, link);

	if (!h || h->begun || h->ask || h->done)
		return false;
	buf_free(&g->end);
	g->end = h->end;
	h->end = BUF_INIT(0);
	range_free(h);
	return true;
}

/* A page has gone from the range to `name`, or (ptr NULL) to the end: nothing is between. */
static void pass_empty(struct range *g, struct bytes name)
{
	while ((g = TAILQ_NEXT(g, link)) && !g->begun) {
		if (name.ptr && (!g->end.ptr || bytes_cmp(name, buf_bytes(&g->end)) <= 0))
			break;
		g->done = true;
	}
}

/* The page's entries that are the range's: from *first on, returns how many. */
static size_t own_entries(struct range *g, const struct s3_list_page *page, size_t *first)
{
	struct ranges *r = g->all;
	struct bytes name;
	size_t i, end = page->count;

	*first = 0;
	for (i = 0; i < end; i++) {
		if (!name_of(r, &page->entries[i], &name) ||
			bytes_cmp(name, buf_bytes(&g->last)) <= 0) {
			/* This server's start-after, or its order, is not what it should be. */
			r->unordered = true;
			*first = i + 1;
			continue;
		}
		while (g->end.ptr && bytes_cmp(name, buf_bytes(&g->end)) > 0 && absorb_next(g)) {
		}
		if (g->end.ptr && bytes_cmp(name, buf_bytes(&g->end)) > 0) {
			g->done = true;
			pass_empty(g, name);
			break;
		}
		alphabet_learn(&r->alphabet, name);
	}
	return i - *first;
}

static void page_take(struct range *g, const struct s3_list_page *page)
{
	struct ranges *r = g->all;
	size_t first, i, count = own_entries(g, page, &first);
	struct bytes name;

	g->begun = true;
	g->keys += count;
	r->keys += count;
	r->lost += count ? page->count - count : PAGE_KEYS;
	if (page->truncated)
		set(&g->token, page->next_token);
	else if (!g->done)
		pass_empty(g, BYTES_NONE);
	g->done |= !page->truncated;
	if (!count)
		return;
	if (name_of(r, &page->entries[first + count - 1], &name))
		set(&g->last, name);
	if (g != TAILQ_FIRST(&r->list)) {
		keep(g, page->entries + first, count);
		return;
	}
	for (i = first; i < first + count; i++)
		r->user.take(r->user.ctx, &page->entries[i]);
	r->taken = true;
}

/* Nothing but the order of pages says which key is where: the owner has to begin again. */
static void disorder(struct ranges *r)
{
	struct s3_err err = {.cls = S3_FAILED, .errnum = EIO};

	snprintf(err.code, sizeof(err.code), RANGES_UNORDERED);
	snprintf(err.message, sizeof(err.message), "the listing is not in the order of its keys");
	finish(r, &err);
}

static void page_in(void *ctx, const struct s3_err *err, const struct s3_list_page *page)
{
	struct range_ask *a = ctx;
	struct range *g = a->range;
	struct ranges *r;

	free(a);
	if (!g)
		return;
	r = g->all;
	g->ask = NULL;
	r->flights--;
	if (err->cls != S3_OK) {
		finish(r, err);
		return;
	}
	page_take(g, page);
	if (r->unordered) {
		disorder(r);
		return;
	}
	if (r->flights_max < FLIGHTS_MAX)
		r->flights_max++;
	go_on(r);
}

void ranges_start(struct ranges *r, struct bytes token)
{
	struct range *g = range_new(r, buf_bytes(&r->first));

	set(&g->last, buf_bytes(&r->last));
	set(&g->token, token);
	g->keys = r->keys;
	g->begun = true;
	TAILQ_INSERT_HEAD(&r->list, g, link);
	go_on(r);
}
