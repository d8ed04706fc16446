/*
 * Listings of one directory, with a delimiter (ns_flat.c lists whole subtrees). Core thread; a
 * listing under way belongs to its directory.
 *
 * A first listing is read while it arrives; a repeated one is shown when it is complete, since a
 * name that was there before keeps its place among the inode numbers. A directory that does not end
 * after CHAIN_PAGES pages is listed on in parallel ranges (ns_ranges.c).
 */
#include <errno.h>
#include <stdlib.h>

#include "ns/ns_list.h"
#include "ns/ns_ranges.h"
#include "util/clk.h"
#include "util/log.h"
#include "util/mem.h"

#define CHAIN_PAGES 3
/* Pages in a row that show nothing new: S3 sends some that are empty, over what was removed. */
#define VAIN_PAGES_MAX 100

struct lister {
	struct node *dir; /* a reference */
	uint64_t start_seq;
	int64_t start_ms;
	char *prefix;
	size_t prefix_len;
	bool streaming; /* nothing was known before */
	bool marker_seen;
	bool spoiled;    /* a delete has failed meanwhile: what was skipped must be listed again */
	struct buf last; /* name of the last entry */
	bool in_chain;   /* no ranges: the server's order does not allow them */
	unsigned pages;
	unsigned vain_pages;
	struct ranges *ranges; /* or NULL */
};

bool dir_is_fresh(const struct node *dir, const struct ns_call *c)
{
	struct dir *d = dir->u.dir;
	const struct ns *ns = dir->volume->ns;
	int64_t now_ms = clk_mono_ms();

	if (!d->complete)
		return false;
	if ((double)(now_ms - d->listed_ms) <= dir->volume->config.metadata_ttl_s * 1000)
		return true;
	if (walk_known(ns, c) && d->snapshot_tgid == walk_tgid(ns, c) &&
		now_ms - d->snapshot_ms < SNAPSHOT_MS) {
		d->snapshot_ms = now_ms;
		return true;
	}
	return false;
}

void dir_doubtful(struct node *dir)
{
	dir->u.dir->changed_seq = ++dir->volume->ns->seq;
}

void dir_changed(struct node *dir)
{
	absent_forget(dir->volume->ns, dir);
	dir_doubtful(dir);
	dir->u.dir->complete = false;
	if (dir->u.dir->lister)
		dir->u.dir->lister->spoiled = true;
}

static void take_entry(struct lister *l, const struct s3_list_entry *e)
{
	struct said said = {l->start_seq, l->start_ms, l->start_ms, false};
	struct bytes component;

	if (!bytes_starts(e->key, BYTES(l->prefix, l->prefix_len)))
		return;
	component = BYTES(e->key.ptr + l->prefix_len, e->key.len - l->prefix_len);
	buf_cut(&l->last, 0);
	buf_addb(&l->last, component);
	if (!e->is_prefix && !component.len) {
		l->marker_seen = true;
		if (!e->size_bytes)
			return;
	}
	if (e->is_prefix && component.len)
		component.len--;
	merge_entry(l->dir, component, e, &said);
}

static void lister_end(struct lister *l, const struct s3_err *err)
{
	struct node *dir = l->dir;
	struct dir *d = dir->u.dir;

	d->lister = NULL;
	d->list_errnum = err->errnum;
	if (err->cls == S3_OK) {
		merge_vanished(dir, l->start_seq, l->start_ms);
		merge_marker(dir, l->marker_seen, l->start_seq);
		d->complete = !l->spoiled;
		d->listed_ms = l->start_ms;
	} else {
		d->complete = false; /* what was known is not shown in place of what S3 refuses */
	}
	ranges_free(l->ranges);
	buf_free(&l->last);
	free(l->prefix);
	free(l);
	/* What was hidden from the listing may come back with its end: who waits is to see that. */
	node_ref(dir);
	read_ends(dir);
	wake(&d->waiters);
	node_unref(dir);
}

static void page_in(void *ctx, const struct s3_err *err, const struct s3_list_page *page);

static void ask_page(struct lister *l, struct bytes token)
{
	struct s3_list_params params = {
		.prefix = BYTES(l->prefix, l->prefix_len),
		.delimiter = true,
		.token = token,
	};

	s3_list(l->dir->volume->client, &params, 0, page_in, l);
}

/* Readers of a first listing go on. */
static void stream(struct lister *l)
{
	if (!l->streaming)
		return;
	merge_stream(l->dir, buf_bytes(&l->last));
	wake(&l->dir->u.dir->waiters);
}

static void range_take(void *ctx, const struct s3_list_entry *e)
{
	take_entry(ctx, e);
}

static void range_moved(void *ctx)
{
	stream(ctx);
}

static void range_end(void *ctx, const struct s3_err *err)
{
	struct lister *l = ctx;

	if (strcmp(err->code, RANGES_UNORDERED) != 0) {
		lister_end(l, err);
		return;
	}
	ranges_free(l->ranges);
	l->ranges = NULL;
	l->in_chain = true;
	ask_page(l, BYTES_NONE);
}

/* Has this listing shown the entry before? */
static bool is_seen(const struct lister *l, const struct s3_list_entry *e)
{
	struct bytes component = BYTES(e->key.ptr + l->prefix_len, e->key.len - l->prefix_len);
	struct buf name = BUF_INIT(8192);
	const struct node *n;

	component.len -= e->is_prefix;
	name_encode(component, false, &name);
	n = node_live(l->dir, buf_bytes(&name));
	buf_free(&name);
	return n && n->checked_ms >= l->start_ms;
}

/* A listing that shows nothing new for long will not end: its pages go round in a circle. */
static bool goes_in_circles(struct lister *l, const struct s3_list_page *page)
{
	bool vain = !page->count ||
		    (is_seen(l, &page->entries[0]) && is_seen(l, &page->entries[page->count - 1]));

	l->vain_pages = vain ? l->vain_pages + 1 : 0;
	return l->vain_pages > VAIN_PAGES_MAX;
}

static void end_circle(struct lister *l)
{
	struct s3_err err = {.cls = S3_FAILED, .errnum = EIO};
	struct buf path = BUF_INIT(0);

	node_path(l->dir, &path);
	log_warn("the listing of %s does not end: %d pages in a row show nothing new",
		buf_str(&path), VAIN_PAGES_MAX);
	buf_free(&path);
	lister_end(l, &err);
}

/* A page that has a successor: true when that is the ranges' to ask for. */
static bool range_out(struct lister *l, const struct s3_list_page *page)
{
	const struct ranges_user user = {l, range_take, range_moved, range_end};

	if (l->in_chain)
		return false;
	if (!l->ranges)
		l->ranges =
			ranges_new(l->dir->volume->client, BYTES(l->prefix, l->prefix_len), &user);
	ranges_learn(l->ranges, page);
	return ++l->pages >= CHAIN_PAGES && ranges_possible(l->ranges);
}

static void page_in(void *ctx, const struct s3_err *err, const struct s3_list_page *page)
{
	struct lister *l = ctx;
	bool ranges;
	size_t i;

	if (err->cls != S3_OK) {
		lister_end(l, err);
		return;
	}
	if (page->truncated && goes_in_circles(l, page)) {
		end_circle(l);
		return;
	}
	ranges = page->truncated && range_out(l, page);
	/* The next page is fetched while this one is merged and read. */
	if (page->truncated && !ranges)
		ask_page(l, page->next_token);
	for (i = 0; i < page->count; i++)
		take_entry(l, &page->entries[i]);
	if (ranges)
		ranges_start(l->ranges, page->next_token);
	if (!page->truncated)
		lister_end(l, err);
	else
		stream(l);
}

void dir_list(struct node *dir)
{
	struct dir *d = dir->u.dir;
	struct buf key = BUF_INIT(0);
	struct lister *l;

	if (d->lister)
		return;
	l = mem_zalloc(sizeof(*l));
	l->dir = dir;
	l->start_seq = ++dir->volume->ns->seq;
	l->start_ms = clk_mono_ms();
	l->streaming = !d->kid_live;
	l->last = BUF_INIT(8192);
	d->stream_ino = 0;
	node_key(dir, &key);
	l->prefix_len = key.len;
	l->prefix = buf_take(&key);
	d->lister = l;
	d->list_errnum = 0;
	read_begins(dir);
	ask_page(l, BYTES_NONE);
}

bool dir_streams(const struct node *dir)
{
	const struct dir *d = dir->u.dir;

	return d->lister ? d->lister->streaming : d->flat && d->flat_streams;
}
