/* XML: see xml.h. */
#include "xml.h"

#include <libxml/parser.h>
#include <stdlib.h>
#include <time.h>

#include "util/mem.h"

void xml_text(struct buf *out, struct bytes text)
{
	size_t run = 0; /* start of what needs no escape */

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		bool plain = c >= 32 && c != '&' && c != '<' && c != '>' && c != '"' && c != '\'';

		if (plain)
			continue;
		buf_add(out, text.ptr + run, i - run);
		run = i + 1;
		if (c == '&')
			buf_adds(out, "&amp;");
		else if (c == '<')
			buf_adds(out, "&lt;");
		else if (c == '>')
			buf_adds(out, "&gt;");
		else if (c == '"')
			buf_adds(out, "&quot;");
		else if (c == '\'')
			buf_adds(out, "&apos;");
		else
			buf_addf(out, "&#x%x;", c);
	}
	buf_add(out, text.ptr + run, text.len - run);
}

void xml_element(struct buf *out, const char *name, struct bytes text)
{
	buf_addc(out, '<');
	buf_adds(out, name);
	buf_addc(out, '>');
	if (text.len)
		xml_text(out, text);
	buf_adds(out, "</");
	buf_adds(out, name);
	buf_addc(out, '>');
}

void xml_element_str(struct buf *out, const char *name, const char *text)
{
	xml_element(out, name, BYTES_STR(text));
}

void xml_element_time(struct buf *out, const char *name, int64_t wall_ms)
{
	static time_t cached = -1; /* listings repeat one time a thousandfold */
	static char text[40];
	time_t t = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (t != cached) {
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S.000Z", gmtime_r(&t, &tm));
		cached = t;
	}
	xml_element_str(out, name, text);
}

xmlDoc *xml_parse(const char *text, size_t len, const char *root)
{
	xmlDoc *doc;
	xmlNode *node;

	if (!len || len > 1u << 30)
		return NULL;
	doc = xmlReadMemory(text, (int)len, "body", NULL,
		XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_HUGE);
	if (!doc)
		return NULL;
	node = xmlDocGetRootElement(doc);
	if (doc->intSubset || !node || strcmp((const char *)node->name, root)) {
		xmlFreeDoc(doc);
		return NULL;
	}
	return doc;
}

char *xml_child(const xmlNode *node, const char *name)
{
	for (const xmlNode *c = node->children; c; c = c->next)
		if (c->type == XML_ELEMENT_NODE && !strcmp((const char *)c->name, name)) {
			xmlChar *text = xmlNodeGetContent(c);
			char *copy = mem_strdup(text ? (const char *)text : "");

			xmlFree(text);
			return copy;
		}
	return NULL;
}
