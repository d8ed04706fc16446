/*
 * Credentials of a role, from the Security Token Service: AssumeRole, signed with other
 * credentials, and AssumeRoleWithWebIdentity, where a token in a file takes the signature's place.
 * Core thread. Source: AWS STS API reference, "AssumeRole", "AssumeRoleWithWebIdentity".
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3/s3_fetch.h"
#include "s3/s3_sign.h"
#include "s3/s3_uri.h"
#include "s3/s3_xml.h"
#include "util/clk.h"
#include "util/mem.h"

#define CONTENT_TYPE "application/x-www-form-urlencoded"

static void add(struct buf *body, const char *name, const char *value)
{
	if (!value)
		return;
	buf_adds(body, body->len ? "&" : "");
	buf_adds(body, name);
	buf_addc(body, '=');
	s3_uri_query(body, BYTES_STR(value));
}

/* Host header and path of an "http[s]://host[:port][/path]"; false when it is none. */
static bool split_url(const char *url, char host[256], const char **path)
{
	const char *start = strstr(url, "://");
	size_t len;

	if (!start || (strncmp(url, "https:", 6) && strncmp(url, "http:", 5)))
		return false;
	start += 3;
	len = strcspn(start, "/?#");
	if (!len || len > 255 || strpbrk(start, "@?# \\"))
		return false;
	memcpy(host, start, len);
	host[len] = '\0';
	*path = start[len] ? start + len : "/";
	return true;
}

/* A default port does not show in the Host header that libcurl sends. */
static void cut_default_port(const char *url, char *host)
{
	const char *port = strncmp(url, "https:", 6) ? ":80" : ":443";
	size_t len = strlen(host), n = strlen(port);

	if (len > n && !strcmp(host + len - n, port))
		host[len - n] = '\0';
}

static bool sign(struct s3_fetch *f, const char *host, const char *path)
{
	struct s3_sign_output out = S3_SIGN_OUTPUT_INIT;
	struct s3_signer *signer = s3_signer_new();
	struct bytes body = buf_bytes(&f->ask.body);
	struct s3_pair headers[] = {
		{BYTES_LIT("host"), BYTES_STR(host)},
		{BYTES_LIT("content-type"), BYTES_LIT(CONTENT_TYPE)},
	};
	char hash[S3_SHA256_HEX_SIZE];
	struct s3_sign_input in = {
		.method = "POST",
		.path = BYTES_STR(path),
		.headers = headers,
		.header_count = 2,
		.payload_hash = hash,
		.region = f->source->region,
		.service = "sts",
		.now_ms = s3_fetch_now_ms(f),
	};
	bool ok = signer && s3_sha256_hex(&body, 1, hash) && s3_sign(signer, f->base, &in, &out);

	if (ok) {
		s3_ask_header(&f->ask, "x-amz-date", out.amz_date);
		s3_ask_header(&f->ask, "x-amz-content-sha256", hash);
		s3_ask_header(&f->ask, "Authorization", buf_str(&out.authorization));
		if (f->base->session_token)
			s3_ask_header(&f->ask, "x-amz-security-token", f->base->session_token);
	}
	buf_free(&out.authorization);
	s3_signer_free(signer);
	return ok;
}

/* Sends what `action` and the source say. `token`: of a web identity, or NULL. */
static void send_request(struct s3_fetch *f, const char *action, const char *token)
{
	const struct s3_source *s = f->source;
	char host[256], session[48];
	const char *path;
	bool ok = split_url(s->url, host, &path);

	if (!ok) {
		s3_fetch_bad(f,
			"the endpoint of STS, '%.200s', is no URL: check AWS_ENDPOINT_URL_STS, "
			"AWS_ENDPOINT_URL and the profile",
			s->url);
		return;
	}
	cut_default_port(s->url, host);
	snprintf(session, sizeof(session), "s3bulkfs-%lld", (long long)(clk_wall_ms() / 1000));
	s3_ask_begin(&f->ask, "POST", s->url);
	add(&f->ask.body, "Action", action);
	add(&f->ask.body, "Version", "2011-06-15");
	add(&f->ask.body, "RoleArn", s->role_arn);
	add(&f->ask.body, "RoleSessionName", s->session_name ? s->session_name : session);
	add(&f->ask.body, "ExternalId", s->external_id);
	add(&f->ask.body, "DurationSeconds", s->duration_s);
	add(&f->ask.body, "WebIdentityToken", token);
	s3_ask_header(&f->ask, "Host", host);
	s3_ask_header(&f->ask, "Content-Type", CONTENT_TYPE);
	if (token || sign(f, host, path))
		s3_ask_send(&f->ask);
	else
		s3_fetch_bad(f, "OpenSSL cannot sign the request to STS: check its configuration");
}

void s3_fetch_role(struct s3_fetch *f)
{
	send_request(f, "AssumeRole", NULL);
}

void s3_fetch_web_identity(struct s3_fetch *f)
{
	char *token = s3_fetch_file(f->source->token_file);

	if (token && token[0])
		send_request(f, "AssumeRoleWithWebIdentity", token);
	else
		s3_fetch_bad(f,
			"cannot read %s, the web identity token: %s; check "
			"AWS_WEB_IDENTITY_TOKEN_FILE, or web_identity_token_file in the profile",
			f->source->token_file, token ? "it is empty" : strerrordesc_np(errno));
	s3_secret_free(token);
}

/* A clock that is wrong makes STS refuse the signature; it says what time it is. Once. */
static bool correct_clock(struct s3_fetch *f)
{
	int64_t server_ms = http_date_ms(http_header(&f->ask.http.result, "date"));
	int64_t off_ms = server_ms - s3_fetch_now_ms(f);

	if (f->source->kind != S3_SOURCE_ROLE || f->step != S3_STEP_FIRST || server_ms < 0 ||
		(off_ms < 240000 && off_ms > -240000))
		return false;
	f->step = S3_STEP_LAST;
	atomic_store(f->place->clock_offset_ms, server_ms - clk_wall_ms());
	s3_fetch_role(f);
	return true;
}

static void refused(struct s3_fetch *f, const struct s3_xml_sts *sts)
{
	const struct s3_source *s = f->source;
	char text[300];

	if (sts->code && !strcmp(sts->code, "ExpiredTokenException"))
		s3_fetch_bad(f,
			"STS at %s says that the token by which %s asks for the role %s has "
			"expired "
			"(%.200s): renew it",
			s->url, s->name, s->role_arn, sts->message ? sts->message : sts->code);
	else if (sts->code)
		s3_fetch_bad(f,
			"STS at %s does not give %s the role %s (%.60s: %.200s): check the role, "
			"its "
			"trust policy, and whose credentials ask for it",
			s->url, s->name, s->role_arn, sts->code, sts->message ? sts->message : "");
	else
		s3_fetch_bad(f,
			"STS at %s does not answer for the role %s of %s (%s): check "
			"AWS_ENDPOINT_URL_STS, the region and the network",
			s->url, s->role_arn, s->name, s3_ask_problem(&f->ask, text, sizeof(text)));
}

void s3_fetch_sts_answered(struct s3_fetch *f)
{
	struct s3_creds *creds = NULL;
	enum s3_xml_status status;
	struct s3_xml_sts sts;

	status = s3_xml_sts_read(s3_ask_answer(&f->ask), &sts);
	if (s3_ask_status(&f->ask) != 200 || status == S3_XML_ERROR) {
		if (!correct_clock(f))
			refused(f, &sts);
		s3_xml_sts_free(&sts);
		return;
	}
	if (status == S3_XML_OK && sts.token && sts.expires_ms > s3_fetch_now_ms(f))
		creds = s3_creds_new(sts.id, sts.secret, sts.token, sts.expires_ms);
	s3_xml_sts_free(&sts);
	if (creds)
		s3_fetch_good(f, creds);
	else
		s3_fetch_bad(f,
			"the answer of STS at %s has no usable credentials in it: check "
			"AWS_ENDPOINT_URL_STS",
			f->source->url);
}
