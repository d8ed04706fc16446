/* Names of access points: see s3_arn.h. */
#include "s3/s3_arn.h"

#include <stdio.h>
#include <string.h>

#define FIELDS 6 /* arn, partition, service, region, account, resource */

bool s3_is_arn(const char *text)
{
	return !strncmp(text, "arn:", 4);
}

/* Copies at most `size` - 1 bytes up to `end`; false when it is longer, empty, or has others. */
static bool take(char *to, size_t size, const char *from, const char *end, const char *letters)
{
	size_t n = (size_t)(end - from);

	if (!n || n >= size)
		return false;
	memcpy(to, from, n);
	to[n] = '\0';
	return strspn(to, letters) == n;
}

static const char lower[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

/* NULL, or why it cannot be mounted. */
static const char *parse(const char *const *field, const char *end, struct s3_arn *arn)
{
	static const char kind[] = "accesspoint";
	const char *resource = field[5], *name = resource + sizeof(kind);

	if (!strncmp(field[2], "s3-outposts:", 12) || !strncmp(field[2], "s3-object-lambda:", 17))
		return "is of S3 on Outposts or Object Lambda, which cannot be mounted";
	if (strncmp(field[2], "s3:", 3) != 0 || strncmp(resource, kind, sizeof(kind) - 1) != 0 ||
		(resource[sizeof(kind) - 1] != '/' && resource[sizeof(kind) - 1] != ':'))
		return "is not of an access point (a bucket is given by its name)";
	if (field[3] + 1 == field[4])
		return "is of a Multi-Region Access Point, which cannot be mounted: give one of "
		       "its buckets";
	if (!take(arn->region, sizeof(arn->region), field[3], field[4] - 1, lower) ||
		!take(arn->account, sizeof(arn->account), field[4], resource - 1, "0123456789") ||
		strlen(arn->account) != 12 ||
		!take(arn->name, sizeof(arn->name), name, end, lower) || strlen(arn->name) < 3 ||
		arn->name[0] == '-')
		return "is no ARN of an access point: "
		       "arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME";
	return NULL;
}

bool s3_arn_parse(const char *text, struct s3_arn *arn, char *why, size_t why_size)
{
	const char *field[FIELDS],
		*at = text, *wrong = "is no ARN: it has too few parts, or does not begin with arn:";
	size_t n = 0;

	*arn = (struct s3_arn){0};
	while (at && n < FIELDS) {
		field[n++] = at;
		at = strchr(at, ':');
		at = at ? at + 1 : NULL;
	}
	if (n == FIELDS && s3_is_arn(text))
		wrong = parse(field, text + strlen(text), arn);
	if (wrong)
		snprintf(why, why_size, "'%.150s' %s", text, wrong);
	return !wrong;
}
