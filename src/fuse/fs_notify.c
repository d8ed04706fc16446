/*
 * Telling the kernel that a name is stale. That write may have to wait for a lock whose holder
 * waits for an answer of ours, so it is done by a thread of its own, never by the core thread.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "fuse/fs_int.h"
#include "util/mem.h"

/* Beyond this many the kernel's own timeouts have to do. */
#define NOTES_MAX 10000

struct note {
	fuse_ino_t parent;
	STAILQ_ENTRY(note) link;
	char name[];
};

struct notifier {
	struct fuse_session *session;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed; /* a note was added, or `ending` was set */
	STAILQ_HEAD(, note) notes;
	unsigned count;
	bool ending;
};

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
			n->session, note->parent, note->name, strlen(note->name));
		free(note);
		pthread_mutex_lock(&n->mutex);
	}
	pthread_mutex_unlock(&n->mutex);
	return NULL;
}

struct notifier *notifier_new(struct fuse_session *session)
{
	struct notifier *n = mem_zalloc(sizeof(*n));
	sigset_t all, old;
	int err;

	n->session = session;
	STAILQ_INIT(&n->notes);
	pthread_mutex_init(&n->mutex, NULL);
	pthread_cond_init(&n->changed, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&n->thread, NULL, notify, n);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!err)
		return n;
	free(n);
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
	pthread_cond_destroy(&n->changed);
	pthread_mutex_destroy(&n->mutex);
	free(n);
}

void notifier_stale(struct notifier *n, fuse_ino_t parent, const char *name)
{
	size_t len = strlen(name);
	struct note *note = mem_zalloc(sizeof(*note) + len + 1);

	note->parent = parent;
	memcpy(note->name, name, len);
	pthread_mutex_lock(&n->mutex);
	if (n->count < NOTES_MAX) {
		STAILQ_INSERT_TAIL(&n->notes, note, link);
		n->count++;
		note = NULL;
	}
	pthread_cond_signal(&n->changed);
	pthread_mutex_unlock(&n->mutex);
	free(note);
}
