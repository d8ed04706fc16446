/*
 * What /proc says of a calling process, and where its arguments lead. Nothing here may touch the
 * mount itself, or another filesystem in user space: that would wait for an answer of our own.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ns/ns_int.h"
#include "util/mem.h"

#define CMDLINE_MAX ((size_t)8 << 20) /* the kernel's own limit is a quarter of the stack's */
#define LINKS_MAX 40
#define MOUNTINFO_MAX ((size_t)4 << 20)

static char *proc_link(pid_t pid, const char *name)
{
	char path[64], text[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	n = readlink(path, text, sizeof(text) - 1);
	return n > 0 ? mem_dup(text, (size_t)n) : NULL;
}

static char *proc_path(pid_t pid, const char *name)
{
	char *path = proc_link(pid, name);

	if (path && path[0] == '/')
		return path;
	free(path);
	return NULL;
}

static bool read_file(const char *path, struct buf *out)
{
	char chunk[4096];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_add(out, chunk, (size_t)n);
	close(fd);
	return n == 0 && !out->failed;
}

static bool same_mounts(pid_t pid)
{
	struct stat theirs, ours;
	char path[64];
	char *root;
	bool same;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	if (stat(path, &theirs) < 0 || stat("/proc/self/ns/mnt", &ours) < 0 ||
		theirs.st_ino != ours.st_ino)
		return false;
	root = proc_path(pid, "root");
	same = root && !strcmp(root, "/");
	free(root);
	return same;
}

bool process_read(pid_t tid, struct process *p)
{
	struct buf cmdline = BUF_INIT(CMDLINE_MAX);
	char path[64];
	size_t len;

	*p = (struct process){0};
	p->exe = proc_path(tid, "exe");
	if (!p->exe)
		return false;
	p->tgid = procstat_tgid(tid);
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)p->tgid);
	if (!p->tgid || !same_mounts(p->tgid) || !read_file(path, &cmdline) || !cmdline.len) {
		buf_free(&cmdline);
		process_free(p);
		return false;
	}
	p->cwd = proc_path(p->tgid, "cwd");
	len = cmdline.len;
	p->cmdline = buf_take(&cmdline);
	p->argv = proctext_words(p->cmdline, len, &p->argc);
	return true;
}

void process_free(struct process *p)
{
	free(p->exe);
	free(p->cwd);
	free(p->cmdline);
	free(p->argv);
	*p = (struct process){0};
}

int process_watch(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* ---- where a path leads ---- */

/* Is it on a filesystem in user space? Then it must not be touched. */
static bool on_fuse(struct bytes mountinfo, const char *path)
{
	bool fuse, below;

	proctext_mount(mountinfo, path, &fuse, &below);
	return fuse;
}

bool process_is_near(const char *path)
{
	struct buf mountinfo = BUF_INIT(MOUNTINFO_MAX);
	bool fuse = true, below;

	/* What the root itself is on, we are started from as well. */
	if (read_file("/proc/self/mountinfo", &mountinfo) &&
		proctext_mount(buf_bytes(&mountinfo), path, &fuse, &below) <= 1)
		fuse = false;
	buf_free(&mountinfo);
	return !fuse;
}

bool process_may_ask(pid_t pid)
{
	char *link = proc_link(pid, "fd/0");
	bool may;

	/* Only its name is looked at: the file may be one of ours. */
	may = !link || (strncmp(link, "pipe:", 5) != 0 && strncmp(link, "socket:", 7) != 0 &&
			       strcmp(link, "/dev/null") != 0);
	free(link);
	return may;
}

struct resolve {
	const char *mountpoint;
	struct buf mountinfo;
	struct buf at; /* the physical path so far; "" is the root */
	unsigned links;
	bool named; /* a name of the argument itself is below the mount point */
	bool unsure;
};

static bool inside(const struct resolve *r)
{
	return r->at.len && proctext_within(buf_str(&r->at), r->mountpoint);
}

static void go_path(struct resolve *r, const char *path);

static void go_up(struct resolve *r)
{
	char *slash = r->at.len ? strrchr(r->at.ptr, '/') : NULL;

	if (slash)
		buf_cut(&r->at, (size_t)(slash - r->at.ptr));
}

static void go_name(struct resolve *r, const char *name, size_t len)
{
	size_t before = r->at.len;
	struct stat st;
	char *link;

	if (!len || (len == 1 && name[0] == '.'))
		return;
	if (len == 2 && name[0] == '.' && name[1] == '.') {
		/* Behind a name that may not exist, ".." leads nowhere; the kernel would say so. */
		r->unsure |= r->named && inside(r);
		go_up(r);
		return;
	}
	buf_addc(&r->at, '/');
	buf_add(&r->at, name, len);
	r->named |= inside(r);
	/* Names in the mount are compared, not resolved; the way to it is known to have no links.
	 */
	if (inside(r) || proctext_within(r->mountpoint, buf_str(&r->at)))
		return;
	if (on_fuse(buf_bytes(&r->mountinfo), buf_str(&r->at)) || lstat(buf_str(&r->at), &st) < 0 ||
		++r->links > LINKS_MAX + 100) {
		r->unsure = true;
		return;
	}
	if (!S_ISLNK(st.st_mode))
		return;
	{
		char text[PATH_MAX];
		ssize_t n = readlink(buf_str(&r->at), text, sizeof(text) - 1);

		if (n <= 0 || ++r->links > LINKS_MAX) {
			r->unsure = true;
			return;
		}
		link = mem_dup(text, (size_t)n);
	}
	buf_cut(&r->at, link[0] == '/' ? 0 : before);
	go_path(r, link);
	free(link);
}

static void go_path(struct resolve *r, const char *path)
{
	while (*path && !r->unsure && !r->at.failed) {
		size_t len = strcspn(path, "/");

		go_name(r, path, len);
		path += len;
		path += *path == '/';
	}
}

char *process_path_in(const struct process *p, const char *arg, const char *mountpoint)
{
	struct resolve r = {.mountpoint = mountpoint,
		.mountinfo = BUF_INIT(MOUNTINFO_MAX),
		.at = BUF_INIT(2 * PATH_MAX)};
	char *path = NULL;
	bool fuse, below;

	if (!*arg || !read_file("/proc/self/mountinfo", &r.mountinfo)) {
		buf_free(&r.mountinfo);
		return NULL;
	}
	if (arg[0] != '/') {
		/* The kernel gives the working directory without links. */
		if (!p->cwd || strlen(p->cwd) >= PATH_MAX)
			r.unsure = true;
		else if (strcmp(p->cwd, "/") != 0)
			buf_adds(&r.at, p->cwd);
	}
	go_path(&r, arg);
	/* Another mount may lie within this one: on the way there, or below, and then be the last
	 * entry, of which nobody tells us. */
	if (!r.unsure && !r.at.failed && inside(&r) &&
		proctext_mount(buf_bytes(&r.mountinfo), buf_str(&r.at), &fuse, &below) <=
			strlen(mountpoint) &&
		!below) {
		const char *rest =
			buf_str(&r.at) + (strcmp(mountpoint, "/") ? strlen(mountpoint) : 0);

		path = mem_strdup(*rest ? rest : "/");
	}
	buf_free(&r.at);
	buf_free(&r.mountinfo);
	return path;
}
