/*
 * What S3 says of a name is merged into the nodes, unless the name was changed here after S3 was
 * asked: then its word is older than ours (contract C6). Core thread.
 */
#include "ns/ns_content.h"
#include "ns/ns_list.h"

void read_begins(struct node *dir)
{
	node_ref(dir);
	dir->u.dir->readers++;
}

void read_ends(struct node *dir)
{
	dir->u.dir->readers--;
	tombs_purge(dir);
	node_unref(dir);
}

bool ours_is_newer(const struct node *n, uint64_t start_seq)
{
	return n->pending || n->change_seq > start_seq ||
	       (n->kind == NODE_FILE && node_has_writer(n)) ||
	       (n->kind == NODE_DIR && (n->unsent || n->keepers || n->u.dir->pending));
}

static void checked(struct node *n, int64_t checked_ms)
{
	if (n->checked_ms < checked_ms)
		n->checked_ms = checked_ms;
}

int64_t node_s3_time_s(const struct node *n)
{
	return n->mtime_ms / 1000 + n->s3_ahead_s;
}

/*
 * What was written here keeps the time it has here, to the millisecond, for as long as it is known:
 * S3 has whole seconds, and another clock, so that times would go back (make).
 */
static void merge_time(struct node *n, int64_t mtime_ms, bool same)
{
	if (same && n->mtime_ms) {
		n->s3_ahead_s = (int32_t)(mtime_ms / 1000 - n->mtime_ms / 1000);
	} else {
		n->mtime_ms = mtime_ms;
		n->s3_ahead_s = 0;
	}
	n->s3_time = true;
}

void merge_file(struct node *n, const struct s3_list_entry *e, int64_t checked_ms)
{
	struct etag old = n->etag;
	bool same;

	n->etag = (struct etag){0};
	etag_set(&n->etag, e->etag);
	if (!etag_equal(&old, &n->etag))
		n->pages_good = false;
	/* Others who change only its metadata make a new version of the same content; some answers
	 * give its time in whole seconds. */
	same = etag_equal(&old, &n->etag) &&
	       (!n->s3_time || node_s3_time_s(n) == e->mtime_ms / 1000);
	if (!same) {
		meta_drop(n);
		full_again(n);
	} else if (n->look == LOOK_FAILED) {
		n->look = LOOK_NONE;
		full_again(n);
	}
	etag_free(&old);
	n->size_bytes = e->size_bytes;
	merge_time(n, e->mtime_ms, same);
	n->class_id = class_id(n->volume->ns, e->storage_class);
	n->archived = e->archived;
	checked(n, checked_ms);
}

/* S3 knows no time of a directory: it is as old as the mount. */
void merge_dir(struct node *n, int64_t checked_ms)
{
	if (!n->mtime_ms)
		n->mtime_ms = n->volume->root->mtime_ms;
	/* That others have changed its marker does not show here. */
	if (n->volume->config.stat_full && n->parent && n->look != LOOK_SENT) {
		n->look = LOOK_NONE;
		full_again(n);
	}
	checked(n, checked_ms);
}

void merge_marker(struct node *dir, bool seen, uint64_t start_seq)
{
	struct dir *d = dir->u.dir;

	/* One that was written since the listing began is there, whatever was seen. */
	if (seen)
		d->marker = MARKER_YES;
	else if (!dir->pending && d->marker_seq <= start_seq)
		d->marker = MARKER_NO;
}

struct node *merge_node(
	struct node *dir, struct bytes name, enum node_kind kind, uint64_t start_seq)
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
static void move_aside(
	struct node *dir, struct node *file, struct bytes component, const struct said *said)
{
	struct buf name = BUF_INIT(8192);
	struct node *n;

	name_encode(component, true, &name);
	n = merge_node(dir, buf_bytes(&name), NODE_FILE, said->start_seq);
	if (n) {
		n->size_bytes = file->size_bytes;
		n->mtime_ms = file->mtime_ms;
		n->s3_time = file->s3_time;
		n->s3_ahead_s = file->s3_ahead_s;
		n->class_id = file->class_id;
		n->archived = file->archived;
		n->checked_ms = file->checked_ms;
		etag_copy(&n->etag, &file->etag);
	}
	buf_free(&name);
}

static bool has_etag(const struct node *n, struct bytes etag)
{
	char text[64];

	return bytes_equal(etag_text(&n->etag, text), etag);
}

struct node *merge_entry(struct node *dir, struct bytes component, const struct s3_list_entry *e,
	const struct said *said)
{
	struct buf name = BUF_INIT(8192);
	struct node *n;
	bool is_new;

	name_encode(component, false, &name);
	n = node_live(dir, buf_bytes(&name));
	if (e->is_prefix && n && n->kind == NODE_FILE && n->checked_ms >= said->list_ms)
		move_aside(dir, n, component, said);
	if (!e->is_prefix && n && n->kind == NODE_DIR && !ours_is_newer(n, said->start_seq)) {
		buf_cut(&name, 0);
		name_encode(component, true, &name);
	}
	/* Another version of what was a link may be anything. */
	if (n && n->kind == NODE_FILE && n->link && !e->is_prefix &&
		!ours_is_newer(n, said->start_seq) && !has_etag(n, e->etag))
		node_remove(n);
	is_new = !node_live(dir, buf_bytes(&name));
	if (said->careful && dir->u.dir->purged_seq >= said->start_seq &&
		!node_find(dir, buf_bytes(&name))) {
		dir_doubtful(dir);
		n = NULL;
	} else {
		n = merge_node(dir, buf_bytes(&name), e->is_prefix ? NODE_DIR : NODE_FILE,
			said->start_seq);
	}
	if (n && e->is_prefix)
		merge_dir(n, said->asked_ms);
	else if (n)
		merge_file(n, e, said->asked_ms);
	if (n && is_new)
		recall_take(n);
	if (n)
		full_ahead(dir);
	if (n)
		n->unvisited = true;
	buf_free(&name);
	return n;
}

void merge_stream(struct node *dir, struct bytes last)
{
	struct dir *d = dir->u.dir;
	size_t i;

	for (i = d->kid_count; i > 0; i--) {
		const struct node *n = d->kids[i - 1];

		if (!n || (n->kind == NODE_FILE &&
				  (n->name[0] == '%' ||
					  bytes_starts(last, BYTES(n->name, n->name_len)))))
			continue;
		d->stream_ino = n->ino;
		return;
	}
}

void merge_vanished(struct node *dir, uint64_t start_seq, int64_t list_ms)
{
	struct dir *d = dir->u.dir;
	size_t i;

	/* From the end: what is removed moves those behind it. */
	for (i = d->kid_count; i > 0; i--) {
		struct node *n = i <= d->kid_count ? d->kids[i - 1] : NULL;

		if (!n || n->checked_ms >= list_ms || ours_is_newer(n, start_seq))
			continue;
		node_remove(n);
	}
}
