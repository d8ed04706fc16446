/*
 * Keys are shown as paths. Ordinary components map to themselves. A component that no path can hold
 * is shown as "%:" and the component: the empty one ("a//b"), "." and "..", one that begins with
 * "%:" or "%=" itself, and one with a NUL byte; within an escaped name '%' is "%25" and NUL "%00".
 * An object beside a directory of the same name ("a" and "a/b") is shown as "%=" and its name.
 */
#include "ns/ns_int.h"

static bool needs_escape(struct bytes c)
{
	return !c.len || (c.len == 1 && c.ptr[0] == '.') ||
	       (c.len == 2 && c.ptr[0] == '.' && c.ptr[1] == '.') ||
	       bytes_starts(c, BYTES_LIT("%:")) || bytes_starts(c, BYTES_LIT("%=")) ||
	       memchr(c.ptr, '\0', c.len);
}

void name_encode(struct bytes c, bool beside_dir, struct buf *out)
{
	size_t i;

	if (beside_dir)
		buf_adds(out, "%=");
	if (!needs_escape(c)) {
		buf_addb(out, c);
		return;
	}
	buf_adds(out, "%:");
	for (i = 0; i < c.len; i++) {
		if (c.ptr[i] == '%')
			buf_adds(out, "%25");
		else if (c.ptr[i] == '\0')
			buf_adds(out, "%00");
		else
			buf_addc(out, c.ptr[i]);
	}
}

bool name_is_beside(struct bytes name)
{
	return bytes_starts(name, BYTES_LIT("%="));
}

bool name_decode(struct bytes name, struct buf *out)
{
	size_t start = out->len, i;

	if (name_is_beside(name))
		name = BYTES(name.ptr + 2, name.len - 2);
	if (!bytes_starts(name, BYTES_LIT("%:"))) {
		buf_addb(out, name);
		return !needs_escape(name);
	}
	for (i = 2; i < name.len; i++) {
		struct bytes rest = BYTES(name.ptr + i, name.len - i);

		if (name.ptr[i] != '%') {
			buf_addc(out, name.ptr[i]);
			continue;
		}
		if (bytes_starts(rest, BYTES_LIT("%25")))
			buf_addc(out, '%');
		else if (bytes_starts(rest, BYTES_LIT("%00")))
			buf_addc(out, '\0');
		else
			return false;
		i += 2;
	}
	/* What needs no escape has its own name: with a second one it could be moved onto itself.
	 */
	return !out->failed && needs_escape(BYTES(buf_str(out) + start, out->len - start));
}
