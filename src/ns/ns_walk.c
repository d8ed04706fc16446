/*
 * Walks: one command going through a tree of the mount, whose last call is known. Calls in the middle
 * are answered when they are checked and queued; the last one is held until S3 has done everything,
 * and fails if anything failed.
 *
 * The end of a copy is found through the listings that were handed out: GNU cp works through a
 * directory by rising inode number, and ours rise in the order of readdir. `chain` holds, from the
 * last source argument downwards, each directory that is the last entry of the one above it; the file
 * that is the last entry of the chain's end is the last file of the walk. Wherever the end comes, what
 * a walk does after it is strict: a walk that does not fit this picture loses speed, never the truth.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <uthash.h>

#include "ns/ns_int.h"
#include "util/clk.h"
#include "util/log.h"
#include "util/mem.h"

struct link {
	struct node *dir; /* a reference */
	uint64_t last_ino; /* 0: it is empty */
};

struct walk {
	UT_hash_handle hh;
	pid_t tgid;
	struct ns *ns;
	struct ns_volume *volume;
	struct loop_fd pidfd;
	enum command_kind kind;
	char *command; /* its name, for messages */
	char *last;    /* path in the mount of the last source or argument */
	const char *last_name;
	bool last_slash; /* it was written as a directory: "a/", "a/." */
	bool proven[WALK_OPS];
	bool passed_end, exited;
	unsigned pending;
	uint64_t done, failed;
	int failed_errnum;
	struct ns_call_list waiters;
	struct node *source; /* the file it has opened last; a reference */
	struct link *chain;
	size_t chain_len;
	struct node **dirs; /* that may need a marker in the end; references */
	size_t dir_count, dir_cap;
	struct node **roots; /* where it listed or made trees: what the kernel was told is taken back */
	size_t root_count;
};

struct walk *walk_known(const struct ns *ns, const struct ns_call *c)
{
	struct walk *w;

	HASH_FIND(hh, ns->walks, &c->tid, sizeof(pid_t), w);
	return w;
}

pid_t walk_tgid(const struct ns *ns, const struct ns_call *c)
{
	const struct walk *w = walk_known(ns, c);

	return w ? w->tgid : c->tid;
}

bool walk_is_copy(const struct walk *w)
{
	return w && w->kind == COMMAND_COPY;
}

bool walk_is_remove(const struct walk *w)
{
	return w && w->kind == COMMAND_REMOVE;
}

static void chain_cut(struct walk *w, size_t len)
{
	while (w->chain_len > len)
		node_unref(w->chain[--w->chain_len].dir);
}

/* The kernel may trust what a walk was told for long; now that it is over, no longer. */
static void roots_drop(struct walk *w)
{
	struct ns *ns = w->ns;

	while (w->root_count) {
		struct node *n = w->roots[--w->root_count];

		if (ns->stale && n->parent && n->live)
			ns->stale(ns->stale_ctx, n->parent, n->name, n);
		node_unref(n);
	}
}

static void walk_free(struct walk *w)
{
	HASH_DELETE(hh, w->ns->walks, w);
	chain_cut(w, 0);
	roots_drop(w);
	while (w->dir_count)
		node_unref(w->dirs[--w->dir_count]);
	if (w->source)
		node_unref(w->source);
	loop_fd_del(w->ns->loop, &w->pidfd);
	close(w->pidfd.fd);
	free(w->roots);
	free(w->chain);
	free(w->dirs);
	free(w->command);
	free(w->last);
	free(w);
}

/* ---- directories that are to stay ---- */

struct dir_check {
	struct walk *walk;
	struct node *dir; /* a reference */
};

static void settled_one(struct walk *w);

static void dir_checked(void *ctx, const struct s3_err *err, const struct s3_list_page *page)
{
	struct dir_check *k = ctx;
	struct walk *w = k->walk;
	struct node *n = k->dir;

	free(k);
	if (err->cls != S3_OK) {
		if (!w->failed_errnum)
			w->failed_errnum = err->errnum;
	} else if (!page->count && n->live) {
		dir_put_marker(n, w, NULL, NULL);
	}
	node_unref(n);
	settled_one(w);
}

/* The marker of a directory of which not all names are known: only if nothing is left of it. */
static void check_dir(struct walk *w, struct node *n)
{
	struct s3_list_params params = {.max_keys = 1};
	struct dir_check *k = mem_zalloc(sizeof(*k));
	struct buf key = BUF_INIT(0);

	k->walk = w;
	k->dir = node_ref(n);
	w->pending++;
	node_key(n, &key);
	params.prefix = buf_bytes(&key);
	s3_list(n->volume->client, &params, 0, dir_checked, k);
	buf_free(&key);
}

/* Directories that are empty now and known to S3 only by what was in them get their markers. */
static void put_markers(struct walk *w)
{
	while (w->dir_count) {
		struct node *n = w->dirs[--w->dir_count];

		if (n->live && n->parent && !n->leaving && !n->u.dir->kid_live &&
			(n->unsent || n->u.dir->marker != MARKER_YES)) {
			if (n->unsent || n->u.dir->complete)
				dir_put_marker(n, w, NULL, NULL);
			else
				check_dir(w, n);
		}
		node_unref(n);
	}
}

static void maybe_over(struct walk *w)
{
	if (!w->exited || w->pending)
		return;
	put_markers(w);
	if (w->pending)
		return;
	if (w->failed_errnum)
		log_warn("%s (process %d) ended before %llu of its operations had failed", w->command,
			(int)w->tgid, (unsigned long long)w->failed);
	walk_free(w);
}

static void process_exited(struct loop_fd *fd)
{
	struct walk *w = (struct walk *)((char *)fd - offsetof(struct walk, pidfd));

	loop_fd_del(w->ns->loop, &w->pidfd);
	w->exited = true;
	bulk_hurry(w->volume->target);
	maybe_over(w);
}

static bool way_is_barred(const struct walk *w);

static bool is_written_as_dir(const char *arg)
{
	size_t n = strlen(arg);

	return (n && arg[n - 1] == '/') || (n > 1 && arg[n - 2] == '/' && arg[n - 1] == '.');
}

static struct walk *walk_new(struct ns_volume *v, pid_t tgid, const struct command *cmd,
	const char *exe, char *last)
{
	struct walk *w;
	int fd = process_watch(tgid);

	/* Without word of its end a walk could not be told from a later process of that number. */
	if (fd < 0)
		return NULL;
	w = mem_zalloc(sizeof(*w));
	w->ns = v->ns;
	w->volume = v;
	w->tgid = tgid;
	w->kind = cmd->kind;
	w->command = mem_strdup(strrchr(exe, '/') + 1);
	w->last = last;
	w->last_name = strrchr(last, '/') + 1;
	w->pidfd = (struct loop_fd){.ready = process_exited, .fd = fd};
	TAILQ_INIT(&w->waiters);
	w->last_slash = is_written_as_dir(cmd->last);
	if ((w->kind == COMMAND_REMOVE && way_is_barred(w)) ||
		loop_fd_add(v->ns->loop, &w->pidfd) < 0) {
		close(fd);
		free(w->command);
		free(w);
		return NULL;
	}
	HASH_ADD(hh, v->ns->walks, tgid, sizeof(pid_t), w);
	log_debug("%s (process %d) is a walk, its last argument is %s", w->command, (int)tgid, last);
	return w;
}

struct walk *walk_of(struct ns_volume *v, const struct ns_call *c)
{
	struct walk *w = walk_known(v->ns, c);
	struct command cmd;
	struct process p;
	char *last;

	if (w)
		return w->exited ? NULL : w;
	if (v->config.commit_close || !c->tid || !process_read(c->tid, &p))
		return NULL;
	cmd = command_parse(p.exe, p.argc, p.argv);
	last = cmd.kind != COMMAND_OTHER && p.tgid == c->tid
		? process_path_in(&p, cmd.last, v->mountpoint)
		: NULL;
	if (last) {
		w = walk_new(v, p.tgid, &cmd, p.exe, last);
		if (!w)
			free(last);
	}
	process_free(&p);
	return w;
}

bool walk_is_open(const struct walk *w)
{
	return w && !w->passed_end;
}

bool walk_defers(const struct walk *w, enum walk_op op)
{
	return w && !w->passed_end && w->proven[op];
}

void walk_accepted(struct walk *w)
{
	w->pending++;
}

void walk_settled(struct walk *w, const struct accepted *a, const struct s3_err *err)
{
	enum walk_op op = a->op.kind == BULK_COPY ? WALK_COPY
		: a->op.kind == BULK_DELETE	  ? WALK_DELETE
						  : WALK_PUT;

	w->done++;
	if (err->cls == S3_OK) {
		w->proven[op] = true;
	} else if (a->deferred) {
		w->failed++;
		if (!w->failed_errnum)
			w->failed_errnum = err->errnum;
	}
	settled_one(w);
}

static void settled_one(struct walk *w)
{
	if (--w->pending)
		return;
	wake(&w->waiters);
	maybe_over(w);
}

bool walk_barrier(
	struct walk *w, struct ns_call *c, void (*resume)(struct ns_call *), int *errnum)
{
	if (!w->pending)
		put_markers(w);
	if (w->pending) {
		bulk_hurry(w->volume->target);
		park(c, &w->waiters, resume);
		return true;
	}
	*errnum = w->failed_errnum;
	w->failed_errnum = 0;
	return false;
}

int walk_take_failure(struct walk *w)
{
	int errnum = w ? w->failed_errnum : 0;

	if (w)
		w->failed_errnum = 0;
	return errnum;
}

void walk_passed_end(struct walk *w)
{
	w->passed_end = true;
}

/* ---- the end of a copy ---- */

static bool is_path(const struct node *n, const char *path)
{
	struct buf b = BUF_INIT(0);
	bool same;

	node_path(n, &b);
	same = !strcmp(buf_str(&b), path);
	buf_free(&b);
	return same;
}

static bool is_last_argument(const struct walk *w, const struct node *n)
{
	if (n->volume != w->volume)
		return false;
	if (!n->parent)
		return !*w->last_name;
	return !strcmp(n->name, w->last_name) && is_path(n, w->last);
}

void walk_opened(struct walk *w, struct node *source)
{
	if (w->source == source)
		return;
	if (w->source)
		node_unref(w->source);
	w->source = node_ref(source);
}

struct node *walk_source(const struct walk *w)
{
	return w->source;
}

static void note_root(struct walk *w, struct node *n)
{
	const struct node *up = n->parent;

	if (!up || up->u.dir->snapshot_tgid == w->tgid)
		return;
	w->roots = mem_resize(w->roots, w->root_count + 1, sizeof(*w->roots));
	w->roots[w->root_count++] = node_ref(n);
}

void walk_listed(struct walk *w, struct node *dir, uint64_t last_ino)
{
	struct link link = {.dir = dir, .last_ino = last_ino};

	note_root(w, dir);
	if (is_last_argument(w, dir))
		chain_cut(w, 0);
	else if (!w->chain_len || w->chain[w->chain_len - 1].last_ino != dir->ino)
		return;
	node_ref(dir);
	w->chain = mem_resize(w->chain, w->chain_len + 1, sizeof(*w->chain));
	w->chain[w->chain_len++] = link;
}

bool walk_ends_in(const struct walk *w, const struct node *dir)
{
	if (w->kind != COMMAND_COPY)
		return false;
	return is_last_argument(w, dir) ||
		(w->chain_len && w->chain[w->chain_len - 1].last_ino == dir->ino);
}

bool walk_copy_is_last(const struct walk *w)
{
	const struct node *n = w->source;

	if (!n)
		return false;
	if (w->chain_len)
		return w->chain[w->chain_len - 1].last_ino == n->ino;
	return is_last_argument(w, n);
}

/* How `path` lies on the way to the last argument: 0 not at all, 1 above it, 2 it is it. */
static int on_the_way(const struct walk *w, const char *path)
{
	size_t n = strlen(path);

	if (strncmp(path, w->last, n) != 0)
		return 0;
	return !w->last[n] ? 2 : w->last[n] == '/';
}

bool walk_remove_fails_at(const struct walk *w, const struct node *parent, const char *name,
	const struct node *n)
{
	struct buf b = BUF_INIT(0);
	int place;

	if (w->kind != COMMAND_REMOVE || (n && n->kind == NODE_DIR))
		return false;
	node_path(parent, &b);
	if (b.len > 1)
		buf_addc(&b, '/');
	buf_adds(&b, name);
	place = on_the_way(w, buf_str(&b));
	buf_free(&b);
	/* Nothing there, or a file where a directory would have to be: rm -f passes over it. */
	return n ? place == 1 || (place == 2 && w->last_slash) : place > 0;
}

/* Is there a file, as far as we know, where the way to the last argument needs a directory? The
 * kernel would know, too, and never ask us. */
static bool way_is_barred(const struct walk *w)
{
	struct node *n = w->volume->root;
	const char *at = w->last;

	while (n && n->kind == NODE_DIR && *at == '/') {
		size_t len = strcspn(++at, "/");

		n = len ? node_live(n, BYTES(at, len)) : n;
		at += len;
	}
	return n && n->kind == NODE_FILE && (*at || w->last_slash);
}

bool walk_remove_is_last(const struct walk *w, const struct node *parent, const char *name)
{
	struct buf b = BUF_INIT(0);
	bool same;

	if (w->kind != COMMAND_REMOVE || strcmp(name, w->last_name) != 0)
		return false;
	node_path(parent, &b);
	if (b.len > 1)
		buf_addc(&b, '/');
	buf_adds(&b, name);
	same = !strcmp(buf_str(&b), w->last);
	buf_free(&b);
	return same;
}

void walk_note_dir(struct walk *w, struct node *dir)
{
	if (w->dir_count && w->dirs[w->dir_count - 1] == dir)
		return;
	if (dir->unsent)
		note_root(w, dir);
	if (w->dir_count == w->dir_cap) {
		w->dir_cap = w->dir_cap ? w->dir_cap * 2 : 16;
		w->dirs = mem_resize(w->dirs, w->dir_cap, sizeof(*w->dirs));
	}
	w->dirs[w->dir_count++] = node_ref(dir);
}

void walks_free(struct ns *ns)
{
	struct walk *w, *next;

	HASH_ITER (hh, ns->walks, w, next)
		walk_free(w);
}
