/* Settings of a client about the objects that it makes. Pure functions, any thread. */
#ifndef S3_S3_MADE_H
#define S3_S3_MADE_H

#include "s3/s3.h"

/* A copy that owns its strings: s3_object_settings_clear. */
struct s3_object_settings s3_object_settings_dup(const struct s3_object_settings *from);
/* Frees the strings, which must be owned; all is as if not given. */
void s3_object_settings_clear(struct s3_object_settings *settings);
/* Puts what is given over `made`, which then borrows from `settings`. */
void s3_object_settings_apply(const struct s3_object_settings *settings, struct s3_meta *made);

#endif
