/*
 * Local bytes: see ns_slab.h. Spool files are mapped, so requests read them from where they are,
 * and the kernel writes them out when it needs the memory. Core thread only.
 */
#include "ns/ns_slab.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ns/ns_int.h"
#include "util/mem.h"

#define WRITE_MEMORY_DEFAULT ((uint64_t)64 << 20)

void slab_pool_init(struct slab_pool *pool, uint64_t bound_bytes)
{
	*pool = (struct slab_pool){.bound_bytes = bound_bytes ? bound_bytes : WRITE_MEMORY_DEFAULT};
	TAILQ_INIT(&pool->evictable);
	TAILQ_INIT(&pool->evictable_last);
	TAILQ_INIT(&pool->waiters);
}

void slab_pool_wake(struct slab_pool *pool)
{
	if (!pool->changed)
		return;
	pool->changed = false;
	wake(&pool->waiters);
}

void evict_allow(struct slab_pool *pool, struct evictable *e, bool last)
{
	evict_forbid(pool, e);
	e->listed = true;
	e->last = last;
	if (last)
		TAILQ_INSERT_TAIL(&pool->evictable_last, e, link);
	else
		TAILQ_INSERT_TAIL(&pool->evictable, e, link);
	pool->changed = true;
}

void evict_forbid(struct slab_pool *pool, struct evictable *e)
{
	if (!e->listed)
		return;
	e->listed = false;
	if (e->last)
		TAILQ_REMOVE(&pool->evictable_last, e, link);
	else
		TAILQ_REMOVE(&pool->evictable, e, link);
}

/* Is there memory for `cap` more bytes, or can it be made? */
static bool has_room(struct slab_pool *pool, size_t cap)
{
	struct evictable *e;

	while (pool->memory_bytes + cap > pool->bound_bytes) {
		e = TAILQ_FIRST(&pool->evictable);
		if (!e)
			e = TAILQ_FIRST(&pool->evictable_last);
		if (!e)
			return false;
		evict_forbid(pool, e);
		e->evict(e);
	}
	return true;
}

/* ---- spool files ---- */

/* Not every filesystem has O_TMPFILE (open(2)): there a name is made and removed at once. */
static int spool_open(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char *name;

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd;
	name = mem_printf("%s/s3bulkfs-XXXXXX", dir);
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	free(name);
	return fd;
}

/* Room on disk is taken at once: a full disk is this write's ENOSPC, never a later SIGBUS. */
static int spool_map(const char *dir, size_t cap, char **ret)
{
	int fd, errnum;
	void *data;

	if (!dir)
		dir = getenv("TMPDIR");
	fd = spool_open(dir && dir[0] == '/' ? dir : "/var/tmp");
	if (fd < 0)
		return errno;
	do
		errnum = posix_fallocate(fd, 0, (off_t)cap);
	while (errnum == EINTR);
	data = errnum ? MAP_FAILED : mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	/* ENOMEM: there are as many mappings as the kernel allows (vm.max_map_count). */
	if (!errnum && data == MAP_FAILED)
		errnum = errno == ENOMEM ? ENOSPC : errno;
	close(fd);
	if (!errnum)
		*ret = data;
	return errnum;
}

/* ---- slabs ---- */

static void bytes_free(struct slab *s)
{
	if (s->mapped_bytes) {
		munmap(s->data, s->mapped_bytes);
	} else {
		free(s->data);
		s->pool->memory_bytes -= s->cap_bytes;
	}
	s->pool->changed = true;
}

/* Gives the slab, which has none, `cap` bytes of the spool. */
static int take_spool(struct slab *s, const char *spool_dir, size_t cap)
{
	int r = spool_map(spool_dir, cap, &s->data);

	if (r)
		return r;
	s->cap_bytes = s->mapped_bytes = cap;
	return 0;
}

static bool take_memory(struct slab *s, size_t cap)
{
	s->data = mem_large(cap);
	if (!s->data)
		return false;
	s->cap_bytes = cap;
	s->pool->memory_bytes += cap;
	return true;
}

int slab_new(
	struct slab_pool *pool, const char *spool_dir, size_t cap, bool may_wait, struct slab **ret)
{
	struct slab *s;
	int r;

	*ret = NULL;
	s = mem_zalloc(sizeof(*s));
	s->pool = pool;
	s->refs = 1;
	/* Memory that the bound allows may be refused all the same. */
	if (has_room(pool, cap) && take_memory(s, cap))
		r = 0;
	else if (may_wait && pool->draining_bytes)
		r = SLAB_WAIT;
	else
		r = take_spool(s, spool_dir, cap);
	if (r)
		free(s);
	else
		*ret = s;
	return r;
}

/* Its bytes move to other memory, or from memory to the spool. */
int slab_grow(struct slab *s, const char *spool_dir, size_t cap, bool may_wait)
{
	struct slab from = *s;
	char *data;
	int r;

	if (!s->mapped_bytes && has_room(s->pool, cap - s->cap_bytes)) {
		data = mem_short() ? NULL : realloc(s->data, cap);
		if (data) {
			s->pool->memory_bytes += cap - s->cap_bytes;
			s->data = data;
			s->cap_bytes = cap;
			return 0;
		}
	}
	if (!s->mapped_bytes && may_wait && s->pool->draining_bytes)
		return SLAB_WAIT;
	r = take_spool(s, spool_dir, cap);
	if (r)
		return r;
	memcpy(s->data, from.data, from.used_bytes);
	bytes_free(&from);
	return 0;
}

void slab_shrink(struct slab *s)
{
	char *data;

	if (s->mapped_bytes || s->lent || s->refs > 1 || !s->used_bytes ||
		s->used_bytes == s->cap_bytes)
		return;
	data = realloc(s->data, s->used_bytes);
	if (!data)
		return;
	s->pool->memory_bytes -= s->cap_bytes - s->used_bytes;
	s->data = data;
	s->cap_bytes = s->used_bytes;
	s->pool->changed = true;
}

struct slab *slab_ref(struct slab *s)
{
	s->refs++;
	return s;
}

void slab_unref(struct slab *s)
{
	if (!s || --s->refs)
		return;
	bytes_free(s);
	free(s);
}

void slab_lend(struct slab *s)
{
	s->refs++;
	s->lent++;
}

void slab_return(struct slab *s)
{
	s->lent--;
	slab_unref(s);
}

size_t slab_memory(const struct slab *s)
{
	return s->mapped_bytes ? 0 : s->cap_bytes;
}

const char *slab_zeros(void)
{
	static const char zeros[SLAB_ZEROS];

	return zeros;
}
