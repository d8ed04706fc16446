/*
 * Lines of /proc/PID/mountinfo (proc(5)). Fields are separated by single blanks; a blank, a tab, a
 * line's end or a backslash within one is written as a backslash and three octal digits. Pure.
 */
#ifndef UTIL_MOUNTINFO_H
#define UTIL_MOUNTINFO_H

#include <stdbool.h>
#include <sys/types.h>

#include "util/bytes.h"

/* One mount; the texts are borrowed from the line, and still escaped. */
struct mountinfo {
	unsigned id;
	dev_t device;
	struct bytes root, point, type, source, options; /* options: of the superblock */
};

/*
 * Takes the first line off `text`; false at its end. `*good`: it is a line of that form, and `m` is
 * filled; others are to be passed over.
 */
bool mountinfo_next(struct bytes *text, struct mountinfo *m, bool *good);
/* What a field stands for; owned by the caller. A NUL ends it: no path has one. */
char *mountinfo_text(struct bytes field);

#endif
