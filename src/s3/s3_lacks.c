/* What a server can and cannot do: see s3_lacks.h. Pure functions, any thread. */
#include "s3/s3_lacks.h"

void s3_abilities_has(struct s3_abilities *a, enum s3_ability ability)
{
	if (a->of[ability] == S3_ABILITY_UNKNOWN)
		a->of[ability] = S3_ABILITY_THERE;
}

bool s3_abilities_refused(struct s3_abilities *a, enum s3_ability ability)
{
	if (a->of[ability] != S3_ABILITY_UNKNOWN)
		return false;
	a->of[ability] = S3_ABILITY_MISSING;
	return true;
}

bool s3_abilities_may_lack(const struct s3_abilities *a, enum s3_ability ability)
{
	return a->of[ability] != S3_ABILITY_THERE;
}

bool s3_abilities_lack(const struct s3_abilities *a, enum s3_ability ability)
{
	return a->of[ability] == S3_ABILITY_MISSING;
}

const char *s3_ability_missing(enum s3_ability ability)
{
	static const char *const texts[S3_ABILITIES] = {
		[S3_ABLE_DELETE_MANY] =
			"no DeleteObjects, so that each object is deleted by a request of its own",
		[S3_ABLE_COPY] = "no CopyObject, so that copies pass through this machine",
		[S3_ABLE_PART_COPY] = "no UploadPartCopy, so that copies of large objects pass "
				      "through this machine",
		[S3_ABLE_COPY_CONDITION] = "no x-amz-copy-source-if-match, so that the source of "
					   "each copy is looked at "
					   "before it and after it",
		[S3_ABLE_TAGS] = "no GetObjectTagging, so that tags are lost where the server does "
				 "not copy them itself",
		[S3_ABLE_LIST_V2] = "no ListObjectsV2, so that ListObjects is used",
		[S3_ABLE_LIST_ENCODING] = "no encoding-type in listings, so that directories with "
					  "names that XML cannot "
					  "carry (control characters) cannot be listed",
	};

	return texts[ability];
}
