/* Base64: see base64.h. Pure functions, any thread. */
#include "util/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct bytes in, struct buf *out)
{
	const unsigned char *p = (const unsigned char *)in.ptr;
	size_t i;

	for (i = 0; i < in.len; i += 3) {
		size_t n = in.len - i < 3 ? in.len - i : 3;
		uint32_t v = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
			     (n > 2 ? p[i + 2] : 0);

		buf_addc(out, alphabet[v >> 18]);
		buf_addc(out, alphabet[v >> 12 & 63]);
		buf_addc(out, n > 1 ? alphabet[v >> 6 & 63] : '=');
		buf_addc(out, n > 2 ? alphabet[v & 63] : '=');
	}
}

bool base64_decode(struct bytes in, struct buf *out)
{
	size_t start = out->len, i, digits = 0;
	uint32_t v = 0;

	while (in.len && in.ptr[in.len - 1] == '=')
		in.len--;
	for (i = 0; i < in.len; i++) {
		const char *at = in.ptr[i] ? strchr(alphabet, in.ptr[i]) : NULL;

		if (!at) {
			buf_cut(out, start);
			return false;
		}
		v = v << 6 | (uint32_t)(at - alphabet);
		if (++digits % 4 == 0) {
			buf_addc(out, (char)(v >> 16));
			buf_addc(out, (char)(v >> 8));
			buf_addc(out, (char)v);
			v = 0;
		}
	}
	if (digits % 4 == 1) {
		buf_cut(out, start);
		return false;
	}
	if (digits % 4 >= 2)
		buf_addc(out, (char)(v >> (digits % 4 == 2 ? 4 : 10)));
	if (digits % 4 == 3)
		buf_addc(out, (char)(v >> 2));
	return true;
}
