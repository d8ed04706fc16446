/*
 * Allocation of small things. A filesystem that cannot get a few hundred bytes cannot answer the
 * kernel either, so these end the process with one sentence instead of returning NULL. Data
 * buffers (object contents) are not taken through these: they are bounded by budgets and checked.
 */
#ifndef UTIL_MEM_H
#define UTIL_MEM_H

#include <stddef.h>

/* Zeroed memory for one object of `size` bytes; never NULL. Any thread. Free with free(3). */
void *mem_zalloc(size_t size);
/* `count * size` zeroed bytes, overflow checked; never NULL. Any thread. */
void *mem_calloc(size_t count, size_t size);
/* realloc(3) of an array to `count` members of `size` bytes, overflow checked; never NULL. */
void *mem_resize(void *ptr, size_t count, size_t size);
/* A NUL-terminated copy of `len` bytes (which may contain NULs); never NULL. */
char *mem_dup(const void *ptr, size_t len);
/* A copy of a string; NULL stays NULL. */
char *mem_strdup(const char *s);
/* printf into fresh memory; never NULL. */
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
