/*
 * Listings of directories and probes of single names. What S3 says is merged into the nodes unless a
 * name was changed here after the listing or probe began: then S3's word is older than ours.
 *
 * A first listing is read while it arrives; a repeated one is shown when it is complete, since a name
 * that was there before keeps its place among the inode numbers.
 */
#include <errno.h>
#include <stdlib.h>

#include "ns/ns_int.h"
#include "util/clk.h"
#include "util/mem.h"

/* For so long after its last use a listing stays as it was to the process that asked for it. */
#define SNAPSHOT_MS 60000

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

static void read_begins(struct node *dir)
{
	node_ref(dir);
	dir->u.dir->readers++;
}

static void read_ends(struct node *dir)
{
	dir->u.dir->readers--;
	tombs_purge(dir);
	node_unref(dir);
}

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

void dir_changed(struct node *dir)
{
	absent_forget(dir->volume->ns, dir);
	dir->u.dir->complete = false;
	if (dir->u.dir->lister)
		dir->u.dir->lister->spoiled = true;
}

/* May S3's word about this name replace ours? */
static bool ours_is_newer(const struct node *n, uint64_t start_seq)
{
	return n->pending || n->change_seq > start_seq ||
		(n->kind == NODE_FILE && node_has_writer(n)) ||
		(n->kind == NODE_DIR && (n->unsent || n->u.dir->pending));
}

static void file_set(struct node *n, uint64_t size_bytes, int64_t mtime_ms, struct bytes etag,
	uint8_t cls, bool archived, int64_t checked_ms)
{
	struct etag old = n->etag;

	n->etag = (struct etag){0};
	etag_set(&n->etag, etag);
	if (!etag_equal(&old, &n->etag))
		n->pages_good = false;
	etag_free(&old);
	n->size_bytes = size_bytes;
	n->mtime_ms = mtime_ms;
	n->class_id = cls;
	n->archived = archived;
	n->checked_ms = checked_ms;
}

/* S3 knows no time of a directory: it is as old as the mount. */
static void dir_set(struct node *n, int64_t checked_ms)
{
	if (!n->mtime_ms)
		n->mtime_ms = n->volume->root->mtime_ms;
	n->checked_ms = checked_ms;
}

/* The live node of that name and kind, made if need be; NULL when ours is newer. */
static struct node *merge(struct node *dir, struct bytes name, enum node_kind kind,
	uint64_t start_seq)
{
	struct node *n = node_find(dir, name);

	if (n && (n->kind == NODE_TOMB || ours_is_newer(n, start_seq)))
		return NULL;
	if (n && n->kind != kind) {
		node_remove(n);
		n = NULL;
	}
	return n ? n : node_add(dir, name, kind);
}

/* An object and a directory of one name: the object is shown under its escaped name. */
static void move_aside(struct lister *l, struct node *file, struct bytes component)
{
	struct buf name = BUF_INIT(8192);
	struct node *n;

	name_encode(component, true, &name);
	n = merge(l->dir, buf_bytes(&name), NODE_FILE, l->start_seq);
	if (n) {
		n->size_bytes = file->size_bytes;
		n->mtime_ms = file->mtime_ms;
		n->class_id = file->class_id;
		n->archived = file->archived;
		n->checked_ms = file->checked_ms;
		etag_copy(&n->etag, &file->etag);
	}
	buf_free(&name);
}

static void merge_entry(struct lister *l, const struct s3_list_entry *e)
{
	struct bytes component = BYTES(e->key.ptr + l->prefix_len, e->key.len - l->prefix_len);
	struct buf name = BUF_INIT(8192);
	struct node *n;

	if (!e->is_prefix && !component.len) {
		l->marker_seen = true;
		if (!e->size_bytes)
			return;
	}
	if (e->is_prefix && component.len)
		component.len--;
	name_encode(component, false, &name);
	n = node_live(l->dir, buf_bytes(&name));
	if (e->is_prefix && n && n->kind == NODE_FILE && n->checked_ms == l->start_ms)
		move_aside(l, n, component);
	if (!e->is_prefix && n && n->kind == NODE_DIR && !ours_is_newer(n, l->start_seq)) {
		buf_cut(&name, 0);
		name_encode(component, true, &name);
	}
	n = merge(l->dir, buf_bytes(&name), e->is_prefix ? NODE_DIR : NODE_FILE, l->start_seq);
	if (n && e->is_prefix)
		dir_set(n, l->start_ms);
	else if (n)
		file_set(n, e->size_bytes, e->mtime_ms, e->etag,
			class_id(n->volume->ns, e->storage_class), e->archived, l->start_ms);
	if (n)
		n->unvisited = true;
	buf_free(&name);
}

/* What was known before and was not listed has been removed by somebody else. */
static void drop_vanished(struct lister *l)
{
	struct dir *d = l->dir->u.dir;
	size_t i;

	for (i = 0; i < d->kid_count; i++) {
		struct node *n = d->kids[i];

		if (!n || n->checked_ms >= l->start_ms || ours_is_newer(n, l->start_seq))
			continue;
		node_remove(n);
	}
}

static void lister_end(struct lister *l, const struct s3_err *err)
{
	struct node *dir = l->dir;
	struct dir *d = dir->u.dir;

	d->lister = NULL;
	d->list_errnum = err->errnum;
	if (err->cls == S3_OK) {
		drop_vanished(l);
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
		if (bytes_starts(page->entries[i].key, BYTES(l->prefix, l->prefix_len)))
			merge_entry(l, &page->entries[i]);
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
	return dir->u.dir->lister && dir->u.dir->lister->streaming;
}

/* ---- one name ---- */

static void probe_free(struct probe *p)
{
	etag_free(&p->etag);
	free(p->name);
	free(p);
}

static void probe_answered(struct probe *p, const struct s3_err *err)
{
	struct node *parent = p->parent;

	if (err->cls != S3_OK && err->cls != S3_NOT_FOUND && p->err.cls == S3_OK)
		p->err = *err;
	/* A bucket that is not there is not a name that is not there (contract C10). */
	if (err->cls == S3_NOT_FOUND && !strcmp(err->code, "NoSuchBucket")) {
		p->err = *err;
		p->err.errnum = EIO;
	}
	if (--p->left)
		return;
	if (TAILQ_EMPTY(&p->waiters)) {
		probe_free(p);
		read_ends(parent);
		return;
	}
	wake(&p->waiters); /* ends in probe_take */
}

static void probe_headed(void *ctx, const struct s3_err *err, const struct s3_object *o)
{
	struct probe *p = ctx;

	if (err->cls == S3_OK) {
		p->is_file = true;
		p->size_bytes = o->size_bytes;
		p->mtime_ms = o->mtime_ms;
		etag_set(&p->etag, o->etag);
		if (o->storage_class)
			p->class_id = class_id(p->parent->volume->ns, BYTES_STR(o->storage_class));
	}
	probe_answered(p, err);
}

static void probe_listed(void *ctx, const struct s3_err *err, const struct s3_list_page *page)
{
	struct probe *p = ctx;

	if (err->cls == S3_OK && page->count)
		p->is_dir = true;
	probe_answered(p, err);
}

void probe_name(struct ns_call *c, struct node *parent, struct bytes name,
	void (*then)(struct ns_call *))
{
	struct s3_client *client = parent->volume->client;
	bool object_only = bytes_starts(name, BYTES_LIT("%="));
	struct s3_list_params params = {.max_keys = 1};
	struct buf key = BUF_INIT(0);
	struct probe *p = mem_zalloc(sizeof(*p));

	p->parent = parent;
	p->name = mem_dup(name.ptr, name.len);
	p->start_seq = ++parent->volume->ns->seq;
	TAILQ_INIT(&p->waiters);
	c->work = p;
	read_begins(parent);
	node_child_key(parent, name, &key);
	park(c, &p->waiters, then);
	p->left = object_only ? 1 : 2;
	s3_head(client, buf_bytes(&key), 0, probe_headed, p);
	if (!object_only) {
		buf_addc(&key, '/');
		params.prefix = buf_bytes(&key);
		s3_list(client, &params, 0, probe_listed, p);
	}
	buf_free(&key);
}

static void probe_merge(struct probe *p)
{
	struct bytes name = BYTES_STR(p->name);
	struct node *n = node_find(p->parent, name);
	int64_t now_ms = clk_mono_ms();
	char text[64];

	if (n && (n->kind == NODE_TOMB || ours_is_newer(n, p->start_seq)))
		return;
	if (!p->is_file && !p->is_dir) {
		if (n)
			node_remove(n);
		return;
	}
	n = merge(p->parent, name, p->is_dir ? NODE_DIR : NODE_FILE, p->start_seq);
	if (!n)
		return;
	if (p->is_dir)
		dir_set(n, now_ms);
	else
		file_set(n, p->size_bytes, p->mtime_ms, etag_text(&p->etag, text), p->class_id,
			false, now_ms);
}

int probe_take(struct ns_call *c)
{
	struct probe *p = c->work;
	struct node *parent = p->parent;
	int errnum = p->err.errnum;

	c->work = NULL;
	/* "dir/" without content is the directory's marker, not a file with an empty name. */
	if (p->is_file && !p->size_bytes && !strcmp(p->name, "%:"))
		p->is_file = false;
	if (!errnum)
		probe_merge(p);
	probe_free(p);
	read_ends(parent);
	return errnum;
}
