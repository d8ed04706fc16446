/*
 * The locks of directories, as the VFS takes them: alone for a change, shared for lookups and
 * readdir. Waiting processes try again after a while. One thread.
 */
#include <string.h>

#include "sim.h"

#define LOCKS_MAX 64

static struct lock {
	const struct node *dir;
	unsigned readers;
	bool writer;
} locks[LOCKS_MAX];

static bool try_lock(const struct node *dir, bool exclusive)
{
	struct lock *l, *spare = NULL;

	for (l = locks; l < locks + LOCKS_MAX; l++) {
		if (l->dir == dir)
			break;
		if (!l->dir)
			spare = l;
	}
	if (l == locks + LOCKS_MAX) {
		l = spare;
		*l = (struct lock){.dir = dir};
	}
	if (l->writer || (exclusive && l->readers))
		return false;
	l->writer = exclusive;
	l->readers += !exclusive;
	return true;
}

void lock_end(const struct node *dir, bool exclusive)
{
	struct lock *l;

	for (l = locks; l->dir != dir; l++)
		;
	if (exclusive)
		l->writer = false;
	else
		l->readers--;
	if (!l->readers)
		l->dir = NULL;
}

void lock_begin(struct proc *p, const struct node *dir, bool exclusive)
{
	int64_t ms = 1;

	while (!try_lock(dir, exclusive)) {
		proc_sleep(p, ms);
		ms = ms < 500 ? ms * 2 : ms;
	}
}

void lock_both(struct proc *p, const struct node *a, const struct node *b)
{
	for (;;) {
		lock_begin(p, a, true);
		if (a == b || try_lock(b, true))
			return;
		lock_end(a, true);
		proc_sleep(p, 1 + sim_below(20));
	}
}

void locks_clear(void)
{
	memset(locks, 0, sizeof(locks));
}
