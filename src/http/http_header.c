/*
 * Headers: the ones of the answer are kept as "name\0value\0" pairs in one buffer, names in lower
 * case; the ones of a request are lines ended by NUL. Runs on the I/O thread that has the request,
 * and on the core thread once the request is done.
 */
#include "http/http_int.h"

#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct bytes trim(struct bytes s)
{
	while (s.len && is_blank(s.ptr[0])) {
		s.ptr++;
		s.len--;
	}
	while (s.len && is_blank(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

static void add_lower(struct buf *b, struct bytes s)
{
	size_t start = b->len, i;

	buf_addb(b, s);
	for (i = start; i < b->len; i++)
		if (b->ptr[i] >= 'A' && b->ptr[i] <= 'Z')
			b->ptr[i] += 'a' - 'A';
}

void http_header_take(struct http_result *result, struct bytes line)
{
	const char *colon = memchr(line.ptr, ':', line.len);
	struct bytes name, value;

	if (!colon)
		return;
	name = trim(BYTES(line.ptr, (size_t)(colon - line.ptr)));
	value = trim(BYTES(colon + 1, line.len - (size_t)(colon + 1 - line.ptr)));
	/* A NUL inside would shift all pairs behind it; RFC 9110, 5.5 forbids it anyway. */
	if (memchr(name.ptr, '\0', name.len) || memchr(value.ptr, '\0', value.len))
		return;
	add_lower(&result->headers, name);
	buf_addc(&result->headers, '\0');
	buf_addb(&result->headers, value);
	buf_addc(&result->headers, '\0');
}

void http_header_each(const struct http_result *result,
	void (*each)(void *ctx, const char *name, const char *value), void *ctx)
{
	const char *p = buf_str(&result->headers), *end = p + result->headers.len;

	while (p < end) {
		const char *name = p, *value = name + strlen(name) + 1;

		if (value >= end)
			return;
		p = value + strlen(value) + 1;
		each(ctx, name, value);
	}
}

struct search {
	const char *name, *value;
};

static void compare(void *ctx, const char *name, const char *value)
{
	struct search *s = ctx;

	if (!s->value && !strcmp(name, s->name))
		s->value = value;
}

const char *http_header(const struct http_result *result, const char *name)
{
	struct search s = {.name = name};

	http_header_each(result, compare, &s);
	return s.value;
}

void http_draft_header(struct http_draft *draft, const char *name, struct bytes value)
{
	size_t i;

	for (i = 0; i < value.len; i++)
		if (value.ptr[i] == '\r' || value.ptr[i] == '\n' || value.ptr[i] == '\0')
			draft->headers.failed = true;
	buf_adds(&draft->headers, name);
	/* "Name;" is how libcurl is told to send a header that is empty (CURLOPT_HTTPHEADER). */
	buf_adds(&draft->headers, value.len ? ": " : ";");
	buf_addb(&draft->headers, value);
	buf_addc(&draft->headers, '\0');
}

int64_t http_date_ms(const char *text)
{
	time_t t = text ? curl_getdate(text, NULL) : -1;

	return t < 0 ? -1 : (int64_t)t * 1000;
}
