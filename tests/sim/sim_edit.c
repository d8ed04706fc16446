/*
 * Changes of a file in place: random writes, cuts, ranges of other files, with an fsync now and
 * then, sometimes without a name. What the file must hold is known after each of them, if it was
 * known before. One thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "sim.h"
#include "util/mem.h"

#define BYTES_MAX 600

/* A file under change and what it must hold. */
struct edit {
	struct kfile file;
	char bytes[BYTES_MAX];
	size_t len;
	bool known; /* bytes are what is there */
};

/* What S3 has of a file, if that is certainly what the mount shows. */
static bool load(const struct mpath *m, unsigned ver, char bytes[BYTES_MAX], size_t *len)
{
	char key[SIM_PATH_MAX];
	const struct object *o;

	model_key(m->path, false, key);
	o = store_get(BYTES_STR(key));
	if (sim.shared || !o || !model_stable(m, ver) || m->hash != o->hash || o->len > BYTES_MAX)
		return false;
	memcpy(bytes, o->data, o->len);
	*len = o->len;
	return true;
}

/* The bytes after a change of [at, at + len); NULL: zeros. */
static void put(struct edit *e, size_t at, const char *data, size_t len)
{
	if (at > e->len)
		memset(e->bytes + e->len, 0, at - e->len);
	memcpy(e->bytes + at, data, len);
	if (at + len > e->len)
		e->len = at + len;
}

static void changed(struct edit *e, int r)
{
	if (r) {
		e->known = false;
		return;
	}
	e->file.hash = content_hash(e->bytes, e->len);
	e->file.size_bytes = e->len;
	content_note(e->file.hash);
}

static void do_write(struct proc *p, struct edit *e)
{
	size_t len, at = sim_chance(40) ? e->len : sim_below((unsigned)e->len + 40);
	char *data = content_new(150, &len);
	int r;

	if (at + len <= BYTES_MAX && len) {
		r = k_write(p, &e->file, at, data, len);
		put(e, at, data, len);
		changed(e, r);
	}
	free(data);
}

static void do_truncate(struct proc *p, struct edit *e)
{
	size_t size = sim_below(sim_chance(50) ? (unsigned)e->len + 1 : BYTES_MAX);
	int r = k_truncate(p, &e->file, size);

	if (size > e->len)
		memset(e->bytes + e->len, 0, size - e->len);
	e->len = size;
	changed(e, r);
}

static void do_range(struct proc *p, struct edit *e, const char *path)
{
	char bytes[BYTES_MAX];
	struct kfile from;
	struct knode n;
	size_t len, at, to, want;
	int r = k_resolve(p, path, &n);

	if (r || n.dir || k_open(p, &n, O_RDONLY, &from))
		return;
	if (from.m == e->file.m) {
		/* As it is now, and not onto itself. */
		memcpy(bytes, e->bytes, e->len);
		len = e->len / 2;
	} else if (from.m->writers || !load(from.m, from.open_ver, bytes, &len)) {
		/* What somebody is writing there is copied as it is. */
		len = 0;
	}
	if (len) {
		at = sim_below((unsigned)len);
		want = 1 + sim_below((unsigned)(len - at));
		to = sim_chance(50) || from.m == e->file.m ? e->len
							   : sim_below((unsigned)e->len + 1);
		if (to + want <= BYTES_MAX) {
			r = k_copy_range(p, &from, at, &e->file, to, &want);
			if (!r && !want)
				sim_fail("nothing was copied of %s", path);
			if (!r)
				put(e, to, bytes + at, want);
			if (from.m != e->file.m &&
				(from.m->writers || !model_stable(from.m, from.open_ver)))
				r = -1;
			changed(e, r);
		}
	}
	k_close(p, &from);
}

static void look(struct proc *p, struct edit *e)
{
	if (k_read_all(p, &e->file) || !e->known)
		return;
	if (p->read_len != e->len || (e->len && memcmp(p->read_data, e->bytes, e->len) != 0))
		sim_fail("%s was read with other bytes than were written", e->file.m->path);
}

static bool remove_name(struct proc *p, struct edit *e, const struct knode *dir, const char *name)
{
	int r = k_unlink(p, dir, name, true);

	/* Interrupted, it may yet lose its name. */
	if (r)
		model_doubt(e->file.m, DOUBT_FOREIGN);
	return !r;
}

void do_edit(struct proc *p, const char *path, const char *other)
{
	unsigned left = 1 + sim_below(5);
	struct edit e = {0};
	struct knode dir, n;
	const char *name;
	bool gone = false;

	if (k_parent(p, path, &dir, &name) || k_lookup(p, &dir, name, &n) || n.dir ||
		k_open(p, &n, O_RDWR, &e.file))
		return;
	e.known = load(e.file.m, e.file.open_ver, e.bytes, &e.len);
	while (e.known && left-- && !p->killed) {
		unsigned what = sim_below(10);

		if (what < 5)
			do_write(p, &e);
		else if (what < 7)
			do_truncate(p, &e);
		else if (what < 8)
			do_range(p, &e, other);
		else if (what < 9)
			look(p, &e);
		else if (!gone && sim_chance(30))
			gone = remove_name(p, &e, &dir, name);
		else
			k_fsync(p, &e.file);
	}
	if (sim_chance(30))
		look(p, &e);
	k_close(p, &e.file);
}
