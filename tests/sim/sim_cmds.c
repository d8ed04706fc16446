/*
 * The commands, call by call as coreutils make them, and plain callers whose every call is strict.
 * One thread; each runs as a coroutine (sim_proc.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim.h"
#include "util/clk.h"
#include "util/mem.h"

/* The path in the mount of an argument. */
const char *cmd_in_mount(const char *arg)
{
	return arg + strlen(SIM_MOUNT);
}

void cmd_complain(struct proc *p, const char *what, const char *path, int errnum)
{
	sim_trace("%d: %s %s failed: %d", (int)p->tid, what, path, errnum);
	p->exit_code = 1;
}

/* ---- cp -r ---- */

/* copy_file_range is refused: the kernel reads and writes. */
static int copy_through(struct proc *p, struct kfile *from, struct kfile *to)
{
	int r = k_read_all(p, from);
	char *data;

	if (r) {
		/* What is closed then is an empty file. */
		to->src = NULL;
		to->hash = content_hash("", 0);
		return r;
	}
	data = mem_dup(p->read_data ? p->read_data : "", p->read_len);
	to->size_bytes = p->read_len;
	r = k_write(p, to, 0, data, to->size_bytes);
	to->hash = content_hash(data, to->size_bytes);
	to->src_ver = from->open_ver;
	to->src_versions = SIZE_MAX; /* it may be a later version, but of one piece */
	/* What was read of a file that somebody was writing is what is copied. */
	if (!model_stable(from->m, from->open_ver) || from->m->writers) {
		model_version(from->m, to->hash);
		content_note(to->hash);
	}
	free(data);
	return r;
}

static int copy_data(struct proc *p, struct kfile *from, struct kfile *to)
{
	int r;

	to->src = from->m;
	to->src_ver = from->open_ver;
	to->src_versions = from->open_versions;
	to->hash = model_stable(from->m, from->open_ver) && !from->m->writers ? from->m->hash
									      : HASH_ANY;
	/* What is there so far of a file that somebody is writing is a version, too. */
	from->m->any_version |= from->m->writers != 0;
	r = k_copy(p, from, to);
	if (r != EXDEV)
		return r;
	return copy_through(p, from, to);
}

static void cp_file(struct proc *p, struct knode *src, const struct knode *dir, const char *name)
{
	struct kfile from, to = {0};
	struct knode old;
	int r;

	r = k_open(p, src, O_RDONLY, &from);
	if (r) {
		cmd_complain(p, "open", src->path, r);
		return;
	}
	/* What is there so far of a file that somebody is writing is a version, too. */
	from.m->any_version |= from.m->writers != 0;
	r = k_getattr(p, &from.at);
	if (!r)
		r = k_lookup(p, dir, name, &old);
	if (r == ENOENT)
		r = k_create(p, dir, name, &to);
	else if (!r)
		r = k_open(p, &old, O_WRONLY | O_TRUNC, &to);
	if (!r) {
		r = copy_data(p, &from, &to);
		if (r)
			cmd_complain(p, "copy", src->path, r);
		r = k_close(p, &to);
	}
	if (r)
		cmd_complain(p, "copy", src->path, r);
	k_close(p, &from);
}

/* The kernel's cache answers for what readdirplus brought, as long as it may. */
static bool is_valid(const struct knode *n)
{
	return n->timeout_s > (double)(clk_mono_ms() - n->at_ms) / 1000 &&
	       n->life == model_get(n->path)->life && sim_chance(80);
}

int cmd_revalidate(struct proc *p, const struct knode *dir, struct knode *n)
{
	struct knode again;
	int r;

	if (is_valid(n))
		return p->killed ? EINTR : 0;
	r = k_lookup(p, dir, n->name, &again);
	if (!r)
		*n = again;
	return r;
}

static void cp_any(struct proc *p, struct knode *src, const struct knode *dir, const char *name);

static void cp_dir(struct proc *p, struct knode *src, const struct knode *dir, const char *name)
{
	struct knode to, *list;
	size_t count, i;
	int r = k_lookup(p, dir, name, &to);

	if (r == ENOENT)
		r = k_mkdir(p, dir, name, &to);
	else if (!r && !to.dir)
		r = ENOTDIR;
	if (r) {
		cmd_complain(p, "mkdir", src->path, r);
		return;
	}
	r = k_list(p, src, &list, &count);
	if (r)
		cmd_complain(p, "list", src->path, r);
	for (i = 0; i < count && !p->killed; i++) {
		r = cmd_revalidate(p, src, &list[i]);
		if (r)
			cmd_complain(p, "stat", list[i].path, r);
		else
			cp_any(p, &list[i], &to, list[i].name);
	}
	free(list);
}

static void cp_any(struct proc *p, struct knode *src, const struct knode *dir, const char *name)
{
	struct node *n = src->node;
	char path[SIM_PATH_MAX];

	model_child(path, dir->path, name);
	if (!strcmp(path, src->path))
		cmd_complain(p, "copy onto itself of", path, 0);
	else if (src->dir)
		cp_dir(p, src, dir, name);
	else
		cp_file(p, src, dir, name);
	if (sim_chance(50))
		proc_let_go(p, n);
}

void cmd_cp(struct proc *p)
{
	size_t first = p->recursive ? 2 : 1, last = p->argc - 1, i;
	const char *target = cmd_in_mount(p->argv[last]);
	struct knode dst, dir, src;
	const char *name;
	int r = k_resolve(p, target, &dst);

	if (r && (r != ENOENT || last - first > 1)) {
		cmd_complain(p, "stat", target, r);
		return;
	}
	for (i = first; i < last && !p->killed; i++) {
		const char *path = cmd_in_mount(p->argv[i]);
		bool into = !r && dst.dir;
		int r2 = k_resolve(p, path, &src);

		if (r2) {
			cmd_complain(p, "stat", path, r2);
			continue;
		}
		if (src.dir && !p->recursive) {
			p->exit_code = 1;
			continue;
		}
		dir = dst;
		name = strrchr(path, '/') + 1;
		if (!into && (r2 = k_parent(p, target, &dir, &name))) {
			cmd_complain(p, "stat", target, r2);
			continue;
		}
		cp_any(p, &src, &dir, name);
	}
}

/* ---- rm ---- */

/* False: something below is still there. */
static bool rm_dir(struct proc *p, const struct knode *dir, const struct knode *n)
{
	struct knode *list;
	size_t count, i;
	bool good = true;
	int r = k_list(p, n, &list, &count);

	if (r) {
		cmd_complain(p, "list", n->path, r);
		good = false;
	}
	for (i = 0; i < count && !p->killed; i++) {
		r = 0;
		if (list[i].dir)
			good &= rm_dir(p, n, &list[i]);
		else
			r = k_unlink(p, n, list[i].name, is_valid(&list[i]));
		if (r && !(r == ENOENT && p->force)) {
			cmd_complain(p, "unlink", list[i].path, r);
			good = false;
		}
	}
	free(list);
	if (!good || p->killed)
		return false;
	r = k_rmdir(p, dir, n->name);
	if (!r || (r == ENOENT && p->force))
		return true;
	cmd_complain(p, "rmdir", n->path, r);
	return false;
}

void cmd_rm(struct proc *p)
{
	size_t i;

	for (i = 1; i < p->argc && !p->killed; i++) {
		const char *path, *name;
		struct knode dir, n;
		int r;

		if (p->argv[i][0] == '-')
			continue;
		path = cmd_in_mount(p->argv[i]);
		r = k_parent(p, path, &dir, &name);
		if (!r)
			r = k_lookup(p, &dir, name, &n);
		if (!r && n.dir && !p->recursive)
			p->exit_code = 1;
		else if (!r && n.dir)
			rm_dir(p, &dir, &n);
		else if (!r)
			r = k_unlink(p, &dir, name, is_valid(&n));
		if (r && !(p->force && (r == ENOENT || r == ENOTDIR)))
			cmd_complain(p, "remove", path, r);
	}
}

/* ---- plain callers ---- */

struct mpath *cmd_pick(const char *area, enum kind kind)
{
	struct mpath *m, *found = NULL;
	unsigned n = 0;

	for (m = model_paths; m; m = m->next)
		if (m->kind == kind && model_below(m, area) && !sim_below(++n))
			found = m;
	return found;
}

/* A directory of the area, or the area itself. */
static void pick_dir(char path[SIM_PATH_MAX], const char *area)
{
	struct mpath *m = sim_chance(60) ? cmd_pick(area, DIR_) : NULL;

	snprintf(path, SIM_PATH_MAX, "%s", m ? m->path : area);
}

const char *cmd_new_name(char name[16])
{
	snprintf(name, 16, "%c%u", "abcdxyz"[sim_below(7)], sim_below(4));
	return name;
}

static void do_read(struct proc *p, const char *path)
{
	struct kfile f;
	struct knode n;
	int r = k_resolve(p, path, &n);

	if (r || n.dir)
		return;
	r = k_open(p, &n, O_RDONLY, &f);
	if (r)
		return;
	k_read_all(p, &f);
	k_close(p, &f);
}

static void do_write(struct proc *p, const char *dirpath, const char *name, bool syncs)
{
	struct kfile f = {0};
	struct knode dir, n = {0};
	size_t len;
	char *data;
	int r = k_resolve(p, dirpath, &dir);

	if (!r && !dir.dir)
		r = ENOTDIR;
	if (!r)
		r = k_lookup(p, &dir, name, &n);
	if (r == ENOENT)
		r = k_create(p, &dir, name, &f);
	else if (!r)
		r = n.dir ? EISDIR : k_open(p, &n, O_WRONLY | O_TRUNC, &f);
	if (r)
		return;
	data = content_new(300, &len);
	r = k_write(p, &f, 0, data, len);
	if (!r) {
		f.hash = content_hash(data, len);
		f.size_bytes = len;
		if (syncs)
			k_fsync(p, &f);
	}
	k_close(p, &f);
	free(data);
}

static void do_rename(struct proc *p, const char *path, const char *to_dir, const char *to)
{
	struct knode dir, dir2;
	const char *name;

	if (!k_parent(p, path, &dir, &name) && !k_resolve(p, to_dir, &dir2) && dir2.dir)
		k_rename(p, &dir, name, &dir2, to);
}

static void do_list(struct proc *p, const char *path)
{
	struct knode n, *list;
	size_t count;

	if (k_resolve(p, path, &n) || !n.dir)
		return;
	k_list(p, &n, &list, &count);
	free(list);
}

static void do_change(struct proc *p, unsigned what)
{
	char dirpath[SIM_PATH_MAX], path[SIM_PATH_MAX], name[16];
	struct mpath *file = cmd_pick(p->area, FILE_), *sub = cmd_pick(p->area, DIR_);
	struct knode dir, n;
	const char *last;

	pick_dir(dirpath, p->area);
	cmd_new_name(name);
	switch (what) {
	case 0:
	case 1:
		do_write(p, dirpath, name, sim_chance(30));
		break;
	case 2:
		snprintf(path, sizeof(path), "%s", file ? file->path : "/none");
		if (!k_parent(p, path, &dir, &last))
			k_unlink(p, &dir, last, false);
		break;
	case 3:
		if (file)
			do_rename(p, file->path, dirpath, name);
		break;
	case 4:
		if (!k_resolve(p, dirpath, &dir) && dir.dir)
			k_mkdir(p, &dir, name, &n);
		break;
	case 5:
		snprintf(path, sizeof(path), "%s", sub ? sub->path : "/none");
		if (!k_parent(p, path, &dir, &last))
			k_rmdir(p, &dir, last);
		break;
	case 6:
	case 7:
	case 8:
	case 9:
		if (file)
			do_edit(p, file->path, cmd_pick("/", FILE_)->path);
		break;
	default:
		if (!k_resolve(p, sim_chance(50) ? p->area : dirpath, &dir) && dir.dir)
			k_fsyncdir(p, &dir);
		break;
	}
}

static void look(struct proc *p)
{
	const struct mpath *m = cmd_pick("/", sim_chance(60)   ? FILE_
					      : sim_chance(70) ? DIR_
							       : NONE);
	char path[SIM_PATH_MAX];
	struct knode n;

	snprintf(path, sizeof(path), "%s", m ? m->path : "/");
	if (m && m->kind == DIR_)
		do_list(p, path);
	else if (m && m->kind == FILE_ && sim_chance(60))
		do_read(p, path);
	else
		k_resolve(p, path, &n);
}

void cmd_plain(struct proc *p)
{
	unsigned left = 1 + sim_below(8);

	while (left-- && !p->killed) {
		if (sim_chance(25))
			look(p);
		else
			do_change(p, sim_below(11));
	}
}

void cmd_observe(struct proc *p)
{
	unsigned left = 2 + sim_below(12);

	while (left-- && !p->killed)
		look(p);
}

/* ---- the tree is S3's keys ---- */

static void verify_file(struct proc *p, struct knode *n)
{
	const struct mpath *m = model_get(n->path);
	struct kfile f;
	int r;

	if (m->kind != FILE_ || m->size_bytes != n->size_bytes)
		sim_fail("when all is over, %s is listed, but differs from S3", n->path);
	if (sim_chance(70))
		return;
	r = k_open(p, n, O_RDONLY, &f);
	if (!r) {
		r = k_read_all(p, &f);
		k_close(p, &f);
	}
	if (r)
		sim_fail("when all is over, %s cannot be read: %d", n->path, r);
}

static size_t verify_dir(struct proc *p, const struct knode *dir)
{
	struct knode *list;
	size_t count, seen = 0, i;
	int r = k_list(p, dir, &list, &count);

	if (r)
		sim_fail("when all is over, %s cannot be listed: %d", dir->path, r);
	for (i = 0; i < count; i++) {
		if (!list[i].dir)
			verify_file(p, &list[i]);
		else if (model_get(list[i].path)->kind != DIR_)
			sim_fail("when all is over, %s is listed, but is not in S3", list[i].path);
		else
			seen += verify_dir(p, &list[i]);
		seen++;
	}
	free(list);
	return seen;
}

void cmd_verify(struct proc *p)
{
	struct knode top;
	struct mpath *m;
	size_t want = 0, seen;

	if (k_resolve(p, "/", &top))
		sim_fail("the root cannot be found");
	seen = verify_dir(p, &top);
	for (m = model_paths; m; m = m->next)
		want += m->kind != NONE && m->path[1];
	if (seen != want)
		sim_fail("when all is over, %zu names are listed, and S3 has %zu", seen, want);
}

/* ---- a random one ---- */

static struct proc *random_cp(const char *area)
{
	struct proc *p = proc_new(cmd_cp, "/usr/bin/cp");
	const struct mpath *m;
	char name[16], dir[SIM_PATH_MAX];
	unsigned count = sim_chance(60) ? 1 : 2 + sim_below(3), i;

	p->walks = p->recursive = true;
	proc_arg(p, "-r");
	for (i = 0; i < count; i++) {
		/* Not the areas themselves: a tree is not copied into itself. */
		m = count == 1 && sim_chance(70) ? cmd_pick(area, DIR_) : cmd_pick(area, FILE_);
		if (!m)
			m = cmd_pick("/ro", FILE_);
		if (m)
			proc_arg(p, "%s%s", SIM_MOUNT, m->path);
	}
	if (p->argc < 3)
		proc_arg(p, "%s/ro", SIM_MOUNT);
	if (count > 1 || sim_chance(30))
		snprintf(dir, sizeof(dir), "/out%s", area + 1);
	else
		model_child(dir, area, cmd_new_name(name));
	/* cp refuses to copy a tree into itself: there is no such command here. */
	for (i = 2; i < p->argc; i++) {
		const char *src = cmd_in_mount(p->argv[i]);

		if (!strncmp(src, dir, strlen(src)))
			snprintf(dir, sizeof(dir), "/out%s", area + 1);
	}
	proc_arg(p, "%s%s", SIM_MOUNT, dir);
	return p;
}

static struct proc *random_rm(const char *area)
{
	struct proc *p = proc_new(cmd_rm, "/usr/bin/rm");
	unsigned count = sim_chance(50) ? 1 : 2 + sim_below(4), i;
	char name[16];

	p->walks = p->recursive = p->force = true;
	proc_arg(p, "-rf");
	for (i = 0; i < count; i++) {
		const struct mpath *m = cmd_pick(area, sim_chance(50) ? DIR_ : FILE_);

		if (m && sim_chance(90))
			proc_arg(p, "%s%s", SIM_MOUNT, m->path);
		else
			proc_arg(p, "%s%s/%s", SIM_MOUNT, area, cmd_new_name(name));
	}
	return p;
}

/* cp -r a b && rm -rf a */
static struct proc *random_move(const char *area)
{
	struct proc *p = random_cp(area);
	struct proc *rm = proc_new(cmd_rm, "/usr/bin/rm");

	rm->walks = rm->recursive = rm->force = true;
	proc_arg(rm, "-rf");
	/* What all read is not removed. */
	if (strncmp(p->argv[2], SIM_MOUNT "/ro", strlen(SIM_MOUNT) + 3) != 0)
		proc_arg(rm, "%s", p->argv[2]);
	p->then = rm;
	return p;
}

struct proc *cmd_random(void)
{
	unsigned what = sim_below(100), area = sim_below(3);
	struct proc *p;
	char path[32];

	snprintf(path, sizeof(path), "/p%u", area);
	if (what < 30)
		p = random_cp(path);
	else if (what < 50)
		p = random_rm(path);
	else if (what < 55)
		p = random_move(path);
	else if (what < 65)
		p = cmd_random_chmod(path);
	else if (what < 85)
		p = proc_new(cmd_plain, "/usr/bin/python3");
	else
		p = proc_new(cmd_observe, "/usr/bin/find");
	snprintf(p->area, sizeof(p->area), "%s", path);
	return p;
}
