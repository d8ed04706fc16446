/* Percent coding of RFC 3986 in the forms that S3 uses. Any thread. */
#ifndef S3D_URI_H
#define S3D_URI_H

#include <stdbool.h>

#include "util/buf.h"
#include "util/bytes.h"

/*
 * Decodes `in` in place and returns what it has become; `+` becomes a space, as S3 takes it in
 * paths, queries and x-amz-copy-source. A `%` without two hex digits stays. Never longer than `in`.
 */
struct bytes uri_decode(char *in, size_t len);
/* Appends `s` with all but unreserved characters encoded (SigV4's UriEncode), also `/` unless kept.
 */
void uri_encode(struct buf *out, struct bytes s, bool keep_slash);
/* Appends `s` as ListObjects does with encoding-type=url: `/` and `*` bare, a space as `+`. */
void uri_encode_listing(struct buf *out, struct bytes s);

#endif
