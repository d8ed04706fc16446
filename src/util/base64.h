/* Base64 (RFC 4648, section 4). Pure functions, any thread. */
#ifndef UTIL_BASE64_H
#define UTIL_BASE64_H

#include "util/buf.h"
#include "util/bytes.h"

/* Appends the text that stands for the bytes, with its padding. */
void base64_encode(struct bytes in, struct buf *out);
/* Appends the bytes that the text stands for; the padding may be missing. False: it is no base64,
 * and `out` is as it was. */
bool base64_decode(struct bytes in, struct buf *out);

#endif
