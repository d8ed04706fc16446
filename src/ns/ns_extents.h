/*
 * What a file that is open for writing consists of: a list of extents, in order, without gaps and
 * overlaps, from 0 to its size. Random writes make many of them, so it is a search tree. It holds a
 * reference to each slab and each source that its extents are about. Core thread only.
 */
#ifndef NS_NS_EXTENTS_H
#define NS_NS_EXTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slab;
struct source;

enum extent_kind {
	EXTENT_ZERO,   /* a hole, which is stored as zeros */
	EXTENT_LOCAL,  /* bytes of a slab */
	EXTENT_OBJECT, /* a range of a version of an object */
	EXTENT_SENT    /* bytes that only a part of the upload under way has (ns_upload.c) */
};

struct extent {
	struct extent *child[2]; /* with less and with greater offsets */
	uint32_t rank;           /* random; nobody's is greater than his parent's */
	enum extent_kind kind;
	uint64_t offset, len; /* in the file */
	uint64_t at;          /* where in the slab or the object it begins; else 0 */
	union {
		struct slab *slab;     /* EXTENT_LOCAL */
		struct source *source; /* EXTENT_OBJECT */
	} of;
};

/* Zeroed: an empty file. */
struct extents {
	struct extent *root;
	size_t count;
	uint64_t size_bytes;
	uint32_t chance;
};

/*
 * [e.offset, e.offset + e.len) becomes `e`, whatever was there; a gap before it becomes zeros. Only
 * the members from `kind` on are read. Extents that continue each other become one. Pointers to
 * extents are good until the next change.
 */
void extents_put(struct extents *x, const struct extent *e);
/* Cuts the file, or makes it longer with zeros. */
void extents_resize(struct extents *x, uint64_t size_bytes);
void extents_clear(struct extents *x);
/* The extent that holds the byte; NULL at or past the end. */
struct extent *extents_at(const struct extents *x, uint64_t offset);
static inline uint64_t extent_end(const struct extent *e)
{
	return e->offset + e->len;
}
static inline struct extent *extents_next(const struct extents *x, const struct extent *e)
{
	return extents_at(x, extent_end(e));
}
/* Is there an extent of that kind in [from, to)? */
bool extents_have(const struct extents *x, uint64_t from, uint64_t to, enum extent_kind kind);

#endif
