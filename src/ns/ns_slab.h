/*
 * Local bytes of files that are written. Memory has a bound, shared by all files; beyond it bytes
 * live in files of the spool directory that have no name, so they are gone when the process is.
 * Core thread only; requests that are under way may read what was lent to them from any thread.
 */
#ifndef NS_NS_SLAB_H
#define NS_NS_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "ns/ns.h"

/* A run of local bytes. Who holds a reference knows where in it his bytes are. */
struct slab {
	struct slab_pool *pool;
	char *data;
	size_t cap_bytes, used_bytes; /* new bytes go behind the used ones */
	size_t mapped_bytes;          /* of a spool file; 0: memory of the bound */
	unsigned refs;
	unsigned lent; /* to requests under way: what is used must not change meanwhile */
};

/* Local bytes that S3 has as well, embedded in what they belong to. Zeroed: not listed. */
struct evictable {
	void (*evict)(struct evictable *e); /* lets go of them; it is not listed any more */
	bool listed, last;
	TAILQ_ENTRY(evictable) link;
};

struct slab_pool {
	uint64_t bound_bytes, memory_bytes;
	/* Memory that will come free, or can be evicted, when requests under way have ended. */
	uint64_t draining_bytes;
	TAILQ_HEAD(evictables, evictable) evictable, evictable_last;
	struct ns_call_list waiters; /* for room; woken by slab_pool_wake */
	bool changed;                /* somebody who waits may find room now */
};

void slab_pool_init(struct slab_pool *pool, uint64_t bound_bytes);
/* Resumes who waits, if there is a chance. Not to be called while a list of extents is changed. */
void slab_pool_wake(struct slab_pool *pool);
void evict_allow(struct slab_pool *pool, struct evictable *e, bool last); /* `last`: reluctantly */
void evict_forbid(struct slab_pool *pool, struct evictable *e);

#define SLAB_WAIT (-1)
/*
 * A slab with room for `cap` bytes, one reference (*ret). `spool_dir` NULL: $TMPDIR, else /var/tmp.
 * Returns 0, a positive errno (ENOSPC: of the spool), or, if the caller can wait for it, SLAB_WAIT:
 * memory is short, but some will come free.
 */
int slab_new(struct slab_pool *pool, const char *spool_dir, size_t cap, bool may_wait,
	struct slab **ret);
/* More room, for a slab that is not lent: 0 or as above; on failure it is as it was. */
int slab_grow(struct slab *s, const char *spool_dir, size_t cap, bool may_wait);
/* Takes no more memory than its bytes need, if it is neither lent nor held by others. */
void slab_shrink(struct slab *s);
struct slab *slab_ref(struct slab *s);
void slab_unref(struct slab *s); /* or NULL */
void slab_lend(struct slab *s);
void slab_return(struct slab *s);
size_t slab_memory(const struct slab *s); /* what it takes of the bound */
/* `len` zero bytes, at most SLAB_ZEROS at once, for as long as the process lives. */
#define SLAB_ZEROS ((size_t)1 << 20)
const char *slab_zeros(void);

#endif
