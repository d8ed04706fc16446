/* XML bodies of requests: see s3_xml.h. Pure functions, any thread; nothing is owned. */
#include "s3/s3.h"
#include "s3/s3_xml.h"

#define DELETE_HEAD                                    \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" \
	"<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>"
#define DELETE_TAIL "</Delete>"
#define KEY_HEAD "<Object><Key>"
#define KEY_TAIL "</Key></Object>"

/*
 * What stands for a byte, or NULL for the byte itself. \t, \n and \r as references: a parser turns
 * a bare \r\n into \n (XML 1.0, section 2.11), and some servers trim white space.
 */
static const char *escape(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\t':
		return "&#9;";
	case '\n':
		return "&#10;";
	case '\r':
		return "&#13;";
	default:
		return NULL;
	}
}

static void add_escaped(struct buf *out, struct bytes text)
{
	size_t i, run = 0;

	for (i = 0; i < text.len; i++) {
		const char *reference = escape(text.ptr[i]);

		if (!reference)
			continue;
		buf_add(out, text.ptr + run, i - run);
		buf_adds(out, reference);
		run = i + 1;
	}
	if (run < text.len)
		buf_add(out, text.ptr + run, text.len - run);
}

/* Bytes of the UTF-8 character at `p`, 0 when it is none or one that XML has not: RFC 3629, section
 * 4, and production [2]. */
static size_t char_len(const unsigned char *p, size_t len)
{
	unsigned long c;
	size_t n, i;

	if (p[0] < 0x80)
		return p[0] >= 0x20 || p[0] == '\t' || p[0] == '\n' || p[0] == '\r';
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : (p[0] < 0xf0 ? 3 : 4);
	if (n > len)
		return 0;
	c = p[0] & (0xffu >> (n + 1));
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if ((n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10ffff)))
		return 0;
	if ((c >= 0xd800 && c <= 0xdfff) || c == 0xfffe || c == 0xffff)
		return 0;
	return n;
}

bool s3_xml_key_ok(struct bytes key)
{
	size_t i = 0;

	while (i < key.len) {
		size_t n = char_len((const unsigned char *)key.ptr + i, key.len - i);

		if (!n)
			return false;
		i += n;
	}
	return true;
}

size_t s3_delete_weight(struct bytes key)
{
	size_t weight = sizeof(KEY_HEAD) - 1 + sizeof(KEY_TAIL) - 1 + key.len;
	size_t i;

	for (i = 0; i < key.len; i++) {
		const char *reference = escape(key.ptr[i]);

		if (reference)
			weight += strlen(reference) - 1;
	}
	return weight;
}

void s3_xml_build_delete(struct buf *out, const struct bytes *keys, size_t count)
{
	size_t i;

	buf_adds(out, DELETE_HEAD);
	for (i = 0; i < count; i++) {
		if (!s3_xml_key_ok(keys[i]))
			out->failed = true;
		buf_adds(out, KEY_HEAD);
		add_escaped(out, keys[i]);
		buf_adds(out, KEY_TAIL);
	}
	buf_adds(out, DELETE_TAIL);
}

void s3_xml_build_complete(struct buf *out, const struct s3_part *parts, size_t count)
{
	size_t i;

	buf_adds(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		      "<CompleteMultipartUpload "
		      "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	for (i = 0; i < count; i++) {
		buf_addf(out, "<Part><PartNumber>%u</PartNumber><ETag>&quot;", parts[i].number);
		add_escaped(out, parts[i].etag);
		buf_adds(out, "&quot;</ETag></Part>");
	}
	buf_adds(out, "</CompleteMultipartUpload>");
}

void s3_xml_build_tagging(struct buf *out, const struct s3_object_tag *tags, size_t count)
{
	size_t i;

	buf_adds(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		      "<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>");
	for (i = 0; i < count; i++) {
		if (!s3_xml_key_ok(tags[i].key) || !s3_xml_key_ok(tags[i].value))
			out->failed = true;
		buf_adds(out, "<Tag><Key>");
		add_escaped(out, tags[i].key);
		buf_adds(out, "</Key><Value>");
		add_escaped(out, tags[i].value);
		buf_adds(out, "</Value></Tag>");
	}
	buf_adds(out, "</TagSet></Tagging>");
}
