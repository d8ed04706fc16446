/*
 * Percent encoding as S3 signs and answers it. Pure functions, any thread. The results are appended
 * to `out`, whose sticky `failed` tells when its bound was passed.
 * Rules: S3 API reference, "Authenticating Requests: Using the Authorization Header", UriEncode():
 * A-Z a-z 0-9 - . _ ~ stay, every other byte becomes %XX with upper-case digits, and exactly once.
 */
#ifndef S3_S3_URI_H
#define S3_S3_URI_H

#include "util/buf.h"
#include "util/bytes.h"

/* Encodes a key, or "bucket/key", as a path or as an x-amz-copy-source: '/' stays as it is. */
void s3_uri_path(struct buf *out, struct bytes in);

/* Encodes the name or the value of a query parameter: '/' becomes %2F. */
void s3_uri_query(struct buf *out, struct bytes in);

/*
 * Decodes a value of a reply with EncodingType=url (ListObjectsV2, request parameter
 * encoding-type). %XX in either case is a byte, NUL too. '+' is a space: AWS encodes a space as '+'
 * and a plus as %2B, others encode a space as %20 and a plus as %2B, so both read right. A '%' that
 * two hex digits do not follow stays as it is.
 */
void s3_uri_decode(struct buf *out, struct bytes in);

#endif
