/*
 * Credentials of a container: ECS's agent, EKS's pod identity agent, or whatever the environment
 * names. Core thread.
 * Source: AWS SDKs and Tools reference guide, "Container credential provider".
 */
#include <errno.h>
#include <string.h>

#include "s3/s3_fetch.h"

#define CONNECT_TIMEOUT_MS 2000
#define LIMIT_MS 5000

static const struct s3_json_names names = {.id = "AccessKeyId",
	.secret = "SecretAccessKey",
	.token = "Token",
	.expires = "Expiration"};

void s3_fetch_container(struct s3_fetch *f)
{
	const struct s3_source *s = f->source;
	char *from_file = NULL;
	const char *token = s->token;

	if (s->token_file) {
		token = from_file = s3_fetch_file(s->token_file);
		if (!token) {
			s3_fetch_bad(f,
				"cannot read %s, the token for the container's credentials: %s; "
				"check "
				"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
				s->token_file, strerrordesc_np(errno));
			return;
		}
	}
	if (token && strpbrk(token, "\r\n")) {
		s3_secret_free(from_file);
		s3_fetch_bad(f,
			"the token for the container's credentials has several lines: check "
			"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
		return;
	}
	f->ask.http.direct = true;
	f->ask.http.connect_timeout_ms = CONNECT_TIMEOUT_MS;
	f->ask.http.limit_ms = LIMIT_MS;
	s3_ask_begin(&f->ask, "GET", s->url);
	s3_ask_header(&f->ask, "Accept", "application/json");
	if (token)
		s3_ask_header(&f->ask, "Authorization", token);
	s3_secret_free(from_file);
	s3_ask_send(&f->ask);
}

void s3_fetch_container_answered(struct s3_fetch *f)
{
	struct s3_creds *creds;
	const char *why;
	char text[300];

	if (s3_ask_status(&f->ask) != 200) {
		s3_fetch_bad(f,
			"the container's credentials service gives no credentials (%s): check "
			"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI, and the task's or "
			"pod's "
			"role",
			s3_ask_problem(&f->ask, text, sizeof(text)));
		return;
	}
	creds = s3_json_creds(s3_ask_answer(&f->ask), NULL, &names, s3_fetch_now_ms(f), &why);
	if (creds)
		s3_fetch_good(f, creds);
	else
		s3_fetch_bad(f, "the answer of the container's credentials service %s", why);
}
