/*
 * Telling the kernel that a name is stale. That write may have to wait for a lock whose holder
 * waits for an answer of ours, so it is done by a thread of its own, never by the core thread. An
 * eventfd counts for the core thread what has been told of what the name space asked for.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "fuse/fs_int.h"
#include "util/mem.h"

/* Beyond this many the kernel's own timeouts have to do. */
#define NOTES_MAX 10000

struct note {
	fuse_ino_t parent;
	STAILQ_ENTRY(note) link;
	bool counted;
	char name[];
};

struct notifier {
	struct fs *fs;
	struct loop_fd told;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed; /* a note was added, or `ending` was set */
	STAILQ_HEAD(, note) notes;
	unsigned count;
	bool ending;
};

static void count_one(const struct notifier *n, bool counted)
{
	uint64_t one = 1;

	/* It cannot fail: nobody lets it come near its limit. */
	if (counted && write(n->told.fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

static void told(struct loop_fd *fd)
{
	struct notifier *n = (struct notifier *)((char *)fd - offsetof(struct notifier, told));
	uint64_t count;

	if (read(fd->fd, &count, sizeof(count)) == sizeof(count))
		ns_told(n->fs->ns, count);
}

static void *notify(void *arg)
{
	struct notifier *n = arg;
	struct note *note;

	pthread_mutex_lock(&n->mutex);
	for (;;) {
		while (!(note = STAILQ_FIRST(&n->notes)) && !n->ending)
			pthread_cond_wait(&n->changed, &n->mutex);
		if (!note)
			break;
		STAILQ_REMOVE_HEAD(&n->notes, link);
		n->count--;
		pthread_mutex_unlock(&n->mutex);
		/* ENOENT: the kernel does not have it, which is what is wanted. */
		fuse_lowlevel_notify_inval_entry(
			n->fs->session, note->parent, note->name, strlen(note->name));
		count_one(n, note->counted);
		free(note);
		pthread_mutex_lock(&n->mutex);
	}
	pthread_mutex_unlock(&n->mutex);
	return NULL;
}

static bool start(struct notifier *n)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&n->thread, NULL, notify, n);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = err;
	return !err;
}

struct notifier *notifier_new(struct fs *fs)
{
	struct notifier *n = mem_zalloc(sizeof(*n));
	int saved;

	n->fs = fs;
	STAILQ_INIT(&n->notes);
	pthread_mutex_init(&n->mutex, NULL);
	pthread_cond_init(&n->changed, NULL);
	n->told.ready = told;
	n->told.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (n->told.fd >= 0 && loop_fd_add(fs->loop, &n->told) == 0) {
		if (start(n))
			return n;
		saved = errno;
		loop_fd_del(fs->loop, &n->told);
		errno = saved;
	}
	saved = errno;
	if (n->told.fd >= 0)
		close(n->told.fd);
	free(n);
	errno = saved;
	return NULL;
}

void notifier_free(struct notifier *n)
{
	if (!n)
		return;
	pthread_mutex_lock(&n->mutex);
	n->ending = true;
	pthread_cond_signal(&n->changed);
	pthread_mutex_unlock(&n->mutex);
	pthread_join(n->thread, NULL);
	loop_fd_del(n->fs->loop, &n->told);
	close(n->told.fd);
	pthread_cond_destroy(&n->changed);
	pthread_mutex_destroy(&n->mutex);
	free(n);
}

void notifier_stale(struct notifier *n, fuse_ino_t parent, const char *name, bool counted)
{
	size_t len = strlen(name);
	struct note *note = mem_zalloc(sizeof(*note) + len + 1);

	note->parent = parent;
	note->counted = counted;
	memcpy(note->name, name, len);
	pthread_mutex_lock(&n->mutex);
	if (n->count < NOTES_MAX) {
		STAILQ_INSERT_TAIL(&n->notes, note, link);
		n->count++;
		note = NULL;
	}
	pthread_cond_signal(&n->changed);
	pthread_mutex_unlock(&n->mutex);
	if (note)
		count_one(n, counted);
	free(note);
}
