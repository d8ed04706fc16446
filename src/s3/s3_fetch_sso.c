/*
 * Credentials of IAM Identity Center (SSO): the AWS CLI keeps a token in a file of its cache; with
 * it the portal gives a role's keys. Only the CLI renews the token. Core thread. Source: IAM
 * Identity Center Portal API reference, "GetRoleCredentials"; AWS CLI user guide, "Configure the
 * AWS CLI with IAM Identity Center".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "s3/s3_fetch.h"
#include "s3/s3_uri.h"
#include "util/mem.h"

static const struct s3_json_names names = {.id = "accessKeyId",
	.secret = "secretAccessKey",
	.token = "sessionToken",
	.expires = "expiration"};

static void send_request(struct s3_fetch *f)
{
	const struct s3_source *s = f->source;
	struct buf url = BUF_INIT((size_t)4 << 10);

	buf_adds(&url, s->url);
	while (url.len && url.ptr[url.len - 1] == '/')
		buf_cut(&url, url.len - 1);
	buf_adds(&url, "/federation/credentials?account_id=");
	s3_uri_query(&url, BYTES_STR(s->account_id));
	buf_adds(&url, "&role_name=");
	s3_uri_query(&url, BYTES_STR(s->role_name));
	s3_ask_begin(&f->ask, "GET", buf_str(&url));
	s3_ask_header(&f->ask, "x-amz-sso_bearer_token", f->token);
	buf_free(&url);
	s3_ask_send(&f->ask);
}

void s3_fetch_sso(struct s3_fetch *f)
{
	const struct s3_source *s = f->source;
	char *json = s3_fetch_file(s->token_file);
	int64_t end_ms;

	if (!json) {
		s3_fetch_bad(f, "there is no SSO token for %s (%s: %s): run '%s'", s->name,
			s->token_file, strerrordesc_np(errno), s->login);
		return;
	}
	f->token = s3_json_sso_token(BYTES_STR(json), &end_ms);
	s3_secret_free(json);
	if (!f->token)
		s3_fetch_bad(f, "the SSO token for %s in %s cannot be read: run '%s'", s->name,
			s->token_file, s->login);
	else if (end_ms <= s3_fetch_now_ms(f))
		s3_fetch_bad(f, "the SSO token for %s has expired: run '%s'", s->name, s->login);
	else
		send_request(f);
}

void s3_fetch_sso_answered(struct s3_fetch *f)
{
	const struct s3_source *s = f->source;
	int status = s3_ask_status(&f->ask);
	struct s3_creds *creds;
	const char *why;
	char text[300];

	if (status == 401) {
		s3_fetch_bad(f, "the SSO token for %s is not accepted at %s: run '%s'", s->name,
			s->url, s->login);
	} else if (status == 403 || status == 404) {
		s3_fetch_bad(f,
			"SSO at %s does not give %s the role %s of account %s (HTTP %d): check "
			"sso_role_name and sso_account_id",
			s->url, s->name, s->role_name, s->account_id, status);
	} else if (status != 200) {
		s3_fetch_bad(f,
			"SSO at %s gives no credentials to %s (%s): check sso_region and the "
			"network",
			s->url, s->name, s3_ask_problem(&f->ask, text, sizeof(text)));
	} else {
		creds = s3_json_creds(s3_ask_answer(&f->ask), "roleCredentials", &names,
			s3_fetch_now_ms(f), &why);
		if (creds)
			s3_fetch_good(f, creds);
		else
			s3_fetch_bad(f, "the answer of SSO at %s %s", s->url, why);
	}
}
