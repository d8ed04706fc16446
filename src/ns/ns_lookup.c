/*
 * lookup, getattr, setattr, forget. A name is answered from the listing it came with while that is
 * fresh; else S3 is asked about this one name (ns_list.c, probe_name). Not found is only ever a
 * 404.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "ns/ns_content.h"
#include "util/clk.h"
#include "util/mem.h"

/* What a recognised walk was told stays so for the kernel; ns_walk.c takes it back at its end. */
#define WALK_TIMEOUT_S 600.0
/* A key of 1,024 bytes, each of them escaped, and the marks. */
#define NAME_BYTES_MAX (3 * 1024 + 4)
#define PROBES_MAX 8

void node_attr(const struct node *n, const struct ns_call *c, struct ns_attr *attr)
{
	const struct ns_config *cf = &n->volume->config;
	double age_s = (double)(clk_mono_ms() - n->checked_ms) / 1000;
	double left_s = cf->metadata_ttl_s - age_s;
	struct stat *st = &attr->st;

	*attr = (struct ns_attr){0};
	st->st_ino = n->ino;
	st->st_nlink = n->live ? 1 : 0;
	st->st_uid = cf->uid;
	st->st_gid = cf->gid;
	st->st_blksize = 131072;
	if (n->kind == NODE_DIR) {
		st->st_mode = S_IFDIR | cf->dir_mode;
	} else {
		st->st_mode = n->link ? S_IFLNK | 0777 : S_IFREG | cf->file_mode;
		st->st_size = (off_t)n->size_bytes;
		st->st_blocks = (blkcnt_t)((n->size_bytes + 511) / 512);
	}
	st->st_mtim.tv_sec = n->mtime_ms / 1000;
	st->st_mtim.tv_nsec = n->mtime_ms % 1000 * 1000000;
	st->st_atim = st->st_ctim = st->st_mtim;
	meta_apply(n, st);
	if (!n->parent || walk_vouches(c, n))
		left_s = WALK_TIMEOUT_S;
	else if (n->pending || n->unsent || left_s < 0)
		left_s = n->kind == NODE_DIR ? cf->metadata_ttl_s : 0;
	attr->attr_timeout_s = left_s;
	/* A name that a failed operation may still take away is looked up each time. */
	attr->entry_timeout_s = n->kind == NODE_FILE && n->pending ? 0 : left_s;
}

void reply_entry(struct ns_call *c, struct node *n)
{
	if (!n->lookups++)
		node_ref(n);
	node_attr(n, c, &c->attr);
	c->result = n;
	c->reply(c, 0);
}

/* Is what we know of this name still good for this caller? */
static bool node_is_fresh(struct node *n, const struct ns_call *c)
{
	const struct ns_volume *v = n->volume;
	int64_t now_ms = clk_mono_ms();
	bool unvisited = n->unvisited;

	n->unvisited = false;
	if (n->pending || n->unsent || (n->kind == NODE_FILE && node_has_writer(n)))
		return true;
	if (n->kind == NODE_DIR && (n->u.dir->pending || n->u.dir->handles || walk_vouches(c, n)))
		return true;
	if ((double)(now_ms - n->checked_ms) <= v->config.metadata_ttl_s * 1000)
		return true;
	/*
	 * The directories above what a walk looks at are there as long as that is. Were one asked
	 * for and the answer an error, the kernel would forget all below it under the walk.
	 */
	if (n->kind == NODE_DIR && walk_recognised(v->ns, c) &&
		walk_is_below(walk_known(v->ns, c), n))
		return true;
	/* Who listed the directory comes by each name once, however long the walk takes. */
	if (n->parent->u.dir->snapshot_tgid == walk_tgid(v->ns, c) &&
		(unvisited || walk_recognised(v->ns, c))) {
		n->checked_ms = now_ms;
		return true;
	}
	return false;
}

/* One command asks for a name that it is about to make three or four times. */
static bool absent_known(const struct node *parent, const char *name)
{
	const struct ns *ns = parent->volume->ns;
	double ttl_ms = parent->volume->config.metadata_ttl_s * 1000;
	unsigned i;

	for (i = 0; i < ABSENT_MAX; i++) {
		const struct absent *a = &ns->absent[i];

		if (a->parent == parent && (double)(clk_mono_ms() - a->checked_ms) <= ttl_ms &&
			!strcmp(a->name, name))
			return true;
	}
	return false;
}

static void absent_note(const struct node *parent, const char *name)
{
	struct ns *ns = parent->volume->ns;
	struct absent *a = &ns->absent[ns->absent_next++ % ABSENT_MAX];

	free(a->name);
	*a = (struct absent){
		.parent = parent, .name = mem_strdup(name), .checked_ms = clk_mono_ms()};
}

void absent_forget(struct ns *ns, const struct node *parent)
{
	unsigned i;

	for (i = 0; i < ABSENT_MAX; i++)
		if (ns->absent[i].parent == parent)
			ns->absent[i].parent = NULL;
}

/* Where a remove cannot reach its last argument (`rm -f a b missing`), this is the walk's end. */
static void lookup_answer(struct ns_call *c)
{
	struct node *n = node_live(c->node, BYTES_STR(c->name));
	struct walk *w = walk_known(c->node->volume->ns, c);
	int errnum = 0;

	if (walk_is_remove(w) && walk_remove_fails_at(w, c->node, c->name, n)) {
		if (walk_barrier(w, c, lookup_answer, &errnum))
			return;
		walk_passed_end(w);
		/* rm looks twice and believes the second time only. */
		walk_keep_failure(w, errnum);
	} else if (n && walk_shows(w, c, n, lookup_answer, &errnum)) {
		return;
	}
	if (!errnum && n)
		reply_entry(c, n);
	else
		c->reply(c, errnum ? errnum : ENOENT);
}

static void lookup_probed(struct ns_call *c)
{
	int errnum = probe_take(c);
	struct node *n;

	if (errnum) {
		c->reply(c, errnum);
		return;
	}
	n = node_live(c->node, BYTES_STR(c->name));
	if (!n)
		absent_note(c->node, c->name);
	lookup_answer(c);
}

int name_check(const struct ns_call *c, const char *name)
{
	struct buf key = BUF_INIT(0);
	bool good, fits;

	if (strlen(name) > NAME_BYTES_MAX)
		return ENAMETOOLONG;
	node_key(c->node, &key);
	good = name_decode(BYTES_STR(name), &key) && !key.failed;
	/* A server says so, too, but not of a HEAD. */
	fits = key.len <= S3_KEY_BYTES_MAX;
	buf_free(&key);
	return !good ? EINVAL : fits ? 0 : ENAMETOOLONG;
}

static bool has_control(struct bytes b)
{
	size_t i;

	for (i = 0; i < b.len; i++)
		if ((unsigned char)b.ptr[i] < 0x20)
			return true;
	return false;
}

/* 0 and *ret (NULL: not there), a positive errno, or -1: the call is parked. */
static int find_name(struct ns_call *c, struct node *parent, const char *name, struct node **ret)
{
	struct bytes b = BYTES_STR(name);
	struct node *n = node_find(parent, b);

	*ret = NULL;
	if (n && n->kind == NODE_TOMB)
		return 0;
	if (n && node_is_fresh(n, c) && full_known(n)) {
		*ret = n;
		return 0;
	}
	if (!n && (parent->unsent || dir_is_fresh(parent, c) || absent_known(parent, name)))
		return 0;
	if (!parent->live)
		return ENOENT;
	/* A command that comes for many names of a directory is better served by its listing. */
	if (walk_known(parent->volume->ns, c) && !n && !c->step &&
		++parent->u.dir->probes > PROBES_MAX) {
		c->step = 1;
		parent->u.dir->probes = 0;
		walk_note_root(walk_known(parent->volume->ns, c), parent);
		parent->u.dir->snapshot_tgid = walk_tgid(parent->volume->ns, c);
		parent->u.dir->snapshot_ms = clk_mono_ms();
		dir_list(parent);
		park(c, &parent->u.dir->waiters, ns_lookup);
		return -1;
	}
	/* Some servers put the prefix that was asked for into the answer as it is, which is no XML
	 * then. */
	if (!n && !c->step && has_control(b)) {
		c->step = 1;
		dir_list(parent);
		park(c, &parent->u.dir->waiters, ns_lookup);
		return -1;
	}
	probe_name(c, parent, b, lookup_probed);
	return -1;
}

void ns_lookup(struct ns_call *c)
{
	struct node *n;
	int r;

	if (c->node->kind != NODE_DIR) {
		c->reply(c, ENOTDIR);
		return;
	}
	c->node->u.dir->lookups++;
	r = name_check(c, c->name);
	/* A name that stands for no key is not there. */
	if (!r)
		r = find_name(c, c->node, c->name, &n);
	else if (r == EINVAL)
		r = ENOENT;
	if (r > 0)
		c->reply(c, r);
	else if (!r)
		lookup_answer(c);
}

void ns_lookup_root(struct ns_call *c)
{
	reply_entry(c, c->node);
}

static void getattr_answer(struct ns_call *c)
{
	struct walk *w = walk_known(c->node->volume->ns, c);
	int errnum;

	if (walk_shows(w, c, c->node, getattr_answer, &errnum))
		return;
	node_attr(c->node, c, &c->attr);
	c->reply(c, errnum);
}

static void getattr_probed(struct ns_call *c)
{
	int errnum = probe_take(c);
	const struct node *n = c->node;

	/* With ESTALE the kernel looks the name up again: it has become something else. */
	if (!errnum && !n->live)
		errnum = node_live(n->parent, BYTES(n->name, n->name_len)) ? ESTALE : ENOENT;
	if (errnum)
		c->reply(c, errnum);
	else
		getattr_answer(c);
}

void ns_getattr(struct ns_call *c)
{
	struct node *n = c->node;

	/* A directory's own attributes come from the mount's options: S3 has none. An unlinked file
	 * that is still open keeps what it had. */
	if (n->kind == NODE_DIR || !n->live || c->file || (node_is_fresh(n, c) && full_known(n))) {
		getattr_answer(c);
		return;
	}
	probe_name(c, n->parent, BYTES(n->name, n->name_len), getattr_probed);
}

void ns_access(struct ns_call *c)
{
	const struct node *n = c->node;
	struct ns_attr attr;

	node_attr(n, c, &attr);
	/* What the kernel refuses to whoever it lets in, root included. */
	if ((c->flags & W_OK) && n->volume->config.read_only)
		c->reply(c, EROFS);
	else if ((c->flags & X_OK) && S_ISREG(attr.st.st_mode) && !(attr.st.st_mode & 0111))
		c->reply(c, EACCES);
	else
		c->reply(c, 0);
}

void ns_forget(struct node *n, uint64_t count)
{
	if (count > n->lookups)
		count = n->lookups;
	n->lookups -= (uint32_t)count;
	if (!count || n->lookups)
		return;
	if (n->kind == NODE_DIR && n->live && !n->u.dir->handles && !n->u.dir->lister &&
		!n->u.dir->flat)
		node_forget_kids(n);
	node_unref(n);
}
