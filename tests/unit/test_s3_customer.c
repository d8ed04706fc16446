/* Keys of SSE-C: what a file may have, and where they are sent to. */
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
#include "s3/s3_creds.h"

#define RAW "0123456789abcdefghijklmnopqrstuv"
#define TEXT "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY="
#define TEXT_MD5 "qkvGcbTBx6OOKYAPUO9jRg=="

static char path[] = "/tmp/test-customer-XXXXXX";
static char why[512];

static char *read_back(const char *data, size_t len, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
	why[0] = '\0';
	return s3_customer_key_read(path, why, sizeof(why));
}

static void expect(const char *data, size_t len)
{
	char *key = read_back(data, len, 0600);

	if (!key)
		fail_msg("%s", why);
	assert_string_equal(key, TEXT);
	s3_secret_free(key);
}

static void refuse(const char *data, size_t len, mode_t mode, const char *word)
{
	assert_null(read_back(data, len, mode));
	if (!strstr(why, word))
		fail_msg("'%s' does not say '%s'", why, word);
	/* Nothing of a key is in the sentence. */
	assert_null(strstr(why, "0123"));
	assert_null(strstr(why, "MDEy"));
}

static void files(void **state)
{
	char lines[400];

	(void)state;
	expect(RAW, 32);
	expect(TEXT, 44);
	expect(TEXT "\n", 45);
	expect(TEXT "\r\n", 46);
	expect(TEXT, 43); /* without its padding */
	refuse("", 0, 0600, "has no customer key");
	refuse(RAW, 31, 0600, "has no customer key");
	refuse(RAW "\n", 33, 0600, "has no customer key");
	refuse(TEXT, 42, 0600, "has no customer key");
	refuse(TEXT "\n" TEXT, 89, 0600, "has no customer key");
	refuse("\n" TEXT, 45, 0600, "has no customer key");
	memset(lines, 'A', sizeof(lines));
	refuse(lines, sizeof(lines), 0600, "has no customer key");
	refuse(RAW, 32, 0640, "chmod 600");
	refuse(RAW, 32, 0604, "(mode 0604): chmod 600");
	refuse(RAW, 32, 0620, "chmod 600");
	unlink(path);
	assert_null(s3_customer_key_read(path, why, sizeof(why)));
	assert_non_null(strstr(why, "No such file"));
	assert_null(s3_customer_key_read("/", why, sizeof(why)));
	assert_non_null(strstr(why, "is not a regular file"));
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(s3_customer_key_read(path, why, sizeof(why)));
	assert_non_null(strstr(why, "is not a regular file"));
	unlink(path);
}

static void headers(void **state)
{
	struct s3_customer_key *key = s3_customer_key_new(TEXT), *same;
	struct s3_pair pairs[S3_CUSTOMER_HEADERS];

	(void)state;
	assert_non_null(key);
	same = s3_customer_key_ref(key);
	s3_customer_key_unref(key);
	assert_int_equal(s3_customer_headers(same, false, pairs), 3);
	assert_string_equal(pairs[0].name.ptr, "x-amz-server-side-encryption-customer-algorithm");
	assert_string_equal(pairs[0].value.ptr, "AES256");
	assert_string_equal(pairs[1].name.ptr, "x-amz-server-side-encryption-customer-key");
	assert_string_equal(pairs[1].value.ptr, TEXT);
	assert_string_equal(pairs[2].name.ptr, "x-amz-server-side-encryption-customer-key-md5");
	assert_string_equal(pairs[2].value.ptr, TEXT_MD5);
	assert_int_equal(s3_customer_headers(same, true, pairs), 3);
	assert_string_equal(
		pairs[1].name.ptr, "x-amz-copy-source-server-side-encryption-customer-key");
	assert_int_equal(s3_customer_headers(NULL, true, pairs), 0);
	s3_customer_key_unref(same);
	assert_null(s3_customer_key_new(""));
	assert_null(s3_customer_key_new("MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dQ=="));
	assert_null(s3_customer_key_new(RAW));
}

static bool loads(const char *endpoint, int addressing)
{
	static const char *const env[] = {"HOME=/nonexistent", NULL};
	struct s3_config config = {.bucket = "bkt",
		.endpoint_url = endpoint,
		.addressing = addressing,
		.no_sign_request = true,
		.env = env,
		.object = {.customer_key = TEXT}};
	struct s3_settings settings;
	bool ok;

	why[0] = '\0';
	ok = s3_settings_load(&config, &settings, why, sizeof(why));
	if (ok) {
		assert_string_equal(settings.customer->md5, TEXT_MD5);
		s3_settings_free(&settings);
	}
	assert_null(settings.customer);
	return ok;
}

static void where_it_is_sent(void **state)
{
	static const char *const good[] = {"https://s3.example.org", "http://127.0.0.1:9000",
		"http://127.3.2.1", "http://localhost:1", "http://LocalHost", "http://[::1]:9000",
		NULL};
	static const char *const bad[] = {"http://s3.example.org", "http://10.0.0.1",
		"http://localhost.example.org", "http://127.0.0.1.example.org", "http://[fe80::1]",
		"http://128.0.0.1", NULL};
	size_t i;

	(void)state;
	assert_true(loads(NULL, S3_ADDRESS_AUTO));
	for (i = 0; good[i]; i++)
		if (!loads(good[i], S3_ADDRESS_AUTO))
			fail_msg("%s: %s", good[i], why);
	for (i = 0; bad[i]; i++) {
		assert_false(loads(bad[i], S3_ADDRESS_AUTO));
		assert_non_null(strstr(why, "over https only"));
		assert_non_null(strstr(why, bad[i]));
	}
	/* The resolver may know a bkt.localhost elsewhere. */
	assert_false(loads("http://localhost", S3_ADDRESS_VIRTUAL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files),
		cmocka_unit_test(headers),
		cmocka_unit_test(where_it_is_sent),
	};
	int fd = mkstemp(path), failed;

	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
