/* XML out (escaped text) and in (libxml2 trees without DTDs). One thread. */
#ifndef S3D_XML_H
#define S3D_XML_H

#include <libxml/tree.h>

#include "util/buf.h"
#include "util/bytes.h"

/* Appends text, escaped as S3 does: quotes too, control characters as &#xN;. */
void xml_text(struct buf *out, struct bytes text);
/* Appends <name>text</name>. */
void xml_element(struct buf *out, const char *name, struct bytes text);
void xml_element_str(struct buf *out, const char *name, const char *text);
/* Milliseconds since 1970 as 2006-02-03T16:45:09.000Z: S3 keeps whole seconds. */
void xml_element_time(struct buf *out, const char *name, int64_t wall_ms);

/* A document whose root is `root`, or NULL. The caller frees it with xmlFreeDoc. */
xmlDoc *xml_parse(const char *text, size_t len, const char *root);
/* The text of a child element, owned by the caller (free); NULL when it is not there. */
char *xml_child(const xmlNode *node, const char *name);

#endif
