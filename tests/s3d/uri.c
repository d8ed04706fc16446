/* Percent coding: see uri.h. */
#include "uri.h"

#include <ctype.h>

#include "hash.h"

struct bytes uri_decode(char *in, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char hex[3] = {0};
		uint8_t byte;

		if (in[i] == '%' && i + 2 < len) {
			hex[0] = in[i + 1];
			hex[1] = in[i + 2];
		}
		if (hex[0] && !hash_unhex(hex, &byte, 1)) {
			in[n++] = (char)byte;
			i += 2;
		} else {
			in[n++] = in[i] == '+' ? ' ' : in[i];
		}
	}
	return BYTES(in, n);
}

static void encode(struct buf *out, struct bytes s, const char *bare, bool plus)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c < 128 && (isalnum(c) || (c && strchr(bare, c))))
			buf_addc(out, (char)c);
		else if (plus && c == ' ')
			buf_addc(out, '+');
		else
			buf_addf(out, "%%%02X", c);
	}
}

void uri_encode(struct buf *out, struct bytes s, bool keep_slash)
{
	encode(out, s, keep_slash ? "-._~/" : "-._~", false);
}

void uri_encode_listing(struct buf *out, struct bytes s)
{
	encode(out, s, "-._*/", true);
}
