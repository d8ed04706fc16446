/*
 * Renaming a file: a copy, and, when that is confirmed, a delete of the source (contract C9); when
 * that is refused the copy goes again. A file that is open keeps its content; one that S3 has never
 * heard of only takes the other name. Core thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ns/ns_content.h"
#include "util/mem.h"

/* A rename under way: c->work. */
struct renaming {
	struct node *node; /* a reference */
	struct node *over; /* whose name it takes; a reference, or NULL */
	struct etag etag;  /* of the copy */
	bool refused;      /* the source is still there */
	int errnum;        /* why, while the copy is being removed */
};

static void renaming_free(struct ns_call *c)
{
	struct renaming *r = c->work;

	c->work = NULL;
	c->drop = NULL;
	content_stays(r->node);
	if (r->over)
		content_stays(r->over);
	node_unref(r->over);
	etag_free(&r->etag);
	node_unref(r->node);
	free(r);
}

static void target_settled(struct accepted *a)
{
	struct node *dir = a->extra;

	a->extra = NULL;
	node_pend(dir, -1);
	wake_settled(dir);
	node_unref(dir);
}

/* Whether there is a copy, only S3 knows, also of a directory that it had not heard of. */
static void ask_for_copy(struct node *parent)
{
	dirs_sent(parent);
	dir_changed(parent);
}

/* Nobody waits any more. */
static void renaming_drop(struct ns_call *c)
{
	ask_for_copy(c->parent2);
	renaming_free(c);
}

/* The name that it takes is another file's no more. */
static void take_name(struct node *n, struct node *parent, const char *name)
{
	struct node *old = node_live(parent, BYTES_STR(name));

	if (old && old != n) {
		if (old->u.content)
			content_unlink(old->u.content);
		node_remove(old);
	}
	if (n->live)
		meta_move_node(n, parent, BYTES_STR(name));
	else
		dir_changed(parent);
}

static void rename_end(struct ns_call *c)
{
	struct renaming *r = c->work;
	struct node *n = r->node;
	int errnum = c->errnum;

	if (!errnum) {
		struct etag old = n->etag;

		/* The copy is a version of its own: S3 is asked for the rest when it is needed. */
		n->etag = r->etag;
		r->etag = (struct etag){0};
		sources_follow(n, &old, &n->etag);
		etag_free(&old);
		dirs_sent(c->parent2);
		take_name(n, c->parent2, c->name2);
		n->checked_ms = 0;
	} else {
		ask_for_copy(c->parent2);
	}
	renaming_free(c);
	c->reply(c, errnum);
}

/* Something is pending where it goes to: who removes that directory waits, whoever has asked. */
static void pend_target(struct accepted *a, struct node *dir)
{
	a->extra = node_ref(dir);
	a->release = target_settled;
	node_pend(dir, 1);
}

/* The name moves when the source is deleted, or stays. */
static void rename_kept(struct accepted *a, const struct s3_err *err)
{
	struct ns_call *c = TAILQ_FIRST(&a->waiters);

	if (c)
		((struct renaming *)c->work)->refused = bulk_is_refused(&a->op, err);
}

static void copy_went(struct accepted *a, const struct s3_err *err)
{
	(void)a;
	(void)err;
}

static void undone(struct ns_call *c)
{
	c->errnum = ((struct renaming *)c->work)->errnum;
	rename_end(c);
}

/*
 * Nothing has been renamed, and nothing is to be at the other name: mv -n would take it for a file
 * that was there before, and pass over the source. What was there before has been replaced.
 */
static void rename_deleted(struct ns_call *c)
{
	struct renaming *r = c->work;
	struct accepted *a;
	struct buf key = BUF_INIT(0);

	if (!c->errnum || !r->refused || r->over) {
		rename_end(c);
		return;
	}
	r->errnum = c->errnum;
	a = accepted_new(r->node, BULK_DELETE, "removal of the copy for the rename");
	free((char *)a->op.key.ptr);
	node_child_key(c->parent2, BYTES_STR(c->name2), &key);
	a->op.key.len = key.len;
	a->op.key.ptr = buf_take(&key);
	a->settle = copy_went;
	pend_target(a, c->parent2);
	accept_op(a, NULL, c, undone);
}

static void copied(struct accepted *a, const struct s3_err *err)
{
	struct ns_call *c = TAILQ_FIRST(&a->waiters);

	if (err->cls == S3_OK && c)
		etag_set(&((struct renaming *)c->work)->etag, BYTES_STR(a->op.etag));
}

/* The copy is confirmed: now the source may go. */
static void rename_copied(struct ns_call *c)
{
	struct renaming *r = c->work;
	struct accepted *a;

	if (c->errnum) {
		rename_end(c);
		return;
	}
	a = is_marker_content(r->node)
		    ? marker_emptied(c->node, "removal of the renamed content of a marker")
		    : accepted_new(r->node, BULK_DELETE, "removal of the renamed file's old name");
	a->settle = rename_kept;
	accept_op(a, NULL, c, rename_deleted);
}

static void rename_copy(struct ns_call *c, struct node *n, struct node *over)
{
	struct accepted *a = accepted_new(n, BULK_COPY, "copy for the rename");
	struct renaming *r = mem_zalloc(sizeof(*r));
	struct buf key = BUF_INIT(0);

	accepted_source(a, n, &n->etag);
	free((char *)a->op.key.ptr);
	node_child_key(c->parent2, BYTES_STR(c->name2), &key);
	a->op.key.len = key.len;
	a->op.key.ptr = buf_take(&key);
	a->op.size_bytes = n->size_bytes;
	if (n->volume->config.stat_full)
		meta_keep_time(a);
	a->settle = copied;
	pend_target(a, c->parent2);
	r->node = node_ref(n);
	c->work = r;
	c->drop = renaming_drop;
	/* What is written to it meanwhile is stored when it has its name; and to the other, never.
	 */
	content_get(n)->leaving = true;
	if (over) {
		r->over = node_ref(over);
		content_get(over)->leaving = true;
	}
	accept_op(a, NULL, c, rename_copied);
}

/* S3 does not know the file yet: it is stored under the name that it has then. */
static void rename_here(struct ns_call *c, struct node *n, const struct node *to)
{
	const struct content *old = to ? to->u.content : NULL;

	n->u.content->created = !to || (old && old->created);
	take_name(n, c->parent2, c->name2);
	n->look = LOOK_DONE; /* what had the name is another file: nothing of it is kept */
	c->reply(c, 0);
}

/*
 * What the file itself must have: parts that were sent are of an object of the old name, and so is
 * what S3 has of it. True: the call was parked.
 */
static bool prepare(struct ns_call *c, struct node *n)
{
	struct content *ct = n->u.content;

	if (ct && ct->flushing) {
		park(c, &ct->waiters, ns_rename);
		return true;
	}
	if (ct && ct->dirty && (ct->upload || !ct->created)) {
		content_settle(c, ct, ns_rename);
		return true;
	}
	if (n->pending) {
		wait_node(c, n, ns_rename);
		return true;
	}
	return false;
}

/* Have both names one key? A copy onto itself, and the delete of it, would lose the object. */
static bool same_key(const struct ns_call *c, const struct node *n)
{
	struct buf from = BUF_INIT(0), to = BUF_INIT(0);
	bool same;

	node_key(n, &from);
	node_child_key(c->parent2, BYTES_STR(c->name2), &to);
	if (n->kind == NODE_DIR)
		buf_addc(&to, '/');
	same = bytes_equal(buf_bytes(&from), buf_bytes(&to));
	buf_free(&from);
	buf_free(&to);
	return same;
}

/* The type of what is there decides, and who mv is. */
static int refused(const struct ns_call *c, const struct node *n, const struct node *to)
{
	struct ns_call target = {.node = c->parent2};
	int r = name_check(&target, c->name2);

	if (c->node->volume->config.read_only)
		return EROFS;
	if (!n || !c->parent2->live)
		return ENOENT;
	if (c->flags & ~(unsigned)RENAME_NOREPLACE)
		return EINVAL;
	if (to && (c->flags & RENAME_NOREPLACE))
		return EEXIST;
	if (n->volume != c->parent2->volume || walk_is_tree_move(walk_known(n->volume->ns, c)))
		return EXDEV; /* mv then walks through the fast copy and the batched delete */
	if (n->kind == NODE_FILE && to && to->kind == NODE_DIR)
		return EISDIR;
	if (n->kind == NODE_DIR && name_is_beside(BYTES_STR(c->name2)))
		return EINVAL;
	return r;
}

void ns_rename(struct ns_call *c)
{
	struct node *n = node_live(c->node, BYTES_STR(c->name));
	struct node *to = node_live(c->parent2, BYTES_STR(c->name2));
	int r = refused(c, n, to);

	if (!r && to != n && same_key(c, n))
		r = EINVAL;
	if (r || c->errnum || to == n) {
		c->reply(c, r ? r : c->errnum);
		return;
	}
	if (n->kind == NODE_DIR) {
		rename_dir(c);
		return;
	}
	if (prepare(c, n) || (to && file_unname(c, to, ns_rename)))
		return;
	if (n->u.content && n->u.content->created) {
		rename_here(c, n, to);
	} else if (!c->step && c->node != c->parent2) {
		c->step = 1;
		keep_parent(c, n, ns_rename);
	} else {
		rename_copy(c, n, to);
	}
}
