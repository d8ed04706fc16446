/*
 * The options of -o about objects in S3: what those that are made have. Values are kept as they
 * come, and looked at when all are there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/opts_int.h"

static bool set_storage_class(struct opts *o, const char *v)
{
	return opts_keep(&o->s3.object.storage_class, v);
}

static bool set_sse(struct opts *o, const char *v)
{
	return opts_keep(&o->s3.object.encryption, v);
}

static bool set_kms_key_id(struct opts *o, const char *v)
{
	return opts_keep(&o->s3.object.kms_key_id, v);
}

static bool set_bucket_key(struct opts *o, const char *v)
{
	(void)v;
	o->s3.object.bucket_key = true;
	return true;
}

static bool set_customer_key_file(struct opts *o, const char *v)
{
	return opts_keep((const char **)&o->customer_key_file, v);
}

static bool set_acl(struct opts *o, const char *v)
{
	return opts_keep(&o->s3.object.acl, v);
}

static bool set_checksum(struct opts *o, const char *v)
{
	static const char *const words[] = {[S3_CHECKSUM_AUTO] = "auto",
		[S3_CHECKSUM_CRC32C] = "crc32c",
		[S3_CHECKSUM_MD5] = "md5",
		[S3_CHECKSUM_NONE] = "none"};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i], v) != 0)
			continue;
		o->s3.checksum = (enum s3_checksum)i;
		return true;
	}
	return false;
}

static bool set_requester_pays(struct opts *o, const char *v)
{
	(void)v;
	o->s3.requester_pays = true;
	return true;
}

static bool set_bucket_owner(struct opts *o, const char *v)
{
	return opts_keep(&o->s3.bucket_owner, v);
}

static bool set_copy_tags(struct opts *o, const char *v)
{
	o->s3.object.no_tags = !strcmp(v, "no");
	return o->s3.object.no_tags || !strcmp(v, "yes");
}

const struct option_rule opts_object_rules[] = {
	{"storage_class=", set_storage_class,
		"of what is written or copied, for example STANDARD_IA;\n"
		"                         else copies keep their source's"},
	{"sse=", set_sse,
		"encrypt what is written or copied: AES256, aws:kms or\n"
		"                         aws:kms:dsse; else as the bucket says"},
	{"sse_kms_key_id=", set_kms_key_id, "with the key of this id or ARN in AWS KMS"},
	{"sse_bucket_key", set_bucket_key, "with sse=aws:kms: fewer calls of KMS, by a bucket key"},
	{"sse_customer_key_file=", set_customer_key_file,
		"encrypt with a key that S3 does not keep (SSE-C), from a\n"
		"                         file with 32 bytes, or base64 of them"},
	{"acl=", set_acl,
		"a canned ACL of what is written or copied, for example\n"
		"                         bucket-owner-full-control"},
	{"copy_tags=", set_copy_tags,
		"no: copies leave tags behind, and need no right to read\n"
		"                         them (default: yes)"},
	{"checksum=", set_checksum,
		"crc32c, md5 or none: how S3 compares what is sent, and none\n"
		"                         compares nothing that is read (default: auto, as the\n"
		"                         server can)"},
	{"requester_pays", set_requester_pays, "you pay for requests to this bucket"},
	{"expected_bucket_owner=", set_bucket_owner,
		"account, 12 digits: requests fail if another one has\n"
		"                         the bucket"},
	{"version_at=", opts_version_set,
		"read-only, the bucket with its versions as it was then:\n"
		"                         2026-11-26T12:00:00Z, 2026-11-26, '2026-11-26 "
		"12:00:00',\n"
		"                         @1795694400"},
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

static bool check_sse(const struct opts *o, char *why, size_t why_size)
{
	static const char *const known[] = {"AES256", "aws:kms", "aws:kms:dsse"};
	const char *v = o->s3.object.encryption;
	size_t i;

	for (i = 0; v && i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(v, known[i]))
			return true;
	if (v)
		snprintf(why, why_size, "sse takes AES256, aws:kms or aws:kms:dsse, not '%.100s'",
			v);
	return !v;
}

/* It goes into a header as it is. */
static bool is_word(const char *v)
{
	size_t i;

	for (i = 0; v[i]; i++)
		if (v[i] <= ' ' || v[i] > '~')
			return false;
	return i > 0 && i <= 2048;
}

static bool check_kms(const struct opts *o, char *why, size_t why_size)
{
	const struct s3_object_settings *s = &o->s3.object;
	const char *sse = s->encryption ? s->encryption : "";
	const char *bad = NULL;

	if (s->kms_key_id && strncmp(sse, "aws:kms", 7) != 0)
		bad = "sse_kms_key_id needs sse=aws:kms or sse=aws:kms:dsse: add it to the options";
	else if (s->kms_key_id && !is_word(s->kms_key_id))
		bad = "sse_kms_key_id takes the id, the alias or the ARN of a key of AWS KMS";
	else if (s->bucket_key && strcmp(sse, "aws:kms") != 0)
		bad = "sse_bucket_key works with sse=aws:kms only: add that, or leave it out";
	if (bad)
		snprintf(why, why_size, "%s", bad);
	return !bad;
}

/* "Canned ACL", S3 User Guide; those of objects. */
static bool check_acl(const struct opts *o, char *why, size_t why_size)
{
	static const char *const known[] = {"private", "public-read", "public-read-write",
		"aws-exec-read", "authenticated-read", "bucket-owner-read",
		"bucket-owner-full-control"};
	const char *v = o->s3.object.acl;
	size_t i;

	for (i = 0; v && i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(v, known[i]))
			return true;
	if (v)
		snprintf(why, why_size,
			"acl takes private, public-read, public-read-write, aws-exec-read, "
			"authenticated-read, bucket-owner-read or bucket-owner-full-control, not "
			"'%.100s'",
			v);
	return !v;
}

static bool check_bucket_owner(const struct opts *o, char *why, size_t why_size)
{
	const char *v = o->s3.bucket_owner;

	if (!v || (strlen(v) == 12 && strspn(v, "0123456789") == 12))
		return true;
	snprintf(why, why_size,
		"expected_bucket_owner takes the 12 digits of an AWS account, not '%.100s'", v);
	return false;
}

/* The key itself goes on from here, the file is not looked at again. */
static bool take_customer_key(struct opts *o, char *why, size_t why_size)
{
	if (!o->customer_key_file)
		return true;
	if (o->s3.object.encryption) {
		snprintf(why, why_size,
			"sse and sse_customer_key_file exclude each other: leave one of them out");
		return false;
	}
	o->s3.object.customer_key = s3_customer_key_read(o->customer_key_file, why, why_size);
	free(o->customer_key_file);
	o->customer_key_file = NULL;
	return o->s3.object.customer_key != NULL;
}

bool opts_object_check(struct opts *o, char *why, size_t why_size)
{
	return check_storage_class(o, why, why_size) && check_sse(o, why, why_size) &&
	       check_kms(o, why, why_size) && check_acl(o, why, why_size) &&
	       check_bucket_owner(o, why, why_size) && opts_version_check(o, why, why_size) &&
	       take_customer_key(o, why, why_size);
}
