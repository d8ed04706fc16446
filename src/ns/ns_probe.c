/*
 * Probes: S3 is asked about one name, with a HeadObject for the file and a listing of one key for
 * the directory. Core thread; a probe belongs to its call until that has taken the answer, or to
 * its requests once the call is gone.
 */
#include <errno.h>
#include <stdlib.h>

#include "ns/ns_list.h"
#include "util/clk.h"
#include "util/mem.h"
#include "util/mime.h"

static void probe_free(struct probe *p)
{
	etag_free(&p->etag);
	meta_clear(&p->meta);
	meta_clear(&p->dir_meta);
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
		p->is_link =
			meta_parse(o, mime_type(p->parent->volume->ns->mime, p->name), &p->meta);
		if (o->storage_class)
			p->class_id = class_id(p->parent->volume->ns, BYTES_STR(o->storage_class));
	}
	probe_answered(p, err);
}

static void marker_headed(void *ctx, const struct s3_err *err, const struct s3_object *o)
{
	struct probe *p = ctx;

	if (err->cls == S3_OK) {
		meta_parse(o, "application/x-directory", &p->dir_meta);
		p->dir_meta.others |= o->size_bytes > 0;
	}
	probe_answered(p, err);
}

static void probe_listed(void *ctx, const struct s3_err *err, const struct s3_list_page *page)
{
	struct probe *p = ctx;

	if (err->cls == S3_OK && page->count) {
		p->is_dir = true;
		/* The marker is the first of its keys, and carries what was set for the directory.
		 */
		if (page->entries[0].key.len == p->dir_key_len) {
			p->has_marker = true;
			p->left++;
			s3_head(p->parent->volume->client, page->entries[0].key,
				page->entries[0].etag, 0, marker_headed, p);
		}
	}
	probe_answered(p, err);
}

void probe_name(
	struct ns_call *c, struct node *parent, struct bytes name, void (*then)(struct ns_call *))
{
	struct s3_client *client = parent->volume->client;
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
	/* No object has the empty key: that is the bucket. */
	p->left = (key.len > 0) + 1;
	if (key.len)
		s3_head(client, buf_bytes(&key), BYTES_NONE, 0, probe_headed, p);
	buf_addc(&key, '/');
	params.prefix = buf_bytes(&key);
	p->dir_key_len = key.len;
	s3_list(client, &params, 0, probe_listed, p);
	buf_free(&key);
}

static void probe_set_file(struct probe *p, struct node *n, int64_t now_ms)
{
	struct ns *ns = n->volume->ns;
	char text[64];
	struct s3_list_entry e = {
		.etag = etag_text(&p->etag, text),
		.size_bytes = p->size_bytes,
		.mtime_ms = p->mtime_ms,
		.storage_class = BYTES_STR(p->class_id ? ns->classes[p->class_id] : ""),
	};

	merge_file(n, &e, now_ms);
	n->link = p->is_link;
	if (n->link && n->meta && n->meta->target) {
		p->meta.target = n->meta->target;
		n->meta->target = NULL;
	}
	meta_take(n, &p->meta);
}

static void probe_merge(struct probe *p)
{
	struct bytes name = BYTES_STR(p->name);
	struct node *n = node_find(p->parent, name);
	int64_t now_ms = clk_mono_ms();

	if (n && (n->kind == NODE_TOMB || ours_is_newer(n, p->start_seq)))
		return;
	if (!p->is_file && !p->is_dir) {
		if (n)
			node_remove(n);
		return;
	}
	if (n && !p->is_dir && n->kind == NODE_FILE && n->link != p->is_link)
		node_remove(n); /* the kernel has to see another file */
	n = merge_node(p->parent, name, p->is_dir ? NODE_DIR : NODE_FILE, p->start_seq);
	if (n && p->is_dir) {
		merge_dir(n, now_ms);
		n->u.dir->marker = p->has_marker ? MARKER_YES : MARKER_NO;
		meta_take(n, &p->dir_meta);
	}
	if (n && !p->is_dir)
		probe_set_file(p, n, now_ms);
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
	/* It is the object's name beside a directory; without one it would be a second name of it.
	 */
	if (name_is_beside(BYTES_STR(p->name))) {
		p->is_file &= p->is_dir;
		p->is_dir = false;
	}
	if (!errnum)
		probe_merge(p);
	probe_free(p);
	read_ends(parent);
	return errnum;
}
