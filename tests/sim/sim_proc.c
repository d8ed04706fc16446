/*
 * Simulated processes: coroutines on their own stacks, so that a command reads as the program that
 * it stands for. A process runs until it waits for an answer or sleeps. Also what ns_proc.c reads
 * from /proc of real ones. One thread; a process and what it holds is freed by procs_free.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ns/ns_int.h"
#include "sim.h"
#include "util/mem.h"

#define STACK_BYTES ((size_t)256 << 10)

struct proc *procs;
static ucontext_t scheduler;
static struct proc *starting;
static char *spare_stacks[64];
static size_t spare_count;

struct proc *proc_new(void (*script)(struct proc *p), const char *exe)
{
	struct proc *p = mem_zalloc(sizeof(*p)), **at;

	p->script = script;
	p->exe = exe;
	p->tid = (pid_t)(1000 + sim.next_tid++);
	p->watch_fd = -1;
	proc_arg(p, "%s", strrchr(exe, '/') + 1);
	for (at = &procs; *at; at = &(*at)->next)
		;
	*at = p;
	return p;
}

void proc_arg(struct proc *p, const char *fmt, ...)
{
	char text[SIM_PATH_MAX];
	va_list ap;

	if (p->argc + 1 >= sizeof(p->argv) / sizeof(p->argv[0]))
		sim_fail("too many arguments");
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	p->argv[p->argc++] = mem_strdup(text);
}

static void resume(struct proc *p)
{
	swapcontext(&scheduler, &p->context);
}

static void leave(struct proc *p)
{
	swapcontext(&p->context, &scheduler);
}

static void wake_up(struct loop_timer *timer)
{
	resume((struct proc *)((char *)timer - offsetof(struct proc, timer)));
}

void proc_wait(struct proc *p)
{
	p->timer.fire = wake_up;
	leave(p);
}

void proc_sleep(struct proc *p, int64_t ms)
{
	loop_timer_set(sim.loop, &p->timer, ms);
	proc_wait(p);
}

static void exit_seen(struct loop_timer *timer)
{
	struct proc *p = (struct proc *)((char *)timer - offsetof(struct proc, exit_timer));

	if (p->watch_fd >= 0)
		sim_fd_readable(sim.loop, p->watch_fd);
}

/* The kernel forgets what it knows in any order, some time after. */
static void forget_all(struct proc *p)
{
	while (p->held_count) {
		size_t i = sim_below((unsigned)p->held_count);
		struct node *n = p->held[i];

		p->held[i] = p->held[--p->held_count];
		ns_forget(n, 1);
	}
}

static void proc_main(void)
{
	struct proc *p = starting;

	p->script(p);
	sim_trace("%d has ended: %d%s", (int)p->tid, p->exit_code, p->killed ? ", killed" : "");
	if (!p->killed && !p->exit_code)
		check_exit(p);
	p->over = true;
	p->exit_timer.fire = exit_seen;
	loop_timer_set(sim.loop, &p->exit_timer, (int64_t)sim_below(20));
	if (p->then && !p->killed && !p->exit_code)
		proc_start(p->then, 0);
	else if (p->then)
		p->then->over = true;
	proc_sleep(p, (int64_t)sim_below(200));
	forget_all(p);
	leave(p);
}

static void first_run(struct loop_timer *timer)
{
	struct proc *p = (struct proc *)((char *)timer - offsetof(struct proc, timer));
	size_t i;

	for (i = 0; sim.trace && i < p->argc; i++)
		sim_trace("%d: argument %s", (int)p->tid, p->argv[i]);
	p->stack = spare_count ? spare_stacks[--spare_count] : mem_zalloc(STACK_BYTES);
	getcontext(&p->context);
	p->context.uc_stack.ss_sp = p->stack;
	p->context.uc_stack.ss_size = STACK_BYTES;
	p->context.uc_link = NULL;
	makecontext(&p->context, proc_main, 0);
	starting = p;
	resume(p);
}

void proc_start(struct proc *p, int64_t delay_ms)
{
	p->timer.fire = first_run;
	loop_timer_set(sim.loop, &p->timer, delay_ms);
}

void proc_hold(struct proc *p, struct node *n)
{
	if (p->held_count == p->held_cap) {
		p->held_cap = p->held_cap ? 2 * p->held_cap : 16;
		p->held = mem_resize(p->held, p->held_cap, sizeof(struct node *));
	}
	p->held[p->held_count++] = n;
}

void proc_let_go(struct proc *p, struct node *n)
{
	size_t i;

	for (i = p->held_count; i-- > 0;)
		if (p->held[i] == n) {
			p->held[i] = p->held[--p->held_count];
			ns_forget(n, 1);
			return;
		}
}

void proc_kill(struct proc *p)
{
	if (p->over || p->killed || !p->stack)
		return;
	sim_trace("%d is killed", (int)p->tid);
	p->killed = true;
	if (p->call && !p->call->replies)
		ns_interrupt(&p->call->call);
}

void proc_effect(struct proc *p, struct mpath *m, enum kind kind, uint64_t hash, struct mpath *src)
{
	if (p->effect_count == p->effect_cap) {
		p->effect_cap = p->effect_cap ? 2 * p->effect_cap : 16;
		p->effects = mem_resize(p->effects, p->effect_cap, sizeof(*p->effects));
	}
	p->effects[p->effect_count++] =
		(struct effect){.m = m, .ver = m->ver, .kind = kind, .hash = hash, .src = src};
	if (p->mode)
		p->effects[p->effect_count - 1].mode = p->mode;
}

bool procs_over(void)
{
	const struct proc *p;

	for (p = procs; p; p = p->next)
		if (!p->over)
			return false;
	return true;
}

void procs_free(void)
{
	struct proc *p;

	while ((p = procs)) {
		procs = p->next;
		while (p->argc)
			free(p->argv[--p->argc]);
		if (p->stack && spare_count < sizeof(spare_stacks) / sizeof(spare_stacks[0]))
			spare_stacks[spare_count++] = p->stack;
		else
			free(p->stack);
		free(p->held);
		free(p->effects);
		free(p->read_data);
		free(p);
	}
}

/* ---- what ns_proc.c says of real processes ---- */

static struct proc *proc_of(pid_t tid)
{
	struct proc *p;

	for (p = procs; p; p = p->next)
		if (p->tid == tid)
			return p;
	return NULL;
}

bool process_read(pid_t tid, struct process *ret)
{
	struct proc *p = proc_of(tid);

	*ret = (struct process){0};
	if (!p || p->over)
		return false;
	ret->tgid = tid;
	ret->exe = mem_strdup(p->exe);
	ret->argv = p->argv;
	ret->argc = p->argc;
	return true;
}

enum maker maker_of(struct ns *ns, const struct process *p)
{
	(void)ns;
	(void)p;
	return MAKER_GNU;
}

void makers_free(struct ns *ns)
{
	(void)ns;
}

bool process_may_ask(pid_t pid)
{
	(void)pid;
	return false;
}

void process_free(struct process *p)
{
	free(p->exe);
	*p = (struct process){0};
}

char *process_path_in(const struct process *p, const char *arg, const char *mountpoint)
{
	size_t n = strlen(mountpoint);

	(void)p;
	return !strncmp(arg, mountpoint, n) && arg[n] == '/' ? mem_strdup(arg + n) : NULL;
}

int process_watch(pid_t pid)
{
	struct proc *p = proc_of(pid);

	/* A descriptor that can be closed; the simulated loop says when it is readable. */
	p->watch_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return p->watch_fd;
}
