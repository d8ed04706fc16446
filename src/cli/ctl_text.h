/*
 * Words of others on a terminal: names, keys and what a daemon answers, which may be another user's
 * program that only looks like one. Any thread.
 */
#ifndef CLI_CTL_TEXT_H
#define CLI_CTL_TEXT_H

#include <stddef.h>
#include <stdio.h>

#include "util/bytes.h"

/* Bytes of the UTF-8 character that `text` begins with (RFC 3629), 0 when it is none, or a NUL. */
size_t text_utf8_length(struct bytes text);
/*
 * Prints one line as fprintf(3). Control characters (ECMA-48: C0, DEL and C1) other than the
 * newline at its end, and bytes that are no UTF-8, become "\xNN": they would command the terminal.
 */
void text_print(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints a JSON text and a newline; control characters that JSON allows (DEL, C1) become "\u00NN".
 */
void text_print_json(FILE *out, const char *json);

#endif
