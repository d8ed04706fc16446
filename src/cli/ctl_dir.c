/* The private directory of control sockets. Any thread; strings handed out are the caller's. */
#include "cli/ctl_dir.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/mem.h"

#define SOCKET_PREFIX "mount-"
#define SOCKET_SUFFIX ".sock"

/* May only that user and root exchange what is in the parent? In a sticky one, only what is theirs.
 */
static bool parent_is_safe(const char *dir, uid_t uid)
{
	char *parent = mem_strdup(dir), *slash = strrchr(parent, '/');
	struct stat st;
	bool safe;

	slash[slash == parent] = '\0';
	safe = !stat(parent, &st) && (!st.st_uid || st.st_uid == uid) &&
	       (!(st.st_mode & 022) || st.st_mode & S_ISVTX);
	free(parent);
	return safe;
}

bool ctl_dir_check(const char *dir, uid_t uid)
{
	struct stat st;

	if (lstat(dir, &st) < 0)
		return false;
	if (S_ISDIR(st.st_mode) && st.st_uid == uid && !(st.st_mode & 077) &&
		parent_is_safe(dir, uid))
		return true;
	errno = EACCES;
	return false;
}

size_t ctl_dir_candidates(uid_t uid, char *dirs[CTL_DIRS_MAX])
{
	const char *runtime = uid == geteuid() ? getenv("XDG_RUNTIME_DIR") : NULL;
	size_t n = 0;

	if (!uid)
		dirs[n++] = mem_strdup("/run/s3bulkfs");
	if (uid && runtime && runtime[0] == '/')
		dirs[n++] = mem_printf("%s/s3bulkfs", runtime);
	/* systemd's pam_systemd(8) names it so. */
	if (uid)
		dirs[n++] = mem_printf("/run/user/%u/s3bulkfs", (unsigned)uid);
	dirs[n++] = mem_printf("/tmp/s3bulkfs-%u", (unsigned)uid);
	return n;
}

char *ctl_dir_make(char *why, size_t why_size)
{
	char *dirs[CTL_DIRS_MAX], *found = NULL;
	size_t i, n = ctl_dir_candidates(geteuid(), dirs);

	for (i = 0; i < n && !found; i++) {
		if (mkdir(dirs[i], 0700) < 0 && errno != EEXIST) {
			snprintf(why, why_size, "%s: %m", dirs[i]);
		} else if (!ctl_dir_check(dirs[i], geteuid())) {
			snprintf(why, why_size,
				"%s is not a directory of this user with mode 0700, or others may "
				"exchange it",
				dirs[i]);
		} else {
			found = dirs[i];
			dirs[i] = NULL;
		}
	}
	for (i = 0; i < n; i++)
		free(dirs[i]);
	return found;
}

/* FNV-1a (Fowler, Noll, Vo): the name of a socket must be short, and the same for both sides. */
static uint64_t hash(const char *s)
{
	uint64_t h = 14695981039346656037u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211u;
	return h;
}

char *ctl_dir_socket(const char *dir, const char *mountpoint)
{
	return mem_printf("%s/" SOCKET_PREFIX "%016" PRIx64 SOCKET_SUFFIX, dir, hash(mountpoint));
}

bool ctl_dir_is_socket(const char *name)
{
	size_t n = strlen(name), prefix = strlen(SOCKET_PREFIX), suffix = strlen(SOCKET_SUFFIX);

	return n == prefix + 16 + suffix && !strncmp(name, SOCKET_PREFIX, prefix) &&
	       !strcmp(name + n - suffix, SOCKET_SUFFIX);
}
