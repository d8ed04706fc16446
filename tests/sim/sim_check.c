/*
 * What the answers of the name space must be (contract C1-C10), and what they say about the model.
 * Runs at the moment of each reply, so that what was promised is compared with S3 as it is then.
 * One thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"
#include "util/mem.h"

static const char *const names[K_OPS] = {[K_LOOKUP] = "lookup",
	[K_GETATTR] = "getattr",
	[K_SETATTR] = "setattr",
	[K_OPENDIR] = "opendir",
	[K_READDIR] = "readdir",
	[K_FSYNCDIR] = "fsyncdir",
	[K_MKDIR] = "mkdir",
	[K_RMDIR] = "rmdir",
	[K_OPEN] = "open",
	[K_CREATE] = "create",
	[K_READ] = "read",
	[K_WRITE] = "write",
	[K_TRUNCATE] = "truncate",
	[K_COPY] = "copy",
	[K_FLUSH] = "flush",
	[K_FSYNC] = "fsync",
	[K_UNLINK] = "unlink",
	[K_RENAME] = "rename"};
static const char *const kinds[] = {[NONE] = "nothing", [FILE_] = "a file", [DIR_] = "a directory"};

static void begin_one(struct kcall *k, struct mpath *m)
{
	if (!m)
		return;
	if (k->changes) {
		if (m->busy++)
			model_doubt(m, DOUBT_FOREIGN);
		model_changed(m);
	}
}

void check_begin(struct kcall *k)
{
	begin_one(k, k->m);
	begin_one(k, k->m2);
	k->seq = model_seq;
	k->ver = k->m ? k->m->ver : 0;
	k->ver2 = k->m2 ? k->m2->ver : 0;
	sim_trace("%d: %s %s%s%s", (int)k->proc->tid, names[k->op], k->m ? k->m->path : "",
		k->m2 ? " to " : "", k->m2 ? k->m2->path : "");
}

/* The call was alone, and what it was made on was certain when it began. */
static bool was_alone(const struct kcall *k, struct mpath *m, unsigned ver)
{
	return m->ver == ver && m->busy == (k->changes ? 1u : 0u) && !m->doubt &&
	       !(m->src && (m->src->doubt & DOUBT_FOREIGN));
}

static void wrong(const struct kcall *k, const char *what)
{
	sim_fail("%d: %s of %s: answer %d: %s", (int)k->proc->tid, names[k->op], k->m->path,
		k->errnum, what);
}

/* A strict call has said that it is done. */
static void in_store(const struct kcall *k, const struct mpath *m, const struct mpath *src)
{
	const char *differs;

	if ((k->proc->walks && !sim.strict) || (m->doubt & DOUBT_FOREIGN))
		return;
	differs = model_differs(m, m->kind, m->hash, src);
	if (differs)
		sim_fail("%d: %s has answered 0, but of %s: %s", (int)k->proc->tid, names[k->op],
			m->path, differs);
}

/* In shared trees a source, or the directory above, may go between two calls of a command. */
static bool tolerated(int errnum)
{
	if (sim.shared && (errnum == ENOENT || errnum == ESTALE))
		return true;
	return sim.errors == 2 || sim.outsiders || sim.interrupts || sim.kills || errnum == EINTR;
}

/* A call that changes something has failed: what is there now is open, unless it was refused at
 * once. */
static void failed(struct kcall *k, bool alone)
{
	if (alone && !tolerated(k->errnum) && k->errnum != EXDEV && k->errnum != EBUSY &&
		k->errnum != EISDIR && k->op != K_RMDIR)
		wrong(k, "nothing could have failed");
	if (k->errnum == ENOENT || k->errnum == EEXIST || k->errnum == ENOTEMPTY ||
		k->errnum == EXDEV || k->errnum == EBUSY || k->errnum == EISDIR ||
		k->errnum == ENOTDIR)
		return;
	model_doubt(k->m, DOUBT_FAILED);
	if (k->m2)
		model_doubt(k->m2, DOUBT_FAILED);
}

static void becomes(struct kcall *k, struct mpath *m, enum kind kind, uint64_t hash, uint64_t size,
	struct mpath *src)
{
	m->kind = kind;
	m->hash = hash;
	m->size_bytes = size;
	m->src = src;
	model_version(m, hash);
	m->any_version |= kind == FILE_ && hash == HASH_ANY;
	proc_effect(k->proc, m, kind, hash, src);
}

static void reply_attr(struct kcall *k, bool alone)
{
	const struct mpath *m = k->m;
	const struct stat *st = &k->call.attr.st;
	enum kind is = k->errnum ? NONE : S_ISDIR(st->st_mode) ? DIR_ : FILE_;

	if (!alone)
		return;
	if (k->errnum && k->errnum != ENOENT) {
		if (!tolerated(k->errnum))
			wrong(k, "nothing could have failed");
		return;
	}
	if (k->op == K_GETATTR && (m->kind == NONE || m->life != k->life))
		return; /* open, and removed or replaced meanwhile */
	if (is != m->kind)
		sim_fail("%d: %s of %s says there is %s, but it must be %s", (int)k->proc->tid,
			names[k->op], m->path, kinds[is], kinds[m->kind]);
	if (is == FILE_ && m->hash != HASH_ANY && !m->writers &&
		(uint64_t)st->st_size != m->size_bytes)
		sim_fail("%d: %s of %s says %lld bytes, but it must be %llu", (int)k->proc->tid,
			names[k->op], m->path, (long long)st->st_size,
			(unsigned long long)m->size_bytes);
}

static void reply_open(struct kcall *k, bool alone)
{
	struct kfile *f = k->kfile;

	if (k->errnum) {
		if (alone && k->errnum == ENOENT && k->m->kind == FILE_)
			wrong(k, "it is there");
		if (alone && k->errnum == EEXIST && k->m->kind == NONE)
			wrong(k, "it is not there");
		return;
	}
	if (k->op == K_CREATE)
		k->m->life++;
	f->m = k->m;
	f->open_ver = k->m->ver;
	f->open_versions = k->m->version_count;
	f->life = k->m->life;
	k->m->writers += f->writes;
	/* What two write at once is of both. */
	if (f->writes && k->m->writers > 1)
		model_doubt(k->m, DOUBT_FOREIGN);
	if (!k->changes)
		return;
	f->dirty = true;
	k->m->kind = FILE_;
	k->m->hash = HASH_ANY;
	k->m->src = NULL;
}

static void reply_flush(struct kcall *k)
{
	struct kfile *f = k->kfile;
	uint64_t hash = f->hash;

	if (!k->changes || f->life != k->m->life)
		return;
	if (k->errnum) {
		/* The source may have been removed or replaced since it was opened. */
		failed(k, !f->src || model_stable(f->src, f->src_ver));
		return;
	}
	f->dirty = false;
	/* The source was another version when it was opened, or is in doubt. */
	if (f->src && hash != HASH_ANY && !model_stable(f->src, f->src_ver))
		hash = HASH_ANY;
	k->m->src_versions = f->src_versions;
	becomes(k, k->m, FILE_, hash, f->size_bytes, f->src);
	/* Then a copy that is still to be made may be refused: the version that was opened has
	 * gone. */
	if (k->proc->walks && f->src && !model_stable(f->src, f->src_ver))
		model_doubt(k->m, DOUBT_FAILED);
	in_store(k, k->m, f->src);
}

static void reply_rename(struct kcall *k, bool alone)
{
	struct mpath *from = k->m, *to = k->m2;
	struct mpath *src = from->src;

	if (k->errnum) {
		failed(k, alone);
		return;
	}
	from->life++;
	to->life++;
	to->src_versions = from->src_versions;
	becomes(k, to, FILE_, alone ? from->hash : HASH_ANY, from->size_bytes, src);
	becomes(k, from, NONE, HASH_ANY, 0, NULL);
	/* Somebody is writing it: it is stored, under its new name, when he closes it. */
	if (from->writers)
		model_doubt(to, DOUBT_FOREIGN);
	in_store(k, to, alone ? src : NULL);
	in_store(k, from, NULL);
}

static void reply_fsyncdir(struct kcall *k)
{
	struct mpath *m;

	if (k->errnum) {
		k->m->owed = false;
		if (!tolerated(k->errnum))
			wrong(k, "nothing could have failed");
		return;
	}
	if (k->m->owed)
		wrong(k, "something deferred has failed below");
	for (m = model_paths; m; m = m->next) {
		const char *differs = NULL;

		/* What was there when it was asked is in S3 now. */
		if (model_below(m, k->m->path) && m->ver <= k->seq && m->kind != DIR_ &&
			model_stable(m, m->ver) && !m->writers)
			differs = model_differs(m, m->kind, m->hash, m->src);
		if (differs)
			sim_fail("fsync of %s has answered 0, but of %s: %s", k->m->path, m->path,
				differs);
	}
}

static void reply_setattr(struct kcall *k, bool alone)
{
	if (k->errnum)
		failed(k, alone);
	else if (alone && !k->m->writers) /* else it may be going, or be stored later */
		proc_effect(k->proc, k->m, k->m->kind, k->m->hash, k->m->src);
}

static void reply_change(struct kcall *k, bool alone)
{
	struct mpath *m = k->m;

	if (k->errnum) {
		if (alone && k->errnum == ENOENT && m->kind != NONE)
			wrong(k, "it is there");
		if (alone && k->errnum == EEXIST && m->kind == NONE)
			wrong(k, "it is not there");
		failed(k, alone && k->errnum != EEXIST && k->errnum != ENOENT);
		return;
	}
	if (k->op != K_MKDIR)
		m->life++;
	becomes(k, m, k->op == K_MKDIR ? DIR_ : NONE, HASH_ANY, 0, NULL);
	in_store(k, m, NULL);
}

void check_reply(struct kcall *k)
{
	bool alone = k->m && was_alone(k, k->m, k->ver) && (!k->m2 || was_alone(k, k->m2, k->ver2));

	sim_trace("%d: %s %s: answer %d", (int)k->proc->tid, names[k->op], k->m ? k->m->path : "",
		k->errnum);
	if (k->changes) {
		k->m->busy--;
		model_changed(k->m);
		if (k->m2) {
			k->m2->busy--;
			model_changed(k->m2);
		}
	}
	switch (k->op) {
	case K_LOOKUP:
	case K_GETATTR:
		reply_attr(k, alone);
		break;
	case K_SETATTR:
		reply_setattr(k, alone);
		break;
	case K_OPEN:
	case K_CREATE:
		reply_open(k, alone);
		break;
	case K_FLUSH:
	case K_FSYNC:
		reply_flush(k);
		break;
	case K_MKDIR:
	case K_RMDIR:
	case K_UNLINK:
		reply_change(k, alone);
		break;
	case K_RENAME:
		reply_rename(k, alone);
		break;
	case K_FSYNCDIR:
		reply_fsyncdir(k);
		break;
	default:
		break;
	}
}

size_t check_list_begin(const char *dir, struct listing_check **ret)
{
	struct listing_check *list = NULL;
	struct mpath *m;
	size_t n = 0;

	for (m = model_paths; m; m = m->next)
		if (model_is_child(m, dir)) {
			list = mem_resize(list, n + 1, sizeof(*list));
			list[n++] = (struct listing_check){.m = m, .ver = m->ver};
		}
	*ret = list;
	return n;
}

/* A name that was replaced while it was listed may show twice: readdir(3p) leaves that open. */
static const struct knode *entry_named(
	const struct knode *entries, size_t count, const char *name, bool stable)
{
	const struct knode *found = NULL;
	size_t i;

	for (i = 0; i < count; i++)
		if (!strcmp(entries[i].name, name)) {
			if (found && stable)
				sim_fail("%s was listed twice", entries[i].path);
			found = &entries[i];
		}
	return found;
}

void check_listed(const char *dir, const struct listing_check *before, size_t before_count,
	const struct knode *entries, size_t count)
{
	size_t i;

	for (i = 0; i < before_count; i++) {
		const struct mpath *m = before[i].m;
		const struct knode *e = entry_named(
			entries, count, strrchr(m->path, '/') + 1, model_stable(m, before[i].ver));
		enum kind is = !e ? NONE : e->dir ? DIR_ : FILE_;

		if (model_stable(m, before[i].ver) && is != m->kind)
			sim_fail("the listing of %s shows %s as %s, but it must be %s", dir,
				m->path, kinds[is], kinds[m->kind]);
	}
}

void check_read(const struct kfile *f, const char *data, size_t len)
{
	const struct mpath *m = f->m;
	uint64_t hash = content_hash(data, len);

	if (m->writers)
		return;
	if (model_stable(m, f->open_ver) && m->hash != HASH_ANY && m->hash != hash)
		sim_fail("%s was read with other content than it must have", m->path);
	if (m->ver == f->open_ver && !content_known(hash))
		sim_fail("%s was read with a mix of contents", m->path);
}

void check_exit(const struct proc *p)
{
	size_t i;

	for (i = 0; i < p->effect_count; i++) {
		const struct effect *e = &p->effects[i];
		const char *differs;

		if (e->m->ver != e->ver || (e->m->doubt & DOUBT_FOREIGN))
			continue;
		/* A source whose own write was interrupted may be of either version. */
		if (e->src && e->src->doubt)
			continue;
		/* Below a directory that two commands remove, keys may be the other's to remove. */
		if (sim.shared && e->kind == NONE && !model_object(e->m))
			continue;
		differs = model_differs(e->m, e->kind, e->hash, e->src);
		if (!differs && e->mode && !model_has_mode(e->m, e->kind, e->mode))
			differs = "it has not the mode that was set";
		if (differs)
			sim_fail("%s (%d) has exited 0, but of %s: %s", p->argv[0], (int)p->tid,
				e->m->path, differs);
	}
}
