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
#include "util/mountinfo.h"

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
	char chunk[16384];
	ssize_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	/* A process may say that its arguments are all of its memory (PR_SET_MM_MAP, prctl(2)). */
	while (!out->failed && (n = read(fd, chunk, sizeof(chunk))) > 0)
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

/* Is it, as far as its path tells, on a filesystem in user space? To hold it open, even for a
 * moment, would be in the way of an unmount. */
static bool on_fuse(struct bytes mountinfo, const char *path)
{
	bool fuse, below;

	proctext_mount(mountinfo, path, &fuse, &below);
	return fuse;
}

/* The mount that an open file is in (proc(5), fdinfo), which nobody can exchange; 0: unknown. */
static int mount_of(int fd)
{
	struct buf text = BUF_INIT(8192);
	const char *line;
	char path[64];
	long id = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	if (read_file(path, &text) && (line = strstr(buf_str(&text), "mnt_id:")))
		id = strtol(line + 7, NULL, 10);
	buf_free(&text);
	return (int)id;
}

/*
 * Is what was opened with O_PATH on a filesystem that does not wait for us? Neither one in user
 * space, but for the root, which we are started from as well; nor one of another mount namespace.
 */
static bool is_near(struct bytes mountinfo, int fd)
{
	int wanted = mount_of(fd);
	struct mountinfo m;
	bool good;

	while (wanted && mountinfo_next(&mountinfo, &m, &good))
		if (good && m.id == (unsigned)wanted)
			return !bytes_starts(m.type, BYTES_LIT("fuse")) ||
			       bytes_equal(m.point, BYTES_LIT("/"));
	return false;
}

/* Is this the path of the open file? */
static bool is_at(int fd, const char *path)
{
	char name[64], *at;
	bool same;

	snprintf(name, sizeof(name), "fd/%d", fd);
	at = proc_path(getpid(), name);
	same = at && !strcmp(at, path);
	free(at);
	return same;
}

int process_open_exe(const struct process *p)
{
	struct buf mountinfo = BUF_INIT(MOUNTINFO_MAX);
	char path[64];
	int fd, place;

	/* It may run something else by now: first see what it is, without asking its filesystem. */
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)p->tgid);
	place = open(path, O_PATH | O_CLOEXEC);
	if (place < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
	fd = is_at(place, p->exe) && read_file("/proc/self/mountinfo", &mountinfo) &&
			     is_near(buf_bytes(&mountinfo), place)
		     ? open(path, O_RDONLY | O_CLOEXEC)
		     : -1;
	buf_free(&mountinfo);
	close(place);
	return fd;
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
	int dir;       /* that, opened with O_PATH; -1: in the mount, or not to be touched */
	unsigned links;
	bool named; /* a name of the argument itself is below the mount point */
	bool unsure;
};

static bool inside(const struct resolve *r)
{
	return r->at.len && proctext_within(buf_str(&r->at), r->mountpoint);
}

static void go_path(struct resolve *r, const char *path);

/* From now on `fd` (taken; -1: none) is where we are. */
static void set_dir(struct resolve *r, int fd)
{
	if (r->dir >= 0)
		close(r->dir);
	r->dir = fd;
}

/* Opens a name of where we are, a link itself; -1: it is not there, or not to be touched. */
static int open_near(const struct resolve *r, const char *name)
{
	int fd = r->dir >= 0 ? openat(r->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;

	if (fd < 0 || is_near(buf_bytes(&r->mountinfo), fd))
		return fd;
	close(fd);
	return -1;
}

static void go_root(struct resolve *r)
{
	buf_cut(&r->at, 0);
	set_dir(r, open("/", O_PATH | O_CLOEXEC));
}

static void go_up(struct resolve *r)
{
	char *slash = r->at.len ? strrchr(r->at.ptr, '/') : NULL;

	if (slash)
		buf_cut(&r->at, (size_t)(slash - r->at.ptr));
	set_dir(r, open_near(r, ".."));
}

/* `fd` (taken) is a link in the directory where we are, whose path has `len` bytes. */
static void go_link(struct resolve *r, int fd, size_t len)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(fd, "", text, sizeof(text) - 1);

	close(fd);
	if (n <= 0 || ++r->links > LINKS_MAX) {
		r->unsure = true;
		return;
	}
	text[n] = '\0';
	if (text[0] == '/')
		go_root(r);
	else
		buf_cut(&r->at, len);
	go_path(r, text);
}

/*
 * Each name is opened in the directory before it: whoever exchanges one for a link meanwhile, to
 * here or to a filesystem in user space, does not lead us there.
 */
static void go_name(struct resolve *r, const char *name, size_t len)
{
	size_t before = r->at.len;
	struct stat st;
	int fd;

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
	if (r->at.failed)
		return;
	r->named |= inside(r);
	/* Names in the mount are compared, not resolved. */
	fd = inside(r) || on_fuse(buf_bytes(&r->mountinfo), buf_str(&r->at))
		     ? -1
		     : open_near(r, buf_str(&r->at) + before + 1);
	/* The way to it is known to have no links. */
	if (inside(r) || proctext_within(r->mountpoint, buf_str(&r->at))) {
		set_dir(r, fd);
		return;
	}
	if (fd < 0 || ++r->links > LINKS_MAX + 100 || fstat(fd, &st) < 0) {
		r->unsure = true;
		if (fd >= 0)
			close(fd);
	} else if (S_ISLNK(st.st_mode)) {
		go_link(r, fd, before);
	} else {
		set_dir(r, fd);
	}
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

/* Where the argument begins. */
static void go_start(struct resolve *r, const struct process *p, const char *arg)
{
	char path[64];
	int fd;

	if (arg[0] == '/') {
		go_root(r);
		return;
	}
	/* The kernel gives the working directory without links. */
	if (!p->cwd || strlen(p->cwd) >= PATH_MAX) {
		r->unsure = true;
		return;
	}
	if (strcmp(p->cwd, "/") != 0)
		buf_adds(&r->at, p->cwd);
	if (inside(r))
		return;
	snprintf(path, sizeof(path), "/proc/%d/cwd", (int)p->tgid);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd >= 0 && is_at(fd, p->cwd) && is_near(buf_bytes(&r->mountinfo), fd)) {
		set_dir(r, fd);
		return;
	}
	r->unsure = true;
	if (fd >= 0)
		close(fd);
}

char *process_path_in(const struct process *p, const char *arg, const char *mountpoint)
{
	struct resolve r = {.mountpoint = mountpoint,
		.mountinfo = BUF_INIT(MOUNTINFO_MAX),
		.at = BUF_INIT(2 * PATH_MAX),
		.dir = -1};
	char *path = NULL;
	bool fuse, below;

	if (!*arg || !read_file("/proc/self/mountinfo", &r.mountinfo)) {
		buf_free(&r.mountinfo);
		return NULL;
	}
	go_start(&r, p, arg);
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
	set_dir(&r, -1);
	buf_free(&r.at);
	buf_free(&r.mountinfo);
	return path;
}
