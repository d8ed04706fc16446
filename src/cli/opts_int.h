/* What the files that read options share. */
#ifndef CLI_OPTS_INT_H
#define CLI_OPTS_INT_H

#include "cli/opts.h"

struct option_rule {
	const char *name; /* with a final '=' when it has a value */
	bool (*set)(struct opts *o, const char *value);
	const char *help;
};

/* Replaces an owned string by a copy of `value`; false, and nothing is done, when that is empty. */
bool opts_keep(const char **field, const char *value);

/* opts_object.c: those about objects in S3; the last one has no name. */
extern const struct option_rule opts_object_rules[];
/* All of them are read: do their values make sense? False with one sentence in `why`. */
bool opts_object_check(struct opts *o, char *why, size_t why_size);

/* opts_version.c: -o version_at */
bool opts_version_set(struct opts *o, const char *value);
/* Reads it, when all options are known. False with one sentence in `why`. */
bool opts_version_check(struct opts *o, char *why, size_t why_size);

/* opts_mount.c: a word of an -o list that is not one of ours. */
enum opts_word { OPTS_UNKNOWN, OPTS_TAKEN, OPTS_BAD_VALUE };
enum opts_word opts_mount_word(struct opts *o, const char *word);

#endif
