/*
 * Where to split a range of keys whose distribution is not known. A name is read as a number, each
 * byte a digit of the alphabet of its place: the bytes seen there, completed to digits or letters
 * (the first keys of a directory show only the beginning of what counts up). Pure.
 */
#include "ns/ns_ranges.h"

/* So many bytes behind what two names have in common say where they are. */
#define DIGITS 8

void alphabet_learn(struct alphabet *a, struct bytes name)
{
	size_t i;

	for (i = 0; i < name.len && i < SPLIT_POSITIONS; i++) {
		unsigned char c = (unsigned char)name.ptr[i];

		a->seen[i][c >> 3] |= (uint8_t)(1u << (c & 7));
	}
}

static bool seen(const struct alphabet *a, size_t i, unsigned c)
{
	return a->seen[i][c >> 3] >> (c & 7) & 1;
}

static bool seen_in(const struct alphabet *a, size_t i, unsigned first, unsigned last)
{
	for (; first <= last; first++)
		if (seen(a, i, first))
			return true;
	return false;
}

static void add(bool *in, unsigned first, unsigned last)
{
	for (; first <= last; first++)
		in[first] = true;
}

/*
 * The bytes that may be at place `i`, rising; returns how many. `open`: of the first byte of names
 * without an upper bound, where what is still to come may begin with anything usual.
 */
static unsigned digits_at(const struct alphabet *a, size_t i, bool open, unsigned char digits[256])
{
	bool in[256] = {false};
	unsigned c, n = 0;
	bool numbers;

	if (i >= SPLIT_POSITIONS)
		return 0;
	for (c = 0; c < 256; c++)
		in[c] = seen(a, i, c);
	numbers = seen_in(a, i, '0', '9');
	if (open || numbers)
		add(in, '0', '9');
	if (open || seen_in(a, i, 'a', 'z'))
		add(in, 'a', !open && numbers && !seen_in(a, i, 'g', 'z') ? 'f' : 'z');
	if (open || seen_in(a, i, 'A', 'Z'))
		add(in, 'A', !open && numbers && !seen_in(a, i, 'G', 'Z') ? 'F' : 'Z');
	in['/'] = false;
	for (c = 0; c < 256; c++)
		if (in[c])
			digits[n++] = (unsigned char)c;
	return n;
}

/* The place of a name among all that begin like it up to `skip`, from 0 to 1. */
static double place(const struct alphabet *a, struct bytes name, size_t skip, bool open)
{
	unsigned char digits[256];
	double at = 0, unit = 1;
	size_t i;

	if (!name.ptr)
		return 1;
	for (i = skip; i < name.len && i < skip + DIGITS; i++) {
		unsigned count = digits_at(a, i, open && !i, digits), below = 0;

		while (below < count && digits[below] < (unsigned char)name.ptr[i])
			below++;
		unit /= count + 1;
		at += unit * (below + 1);
	}
	return at;
}

static size_t common(struct bytes a, struct bytes b)
{
	size_t i = 0;

	if (!b.ptr)
		return 0;
	while (i < a.len && i < b.len && a.ptr[i] == b.ptr[i])
		i++;
	return i;
}

double split_rest(const struct alphabet *a, struct bytes from, struct bytes at, struct bytes to)
{
	size_t skip = common(from, to);
	bool open = !to.ptr;
	double begin = place(a, from, skip, open), here = place(a, at, skip, open);

	return here > begin ? (place(a, to, skip, open) - here) / (here - begin) : 0;
}

/* Completes a character of UTF-8 that was cut; false when that does not make one. */
static bool complete_utf8(char *s, size_t *len)
{
	size_t i = 0, need, j;

	while (i < *len) {
		unsigned char c = (unsigned char)s[i];

		need = c < 0x80                ? 0
		       : c >= 0xc2 && c < 0xe0 ? 1
		       : c >= 0xe0 && c < 0xf0 ? 2
		       : c >= 0xf0 && c < 0xf5 ? 3
					       : 4;
		if (need == 4 || i + need >= SPLIT_MAX)
			return false;
		for (j = 1; j <= need; j++) {
			if (i + j >= *len) {
				/* The least that may follow: not an overlong form. */
				s[i + j] = (char)(j > 1       ? 0x80
						  : c == 0xe0 ? 0xa0
						  : c == 0xf0 ? 0x90
							      : 0x80);
				(*len)++;
			}
			if (((unsigned char)s[i + j] & 0xc0) != 0x80)
				return false;
		}
		i += need + 1;
	}
	return true;
}

bool split_middle(
	const struct alphabet *a, struct bytes low, struct bytes high, char *out, size_t *len)
{
	size_t skip = common(low, high), i;
	bool open = !high.ptr;
	double x = (place(a, low, skip, open) + place(a, high, skip, open)) / 2;
	unsigned char digits[256];

	if (skip + DIGITS + 4 > SPLIT_MAX)
		return false;
	memcpy(out, low.ptr, skip);
	for (i = skip; i < skip + DIGITS; i++) {
		unsigned count = digits_at(a, i, open && !i, digits);
		unsigned d = (unsigned)(x * (count + 1));
		struct bytes mid;

		if (!d || !count)
			return false;
		if (d > count)
			d = count;
		x = x * (count + 1) - d;
		out[i] = (char)digits[d - 1];
		*len = i + 1;
		if (!complete_utf8(out, len))
			return false;
		mid = BYTES(out, *len);
		if (bytes_cmp(mid, low) > 0 && (!high.ptr || bytes_cmp(mid, high) < 0) &&
			!memchr(out, '/', *len))
			return true;
	}
	return false;
}
