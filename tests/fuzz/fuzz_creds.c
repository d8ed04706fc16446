/*
 * Fuzz target for what gives credentials. The first byte chooses: the JSON of containers,
 * instances, SSO and a credential_process; SSO's cached token; the XML of STS; the command line of
 * a credential_process; a customer key.
 */
#include "fuzz.h"

#include <string.h>

#include "s3/s3_customer.h"
#include "s3/s3_fetch.h"
#include "s3/s3_words.h"
#include "s3/s3_xml.h"
#include "util/mem.h"

#define NOW_MS 1700000000000

static const struct s3_json_names forms[] = {
	{.id = "AccessKeyId",
		.secret = "SecretAccessKey",
		.token = "Token",
		.expires = "Expiration"},
	{.id = "accessKeyId",
		.secret = "secretAccessKey",
		.token = "sessionToken",
		.expires = "expiration"},
	{.id = "AccessKeyId",
		.secret = "SecretAccessKey",
		.token = "SessionToken",
		.expires = "Expiration",
		.may_last = true},
};

/* What goes into a header must not end it. */
static void check_word(const char *text)
{
	for (; *text; text++)
		FUZZ_REQUIRE(*text > ' ' && *text <= '~');
}

static void check_creds(struct s3_creds *c, bool may_last)
{
	FUZZ_REQUIRE(c->access_key_id[0] && c->secret_access_key[0]);
	FUZZ_REQUIRE(c->expires_ms > NOW_MS || (may_last && !c->expires_ms));
	FUZZ_REQUIRE(may_last || c->session_token);
	check_word(c->access_key_id);
	if (c->session_token)
		check_word(c->session_token);
	s3_creds_unref(c);
}

static void json(struct bytes text)
{
	const char *why;
	size_t i;
	char *code;

	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct s3_creds *c = s3_json_creds(
			text, i == 1 ? "roleCredentials" : NULL, &forms[i], NOW_MS, &why);

		if (c)
			check_creds(c, forms[i].may_last);
		else
			FUZZ_REQUIRE(why && why[0]);
	}
	code = s3_json_text(text, "Code");
	FUZZ_REQUIRE(!code || code[0]);
	free(code);
}

static void sso(struct bytes text)
{
	int64_t end_ms;
	char *token = s3_json_sso_token(text, &end_ms);

	FUZZ_REQUIRE(!token || (token[0] && !strpbrk(token, "\r\n") && end_ms >= 0));
	s3_secret_free(token);
}

static void sts(struct bytes text)
{
	struct s3_xml_sts answer;
	enum s3_xml_status status = s3_xml_sts_read(text, &answer);

	FUZZ_REQUIRE(status != S3_XML_OK || answer.expires_ms >= 0);
	FUZZ_REQUIRE(status != S3_XML_EMPTY || (!answer.id && !answer.secret && !answer.code));
	s3_xml_sts_free(&answer);
}

static void words(struct bytes text)
{
	char *line = mem_dup(text.ptr, text.len), **list = s3_words_split(line);
	size_t i, bytes = 0;

	for (i = 0; list && list[i]; i++)
		bytes += strlen(list[i]) + 1;
	FUZZ_REQUIRE(bytes <= strlen(line) + 1);
	s3_words_free(list);
	free(line);
}

static void customer(struct bytes text)
{
	char *base64 = mem_dup(text.ptr, text.len);
	struct s3_customer_key *key = s3_customer_key_new(base64);

	if (key)
		check_word(key->base64);
	s3_customer_key_unref(key);
	free(base64);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const kinds[])(struct bytes) = {json, sso, sts, words, customer};

	/* A digit, so that corpus files are texts. */
	if (size)
		kinds[data[0] % 8 % 5](BYTES((const char *)data + 1, size - 1));
	return 0;
}
