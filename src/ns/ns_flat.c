/*
 * Flat listings. A process that reads a directory and then one below it walks the tree depth first:
 * its subtree is then listed without a delimiter, a thousand keys a page however many directories
 * they are in, and the pages fill all directories on the way. The keys of one directory follow each
 * other in the order of a delimiter listing, so a directory is filled in the same order, and is
 * complete when a key behind it is seen.
 *
 * The directory where the process came from (`root`) was listed with a delimiter and is not filled.
 * The listing keeps LEAD_PAGES ahead of the reader and goes on as he opens directories. A directory
 * that is not the next one is jumped to, which costs what its own listing would cost. One whose end
 * is far, because of what is below it, gets a delimiter listing. A walk that prunes, so that pages
 * bring little of what it reads, gives up flat listing.
 *
 * No tombstones are kept for it (they would have to stay in all directories): a name that is not
 * known is not believed when a name of its directory has been forgotten since the page was asked
 * for.
 *
 * Core thread. A flat listing belongs to the name space; it holds references to root and the
 * directories on its path. Who reads what is in ns_ahead.c.
 */
#include <stdlib.h>

#include "ns/ns_flat.h"
#include "util/clk.h"
#include "util/mem.h"

#define LEAD_PAGES 2
/* For so many pages a directory is waited for, while little in them is its own. */
#define WAIT_PAGES 4
#define OWN_SHARE 4
/* Pages that may have been in vain before a walk is taken for one that prunes. */
#define VAIN_PAGES 8
#define PAGE_KEYS 1000

struct page_ask {
	struct flat *flat; /* NULL: the answer is not wanted any more */
	uint64_t start_seq;
	int64_t asked_ms;
};

static struct bytes frame_prefix(const struct flat *f, const struct frame *fr)
{
	return BYTES(f->path.ptr ? f->path.ptr : "", fr->prefix_len);
}

/* ---- what is waited for ---- */

/* What has come of the directory that is waited for can be read. */
static void stream(struct flat *f)
{
	struct buf key = BUF_INIT(0);

	node_key(f->want, &key);
	if (bytes_starts(buf_bytes(&f->pos), buf_bytes(&key)))
		merge_stream(f->want, BYTES(f->pos.ptr + key.len, f->pos.len - key.len));
	buf_free(&key);
}

static void want_end(struct flat *f)
{
	struct node *dir = f->want;

	if (!dir)
		return;
	f->want = NULL;
	dir->u.dir->flat = NULL;
	f->over = mem_resize(f->over, f->over_count + 1, sizeof(*f->over));
	f->over[f->over_count++] = dir;
}

/* The last thing that is done: who is woken may come back with calls that free the listing. */
void flat_wake_nodes(struct node **over, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		wake(&over[i]->u.dir->waiters);
		node_unref(over[i]);
	}
	free(over);
}

void flat_wake(struct flat *f)
{
	struct node **over = f->over;
	size_t count = f->over_count;

	if (f->want && f->want->u.dir->flat_streams) {
		stream(f);
		over = mem_resize(over, count + 1, sizeof(*over));
		over[count++] = node_ref(f->want);
	}
	f->over = NULL;
	f->over_count = 0;
	flat_wake_nodes(over, count);
}

void flat_await(struct flat *f, struct node *dir)
{
	if (f->want == dir)
		return;
	want_end(f);
	f->want = node_ref(dir);
	dir->u.dir->flat = f;
	dir->u.dir->list_errnum = 0;
	f->want_pages = f->want_own = 0;
}

void flat_served(struct flat *f, const struct dir *d, unsigned page)
{
	f->dirs++;
	f->saved += 1 + d->kid_live / PAGE_KEYS;
	if (f->read_page < page)
		f->read_page = page;
}

/* ---- the path ---- */

static struct frame *frame_push(struct flat *f, struct node *dir, size_t prefix_len)
{
	struct frame *fr;

	if (f->depth == f->room) {
		f->room = f->room ? f->room * 2 : 16;
		f->frames = mem_resize(f->frames, f->room, sizeof(*f->frames));
	}
	fr = &f->frames[f->depth++];
	*fr = (struct frame){.dir = dir ? node_ref(dir) : NULL, .prefix_len = prefix_len};
	return fr;
}

static void frame_fills(struct frame *fr, uint64_t start_seq, int64_t start_ms)
{
	struct dir *d = fr->dir->u.dir;

	fr->fills = true;
	fr->start_seq = start_seq;
	fr->start_ms = start_ms;
	d->flat_streams = !d->kid_live;
	d->stream_ino = 0;
}

/* All keys of the innermost directory have been seen, if it `passed`. */
static void frame_pop(struct flat *f, bool passed)
{
	struct frame fr = f->frames[--f->depth];
	struct dir *d;

	if (f->depth)
		buf_cut(&f->path, f->frames[f->depth - 1].prefix_len);
	if (!fr.dir)
		return;
	d = fr.dir->u.dir;
	if (fr.fills)
		d->flat_streams = false;
	if (passed && fr.fills && fr.dir->live && d->changed_seq <= fr.start_seq && !d->lister) {
		merge_vanished(fr.dir, fr.start_seq, fr.start_ms);
		merge_marker(fr.dir, fr.marker, fr.start_seq);
		d->complete = true;
		d->listed_ms = fr.start_ms;
		d->ahead_tgid = f->want == fr.dir ? 0 : f->tgid;
		d->ahead_page = f->pages;
		if (f->want == fr.dir)
			flat_served(f, d, f->pages);
	}
	if (f->want == fr.dir)
		want_end(f);
	node_unref(fr.dir);
}

/* Where a listing of `dir` may begin: before its marker, behind nearly all that comes before. */
static void before_dir(struct bytes key, struct buf *out)
{
	buf_cut(out, 0);
	buf_add(out, key.ptr, key.len - 1);
	buf_adds(out, ".~");
}

struct frame *flat_frame(struct flat *f, const struct node *dir)
{
	size_t i;

	for (i = 0; i < f->depth; i++)
		if (f->frames[i].dir == dir)
			return &f->frames[i];
	return NULL;
}

/* The frames from root to `dir`'s parent; they have been passed in part and are not filled. */
static void push_path(struct flat *f, struct node *dir)
{
	struct frame *fr;

	if (dir != f->root)
		push_path(f, dir->parent);
	buf_cut(&f->path, 0);
	node_key(dir, &f->path);
	fr = frame_push(f, dir, f->path.len);
	fr->fills = false;
	dir->u.dir->flat_streams = false;
}

/* ---- pages ---- */

static void page_in(void *ctx, const struct s3_err *err, const struct s3_list_page *page);

static void ask(struct flat *f, struct bytes start_after)
{
	struct s3_list_params params = {
		.prefix = BYTES(f->path.ptr ? f->path.ptr : "", f->root_len),
	};

	if (start_after.ptr)
		params.start_after = start_after;
	else
		params.token = buf_bytes(&f->token);
	f->ask = mem_zalloc(sizeof(*f->ask));
	f->ask->flat = f;
	f->ask->start_seq = ++f->ns->seq;
	f->ask->asked_ms = clk_mono_ms();
	s3_list(f->root->volume->client, &params, 0, page_in, f->ask);
}

static void ask_drop(struct flat *f)
{
	if (f->ask)
		f->ask->flat = NULL;
	f->ask = NULL;
}

/* The listing goes on with `dir`, wherever it was. */
void flat_jump(struct flat *f, struct node *dir)
{
	struct buf start = BUF_INIT(POS_MAX);

	ask_drop(f);
	while (f->depth)
		frame_pop(f, false);
	f->ended = false;
	flat_await(f, dir);
	push_path(f, dir);
	buf_cut(&f->pos, 0);
	buf_addb(&f->pos, buf_bytes(&f->path));
	before_dir(buf_bytes(&f->path), &start);
	ask(f, buf_bytes(&start));
	frame_fills(&f->frames[f->depth - 1], f->ask->start_seq, f->ask->asked_ms);
	buf_free(&start);
}

/* The directory `component` of the innermost one begins. */
static void enter(struct flat *f, struct bytes component, const struct page_ask *ask)
{
	struct frame *up = &f->frames[f->depth - 1], *fr;
	struct said said = {ask->start_seq, ask->asked_ms, up->start_ms, true};
	struct s3_list_entry e = {.is_prefix = true};
	struct buf name = BUF_INIT(8192);
	struct node *n = NULL;

	name_encode(component, false, &name);
	if (up->dir && up->fills)
		merge_entry(up->dir, component, &e, &said);
	if (up->dir)
		n = node_live(up->dir, buf_bytes(&name));
	buf_free(&name);
	if (n && (n->kind != NODE_DIR || n->unsent || n->change_seq > ask->start_seq))
		n = NULL;
	buf_addb(&f->path, component);
	buf_addc(&f->path, '/');
	fr = frame_push(f, n, f->path.len);
	if (n && !n->u.dir->lister)
		frame_fills(fr, ask->start_seq, ask->asked_ms);
}

static void take_key(struct flat *f, const struct s3_list_entry *e, const struct page_ask *ask)
{
	struct frame *fr;
	struct said said;
	struct bytes rest;
	const char *slash;

	while (f->depth > 1 && !bytes_starts(e->key, frame_prefix(f, &f->frames[f->depth - 1])))
		frame_pop(f, true);
	for (;;) {
		fr = &f->frames[f->depth - 1];
		rest = BYTES(e->key.ptr + fr->prefix_len, e->key.len - fr->prefix_len);
		slash = rest.len ? memchr(rest.ptr, '/', rest.len) : NULL;
		if (!slash)
			break;
		enter(f, BYTES(rest.ptr, (size_t)(slash - rest.ptr)), ask);
	}
	if (!rest.len)
		fr->marker = true;
	if (!fr->dir || !fr->fills || (!rest.len && !e->size_bytes))
		return;
	said = (struct said){ask->start_seq, ask->asked_ms, fr->start_ms, true};
	merge_entry(fr->dir, rest, e, &said);
	if (fr->dir == f->want)
		f->want_own++;
}

/* Directories on the path that were moved, made anew or listed otherwise are left alone. */
static void check_path(struct flat *f, const struct page_ask *ask)
{
	size_t i;

	for (i = 1; i < f->depth; i++) {
		struct frame *fr = &f->frames[i];

		if (!fr->dir)
			continue;
		if (fr->dir->u.dir->lister)
			fr->fills = fr->dir->u.dir->flat_streams = false;
		if (fr->dir->live && fr->dir->change_seq <= ask->start_seq && f->frames[i - 1].dir)
			continue;
		fr->dir->u.dir->flat_streams = false;
		if (f->want == fr->dir)
			want_end(f);
		node_unref(fr->dir);
		fr->dir = NULL;
	}
}

bool flat_root_moved(struct flat *f)
{
	struct buf key = BUF_INIT(0);
	bool same;

	node_key(f->root, &key);
	same = f->root->live &&
	       bytes_equal(buf_bytes(&key), BYTES(f->path.ptr ? f->path.ptr : "", f->root_len));
	buf_free(&key);
	return !same;
}

void flat_give_up(struct flat *f)
{
	f->given_up = true;
	ask_drop(f);
	while (f->depth)
		frame_pop(f, false);
	want_end(f);
}

/* The keys up to the wanted directory's end may be many more: is it worth waiting for them? */
static bool want_is_far(const struct flat *f)
{
	return f->want_pages >= WAIT_PAGES && f->want_own < f->want_pages * (PAGE_KEYS / OWN_SHARE);
}

static void list_want(struct flat *f)
{
	struct node *dir = node_ref(f->want);
	struct frame *fr = flat_frame(f, dir);

	if (fr)
		fr->fills = false;
	dir->u.dir->flat_streams = false;
	dir_list(dir);
	want_end(f);
	node_unref(dir);
}

static bool pages_in_vain(const struct flat *f)
{
	return f->pages > VAIN_PAGES + 2 * f->saved;
}

/* A page has come, or a directory was opened: what next? */
void flat_go_on(struct flat *f)
{
	const struct frame *fr;

	if (f->ask || f->given_up)
		return;
	if (f->want) {
		fr = flat_frame(f, f->want);
		if (!fr && !f->ended)
			flat_jump(f, f->want);
		else if (f->ended || !fr->fills || want_is_far(f))
			list_want(f);
		else
			ask(f, BYTES_NONE);
	} else if (!f->ended && f->dirs > 1 && f->pages < f->read_page + LEAD_PAGES) {
		ask(f, BYTES_NONE);
	}
}

static void page_merge(struct flat *f, const struct page_ask *ask, const struct s3_list_page *page)
{
	size_t i;

	check_path(f, ask);
	for (i = 0; i < page->count; i++) {
		const struct s3_list_entry *e = &page->entries[i];

		if (!bytes_starts(e->key, frame_prefix(f, &f->frames[0])) ||
			bytes_cmp(e->key, buf_bytes(&f->pos)) < 0)
			continue;
		if (e->key.len >= POS_MAX) {
			flat_give_up(f);
			return;
		}
		take_key(f, e, ask);
		if (i + 1 == page->count) {
			buf_cut(&f->pos, 0);
			buf_addb(&f->pos, e->key);
		}
	}
	buf_cut(&f->token, 0);
	if (page->truncated) {
		buf_addb(&f->token, page->next_token);
		return;
	}
	f->ended = true;
	while (f->depth > 1)
		frame_pop(f, true);
}

static void page_in(void *ctx, const struct s3_err *err, const struct s3_list_page *page)
{
	struct page_ask *a = ctx;
	struct flat *f = a->flat;

	if (!f) {
		free(a);
		return;
	}
	f->ask = NULL;
	f->pages++;
	f->want_pages++;
	if (err->cls != S3_OK || flat_root_moved(f)) {
		free(a);
		flat_give_up(f);
		flat_wake(f);
		return;
	}
	page_merge(f, a, page);
	free(a);
	if (pages_in_vain(f))
		flat_give_up(f);
	flat_go_on(f);
	flat_wake(f);
}
