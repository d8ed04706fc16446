/* Which source of credentials is taken, and what is refused: s3_source.h, s3_words.h, s3_creds.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "s3/s3_env.h"
#include "s3/s3_source.h"
#include "s3/s3_words.h"
#include "util/buf.h"
#include "util/mem.h"

static char dir[] = "/tmp/s3bulkfs-source-XXXXXX";
static char *config_path, *credentials_path;
static char why[600];

static void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_not_equal(fputs(text, f), EOF);
	assert_int_equal(fclose(f), 0);
}

static int clean(void **state)
{
	unlink(config_path);
	unlink(credentials_path);
	return 0;
}

static int make_dir(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	config_path = mem_printf("%s/config", dir);
	credentials_path = mem_printf("%s/credentials", dir);
	return 0;
}

static int remove_dir(void **state)
{
	clean(state);
	free(config_path);
	free(credentials_path);
	return rmdir(dir);
}

/* `vars`: "NAME=value NAME=value". */
static struct s3_source *choose_with(const char *profile, bool given, const char *vars)
{
	char **env, **words = s3_words_split(vars);
	struct s3_chain chain = {
		.profile = (char *)(uintptr_t)profile,
		.profile_given = given,
		.region = (char *)(uintptr_t) "eu-west-1",
	};
	struct s3_source *s;
	size_t n = 0, i;

	while (words[n])
		n++;
	env = mem_calloc(n + 4, sizeof(char *));
	for (i = 0; i < n; i++)
		env[i] = mem_strdup(words[i]);
	env[n] = mem_printf("HOME=%s", dir);
	env[n + 1] = mem_printf("AWS_CONFIG_FILE=%s", config_path);
	env[n + 2] = mem_strdup("AWS_SHARED_CREDENTIALS_FILE=~/credentials");
	s3_words_free(words);
	chain.env = env;
	why[0] = '\0';
	s = s3_source_choose(&chain, NULL, why, sizeof(why));
	s3_env_free(env);
	return s;
}

static struct s3_source *choose(const char *profile, bool given, const char *vars)
{
	struct s3_source *s = choose_with(profile, given, vars);

	if (!s)
		fail_msg("%s", why);
	return s;
}

static void expect(const char *profile, bool given, const char *vars, enum s3_source_kind kind)
{
	struct s3_source *s = choose(profile, given, vars);

	assert_int_equal(s->kind, kind);
	s3_source_free(s);
}

static void refuse(const char *profile, bool given, const char *vars, const char *word)
{
	assert_null(choose_with(profile, given, vars));
	if (!strstr(why, word))
		fail_msg("'%s' does not say '%s'", why, word);
}

#define ENV_KEYS "AWS_ACCESS_KEY_ID=E AWS_SECRET_ACCESS_KEY=e "
#define ENV_WEB "AWS_WEB_IDENTITY_TOKEN_FILE=/t AWS_ROLE_ARN=arn:w "
#define ENV_ECS "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/x "
#define NO_EC2 "AWS_EC2_METADATA_DISABLED=true "

/* All sources are there; one after another is taken away. */
static void order(void **state)
{
	put_file(config_path,
		"[profile p]\nrole_arn=arn:r\nsource_profile=keys\n"
		"[profile w]\nrole_arn=arn:r\nweb_identity_token_file=/tok\nsso_account_id=1\n"
		"sso_role_name=r\nsso_start_url=u\nsso_region=r\n"
		"aws_access_key_id=C\naws_secret_access_key=c\n"
		"[profile s]\nsso_account_id=1\nsso_role_name=r\nsso_start_url=u\nsso_region=r\n"
		"aws_access_key_id=C\naws_secret_access_key=c\n"
		"[profile f]\ncredential_process=/bin/x\n"
		"[profile c]\ncredential_process=/bin/x\naws_access_key_id=C\n"
		"aws_secret_access_key=c\n"
		"[profile keys]\naws_access_key_id=C\naws_secret_access_key=c\n"
		"[profile nothing]\nregion=x\n");
	put_file(credentials_path, "[f]\naws_access_key_id=F\naws_secret_access_key=f\n");
	expect("p", false, ENV_KEYS ENV_WEB ENV_ECS, S3_SOURCE_KEYS);
	expect("p", true, ENV_KEYS ENV_WEB ENV_ECS, S3_SOURCE_ROLE);
	expect("p", false, ENV_WEB ENV_ECS, S3_SOURCE_ROLE);
	expect("s", false, ENV_WEB ENV_ECS, S3_SOURCE_WEB_IDENTITY);
	expect("s", true, ENV_WEB ENV_ECS, S3_SOURCE_SSO);
	expect("w", true, ENV_ECS, S3_SOURCE_WEB_IDENTITY);
	expect("f", false, ENV_ECS, S3_SOURCE_KEYS);
	expect("c", false, ENV_ECS, S3_SOURCE_PROCESS);
	expect("keys", false, ENV_ECS, S3_SOURCE_KEYS);
	expect("nothing", true, ENV_KEYS ENV_WEB ENV_ECS, S3_SOURCE_CONTAINER);
	expect("nothing", true, "", S3_SOURCE_INSTANCE);
	refuse("nothing", true, NO_EC2, "profile 'nothing' has no aws_access_key_id");
	refuse("nothing", false, NO_EC2, "no S3 credentials: set AWS_ACCESS_KEY_ID");
}

static void role_of_a_profile(void **state)
{
	struct s3_source *s;

	put_file(config_path, "[profile p]\nrole_arn=arn:top\nsource_profile=q\nexternal_id=x/1\n"
			      "role_session_name=me\nduration_seconds=1800\n"
			      "[profile q]\nrole_arn=arn:mid\nsource_profile=r\n"
			      "[profile r]\nregion=x\n");
	put_file(credentials_path, "[r]\naws_access_key_id=R\naws_secret_access_key=r\n");
	s = choose("p", true, "");
	assert_string_equal(s->role_arn, "arn:top");
	assert_string_equal(s->external_id, "x/1");
	assert_string_equal(s->session_name, "me");
	assert_string_equal(s->duration_s, "1800");
	assert_string_equal(s->url, "https://sts.eu-west-1.amazonaws.com");
	assert_string_equal(s->region, "eu-west-1");
	assert_int_equal(s->base->kind, S3_SOURCE_ROLE);
	assert_string_equal(s->base->role_arn, "arn:mid");
	assert_null(s->base->external_id);
	assert_string_equal(s->base->base->keys->access_key_id, "R");
	s3_source_free(s);
	s = choose("p", true, "AWS_ENDPOINT_URL_STS=http://sts AWS_ENDPOINT_URL=http://all");
	assert_string_equal(s->url, "http://sts");
	s3_source_free(s);
}

static void endpoint_of_sts(void **state)
{
	struct s3_source *s;

	put_file(config_path,
		"[services mine]\nsts =\n  endpoint_url = http://services\n"
		"s3 =\n  endpoint_url = http://wrong\n"
		"[default]\nservices=mine\nrole_arn=a\ncredential_source=Environment\n"
		"endpoint_url=http://profile\n");
	s = choose("default", true, ENV_KEYS);
	assert_string_equal(s->url, "http://services");
	assert_string_equal(s->base->keys->access_key_id, "E");
	s3_source_free(s);
}

static void credential_sources(void **state)
{
	struct s3_source *s;

	put_file(config_path, "[profile e]\nrole_arn=a\ncredential_source=Environment\n"
			      "[profile i]\nrole_arn=a\ncredential_source=Ec2InstanceMetadata\n"
			      "[profile c]\nrole_arn=a\ncredential_source=EcsContainer\n"
			      "[profile x]\nrole_arn=a\ncredential_source=Else\n");
	s = choose("i", true, "");
	assert_int_equal(s->base->kind, S3_SOURCE_INSTANCE);
	assert_string_equal(s->base->url, "http://169.254.169.254");
	s3_source_free(s);
	s = choose("c", true, ENV_ECS);
	assert_int_equal(s->base->kind, S3_SOURCE_CONTAINER);
	assert_string_equal(s->base->url, "http://169.254.170.2/v2/x");
	s3_source_free(s);
	refuse("e", true, "", "AWS_ACCESS_KEY_ID is not");
	refuse("i", true, NO_EC2, "AWS_EC2_METADATA_DISABLED");
	refuse("c", true, "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	refuse("x", true, "", "'Else'");
}

static void roles_that_cannot_be_had(void **state)
{
	put_file(config_path,
		"[profile mfa]\nrole_arn=a\nsource_profile=k\nmfa_serial=arn:mfa\n"
		"[profile none]\nrole_arn=a\n"
		"[profile both]\nrole_arn=a\nsource_profile=k\ncredential_source=Environment\n"
		"[profile gone]\nrole_arn=a\nsource_profile=nowhere\n"
		"[profile empty]\nrole_arn=a\nsource_profile=nothing\n[profile nothing]\nregion=x\n"
		"[profile a]\nrole_arn=a\nsource_profile=b\n[profile b]\nrole_arn=b\n"
		"source_profile=a\n"
		"[profile self]\nrole_arn=a\nsource_profile=self\naws_access_key_id=S\n"
		"aws_secret_access_key=s\n"
		"[profile login]\nlogin_session=arn:x\n");
	refuse("mfa", true, "", "one-time code (mfa_serial)");
	assert_non_null(strstr(why, "export-credentials --profile mfa"));
	refuse("none", true, "", "neither source_profile and credential_source");
	refuse("both", true, "", "both source_profile and credential_source");
	refuse("gone", true, "", "'nowhere', which is neither in");
	refuse("empty", true, "", "'nothing', the source_profile of 'empty', has no credentials");
	refuse("a", true, "", "itself as its source");
	refuse("login", true, "", "login_session");
	/* Its own keys, for its own role: that ends. */
	expect("self", true, "", S3_SOURCE_ROLE);
}

static void web_identity(void **state)
{
	struct s3_source *s = choose("default", false, ENV_WEB "AWS_ROLE_SESSION_NAME=pod");

	assert_string_equal(s->token_file, "/t");
	assert_string_equal(s->role_arn, "arn:w");
	assert_string_equal(s->session_name, "pod");
	s3_source_free(s);
	refuse("default", false, "AWS_WEB_IDENTITY_TOKEN_FILE=/t", "set AWS_ROLE_ARN");
}

static void sso(void **state)
{
	struct s3_source *s;

	put_file(config_path,
		"[profile a]\nsso_account_id=1\nsso_role_name=r\nsso_session=my-sso\n"
		"[sso-session my-sso]\nsso_region=eu-north-1\nsso_start_url=https://x\n"
		"[profile b]\nsso_account_id=1\nsso_role_name=r\n"
		"sso_start_url=https://d-1234.awsapps.com/start\nsso_region=us-east-2\n"
		"[profile c]\nsso_account_id=1\n"
		"[profile d]\nsso_account_id=1\nsso_role_name=r\nsso_session=other\n"
		"[profile e]\nsso_session=my-sso\n");
	s = choose("a", true, "");
	assert_string_equal(s->url, "https://portal.sso.eu-north-1.amazonaws.com");
	/* printf %s my-sso | sha1sum */
	assert_non_null(strstr(
		s->token_file, "/.aws/sso/cache/0ad374308c5a4e22f723adf10145eafad7c4031c.json"));
	assert_string_equal(s->login, "aws sso login --profile a");
	s3_source_free(s);
	s = choose("b", true, "AWS_ENDPOINT_URL_SSO=http://sso");
	assert_string_equal(s->url, "http://sso");
	s3_source_free(s);
	refuse("c", true, "", "no sso_role_name");
	refuse("d", true, "", "sso_start_url, or an sso_session that has one");
	refuse("e", true, "", "no sso_account_id");
}

static void container_addresses(void **state)
{
	static const char *const good[] = {"https://example.org/x", "http://127.0.0.1/x",
		"http://127.9.9.9:80/x", "http://localhost:1/x", "http://[::1]:8080/x",
		"http://169.254.170.2/x", "http://169.254.170.23/v1/credentials",
		"http://[fd00:ec2::23]/v1/credentials", "HTTP://LOCALHOST/"};
	static const char *const bad[] = {"http://example.org/x", "http://169.254.169.254/x",
		"http://127.0.0.1@example.org/x", "http://127.0.0.1:80@example.org/x",
		"http://[::1]:1@example.org/", "http://[::1]x.org/",
		"http://localhost.example.org/", "http://127.0.0.1.example.org/",
		"http://128.0.0.1/", "ftp://127.0.0.1/", "file:///etc/passwd", "http://",
		"https://", "127.0.0.1/x", "http://[::1/x", "http://[::2]/x", "http://127.1/x",
		"http://example.org\\@127.0.0.1/", ""};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!s3_source_container_ok(good[i]))
			fail_msg("%s is refused", good[i]);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (s3_source_container_ok(bad[i]))
			fail_msg("%s is taken", bad[i]);
	refuse("default", false, "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://example.org/",
		"credentials are not asked for elsewhere");
	expect("default", false, "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1/",
		S3_SOURCE_CONTAINER);
}

static void instance_addresses(void **state)
{
	struct s3_source *s =
		choose("default", false, "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://h:1/");

	assert_string_equal(s->url, "http://h:1");
	s3_source_free(s);
	s = choose("default", false, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=IPv6");
	assert_string_equal(s->url, "http://[fd00:ec2::254]");
	s3_source_free(s);
}

static void expect_words(const char *line, const char *want)
{
	char **words = s3_words_split(line);
	struct buf got = BUF_INIT(1000);
	size_t i;

	for (i = 0; words && words[i]; i++)
		buf_addf(&got, "<%s>", words[i]);
	assert_string_equal(words ? buf_str(&got) : "open", want);
	buf_free(&got);
	s3_words_free(words);
}

static void words(void **state)
{
	expect_words("", "");
	expect_words("  a  b\tc ", "<a><b><c>");
	expect_words("/x/y --name 'a b' \"c d\"e", "</x/y><--name><a b><c de>");
	expect_words("a\\ b '\\n' \"\\n\\\"\\\\\"", "<a b><\\n><\\n\"\\>");
	expect_words("'' \"\"", "<><>");
	expect_words("a; b $HOME `c` > d", "<a;><b><$HOME><`c`><>><d>");
	expect_words("'open", "open");
	expect_words("\"open", "open");
	expect_words("open\\", "open");
}

static void keys_that_are_none(void **state)
{
	assert_null(s3_creds_new("A\r\nx: y", "s", NULL, 0));
	assert_null(s3_creds_new("A/b", "s", NULL, 0));
	assert_null(s3_creds_new("A", "s s", NULL, 0));
	assert_null(s3_creds_new("A", "s", "t\n", 0));
	assert_null(s3_creds_new("", "s", NULL, 0));
	assert_null(s3_creds_new(NULL, "s", NULL, 0));
	put_file(credentials_path,
		"[default]\naws_access_key_id=A/B\naws_secret_access_key=geheim\n");
	refuse("default", false, "", "the keys of profile 'default'");
	assert_null(strstr(why, "geheim"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(order, clean),
		cmocka_unit_test_setup(role_of_a_profile, clean),
		cmocka_unit_test_setup(endpoint_of_sts, clean),
		cmocka_unit_test_setup(credential_sources, clean),
		cmocka_unit_test_setup(roles_that_cannot_be_had, clean),
		cmocka_unit_test_setup(web_identity, clean),
		cmocka_unit_test_setup(sso, clean),
		cmocka_unit_test_setup(container_addresses, clean),
		cmocka_unit_test_setup(instance_addresses, clean),
		cmocka_unit_test(words),
		cmocka_unit_test_setup(keys_that_are_none, clean),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
