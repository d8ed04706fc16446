/*
 * The options of -o about objects in S3: what those that are made have. Values are kept as they
 * come, and looked at when all are there.
 */
#include <stdio.h>
#include <string.h>

#include "cli/opts_int.h"

static bool set_storage_class(struct opts *o, const char *v)
{
	return opts_keep(&o->s3.object.storage_class, v);
}

const struct option_rule opts_object_rules[] = {
	{"storage_class=", set_storage_class,
		"of what is written or copied, for example STANDARD_IA;\n"
		"                         else copies keep their source's"},
	{NULL, NULL, NULL},
};

/* Amazon's classes are known, those of other servers have names of their administrator's. */
static bool check_storage_class(const struct opts *o, char *why, size_t why_size)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	const char *v = o->s3.object.storage_class;

	if (!v || (strspn(v, letters) == strlen(v) && strlen(v) <= 64))
		return true;
	snprintf(why, why_size,
		"'%.100s' cannot be a storage class: storage_class takes a name such as "
		"STANDARD_IA, in "
		"capital letters",
		v);
	return false;
}

bool opts_object_check(struct opts *o, char *why, size_t why_size)
{
	return check_storage_class(o, why, why_size);
}
