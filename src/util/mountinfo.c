/* The mount table's lines: see mountinfo.h. */
#include "util/mountinfo.h"

#include <stdint.h>
#include <sys/sysmacros.h>

#include "util/mem.h"

/* Takes the text before the next `end` off `rest`, and that; false: there is none left. */
static bool take(struct bytes *rest, char end, struct bytes *ret)
{
	const char *at = rest->len ? memchr(rest->ptr, end, rest->len) : NULL;
	size_t n = at ? (size_t)(at - rest->ptr) : rest->len;

	if (!rest->len)
		return false;
	*ret = BYTES(rest->ptr, n);
	n += at != NULL;
	*rest = BYTES(rest->ptr + n, rest->len - n);
	return true;
}

static bool number(struct bytes text, unsigned *ret)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < text.len; i++) {
		unsigned digit = (unsigned char)text.ptr[i] - '0';

		if (digit > 9 || (v = v * 10 + digit) > UINT32_MAX)
			return false;
	}
	*ret = (unsigned)v;
	return text.len > 0;
}

static bool device(struct bytes text, dev_t *ret)
{
	unsigned major, minor;
	struct bytes first;

	if (!take(&text, ':', &first) || !number(first, &major) || !number(text, &minor))
		return false;
	*ret = makedev(major, minor);
	return true;
}

/* ID PARENT MAJOR:MINOR ROOT POINT OPTIONS TAG... - TYPE SOURCE SUPER-OPTIONS */
static bool parse(struct bytes line, struct mountinfo *m)
{
	struct bytes skipped, id, numbers;

	*m = (struct mountinfo){.options = BYTES_LIT("")};
	if (!take(&line, ' ', &id) || !number(id, &m->id) || !take(&line, ' ', &skipped) ||
		!take(&line, ' ', &numbers) || !device(numbers, &m->device) ||
		!take(&line, ' ', &m->root) || !take(&line, ' ', &m->point) ||
		!take(&line, ' ', &skipped))
		return false;
	do {
		if (!take(&line, ' ', &skipped))
			return false;
	} while (!bytes_equal(skipped, BYTES_LIT("-")));
	if (!take(&line, ' ', &m->type) || !take(&line, ' ', &m->source))
		return false;
	take(&line, ' ', &m->options);
	return true;
}

bool mountinfo_next(struct bytes *text, struct mountinfo *m, bool *good)
{
	struct bytes line;

	if (!take(text, '\n', &line))
		return false;
	*good = parse(line, m);
	return true;
}

static bool is_octal(const char *p)
{
	return p[0] >= '0' && p[0] <= '3' && p[1] >= '0' && p[1] <= '7' && p[2] >= '0' &&
	       p[2] <= '7';
}

char *mountinfo_text(struct bytes field)
{
	char *text = mem_dup(field.ptr, field.len), *to = text;
	const char *p;

	for (p = text; *p; p++) {
		if (*p == '\\' && is_octal(p + 1)) {
			*to++ = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			p += 3;
		} else {
			*to++ = *p;
		}
	}
	*to = '\0';
	return text;
}
