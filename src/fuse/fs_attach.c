/*
 * Mounting and unmounting the volumes of one superblock. The kernel asks the core thread about a
 * volume while it is attached, and path names may lead through mounts of ours, so a thread of its
 * own does that work; jobs come back by loop_post. The core thread watches the mount table for what
 * was unmounted (proc(5), /proc/pid/mountinfo: EPOLLPRI when it has changed).
 *
 * A mount point is attached through a mount made for it from the same /dev/fuse descriptor, which
 * gives the existing superblock: so the mount table shows each with its own source.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fuse/fs_int.h"
#include "util/buf.h"
#include "util/log.h"
#include "util/mem.h"
#include "util/mountinfo.h"

#define TABLE_AGAIN_MS 1000
#define MOUNTINFO_MAX ((size_t)64 << 20)

enum state { STATE_ATTACHING, STATE_ATTACHED, STATE_GONE };

struct attached {
	struct fs_attach config;
	char *source;
	char name[24]; /* in the hidden root */
	enum state state;
	bool seen;
	LIST_ENTRY(attached) link;
};

struct job {
	struct loop_task task;
	struct attacher *attacher;
	struct attached *what;   /* to attach; NULL: detach everything */
	void (*done)(void *ctx); /* of a detach */
	void *ctx;
	int errnum;
	const char *step;
	STAILQ_ENTRY(job) link;
};

struct attacher {
	struct fs *fs;
	bool allow_other;
	int base_fd;          /* the detached mount that keeps the superblock */
	int device_fd;        /* /dev/fuse, the session's */
	_Atomic dev_t device; /* of the superblock; 0 until the first attachment; any thread */
	int mountinfo_fd;
	struct loop_fd changed;  /* an epoll of its own: mountinfo is always readable */
	struct loop_timer again; /* the table could not be read */
	uint64_t last_number;
	LIST_HEAD(, attached) list;
	pthread_t thread;
	pid_t tid;
	struct {
		pthread_mutex_t mutex;
		pthread_cond_t more;
		STAILQ_HEAD(, job) jobs;
		bool ending;
	} locked;
};

/* ---- the thread ---- */

/* The kernel checks the modes then: what it has cached it would otherwise show to everyone. */
static bool let_others_in(int context)
{
	return !fsconfig(context, FSCONFIG_SET_FLAG, "allow_other", NULL, 0) &&
	       !fsconfig(context, FSCONFIG_SET_FLAG, "default_permissions", NULL, 0);
}

/* A mount of the session's superblock with this source, not attached anywhere; -1 and errno. */
static int superblock_mount(const struct attacher *a, const char *source)
{
	char number[16], user[16], group[16];
	int saved, fd = -1, context = fsopen("fuse", FSOPEN_CLOEXEC);

	if (context < 0)
		return -1;
	snprintf(number, sizeof(number), "%d", a->device_fd);
	snprintf(user, sizeof(user), "%u", (unsigned)getuid());
	snprintf(group, sizeof(group), "%u", (unsigned)getgid());
	if (!fsconfig(context, FSCONFIG_SET_STRING, "source", source, 0) &&
		!fsconfig(context, FSCONFIG_SET_STRING, "subtype", "s3bulkfs", 0) &&
		!fsconfig(context, FSCONFIG_SET_STRING, "fd", number, 0) &&
		!fsconfig(context, FSCONFIG_SET_STRING, "rootmode", "40000", 0) &&
		!fsconfig(context, FSCONFIG_SET_STRING, "user_id", user, 0) &&
		!fsconfig(context, FSCONFIG_SET_STRING, "group_id", group, 0) &&
		(!a->allow_other || let_others_in(context)) &&
		!fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		fd = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	saved = errno;
	close(context);
	errno = saved;
	return fd;
}

static bool failed(struct job *job, const char *step)
{
	job->errnum = errno;
	job->step = step;
	return false;
}

static bool attach_tree(struct job *job, int tree)
{
	const struct fs_attach *config = &job->what->config;
	struct mount_attr attr = {
		.attr_set = config->attributes,
		.attr_clr = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
	};
	struct stat st;

	/* Cleared and set in one go: what is in attr_set stays. */
	attr.attr_clr &= ~attr.attr_set;
	if (config->attributes & MOUNT_ATTR_NOATIME)
		attr.attr_clr |= MOUNT_ATTR__ATIME;
	if (mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return failed(job, "mount_setattr");
	if (fstat(tree, &st) < 0)
		return failed(job, "fstat");
	job->attacher->device = st.st_dev;
	if (move_mount(tree, "", config->mountpoint_fd, "",
		    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return failed(job, "move_mount");
	return true;
}

static void attach(struct job *job)
{
	const struct attacher *a = job->attacher;
	int tree, base = superblock_mount(a, job->what->source);

	/* Kernels before 5.15 give no second mount: the source is then that of the base. */
	tree = open_tree(base >= 0 ? base : a->base_fd, job->what->name,
		OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0)
		failed(job, "open_tree");
	else
		attach_tree(job, tree);
	if (tree >= 0)
		close(tree);
	if (base >= 0)
		close(base);
}

/* Calls `fn` with the root and the mount point of each mount of the superblock. False: it could not
 * be read, and `fn` was not called. */
static bool each_mount(const struct attacher *a, int fd,
	void (*fn)(struct attacher *a, struct bytes root, struct bytes point))
{
	struct buf text = BUF_INIT(MOUNTINFO_MAX);
	char chunk[16384];
	struct mountinfo m;
	struct bytes rest;
	bool good;
	ssize_t n;
	bool whole;

	lseek(fd, 0, SEEK_SET);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_add(&text, chunk, (size_t)n);
	/* Half a table would look like an unmount. */
	whole = !n && !text.failed;
	if (!whole)
		log_error("the mount table cannot be read: %s",
			text.failed ? "it is too long" : strerrordesc_np(errno));
	rest = whole ? buf_bytes(&text) : BYTES_LIT("");
	while (mountinfo_next(&rest, &m, &good))
		if (good && m.device == a->device)
			fn((struct attacher *)(uintptr_t)a, m.root, m.point);
	buf_free(&text);
	return whole;
}

static void unmount_one(struct attacher *a, struct bytes root, struct bytes point)
{
	char *path = mountinfo_text(point);

	(void)a;
	(void)root;
	if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		log_error("%s cannot be unmounted: %m", path);
	free(path);
}

static void detach_all(struct attacher *a)
{
	int fd = open("/proc/thread-self/mountinfo", O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		log_error("the mount table cannot be read: %m");
		return;
	}
	if (a->device)
		each_mount(a, fd, unmount_one);
	close(fd);
}

static void job_done(struct loop_task *task);

static void *work(void *arg)
{
	struct attacher *a = arg;
	struct job *job;

	pthread_mutex_lock(&a->locked.mutex);
	a->tid = gettid();
	pthread_cond_broadcast(&a->locked.more);
	for (;;) {
		while (!(job = STAILQ_FIRST(&a->locked.jobs)) && !a->locked.ending)
			pthread_cond_wait(&a->locked.more, &a->locked.mutex);
		if (!job)
			break;
		STAILQ_REMOVE_HEAD(&a->locked.jobs, link);
		pthread_mutex_unlock(&a->locked.mutex);
		if (job->what)
			attach(job);
		else
			detach_all(a);
		loop_post(a->fs->loop, &job->task);
		pthread_mutex_lock(&a->locked.mutex);
	}
	pthread_mutex_unlock(&a->locked.mutex);
	return NULL;
}

/* ---- the core thread ---- */

static void submit(struct attacher *a, struct job *job)
{
	job->attacher = a;
	job->task.run = job_done;
	pthread_mutex_lock(&a->locked.mutex);
	STAILQ_INSERT_TAIL(&a->locked.jobs, job, link);
	pthread_cond_broadcast(&a->locked.more);
	pthread_mutex_unlock(&a->locked.mutex);
}

/* "/3" and "/3/dir" are of the volume 3. */
static void note_seen(struct attacher *a, struct bytes root, struct bytes point)
{
	struct attached *t;

	(void)point;
	LIST_FOREACH(t, &a->list, link)
	{
		size_t n = strlen(t->name);

		if (root.len > n && root.ptr[0] == '/' && !memcmp(root.ptr + 1, t->name, n) &&
			(root.len == 1 + n || root.ptr[1 + n] == '/'))
			t->seen = true;
	}
}

static struct attached *first_gone(struct attacher *a)
{
	struct attached *t;

	LIST_FOREACH(t, &a->list, link)
	if (t->state == STATE_ATTACHED && !t->seen)
		return t;
	return NULL;
}

static void look_for_gone(struct attacher *a)
{
	struct attached *t;

	LIST_FOREACH(t, &a->list, link)
	t->seen = false;
	/* Half a table, or none, would look like an unmount. */
	if (!each_mount(a, a->mountinfo_fd, note_seen)) {
		loop_timer_set(a->fs->loop, &a->again, TABLE_AGAIN_MS);
		return;
	}
	while ((t = first_gone(a))) {
		t->state = STATE_GONE;
		/* Its entries are of no use to anybody: what nobody holds, the kernel forgets. */
		notifier_stale(a->fs->notifier, FUSE_ROOT_ID, t->name, false);
		t->config.detached(t->config.ctx);
	}
}

static void look_again(struct loop_timer *timer)
{
	look_for_gone((struct attacher *)((char *)timer - offsetof(struct attacher, again)));
}

static void mounts_changed(struct loop_fd *fd)
{
	struct attacher *a = (struct attacher *)((char *)fd - offsetof(struct attacher, changed));
	struct epoll_event event;

	/* Asking is what tells it: the loop's own epoll may have asked already. */
	(void)epoll_wait(fd->fd, &event, 1, 0);
	look_for_gone(a);
}

static void job_done(struct loop_task *task)
{
	struct job *job = (struct job *)task;
	struct attached *t = job->what;
	struct attacher *a = job->attacher;

	if (!t) {
		job->done(job->ctx);
		free(job);
		return;
	}
	close(t->config.mountpoint_fd);
	t->state = job->errnum ? STATE_GONE : STATE_ATTACHED;
	if (job->errnum)
		notifier_stale(a->fs->notifier, FUSE_ROOT_ID, t->name, false);
	t->config.attached(t->config.ctx, job->errnum, job->step);
	if (!job->errnum)
		look_for_gone(a);
	free(job);
}

void fs_attach(struct fs *fs, const struct fs_attach *config)
{
	struct attacher *a = fs->attacher;
	struct attached *t = mem_zalloc(sizeof(*t));
	struct job *job = mem_zalloc(sizeof(*job));

	t->config = *config;
	t->source = mem_strdup(config->source);
	snprintf(t->name, sizeof(t->name), "%llu", (unsigned long long)++a->last_number);
	LIST_INSERT_HEAD(&a->list, t, link);
	job->what = t;
	submit(a, job);
}

void fs_detach_all(struct fs *fs, void (*done)(void *ctx), void *ctx)
{
	struct job *job = mem_zalloc(sizeof(*job));

	job->done = done;
	job->ctx = ctx;
	submit(fs->attacher, job);
}

static void attached_free(struct attached *t)
{
	LIST_REMOVE(t, link);
	free(t->source);
	free(t);
}

void fs_drop(struct fs *fs, struct ns_volume *v)
{
	struct attached *t;

	LIST_FOREACH(t, &fs->attacher->list, link)
	if (t->config.volume == v) {
		attached_free(t);
		return;
	}
}

struct ns_volume *attacher_find(const struct attacher *a, const char *name, pid_t tid)
{
	struct attached *t;

	LIST_FOREACH(t, &a->list, link)
	if (t->state == STATE_ATTACHING && tid == a->tid && !strcmp(t->name, name))
		return t->config.volume;
	return NULL;
}

static bool watch_mounts(struct attacher *a)
{
	struct epoll_event event = {.events = EPOLLPRI};

	a->mountinfo_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	a->changed = (struct loop_fd){.ready = mounts_changed, .fd = epoll_create1(EPOLL_CLOEXEC)};
	return a->mountinfo_fd >= 0 && a->changed.fd >= 0 &&
	       !epoll_ctl(a->changed.fd, EPOLL_CTL_ADD, a->mountinfo_fd, &event) &&
	       !loop_fd_add(a->fs->loop, &a->changed);
}

static bool start_thread(struct attacher *a)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&a->thread, NULL, work, a);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err) {
		errno = err;
		return false;
	}
	pthread_mutex_lock(&a->locked.mutex);
	while (!a->tid)
		pthread_cond_wait(&a->locked.more, &a->locked.mutex);
	pthread_mutex_unlock(&a->locked.mutex);
	return true;
}

struct attacher *attacher_new(struct fs *fs, bool allow_other, char *why, size_t why_size)
{
	struct attacher *a = mem_zalloc(sizeof(*a));

	a->fs = fs;
	a->allow_other = allow_other;
	a->again.fire = look_again;
	a->mountinfo_fd = a->changed.fd = a->base_fd = -1;
	LIST_INIT(&a->list);
	STAILQ_INIT(&a->locked.jobs);
	pthread_mutex_init(&a->locked.mutex, NULL);
	pthread_cond_init(&a->locked.more, NULL);
	a->device_fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (a->device_fd < 0)
		snprintf(why, why_size, "cannot open /dev/fuse: %m; is the module fuse there?");
	else if ((a->base_fd = superblock_mount(a, "s3bulkfs")) < 0)
		snprintf(why, why_size, "the kernel refuses a FUSE mount: %m");
	else if (!watch_mounts(a))
		snprintf(why, why_size, "cannot watch the mount table: %m");
	else if (!start_thread(a))
		snprintf(why, why_size, "cannot start the thread that mounts: %m; " THREADS_REMEDY);
	else
		return a;
	attacher_free(a);
	return NULL;
}

void attacher_free(struct attacher *a)
{
	struct attached *t;

	if (!a)
		return;
	if (a->tid) {
		pthread_mutex_lock(&a->locked.mutex);
		a->locked.ending = true;
		pthread_cond_broadcast(&a->locked.more);
		pthread_mutex_unlock(&a->locked.mutex);
		pthread_join(a->thread, NULL);
	} else if (a->device_fd >= 0) {
		close(a->device_fd); /* the session never took it */
	}
	loop_timer_stop(a->fs->loop, &a->again);
	if (a->changed.fd >= 0) {
		loop_fd_del(a->fs->loop, &a->changed);
		close(a->changed.fd);
	}
	if (a->mountinfo_fd >= 0)
		close(a->mountinfo_fd);
	if (a->base_fd >= 0)
		close(a->base_fd);
	while ((t = LIST_FIRST(&a->list)))
		attached_free(t);
	pthread_cond_destroy(&a->locked.more);
	pthread_mutex_destroy(&a->locked.mutex);
	free(a);
}

int attacher_device_fd(const struct attacher *a)
{
	return a->device_fd;
}
