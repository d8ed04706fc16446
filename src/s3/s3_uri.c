/* Percent encoding: see s3_uri.h. Pure functions, any thread; nothing is owned. */
#include "s3/s3_uri.h"

#include <stdbool.h>

static bool is_unreserved(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

static void encode(struct buf *out, struct bytes in, bool keep_slash)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t i, run = 0;

	for (i = 0; i < in.len; i++) {
		unsigned char c = (unsigned char)in.ptr[i];
		char escape[3];

		if (is_unreserved(c) || (c == '/' && keep_slash))
			continue;
		buf_add(out, in.ptr + run, i - run);
		escape[0] = '%';
		escape[1] = digits[c >> 4];
		escape[2] = digits[c & 15];
		buf_add(out, escape, sizeof(escape));
		run = i + 1;
	}
	if (run < in.len)
		buf_add(out, in.ptr + run, in.len - run);
}

void s3_uri_path(struct buf *out, struct bytes in)
{
	encode(out, in, true);
}

void s3_uri_query(struct buf *out, struct bytes in)
{
	encode(out, in, false);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

void s3_uri_decode(struct buf *out, struct bytes in)
{
	size_t i, run = 0;

	for (i = 0; i < in.len; i++) {
		int high = -1, low = -1;

		if (in.ptr[i] != '%' && in.ptr[i] != '+')
			continue;
		if (in.ptr[i] == '%') {
			if (in.len - i > 2) {
				high = hex_value(in.ptr[i + 1]);
				low = hex_value(in.ptr[i + 2]);
			}
			if (high < 0 || low < 0)
				continue;
		}
		buf_add(out, in.ptr + run, i - run);
		if (in.ptr[i] == '+') {
			buf_addc(out, ' ');
		} else {
			buf_addc(out, (char)(high << 4 | low));
			i += 2;
		}
		run = i + 1;
	}
	if (run < in.len)
		buf_add(out, in.ptr + run, in.len - run);
}
