/*
 * Rename of a directory: flat list, all copies, and, when every one is confirmed, all deletes
 * (contract C9). On a failure before that the source is whole, and what was copied is removed
 * again. A larger tree than the limit is EXDEV: mv then walks, and nothing waits behind the
 * kernel's rename lock for long.
 */
#include <errno.h>
#include <stdlib.h>

#include "ns/ns_content.h"
#include "util/log.h"
#include "util/mem.h"

#define RENAME_LIMIT_DEFAULT 10000

enum phase { LISTING, COPYING, DELETING, UNDOING };

struct move {
	struct bulk_op op; /* the copy, then the delete of its source, or of itself */
	struct rename_job *job;
	bool copied;
	char *class_name;
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
	enum phase phase;
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

/* What is known of the sources is so of the copies; they are versions of their own. */
static void follow(struct rename_job *j)
{
	size_t i;

	for (i = 0; i < j->count; i++) {
		const struct move *m = j->moves[i];
		struct bytes from = m->op.key, to = m->op.source_key; /* aim() */
		struct bytes etag = m->etag ? BYTES_STR(m->etag) : m->op.source_etag;
		struct node *n;
		struct etag old = {0};

		recall_move(j->volume, from, to, etag);
		n = m->etag ? node_at(j->dir, BYTES(from.ptr + j->from.len, from.len - j->from.len))
			    : NULL;
		if (!n)
			continue;
		etag_copy(&old, &n->etag);
		etag_set(&n->etag, etag);
		sources_follow(n, &old, &n->etag);
		etag_free(&old);
	}
}

/* Answers, with the names as S3 has them now. */
static void job_end(struct rename_job *j, int errnum)
{
	struct ns *ns = j->volume->ns;
	struct bytes to = BYTES_STR(j->name2);
	struct node *old = node_live(j->parent2, to);
	struct ns_call *c;

	if (!errnum && j->dir->live) {
		if (old && old != j->dir)
			node_remove(old);
		meta_move_node(j->dir, j->parent2, to);
		follow(j);
	} else {
		dir_changed(j->dir);
		dir_changed(j->parent2);
	}
	ns->accepted--;
	TAILQ_FOREACH(c, &j->waiters, link)
	c->errnum = errnum;
	wake(&j->waiters);
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
	else
		job_end(j, j->err.errnum);
}

static void moved(struct bulk_op *op, const struct s3_err *err)
{
	struct move *m = (struct move *)op;
	struct rename_job *j = m->job;
	char text[400];

	if (err->cls != S3_OK) {
		log_error("%s for the rename of a directory failed at %.*s: %s",
			j->phase == COPYING ? "copy" : "delete", (int)op->key.len, op->key.ptr,
			s3_err_text(err, text, sizeof(text)));
		if (j->err.cls == S3_OK)
			j->err = *err;
	} else if (j->phase == COPYING) {
		m->copied = true;
		if (op->etag[0] && !bytes_equal(op->source_etag, BYTES_STR(op->etag)))
			m->etag = mem_strdup(op->etag);
	}
	if (!--j->left)
		step_over(j);
}

/* The key that this phase writes: the copy's, or, to delete it, the source's. */
static void aim(struct move *m, enum phase phase)
{
	if (phase == DELETING) {
		struct bytes copy = m->op.key;

		m->op.key = m->op.source_key;
		m->op.source_key = copy;
	}
	m->op.kind = phase == COPYING ? BULK_COPY : BULK_DELETE;
}

static void start_all(struct rename_job *j, enum phase phase)
{
	size_t i;

	j->phase = phase;
	j->left = 1;
	for (i = 0; i < j->count; i++) {
		struct move *m = j->moves[i];

		if (phase == UNDOING && !m->copied)
			continue;
		aim(m, phase);
		j->left++;
		bulk_submit(&m->op);
	}
	bulk_hurry(j->volume->target);
	if (!--j->left)
		step_over(j);
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
	if (j->count > j->limit || TAILQ_EMPTY(&j->waiters)) {
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

static void job_start(struct ns_call *c, struct node *dir)
{
	struct rename_job *j = mem_zalloc(sizeof(*j));
	struct ns *ns = dir->volume->ns;

	j->volume = dir->volume;
	j->dir = node_ref(dir);
	j->parent2 = node_ref(c->parent2);
	j->name2 = mem_strdup(c->name2);
	j->limit = ns->config.rename_limit ? ns->config.rename_limit : RENAME_LIMIT_DEFAULT;
	TAILQ_INIT(&j->waiters);
	node_key(dir, &j->from);
	node_child_key(c->parent2, BYTES_STR(c->name2), &j->to);
	buf_addc(&j->to, '/');
	ns->accepted++; /* an unmount waits for it */
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

	if (!n || (to && to->kind != NODE_DIR)) {
		c->reply(c, n ? ENOTDIR : ENOENT);
		return;
	}
	if (n->u.dir->pending) {
		wait_node(c, n, rename_dir);
		return;
	}
	if (to && !to->unsent && !dir_is_fresh(to, c) && c->step < 3) {
		c->step++;
		dir_list(to);
		park(c, &to->u.dir->waiters, rename_dir);
		return;
	}
	if (to && (to->u.dir->kid_live || (!to->u.dir->complete && !to->unsent)))
		c->reply(c, ENOTEMPTY);
	else if (n->keepers || has_writers(n))
		c->reply(c, EBUSY);
	else
		job_start(c, n);
}
