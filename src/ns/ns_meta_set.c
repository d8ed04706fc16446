/*
 * Changes of attributes, and how they get to S3: with the upload that is to come anyway, else by a
 * copy of the object onto itself, which keeps all else that S3 has of it; a link is put anew, a
 * directory's marker too, when there is nothing else to keep. Core thread.
 */
#include <errno.h>
#include <stdlib.h>

#include "ns/ns_content.h"
#include "util/clk.h"
#include "util/mem.h"

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

/* Will its time be the same when only S3 knows it? */
static bool lasts(const struct node *n)
{
	return (n->meta && (n->meta->has & META_MTIME)) || (n->s3_time && !n->s3_ahead_s);
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
	if ((m->has & (META_UID | META_GID)) && !(m->has & META_MODE) && S_ISREG(now.st_mode) &&
		meta_without_privileges(now.st_mode) != now.st_mode) {
		m->mode = meta_without_privileges(now.st_mode) & 07777;
		m->has |= META_MODE;
	}
	if (c->flags & (NS_SET_MTIME | NS_SET_MTIME_NOW)) {
		int64_t wall_ms = clk_wall_ms();

		m->mtime = c->st.st_mtim;
		if (c->flags & NS_SET_MTIME_NOW)
			m->mtime = (struct timespec){
				.tv_sec = wall_ms / 1000, .tv_nsec = wall_ms % 1000 * 1000000};
		if (m->mtime.tv_sec != now.st_mtim.tv_sec ||
			m->mtime.tv_nsec != now.st_mtim.tv_nsec || !lasts(c->node))
			m->has |= META_MTIME;
	}
}

/* What was set has not come to be: S3 is asked what there is. */
void meta_lost(struct node *n)
{
	meta_drop(n);
	recall_take(n);
	n->checked_ms = 0;
	if (!n->parent)
		return;
	dir_changed(n->parent);
	if (n->live)
		node_stale(n);
}

static void meta_settled(struct accepted *a, const struct s3_err *err)
{
	struct node *n = a->node;
	struct etag old = {0};

	if (n->meta)
		n->meta->saving = false;
	if (n->meta && n->meta->follower == a)
		n->meta->follower = NULL;
	if (err->cls != S3_OK) {
		if (n->etag.form)
			meta_lost(n);
		else
			file_lost(n); /* what it was to follow has not been stored either */
		return;
	}
	etag_copy(&old, &n->etag);
	file_stored(a);
	sources_follow(n, &old, &n->etag);
	etag_free(&old);
}

/* To S3 a change of attributes is a new version, and as old as that: the time it had is kept. */
static struct node_meta time_of(const struct node *n)
{
	return (struct node_meta){.has = META_MTIME,
		.mtime = {.tv_sec = n->mtime_ms / 1000, .tv_nsec = n->mtime_ms % 1000 * 1000000}};
}

static void keep_time(struct node *n)
{
	struct node_meta *m = meta_get(n), time = time_of(n);

	meta_take_bits(m, &time, ~m->has);
}

void meta_keep_time(struct accepted *a)
{
	struct node_meta time = time_of(a->node);
	size_t count;

	a->time = meta_headers(&time, S_IFREG, false, &count);
	a->op.if_absent = a->time;
}

/* No version has this ETag: what follows something that fails is to fail, too. */
#define NO_ETAG "none"

static void set_source_etag(struct accepted *a, const char *text)
{
	free((char *)a->op.source_etag.ptr);
	a->op.source_etag = BYTES(mem_strdup(text), strlen(text));
}

void meta_stored(const struct accepted *a)
{
	const struct node *n = a->node;
	struct accepted *f = n->meta ? n->meta->follower : NULL;

	if (!f || f == a)
		return;
	set_source_etag(f, a->op.etag);
	f->op.storage_class = n->class_id ? a->ns->classes[n->class_id] : NULL;
}

/*
 * Is all that is pending for it a file that a run has stored? Then a change of its attributes need
 * not wait to be accepted: it is made when the file is there, of the version that it is then.
 */
static bool follows(const struct ns_call *c)
{
	const struct node *n = c->node;
	const struct walk *w = walk_known(n->volume->ns, c);

	return n->kind == NODE_FILE && n->pending == 1 && !n->link && !n->etag.form && n->live &&
	       !(n->meta && n->meta->saving) &&
	       !(n->u.content && (n->u.content->dirty || n->u.content->flushing)) &&
	       walk_is_run(w) && walk_defers(w, WALK_CHANGE);
}

void meta_save_file(
	struct node *n, struct walk *w, struct ns_call *c, void (*then)(struct ns_call *))
{
	struct accepted *a = accepted_new(n, BULK_COPY, "change of attributes");

	accepted_source(a, n, &n->etag);
	a->op.size_bytes = n->size_bytes;
	if (meta_is_known(n, true))
		keep_time(n);
	else
		meta_keep_time(a);
	meta_send(a);
	a->settle = meta_settled;
	meta_get(n)->saving = true;
	if (n->pending && !n->etag.form) {
		set_source_etag(a, NO_ETAG);
		n->meta->follower = a;
	}
	accept_op(a, w, c, then);
}

/* The link's text is at hand: it is put again, behind what is pending for it. */
static bool link_deferred(const struct ns_call *c)
{
	const struct walk *w = walk_known(c->node->volume->ns, c);

	return link_is_known(c->node) && (walk_is_copy(w) || walk_is_change(w) || walk_is_run(w)) &&
	       walk_defers(w, WALK_PUT);
}

static void save_link(struct ns_call *c, void (*then)(struct ns_call *))
{
	struct walk *w = walk_known(c->node->volume->ns, c);
	bool deferred = link_deferred(c);

	keep_time(c->node);
	link_put(c->node, w, deferred ? NULL : c, then);
	if (deferred)
		then(c);
}

static void save_file(struct ns_call *c, void (*then)(struct ns_call *))
{
	struct walk *w = walk_known(c->node->volume->ns, c);
	bool deferred = (walk_is_change(w) || walk_is_run(w)) && walk_defers(w, WALK_CHANGE);

	meta_save_file(c->node, w, deferred ? NULL : c, then);
	if (deferred)
		then(c);
}

static void save_dir(struct ns_call *c, void (*then)(struct ns_call *))
{
	struct node *n = c->node;
	struct walk *w = walk_known(n->volume->ns, c);

	if (walk_is_run(w) || (walk_is_copy(w) && walk_is_open(w))) {
		/* The walk writes the marker at its end, once for all that is set. */
		walk_note_dir(w, n);
		then(c);
	} else if (walk_is_change(w) && walk_defers(w, WALK_PUT)) {
		dir_put_marker(n, w, NULL, NULL);
		then(c);
	} else {
		dir_put_marker(n, w, c, then);
	}
}

static bool busy(struct ns_call *c, void (*again)(struct ns_call *), bool may_follow)
{
	struct node *n = c->node;
	const struct walk *w = walk_known(n->volume->ns, c);

	/* When too much is pending the answer waits, not the memory. */
	if ((walk_is_change(w) || walk_is_run(w)) && accept_full(c, again))
		return true;
	if (n->kind != NODE_FILE)
		return false;
	if (n->pending && !link_deferred(c) && !(may_follow && follows(c)))
		wait_node(c, n, again);
	else if (n->u.content && n->u.content->flushing)
		park(c, &n->u.content->waiters, again);
	return c->parked;
}

static bool node_is_dirty(const struct node *n)
{
	return n->kind == NODE_FILE && n->u.content && n->u.content->dirty;
}

bool meta_busy(struct ns_call *c, void (*again)(struct ns_call *))
{
	return busy(c, again, false);
}

void meta_change(struct ns_call *c, const struct node_meta *m, void (*then)(struct ns_call *))
{
	struct node *n = c->node;

	c->errnum = 0;
	if (!node_is_dirty(n))
		recall_note(n);
	meta_take_bits(meta_get(n), m, m->has);
	n->meta->made &= ~m->has;
	n->meta->unsaved = true;
	if (n->kind == NODE_DIR)
		save_dir(c, then);
	else if (!n->live || node_is_dirty(n))
		then(c); /* goes along with the upload */
	else if (link_is_known(n))
		save_link(c, then);
	else
		save_file(c, then);
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

/*
 * Is what the attributes are equal to not in S3 yet, so that it may still fail? In a walk a copy
 * that is pending, and brings its attributes along, is waited for anyway; in a run all is.
 */
static bool equal_is_pending(const struct node *n, const struct walk *w)
{
	return n->pending && !walk_is_run(w) &&
	       (!w || n->kind == NODE_DIR || (n->meta && n->meta->saving));
}

void meta_set(struct ns_call *c)
{
	struct node *n = c->node;
	struct node_meta m = {0};

	c->errnum = 0;
	unmake(c);
	wanted(c, &m);
	if (!n->live || (!m.has && !equal_is_pending(n, walk_known(n->volume->ns, c)))) {
		set_done(c);
		return;
	}
	if (busy(c, meta_set, true))
		return;
	if (n->pending && !m.has) {
		wait_node(c, n, meta_set);
		return;
	}
	/* A bucket has no object for its root: what is set for it lasts as long as the mount. */
	if (m.has && !n->parent)
		meta_take_bits(meta_get(n), &m, m.has);
	if (!m.has || c->errnum || !n->live || !n->parent)
		set_done(c);
	else
		meta_change(c, &m, set_done);
}
