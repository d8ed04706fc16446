/*
 * Rename of a directory: flat list, all copies, and, when every one is confirmed, all deletes
 * (contract C9). On a failure the source is whole, and what was copied is removed again; what had
 * been deleted is copied back before that. A larger tree than the limit is EXDEV: mv then walks,
 * and nothing waits behind the kernel's rename lock for long.
 */
#include <errno.h>
#include <stdlib.h>

#include "ns/ns_content.h"
#include "util/log.h"
#include "util/mem.h"

#define RENAME_LIMIT_DEFAULT 10000

enum phase { LISTING, COPYING, DELETING, RESTORING, UNDOING };

struct move {
	struct bulk_op op; /* the copy, then the delete of its source, or of itself */
	struct rename_job *job;
	bool turned;          /* op.key is the source's, op.source_key the copy's */
	bool copied, deleted; /* or that may be: the answer was lost */
	bool restored;
	char *class_name;
	struct s3_header time; /* stat=full: what its copy keeps; or no value */
	char *etag; /* of the copy, if it is another than the source's: a multipart object's is */
};

struct rename_job {
	struct ns_volume *volume;
	struct node *dir, *parent2; /* references */
	char *name2;
	struct buf from, to; /* key prefixes, ending with '/' */
	struct move **moves;
	size_t count, cap, left;
	size_t limit;
	unsigned pages;
	enum phase phase;
	struct held_walks *held;
	pid_t tid;                   /* who renames */
	bool torn;                   /* something of the source could not be copied back */
	struct s3_err err;           /* the first one */
	struct ns_call_list waiters; /* the rename call; empty after an interrupt */
};

static void job_free(struct rename_job *j)
{
	size_t i;

	for (i = 0; i < j->count; i++) {
		free((char *)j->moves[i]->op.key.ptr);
		free((char *)j->moves[i]->op.source_key.ptr);
		free((char *)j->moves[i]->op.source_etag.ptr);
		free(j->moves[i]->class_name);
		free((char *)j->moves[i]->time.value);
		free(j->moves[i]->etag);
		free(j->moves[i]);
	}
	free(j->moves);
	buf_free(&j->from);
	buf_free(&j->to);
	node_unref(j->dir);
	node_unref(j->parent2);
	free(j->name2);
	free(j);
}

static void over(struct ns_call *c)
{
	c->work = NULL;
	/* mv tries each file of the tree by itself then: in bulk it is better off. */
	if (c->errnum == EXDEV)
		walk_moves_tree(walk_of(c->node->volume, c));
	c->reply(c, c->errnum);
}

/* What has that key below `dir`: NULL: it is not known here. */
static struct node *node_at(struct node *dir, struct bytes below)
{
	struct node *n = dir;
	size_t i, start = 0;

	for (i = 0; n && n->kind == NODE_DIR && i <= below.len; i++) {
		struct bytes component = BYTES(below.ptr + start, i - start);
		struct buf name = BUF_INIT(8192);

		if (i < below.len && below.ptr[i] != '/')
			continue;
		name_encode(component, false, &name);
		dir = n;
		n = node_live(dir, buf_bytes(&name));
		if (n && n->kind == NODE_DIR && i == below.len) {
			buf_cut(&name, 0);
			name_encode(component, true, &name);
			n = node_live(dir, buf_bytes(&name));
		}
		buf_free(&name);
		start = i + 1;
	}
	return n && n->kind == NODE_FILE ? n : NULL;
}

static struct bytes source_key(const struct move *m)
{
	return m->turned ? m->op.key : m->op.source_key;
}

static struct bytes copy_key(const struct move *m)
{
	return m->turned ? m->op.source_key : m->op.key;
}

/* The node is that version now, which has the content of the one it was. */
static void is_version(const struct rename_job *j, const struct move *m, struct bytes etag)
{
	struct bytes key = source_key(m);
	struct node *n = node_at(j->dir, BYTES(key.ptr + j->from.len, key.len - j->from.len));
	struct etag old = {0};

	if (!n)
		return;
	etag_copy(&old, &n->etag);
	etag_set(&n->etag, etag);
	sources_follow(n, &old, &n->etag);
	etag_free(&old);
}

/* What is known of the sources is so of the copies; they are versions of their own. */
static void follow(struct rename_job *j)
{
	size_t i;

	for (i = 0; i < j->count; i++) {
		const struct move *m = j->moves[i];
		struct bytes etag = m->etag ? BYTES_STR(m->etag) : m->op.source_etag;

		recall_move(j->volume, source_key(m), copy_key(m), etag);
		if (m->etag)
			is_version(j, m, etag);
	}
}

/* Which names are left, only S3 knows. */
static void tree_changed(struct node *dir)
{
	const struct dir *d = dir->u.dir;
	size_t i;

	dir_changed(dir);
	for (i = 0; i < d->kid_count; i++)
		if (d->kids[i] && d->kids[i]->kind == NODE_DIR)
			tree_changed(d->kids[i]);
}

/* Answers, with the names as S3 has them now. */
static void job_end(struct rename_job *j, int errnum)
{
	struct ns *ns = j->volume->ns;
	struct bytes to = BYTES_STR(j->name2);
	struct node *old = node_live(j->parent2, to);
	struct ns_call *c;

	/* S3 knows the directory now by what is in it, or may: it is the one to ask from now on. */
	if (j->count && j->phase != LISTING)
		dirs_sent(j->parent2);
	if (!errnum && j->dir->live) {
		if (old && old != j->dir)
			node_remove(old);
		meta_move_node(j->dir, j->parent2, to);
		follow(j);
	} else {
		if (j->torn)
			tree_changed(j->dir);
		dir_changed(j->dir);
		dir_changed(j->parent2);
	}
	ns->accepted--;
	TAILQ_FOREACH(c, &j->waiters, link)
	c->errnum = errnum;
	node_pend(j->parent2, -1);
	walks_release(j->held);
	wake(&j->waiters);
	wake_settled(j->parent2);
	job_free(j);
}

static void start_all(struct rename_job *j, enum phase phase);

static void step_over(struct rename_job *j)
{
	bool failed = j->err.cls != S3_OK;

	if (j->phase == COPYING && failed)
		start_all(j, UNDOING);
	else if (j->phase == COPYING && TAILQ_EMPTY(&j->waiters)) {
		/* Interrupted: the caller believes that nothing has happened. */
		j->err = (struct s3_err){.cls = S3_CANCELLED, .errnum = EINTR};
		start_all(j, UNDOING);
	} else if (j->phase == COPYING)
		start_all(j, DELETING);
	else if (j->phase == DELETING && failed)
		start_all(j, RESTORING);
	else if (j->phase == RESTORING)
		start_all(j, UNDOING);
	else
		job_end(j, j->err.errnum);
}

static const char *phase_name(enum phase phase)
{
	return phase == COPYING     ? "copy for the rename of a directory"
	       : phase == RESTORING ? "copy back for the rename of a directory"
				    : "delete for the rename of a directory";
}

static void report(const struct rename_job *j, const struct bulk_op *op, const struct s3_err *err)
{
	struct buf path = BUF_INIT(0);
	char text[400], command[64] = "";
	struct ns_failure f = {.what = phase_name(j->phase),
		.key = op->key,
		.err = *err,
		.command = command,
		.pid = j->tid};

	log_error("%s failed at %.*s: %s", f.what, (int)op->key.len, op->key.ptr,
		s3_err_text(err, text, sizeof(text)));
	node_path(j->dir, &path);
	f.path = buf_str(&path);
	procstat_command(j->tid, command);
	ledger_add(&j->volume->ledger, &f);
	buf_free(&path);
}

static void done_well(struct move *m)
{
	const struct bulk_op *op = &m->op;

	switch (m->job->phase) {
	case COPYING:
		m->copied = true;
		if (op->etag[0] && !bytes_equal(op->source_etag, BYTES_STR(op->etag)))
			m->etag = mem_strdup(op->etag);
		break;
	case DELETING:
		m->deleted = true;
		break;
	case RESTORING:
		m->restored = true;
		if (op->etag[0])
			is_version(m->job, m, BYTES_STR(op->etag));
		break;
	default:
		break;
	}
}

static void moved(struct bulk_op *op, const struct s3_err *err)
{
	struct move *m = (struct move *)op;
	struct rename_job *j = m->job;

	if (err->cls != S3_OK) {
		report(j, op, err);
		m->copied |= j->phase == COPYING && !bulk_is_refused(op, err);
		m->deleted |= j->phase == DELETING && !bulk_is_refused(op, err);
		j->torn |= j->phase == RESTORING;
		if (j->err.cls == S3_OK)
			j->err = *err;
	} else {
		done_well(m);
	}
	if (!--j->left)
		step_over(j);
}

/* False: this phase has nothing to do for it. */
static bool takes_part(const struct move *m, enum phase phase)
{
	switch (phase) {
	case RESTORING:
		return m->deleted;
	case UNDOING:
		/* The only one there is stays. */
		return m->copied && (!m->deleted || m->restored);
	default:
		return true;
	}
}

/* The key that this phase writes: the copy's, or, to delete it or bring it back, the source's. */
static void aim(struct move *m, enum phase phase)
{
	bool turned = phase == DELETING || phase == RESTORING;

	if (m->turned != turned) {
		struct bytes key = m->op.key;

		m->op.key = m->op.source_key;
		m->op.source_key = key;
		m->turned = turned;
	}
	m->op.kind = phase == COPYING || phase == RESTORING ? BULK_COPY : BULK_DELETE;
	if (phase == RESTORING && m->etag) {
		free((char *)m->op.source_etag.ptr);
		m->op.source_etag = BYTES_STR(m->etag);
		m->etag = NULL;
	}
}

static void start_all(struct rename_job *j, enum phase phase)
{
	size_t i;

	j->phase = phase;
	j->left = 1;
	for (i = 0; i < j->count; i++) {
		struct move *m = j->moves[i];

		if (!takes_part(m, phase))
			continue;
		aim(m, phase);
		j->left++;
		bulk_submit(&m->op);
	}
	bulk_hurry(j->volume->target);
	if (!--j->left)
		step_over(j);
}

/* Where times are read from metadata, that of a name that has none there is kept in it. */
static void keep_time(struct move *m, int64_t mtime_ms)
{
	struct timespec time = {.tv_sec = mtime_ms / 1000, .tv_nsec = mtime_ms % 1000 * 1000000};
	char text[MTIME_TEXT];

	mtime_format(&time, text);
	m->time = (struct s3_header){.name = "mtime", .value = mem_strdup(text)};
	m->op.if_absent = &m->time;
}

static void add_move(struct rename_job *j, const struct s3_list_entry *e)
{
	struct move *m = mem_zalloc(sizeof(*m));
	struct buf key = BUF_INIT(65536);

	if (j->count == j->cap) {
		j->cap = j->cap ? j->cap * 2 : 256;
		j->moves = mem_resize(j->moves, j->cap, sizeof(struct move *));
	}
	j->moves[j->count++] = m;
	buf_addb(&key, buf_bytes(&j->to));
	buf_add(&key, e->key.ptr + j->from.len, e->key.len - j->from.len);
	m->job = j;
	m->op.target = m->op.source = j->volume->target;
	m->op.key.len = key.len;
	m->op.key.ptr = buf_take(&key);
	m->op.source_key = BYTES(mem_dup(e->key.ptr, e->key.len), e->key.len);
	m->op.source_etag = BYTES(mem_dup(e->etag.ptr, e->etag.len), e->etag.len);
	m->op.size_bytes = e->size_bytes;
	if (e->storage_class.len && !bytes_equal(e->storage_class, BYTES_LIT("STANDARD")))
		m->class_name = mem_dup(e->storage_class.ptr, e->storage_class.len);
	m->op.storage_class = m->class_name;
	if (j->volume->config.stat_full)
		keep_time(m, e->mtime_ms);
	m->op.done = moved;
}

static void listed(void *ctx, const struct s3_err *err, const struct s3_list_page *page);

static void list_page(struct rename_job *j, struct bytes token)
{
	struct s3_list_params params = {.prefix = buf_bytes(&j->from), .token = token};

	s3_list(j->volume->client, &params, 0, listed, j);
}

static void listed(void *ctx, const struct s3_err *err, const struct s3_list_page *page)
{
	struct rename_job *j = ctx;
	size_t i;

	if (err->cls != S3_OK) {
		job_end(j, err->errnum);
		return;
	}
	for (i = 0; i < page->count; i++)
		if (bytes_starts(page->entries[i].key, buf_bytes(&j->from)))
			add_move(j, &page->entries[i]);
	/* However few keys they have, and whether or not they ever end. */
	if (j->count > j->limit || ++j->pages > j->limit || TAILQ_EMPTY(&j->waiters)) {
		job_end(j, EXDEV);
		return;
	}
	if (page->truncated)
		list_page(j, page->next_token);
	else if (!j->count && !j->dir->unsent)
		job_end(j, ENOENT); /* somebody else has removed it */
	else
		start_all(j, COPYING);
}

static void no_drop(struct ns_call *c)
{
	c->work = NULL; /* the job goes on, and finds that nobody waits */
}

static bool has_writers(const struct node *dir)
{
	const struct dir *d = dir->u.dir;
	size_t i;

	for (i = 0; i < d->kid_count; i++) {
		const struct node *n = d->kids[i];

		if (n && (n->kind == NODE_DIR ? has_writers(n) : node_has_writer(n)))
			return true;
	}
	return false;
}

static void job_start(struct ns_call *c, struct node *dir, struct held_walks *held)
{
	struct rename_job *j = mem_zalloc(sizeof(*j));
	struct ns *ns = dir->volume->ns;

	j->volume = dir->volume;
	j->tid = c->tid;
	j->held = held;
	j->dir = node_ref(dir);
	j->parent2 = node_ref(c->parent2);
	j->name2 = mem_strdup(c->name2);
	j->limit = dir->volume->config.rename_limit;
	if (!j->limit)
		j->limit = RENAME_LIMIT_DEFAULT;
	TAILQ_INIT(&j->waiters);
	node_key(dir, &j->from);
	node_child_key(c->parent2, BYTES_STR(c->name2), &j->to);
	buf_addc(&j->to, '/');
	ns->accepted++; /* an unmount waits for it, and a removal of where it goes to */
	node_pend(j->parent2, 1);
	c->work = j;
	c->drop = no_drop;
	c->errnum = 0;
	park(c, &j->waiters, over);
	list_page(j, BYTES_NONE);
}

void rename_dir(struct ns_call *c)
{
	struct node *n = node_live(c->node, BYTES_STR(c->name));
	struct node *to = node_live(c->parent2, BYTES_STR(c->name2));
	struct held_walks *held;

	if (c->errnum || !n || (to && to->kind != NODE_DIR)) {
		c->reply(c, c->errnum ? c->errnum : n ? ENOTDIR : ENOENT);
		return;
	}
	if (n->u.dir->pending) {
		wait_node(c, n, rename_dir);
		return;
	}
	if (!c->step && c->node != c->parent2) {
		c->step = 1;
		keep_parent(c, n, rename_dir);
		return;
	}
	/* That it is empty must be true now, and not only by what was listed lately. */
	if (to && !to->unsent && (c->step < 2 || !dir_is_fresh(to, c)) && c->step < 4) {
		c->step = c->step < 2 ? 2 : c->step + 1;
		dir_list(to);
		park(c, &to->u.dir->waiters, rename_dir);
		return;
	}
	if (to && (to->u.dir->kid_live || (!to->u.dir->complete && !to->unsent)))
		c->reply(c, ENOTEMPTY);
	else if (has_writers(n) || !(held = walks_hold(n)))
		c->reply(c, EBUSY);
	else
		job_start(c, n, held);
}
