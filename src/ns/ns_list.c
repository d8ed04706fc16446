/*
 * Listings of one directory, with a delimiter (ns_flat.c lists whole subtrees). Core thread; a listing
 * under way belongs to its directory.
 *
 * A first listing is read while it arrives; a repeated one is shown when it is complete, since a name
 * that was there before keeps its place among the inode numbers.
 */
#include <stdlib.h>

#include "ns/ns_list.h"
#include "util/clk.h"
#include "util/mem.h"

struct lister {
	struct node *dir; /* a reference */
	uint64_t start_seq;
	int64_t start_ms;
	char *prefix;
	size_t prefix_len;
	bool streaming; /* nothing was known before */
	bool marker_seen;
	bool spoiled; /* a delete has failed meanwhile: what was skipped must be listed again */
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
		d->marker = l->marker_seen ? MARKER_YES : MARKER_NO;
		d->complete = !l->spoiled;
		d->listed_ms = l->start_ms;
	}
	free(l->prefix);
	free(l);
	wake(&d->waiters);
	read_ends(dir);
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

static void page_in(void *ctx, const struct s3_err *err, const struct s3_list_page *page)
{
	struct lister *l = ctx;
	struct dir *d = l->dir->u.dir;
	size_t i;

	if (err->cls != S3_OK) {
		lister_end(l, err);
		return;
	}
	/* The next page is fetched while this one is merged and read. */
	if (page->truncated)
		ask_page(l, page->next_token);
	for (i = 0; i < page->count; i++)
		take_entry(l, &page->entries[i]);
	if (!page->truncated)
		lister_end(l, err);
	else if (l->streaming)
		wake(&d->waiters);
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
