/*
 * Credentials out of JSON: see s3_fetch.h. The documents come from outside and are bounded by
 * whoever has read them. Core thread. Texts that may be secrets are wiped.
 */
#include <cjson/cJSON.h>
#include <string.h>

#include "s3/s3_fetch.h"
#include "s3/s3_xml.h"
#include "util/mem.h"

static const char *text_of(const cJSON *object, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

	return text && text[0] ? text : NULL;
}

/* Frees a document and wipes its texts. Documents are no deeper than cJSON lets them. */
static void wipe(cJSON *item)
{
	for (; item; item = item->next) {
		if (item->valuestring)
			explicit_bzero(item->valuestring, strlen(item->valuestring));
		wipe(item->child);
	}
}

static void json_free(cJSON *json)
{
	wipe(json);
	cJSON_Delete(json);
}

/* ISO 8601, or milliseconds since 1970. -1: neither. */
static int64_t time_of(const cJSON *item)
{
	double ms = cJSON_IsNumber(item) ? item->valuedouble : -1;

	if (cJSON_IsString(item) && item->valuestring)
		return s3_xml_time_ms(BYTES_STR(item->valuestring));
	return ms > 0 && ms < 1e15 ? (int64_t)ms : -1;
}

static struct s3_creds *take(
	const cJSON *json, const struct s3_json_names *names, int64_t now_ms, const char **why)
{
	const cJSON *end = cJSON_GetObjectItemCaseSensitive(json, names->expires);
	const char *id = text_of(json, names->id), *secret = text_of(json, names->secret);
	const char *token = text_of(json, names->token);
	int64_t end_ms = end && !cJSON_IsNull(end) ? time_of(end) : 0;
	struct s3_creds *creds;

	*why = NULL;
	if (!id || !secret)
		*why = "has no access key in it";
	else if (!names->may_last && !token)
		*why = "has no session token in it";
	else if (end_ms < 0 || (!end_ms && !names->may_last))
		*why = "does not say when the keys expire";
	else if (end_ms && end_ms <= now_ms)
		*why = "has keys that have expired already";
	if (*why)
		return NULL;
	creds = s3_creds_new(id, secret, token, end_ms);
	if (!creds)
		*why = "has keys that cannot be keys";
	return creds;
}

struct s3_creds *s3_json_creds(struct bytes json, const char *within,
	const struct s3_json_names *names, int64_t now_ms, const char **why)
{
	cJSON *document = cJSON_ParseWithLength(json.ptr, json.len);
	const cJSON *object = document;
	struct s3_creds *creds = NULL;

	if (within)
		object = cJSON_GetObjectItemCaseSensitive(document, within);
	if (!cJSON_IsObject(object))
		*why = "is not the JSON that was expected";
	else
		creds = take(object, names, now_ms, why);
	json_free(document);
	return creds;
}

char *s3_json_text(struct bytes json, const char *name)
{
	cJSON *document = cJSON_ParseWithLength(json.ptr, json.len);
	char *text = mem_strdup(text_of(document, name));

	json_free(document);
	return text;
}

/* "2026-01-02T03:04:05Z", and "...UTC" as old versions of the CLI wrote it. -1: it is none. */
static int64_t sso_end(struct bytes json)
{
	char *text = s3_json_text(json, "expiresAt"), *utc;
	int64_t end_ms;

	if (!text)
		return -1;
	utc = strstr(text, "UTC");
	if (utc)
		*utc = '\0';
	end_ms = s3_xml_time_ms(BYTES_STR(text));
	s3_secret_free(text);
	return end_ms;
}

char *s3_json_sso_token(struct bytes json, int64_t *end_ms)
{
	char *token = s3_json_text(json, "accessToken");

	*end_ms = sso_end(json);
	if (token && *end_ms >= 0 && !strpbrk(token, "\r\n"))
		return token;
	s3_secret_free(token);
	return NULL;
}
