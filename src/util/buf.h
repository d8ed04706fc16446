/*
 * A growing byte buffer with a bound and a sticky error: append freely, look once at the end.
 * After an append that would pass `max`, `failed` is set and further appends do nothing.
 * Always NUL-terminated behind `len`. Not thread-safe: one owner.
 */
#ifndef UTIL_BUF_H
#define UTIL_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "util/bytes.h"

struct buf {
	char *ptr;
	size_t len;
	size_t cap;
	size_t max; /* bytes that len never passes */
	bool failed;
};

#define BUF_INIT(max_bytes) ((struct buf){.max = (max_bytes)})

void buf_add(struct buf *b, const void *p, size_t len);
void buf_adds(struct buf *b, const char *s);
void buf_addb(struct buf *b, struct bytes s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Cuts the buffer to `len` bytes (no more than it has) and keeps its memory; clears the error. */
void buf_cut(struct buf *b, size_t len);
/* Frees the memory; the buffer is empty and can be used again. */
void buf_free(struct buf *b);
/* Takes the memory out: NUL-terminated, owned by the caller; the buffer is empty after it. */
char *buf_take(struct buf *b);

static inline struct bytes buf_bytes(const struct buf *b)
{
	return BYTES(b->ptr ? b->ptr : "", b->len);
}

/* The content as a C string ("" when empty). Borrowed until the next change. */
static inline const char *buf_str(const struct buf *b)
{
	return b->ptr ? b->ptr : "";
}

#endif
