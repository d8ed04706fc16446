/* Finding mounts and their sockets, and talking to daemons. One thread, blocking. */
#include "cli/ctl_client.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/ctl_dir.h"
#include "cli/ctl_text.h"
#include "util/clk.h"
#include "util/mem.h"
#include "util/mountinfo.h"

#define ANSWER_BYTES_MAX ((size_t)32 << 20)
#define STRANGER_MS 5000
#define STRANGERS_MAX 1000 /* sockets of another user that are asked */

/* ---- mounts ---- */

/* The number behind "user_id=" in the options of its superblock; 0: there is none. */
static uid_t owner_of(struct bytes options)
{
	char *text = mem_dup(options.ptr, options.len);
	const char *id = strstr(text, "user_id=");
	uid_t owner = id ? (uid_t)strtoul(id + 8, NULL, 10) : 0;

	free(text);
	return owner;
}

static void add_target(struct ctl_targets *t, const struct mountinfo *m)
{
	struct ctl_target target;
	size_t i;

	if (!bytes_equal(m->type, BYTES_LIT("fuse.s3bulkfs")))
		return;
	target = (struct ctl_target){.mountpoint = mountinfo_text(m->point),
		.source = mountinfo_text(m->source),
		.owner = owner_of(m->options)};
	/* Of several on one mount point the last one is seen. */
	for (i = 0; i < t->count; i++)
		if (!strcmp(t->list[i].mountpoint, target.mountpoint))
			break;
	if (i < t->count) {
		free(t->list[i].mountpoint);
		free(t->list[i].source);
	} else {
		t->list = mem_resize(t->list, ++t->count, sizeof(*t->list));
	}
	t->list[i] = target;
}

static bool connect_at(struct ctl_link *l, const char *path, uid_t owner);

/*
 * A bucket of --all-buckets that is in use has a control socket, but is no mount of its own. The
 * mount that it is in, or the mount itself: *own. False: it keeps us waiting, as others may.
 */
static bool add_bucket(struct ctl_targets *t, size_t base, const char *socket_path, bool *own)
{
	struct ctl_link l = {.fd = -1, .in = BUF_INIT(ANSWER_BYTES_MAX)};
	const char *mount = t->list[base].mountpoint, *point;
	size_t n = strcmp(mount, "/") ? strlen(mount) : 0;
	char why[200];
	bool late;
	cJSON *s = connect_at(&l, socket_path, t->list[base].owner)
			   ? ctl_ask(&l, ctl_request_new("status"), why, sizeof(why))
			   : NULL;

	late = l.deadline_ms && clk_mono_ms() >= l.deadline_ms;
	ctl_close(&l);
	point = s ? ctl_text(s, "mountpoint") : "";
	*own |= s && !strcmp(point, mount);
	if (s && !strncmp(point, mount, n) && point[n] == '/' && point[n + 1]) {
		t->list = mem_resize(t->list, ++t->count, sizeof(*t->list));
		t->list[t->count - 1] = (struct ctl_target){.mountpoint = mem_strdup(point),
			.source = mem_strdup(ctl_text(s, "source")),
			.owner = t->list[base].owner,
			.mount_of = mem_strdup(t->list[base].mountpoint)};
	}
	cJSON_Delete(s);
	return !late;
}

static void add_buckets(struct ctl_targets *t, size_t base)
{
	uid_t owner = t->list[base].owner;
	char *dirs[CTL_DIRS_MAX];
	size_t i, n = ctl_dir_candidates(owner, dirs), asked = 0;
	bool own = false, in_time = true;

	for (i = 0; i < n; i++) {
		DIR *d = ctl_dir_check(dirs[i], owner) ? opendir(dirs[i]) : NULL;
		const struct dirent *e;

		while (d && in_time && asked < STRANGERS_MAX && (e = readdir(d))) {
			char *path = ctl_dir_is_socket(e->d_name)
					     ? mem_printf("%s/%s", dirs[i], e->d_name)
					     : NULL;

			if (path)
				in_time = add_bucket(t, base, path, &own);
			asked += path && owner != geteuid();
			free(path);
		}
		if (d)
			closedir(d);
		free(dirs[i]);
	}
	/* Else a bucket is called so. */
	t->list[base].all = !own;
}

bool ctl_target_is(const struct ctl_target *target, const struct ctl_target *named)
{
	if (target->all)
		return false;
	return !named || target == named ||
	       (named->all && target->mount_of && !strcmp(target->mount_of, named->mountpoint));
}

bool ctl_targets_read(struct ctl_targets *t)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0, i, mounts;
	struct mountinfo m;
	bool good;
	ssize_t n;

	*t = (struct ctl_targets){0};
	if (!f) {
		text_print(stderr, "s3bulkfsctl: /proc/self/mountinfo: %m\n");
		return false;
	}
	while ((n = getline(&line, &size, f)) > 0) {
		struct bytes text = BYTES(line, (size_t)n);

		if (mountinfo_next(&text, &m, &good) && good)
			add_target(t, &m);
	}
	free(line);
	fclose(f);
	mounts = t->count;
	for (i = 0; i < mounts; i++)
		if (!strcmp(t->list[i].source, "all-buckets") &&
			(!geteuid() || geteuid() == t->list[i].owner))
			add_buckets(t, i);
	return true;
}

void ctl_targets_free(struct ctl_targets *t)
{
	size_t i;

	for (i = 0; i < t->count; i++) {
		free(t->list[i].mountpoint);
		free(t->list[i].source);
		free(t->list[i].mount_of);
	}
	free(t->list);
	*t = (struct ctl_targets){0};
}

/* The real path; of what does not exist, the real path of what does, and the rest. Owned. */
static char *real_path(const char *path)
{
	char *head = mem_strdup(path), *rest = mem_strdup(""), *real, *slash, *longer;

	while (!(real = realpath(*head ? head : ".", NULL)) && (errno == ENOENT)) {
		size_t n = strlen(head);

		while (n > 1 && head[n - 1] == '/')
			head[--n] = '\0';
		slash = strrchr(head, '/');
		longer = mem_printf("/%s%s", slash ? slash + 1 : head, rest);
		free(rest);
		rest = longer;
		if (slash == head || !slash)
			head[slash ? 1 : 0] = '\0';
		else
			*slash = '\0';
	}
	/* A mount whose daemon has gone has no real paths any more. */
	if (!real)
		real = mem_strdup(path);
	longer = mem_printf("%s%s", strcmp(real, "/") ? real : "", rest);
	free(real);
	free(rest);
	free(head);
	return longer;
}

const struct ctl_target *ctl_target_of(const struct ctl_targets *t, const char *path, char **within)
{
	const struct ctl_target *best = NULL;
	char *real = real_path(path);
	size_t i, best_len = 0;

	for (i = 0; i < t->count; i++) {
		const char *point = t->list[i].mountpoint;
		size_t n = strcmp(point, "/") ? strlen(point) : 0;

		if (strncmp(real, point, n) || (real[n] && real[n] != '/') ||
			(best && n < best_len))
			continue;
		best = &t->list[i];
		best_len = n;
	}
	if (best && within)
		*within = mem_strdup(real[best_len] ? real + best_len : "/");
	if (!best)
		text_print(stderr, "s3bulkfsctl: %s is not in a mount of s3bulkfs\n", path);
	free(real);
	return best;
}

/* ---- talking ---- */

/* Listens there who should? Before a word is said; it may be another's socket, or a link to it. */
static bool is_owners(struct ctl_link *l, uid_t owner)
{
	struct ucred who = {.pid = 0};
	socklen_t size = sizeof(who);

	if (getsockopt(l->fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0 || who.uid != owner)
		return false;
	l->daemon = who.pid;
	return true;
}

static bool connect_at(struct ctl_link *l, const char *path, uid_t owner)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	/* unix(7): connecting and sending wait for a peer that takes nothing. */
	struct timeval wait = {.tv_sec = STRANGER_MS / 1000};
	int n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);

	if ((size_t)n >= sizeof(addr.sun_path))
		return false;
	l->hurried = owner != geteuid();
	l->deadline_ms = l->hurried ? clk_mono_ms() + STRANGER_MS : 0;
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l->fd >= 0 && l->hurried)
		setsockopt(l->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (l->fd >= 0 && connect(l->fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0 &&
		is_owners(l, owner))
		return true;
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	return false;
}

static bool try_connect(struct ctl_link *l, const char *dir, const struct ctl_target *t)
{
	char *path = ctl_dir_socket(dir, t->mountpoint);
	bool connected = connect_at(l, path, t->owner);

	free(path);
	return connected;
}

void ctl_wait_long(struct ctl_link *l)
{
	l->hurried = false;
	l->deadline_ms = 0;
}

bool ctl_connect(struct ctl_link *l, const struct ctl_target *t, char *why, size_t why_size)
{
	char *dirs[CTL_DIRS_MAX];
	size_t i, n = ctl_dir_candidates(t->owner, dirs);
	bool connected = false;

	*l = (struct ctl_link){.fd = -1, .in = BUF_INIT(ANSWER_BYTES_MAX)};
	for (i = 0; i < n && !connected; i++)
		/* A socket that others could have put there is not a daemon's. */
		connected = ctl_dir_check(dirs[i], t->owner) && try_connect(l, dirs[i], t);
	for (i = 0; i < n; i++)
		free(dirs[i]);
	if (connected)
		return true;
	ctl_close(l);
	if (geteuid() && geteuid() != t->owner)
		snprintf(why, why_size,
			"%s is a mount of user %u: only that user and root may do this",
			t->mountpoint, (unsigned)t->owner);
	else
		snprintf(why, why_size,
			"the daemon of %s does not answer; if it has ended, umount %s and mount "
			"again",
			t->mountpoint, t->mountpoint);
	return false;
}

bool ctl_write(struct ctl_link *l, cJSON *request)
{
	char *text = cJSON_PrintUnformatted(request);
	size_t len = text ? strlen(text) : 0, sent = 0;
	ssize_t n = text ? 0 : -1;

	if (text)
		text[len++] = '\n'; /* in place of the NUL */
	while (sent < len && (n = send(l->fd, text + sent, len - sent, MSG_NOSIGNAL)) > 0)
		sent += (size_t)n;
	cJSON_free(text);
	cJSON_Delete(request);
	return n >= 0;
}

/* Waits for something to read; false: the time is over. */
static bool wait_readable(const struct ctl_link *l)
{
	struct pollfd fd = {.fd = l->fd, .events = POLLIN};
	int64_t left;

	while (l->deadline_ms) {
		left = l->deadline_ms - clk_mono_ms();
		if (left <= 0)
			return false;
		if (poll(&fd, 1, (int)left) > 0)
			break;
	}
	return true;
}

cJSON *ctl_read(struct ctl_link *l)
{
	char chunk[65536];
	char *end;
	cJSON *answer;
	size_t rest;
	ssize_t n;

	while (!(end = l->in.len ? memchr(l->in.ptr, '\n', l->in.len) : NULL)) {
		if (!wait_readable(l))
			return NULL;
		n = recv(l->fd, chunk, sizeof(chunk), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			l->deadline_ms = 0; /* it was not that */
			return NULL;
		}
		buf_add(&l->in, chunk, (size_t)n);
		if (l->in.failed)
			return NULL;
	}
	answer = cJSON_ParseWithLength(l->in.ptr, (size_t)(end - l->in.ptr));
	rest = l->in.len - (size_t)(end + 1 - l->in.ptr);
	memmove(l->in.ptr, end + 1, rest);
	buf_cut(&l->in, rest);
	return answer;
}

cJSON *ctl_ask(struct ctl_link *l, cJSON *request, char *why, size_t why_size)
{
	cJSON *answer;

	l->deadline_ms = l->hurried ? clk_mono_ms() + STRANGER_MS : 0;
	/* Who hangs up at once may have said why. */
	ctl_write(l, request);
	answer = ctl_read(l);
	if (answer && ctl_true(answer, "ok"))
		return answer;
	snprintf(why, why_size, "%s",
		answer           ? ctl_text(answer, "error")
		: l->deadline_ms ? "the daemon of another user does not answer"
				 : "the daemon has hung up; the mount has gone");
	cJSON_Delete(answer);
	return NULL;
}

void ctl_close(struct ctl_link *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	buf_free(&l->in);
}

cJSON *ctl_request_new(const char *cmd)
{
	cJSON *request = cJSON_CreateObject();

	cJSON_AddStringToObject(request, "cmd", cmd);
	return request;
}

double ctl_number(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

const char *ctl_text(const cJSON *object, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

	return text ? text : "";
}

bool ctl_true(const cJSON *object, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, name));
}
