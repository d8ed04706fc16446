/*
 * Walks: one command going through a tree of the mount, whose last call is known. Calls in the
 * middle are answered when they are checked and queued; the last one is held until S3 has done
 * everything, and fails if anything failed. This file: which processes are walks, from when to
 * when, and what they wait for. Core thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "ns/ns_walk_int.h"
#include "util/clk.h"
#include "util/log.h"
#include "util/mem.h"

struct walk *walk_known(const struct ns *ns, const struct ns_call *c)
{
	struct walk *w;

	HASH_FIND(hh, ns->walks, &c->tid, sizeof(pid_t), w);
	return w || LIST_EMPTY(&ns->runs) ? w : run_known(ns, c);
}

struct walk *walk_by_tgid(const struct ns *ns, pid_t tgid)
{
	struct walk *w;

	HASH_FIND(hh, ns->walks, &tgid, sizeof(tgid), w);
	return w;
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

bool walk_is_change(const struct walk *w)
{
	return w && w->kind == COMMAND_CHANGE;
}

bool walk_is_careless(const struct walk *w)
{
	return w && w->careless;
}

static void walk_free(struct walk *w)
{
	if (w->kind == COMMAND_RUN)
		LIST_REMOVE(w, run_link);
	else
		HASH_DELETE(hh, w->ns->walks, w);
	walk_chain_cut(w, 0);
	walk_roots_drop(w, NULL);
	while (w->dir_count)
		walk_dir_unkeep(w->dirs[--w->dir_count]);
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
	free(w->cwd);
	free(w->last);
	free(w);
}

static void maybe_over(struct walk *w)
{
	if (!w->exited || w->pending)
		return;
	walk_put_markers(w, NULL);
	if (w->pending)
		return;
	if (w->failed_errnum)
		log_warn("%s (process %d) ended before %llu of its operations had failed",
			w->command, (int)w->tgid, (unsigned long long)w->failed);
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

static bool is_written_as_dir(const char *arg)
{
	size_t n = strlen(arg);

	return (n && arg[n - 1] == '/') || (n > 1 && arg[n - 2] == '/' && arg[n - 1] == '.');
}

/* What is said on the command line; `last` is taken. */
static void set_command(
	struct walk *w, const struct ns_call *c, const struct command *cmd, char *last)
{
	w->moves = cmd->kind == COMMAND_MOVE;
	w->kind = w->moves ? COMMAND_COPY : cmd->kind;
	w->recursive = cmd->recursive;
	w->dirs_first = cmd->dirs_first;
	w->forced = cmd->force;
	w->careless = cmd->careless;
	w->late = cmd->careless;
	w->passed_end = cmd->kind == COMMAND_STRICT;
	w->last = last;
	w->last_name = strrchr(last, '/') + 1;
	w->last_slash = cmd->last && is_written_as_dir(cmd->last);
	w->uid = c->uid;
	w->asks = w->kind == COMMAND_REMOVE && !cmd->force && c->uid && process_may_ask(c->tid);
}

/* What it had opened before it was recognised: that may be what is copied last, and first. */
static void find_source(struct walk *w, const struct ns_call *c)
{
	struct node *n = file_opened_by(w->ns, c->tid);

	if (n)
		walk_opened(w, n);
}

static struct walk *walk_new(struct ns_volume *v, const struct ns_call *c,
	const struct command *cmd, const char *exe, char *last)
{
	struct walk *w;
	int fd = process_watch(c->tid);

	/* Without word of its end a walk could not be told from a later process of that number. */
	if (fd < 0)
		return NULL;
	w = mem_zalloc(sizeof(*w));
	w->ns = v->ns;
	w->volume = v;
	w->tgid = c->tid;
	w->command = mem_strdup(strrchr(exe, '/') + 1);
	w->pidfd = (struct loop_fd){.ready = process_exited, .fd = fd};
	TAILQ_INIT(&w->waiters);
	set_command(w, c, cmd, last);
	if (!walk_end_will_come(w, c) || loop_fd_add(v->ns->loop, &w->pidfd) < 0) {
		close(fd);
		free(w->command);
		free(w);
		return NULL;
	}
	find_source(w, c);
	w->id = ++v->ns->walk_id;
	w->rate_ms = clk_mono_ms();
	HASH_ADD(hh, v->ns->walks, tgid, sizeof(pid_t), w);
	log_debug("%s (process %d) is a walk, its last argument is %s", w->command, (int)w->tgid,
		last);
	return w;
}

/* The last argument may lie in another of our volumes than the call: `cp -r /mnt/a/x /mnt/b`. */
static char *find_last(
	struct ns_volume *v, const struct process *p, const char *arg, struct ns_volume **ret_of)
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

/* May it ask about more than walk_shows() sees? Then what it is answered decides what it does. */
static bool asks_unseen(const struct ns_call *c, const struct command *cmd)
{
	if (cmd->force || (cmd->kind != COMMAND_REMOVE && cmd->kind != COMMAND_MOVE))
		return false;
	if (cmd->careless)
		return c->uid || process_may_ask(c->tid);
	return cmd->kind == COMMAND_MOVE && cmd->count > 1 && c->uid && process_may_ask(c->tid);
}

static struct command command_of(struct ns *ns, const struct ns_call *c, const struct process *p)
{
	struct command cmd = {0};

	/* Threads do not run through a tree in an order. */
	if (p->tgid != c->tid || !command_may_be(p->exe))
		return cmd;
	cmd = command_parse(p->exe, maker_of(ns, p), p->argc, p->argv);
	return asks_unseen(c, &cmd) ? (struct command){0} : cmd;
}

struct walk *walk_of(struct ns_volume *v, const struct ns_call *c)
{
	struct walk *w = walk_known(v->ns, c);
	struct command cmd;
	struct process p;
	struct ns_volume *of = v;
	char *last = NULL;

	if (w)
		return w->exited ? NULL : w;
	if (v->config.commit_close || !c->tid)
		return NULL;
	if (!LIST_EMPTY(&v->ns->runs) && (w = run_of(v, c)))
		return w;
	if (!process_read(c->tid, &p))
		return NULL;
	cmd = command_of(v->ns, c, &p);
	if (cmd.kind == COMMAND_STRICT)
		last = mem_strdup("/");
	else if (cmd.kind != COMMAND_OTHER)
		last = find_last(v, &p, cmd.last, &of);
	if (last) {
		w = walk_new(of, c, &cmd, p.exe, last);
		if (!w) {
			free(last);
		} else {
			w->cwd = p.cwd;
			p.cwd = NULL;
		}
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
	return w && !w->passed_end && w->proven[op] && (!w->late || w->reached);
}

void walk_hold(struct walk *w)
{
	w->pending++;
}

void walk_accepted(struct walk *w)
{
	walk_hold(w);
	w->accepted++;
}

void walk_settled(struct walk *w, const struct accepted *a, const struct s3_err *err)
{
	enum walk_op op = a->op.kind == BULK_DELETE ? WALK_DELETE
			  : a->op.kind != BULK_COPY ? WALK_PUT
			  : a->source == a->node    ? WALK_CHANGE
						    : WALK_COPY;

	w->done++;
	walk_measure(w);
	if (err->cls == S3_OK) {
		w->proven[op] = true;
	} else if (a->deferred) {
		w->failed++;
		if (!w->failed_errnum)
			w->failed_errnum = err->errnum;
	}
	walk_settled_one(w);
}

void walk_settled_one(struct walk *w)
{
	if (--w->pending)
		return;
	w->waking = true;
	wake(&w->waiters);
	w->waking = false;
	maybe_over(w);
}

bool walk_barrier(struct walk *w, struct ns_call *c, void (*resume)(struct ns_call *), int *errnum)
{
	if (!w->pending)
		walk_put_markers(w, NULL);
	if (w->pending) {
		ns_drain(w->ns);
		park(c, &w->waiters, resume);
		return true;
	}
	if (stale_holds(c, resume))
		return true;
	*errnum = w->failed_errnum;
	w->failed_errnum = 0;
	return false;
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

static void walk_leave(struct walk *w, const struct ns_volume *v)
{
	size_t i, kept = 0;

	for (i = 0; i < w->chain_len; i++)
		if (w->chain[i].dir->volume == v)
			walk_chain_cut(w, 0);
	for (i = 0; i < w->dir_count; i++) {
		if (w->dirs[i]->volume == v)
			walk_dir_unkeep(w->dirs[i]);
		else
			w->dirs[kept++] = w->dirs[i];
	}
	w->dir_count = kept;
	walk_roots_drop(w, v);
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

	HASH_ITER(hh, ns->walks, w, next)
	{
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

	HASH_ITER(hh, ns->walks, w, next)
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
	w->ledger_seq = v->ledger.seq;
	TAILQ_INIT(&w->waiters);
	LIST_INSERT_HEAD(&v->ns->runs, w, run_link);
	return w;
}

struct walk *walk_run_of(const struct ns *ns, const struct ns_volume *v, pid_t pid)
{
	struct walk *w;

	LIST_FOREACH(w, &ns->runs, run_link)
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
