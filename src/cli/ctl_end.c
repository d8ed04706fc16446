/* s3bulkfsctl flush and umount: waiting for what is pending, and for a daemon's end. One thread. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/ctl_show.h"
#include "cli/ctl_text.h"
#include "util/mem.h"

#define WHY_MAX 512

extern char **environ;

/* ---- flush ---- */

/* True when all is well. */
static bool flush_one(const struct ctl_target *target, const char *within)
{
	cJSON *request, *answer;
	struct ctl_link link;
	char why[WHY_MAX];
	bool good = false;

	if (!ctl_connect(&link, target, why, sizeof(why))) {
		text_print(stderr, "s3bulkfsctl: %s\n", why);
		return false;
	}
	ctl_wait_long(&link);
	request = ctl_request_new("flush");
	cJSON_AddStringToObject(request, "path", within);
	answer = ctl_ask(&link, request, why, sizeof(why));
	if (answer) {
		ctl_print_failures(answer, target->mountpoint);
		good = ctl_number(answer, "failed") == 0;
	} else {
		text_print(stderr, "s3bulkfsctl: %s\n", why);
	}
	cJSON_Delete(answer);
	ctl_close(&link);
	return good;
}

int ctl_flush(const char *path)
{
	const struct ctl_target *target;
	struct ctl_targets t;
	char *within = NULL;
	bool good = true;
	size_t i;

	if (!ctl_targets_read(&t))
		return CTL_FAILED;
	target = path ? ctl_target_of(&t, path, &within) : NULL;
	if (target && !target->all) {
		good = flush_one(target, within);
	} else if (path && !target) {
		good = false;
	} else if (!target || !strcmp(within, "/")) {
		/* Root waits for another user's daemon only when it is named. */
		for (i = 0; i < t.count; i++)
			if (ctl_target_is(&t.list[i], target) &&
				(geteuid() == t.list[i].owner || (target && !geteuid())))
				good &= flush_one(&t.list[i], "/");
	} /* else a bucket that nobody has used */
	free(within);
	ctl_targets_free(&t);
	return good ? CTL_OK : CTL_FAILED;
}

/* ---- umount ---- */

/*
 * `mountpoint` is a path without links. Its directories may be another user's, who makes a link of
 * one meanwhile, to have another mount unmounted. False, with errno.
 */
static bool unmount_in_place(const char *mountpoint)
{
	struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	char *path = mem_strdup(mountpoint), *slash = strrchr(path, '/');
	int dir, saved;
	bool good;

	*slash = '\0';
	/* Glibc has no openat2(2). */
	dir = (int)syscall(SYS_openat2, AT_FDCWD, slash == path ? "/" : path, &how, sizeof(how));
	good = dir >= 0 && !fchdir(dir) && !umount2(slash + 1, UMOUNT_NOFOLLOW);
	saved = errno;
	if (dir >= 0)
		close(dir);
	free(path);
	errno = saved;
	return good;
}

/* Ordinary users may only unmount through fusermount3(1). */
static bool unmount(const char *mountpoint)
{
	char *argv[] = {
		(char *)"fusermount3", (char *)"-u", (char *)"--", (char *)mountpoint, NULL};
	int status, err;
	pid_t pid;

	if (!geteuid()) {
		if (unmount_in_place(mountpoint))
			return true;
		text_print(stderr, "s3bulkfsctl: %s: %s\n", mountpoint,
			errno == EBUSY
				? "somebody uses it (a working directory, an open file); all its "
				  "changes are done, and it stays mounted"
				: strerrordesc_np(errno));
		return false;
	}
	err = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (err) {
		text_print(stderr, "s3bulkfsctl: fusermount3 cannot be started: %s\n",
			strerrordesc_np(err));
		return false;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0; /* it has said why */
}

/* The daemon says what failed since, and hangs up; if it ends with the mount, that is waited for.
 */
static bool wait_for_end(struct ctl_link *link, const char *mountpoint)
{
	int daemon = (int)syscall(SYS_pidfd_open, link->daemon, 0);
	struct pollfd fd = {.fd = daemon, .events = POLLIN};
	cJSON *last = ctl_read(link);
	bool good;

	if (!last)
		text_print(stderr,
			"s3bulkfsctl: the daemon of %s ended without a word; see its log\n",
			mountpoint);
	else
		ctl_print_failures(last, mountpoint);
	good = last && ctl_number(last, "failed") == 0;
	if (daemon >= 0 && (!last || ctl_true(last, "process_ends")))
		while (poll(&fd, 1, -1) < 0 && errno == EINTR)
			;
	if (daemon >= 0)
		close(daemon);
	cJSON_Delete(last);
	return good;
}

struct ending {
	const struct ctl_target *target;
	struct ctl_link link;
};

/* Waits for what is pending. False: the daemon does not answer; *good: and nothing failed. */
static bool settle(struct ending *e, bool *good)
{
	char why[WHY_MAX];
	cJSON *answer = NULL;

	if (ctl_connect(&e->link, e->target, why, sizeof(why))) {
		ctl_wait_long(&e->link);
		answer = ctl_ask(&e->link, ctl_request_new("umount"), why, sizeof(why));
	}
	if (answer)
		ctl_print_failures(answer, e->target->mountpoint);
	else
		text_print(stderr, "s3bulkfsctl: %s\n", why);
	*good &= answer && ctl_number(answer, "failed") == 0;
	cJSON_Delete(answer);
	return answer != NULL;
}

/* A mount, or all buckets of one. */
static bool umount_all(const struct ctl_targets *t, const struct ctl_target *target)
{
	struct ending *list = mem_calloc(t->count, sizeof(*list));
	bool good = true, answered = true;
	size_t i, n = 0;

	for (i = 0; i < t->count; i++) {
		if (!ctl_target_is(&t->list[i], target))
			continue;
		list[n].target = &t->list[i];
		answered &= settle(&list[n++], &good);
	}
	if (answered && unmount(target->mountpoint))
		for (i = 0; i < n; i++)
			good &= wait_for_end(&list[i].link, list[i].target->mountpoint);
	else
		good = false;
	for (i = 0; i < n; i++)
		ctl_close(&list[i].link);
	free(list);
	return good;
}

int ctl_umount(const char *path)
{
	const struct ctl_target *target;
	struct ctl_targets t;
	char *within = NULL;
	bool good;

	if (!ctl_targets_read(&t))
		return CTL_FAILED;
	target = ctl_target_of(&t, path, &within);
	if (target && (strcmp(within, "/") != 0 || target->mount_of)) {
		text_print(stderr, "s3bulkfsctl: %s is not a mount point; its mount's is %s\n",
			path, target->mount_of ? target->mount_of : target->mountpoint);
		target = NULL;
	}
	free(within);
	good = target && umount_all(&t, target);
	ctl_targets_free(&t);
	return good ? CTL_OK : CTL_FAILED;
}
