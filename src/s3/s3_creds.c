/*
 * Sets of credentials: see s3_creds.h. Core thread. Every copy of a secret is wiped before it is
 * freed.
 */
#include "s3/s3_creds.h"

#include <stdlib.h>
#include <string.h>

#include "util/mem.h"

#define ID_BYTES_MAX 256
#define SECRET_BYTES_MAX 1024
#define TOKEN_BYTES_MAX 49152 /* all headers of a request have 64 KiB */

void s3_secret_free(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

/* Visible ASCII without the characters in `refused`. */
static bool is_word(const char *text, size_t max, const char *refused)
{
	size_t i;

	for (i = 0; text[i]; i++)
		if (i == max || text[i] <= ' ' || text[i] > '~' || strchr(refused, text[i]))
			return false;
	return i > 0;
}

struct s3_creds *s3_creds_new(
	const char *id, const char *secret, const char *token, int64_t expires_ms)
{
	struct s3_creds *c;

	if (token && !token[0])
		token = NULL;
	if (!id || !secret || !is_word(id, ID_BYTES_MAX, "/,") ||
		!is_word(secret, SECRET_BYTES_MAX, "") ||
		(token && !is_word(token, TOKEN_BYTES_MAX, "")))
		return NULL;
	c = mem_zalloc(sizeof(*c));
	c->access_key_id = mem_strdup(id);
	c->secret_access_key = mem_strdup(secret);
	c->session_token = mem_strdup(token);
	c->expires_ms = expires_ms;
	c->refs = 1;
	return c;
}

struct s3_creds *s3_creds_ref(struct s3_creds *creds)
{
	creds->refs++;
	return creds;
}

void s3_creds_unref(struct s3_creds *creds)
{
	if (!creds || --creds->refs)
		return;
	s3_secret_free(creds->access_key_id);
	s3_secret_free(creds->secret_access_key);
	s3_secret_free(creds->session_token);
	free(creds);
}

bool s3_creds_same(const struct s3_creds *a, const struct s3_creds *b)
{
	return !strcmp(a->access_key_id, b->access_key_id) &&
	       !strcmp(a->secret_access_key, b->secret_access_key) &&
	       !strcmp(a->session_token ? a->session_token : "",
		       b->session_token ? b->session_token : "");
}
