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
#include "util/mountinfo.h"

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

static bool is_at(const struct mountinfo *m, const char *path)
{
	char *point = mountinfo_text(m->point);
	bool same = !strcmp(point, path);

	free(point);
	return same;
}

/* Is what is mounted on top there one of ours? */
static bool is_ours(const char *path)
{
	FILE *table = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t cap = 0;
	bool ours = false, good;
	struct mountinfo m;
	ssize_t n;

	if (!table)
		return false;
	while ((n = getline(&line, &cap, table)) > 0) {
		struct bytes text = BYTES(line, (size_t)n);

		if (mountinfo_next(&text, &m, &good) && good && is_at(&m, path))
			ours = bytes_equal(m.type, BYTES_LIT("fuse.s3bulkfs"));
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
