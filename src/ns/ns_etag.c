/* ETags in 16 bytes where they have the usual form: 32 hex digits, with "-parts" after multipart.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "ns/ns_int.h"
#include "util/mem.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static bool set_md5(struct etag *e, struct bytes t)
{
	unsigned long parts = 0;
	size_t i;

	if (t.len < 32)
		return false;
	for (i = 0; i < 16; i++) {
		int hi = hex(t.ptr[2 * i]), lo = hex(t.ptr[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		e->u.md5[i] = (uint8_t)(hi * 16 + lo);
	}
	if (t.len > 32) {
		if (t.ptr[32] != '-' || t.len < 34 || t.len > 38 || t.ptr[33] == '0')
			return false;
		for (i = 33; i < t.len; i++) {
			if (!isdigit((unsigned char)t.ptr[i]))
				return false;
			parts = parts * 10 + (unsigned long)(t.ptr[i] - '0');
		}
		if (parts > UINT16_MAX)
			return false;
	}
	e->parts = (uint16_t)parts;
	e->form = 1;
	return true;
}

void etag_set(struct etag *e, struct bytes t)
{
	etag_free(e);
	if (!t.len || t.len > ETAG_TEXT_MAX || set_md5(e, t))
		return;
	e->form = 2;
	e->parts = 0;
	e->u.text = mem_dup(t.ptr, t.len);
}

void etag_copy(struct etag *to, const struct etag *from)
{
	etag_free(to);
	*to = *from;
	if (from->form == 2)
		to->u.text = mem_strdup(from->u.text);
}

void etag_free(struct etag *e)
{
	if (e->form == 2)
		free(e->u.text);
	*e = (struct etag){0};
}

struct bytes etag_text(const struct etag *e, char out[64])
{
	int i, n = 0;

	if (e->form == 2)
		return BYTES_STR(e->u.text);
	if (e->form == 0)
		return BYTES_NONE;
	for (i = 0; i < 16; i++)
		n += snprintf(out + n, 64 - (size_t)n, "%02x", e->u.md5[i]);
	if (e->parts)
		n += snprintf(out + n, 64 - (size_t)n, "-%u", e->parts);
	return BYTES(out, (size_t)n);
}

bool etag_equal(const struct etag *a, const struct etag *b)
{
	if (a->form != b->form || a->parts != b->parts)
		return false;
	if (a->form == 2)
		return !strcmp(a->u.text, b->u.text);
	return a->form == 0 || !memcmp(a->u.md5, b->u.md5, 16);
}
