/*
 * Names of access points. Pure functions, any thread. Source: S3 user guide, "Referencing access
 * points with ARNs"; AWS SDKs, endpoint rules of S3.
 */
#ifndef S3_S3_ARN_H
#define S3_S3_ARN_H

#include <stdbool.h>
#include <stddef.h>

/* arn:PARTITION:s3:REGION:ACCOUNT:accesspoint/NAME, or with ':' for '/'. */
struct s3_arn {
	char region[64];
	char account[13]; /* 12 digits */
	char name[51];    /* of the access point: 3 to 50 of a-z 0-9 - */
};

/* Does it begin as an ARN does? No name of a bucket does. */
bool s3_is_arn(const char *text);
/* False with one sentence in `why`: it is none, or of something that cannot be mounted. */
bool s3_arn_parse(const char *text, struct s3_arn *arn, char *why, size_t why_size);

#endif
