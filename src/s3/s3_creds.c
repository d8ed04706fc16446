/*
 * Credentials: see s3_creds.h. Core thread. A struct s3_creds owns its strings; every copy of a
 * secret is wiped before it is freed.
 */
#include "s3/s3_creds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3/s3_conf.h"
#include "util/mem.h"

void s3_creds_set(struct s3_creds *creds, const char *access_key_id, const char *secret_access_key,
	const char *session_token)
{
	creds->access_key_id = mem_strdup(access_key_id);
	creds->secret_access_key = mem_strdup(secret_access_key);
	creds->session_token = mem_strdup(session_token);
}

void s3_secret_free(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void s3_creds_free(struct s3_creds *creds)
{
	s3_secret_free(creds->access_key_id);
	s3_secret_free(creds->secret_access_key);
	s3_secret_free(creds->session_token);
	memset(creds, 0, sizeof(*creds));
}

static const char *env(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] ? value : NULL;
}

/* 1: found, 0: nothing there, -1: half a pair (`why` is filled). */
static int from_env(struct s3_creds *creds, char *why, size_t why_size)
{
	const char *id = env("AWS_ACCESS_KEY_ID"), *secret = env("AWS_SECRET_ACCESS_KEY");

	if (!id && !secret)
		return 0;
	if (!id || !secret) {
		snprintf(why, why_size, "%s is set but %s is not: set both or none",
			id ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
			id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
		return -1;
	}
	s3_creds_set(creds, id, secret, env("AWS_SESSION_TOKEN"));
	return 1;
}

static void refuse_source(
	const struct s3_profile *profile, const char *source, char *why, size_t why_size)
{
	snprintf(why, why_size,
		"profile '%s' gets its credentials through %s, which s3bulkfs cannot do: put the "
		"output of 'aws configure export-credentials --profile %s --format env' into the "
		"environment",
		profile->name, source, profile->name);
}

static int from_profile(
	struct s3_creds *creds, const struct s3_profile *profile, char *why, size_t why_size)
{
	const char *id = profile->access_key_id, *secret = profile->secret_access_key;

	/* The keys beside a role are those of another identity, with other rights. */
	if (profile->role) {
		refuse_source(profile, "role_arn", why, why_size);
		return -1;
	}
	if (id && secret) {
		s3_creds_set(creds, id, secret, profile->session_token);
		return 1;
	}
	if (id || secret) {
		snprintf(why, why_size, "profile '%s' has %s but no %s: add it to the file",
			profile->name, id ? "aws_access_key_id" : "aws_secret_access_key",
			id ? "aws_secret_access_key" : "aws_access_key_id");
		return -1;
	}
	if (profile->source_unsupported) {
		refuse_source(profile, profile->source_unsupported, why, why_size);
		return -1;
	}
	return 0;
}

bool s3_creds_find(struct s3_creds *creds, const struct s3_profile *profile, bool profile_given,
	char *why, size_t why_size)
{
	int found = 0;

	memset(creds, 0, sizeof(*creds));
	if (!profile_given)
		found = from_env(creds, why, why_size);
	if (!found && profile)
		found = from_profile(creds, profile, why, why_size);
	if (!found && profile_given)
		snprintf(why, why_size,
			"profile '%s' has no aws_access_key_id and aws_secret_access_key: add them "
			"to ~/.aws/credentials, or use -o no_sign_request for a public bucket",
			profile ? profile->name : "?");
	else if (!found)
		snprintf(why, why_size,
			"no S3 credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
			"put them into ~/.aws/credentials (-o profile=NAME chooses the section), "
			"or use -o no_sign_request for a public bucket");
	return found > 0;
}
