/* A borrowed run of bytes. Object keys are bytes, not strings: they may hold any byte, even NUL. */
#ifndef UTIL_BYTES_H
#define UTIL_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct bytes {
	const char *ptr;
	size_t len;
};

#define BYTES(p, n) ((struct bytes){.ptr = (p), .len = (n)})
#define BYTES_STR(s) BYTES((s), strlen(s))
#define BYTES_LIT(s) BYTES((s), sizeof(s) - 1)
#define BYTES_NONE ((struct bytes){.ptr = NULL, .len = 0})

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (!a.len || !memcmp(a.ptr, b.ptr, a.len));
}

static inline bool bytes_starts(struct bytes a, struct bytes prefix)
{
	return a.len >= prefix.len && (!prefix.len || !memcmp(a.ptr, prefix.ptr, prefix.len));
}

/* Order of S3 listings: by unsigned byte, a prefix before what it is a prefix of. */
static inline int bytes_cmp(struct bytes a, struct bytes b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.ptr, b.ptr, n) : 0;

	return c ? c : (a.len > b.len) - (a.len < b.len);
}

#endif
