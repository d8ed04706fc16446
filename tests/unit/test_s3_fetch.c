/* What each source of credentials is asked, and answers that are not to be trusted: s3_fetch.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "creds_run.h"
#include "util/mem.h"

#define ROLES "/latest/meta-data/iam/security-credentials/"

static void expect(struct creds_run *r, const char *id)
{
	assert_string_equal(creds_get(r), id);
}

static void expect_problem(struct creds_run *r, const char *word)
{
	const char *problem = creds_get(r);

	assert_int_equal(r->state, S3_CREDS_NONE);
	if (!strstr(problem, word))
		fail_msg("'%s' does not say '%s'", problem, word);
}

/* The next creds_get fetches anew. */
static void forget(void)
{
	creds_advance(6000);
}

/* ---- instance ---- */

static void instance(void **state)
{
	struct creds_run *r = *state;

	creds_env("AWS_EC2_METADATA_SERVICE_ENDPOINT=%s", r->base);
	creds_answer(ROLES "my-role", "200 OK", creds_json("INSTANCE", 3600));
	creds_answer(ROLES " ", "200 OK", "my-role\n");
	creds_answer("/latest/api/token", "200 OK", "TOKEN==");
	creds_open(r, "default");
	expect(r, "INSTANCE");
	assert_string_equal(r->got->session_token, "token");
	assert_true(r->got->expires_ms > 0);
	assert_true(creds_request_had("PUT /latest/api/token", "token-ttl-seconds: 21600"));
	assert_true(creds_request_had(ROLES " ", "X-aws-ec2-metadata-token: TOKEN=="));
	assert_true(creds_request_had(ROLES "my-role", "X-aws-ec2-metadata-token: TOKEN=="));
}

static void instance_without_role(void **state)
{
	struct creds_run *r = *state;

	creds_env("AWS_EC2_METADATA_SERVICE_ENDPOINT=%s", r->base);
	creds_answer(ROLES " ", "404 Not Found", "<html>");
	creds_answer("/latest/api/token", "200 OK", "TOKEN==");
	creds_open(r, "default");
	expect_problem(r, "this EC2 instance has no role");
	forget();
	creds_answer(ROLES " ", "200 OK", "../../up\n");
	expect_problem(r, "names no role");
	forget();
	creds_answer("/latest/api/token", "200 OK", "<html>a login page</html>");
	expect_problem(r, "is not an instance's metadata service");
	/* Without a token nothing else is asked for: there is no version 1. */
	forget();
	creds_answer("/latest/api/token", "403 Forbidden", "");
	expect_problem(r, "no S3 credentials: set AWS_ACCESS_KEY_ID");
	assert_int_equal(creds_requests(ROLES), 2);
	forget();
	creds_answer(ROLES "my-role", "200 OK", "{\"Code\":\"AssumeRoleUnauthorizedAccess\"}");
	creds_answer(ROLES " ", "200 OK", "my-role\n");
	creds_answer("/latest/api/token", "200 OK", "TOKEN==");
	expect_problem(r, "no keys for its role (AssumeRoleUnauthorizedAccess)");
}

/* A laptop, where the address swallows packets: it is tried twice, each for two seconds. */
static void nobody_answers(void **state)
{
	struct creds_run *r = *state;

	creds_env("AWS_EC2_METADATA_SERVICE_ENDPOINT=%s", r->base);
	creds_answer("/", NULL, NULL);
	creds_open(r, "default");
	expect_problem(r, "no S3 credentials: set AWS_ACCESS_KEY_ID");
	assert_int_equal(creds_requests("/latest/api/token"), 2);
}

/* ---- container ---- */

static void open_container(struct creds_run *r)
{
	creds_env("AWS_CONTAINER_CREDENTIALS_FULL_URI=%s/keys?a=b", r->base);
	creds_env("AWS_CONTAINER_AUTHORIZATION_TOKEN=Basic abc");
	creds_open(r, "default");
}

static void container(void **state)
{
	struct creds_run *r = *state;

	creds_answer("/keys?a=b", "200 OK", creds_json("CONTAINER", 3600));
	open_container(r);
	expect(r, "CONTAINER");
	assert_true(creds_request_had("/keys", "Authorization: Basic abc"));
}

/* Whoever has a token must not have it carried on to another address. */
static void redirects(void **state)
{
	struct creds_run *r = *state;

	creds_answer("/other", "200 OK", creds_json("REDIRECTED", 3600));
	creds_answer("/keys", "302 Found\r\nLocation: /other", "");
	open_container(r);
	expect_problem(r, "HTTP 302");
	assert_int_equal(creds_requests("/other"), 0);
}

static void hostile_json(void **state)
{
	static const struct {
		const char *body, *word;
	} table[] = {
		{"", "is not the JSON"},
		{"{", "is not the JSON"},
		{"[]", "is not the JSON"},
		{"\"AccessKeyId\"", "is not the JSON"},
		{"<html></html>", "is not the JSON"},
		{"{}", "no access key"},
		{"{\"AccessKeyId\":1,\"SecretAccessKey\":2}", "no access key"},
		{"{\"AccessKeyId\":\"A\"}", "no access key"},
		{"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\"}", "no session token"},
		{"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"Token\":\"t\"}",
			"does not say when"},
		{"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"Token\":\"t\","
		 "\"Expiration\":\"soon\"}",
			"does not say when"},
		{"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"Token\":\"t\","
		 "\"Expiration\":{}}",
			"does not say when"},
		{"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"Token\":\"t\","
		 "\"Expiration\":\"2001-01-01T00:00:00Z\"}",
			"expired already"},
		{"{\"AccessKeyId\":\"A\\r\\nx-amz-acl: public-read\",\"SecretAccessKey\":\"s\","
		 "\"Token\":\"t\",\"Expiration\":\"2999-01-01T00:00:00Z\"}",
			"cannot be keys"},
	};
	struct creds_run *r = *state;
	size_t i;

	open_container(r);
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		creds_answer("/keys", "200 OK", table[i].body);
		expect_problem(r, table[i].word);
		assert_null(strstr(s3_provider_problem(r->provider), "public-read"));
		forget();
	}
}

static void expect_big(struct creds_run *r, const char *status, size_t len, const char *word)
{
	char *big = mem_calloc(1, len + 1);

	memset(big, '[', len);
	creds_answer("/keys", status, big);
	free(big);
	expect_problem(r, word);
	forget();
}

static void big_answers(void **state)
{
	struct creds_run *r = *state;

	open_container(r);
	expect_big(r, "200 OK", 60000, "is not the JSON");
	expect_big(r, "200 OK", 200000, "more than 65536 bytes");
	expect_big(r, "400 Bad Request", 200000, "HTTP 400");
	/* Not asked again: it would not get smaller. */
	assert_int_equal(creds_requests("/keys"), 3);
}

static void busy_services(void **state)
{
	struct creds_run *r = *state;

	creds_answer("/keys", "500 Internal", "no");
	open_container(r);
	/* The waits are short, but of the test's time. */
	expect_problem(r, "HTTP 500");
	assert_int_equal(creds_requests("/keys"), 3);
}

/* ---- STS ---- */

static void open_role(struct creds_run *r)
{
	creds_env("AWS_ENDPOINT_URL_STS=%s/sts", r->base);
	creds_config("[profile r]\nrole_arn=arn:aws:iam::1:role/a b\nsource_profile=k\n"
		     "external_id=e&d\nrole_session_name=me\nduration_seconds=900\n"
		     "[profile k]\naws_access_key_id=KEY\naws_secret_access_key=geheim\n");
	creds_open(r, "r");
}

#define STS_OK                                                                        \
	"<AssumeRoleResponse xmlns=\"x\"><AssumeRoleResult><Credentials>"             \
	"<AccessKeyId>ROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"         \
	"<SessionToken>t</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration>" \
	"</Credentials></AssumeRoleResult></AssumeRoleResponse>"

static void role(void **state)
{
	struct creds_run *r = *state;

	creds_answer("POST /sts", "200 OK", STS_OK);
	open_role(r);
	expect(r, "ROLE");
	assert_true(creds_request_had("/sts", "Action=AssumeRole&Version=2011-06-15&"
					      "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa%20b&"
					      "RoleSessionName=me&ExternalId=e%26d&"
					      "DurationSeconds=900"));
	assert_true(creds_request_had("/sts", "/us-east-1/sts/aws4_request"));
	assert_true(creds_request_had("/sts", "Credential=KEY/"));
	assert_false(creds_request_had("/sts", "geheim"));
}

static void hostile_xml(void **state)
{
	static const struct {
		const char *status, *body, *word;
	} table[] = {
		{"200 OK", "", "no usable credentials"},
		{"200 OK", "garbage", "no usable credentials"},
		{"200 OK", "<AssumeRoleResponse/>", "no usable credentials"},
		{"200 OK", "<AssumeRoleResponse><Credentials><AccessKeyId>A</AccessKeyId>",
			"no usable credentials"},
		{"200 OK",
			"<Other><Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>s"
			"</SecretAccessKey><SessionToken>t</SessionToken>"
			"<Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></Other>",
			"no usable credentials"},
		{"200 OK",
			"<!DOCTYPE a [<!ENTITY b \"c\">]><AssumeRoleResponse>&b;"
			"</AssumeRoleResponse>",
			"no usable credentials"},
		{"200 OK",
			"<AssumeRoleResponse><Credentials><AccessKeyId>A</AccessKeyId>"
			"<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
			"<Expiration>2001-01-01T00:00:00Z</Expiration></Credentials>"
			"</AssumeRoleResponse>",
			"no usable credentials"},
		{"200 OK",
			"<ErrorResponse><Error><Code>AccessDenied</Code><Message>because"
			"</Message></Error></ErrorResponse>",
			"AccessDenied: because"},
		{"403 Forbidden",
			"<ErrorResponse><Error><Code>AccessDenied</Code><Message>be\ncause"
			"</Message></Error></ErrorResponse>",
			"AccessDenied: be cause"},
		{"400 Bad Request", "<Error><Code>ExpiredToken</Code></Error>", "ExpiredToken"},
		{"403 Forbidden", "", "HTTP 403"},
	};
	struct creds_run *r = *state;
	size_t i;

	open_role(r);
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		creds_answer("/sts", table[i].status, table[i].body);
		expect_problem(r, table[i].word);
		forget();
	}
}

/* A clock that is an hour wrong is corrected by the server's, once. */
static void wrong_clock(void **state)
{
	struct creds_run *r = *state;

	creds_answer("/sts", "403 Forbidden\r\nDate: Fri, 01 Jan 2100 00:00:00 GMT",
		"<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>");
	open_role(r);
	expect_problem(r, "SignatureDoesNotMatch");
	assert_int_equal(creds_requests("/sts"), 2);
	assert_true(creds_request_had("/sts", "Credential=KEY/21000101/"));
}

/* ---- process ---- */

static void open_process(struct creds_run *r, const char *command)
{
	char *text = mem_printf("[profile p]\ncredential_process = %s\n", command);

	creds_config(text);
	free(text);
	if (!r->provider)
		creds_open(r, "p");
}

static void process(void **state)
{
	struct creds_run *r = *state;

	open_process(
		r, "printf %s '{\"Version\":1,\"AccessKeyId\":\"P\",\"SecretAccessKey\":\"s\"}'");
	expect(r, "P");
	assert_null(r->got->session_token);
	assert_int_equal(r->got->expires_ms, 0);
}

/* What it leaves behind does not keep us waiting, and is ended. */
static void process_that_leaves_another(void **state)
{
	struct creds_run *r = *state;

	open_process(r, "sh -c 'tail -f /dev/null & echo "
			"{\\\"AccessKeyId\\\":\\\"P\\\",\\\"SecretAccessKey\\\":\\\"s\\\"}'");
	expect(r, "P");
}

static void bad_processes(void **state)
{
	static const struct {
		const char *command, *word;
	} table[] = {
		{"true", "is not the JSON"},
		{"false", "exit code 1: it said nothing"},
		{"sh -c 'echo no ticket >&2; exit 4'", "exit code 4: no ticket"},
		{"sh -c 'kill -9 $$'", "ended by signal 9"},
		{"head -c 1000000 /dev/zero", "more than 65536 bytes"},
		{"yes", "more than 65536 bytes"},
		{"sh -c 'setsid yes & exit 1'", "the credential_process of p"},
		{"sh -c 'head -c 1000000 /dev/zero >&2; exit 1'", "exit code 1"},
		{"/no/such/program", "cannot be run: No such file"},
		{"no-such-program", "cannot be run: No such file"},
		{"/etc/passwd", "cannot be run: Permission denied"},
		{"'open quote", "cannot be run"},
	};
	struct creds_run *r = *state;
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		open_process(r, table[i].command);
		expect_problem(r, table[i].word);
		forget();
	}
}

static void process_without_end(void **state)
{
	struct creds_run *r = *state;

	open_process(r, "tail -f /dev/null");
	assert_int_equal(s3_provider_get(r->provider, &r->got), S3_CREDS_WAIT);
	creds_round();
	assert_int_equal(s3_provider_get(r->provider, &r->got), S3_CREDS_WAIT);
	creds_advance(60001);
	expect_problem(r, "does not end within 60 s");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, creds_setup, creds_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(instance),
		TEST(instance_without_role),
		TEST(nobody_answers),
		TEST(container),
		TEST(redirects),
		TEST(hostile_json),
		TEST(big_answers),
		TEST(busy_services),
		TEST(role),
		TEST(hostile_xml),
		TEST(wrong_clock),
		TEST(process),
		TEST(process_that_leaves_another),
		TEST(bad_processes),
		TEST(process_without_end),
	};

	clearenv();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
