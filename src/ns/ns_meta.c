/*
 * Mode, owner and modification time that somebody has set: kept with the object as the user
 * metadata that s3fs uses (x-amz-meta-mode, -uid, -gid, -mtime), sent along with the next upload or
 * copy of the file, or by a copy onto itself; with a directory's marker. A listing does not carry
 * them: a name shows them when it was set here, or when it was asked for by itself (ns_probe.c).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ns/ns_content.h"
#include "util/clk.h"
#include "util/mem.h"

#define HEADERS_MAX 4

struct node_meta *meta_get(struct node *n)
{
	if (!n->meta)
		n->meta = mem_zalloc(sizeof(*n->meta));
	return n->meta;
}

void meta_drop(struct node *n)
{
	free(n->meta);
	n->meta = NULL;
}

void meta_copy(struct node *to, const struct node *from)
{
	if (!from->meta || to->meta)
		return;
	*meta_get(to) = *from->meta;
	to->meta->unsaved = false;
}

static bool number(const char *text, unsigned long long *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return !errno && (!*end || *end == '.');
}

static void parse_one(struct node_meta *m, const char *name, const char *value)
{
	unsigned long long n;
	const char *dot = strchr(value, '.');

	if (!number(value, &n))
		return;
	if (!strcmp(name, "mode")) {
		m->mode = (mode_t)n & 07777;
		m->has |= META_MODE;
	} else if (!strcmp(name, "uid") && n < UINT32_MAX) {
		m->uid = (uid_t)n;
		m->has |= META_UID;
	} else if (!strcmp(name, "gid") && n < UINT32_MAX) {
		m->gid = (gid_t)n;
		m->has |= META_GID;
	} else if (!strcmp(name, "mtime")) {
		char digits[10] = "000000000";
		size_t i;

		for (i = 0; dot && i < 9 && dot[1 + i] >= '0' && dot[1 + i] <= '9'; i++)
			digits[i] = dot[1 + i];
		m->mtime =
			(struct timespec){.tv_sec = (time_t)n, .tv_nsec = strtol(digits, NULL, 10)};
		m->has |= META_MTIME;
	}
}

struct node_meta meta_parse(const struct s3_header *user, size_t count)
{
	struct node_meta m = {0};
	size_t i;

	for (i = 0; i < count; i++)
		parse_one(&m, user[i].name, user[i].value);
	return m;
}

void meta_apply(const struct node *n, struct stat *st)
{
	const struct node_meta *m = n->meta;

	if (!m)
		return;
	if (m->has & META_MODE)
		st->st_mode = (st->st_mode & S_IFMT) | m->mode;
	if (m->has & META_UID)
		st->st_uid = m->uid;
	if (m->has & META_GID)
		st->st_gid = m->gid;
	if (m->has & META_MTIME)
		st->st_atim = st->st_mtim = st->st_ctim = m->mtime;
}

/* The headers for what is set; owned by the caller, as are their values (meta_headers_free). */
struct s3_header *meta_headers(const struct node *n, size_t *count)
{
	const struct node_meta *m = n->meta;
	struct s3_header *h = mem_calloc(HEADERS_MAX, sizeof(*h));
	unsigned type = n->kind == NODE_DIR ? S_IFDIR : S_IFREG;

	*count = 0;
	if (!m)
		return h;
	if (m->has & META_MODE)
		h[(*count)++] = (struct s3_header){"mode", mem_printf("%u", type | m->mode)};
	if (m->has & META_UID)
		h[(*count)++] = (struct s3_header){"uid", mem_printf("%u", m->uid)};
	if (m->has & META_GID)
		h[(*count)++] = (struct s3_header){"gid", mem_printf("%u", m->gid)};
	if (m->has & META_MTIME)
		h[(*count)++] = (struct s3_header){"mtime",
			mem_printf("%lld.%09ld", (long long)m->mtime.tv_sec, m->mtime.tv_nsec)};
	return h;
}

void meta_headers_free(struct s3_header *h, size_t count)
{
	size_t i;

	for (i = 0; h && i < count; i++)
		free((char *)h[i].value);
	free(h);
}

void meta_send(struct accepted *a)
{
	a->patch = meta_headers(a->node, &a->patch_count);
	a->meta.user = a->patch;
	a->meta.user_count = a->patch_count;
	if (a->node->meta)
		a->node->meta->unsaved = false;
}

/* The bytes have changed: so has the time, and it is S3's again. */
void meta_written(struct node *n)
{
	if (n->meta)
		n->meta->has &= ~(unsigned)META_MTIME;
}

/* ---- setattr ---- */

static unsigned wanted(const struct ns_call *c, struct node_meta *m)
{
	struct stat now;
	struct ns_attr attr;
	unsigned set = 0;

	node_attr(c->node, c, &attr);
	now = attr.st;
	if ((c->flags & NS_SET_MODE) && (c->st.st_mode & 07777) != (now.st_mode & 07777)) {
		m->mode = c->st.st_mode & 07777;
		set |= META_MODE;
	}
	if ((c->flags & NS_SET_UID) && c->st.st_uid != now.st_uid) {
		m->uid = c->st.st_uid;
		set |= META_UID;
	}
	if ((c->flags & NS_SET_GID) && c->st.st_gid != now.st_gid) {
		m->gid = c->st.st_gid;
		set |= META_GID;
	}
	if (c->flags & (NS_SET_MTIME | NS_SET_MTIME_NOW)) {
		int64_t wall_ms = clk_wall_ms();

		m->mtime = c->st.st_mtim;
		if (c->flags & NS_SET_MTIME_NOW)
			m->mtime = (struct timespec){
				.tv_sec = wall_ms / 1000, .tv_nsec = wall_ms % 1000 * 1000000};
		if (m->mtime.tv_sec != now.st_mtim.tv_sec ||
			m->mtime.tv_nsec != now.st_mtim.tv_nsec)
			set |= META_MTIME;
	}
	return set;
}

static void merge_meta(struct node *n, const struct node_meta *m, unsigned set)
{
	struct node_meta *to = meta_get(n);

	to->has |= set;
	to->unsaved = true;
	if (set & META_MODE)
		to->mode = m->mode;
	if (set & META_UID)
		to->uid = m->uid;
	if (set & META_GID)
		to->gid = m->gid;
	if (set & META_MTIME)
		to->mtime = m->mtime;
}

/* What was set has not come to be: S3 is asked what there is. */
void meta_lost(struct node *n)
{
	struct ns *ns = n->volume->ns;

	meta_drop(n);
	n->checked_ms = 0;
	if (!n->parent)
		return;
	dir_changed(n->parent);
	if (ns->stale && n->live)
		ns->stale(ns->stale_ctx, n->parent, n->name, n);
}

static void meta_settled(struct accepted *a, const struct s3_err *err)
{
	struct node *n = a->node;
	struct etag old = {0};

	if (err->cls != S3_OK) {
		meta_lost(n);
		return;
	}
	etag_copy(&old, &n->etag);
	file_stored(a);
	sources_follow(n, &old, &n->etag);
	etag_free(&old);
}

void meta_save_file(
	struct node *n, struct walk *w, struct ns_call *c, void (*then)(struct ns_call *))
{
	struct accepted *a = accepted_new(n, BULK_COPY, "change of attributes");

	accepted_source(a, n, &n->etag);
	a->op.size_bytes = n->size_bytes;
	meta_send(a);
	a->op.patch = a->patch;
	a->op.patch_count = a->patch_count;
	a->settle = meta_settled;
	accept_op(a, w, c, then);
}

static void set_done(struct ns_call *c)
{
	struct walk *w = walk_known(c->node->volume->ns, c);

	if (walk_holds_change(w, c, set_done))
		return;
	if (!c->errnum)
		node_attr(c->node, c, &c->attr);
	c->reply(c, c->errnum);
}

static void set_file(struct ns_call *c)
{
	struct node *n = c->node;
	struct walk *w = walk_known(n->volume->ns, c);
	bool deferred = (walk_is_change(w) || walk_is_run(w)) && walk_defers(w, WALK_CHANGE);

	meta_save_file(n, w, deferred ? NULL : c, set_done);
	if (deferred)
		set_done(c);
}

static void set_dir(struct ns_call *c)
{
	struct node *n = c->node;
	struct walk *w = walk_known(n->volume->ns, c);

	if (walk_is_run(w) || (walk_is_copy(w) && walk_is_open(w))) {
		/* The walk writes the marker at its end, once for all that is set. */
		walk_note_dir(w, n);
		set_done(c);
	} else if (walk_is_change(w) && walk_defers(w, WALK_PUT)) {
		dir_put_marker(n, w, NULL, NULL);
		set_done(c);
	} else {
		dir_put_marker(n, w, c, set_done);
	}
}

void meta_set(struct ns_call *c)
{
	struct node *n = c->node;
	const struct walk *w = walk_known(n->volume->ns, c);
	struct node_meta m = {0};
	unsigned set;

	c->errnum = 0;
	set = wanted(c, &m);
	/* What it is equal to may be pending: that concerns who is strict. */
	if (!n->live || (!set && (w || !n->pending))) {
		set_done(c);
		return;
	}
	/* When too much is pending the answer waits, not the memory. */
	if ((walk_is_change(w) || walk_is_run(w)) && accept_full(c, meta_set))
		return;
	if (n->kind == NODE_FILE && n->pending) {
		wait_node(c, n, meta_set);
		return;
	}
	if (n->kind == NODE_FILE && n->u.content && n->u.content->flushing) {
		park(c, &n->u.content->waiters, meta_set);
		return;
	}
	if (!n->parent) {
		c->errnum = EPERM; /* the mount's options say what its root is */
		set_done(c);
		return;
	}
	merge_meta(n, &m, set);
	if (n->kind == NODE_DIR)
		set_dir(c);
	else if (n->u.content && n->u.content->dirty)
		set_done(c); /* goes along with the upload */
	else
		set_file(c);
}
