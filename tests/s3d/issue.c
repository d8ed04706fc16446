/*
 * Temporary credentials: see issue.h. Control URLs, whose prefixes serve as endpoints of clients:
 *
 *   POST /-/sts                   AssumeRole, signed with the server's own keys, and
 *                                 AssumeRoleWithWebIdentity with the token "web-token"; a role
 *                                 that ends in "denied" is refused
 *   PUT  /-/imds/latest/api/token, GET /-/imds/latest/meta-data/iam/security-credentials/[role]
 *   GET  /-/container             with Authorization: container-token
 *   GET  /-/sso/federation/credentials   with the bearer token "sso-token"
 *   GET  /-/process               what a credential_process prints
 *   GET  /-/issue                 how often each of them gave out keys, as JSON
 *   POST /-/issue                 {"lifetime_s": 3600, "only": true, "refuses": false}; `only`: S3
 *                                 takes no other keys from now on
 *   POST /-/expire                what was given out so far has expired
 *
 * One thread.
 */
#include "issue.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "req.h"
#include "s3d.h"
#include "util/clk.h"

enum issue_way { WAY_STS, WAY_IMDS, WAY_CONTAINER, WAY_SSO, WAY_PROCESS };

#define ROLES "/-/imds/latest/meta-data/iam/security-credentials/"

const struct issued *issue_find(const struct issue *issue, const char *id)
{
	for (size_t i = 0; i < issue->count; i++)
		if (!strcmp(issue->keys[i].id, id))
			return &issue->keys[i];
	return NULL;
}

static void say(struct req *r, int status, const char *type, const char *text)
{
	req_clear_answer(r);
	r->answer.status = status;
	r->answer.content_type = type;
	buf_adds(&r->answer.body, text);
}

static bool has_header(struct req *r, const char *name, const char *value)
{
	const char *got = req_header(r, name);

	return got && !strcmp(got, value);
}

/* New keys; the oldest are forgotten. NULL and an answer when none are given out. */
static const struct issued *issue_new(struct req *r, enum issue_way way)
{
	struct issue *s = &r->srv->issue;
	static unsigned number;
	struct issued *k;

	s->asked[way]++;
	if (s->refuses) {
		say(r, 500, "text/plain", "no keys today\n");
		return NULL;
	}
	if (s->count == ISSUED_MAX) {
		s->count--;
		memmove(s->keys, s->keys + 1, s->count * sizeof(s->keys[0]));
	}
	k = &s->keys[s->count++];
	number++;
	snprintf(k->id, sizeof(k->id), "ASIAISSUED%06u", number);
	snprintf(k->secret, sizeof(k->secret), "issued/secret+%026u", number);
	snprintf(k->token, sizeof(k->token), "issued//token=%u", number);
	k->ends_ms = clk_wall_ms() + (int64_t)(s->lifetime_s * 1000);
	return k;
}

static void format_end(const struct issued *k, char text[32])
{
	/* A second that has begun is over: rounded up, it does not end before it is said to. */
	time_t t = (time_t)((k->ends_ms + 999) / 1000);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void sts_refuse(struct req *r, const char *code, const char *message)
{
	say(r, 403, "text/xml",
		"<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">");
	buf_addf(&r->answer.body,
		"<Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error>"
		"<RequestId>%s</RequestId></ErrorResponse>",
		code, message, r->id);
}

static void sts(struct req *r)
{
	const char *form = r->body ? r->body : "";
	bool web = strstr(form, "Action=AssumeRoleWithWebIdentity&") != NULL;
	const char *name = web ? "AssumeRoleWithWebIdentity" : "AssumeRole";
	const struct issued *k;
	char end[32];

	if (web && !strstr(form, "WebIdentityToken=web-token")) {
		sts_refuse(r, "InvalidIdentityToken", "no such token");
		return;
	}
	if (!web &&
		(!strstr(form, "Action=AssumeRole&") || !auth_check(r) || !auth_check_body(r))) {
		sts_refuse(r, "SignatureDoesNotMatch", "The signature is not right");
		return;
	}
	if (strstr(form, "denied&")) {
		sts_refuse(r, "AccessDenied", "not authorized to perform: sts:AssumeRole");
		return;
	}
	k = issue_new(r, WAY_STS);
	if (!k)
		return;
	format_end(k, end);
	say(r, 200, "text/xml", "");
	buf_addf(&r->answer.body,
		"<%sResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><%sResult>"
		"<AssumedRoleUser><Arn>arn</Arn></AssumedRoleUser><Credentials>"
		"<AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey>"
		"<SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials>"
		"</%sResult><ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata>"
		"</%sResponse>",
		name, name, k->id, k->secret, k->token, end, name, r->id, name);
}

/* Keys as JSON, `token` being the name of the session token. */
static void send_keys(struct req *r, enum issue_way way, const char *token)
{
	const struct issued *k = issue_new(r, way);
	char end[32];

	if (!k)
		return;
	format_end(k, end);
	say(r, 200, "application/json", "");
	buf_addf(&r->answer.body,
		"{\"Version\":1,\"Code\":\"Success\",\"AccessKeyId\":\"%s\","
		"\"SecretAccessKey\":\"%s\",\"%s\":\"%s\",\"Expiration\":\"%s\"}\n",
		k->id, k->secret, token, k->token, end);
}

static void imds_token(struct req *r)
{
	if (req_header(r, "X-aws-ec2-metadata-token-ttl-seconds"))
		say(r, 200, "text/plain", "imds-token==");
	else
		say(r, 400, "text/plain", "no lifetime\n");
}

static void imds_role(struct req *r)
{
	if (has_header(r, "X-aws-ec2-metadata-token", "imds-token=="))
		say(r, 200, "text/plain", "role");
	else
		say(r, 401, "text/plain", "version 2 only\n");
}

static void imds_keys(struct req *r)
{
	if (has_header(r, "X-aws-ec2-metadata-token", "imds-token=="))
		send_keys(r, WAY_IMDS, "Token");
	else
		say(r, 401, "text/plain", "version 2 only\n");
}

static void container(struct req *r)
{
	if (has_header(r, "Authorization", "container-token"))
		send_keys(r, WAY_CONTAINER, "Token");
	else
		say(r, 401, "text/plain", "no\n");
}

static void sso(struct req *r)
{
	const struct issued *k;

	if (!has_header(r, "x-amz-sso_bearer_token", "sso-token") || !req_param(r, "account_id") ||
		!req_param(r, "role_name")) {
		say(r, 401, "application/json", "{\"message\":\"Session token not found\"}");
		return;
	}
	k = issue_new(r, WAY_SSO);
	if (!k)
		return;
	say(r, 200, "application/json", "");
	buf_addf(&r->answer.body,
		"{\"roleCredentials\":{\"accessKeyId\":\"%s\",\"secretAccessKey\":\"%s\","
		"\"sessionToken\":\"%s\",\"expiration\":%lld}}",
		k->id, k->secret, k->token, (long long)k->ends_ms);
}

static void process(struct req *r)
{
	send_keys(r, WAY_PROCESS, "SessionToken");
}

static void counts(struct req *r)
{
	const unsigned *n = r->srv->issue.asked;

	say(r, 200, "application/json", "");
	buf_addf(&r->answer.body,
		"{\"sts\":%u,\"imds\":%u,\"container\":%u,\"sso\":%u,\"process\":%u}\n", n[WAY_STS],
		n[WAY_IMDS], n[WAY_CONTAINER], n[WAY_SSO], n[WAY_PROCESS]);
}

static void settings(struct req *r)
{
	struct issue *s = &r->srv->issue;
	cJSON *json = r->body ? cJSON_ParseWithLength(r->body, r->body_len) : NULL;
	const cJSON *v;

	if (!json) {
		say(r, 400, "text/plain", "the body must be JSON\n");
		return;
	}
	v = cJSON_GetObjectItem(json, "lifetime_s");
	if (cJSON_IsNumber(v))
		s->lifetime_s = v->valuedouble;
	v = cJSON_GetObjectItem(json, "only");
	if (cJSON_IsBool(v))
		s->only = cJSON_IsTrue(v);
	v = cJSON_GetObjectItem(json, "refuses");
	if (cJSON_IsBool(v))
		s->refuses = cJSON_IsTrue(v);
	cJSON_Delete(json);
}

static void expire(struct req *r)
{
	struct issue *s = &r->srv->issue;

	for (size_t i = 0; i < s->count; i++)
		s->keys[i].ends_ms = 0;
}

static const struct {
	const char *method, *path;
	void (*run)(struct req *r);
} routes[] = {
	{"POST", "/-/sts", sts},
	{"PUT", "/-/imds/latest/api/token", imds_token},
	{"GET", ROLES, imds_role},
	{"GET", ROLES "role", imds_keys},
	{"GET", "/-/container", container},
	{"GET", "/-/sso/federation/credentials", sso},
	{"GET", "/-/process", process},
	{"GET", "/-/issue", counts},
	{"POST", "/-/issue", settings},
	{"POST", "/-/expire", expire},
};

bool issue_run(struct req *r)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if (!strcmp(routes[i].method, r->method) && !strcmp(routes[i].path, r->path.ptr)) {
			routes[i].run(r);
			return true;
		}
	return false;
}
