/* Words of others on a terminal: see ctl_text.h. */
#include "cli/ctl_text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

size_t text_utf8_length(struct bytes s)
{
	const unsigned char *p = (const unsigned char *)s.ptr;
	size_t i, n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	if (!n || !p[0] || p[0] > 0xf4 || n > s.len)
		return 0;
	for (i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
		(p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

/* Is the character, of `n` bytes, a control character? */
static bool is_control(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;

	return n == 1 ? p[0] < 0x20 || p[0] == 0x7f : n == 2 && p[0] == 0xc2 && p[1] < 0xa0;
}

void text_print(FILE *out, const char *fmt, ...)
{
	bool ends = *fmt && fmt[strlen(fmt) - 1] == '\n';
	const char *at, *end;
	char *line;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&line, fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	end = line + len;
	for (at = line; at < end;) {
		size_t i, n = text_utf8_length(BYTES(at, (size_t)(end - at))), whole = n ? n : 1;

		if ((n && !is_control(at, n)) || (ends && at + 1 == end))
			fwrite(at, 1, whole, out);
		else
			for (i = 0; i < whole; i++)
				fprintf(out, "\\x%02x", (unsigned char)at[i]);
		at += whole;
	}
	free(line);
}

void text_print_json(FILE *out, const char *json)
{
	for (; *json; json++) {
		unsigned char c = (unsigned char)*json;

		if (c == 0x7f) {
			fputs("\\u007f", out);
		} else if (c == 0xc2 && is_control(json, 2)) {
			fprintf(out, "\\u00%02x", (unsigned char)json[1]);
			json++;
		} else {
			fputc(c, out);
		}
	}
	fputc('\n', out);
}
