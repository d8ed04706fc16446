/*
 * System calls of simulated processes, made calls of the name space as the kernel does it: path by
 * path, with the locks of the VFS (a directory is locked for each change in it, shared by lookups
 * and readdir). One thread. Calls are kept for the schedule, so that a second answer is seen.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim.h"
#include "util/clk.h"
#include "util/mem.h"

static struct kcall *calls;

void kernel_clear(void)
{
	struct kcall *k;

	while ((k = calls)) {
		calls = k->older;
		free(k->call.name);
		free(k->call.name2);
		free(k);
	}
	locks_clear();
}

static void replied(struct ns_call *c, int errnum)
{
	struct kcall *k = (struct kcall *)c;
	struct proc *p = k->proc;
	size_t i;

	if (k->replies++)
		sim_fail("a call was answered twice (%d)", k->op);
	if (errnum < 0)
		sim_fail("a call was answered with %d", errnum);
	k->errnum = errnum;
	for (i = 0; !errnum && k->op == K_READ && i < c->run_count; i++) {
		p->read_data = mem_resize(p->read_data, p->read_len + c->runs[i].len + 1, 1);
		memcpy(p->read_data + p->read_len, c->runs[i].ptr, c->runs[i].len);
		p->read_len += c->runs[i].len;
	}
	check_reply(k);
	if (p->waiting) {
		p->waiting = false;
		sim_loop_now(sim.loop, &p->timer);
	}
}

static struct kcall *call_new(struct proc *p, enum kop op, const struct knode *at, const char *name)
{
	struct kcall *k = mem_zalloc(sizeof(*k));
	char path[SIM_PATH_MAX];

	k->older = calls;
	calls = k;
	k->op = op;
	k->proc = p;
	k->call.tid = p->tid;
	k->call.reply = replied;
	k->call.node = at->node;
	snprintf(path, sizeof(path), "%s", at->path);
	if (name) {
		k->call.name = mem_strdup(name);
		model_child(path, at->path, name);
	}
	k->m = model_get(path);
	return k;
}

static int run(struct kcall *k, void (*start)(struct ns_call *call))
{
	struct proc *p = k->proc;

	check_begin(k);
	p->call = k;
	start(&k->call);
	if (!k->replies && p->killed)
		ns_interrupt(&k->call);
	while (!k->replies) {
		p->waiting = true;
		proc_wait(p);
	}
	p->call = NULL;
	return k->errnum;
}

/* Programs take their time between calls, though not much. */
static bool pause_before(struct proc *p)
{
	if (sim_chance(40))
		proc_sleep(p, (int64_t)sim_below(sim_chance(95) ? 4 : 400));
	return p->killed;
}

static void entry(
	const struct kcall *k, const struct knode *dir, const char *name, struct knode *ret)
{
	const struct stat *st = &k->call.attr.st;

	proc_hold(k->proc, k->call.result);
	*ret = (struct knode){.node = k->call.result,
		.dir = S_ISDIR(st->st_mode),
		.ino = st->st_ino,
		.size_bytes = (uint64_t)st->st_size,
		.timeout_s = k->call.attr.entry_timeout_s,
		.at_ms = clk_mono_ms()};
	model_child(ret->path, dir->path, name);
	ret->life = model_get(ret->path)->life;
	snprintf(ret->name, sizeof(ret->name), "%s", name);
}

static int lookup_locked(
	struct proc *p, const struct knode *dir, const char *name, struct knode *ret)
{
	struct kcall *k = call_new(p, K_LOOKUP, dir, name);
	int r = run(k, ns_lookup);

	if (!r)
		entry(k, dir, name, ret);
	return r;
}

int k_lookup(struct proc *p, const struct knode *dir, const char *name, struct knode *ret)
{
	int r;

	if (pause_before(p))
		return EINTR;
	lock_begin(p, dir->node, false);
	r = lookup_locked(p, dir, name, ret);
	lock_end(dir->node, false);
	return r;
}

static struct knode root(void)
{
	return (struct knode){.node = ns_root(sim.volume), .path = "/", .dir = true, .ino = 1};
}

int k_resolve(struct proc *p, const char *path, struct knode *ret)
{
	*ret = root();
	while (*path) {
		struct knode at = *ret;
		char name[64];
		size_t n;
		int r;

		path += *path == '/';
		n = strcspn(path, "/");
		if (!n)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)n, path);
		path += n;
		if (!at.dir)
			return ENOTDIR;
		r = k_lookup(p, &at, name, ret);
		if (r)
			return r;
	}
	return 0;
}

int k_parent(struct proc *p, const char *path, struct knode *ret, const char **ret_name)
{
	char up[SIM_PATH_MAX];

	*ret_name = strrchr(path, '/') + 1;
	snprintf(up, sizeof(up), "%.*s", (int)(*ret_name - path), path);
	return k_resolve(p, up, ret);
}

int k_getattr(struct proc *p, struct knode *n)
{
	struct kcall *k;
	int r;

	if (pause_before(p))
		return EINTR;
	k = call_new(p, K_GETATTR, n, NULL);
	k->life = n->life;
	r = run(k, ns_getattr);
	if (!r)
		n->size_bytes = (uint64_t)k->call.attr.st.st_size;
	return r;
}

int k_chmod(struct proc *p, struct knode *n, unsigned mode)
{
	struct kcall *k = call_new(p, K_SETATTR, n, NULL);

	k->call.st.st_mode = mode;
	k->call.flags = NS_SET_MODE;
	k->changes = true;
	return run(k, ns_setattr);
}

/* ---- directories ---- */
static bool fill(struct ns_call *c, const char *name, struct node *n, const struct ns_attr *attr,
	uint64_t next_offset)
{
	struct kcall *k = (struct kcall *)c;
	struct knode *e;

	if (!k->room)
		return false;
	k->room--;
	k->next_offset = next_offset;
	sim_trace("%d: entry %s", (int)k->proc->tid, name);
	if (!n)
		return true;
	if (k->count == k->cap) {
		k->cap = k->cap ? 2 * k->cap : 8;
		k->entries = mem_resize(k->entries, k->cap, sizeof(*k->entries));
	}
	e = &k->entries[k->count++];
	*e = (struct knode){.node = n,
		.dir = S_ISDIR(attr->st.st_mode),
		.ino = attr->st.st_ino,
		.size_bytes = (uint64_t)attr->st.st_size,
		.timeout_s = attr->entry_timeout_s,
		.at_ms = clk_mono_ms()};
	model_child(e->path, k->m->path, name);
	e->life = model_get(e->path)->life;
	snprintf(e->name, sizeof(e->name), "%s", name);
	proc_hold(k->proc, n);
	return true;
}

static void start_readdir(struct ns_call *c)
{
	ns_readdir(c, fill, true);
}

static int by_ino(const void *a, const void *b)
{
	const struct knode *x = a, *y = b;

	return (x->ino > y->ino) - (x->ino < y->ino);
}

static int read_entries(struct proc *p, const struct knode *dir, struct ns_dir_handle *handle,
	struct knode **list, size_t *count)
{
	uint64_t offset = 0;
	int r;

	for (;;) {
		struct kcall *k;
		unsigned room = 2 + sim_below(12);

		if (pause_before(p))
			return EINTR;
		k = call_new(p, K_READDIR, dir, NULL);
		k->call.dir = handle;
		k->call.offset = offset;
		k->room = room;
		lock_begin(p, dir->node, false);
		r = run(k, start_readdir);
		lock_end(dir->node, false);
		if (!r && k->count) {
			*list = mem_resize(*list, *count + k->count, sizeof(**list));
			memcpy(*list + *count, k->entries, k->count * sizeof(**list));
			*count += k->count;
		}
		free(k->entries);
		offset = k->next_offset;
		if (r || k->room == room)
			return r;
	}
}

int k_list(struct proc *p, const struct knode *dir, struct knode **ret, size_t *ret_count)
{
	struct listing_check *before;
	struct kcall *k;
	size_t before_count;
	int r;

	*ret = NULL;
	*ret_count = 0;
	if (pause_before(p))
		return EINTR;
	before_count = check_list_begin(dir->path, &before);
	k = call_new(p, K_OPENDIR, dir, NULL);
	r = run(k, ns_opendir);
	if (!r) {
		r = read_entries(p, dir, k->call.dir, ret, ret_count);
		if (!r)
			check_listed(dir->path, before, before_count, *ret, *ret_count);
		ns_releasedir(k->call.dir);
	}
	free(before);
	if (*ret_count)
		qsort(*ret, *ret_count, sizeof(**ret), by_ino);
	return r;
}

int k_mkdir(struct proc *p, const struct knode *dir, const char *name, struct knode *ret)
{
	struct kcall *k;
	int r;

	if (pause_before(p))
		return EINTR;
	lock_begin(p, dir->node, true);
	r = lookup_locked(p, dir, name, ret);
	if (r == ENOENT) {
		k = call_new(p, K_MKDIR, dir, name);
		k->changes = true;
		r = run(k, ns_mkdir);
		if (!r)
			entry(k, dir, name, ret);
	} else if (!r) {
		r = EEXIST;
	}
	lock_end(dir->node, true);
	return r;
}

/* The kernel has the victim's dentry, or looks it up, and locks it when it is a directory. */
static int remove_name(
	struct proc *p, const struct knode *dir, const char *name, bool is_dir, bool has_dentry)
{
	struct knode victim;
	struct kcall *k;
	int r = 0;

	if (pause_before(p))
		return EINTR;
	lock_begin(p, dir->node, true);
	if (is_dir || !has_dentry)
		r = lookup_locked(p, dir, name, &victim);
	if (!r && is_dir && !victim.dir)
		r = ENOTDIR;
	if (!r) {
		if (is_dir)
			lock_begin(p, victim.node, true);
		k = call_new(p, is_dir ? K_RMDIR : K_UNLINK, dir, name);
		k->changes = true;
		r = run(k, is_dir ? ns_rmdir : ns_unlink);
		if (is_dir)
			lock_end(victim.node, true);
	}
	lock_end(dir->node, true);
	return r;
}

int k_rmdir(struct proc *p, const struct knode *dir, const char *name)
{
	return remove_name(p, dir, name, true, false);
}

int k_unlink(struct proc *p, const struct knode *dir, const char *name, bool has_dentry)
{
	return remove_name(p, dir, name, false, has_dentry);
}

int k_rename(struct proc *p, const struct knode *dir, const char *name, const struct knode *dir2,
	const char *name2)
{
	struct kcall *k;
	struct knode from = {0}, to;
	int r;

	if (pause_before(p))
		return EINTR;
	lock_both(p, dir->node, dir2->node);
	r = lookup_locked(p, dir, name, &from);
	/* Renamed onto itself nothing changes; a directory has come in the file's place. */
	if (!r && from.dir)
		r = EISDIR;
	else if (!r && !(r = lookup_locked(p, dir2, name2, &to)) && from.node == to.node)
		r = EBUSY;
	else if (!r || (r == ENOENT && from.node)) {
		k = call_new(p, K_RENAME, dir, name);
		k->call.parent2 = dir2->node;
		k->call.name2 = mem_strdup(name2);
		k->m2 = call_new(p, K_RENAME, dir2, name2)->m;
		k->changes = true;
		r = run(k, ns_rename);
	}
	if (dir->node != dir2->node)
		lock_end(dir2->node, true);
	lock_end(dir->node, true);
	return r;
}

/* ---- files ---- */

int k_create(struct proc *p, const struct knode *dir, const char *name, struct kfile *f)
{
	struct kcall *k;
	int r;

	if (pause_before(p))
		return EINTR;
	lock_begin(p, dir->node, true);
	r = lookup_locked(p, dir, name, &f->at);
	if (r == ENOENT) {
		k = call_new(p, K_CREATE, dir, name);
		k->call.flags = O_WRONLY | O_CREAT | O_EXCL;
		k->changes = true;
		k->kfile = f;
		*f = (struct kfile){.writes = true};
		r = run(k, ns_create);
		if (!r) {
			entry(k, dir, name, &f->at);
			f->handle = k->call.file;
			f->hash = content_hash("", 0);
		}
	} else if (!r) {
		r = EEXIST;
	}
	lock_end(dir->node, true);
	return r;
}

int k_open(struct proc *p, const struct knode *n, unsigned flags, struct kfile *f)
{
	struct kcall *k;
	int r;

	if (pause_before(p))
		return EINTR;
	*f = (struct kfile){.at = *n, .writes = (flags & O_ACCMODE) != O_RDONLY};
	k = call_new(p, K_OPEN, n, NULL);
	k->call.flags = flags;
	k->kfile = f;
	k->changes = flags & O_TRUNC;
	r = run(k, ns_open);
	if (!r) {
		f->handle = k->call.file;
		f->hash = content_hash("", 0);
	}
	return r;
}

int k_read_all(struct proc *p, struct kfile *f)
{
	uint64_t offset = 0;
	int r = 0;

	p->read_len = 0;
	for (;;) {
		struct kcall *k;

		if (pause_before(p))
			return EINTR;
		k = call_new(p, K_READ, &f->at, NULL);
		k->call.file = f->handle;
		k->call.offset = offset;
		k->call.size = 1 + sim_below(200);
		r = run(k, ns_read);
		if (r || p->read_len == offset)
			break;
		offset = p->read_len;
	}
	if (!r)
		check_read(f, p->read_data, p->read_len);
	return r;
}

int k_write(struct proc *p, struct kfile *f, uint64_t offset, const char *data, size_t len)
{
	while (len) {
		struct kcall *k;
		int r;

		if (pause_before(p))
			return EINTR;
		k = call_new(p, K_WRITE, &f->at, NULL);
		k->call.file = f->handle;
		k->call.offset = offset;
		k->call.data = data;
		k->call.size = 1 + sim_below((unsigned)len);
		f->hash = HASH_ANY; /* until all of it is there */
		f->dirty = true;
		r = run(k, ns_write);
		if (r)
			return r;
		if (!k->call.done_bytes || k->call.done_bytes > len)
			sim_fail("a write of %zu bytes wrote %zu", len, k->call.done_bytes);
		offset += k->call.done_bytes;
		data += k->call.done_bytes;
		len -= k->call.done_bytes;
	}
	return 0;
}

int k_copy(struct proc *p, struct kfile *from, struct kfile *to)
{
	uint64_t done = 0;

	/* The kernel answers from the size that it knows when nothing is left. */
	while (done < from->at.size_bytes) {
		struct kcall *k;
		int r;

		if (pause_before(p))
			return EINTR;
		k = call_new(p, K_COPY, &to->at, NULL);
		k->call.file = from->handle;
		k->call.file2 = to->handle;
		k->call.offset = k->call.offset2 = done;
		k->call.size = sim_chance(90) ? (size_t)1 << 40 : 1 + sim_below(100);
		r = run(k, ns_copy);
		if (r)
			return r;
		if (!k->call.done_bytes)
			break;
		done += k->call.done_bytes;
	}
	to->size_bytes = done;
	return 0;
}

int k_copy_range(struct proc *p, struct kfile *from, uint64_t from_at, struct kfile *to,
	uint64_t to_at, size_t *len)
{
	struct kcall *k;
	int r;

	if (pause_before(p))
		return EINTR;
	k = call_new(p, K_COPY, &to->at, NULL);
	k->call.file = from->handle;
	k->call.file2 = to->handle;
	k->call.offset = from_at;
	k->call.offset2 = to_at;
	k->call.size = *len;
	to->hash = HASH_ANY;
	to->dirty = true;
	r = run(k, ns_copy);
	*len = k->call.done_bytes;
	return r;
}

int k_truncate(struct proc *p, struct kfile *f, uint64_t size)
{
	struct kcall *k;

	if (pause_before(p))
		return EINTR;
	k = call_new(p, K_TRUNCATE, &f->at, NULL);
	k->call.file = f->handle;
	k->call.flags = NS_SET_SIZE;
	k->call.st.st_size = (off_t)size;
	f->hash = HASH_ANY;
	f->dirty = true;
	return run(k, ns_setattr);
}

static int flush(struct proc *p, struct kfile *f, enum kop op)
{
	struct kcall *k = call_new(p, op, &f->at, NULL);

	k->m = f->m;
	k->call.file = f->handle;
	k->kfile = f;
	k->changes = f->dirty && f->life == f->m->life;
	return run(k, op == K_FLUSH ? ns_flush : ns_fsync);
}

int k_fsync(struct proc *p, struct kfile *f)
{
	return pause_before(p) ? EINTR : flush(p, f, K_FSYNC);
}

int k_fsyncdir(struct proc *p, const struct knode *dir)
{
	if (pause_before(p))
		return EINTR;
	return run(call_new(p, K_FSYNCDIR, dir, NULL), ns_fsyncdir);
}

int k_close(struct proc *p, struct kfile *f)
{
	int r = 0;

	if (f->writes) {
		pause_before(p);
		r = flush(p, f, K_FLUSH);
	}
	if (f->writes && f->m && f->dirty && f->life == f->m->life) {
		/* It was not stored; an older object may be back. */
		model_doubt(f->m, DOUBT_FAILED);
		model_changed(f->m);
	}
	if (f->writes)
		f->m->writers--;
	ns_release(f->handle);
	f->handle = NULL;
	return r;
}
