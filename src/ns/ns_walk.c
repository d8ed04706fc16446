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
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <uthash.h>

#include "ns/ns_int.h"
#include "util/clk.h"
#include "util/log.h"
#include "util/mem.h"

#define RATE_SPAN_MS 500

struct link {
	struct node *dir; /* a reference */
	uint64_t last_ino; /* 0: it is empty */
	char *last_name;   /* a file that took its place is the last one, too */
};

struct walk {
	UT_hash_handle hh;
	LIST_ENTRY(walk) run_link; /* COMMAND_RUN, which is not in the hash */
	uint64_t id;
	pid_t tgid; /* COMMAND_RUN: whose descendants are its members */
	struct ns *ns;
	struct ns_volume *volume;
	struct loop_fd pidfd;
	enum command_kind kind; /* of a move: what it does now */
	bool moves, moves_tree;
	char *command; /* its name, for messages */
	char *last;    /* path in the mount of the last source or argument */
	const char *last_name;
	bool last_slash; /* it was written as a directory: "a/", "a/." */
	bool proven[WALK_OPS];
	bool passed_end, exited;
	bool waking; /* its waiters are being resumed */
	unsigned pending;
	uint64_t accepted, done, failed;
	uint64_t listed; /* files in the directories it has listed */
	int64_t rate_ms; /* when the last measurement of the rate ended */
	uint64_t rate_done;
	double rate; /* done a second, smoothed */
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
	return w || LIST_EMPTY(&ns->runs) ? w : run_known(ns, c);
}

pid_t walk_tgid(const struct ns *ns, const struct ns_call *c)
{
	const struct walk *w = walk_known(ns, c);

	if (walk_is_run(w))
		return run_member_tgid(ns, c);
	return w ? w->tgid : c->tid;
}

bool walk_is_run(const struct walk *w)
{
	return w && w->kind == COMMAND_RUN;
}

bool walk_recognised(const struct ns *ns, const struct ns_call *c)
{
	const struct walk *w = walk_known(ns, c);

	return w && w->kind != COMMAND_RUN;
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
	while (w->chain_len > len) {
		free(w->chain[--w->chain_len].last_name);
		node_unref(w->chain[w->chain_len].dir);
	}
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

static void dir_unkeep(struct node *dir)
{
	dir->keepers--;
	node_touch(dir); /* a listing under way may have passed it over */
	node_unref(dir);
}

static void walk_free(struct walk *w)
{
	if (w->kind == COMMAND_RUN)
		LIST_REMOVE(w, run_link);
	else
		HASH_DELETE(hh, w->ns->walks, w);
	chain_cut(w, 0);
	roots_drop(w);
	while (w->dir_count)
		dir_unkeep(w->dirs[--w->dir_count]);
	if (w->source)
		node_unref(w->source);
	if (w->pidfd.fd >= 0) {
		loop_fd_del(w->ns->loop, &w->pidfd);
		close(w->pidfd.fd);
	}
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
	dir_unkeep(n);
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
	n->keepers++;
	w->pending++;
	node_key(n, &key);
	params.prefix = buf_bytes(&key);
	s3_list(n->volume->client, &params, 0, dir_checked, k);
	buf_free(&key);
}

/* Nothing is in it, but for what is about to go. */
static bool is_left_empty(const struct node *n)
{
	const struct dir *d = n->u.dir;
	size_t i, leaving = 0;

	for (i = 0; d->kid_live && i < d->kid_count; i++)
		leaving += d->kids[i] && d->kids[i]->kind == NODE_DIR && d->kids[i]->leaving;
	return d->kid_live == leaving;
}

/* Directories that are empty now and known to S3 only by what was in them get their markers. */
static void put_markers(struct walk *w)
{
	size_t i, kept = 0;

	for (i = 0; i < w->dir_count; i++) {
		struct node *n = w->dirs[i];
		bool unsaved = n->meta && n->meta->unsaved;

		/* What is in it may not come to be: then it is looked at again. */
		if (n->live && n->parent && !unsaved && n->unsent && !is_left_empty(n)) {
			w->dirs[kept++] = n;
			continue;
		}
		if (n->live && n->parent && !n->leaving &&
			(unsaved || (is_left_empty(n) &&
					    (n->unsent || n->u.dir->marker != MARKER_YES)))) {
			if (unsaved || n->unsent || n->u.dir->complete)
				dir_put_marker(n, w, NULL, NULL);
			else
				check_dir(w, n);
		}
		dir_unkeep(n);
	}
	w->dir_count = kept;
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
	ns_drain(w->ns);
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
	w->moves = cmd->kind == COMMAND_MOVE;
	w->kind = w->moves ? COMMAND_COPY : cmd->kind;
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
	w->id = ++v->ns->walk_id;
	w->rate_ms = clk_mono_ms();
	HASH_ADD(hh, v->ns->walks, tgid, sizeof(pid_t), w);
	log_debug("%s (process %d) is a walk, its last argument is %s", w->command, (int)tgid, last);
	return w;
}

/* The last argument may lie in another of our volumes than the call: `cp -r /mnt/a/x /mnt/b`. */
static char *find_last(struct ns_volume *v, const struct process *p, const char *arg,
	struct ns_volume **ret_of)
{
	char *path = process_path_in(p, arg, v->mountpoint);
	struct ns_volume *u;

	*ret_of = v;
	for (u = v->ns->volumes; u && !path; u = u->next) {
		if (u == v || u->config.commit_close)
			continue;
		*ret_of = u;
		path = process_path_in(p, arg, u->mountpoint);
	}
	return path;
}

struct walk *walk_of(struct ns_volume *v, const struct ns_call *c)
{
	struct walk *w = walk_known(v->ns, c);
	struct command cmd;
	struct process p;
	struct ns_volume *of;
	char *last;

	if (w)
		return w->exited ? NULL : w;
	if (v->config.commit_close || !c->tid)
		return NULL;
	if (!LIST_EMPTY(&v->ns->runs) && (w = run_of(v, c)))
		return w;
	if (!process_read(c->tid, &p))
		return NULL;
	cmd = command_parse(p.exe, p.argc, p.argv);
	last = cmd.kind != COMMAND_OTHER && p.tgid == c->tid
		? find_last(v, &p, cmd.last, &of)
		: NULL;
	if (last) {
		w = walk_new(of, p.tgid, &cmd, p.exe, last);
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
	w->accepted++;
}

/* Measures the rate, some time after the last time. */
static void measure(struct walk *w)
{
	int64_t now_ms = clk_mono_ms(), span_ms = now_ms - w->rate_ms;
	double rate;

	if (span_ms < RATE_SPAN_MS)
		return;
	rate = (double)(w->done - w->rate_done) * 1000 / (double)span_ms;
	w->rate = w->rate > 0 ? w->rate * 0.7 + rate * 0.3 : rate;
	w->rate_ms = now_ms;
	w->rate_done = w->done;
}

void walk_settled(struct walk *w, const struct accepted *a, const struct s3_err *err)
{
	enum walk_op op = a->op.kind == BULK_COPY ? WALK_COPY
		: a->op.kind == BULK_DELETE	  ? WALK_DELETE
						  : WALK_PUT;

	w->done++;
	measure(w);
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
	w->waking = true;
	wake(&w->waiters);
	w->waking = false;
	maybe_over(w);
}

bool walk_barrier(
	struct walk *w, struct ns_call *c, void (*resume)(struct ns_call *), int *errnum)
{
	if (!w->pending)
		put_markers(w);
	if (w->pending) {
		ns_drain(w->ns);
		park(c, &w->waiters, resume);
		return true;
	}
	*errnum = w->failed_errnum;
	w->failed_errnum = 0;
	return false;
}

bool walk_turns_to_remove(struct walk *w, struct ns_call *c, void (*resume)(struct ns_call *))
{
	int errnum;

	if (!w || !w->moves || w->kind == COMMAND_REMOVE)
		return false;
	if (walk_barrier(w, c, resume, &errnum))
		return true;
	if (errnum) {
		/* Nothing of the source goes: mv is told so at each name. */
		walk_keep_failure(w, errnum);
		c->reply(c, errnum);
		return true;
	}
	w->kind = COMMAND_REMOVE;
	w->passed_end = false;
	return false;
}

void walk_moves_tree(struct walk *w)
{
	if (w && w->moves)
		w->moves_tree = true;
}

bool walk_is_tree_move(const struct walk *w)
{
	return w && w->moves_tree;
}

void walk_turns_to_copy(struct walk *w)
{
	if (!w || !w->moves || w->kind == COMMAND_COPY)
		return;
	w->kind = COMMAND_COPY;
	w->passed_end = false;
	chain_cut(w, 0);
}

void walk_keep_failure(struct walk *w, int errnum)
{
	w->failed_errnum = errnum;
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

void walk_note_root(struct walk *w, struct node *n)
{
	const struct node *up = n->parent;

	if (!up || up->u.dir->snapshot_tgid == w->tgid)
		return;
	w->roots = mem_resize(w->roots, w->root_count + 1, sizeof(*w->roots));
	w->roots[w->root_count++] = node_ref(n);
}

void walk_listed(struct walk *w, struct node *dir, uint64_t last_ino, const char *last_name)
{
	struct link link = {.dir = dir, .last_ino = last_ino};
	size_t i;

	if (w->kind == COMMAND_RUN)
		return;
	for (i = 0; i < dir->u.dir->kid_count; i++)
		w->listed += dir->u.dir->kids[i] && dir->u.dir->kids[i]->kind == NODE_FILE;
	if (is_last_argument(w, dir))
		chain_cut(w, 0);
	else if (!w->chain_len || w->chain[w->chain_len - 1].last_ino != dir->ino)
		return;
	node_ref(dir);
	link.last_name = mem_strdup(last_name);
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
	const struct link *end;

	if (!n)
		return false;
	if (!w->chain_len)
		return is_last_argument(w, n);
	end = &w->chain[w->chain_len - 1];
	return end->last_ino == n->ino ||
		(end->last_name && n->parent == end->dir && !strcmp(n->name, end->last_name));
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

	if (w->kind != COMMAND_REMOVE || parent->volume != w->volume ||
		(n && n->kind == NODE_DIR))
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

	if (w->kind != COMMAND_REMOVE || parent->volume != w->volume ||
		strcmp(name, w->last_name) != 0)
		return false;
	node_path(parent, &b);
	if (b.len > 1)
		buf_addc(&b, '/');
	buf_adds(&b, name);
	same = !strcmp(buf_str(&b), w->last);
	buf_free(&b);
	return same;
}

static int by_address(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)*(struct node *const *)a, y = (uintptr_t)*(struct node *const *)b;

	return (x > y) - (x < y);
}

/*
 * A run may come by the same directories for hours: keeps each one once, and only those that may
 * still need a marker. Makes room, or leaves it to the caller to grow the list.
 */
static void drop_settled_dirs(struct walk *w)
{
	size_t i, kept = 0;

	qsort(w->dirs, w->dir_count, sizeof(*w->dirs), by_address);
	for (i = 0; i < w->dir_count; i++) {
		struct node *n = w->dirs[i];

		if ((kept && w->dirs[kept - 1] == n) || !n->live ||
			(!n->unsent && n->u.dir->kid_live && !(n->meta && n->meta->unsaved)))
			dir_unkeep(n);
		else
			w->dirs[kept++] = n;
	}
	w->dir_count = kept;
	/* Sorted again and again only when that frees much. */
	if (kept > w->dir_cap / 2) {
		w->dir_cap *= 2;
		w->dirs = mem_resize(w->dirs, w->dir_cap, sizeof(*w->dirs));
	}
}

void walk_note_dir(struct walk *w, struct node *dir)
{
	if (w->dir_count && w->dirs[w->dir_count - 1] == dir)
		return;
	if (w->dir_count && w->dir_count == w->dir_cap && w->kind == COMMAND_RUN)
		drop_settled_dirs(w);
	if (w->dir_count == w->dir_cap) {
		w->dir_cap = w->dir_cap ? w->dir_cap * 2 : 16;
		w->dirs = mem_resize(w->dirs, w->dir_cap, sizeof(*w->dirs));
	}
	w->dirs[w->dir_count++] = node_ref(dir);
	dir->keepers++;
}

static void walk_leave(struct walk *w, const struct ns_volume *v)
{
	size_t i, kept = 0;

	for (i = 0; i < w->chain_len; i++)
		if (w->chain[i].dir->volume == v)
			chain_cut(w, 0);
	for (i = 0; i < w->dir_count; i++) {
		if (w->dirs[i]->volume == v)
			dir_unkeep(w->dirs[i]);
		else
			w->dirs[kept++] = w->dirs[i];
	}
	w->dir_count = kept;
	for (i = kept = 0; i < w->root_count; i++) {
		if (w->roots[i]->volume == v)
			node_unref(w->roots[i]);
		else
			w->roots[kept++] = w->roots[i];
	}
	w->root_count = kept;
	if (w->source && w->source->volume == v) {
		node_unref(w->source);
		w->source = NULL;
	}
	if (w->volume != v)
		return;
	/* What it still has under way elsewhere goes on; its end cannot come any more. */
	w->volume = NULL;
	w->passed_end = true;
}

void walks_leave_volume(struct ns *ns, const struct ns_volume *v)
{
	struct walk *w, *next;

	HASH_ITER (hh, ns->walks, w, next) {
		walk_leave(w, v);
		if (!w->volume && !w->pending)
			walk_free(w);
	}
	for (w = LIST_FIRST(&ns->runs); w; w = next) {
		next = LIST_NEXT(w, run_link);
		if (w->volume == v) {
			walk_leave(w, v);
			walk_free(w);
		}
	}
}

void walks_free(struct ns *ns)
{
	struct walk *w, *next;

	HASH_ITER (hh, ns->walks, w, next)
		walk_free(w);
	while ((w = LIST_FIRST(&ns->runs)))
		walk_free(w);
}

/* ---- what is deferred because the user said so: s3bulkfsctl run (ns_run.c) ---- */

struct walk *walk_new_run(struct ns_volume *v, pid_t pid, const char *command)
{
	struct walk *w = mem_zalloc(sizeof(*w));

	w->ns = v->ns;
	w->volume = v;
	w->tgid = pid;
	w->kind = COMMAND_RUN;
	w->command = mem_strdup(command);
	w->last = mem_strdup("/");
	w->last_name = w->last + 1;
	w->pidfd.fd = -1;
	w->id = ++v->ns->walk_id;
	w->rate_ms = clk_mono_ms();
	TAILQ_INIT(&w->waiters);
	LIST_INSERT_HEAD(&v->ns->runs, w, run_link);
	return w;
}

struct walk *walk_run_of(const struct ns *ns, const struct ns_volume *v, pid_t pid)
{
	struct walk *w;

	LIST_FOREACH (w, &ns->runs, run_link)
		if (w->tgid == pid && !w->exited && (!v || w->volume == v))
			return w;
	return NULL;
}

pid_t walk_run_end(struct walk *w)
{
	pid_t pid = w->tgid;

	w->exited = true;
	bulk_hurry(w->volume->target);
	/* Who waits for the run ends it: what wakes him goes on with the walk. */
	if (!w->waking)
		maybe_over(w);
	return pid;
}

/* ---- status ---- */

void walk_who(const struct walk *w, struct ns_failure *f)
{
	f->command = w->command;
	f->pid = w->tgid;
	f->walk_id = w->id;
}

void ns_walk_status(struct walk *w, struct ns_walk_status *s)
{
	uint64_t left = w->pending;

	measure(w);
	*s = (struct ns_walk_status){.id = w->id,
		.pid = w->tgid,
		.run = w->kind == COMMAND_RUN,
		.pending = w->pending,
		.accepted = w->accepted,
		.done = w->done,
		.failed = w->failed,
		.errnum = w->failed_errnum,
		.strict = w->passed_end,
		.ended = w->exited,
		.rate = w->rate,
		.seconds_left = -1};
	snprintf(s->command, sizeof(s->command), "%s", w->command);
	if (w->listed > w->accepted && !w->passed_end && !w->exited)
		left += w->listed - w->accepted;
	s->left = left;
	if (w->rate > 0)
		s->seconds_left = (double)left / w->rate;
}

void ns_each_walk(struct ns_volume *v, void (*fn)(void *ctx, struct walk *walk), void *ctx)
{
	struct walk *w, *next;

	HASH_ITER (hh, v->ns->walks, w, next)
		if (w->volume == v)
			fn(ctx, w);
	for (w = LIST_FIRST(&v->ns->runs); w; w = next) {
		next = LIST_NEXT(w, run_link);
		if (w->volume == v)
			fn(ctx, w);
	}
}

struct ns_volume *walk_volume(const struct walk *w)
{
	return w->volume;
}

void walk_put_markers(struct walk *w)
{
	put_markers(w);
}
