/*
 * Extended attributes as s3fs keeps them: x-amz-meta-xattr is the URL-encoded text of a JSON object
 * that has a member for each, its value in base64. Pure functions.
 */
#include <stdlib.h>

#include "ns/ns_meta.h"
#include "s3/s3_uri.h"
#include "util/base64.h"
#include "util/mem.h"

#define TEXT_MAX ((size_t)256 << 10)

/* ---- the list ---- */

const struct xattr *xattrs_find(const struct xattrs *x, const char *name)
{
	size_t i;

	for (i = 0; i < x->count; i++)
		if (!strcmp(x->items[i].name, name))
			return &x->items[i];
	return NULL;
}

void xattrs_set(struct xattrs *x, const char *name, const char *value, size_t len)
{
	struct xattr *a = (struct xattr *)xattrs_find(x, name);

	if (!a) {
		x->items = mem_resize(x->items, x->count + 1, sizeof(*x->items));
		a = &x->items[x->count++];
		a->name = mem_strdup(name);
	} else {
		free(a->value);
	}
	a->value = mem_dup(value, len);
	a->len = len;
}

bool xattrs_remove(struct xattrs *x, const char *name)
{
	struct xattr *a = (struct xattr *)xattrs_find(x, name);

	if (!a)
		return false;
	free(a->name);
	free(a->value);
	x->count--;
	memmove(a, a + 1, (size_t)(x->items + x->count - a) * sizeof(*a));
	return true;
}

void xattrs_copy(struct xattrs *to, const struct xattrs *from)
{
	size_t i;

	xattrs_free(to);
	for (i = 0; i < from->count; i++)
		xattrs_set(to, from->items[i].name, from->items[i].value, from->items[i].len);
}

bool xattrs_equal(const struct xattrs *a, const struct xattrs *b)
{
	size_t i;

	for (i = 0; i < a->count; i++) {
		const struct xattr *x = &a->items[i], *y = xattrs_find(b, x->name);

		if (!y || !bytes_equal(BYTES(x->value, x->len), BYTES(y->value, y->len)))
			return false;
	}
	return a->count == b->count;
}

void xattrs_free(struct xattrs *x)
{
	size_t i;

	for (i = 0; i < x->count; i++) {
		free(x->items[i].name);
		free(x->items[i].value);
	}
	free(x->items);
	*x = (struct xattrs){0};
}

/* ---- writing ---- */

static void add_string(struct buf *json, const char *s)
{
	buf_addc(json, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_addc(json, '\\');
		if ((unsigned char)*s < 0x20)
			buf_addf(json, "\\u%04x", (unsigned)*s);
		else
			buf_addc(json, *s);
	}
	buf_addc(json, '"');
}

void xattrs_format(const struct xattrs *x, struct buf *out)
{
	struct buf json = BUF_INIT(TEXT_MAX);
	size_t i;

	buf_addc(&json, '{');
	for (i = 0; i < x->count; i++) {
		if (i)
			buf_addc(&json, ',');
		add_string(&json, x->items[i].name);
		buf_adds(&json, ":\"");
		base64_encode(BYTES(x->items[i].value, x->items[i].len), &json);
		buf_addc(&json, '"');
	}
	buf_addc(&json, '}');
	s3_uri_query(out, buf_bytes(&json));
	out->failed |= json.failed;
	buf_free(&json);
}

/* ---- reading ---- */

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* %XX only: a plus is base64's. */
static void url_decode(const char *text, struct buf *out)
{
	for (; *text; text++) {
		if (*text == '%' && hex(text[1]) >= 0 && hex(text[2]) >= 0) {
			buf_addc(out, (char)(hex(text[1]) * 16 + hex(text[2])));
			text += 2;
		} else {
			buf_addc(out, *text);
		}
	}
}

static const char *skip_blank(const char *p)
{
	while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
		p++;
	return p;
}

static void add_utf8(struct buf *out, unsigned c)
{
	if (c < 0x80) {
		buf_addc(out, (char)c);
	} else if (c < 0x800) {
		buf_addc(out, (char)(0xc0 | c >> 6));
		buf_addc(out, (char)(0x80 | (c & 63)));
	} else {
		buf_addc(out, (char)(0xe0 | c >> 12));
		buf_addc(out, (char)(0x80 | (c >> 6 & 63)));
		buf_addc(out, (char)(0x80 | (c & 63)));
	}
}

/* Behind the backslash; NULL: it is no escape, or one that no name has. */
static const char *take_escape(const char *p, struct buf *out)
{
	static const char plain[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	const char *at = *p ? strchr(plain, *p) : NULL;
	unsigned c = 0, i;

	if (at) {
		buf_addc(out, meant[at - plain]);
		return p + 1;
	}
	if (*p != 'u')
		return NULL;
	for (i = 1; i <= 4; i++) {
		if (hex(p[i]) < 0)
			return NULL;
		c = c * 16 + (unsigned)hex(p[i]);
	}
	if (!c)
		return NULL;
	add_utf8(out, c);
	return p + 5;
}

/* A JSON string at `p`, into `out`; what is behind it, or NULL. */
static const char *take_string(const char *p, struct buf *out)
{
	buf_cut(out, 0);
	if (*p++ != '"')
		return NULL;
	while (*p != '"') {
		if (!*p)
			return NULL;
		if (*p != '\\')
			buf_addc(out, *p++);
		else if (!(p = take_escape(p + 1, out)))
			return NULL;
	}
	return p + 1;
}

/* "name":"base64" */
static const char *take_member(const char *p, struct xattrs *x, struct buf *name, struct buf *text)
{
	struct buf value = BUF_INIT(TEXT_MAX);

	p = take_string(p, name);
	p = p ? skip_blank(p) : NULL;
	if (!p || *p != ':')
		return NULL;
	p = take_string(skip_blank(p + 1), text);
	if (p && name->len && base64_decode(buf_bytes(text), &value))
		xattrs_set(x, buf_str(name), value.ptr ? value.ptr : "", value.len);
	else
		p = NULL;
	buf_free(&value);
	return p;
}

static bool parse_object(const char *p, struct xattrs *x)
{
	struct buf name = BUF_INIT(TEXT_MAX), text = BUF_INIT(TEXT_MAX);

	p = skip_blank(p);
	if (*p != '{')
		return false;
	p = skip_blank(p + 1);
	while (p && *p != '}') {
		p = take_member(p, x, &name, &text);
		p = p ? skip_blank(p) : NULL;
		if (p && *p == ',')
			p = skip_blank(p + 1);
		else if (p && *p != '}')
			p = NULL;
	}
	buf_free(&name);
	buf_free(&text);
	return p && !*skip_blank(p + 1);
}

bool xattrs_parse(const char *text, struct xattrs *x)
{
	struct buf json = BUF_INIT(TEXT_MAX);
	bool good;

	*x = (struct xattrs){0};
	url_decode(text, &json);
	good = !json.failed && !(json.len && memchr(json.ptr, '\0', json.len)) &&
	       parse_object(buf_str(&json), x);
	buf_free(&json);
	if (!good)
		xattrs_free(x);
	return good;
}
