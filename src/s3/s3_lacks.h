/*
 * What a server has shown to be able to do, and what it has refused because it cannot. Pure: the
 * rules of s3_client_heard.
 */
#ifndef S3_S3_LACKS_H
#define S3_S3_LACKS_H

#include <stdbool.h>

#include "s3/s3.h"

/* All zero: nothing is known. */
struct s3_abilities {
	enum { S3_ABILITY_UNKNOWN, S3_ABILITY_THERE, S3_ABILITY_MISSING } of[S3_ABILITIES];
};

/* It was served. */
void s3_abilities_has(struct s3_abilities *a, enum s3_ability ability);
/* It was refused, as what the server does not have. True: that is new, and believed. */
bool s3_abilities_refused(struct s3_abilities *a, enum s3_ability ability);
/* Has it never been served? */
bool s3_abilities_may_lack(const struct s3_abilities *a, enum s3_ability ability);
bool s3_abilities_lack(const struct s3_abilities *a, enum s3_ability ability);
/* What a person should know of it: what is missing, and what is done. Static. */
const char *s3_ability_missing(enum s3_ability ability);

#endif
