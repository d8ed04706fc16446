/*
 * Runs: what `s3bulkfsctl run` was given is deferred for the command and all its descendants, until
 * the run is ended. Who is a descendant is found by going up the chain of parents in /proc, once a
 * process, and forgotten when the process ends. Core thread only.
 */
#include <stdlib.h>
#include <unistd.h>

#include "ns/ns_int.h"
#include "util/hash.h"
#include "util/log.h"
#include "util/mem.h"

#define MEMBERS_MAX 512 /* each holds a descriptor; the oldest is forgotten and found again */
#define RUNS_MAX 256
#define PARENTS_MAX 256

/* A process or thread that was looked up: of a run, or of none. */
struct member {
	UT_hash_handle hh;
	struct ns *ns;
	pid_t tid, tgid;
	pid_t root;           /* the run's process; 0: of no run */
	struct loop_fd pidfd; /* of a process; a thread's entry goes with its process */
};

static void member_free(struct member *m)
{
	HASH_DELETE(hh, m->ns->members, m);
	if (m->pidfd.fd >= 0) {
		loop_fd_del(m->ns->loop, &m->pidfd);
		close(m->pidfd.fd);
	}
	free(m);
}

static void forget_process(struct ns *ns, pid_t tgid)
{
	struct member *m, *next;

	HASH_ITER(hh, ns->members, m, next)
	if (m->tgid == tgid)
		member_free(m);
}

static void forget_root(struct ns *ns, pid_t root)
{
	struct member *m, *next;

	HASH_ITER(hh, ns->members, m, next)
	if (m->root == root)
		member_free(m);
}

static void process_ended(struct loop_fd *fd)
{
	struct member *m = (struct member *)((char *)fd - offsetof(struct member, pidfd));

	forget_process(m->ns, m->tgid);
}

static struct member *member_find(const struct ns *ns, pid_t tid)
{
	struct member *m;

	HASH_FIND(hh, ns->members, &tid, sizeof(pid_t), m);
	return m;
}

static struct member *member_add(struct ns *ns, pid_t tid, pid_t tgid, pid_t root)
{
	struct member *m = mem_zalloc(sizeof(*m));

	while (HASH_COUNT(ns->members) >= MEMBERS_MAX)
		forget_process(ns, ns->members->tgid);
	m->ns = ns;
	m->tid = tid;
	m->tgid = tgid;
	m->root = root;
	m->pidfd = (struct loop_fd){.ready = process_ended, .fd = -1};
	if (tid == tgid) {
		m->pidfd.fd = process_watch(tgid);
		/* Without word of its end it could not be told from a later process of that number.
		 */
		if (m->pidfd.fd < 0 || loop_fd_add(ns->loop, &m->pidfd) < 0) {
			if (m->pidfd.fd >= 0)
				close(m->pidfd.fd);
			free(m);
			return NULL;
		}
	}
	HASH_ADD(hh, ns->members, tid, sizeof(pid_t), m);
	return m;
}

/* The nearest ancestor that is a run's process; 0: none. */
static pid_t find_root(const struct ns *ns, pid_t tgid)
{
	pid_t pid = tgid;
	int i;

	for (i = 0; i < PARENTS_MAX && pid > 1; i++) {
		pid = procstat_parent(pid);
		if (pid > 1 && walk_run_of(ns, NULL, pid))
			return pid;
	}
	return 0;
}

/* The entry of a process, looked up now if need be; NULL: it cannot be watched. */
static struct member *process_member(struct ns *ns, pid_t tgid)
{
	struct member *m = member_find(ns, tgid);

	if (m && m->tgid != tgid) {
		member_free(m); /* a thread of that number has ended */
		m = NULL;
	}
	return m ? m : member_add(ns, tgid, tgid, find_root(ns, tgid));
}

struct walk *run_of(struct ns_volume *v, const struct ns_call *c)
{
	struct ns *ns = v->ns;
	struct member *m = member_find(ns, c->tid), *p;
	pid_t tgid;

	if (!m || m->tgid != c->tid) {
		/* A thread's number may belong to another process by now. */
		tgid = procstat_tgid(c->tid);
		if (m && m->tgid != tgid)
			member_free(m);
		p = tgid ? process_member(ns, tgid) : NULL;
		if (!p)
			return NULL;
		m = member_find(ns, c->tid);
		if (!m)
			m = member_add(ns, c->tid, tgid, p->root);
	}
	return m && m->root ? walk_run_of(ns, v, m->root) : NULL;
}

struct walk *run_known(const struct ns *ns, const struct ns_call *c)
{
	const struct member *m = member_find(ns, c->tid);

	return m && m->root ? walk_run_of(ns, c->node->volume, m->root) : NULL;
}

pid_t run_member_tgid(const struct ns *ns, const struct ns_call *c)
{
	const struct member *m = member_find(ns, c->tid);

	return m ? m->tgid : c->tid;
}

void members_free(struct ns *ns)
{
	struct member *m, *next;

	HASH_ITER(hh, ns->members, m, next)
	member_free(m);
}

/* ---- begin and end ---- */

static void count_one(void *ctx, struct walk *w)
{
	*(unsigned *)ctx += walk_is_run(w);
}

struct walk *ns_run_begin(struct ns_volume *v, pid_t pid, const char *command)
{
	unsigned count = 0;

	ns_each_walk(v, count_one, &count);
	if (v->config.commit_close || count >= RUNS_MAX || walk_run_of(v->ns, v, pid))
		return NULL;
	/* Who was of no run may be of this one. */
	forget_root(v->ns, 0);
	log_debug("process %d runs %s: what it does is deferred", (int)pid, command);
	return walk_new_run(v, pid, command);
}

static void run_wait_go(struct ns_call *c)
{
	int errnum = 0;

	if (!walk_barrier(c->walk, c, run_wait_go, &errnum))
		c->reply(c, errnum);
}

void ns_run_wait(struct walk *w, struct ns_call *c)
{
	c->walk = w;
	run_wait_go(c);
}

void ns_run_end(struct walk *w)
{
	struct ns *ns = walk_volume(w)->ns;

	forget_root(ns, walk_run_end(w));
}
