/*
 * A volume: see volume.h. It owns its client, target and name space part; its settings are
 * borrowed. Core thread.
 */
#include "cli/volume.h"

#include <stdio.h>
#include <string.h>

#include "util/log.h"

/* ---- is the bucket there? ---- */

/* What else S3 refuses to who may list. */
static const char *other_reason(const struct s3_config *config)
{
	if (config->bucket_owner)
		return ", and the bucket must be the account's that -o expected_bucket_owner names";
	return config->requester_pays ? "" : ", and -o requester_pays for a bucket whose users pay";
}

static void explain(const struct volume *v, const struct s3_err *e, char *why)
{
	const char *bucket = s3_client_bucket(v->client);
	const char *endpoint = s3_client_endpoint(v->client);
	char text[400];

	s3_err_text(e, text, sizeof(text));
	if (!strcmp(e->code, S3_NO_CREDENTIALS))
		snprintf(why, WHY_MAX, "%s", s3_client_credentials_problem(v->client));
	else if (e->cls == S3_NOT_FOUND)
		snprintf(why, WHY_MAX,
			"there is no bucket '%s' at %s (%s); check its name and -o endpoint_url",
			bucket, endpoint, text);
	else if (!strcmp(e->code, "AccessDenied"))
		snprintf(why, WHY_MAX,
			"these credentials may not list bucket '%s' at %s (%s); %s is needed%s",
			bucket, endpoint, text,
			v->opts->s3.version_at_ms
				? "s3:ListBucketVersions (and s3:GetObjectVersion to read)"
				: "s3:ListBucket",
			other_reason(&v->opts->s3));
	else if (e->cls == S3_DENIED)
		snprintf(why, WHY_MAX,
			"%s does not accept these credentials (%s); check AWS_ACCESS_KEY_ID and "
			"AWS_SECRET_ACCESS_KEY, or ~/.aws/credentials",
			endpoint, text);
	else if (!e->http_status)
		snprintf(why, WHY_MAX,
			"no connection to %s (%s); check -o endpoint_url and the network", endpoint,
			text);
	else
		snprintf(why, WHY_MAX, "bucket '%s' at %s cannot be listed (%s)", bucket, endpoint,
			text);
}

static void listed(void *ctx, const struct s3_err *err, const struct s3_list_page *page);
static void versions_listed(
	void *ctx, const struct s3_err *err, const struct s3_versions_page *page);

static void list_once(struct volume *v, unsigned flags)
{
	struct s3_list_params params = {.prefix = BYTES_STR(v->opts->prefix), .max_keys = 1};
	struct s3_versions_params versions = {.prefix = params.prefix, .max_keys = 1};

	if (v->opts->s3.version_at_ms)
		s3_list_versions(v->client, &versions, flags, versions_listed, v);
	else
		s3_list(v->client, &params, flags, listed, v);
}

/* It may be forbidden to ask for that: then nothing is said about it. */
static void versioning_known(void *ctx, const struct s3_err *err, struct bytes status)
{
	struct volume *v = ctx;

	if (err->cls == S3_OK && !status.len)
		log_warn("bucket %s keeps no versions: what was changed or removed since %s is "
			 "not there",
			s3_client_bucket(v->client), v->opts->version_at);
	v->checked(v->ctx, NULL);
}

static void answered(struct volume *v, const struct s3_err *err)
{
	char why[WHY_MAX];

	/* A busy server is asked again; one that cannot be reached is told at once. */
	if (!v->asked_again && err->http_status &&
		(err->cls == S3_THROTTLED || err->cls == S3_TRANSIENT)) {
		v->asked_again = true;
		list_once(v, S3_QUIET);
		return;
	}
	if (err->cls != S3_OK) {
		explain(v, err, why);
		v->checked(v->ctx, why);
	} else if (v->opts->s3.version_at_ms) {
		s3_get_versioning(v->client, 0, versioning_known, v);
	} else {
		v->checked(v->ctx, NULL);
	}
}

static void listed(void *ctx, const struct s3_err *err, const struct s3_list_page *page)
{
	(void)page;
	answered(ctx, err);
}

static void versions_listed(
	void *ctx, const struct s3_err *err, const struct s3_versions_page *page)
{
	(void)page;
	answered(ctx, err);
}

void volume_check(struct volume *v, void (*checked)(void *ctx, const char *why), void *ctx)
{
	v->checked = checked;
	v->ctx = ctx;
	v->asked_again = false;
	list_once(v, S3_NO_RETRY);
}

struct now {
	bool done, good;
	char *why;
};

static void checked_now(void *ctx, const char *why)
{
	struct now *now = ctx;

	now->done = true;
	now->good = !why;
	if (why)
		snprintf(now->why, WHY_MAX, "%s", why);
}

bool volume_check_now(struct volume *v, char *why)
{
	struct now now = {.why = why};

	volume_check(v, checked_now, &now);
	while (!now.done)
		loop_once(v->loop, -1);
	return now.good;
}

/* ---- beginning and end ---- */

bool volume_open(struct volume *v, struct loop *loop, const struct opts *opts, char *why)
{
	v->loop = loop;
	v->opts = opts;
	v->client = s3_client_new(loop, &opts->s3, why, WHY_MAX);
	return v->client != NULL;
}

void volume_begin(struct volume *v, struct bulk *bulk, struct ns *ns, const char *mountpoint)
{
	v->target = bulk_target_new(bulk, v->client, v->opts->max_inflight);
	bulk_target_configure(v->target, &v->opts->bulk);
	v->ns = ns_volume_new(ns, v->target, v->opts->prefix, mountpoint, &v->opts->ns);
}

void volume_end(struct volume *v)
{
	s3_client_free(v->client);
	if (v->ns)
		ns_volume_free(v->ns);
	bulk_target_free(v->target);
	v->client = NULL;
	v->ns = NULL;
	v->target = NULL;
}
