/*
 * Credentials of an EC2 instance's role, by version 2 of its metadata service only: a token first,
 * then the role's name, then its keys. Off an instance nobody answers, which must not take long.
 * Core thread.
 * Source: EC2 user guide, "Use the Instance Metadata Service", "Retrieve security credentials".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3/s3_fetch.h"
#include "s3/s3_value.h"
#include "util/mem.h"

#define CONNECT_TIMEOUT_MS 1000
#define LIMIT_MS 2000
#define ROLE_BYTES_MAX 128
#define TOKEN_BYTES_MAX 1024
#define ROLES "/latest/meta-data/iam/security-credentials/"

/* Nobody there is the usual case: a laptop. */
static const struct s3_retry_policy once_more = {.attempts_max = 2,
	.throttled_max = 5,
	.deadline_ms = 5000,
	.base_ms = 100,
	.throttled_base_ms = 400,
	.cap_ms = 1000};

static const struct s3_json_names names = {.id = "AccessKeyId",
	.secret = "SecretAccessKey",
	.token = "Token",
	.expires = "Expiration"};

void s3_fetch_instance(struct s3_fetch *f)
{
	char *url = mem_printf("%s/latest/api/token", f->source->url);

	if (!f->patient)
		f->ask.policy = &once_more;
	f->ask.http.direct = true;
	f->ask.http.connect_timeout_ms = CONNECT_TIMEOUT_MS;
	f->ask.http.limit_ms = LIMIT_MS;
	s3_ask_begin(&f->ask, "PUT", url);
	s3_ask_header(&f->ask, "X-aws-ec2-metadata-token-ttl-seconds", "21600");
	s3_ask_send(&f->ask);
	free(url);
}

static void ask_for(struct s3_fetch *f, const char *role)
{
	char *url = mem_printf("%s" ROLES "%s", f->source->url, role);

	s3_ask_begin(&f->ask, "GET", url);
	s3_ask_header(&f->ask, "X-aws-ec2-metadata-token", f->token);
	s3_ask_send(&f->ask);
	free(url);
}

static void got_token(struct s3_fetch *f)
{
	f->token = s3_value_word(s3_ask_answer(&f->ask), TOKEN_BYTES_MAX);
	if (!f->token) {
		s3_fetch_bad(f,
			"what answers at %s is not an instance's metadata service: set "
			"AWS_EC2_METADATA_DISABLED=true, or credentials",
			f->source->url);
		return;
	}
	f->step = S3_STEP_SECOND;
	ask_for(f, "");
}

static void got_role(struct s3_fetch *f)
{
	char *role = s3_value_word(s3_ask_answer(&f->ask), ROLE_BYTES_MAX);

	if (role && !strchr(role, '/')) {
		f->step = S3_STEP_LAST;
		ask_for(f, role);
	} else {
		s3_fetch_bad(f, "this instance's metadata service names no role: attach one to the "
				"instance");
	}
	free(role);
}

static void got_keys(struct s3_fetch *f)
{
	struct bytes json = s3_ask_answer(&f->ask);
	char *code = s3_json_text(json, "Code");
	struct s3_creds *creds = NULL;
	const char *why;

	if (code && strcmp(code, "Success") != 0)
		s3_fetch_bad(f,
			"this instance's metadata service has no keys for its role (%.60s): check "
			"the "
			"role",
			code);
	else if ((creds = s3_json_creds(json, NULL, &names, s3_fetch_now_ms(f), &why)))
		s3_fetch_good(f, creds);
	else
		s3_fetch_bad(f, "the answer of this instance's metadata service %s", why);
	free(code);
}

static void refused(struct s3_fetch *f)
{
	int status = s3_ask_status(&f->ask);
	char text[300];

	s3_ask_problem(&f->ask, text, sizeof(text));
	if (f->step == S3_STEP_FIRST)
		s3_fetch_bad(f,
			"no S3 credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
			"put "
			"them into ~/.aws/credentials (-o profile=NAME chooses the section), or "
			"use "
			"-o no_sign_request for a public bucket; and this is no EC2 instance with "
			"a "
			"metadata service (%s)",
			text);
	else if (f->step == S3_STEP_SECOND && status == 404)
		s3_fetch_bad(f,
			"no S3 credentials: this EC2 instance has no role; attach one to it, "
			"or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
	else
		s3_fetch_bad(f, "this instance's metadata service gives no credentials (%s)", text);
}

void s3_fetch_instance_answered(struct s3_fetch *f)
{
	if (s3_ask_status(&f->ask) != 200)
		refused(f);
	else if (f->step == S3_STEP_FIRST)
		got_token(f);
	else if (f->step == S3_STEP_SECOND)
		got_role(f);
	else
		got_keys(f);
}
