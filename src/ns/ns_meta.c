/*
 * Mode, owner, modification time and extended attributes that somebody has set: kept with the
 * object as user metadata, sent along with the next upload or copy of the file, or by a copy onto
 * itself; with a directory's marker. A listing does not carry them: a name shows them when it was
 * set here, or when it was asked for by itself (ns_probe.c).
 */
#include "ns/ns_meta.h"

#include <errno.h>
#include <stdlib.h>

#include "ns/ns_content.h"
#include "util/clk.h"
#include "util/mem.h"
#include "util/mime.h"

struct node_meta *meta_get(struct node *n)
{
	if (!n->meta)
		n->meta = mem_zalloc(sizeof(*n->meta));
	return n->meta;
}

void meta_drop(struct node *n)
{
	n->look = LOOK_NONE;
	if (!n->meta)
		return;
	meta_clear(n->meta);
	free(n->meta);
	n->meta = NULL;
}

void meta_take(struct node *n, struct node_meta *m)
{
	meta_drop(n);
	n->look = LOOK_DONE;
	if (m->has || m->others || m->tagged || m->target)
		*meta_get(n) = *m;
	*m = (struct node_meta){0};
}

static mode_t type_of(const struct node *n)
{
	return n->kind == NODE_DIR ? S_IFDIR : n->link ? S_IFLNK : S_IFREG;
}

const char *meta_type(const struct node *n)
{
	if (n->kind == NODE_DIR)
		return "application/x-directory";
	return n->link ? META_LINK_TYPE : mime_type(n->volume->ns->mime, n->name);
}

/* Takes over those of `bits` that `from` has. */
static void take_bits(struct node_meta *to, const struct node_meta *from, unsigned bits)
{
	bits &= from->has;
	to->has |= bits;
	if (bits & META_MODE)
		to->mode = from->mode;
	if (bits & META_UID)
		to->uid = from->uid;
	if (bits & META_GID)
		to->gid = from->gid;
	if (bits & META_MTIME)
		to->mtime = from->mtime;
	if (bits & META_XATTRS)
		xattrs_copy(&to->xattrs, &from->xattrs);
}

static void make_id(struct node_meta *m, uint32_t id, uint32_t usual, uint32_t *to, unsigned bit)
{
	if (id == usual)
		return;
	*to = id;
	m->has |= bit;
}

void meta_made(struct node *n, const struct ns_call *c)
{
	const struct ns_config *cf = &n->volume->config;
	mode_t mode = c->st.st_mode & 07777;
	struct node_meta m = {0};
	gid_t gid = c->gid;
	struct ns_attr up;

	node_attr(n->parent, c, &up);
	/* inode(7): what is made in such a directory is of its group. */
	if (up.st.st_mode & S_ISGID) {
		gid = up.st.st_gid;
		mode |= n->kind == NODE_DIR ? S_ISGID : 0;
	}
	if (cf->maker_modes && !n->link &&
		mode != (n->kind == NODE_DIR ? cf->dir_mode : cf->file_mode)) {
		m.mode = mode;
		m.has |= META_MODE;
	}
	if (cf->maker_owners) {
		make_id(&m, c->uid, cf->uid, &m.uid, META_UID);
		make_id(&m, gid, cf->gid, &m.gid, META_GID);
	}
	if (!m.has)
		return;
	take_bits(meta_get(n), &m, m.has);
	n->meta->made = m.has;
}

/* Has `m` those bits of `like`, and with the same values? */
static bool has_bits(const struct node_meta *m, const struct node_meta *like, unsigned bits)
{
	return (bits & ~m->has) == 0 && (!(bits & META_MODE) || m->mode == like->mode) &&
	       (!(bits & META_UID) || m->uid == like->uid) &&
	       (!(bits & META_GID) || m->gid == like->gid) &&
	       (!(bits & META_MTIME) || (m->mtime.tv_sec == like->mtime.tv_sec &&
						m->mtime.tv_nsec == like->mtime.tv_nsec)) &&
	       (!(bits & META_XATTRS) || xattrs_equal(&m->xattrs, &like->xattrs));
}

/* Was anything set for the copy that its source does not have? */
static bool is_own(const struct node *copy, const struct node *source)
{
	const struct node_meta *m = copy->meta;
	unsigned set = m && m->unsaved ? m->has & ~m->made : 0;

	return set &&
	       (source->look != LOOK_DONE || !source->meta || !has_bits(source->meta, m, set));
}

bool meta_copy(struct node *to, const struct node *from)
{
	const char *type = meta_type(from);
	bool own = is_own(to, from);
	struct node_meta *m = to->meta;

	to->look = from->look;
	to->link = from->link;
	if (m) {
		/* S3 copies the source's without being told: then they are what it has. */
		if (!own)
			m->has &= ~m->made;
		m->made = 0;
		m->unsaved = false;
	}
	if (!from->meta && !strcmp(type, meta_type(to)))
		return own;
	m = meta_get(to);
	if (from->meta) {
		take_bits(m, from->meta, ~m->has);
		m->others = from->meta->others;
		m->tagged = from->meta->tagged;
		m->size = from->meta->size;
		free(m->target);
		m->target = mem_strdup(from->meta->target);
	}
	/* It has its source's content type, which its own name would not give it. */
	m->others |= strcmp(type, meta_type(to)) != 0;
	return own;
}

void meta_apply(const struct node *n, struct stat *st)
{
	const struct node_meta *m = n->meta;

	if (!m)
		return;
	if ((m->has & META_MODE) && !n->link)
		st->st_mode = (st->st_mode & S_IFMT) | m->mode;
	if (m->has & META_UID)
		st->st_uid = m->uid;
	if (m->has & META_GID)
		st->st_gid = m->gid;
	if (m->has & META_MTIME)
		st->st_atim = st->st_mtim = st->st_ctim = m->mtime;
}

bool meta_is_known(const struct node *source, bool self)
{
	double ttl_ms = source->volume->config.metadata_ttl_s * 1000;

	return source->look == LOOK_DONE && !(source->meta && source->meta->others) &&
	       (!self || (double)(clk_mono_ms() - source->checked_ms) <= ttl_ms);
}

void meta_sent(struct node *n)
{
	n->look = LOOK_DONE;
	if (!n->meta)
		return;
	n->meta->unsaved = n->meta->others = n->meta->tagged = false;
	n->meta->size = 0;
	n->meta->made = 0;
}

void meta_send(struct accepted *a)
{
	struct node *n = a->node;
	bool copy = a->op.kind == BULK_COPY;

	a->patch = meta_headers(n->meta, type_of(n), copy, &a->patch_count);
	a->meta.user = a->patch;
	a->meta.user_count = a->patch_count;
	a->meta.content_type = meta_type(n);
	if (copy) {
		a->op.patch = a->patch;
		a->op.patch_count = a->patch_count;
		a->meta.content_type = meta_type(a->source);
		if (meta_is_known(a->source, a->source == n))
			a->op.whole = &a->meta;
		if (n->meta)
			n->meta->unsaved = false;
	} else {
		meta_sent(n);
	}
}

/* The bytes have changed: so has the time, and it is S3's again. */
void meta_written(struct node *n)
{
	if (n->meta)
		n->meta->has &= ~(unsigned)META_MTIME;
}

/* What is copied is as old as the copy. */
static void forget_times(struct node *n)
{
	size_t i;

	n->s3_time = false;
	for (i = 0; n->kind == NODE_DIR && i < n->u.dir->kid_count; i++)
		if (n->u.dir->kids[i])
			forget_times(n->u.dir->kids[i]);
}

void meta_move_node(struct node *n, struct node *parent, struct bytes name)
{
	const char *type = meta_type(n);

	node_move(n, parent, name);
	forget_times(n);
	if (n->look == LOOK_DONE && strcmp(type, meta_type(n)) != 0)
		meta_get(n)->others = true;
}

/* ---- setattr ---- */

/* What its maker has asked for, and now wants as the mount gives it anyway, need not be kept. */
static void unmake(const struct ns_call *c)
{
	const struct ns_config *cf = &c->node->volume->config;
	struct node_meta *m = c->node->meta;
	mode_t usual = c->node->kind == NODE_DIR ? cf->dir_mode : cf->file_mode;
	unsigned gone = 0;

	if ((c->flags & NS_SET_MODE) && (c->st.st_mode & 07777) == usual)
		gone |= META_MODE;
	if ((c->flags & NS_SET_UID) && c->st.st_uid == cf->uid)
		gone |= META_UID;
	if ((c->flags & NS_SET_GID) && c->st.st_gid == cf->gid)
		gone |= META_GID;
	if (!m)
		return;
	gone &= m->made;
	m->has &= ~gone;
	m->made &= ~gone;
}

/* What the call sets that is not so already. */
static void wanted(const struct ns_call *c, struct node_meta *m)
{
	unsigned made = c->node->meta ? c->node->meta->made : 0;
	struct stat now;
	struct ns_attr attr;

	node_attr(c->node, c, &attr);
	now = attr.st;
	if ((c->flags & NS_SET_MODE) &&
		((c->st.st_mode & 07777) != (now.st_mode & 07777) || (made & META_MODE))) {
		m->mode = c->st.st_mode & 07777;
		m->has |= META_MODE;
	}
	if ((c->flags & NS_SET_UID) && (c->st.st_uid != now.st_uid || (made & META_UID))) {
		m->uid = c->st.st_uid;
		m->has |= META_UID;
	}
	if ((c->flags & NS_SET_GID) && (c->st.st_gid != now.st_gid || (made & META_GID))) {
		m->gid = c->st.st_gid;
		m->has |= META_GID;
	}
	if (c->flags & (NS_SET_MTIME | NS_SET_MTIME_NOW)) {
		int64_t wall_ms = clk_wall_ms();

		m->mtime = c->st.st_mtim;
		if (c->flags & NS_SET_MTIME_NOW)
			m->mtime = (struct timespec){
				.tv_sec = wall_ms / 1000, .tv_nsec = wall_ms % 1000 * 1000000};
		if (m->mtime.tv_sec != now.st_mtim.tv_sec ||
			m->mtime.tv_nsec != now.st_mtim.tv_nsec)
			m->has |= META_MTIME;
	}
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

/* The link's text is at hand: it is put again, behind what is pending for it. */
static bool link_deferred(const struct ns_call *c)
{
	const struct walk *w = walk_known(c->node->volume->ns, c);

	return link_is_known(c->node) && (walk_is_copy(w) || walk_is_run(w)) &&
	       walk_defers(w, WALK_PUT);
}

static void set_link(struct ns_call *c)
{
	struct walk *w = walk_known(c->node->volume->ns, c);
	bool deferred = link_deferred(c);

	if (!link_is_known(c->node)) {
		meta_save_file(c->node, w, c, set_done);
		return;
	}
	link_put(c->node, w, deferred ? NULL : c, set_done);
	if (deferred)
		set_done(c);
}

void meta_set(struct ns_call *c)
{
	struct node *n = c->node;
	const struct walk *w = walk_known(n->volume->ns, c);
	struct node_meta m = {0};

	c->errnum = 0;
	/* When too much is pending the answer waits, not the memory. */
	if ((walk_is_change(w) || walk_is_run(w)) && accept_full(c, meta_set))
		return;
	if (n->kind == NODE_FILE && n->pending && !link_deferred(c)) {
		wait_node(c, n, meta_set);
		return;
	}
	if (n->kind == NODE_FILE && n->u.content && n->u.content->flushing) {
		park(c, &n->u.content->waiters, meta_set);
		return;
	}
	unmake(c);
	wanted(c, &m);
	if (m.has && !n->parent)
		c->errnum = EPERM; /* the mount's options say what its root is */
	if (!m.has || c->errnum || !n->live) {
		set_done(c);
		return;
	}
	take_bits(meta_get(n), &m, m.has);
	n->meta->made &= ~m.has;
	n->meta->unsaved = true;
	if (n->kind == NODE_DIR)
		set_dir(c);
	else if (n->u.content && n->u.content->dirty)
		set_done(c); /* goes along with the upload */
	else if (n->link)
		set_link(c);
	else
		set_file(c);
}
