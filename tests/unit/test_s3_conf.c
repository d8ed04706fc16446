/* Settings, credentials and the AWS files: s3_conf.h, s3_ini.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "s3/s3_conf.h"
#include "s3/s3_ini.h"
#include "util/mem.h"

static char dir[] = "/tmp/s3bulkfs-conf-XXXXXX";
static char *config_path, *credentials_path;
static char why[600];
static struct s3_settings settings;

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
	unlink(config_path);
	unlink(credentials_path);
	free(config_path);
	free(credentials_path);
	return rmdir(dir);
}

static int clean(void **state)
{
	clearenv();
	setenv("HOME", dir, 1);
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	setenv("AWS_CONFIG_FILE", config_path, 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", "~/credentials", 1);
	unlink(config_path);
	unlink(credentials_path);
	return 0;
}

static void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_not_equal(fputs(text, f), EOF);
	assert_int_equal(fclose(f), 0);
}

static void load(struct s3_config config)
{
	config.bucket = "bkt";
	why[0] = '\0';
	if (!s3_settings_load(&config, &settings, why, sizeof(why)))
		fail_msg("%s", why);
}

static void refuse(struct s3_config config, const char *word)
{
	if (!config.bucket)
		config.bucket = "bkt";
	why[0] = '\0';
	assert_false(s3_settings_load(&config, &settings, why, sizeof(why)));
	if (!strstr(why, word))
		fail_msg("'%s' does not say '%s'", why, word);
	assert_null(settings.bucket);
}

static void expect_keys(const char *id, const char *secret, const char *token)
{
	const struct s3_creds *keys = settings.source->keys;

	assert_int_equal(settings.source->kind, S3_SOURCE_KEYS);
	assert_string_equal(keys->access_key_id, id);
	assert_string_equal(keys->secret_access_key, secret);
	if (token)
		assert_string_equal(keys->session_token, token);
	else
		assert_null(keys->session_token);
	s3_settings_free(&settings);
	assert_null(settings.source);
}

static void expect_endpoint(struct s3_config config, const char *endpoint)
{
	config.no_sign_request = true;
	load(config);
	assert_string_equal(settings.addr.endpoint, endpoint);
	s3_settings_free(&settings);
}

static void no_credentials(void **state)
{
	struct s3_config config = {0};

	refuse(config, "-o no_sign_request");
	assert_non_null(strstr(why, "AWS_ACCESS_KEY_ID"));
	assert_non_null(strstr(why, "~/.aws/credentials"));
	config.no_sign_request = true;
	load(config);
	assert_false(settings.sign);
	assert_null(settings.source);
	assert_false(settings.region_given);
	assert_string_equal(settings.region, "us-east-1");
	assert_int_equal(settings.connections_max, 1024);
	assert_int_equal(settings.connect_timeout_ms, 10000);
	assert_int_equal(settings.stall_timeout_ms, 60000);
	assert_true(settings.io_threads >= 1);
	s3_settings_free(&settings);
}

static void order_of_credentials(void **state)
{
	struct s3_config config = {0}, given = {.profile = "work"};

	put_file(credentials_path, "[default]\naws_access_key_id=DEF\naws_secret_access_key=defs\n"
				   "[work]\naws_access_key_id = WRK\n"
				   "aws_secret_access_key = wrks\naws_session_token=tok\n");
	load(config);
	expect_keys("DEF", "defs", NULL);
	setenv("AWS_PROFILE", "work", 1);
	load(config);
	expect_keys("WRK", "wrks", "tok");
	setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "envs", 1);
	load(config);
	expect_keys("ENV", "envs", NULL);
	load(given);
	expect_keys("WRK", "wrks", "tok");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	refuse(config, "AWS_SECRET_ACCESS_KEY is not");
}

static void profiles_in_both_files(void **state)
{
	struct s3_config config = {.profile = "a b"};

	put_file(config_path, "[profile \"a b\"]\nregion = eu-central-1\naws_access_key_id = CFG\n"
			      "aws_secret_access_key = cfgs\naws_session_token = cfgt\n"
			      "[a b]\nregion = wrong\n[default]\nregion=wrong\n");
	load(config);
	assert_string_equal(settings.region, "eu-central-1");
	assert_true(settings.region_given);
	expect_keys("CFG", "cfgs", "cfgt");
	/* Keys of the credentials file, and not the session token of the other file's. */
	put_file(credentials_path, "[a b]\naws_access_key_id = CRED\naws_secret_access_key = s\n");
	load(config);
	assert_string_equal(settings.region, "eu-central-1");
	expect_keys("CRED", "s", NULL);
}

static void profile_that_is_nowhere(void **state)
{
	struct s3_config config = {.profile = "nix"};

	put_file(config_path, "[nix]\nregion = x\n[profile nixx]\nregion = y\n");
	refuse(config, "profile 'nix' is neither in");
	setenv("AWS_PROFILE", "gone", 1);
	config.profile = NULL;
	refuse(config, "profile 'gone' is neither in");
}

static void profile_without_usable_keys(void **state)
{
	struct s3_config config = {.profile = "p"};

	put_file(config_path, "[profile p]\nregion = x\n");
	refuse(config, "profile 'p' has no aws_access_key_id");
	put_file(config_path, "[profile p]\naws_access_key_id = geheim\n");
	refuse(config, "no aws_secret_access_key");
	assert_null(strstr(why, "geheim"));
}

static void long_names_and_values(void **state)
{
	const char *name = "AdministratorAccessForTheWholeProduction-123456789012-eu-west-1";
	struct s3_config config = {.profile = name};
	char *token = mem_calloc(1, 20001), *text;

	memset(token, 't', 20000);
	text = mem_printf("[%.40s]\naws_access_key_id=NO\naws_secret_access_key=no\n"
			  "[%s]\naws_access_key_id=YES\naws_secret_access_key=y/e+s=\n"
			  "aws_session_token = %s\n",
		name, name, token);
	put_file(credentials_path, text);
	load(config);
	expect_keys("YES", "y/e+s=", token);
	free(text);
	free(token);
}

static void order_of_regions(void **state)
{
	struct s3_config config = {.no_sign_request = true};

	put_file(config_path, "[default]\nregion = r-file\n");
	load(config);
	assert_string_equal(settings.region, "r-file");
	s3_settings_free(&settings);
	setenv("AWS_DEFAULT_REGION", "r-default", 1);
	load(config);
	assert_string_equal(settings.region, "r-default");
	s3_settings_free(&settings);
	setenv("AWS_REGION", "r-env", 1);
	load(config);
	assert_string_equal(settings.region, "r-env");
	s3_settings_free(&settings);
	config.region = "r-option";
	load(config);
	assert_string_equal(settings.region, "r-option");
	s3_settings_free(&settings);
}

static void order_of_endpoints(void **state)
{
	struct s3_config config = {0}, option = {.endpoint_url = "http://option"};

	put_file(config_path, "[default]\nendpoint_url = http://file\n");
	expect_endpoint(config, "http://file");
	put_file(config_path, "[services mine]\nec2 =\n  endpoint_url = http://wrong\n"
			      "s3 =\n    # note\n    endpoint_url = http://services:1\n"
			      "    addressing_style = path\n"
			      "dynamodb =\n  endpoint_url = http://wrong\n"
			      "[default]\nendpoint_url = http://file\nservices = mine\n"
			      "[services other]\ns3 =\n  endpoint_url = http://wrong\n");
	expect_endpoint(config, "http://services:1");
	setenv("AWS_ENDPOINT_URL", "http://env", 1);
	expect_endpoint(config, "http://env");
	setenv("AWS_ENDPOINT_URL_S3", "http://envs3", 1);
	expect_endpoint(config, "http://envs3");
	expect_endpoint(option, "http://option");
	setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true", 1);
	expect_endpoint(config, "https://s3.us-east-1.amazonaws.com");
	expect_endpoint(option, "http://option");
	setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false", 1);
	expect_endpoint(config, "http://envs3");
}

static void ignored_by_profile(void **state)
{
	struct s3_config config = {0};

	put_file(config_path, "[default]\nignore_configured_endpoint_urls = TRUE\n"
			      "endpoint_url = http://file\n");
	expect_endpoint(config, "https://s3.us-east-1.amazonaws.com");
}

static void bad_settings(void **state)
{
	struct s3_config config = {.no_sign_request = true};

	config.endpoint_url = "minio:9000";
	refuse(config, "http://");
	config.endpoint_url = NULL;
	config.region = "us east";
	refuse(config, "region");
	config.region = NULL;
	config.bucket = "a/b";
	refuse(config, "bucket name");
	config.bucket = NULL;
	config.ca_bundle = "/nowhere/ca.pem";
	refuse(config, "/nowhere/ca.pem");
	config.ca_bundle = NULL;
	put_file(config_path, "[default]\nregion = x\nSECRET without a sign\n");
	refuse(config, "line 3");
	assert_null(strstr(why, "SECRET"));
}

/* Files that never end, or never begin: each is refused at once, in one sentence. */
static void files_that_are_none(void **state)
{
	struct s3_config config = {0};
	FILE *f;

	setenv("AWS_CONFIG_FILE", "/dev/zero", 1);
	refuse(config, "/dev/zero is not a regular file");
	setenv("AWS_CONFIG_FILE", dir, 1);
	refuse(config, "is not a regular file");
	setenv("AWS_CONFIG_FILE", config_path, 1);
	assert_int_equal(mkfifo(config_path, 0600), 0);
	refuse(config, "is not a regular file");
	config.ca_bundle = config_path;
	setenv("AWS_CONFIG_FILE", "/dev/null", 1);
	setenv("AWS_ACCESS_KEY_ID", "A", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "S", 1);
	refuse(config, "config is not a regular file");
	config.ca_bundle = dir;
	refuse(config, "is not a regular file");
	config.ca_bundle = NULL;
	load(config);
	expect_keys("A", "S", NULL);
	unlink(config_path);
	assert_int_equal(symlink(config_path, config_path), 0);
	setenv("AWS_CONFIG_FILE", config_path, 1);
	refuse(config, "symbolic links");
	unlink(config_path);
	f = fopen(config_path, "w");
	assert_non_null(f);
	assert_int_equal(ftruncate(fileno(f), 100 << 20), 0);
	assert_int_equal(fclose(f), 0);
	refuse(config, "File too large");
}

static void chosen_numbers_stay(void **state)
{
	struct s3_config config = {.no_sign_request = true,
		.io_threads = 3,
		.connections_max = 7,
		.connect_timeout_ms = 5,
		.stall_timeout_ms = 6};

	load(config);
	assert_int_equal(settings.io_threads, 3);
	assert_int_equal(settings.connections_max, 7);
	assert_int_equal(settings.connect_timeout_ms, 5);
	assert_int_equal(settings.stall_timeout_ms, 6);
	s3_settings_free(&settings);
}

/* ---- the form of the files ------------------------------------------------------------------- */

static void note(
	void *ctx, const char *section, const char *parent, const char *name, const char *value)
{
	buf_addf(ctx, "[%s] %s%s%s=<%s>;", section, parent ? parent : "", parent ? "." : "", name,
		value);
}

static void expect_ini(const char *in, const char *want)
{
	char *text = mem_strdup(in);
	struct buf got = BUF_INIT(10000);

	why[0] = '\0';
	assert_true(s3_ini_parse(text, strlen(text), "f", note, &got, why, sizeof(why)));
	assert_string_equal(buf_str(&got), want);
	buf_free(&got);
	free(text);
}

static void refuse_ini(const char *in, size_t len, const char *word)
{
	char *text = mem_dup(in, len);
	struct buf got = BUF_INIT(10000);

	assert_false(s3_ini_parse(text, len, "f", note, &got, why, sizeof(why)));
	assert_non_null(strstr(why, word));
	buf_free(&got);
	free(text);
}

static void forms_of_lines(void **state)
{
	expect_ini("", "");
	expect_ini("# c\n; c\n\n  \n[a]\n", "");
	expect_ini("\xef\xbb\xbf[a]\r\nX = 1 \r\n", "[a] x=<1>;");
	expect_ini("[ profile   x ] # c\nk=v", "[profile x] k=<v>;");
	expect_ini("[a]\nk : v\nl = a=b:c\n", "[a] k=<v>;[a] l=<a=b:c>;");
	expect_ini("[a]\nk = v # c\nl = v;w#x\nm = \n", "[a] k=<v>;[a] l=<v;w#x>;[a] m=<>;");
	/* The whole section indented: nothing is nested. */
	expect_ini("[a]\n  k = 1\n  l = 2\n", "[a] k=<1>;[a] l=<2>;");
	expect_ini("[a]\ns3 =\n  k = 1\n\n  l = 2\nm = 3\n",
		"[a] s3=<>;[a] s3.k=<1>;[a] s3.l=<2>;[a] m=<3>;");
	expect_ini("[a]\nk =\n[b]\n  l = 1\n", "[a] k=<>;[b] l=<1>;");
	expect_ini("[a]\nk = v\n  and more\nl = 1\n", "[a] k=<v>;[a] l=<1>;");
}

static void lines_without_sense(void **state)
{
	refuse_ini("[a\n", 3, "line 1");
	refuse_ini("k = v\n", 6, "line 1");
	refuse_ini("[a]\n\nword\n", 10, "line 3");
	refuse_ini("[a]\n = v\n", 9, "line 2");
	refuse_ini("[a]\nk\0=v\n", 9, "not a text file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(no_credentials, clean),
		cmocka_unit_test_setup(order_of_credentials, clean),
		cmocka_unit_test_setup(profiles_in_both_files, clean),
		cmocka_unit_test_setup(profile_that_is_nowhere, clean),
		cmocka_unit_test_setup(profile_without_usable_keys, clean),
		cmocka_unit_test_setup(long_names_and_values, clean),
		cmocka_unit_test_setup(order_of_regions, clean),
		cmocka_unit_test_setup(order_of_endpoints, clean),
		cmocka_unit_test_setup(ignored_by_profile, clean),
		cmocka_unit_test_setup(bad_settings, clean),
		cmocka_unit_test_setup(files_that_are_none, clean),
		cmocka_unit_test_setup(chosen_numbers_stay, clean),
		cmocka_unit_test(forms_of_lines),
		cmocka_unit_test(lines_without_sense),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
