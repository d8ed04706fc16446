/*
 * -o stat=full: attributes come from HeadObject, for buckets whose other users keep modes, times
 * and links with their objects. As soon as a listing brings names, they are looked at, many at
 * once, ahead of who reads the directory; and a name is handed out when it has been looked at. The
 * text of a link is fetched along with it. Core thread; a look under way belongs to this file.
 */
#include <stdlib.h>

#include "ns/ns_content.h"
#include "ns/ns_list.h"
#include "util/clk.h"
#include "util/log.h"
#include "util/mem.h"

/* So many names are looked at ahead of the reader of a directory. */
#define AHEAD 2000
#define WARN_MS 60000

struct full_ask {
	struct bulk_head head; /* first: cast */
	struct node *node;     /* a reference */
	uint64_t start_seq;
	LIST_ENTRY(full_ask) link;
};

/* Nothing of it is S3's to say now: what is pending, or written, is known here. */
static bool is_ours(const struct node *n)
{
	return n->pending || (n->kind == NODE_FILE && node_has_writer(n)) ||
	       (n->kind == NODE_DIR && (n->unsent || n->keepers));
}

bool full_known(const struct node *n)
{
	return !n->volume->config.stat_full || (n->look != LOOK_NONE && n->look != LOOK_SENT) ||
	       is_ours(n);
}

static void ask_free(struct full_ask *k)
{
	LIST_REMOVE(k, link);
	node_unref(k->node);
	free((char *)k->head.key.ptr);
	free((char *)k->head.pin.ptr);
	free(k);
}

/* It can be handed out: who waits for this one goes on. */
static void known_now(struct node *n)
{
	struct dir *d = n->parent->u.dir;

	if (d->full_wait_ino != n->ino)
		return;
	d->full_wait_ino = 0;
	wake(&d->waiters);
}

static void link_in(void *ctx)
{
	struct full_ask *k = ctx;
	struct node *n = node_ref(k->node);

	if (n->look == LOOK_SENT)
		n->look = LOOK_DONE;
	ask_free(k);
	known_now(n);
	node_unref(n);
}

static void failed(struct node *n, const struct s3_err *err)
{
	struct ns *ns = n->volume->ns;
	struct buf path = BUF_INIT(0);
	char text[400];

	n->look = LOOK_FAILED;
	if (ns->full_warned_ms && clk_mono_ms() - ns->full_warned_ms < WARN_MS)
		return;
	ns->full_warned_ms = clk_mono_ms();
	node_path(n, &path);
	log_warn("attributes of %s, and perhaps of others, are not known and shown as the mount's "
		 "options say: %s",
		buf_str(&path), s3_err_text(err, text, sizeof(text)));
	buf_free(&path);
}

/* S3's word about a name that nobody has changed since it was asked. */
static void take(struct node *n, const struct s3_err *err, const struct s3_object *o)
{
	if (n->kind == NODE_FILE && err->cls == S3_NOT_FOUND) {
		node_remove(n);
		return;
	}
	if (n->kind == NODE_FILE && err->cls == S3_OK) {
		struct s3_list_entry e = {.etag = o->etag,
			.size_bytes = o->size_bytes,
			.mtime_ms = o->mtime_ms,
			.storage_class = BYTES_STR(o->storage_class ? o->storage_class : ""),
			.archived = n->archived};

		/* It may be a newer version than the one that was listed. */
		merge_file(n, &e, clk_mono_ms());
	}
	n->look = LOOK_NONE;
	if (meta_looked(n, err, o) && n->live)
		failed(n, err);
}

static void asked(struct bulk_head *h, const struct s3_err *err, const struct s3_object *o)
{
	struct full_ask *k = (struct full_ask *)h;
	struct node *n = node_ref(k->node);

	if (n->look == LOOK_SENT && n->live && !ours_is_newer(n, k->start_seq) &&
		err->cls != S3_CANCELLED)
		take(n, err, o);
	else if (n->look == LOOK_SENT)
		n->look = LOOK_NONE;
	if (n->live && n->link && n->look == LOOK_DONE && !(n->meta && n->meta->target) &&
		link_fetch_ahead(n, link_in, k)) {
		n->look = LOOK_SENT;
		k->head.sent = true; /* it cannot be withdrawn now */
	} else {
		ask_free(k);
		known_now(n);
	}
	node_unref(n);
}

static void ask(struct node *n)
{
	struct ns *ns = n->volume->ns;
	struct full_ask *k;
	struct buf key = BUF_INIT(0);
	struct bytes pin;
	char text[64];

	if (n->look != LOOK_NONE || is_ours(n))
		return;
	n->look = LOOK_SENT;
	k = mem_zalloc(sizeof(*k));
	k->node = node_ref(n);
	k->start_seq = ++ns->seq;
	k->head.target = n->volume->target;
	k->head.done = asked;
	node_key(n, &key);
	k->head.key.len = key.len;
	k->head.key.ptr = buf_take(&key);
	pin = etag_text(&n->etag, text);
	k->head.pin = BYTES(mem_dup(pin.ptr, pin.len), pin.len);
	LIST_INSERT_HEAD(&ns->full_asks, k, link);
	bulk_head_submit(&k->head);
}

/* A remove needs no attributes. */
static bool is_being_removed(const struct node *dir)
{
	const struct node *p = dir;

	while (p && !p->u.dir->snapshot_tgid)
		p = p->parent;
	return p && walk_is_remove(walk_by_tgid(p->volume->ns, p->u.dir->snapshot_tgid));
}

void full_ahead(struct node *dir)
{
	struct dir *d = dir->u.dir;
	size_t i, end;

	if (!dir->volume->config.stat_full || is_being_removed(dir))
		return;
	end = dir_kids_after(d, d->read_ino) + AHEAD;
	for (i = dir_kids_after(d, d->full_ino); i < d->kid_count && i < end; i++) {
		if (!d->kids[i])
			continue;
		d->full_ino = d->kids[i]->ino;
		ask(d->kids[i]);
	}
}

void full_again(const struct node *n)
{
	struct dir *d = n->parent ? n->parent->u.dir : NULL;

	if (d && d->full_ino >= n->ino)
		d->full_ino = n->ino - 1;
}

bool full_waits(struct node *dir, struct node *n)
{
	struct dir *d = dir->u.dir;

	if (full_known(n) || is_being_removed(dir))
		return false;
	ask(n);
	full_ahead(dir);
	if (!d->full_wait_ino || n->ino < d->full_wait_ino)
		d->full_wait_ino = n->ino;
	return true;
}

void full_free(struct ns *ns, const struct ns_volume *v)
{
	struct full_ask *k, *next;

	for (k = LIST_FIRST(&ns->full_asks); k; k = next) {
		next = LIST_NEXT(k, link);
		if ((!v || k->node->volume == v) && bulk_head_withdraw(&k->head))
			ask_free(k);
	}
}
