/*
 * A dead mount answers every request with ENOTCONN. The kernel may still have its root's
 * attributes, so stat(2) does not tell: statfs(2) always asks. Any thread.
 */
#include "cli/remains.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/log.h"
#include "util/mem.h"

#define LAYERS_MAX 64

/* Where the mount point is, without asking the filesystem that is mounted there. */
static char *real_path(const char *path)
{
	char *copy = mem_strdup(path), *slash, *dir, *full = NULL;
	size_t n = strlen(copy);

	while (n > 1 && copy[n - 1] == '/')
		copy[--n] = '\0';
	slash = strrchr(copy, '/');
	if (slash && !slash[1]) {
		free(copy);
		return NULL; /* the root */
	}
	if (slash)
		*slash = '\0';
	dir = realpath(!slash ? "." : slash == copy ? "/" : copy, NULL);
	if (dir)
		full = mem_printf("%s/%s", strcmp(dir, "/") ? dir : "", slash ? slash + 1 : copy);
	free(dir);
	free(copy);
	return full;
}

/* mountinfo writes blanks and backslashes as \ooo (proc(5)). */
static bool same_path(const char *escaped, const char *path)
{
	for (; *escaped && *path; path++) {
		char c = *escaped++;

		if (c == '\\' && escaped[0] && escaped[1] && escaped[2]) {
			c = (char)((escaped[0] - '0') << 6 | (escaped[1] - '0') << 3 |
				   (escaped[2] - '0'));
			escaped += 3;
		}
		if (c != *path)
			return false;
	}
	return !*escaped && !*path;
}

/* Is what is mounted on top there one of ours? */
static bool is_ours(const char *path)
{
	FILE *table = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t cap = 0;
	bool ours = false;

	if (!table)
		return false;
	while (getline(&line, &cap, table) > 0) {
		char point[PATH_MAX];
		const char *dash = strstr(line, " - ");

		if (dash && sscanf(line, "%*d %*d %*s %*s %4095s", point) == 1 &&
			same_path(point, path))
			ours = !strncmp(dash + 3, "fuse.s3bulkfs ", 14);
	}
	free(line);
	fclose(table);
	return ours;
}

void remains_remove(const char *path)
{
	char *full = real_path(path);
	struct statfs st;
	int i;

	for (i = 0; full && i < LAYERS_MAX && is_ours(full); i++) {
		if (statfs(full, &st) == 0 || errno != ENOTCONN)
			break;
		if (umount2(full, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			break;
		log_info("%s: unmounted what a daemon that had crashed left behind", full);
	}
	free(full);
}
