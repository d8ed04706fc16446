/*
 * Values of headers and of elements in answers. They come from anywhere: what makes no sense is
 * refused. Pure functions, any thread.
 */
#ifndef S3_S3_VALUE_H
#define S3_S3_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/bytes.h"

/* Decimal digits and nothing else, up to INT64_MAX: sizes must stay positive as off_t, too. False:
 * it is no such number, and *value is left alone. */
bool s3_value_size(struct bytes text, uint64_t *value);
/* Content-Range of a part, "bytes 0-9/443" (RFC 9110, 14.4). False: it is none, or one that ends
 * before it begins, or behind the end. */
bool s3_value_range(struct bytes text, uint64_t *first, uint64_t *size_bytes);
/* Retry-After in seconds, at most an hour; as a date it is rare, and the backoff serves it (RFC
 * 9110, 10.2.3). 0: it says nothing. */
int64_t s3_value_retry_ms(struct bytes text);
/* The first line of `text` when it is a word of at most `max` bytes that may stand in a header and
 * in a path as it is; owned. NULL: it is none. */
char *s3_value_word(struct bytes text, size_t max);

#endif
