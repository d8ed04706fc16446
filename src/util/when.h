/* A point in time as people write it. Reads the time zone; any thread that may call localtime_r. */
#ifndef UTIL_WHEN_H
#define UTIL_WHEN_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Milliseconds since 1970 of YYYY-MM-DD (the day's beginning), "YYYY-MM-DD HH:MM:SS" or the same
 * with a T, perhaps with a fraction, perhaps with Z or an offset (RFC 3339, 5.6), without one in
 * the local time zone; or @SECONDS. False when it is none, or not after 1970 began.
 */
bool when_parse(const char *text, int64_t *ms);

#endif
