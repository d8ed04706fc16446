/*
 * Names that are made whole by one call: symbolic links (symlink(2)), whose content is where they
 * point to, and empty files (mknod(2)). As with every upload, a walk's are deferred, and its last
 * one is held until all of the walk is done. Core thread.
 */
#include <errno.h>
#include <stdlib.h>

#include "ns/ns_content.h"
#include "util/clk.h"
#include "util/mem.h"

static void made_settled(struct accepted *a, const struct s3_err *err)
{
	if (err->cls == S3_OK)
		file_stored(a);
	else if (a->node->etag.form)
		meta_lost(a->node); /* what was put before is there, as it was */
	else if (a->node->pending == 1)
		file_lost(a->node);
}

void link_put(struct node *n, struct walk *w, struct ns_call *c, void (*then)(struct ns_call *))
{
	struct accepted *a =
		accepted_new(n, BULK_PUT, n->link ? "making the link" : "making the file");
	const char *text = n->link ? n->meta->target : "";
	size_t len = strlen(text);
	struct bytes *run = mem_zalloc(sizeof(*run) + len);

	/* The run and what it points at are one piece of memory, freed with the operation. */
	memcpy(run + 1, text, len);
	*run = BYTES((const char *)(run + 1), len);
	a->extra = run;
	a->op.body = (struct s3_body){.runs = run, .run_count = 1};
	a->op.meta = &a->meta;
	meta_send(a);
	a->settle = made_settled;
	accept_op(a, w, c, then);
}

bool link_is_known(const struct node *n)
{
	return n->link && n->look == LOOK_DONE && n->meta && n->meta->target && !n->meta->others &&
	       !n->meta->tagged;
}

static void node_drop(struct ns_call *c)
{
	node_unref(c->work);
	c->work = NULL;
}

static void make_end(struct ns_call *c, int errnum)
{
	struct node *n = c->work;

	c->work = NULL;
	if (errnum)
		c->reply(c, errnum);
	else
		reply_entry(c, n);
	node_unref(n);
}

static void make_done(struct ns_call *c)
{
	make_end(c, c->errnum);
}

static void make_barrier(struct ns_call *c)
{
	struct walk *w = walk_known(c->node->volume->ns, c);
	int errnum = 0;

	if (w && walk_barrier(w, c, make_barrier, &errnum))
		return;
	if (w)
		walk_passed_end(w);
	make_end(c, errnum);
}

/* 0, or why the name cannot be made. */
static int check(const struct ns_call *c)
{
	int r = name_check(c, c->name);

	if (!r && c->node->volume->config.read_only)
		r = EROFS;
	if (!r && !c->node->live)
		r = ENOENT;
	if (!r && node_live(c->node, BYTES_STR(c->name)))
		r = EEXIST;
	return r;
}

static struct node *make(struct ns_call *c, size_t size)
{
	struct node *n = node_add(c->node, BYTES_STR(c->name), NODE_FILE);

	n->mtime_ms = clk_wall_ms();
	n->checked_ms = clk_mono_ms();
	n->size_bytes = size;
	n->link = c->name2;
	meta_made(n, c);
	node_touch(n);
	c->work = node_ref(n);
	c->drop = node_drop;
	return n;
}

void ns_symlink(struct ns_call *c)
{
	struct walk *w = walk_of(c->node->volume, c);
	int errnum = check(c);
	bool last, deferred;
	struct node *n;

	walk_turns_to_copy(w);
	if (errnum || accept_full(c, ns_symlink)) {
		if (errnum)
			c->reply(c, errnum);
		return;
	}
	n = make(c, strlen(c->name2));
	meta_get(n)->target = mem_strdup(c->name2);
	last = walk_is_copy(w) && walk_is_open(w) && walk_copy_is_last(w);
	deferred = last || ((walk_is_copy(w) || walk_is_run(w)) && walk_defers(w, WALK_PUT));
	link_put(n, w, deferred ? NULL : c, make_done);
	if (last)
		make_barrier(c);
	else if (deferred)
		make_end(c, 0);
}

void ns_mknod(struct ns_call *c)
{
	int errnum = S_ISREG(c->st.st_mode) || !(c->st.st_mode & S_IFMT) ? check(c) : EPERM;

	if (errnum) {
		c->reply(c, errnum);
		return;
	}
	if (accept_full(c, ns_mknod))
		return;
	link_put(make(c, 0), walk_known(c->node->volume->ns, c), c, make_done);
}
