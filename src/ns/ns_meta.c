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
	struct accepted *follower = n->meta ? n->meta->follower : NULL;

	n->look = LOOK_NONE;
	if (!n->meta)
		return;
	keep_drop(n->meta);
	meta_clear(n->meta);
	if (follower) {
		n->meta->follower = follower;
		return;
	}
	free(n->meta);
	n->meta = NULL;
}

void meta_take(struct node *n, struct node_meta *m)
{
	meta_drop(n);
	n->look = LOOK_DONE;
	if (m->has || m->others || m->tagged || m->target || m->keep) {
		m->follower = n->meta ? n->meta->follower : NULL;
		*meta_get(n) = *m;
	}
	*m = (struct node_meta){0};
}

void meta_merge(struct node *n, struct node_meta *m)
{
	struct node_meta *old = n->meta;

	if (old && (old->unsaved || old->made)) {
		meta_take_bits(old, m, ~old->has);
		old->others = m->others;
		old->tagged = m->tagged;
		old->size = m->size;
		meta_clear(m);
		return;
	}
	if (old && old->target) {
		m->target = old->target;
		old->target = NULL;
	}
	meta_take(n, m);
}

void meta_merge_known(struct node *n, struct node_meta *m)
{
	struct node_meta *to = meta_get(n);

	meta_take_bits(to, m, ~(to->has | META_MTIME));
	to->keep = m->keep;
	m->keep = NULL;
	meta_clear(m);
}

static mode_t type_of(const struct node *n)
{
	return n->kind == NODE_DIR ? S_IFDIR : n->link ? S_IFLNK : S_IFREG;
}

const char *meta_type_by_name(const struct node *n)
{
	if (n->kind == NODE_DIR)
		return "application/x-directory";
	return n->link ? META_LINK_TYPE : mime_type(n->volume->ns->mime, n->name);
}

const char *meta_type(const struct node *n)
{
	return n->meta && n->meta->content_type ? n->meta->content_type : meta_type_by_name(n);
}

/* Its object has this type, whatever its name stands for. */
static void keep_type(struct node *n, const char *type)
{
	if (!strcmp(type, meta_type(n)))
		return;
	free(meta_get(n)->content_type);
	n->meta->content_type = mem_strdup(type);
	n->meta->has |= META_TYPE;
}

void meta_take_bits(struct node_meta *to, const struct node_meta *from, unsigned bits)
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
	if (bits & META_TYPE) {
		free(to->content_type);
		to->content_type = mem_strdup(from->content_type);
	}
}

struct node_meta *meta_clone(const struct node_meta *m)
{
	struct node_meta *to;

	if (!m)
		return NULL;
	to = mem_zalloc(sizeof(*to));
	meta_take_bits(to, m, m->has);
	to->others = m->others;
	to->tagged = m->tagged;
	to->size = m->size;
	to->target = mem_strdup(m->target);
	return to;
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
	meta_take_bits(meta_get(n), &m, m.has);
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
	       (!(bits & META_XATTRS) || xattrs_equal(&m->xattrs, &like->xattrs)) &&
	       (!(bits & META_TYPE) || !strcmp(m->content_type, like->content_type));
}

/*
 * Was anything set for the copy that its source does not have? Of a file that was there before, and
 * is written over, that is what it had.
 */
static bool is_own(const struct node *copy, const struct node *source)
{
	const struct node_meta *m = copy->meta;
	unsigned set = m ? m->has & ~m->made : 0;

	if (m && !m->unsaved)
		set &= ~META_TYPE;
	return set &&
	       (source->look != LOOK_DONE || !source->meta || !has_bits(source->meta, m, set));
}

static bool meta_take_copied(struct node *to, const struct node *from)
{
	bool own = is_own(to, from);
	struct node_meta *m;

	/* S3 copies the source's without being told: then they are what it has. */
	if (!own)
		meta_drop(to);
	to->look = from->look;
	to->link = from->link;
	m = to->meta;
	if (m) {
		if (!m->unsaved)
			m->has &= ~META_TYPE;
		m->made = 0;
		m->unsaved = false;
		keep_drop(m);
	}
	if (from->meta) {
		m = meta_get(to);
		meta_take_bits(m, from->meta, ~m->has);
		m->others = from->meta->others;
		m->tagged = from->meta->tagged;
		m->size = from->meta->size;
		free(m->target);
		m->target = mem_strdup(from->meta->target);
	}
	if (from->look == LOOK_DONE && !(m && (m->has & META_TYPE)))
		keep_type(to, meta_type(from));
	return own;
}

bool meta_copy(struct node *to, const struct node *from)
{
	struct stat before = {0}, after = {0};
	bool own;

	meta_apply(to, &before);
	own = meta_take_copied(to, from);
	meta_apply(to, &after);
	/* Of a file that was there the kernel knows how it was, and asks for its new size only. */
	if (to->live && !(to->u.content && to->u.content->created) &&
		(before.st_mode != after.st_mode || before.st_uid != after.st_uid ||
			before.st_gid != after.st_gid))
		node_stale(to);
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

/* S3 has of it what was sent: our attributes, and what was kept; or soon will. */
static void sent(struct node *n, const struct s3_meta *kept)
{
	bool others =
		kept && (kept->user_count || kept->cache_control || kept->content_disposition ||
				kept->content_encoding || kept->content_language || kept->expires ||
				kept->redirect || kept->encryption);

	n->look = LOOK_DONE;
	if (!n->meta && !kept)
		return;
	meta_get(n)->unsaved = false;
	n->meta->made = 0;
	n->meta->others = others;
	n->meta->tagged = kept && kept->tagging;
	if (!others)
		n->meta->size = 0;
}

/* The headers of a new object: those of the old one, ours over them. */
static void send_put(struct accepted *a)
{
	struct node *n = a->node;
	const struct s3_meta *kept = a->kept = keep_take(n);
	size_t i, count = 0;

	if (kept)
		a->meta = *kept;
	a->user = mem_calloc(a->patch_count + (kept ? kept->user_count : 0), sizeof(*a->user));
	for (i = 0; kept && i < kept->user_count; i++)
		a->user[count++] = kept->user[i];
	for (i = 0; i < a->patch_count; i++)
		a->user[count++] = a->patch[i];
	a->meta.user = a->user;
	a->meta.user_count = count;
	/* In an archive it could not be read any more. */
	if (n->archived)
		a->meta.storage_class = NULL;
	else if (n->class_id)
		a->meta.storage_class = n->volume->ns->classes[n->class_id];
	sent(n, kept);
}

void meta_send(struct accepted *a)
{
	struct node *n = a->node;
	bool copy = a->op.kind == BULK_COPY;

	a->patch = meta_headers(n->meta, type_of(n), copy, &a->patch_count);
	a->content_type = mem_strdup(meta_type(n));
	if (copy) {
		a->meta.user = a->patch;
		a->meta.user_count = a->patch_count;
		a->op.patch = a->patch;
		a->op.patch_count = a->patch_count;
		if (n->meta && (n->meta->has & META_TYPE))
			a->op.content_type = a->content_type;
		if (meta_is_known(a->source, a->source == n))
			a->op.whole = &a->meta;
		if (n->meta)
			n->meta->unsaved = false;
	} else {
		send_put(a);
	}
	a->meta.content_type = a->content_type;
}

void meta_unsend(struct accepted *a)
{
	meta_headers_free(a->patch, a->patch_count);
	meta_headers_free(a->time, a->time ? 1 : 0);
	s3_meta_free(a->kept);
	free(a->user);
	free(a->content_type);
}

mode_t meta_without_privileges(mode_t mode)
{
	/* Without group execution the bit is about locks, and no privilege: chown(2). */
	return mode & ~(mode_t)(S_ISUID | (mode & S_IXGRP ? S_ISGID : 0));
}

/* The bytes have changed: so has the time, and it is S3's again. */
void meta_written(struct node *n)
{
	struct node_meta *m = n->meta;

	if (!m)
		return;
	m->has &= ~(unsigned)META_MTIME;
	if (meta_without_privileges(m->mode) == m->mode)
		return;
	m->mode = meta_without_privileges(m->mode);
	/* The kernel leaves this to us, and knows the mode as it was. */
	if (n->live)
		node_stale(n);
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
	char *type = mem_strdup(meta_type(n));

	walks_name_moves(n);
	node_move(n, parent, name);
	forget_times(n);
	if (n->look == LOOK_DONE)
		keep_type(n, type);
	free(type);
}
