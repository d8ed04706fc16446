/* Bounded byte buffer: see buf.h. */
#include "util/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/mem.h"

/* True when `extra` more bytes fit; grows the memory by doubling. */
static bool room(struct buf *b, size_t extra)
{
	size_t need, cap;

	if (b->failed || extra > b->max || b->len > b->max - extra) {
		b->failed = true;
		return false;
	}
	need = b->len + extra + 1;
	if (need <= b->cap)
		return true;
	cap = b->cap ? b->cap : 64;
	while (cap < need)
		cap *= 2;
	b->ptr = mem_resize(b->ptr, cap, 1);
	b->cap = cap;
	return true;
}

void buf_add(struct buf *b, const void *p, size_t len)
{
	if (!room(b, len))
		return;
	if (len)
		memcpy(b->ptr + b->len, p, len);
	b->len += len;
	b->ptr[b->len] = '\0';
}

void buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_addb(struct buf *b, struct bytes s)
{
	buf_add(b, s.ptr, s.len);
}

void buf_addc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap, ap2;
	int n;

	va_start(ap, fmt);
	va_copy(ap2, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		b->failed = true;
	else if (room(b, (size_t)n)) {
		vsnprintf(b->ptr + b->len, (size_t)n + 1, fmt, ap2);
		b->len += (size_t)n;
	}
	va_end(ap2);
}

void buf_cut(struct buf *b, size_t len)
{
	if (len < b->len)
		b->len = len;
	if (b->ptr)
		b->ptr[b->len] = '\0';
	b->failed = false;
}

void buf_free(struct buf *b)
{
	free(b->ptr);
	*b = BUF_INIT(b->max);
}

char *buf_take(struct buf *b)
{
	char *p = b->ptr ? b->ptr : mem_dup("", 0);

	*b = BUF_INIT(b->max);
	return p;
}
