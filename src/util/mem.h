/*
 * Memory. A daemon keeps a reserve. When an allocation fails the reserve is given back and the
 * allocation made again; from then on mem_short() is true, nobody should begin anything, and what
 * is under way goes on from the reserve. It is taken again as soon as that succeeds, which ends the
 * shortage. So small things are taken as if that could not fail: the process ends, with one
 * sentence, when the reserve is used up as well (or was never taken: in the other programs).
 * Data buffers (object contents) are large, bounded by budgets and checked. All are freed with
 * free(3). Any thread.
 */
#ifndef UTIL_MEM_H
#define UTIL_MEM_H

#include <stdbool.h>
#include <stddef.h>

/* ---- the reserve ---- */

/* Takes the reserve: once, before threads start. False: there is not even so much. */
bool mem_reserve(void);
/* True from the first allocation that failed until the reserve has been taken again. */
bool mem_short(void);

/* ---- never NULL ---- */

/* Zeroed memory for one object of `size` bytes. */
void *mem_zalloc(size_t size);
/* `count * size` zeroed bytes, overflow checked. */
void *mem_calloc(size_t count, size_t size);
/* realloc(3) of an array to `count` members of `size` bytes, overflow checked. */
void *mem_resize(void *ptr, size_t count, size_t size);
/* A NUL-terminated copy of `len` bytes (which may contain NULs). */
char *mem_dup(const void *ptr, size_t len);
/* A copy of a string; NULL stays NULL. */
char *mem_strdup(const char *s);
/* printf into fresh memory. */
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Ends the process with that sentence: for a library that would end it without one. */
void mem_used_up(void) __attribute__((noreturn));

/* ---- may be NULL ---- */

/* For data: NULL also while memory is short, since the reserve is not for these. */
void *mem_large(size_t size);

/* For libraries that can be given functions like those of <stdlib.h>; NULL: no reserve is left. */
void *mem_lib_malloc(size_t size);
void *mem_lib_calloc(size_t count, size_t size);
void *mem_lib_realloc(void *ptr, size_t size);
char *mem_lib_strdup(const char *s);

#endif
