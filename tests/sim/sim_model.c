/*
 * The model: for each name what it must be, as the answers of the name space have said so far. What
 * is in doubt (changed by two calls at once, failed, or changed behind the mount's back) is not
 * judged until all is over and it has been read from S3 again. One thread.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sim.h"
#include "util/mem.h"

struct mpath *model_paths;
unsigned model_seq;

void model_changed(struct mpath *m)
{
	m->ver = ++model_seq;
}

struct mpath *model_get(const char *path)
{
	struct mpath *m;

	for (m = model_paths; m; m = m->next)
		if (!strcmp(m->path, path))
			return m;
	m = mem_zalloc(sizeof(*m));
	m->path = mem_strdup(path);
	m->next = model_paths;
	model_paths = m;
	return m;
}

struct mpath *model_parent(const struct mpath *m)
{
	const char *slash = strrchr(m->path, '/');
	char up[SIM_PATH_MAX];

	if (!m->path[1])
		return NULL;
	snprintf(up, sizeof(up), "%.*s", (int)(slash - m->path), m->path);
	return model_get(up[0] ? up : "/");
}

bool model_below(const struct mpath *m, const char *dir)
{
	size_t n = strlen(dir);

	if (n == 1)
		return m->path[1];
	return !strncmp(m->path, dir, n) && m->path[n] == '/';
}

bool model_is_child(const struct mpath *m, const char *dir)
{
	size_t n = strlen(dir);

	return model_below(m, dir) && !strchr(m->path + (n == 1 ? 1 : n + 1), '/');
}

void model_doubt(struct mpath *m, unsigned why)
{
	for (; m; m = model_parent(m))
		m->doubt |= why;
}

static void add_version(struct mpath *m, uint64_t hash, bool foreign)
{
	if (hash == HASH_ANY || model_had_version(m, hash, SIZE_MAX))
		return;
	m->versions = mem_resize(m->versions, m->version_count + 1, sizeof(*m->versions));
	m->versions[m->version_count++] = (struct version){hash, foreign};
}

void model_version(struct mpath *m, uint64_t hash)
{
	add_version(m, hash, false);
}

void model_foreign_version(struct mpath *m, uint64_t hash)
{
	add_version(m, hash, true);
}

bool model_had_version(const struct mpath *m, uint64_t hash, size_t count)
{
	size_t i;

	for (i = 0; i < m->version_count; i++)
		if (m->versions[i].hash == hash)
			return i < count || !m->versions[i].foreign;
	return false;
}

bool model_stable(const struct mpath *m, unsigned ver)
{
	return m->ver == ver && !m->busy && !m->doubt &&
	       !(m->src && (m->src->doubt & DOUBT_FOREIGN));
}

void model_key(const char *path, bool dir, char key[SIM_PATH_MAX])
{
	snprintf(key, SIM_PATH_MAX, "%s%s%s", sim.prefix, path + 1, dir && path[1] ? "/" : "");
}

void model_child(char path[SIM_PATH_MAX], const char *dir, const char *name)
{
	if (snprintf(path, SIM_PATH_MAX, "%s/%s", dir[1] ? dir : "", name) >= SIM_PATH_MAX)
		sim_fail("a path is too long");
}

static bool dir_in_store(const char *path)
{
	char key[SIM_PATH_MAX];
	size_t i;

	model_key(path, true, key);
	i = store_first(BYTES_STR(key));
	return i < store_count() &&
	       bytes_starts(BYTES(store_at(i)->key, store_at(i)->key_len), BYTES_STR(key));
}

static const struct object *file_in_store(const char *path)
{
	char key[SIM_PATH_MAX];

	model_key(path, false, key);
	return store_get(BYTES_STR(key));
}

bool model_object(const struct mpath *m)
{
	return file_in_store(m->path);
}

bool model_has_mode(const struct mpath *m, enum kind kind, unsigned mode)
{
	char key[SIM_PATH_MAX];
	const struct object *o;

	model_key(m->path, kind == DIR_, key);
	o = store_get(BYTES_STR(key));
	return o && (o->mode & 07777) == mode;
}

const char *model_differs(
	const struct mpath *m, enum kind kind, uint64_t hash, const struct mpath *src)
{
	const struct object *o = file_in_store(m->path);

	if (kind == NONE)
		return o                       ? "the object is still there"
		       : dir_in_store(m->path) ? "there are still keys below it"
					       : NULL;
	if (kind == DIR_)
		return dir_in_store(m->path) ? NULL : "there is no key below it";
	if (!o)
		return "there is no such object";
	if (hash != HASH_ANY)
		return o->hash == hash ? NULL : "the object has other content";
	if (src && !src->any_version && !model_had_version(src, o->hash, m->src_versions))
		return "the object is no version of its source";
	return content_known(o->hash) ? NULL : "the object is a mix";
}

void model_refused(struct bytes key, bool reading, bool denied)
{
	struct bytes prefix = BYTES_STR(sim.prefix);
	char path[SIM_PATH_MAX];
	struct mpath *m, *top;

	if (!bytes_starts(key, prefix))
		sim_fail("a request was made for the key %.*s", (int)key.len, key.ptr);
	snprintf(path, sizeof(path), "/%.*s", (int)(key.len - prefix.len), key.ptr + prefix.len);
	if (path[1] && path[strlen(path) - 1] == '/')
		path[strlen(path) - 1] = '\0';
	m = model_get(path);
	sim_trace("S3 has refused %s for good", path);
	if (reading) {
		for (top = model_paths; top; top = top->next)
			if (top->src == m)
				model_doubt(top, DOUBT_FAILED);
		return;
	}
	/* Nobody waits for it, or was told EINTR: the next fsync of a directory above owes the
	 * error. The directories of the first level are held throughout, so that it is not
	 * forgotten. */
	denied = denied && !m->busy && !m->doubt;
	model_doubt(m, DOUBT_FAILED);
	if (!denied)
		return;
	for (top = m; top && !(model_parent(top) && !model_parent(top)->path[1]);)
		top = model_parent(top);
	if (top && top != m)
		top->owed = true;
}

void model_compare(void)
{
	struct mpath *m;

	for (m = model_paths; m; m = m->next) {
		const char *wrong;

		if (m->busy || m->writers)
			sim_fail("%s: all is over, but not for the model", m->path);
		if (!m->path[1] || !model_stable(m, m->ver))
			continue;
		wrong = model_differs(m, m->kind, m->hash, NULL);
		if (wrong)
			sim_fail("%s differs from the model when all is over: %s", m->path, wrong);
	}
}

void model_sync(void)
{
	struct mpath *m;
	size_t i;

	/* Names that the model has not heard of. */
	for (i = 0; i < store_count(); i++) {
		const struct object *o = store_at(i);
		size_t skip = strlen(sim.prefix), at;
		char path[SIM_PATH_MAX];

		if (!bytes_starts(BYTES(o->key, o->key_len), BYTES_STR(sim.prefix)))
			continue;
		snprintf(path, sizeof(path), "/%s", o->key + skip);
		for (at = 1; path[at]; at++)
			if (path[at] == '/') {
				path[at] = '\0';
				model_get(path);
				path[at] = '/';
			}
		if (path[at - 1] != '/')
			model_get(path);
	}
	for (m = model_paths; m; m = m->next) {
		const struct object *o = file_in_store(m->path);

		m->kind = o ? FILE_ : dir_in_store(m->path) || !m->path[1] ? DIR_ : NONE;
		m->hash = o ? o->hash : HASH_ANY;
		m->size_bytes = o ? o->len : 0;
		m->doubt = 0;
		m->src = NULL;
		m->any_version = false;
		model_version(m, m->hash);
	}
}

void model_clear(void)
{
	struct mpath *m;

	while ((m = model_paths)) {
		model_paths = m->next;
		free(m->path);
		free(m->versions);
		free(m);
	}
}
