/* Which checksum a client sends, by its server and what was asked for: s3_sum.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "s3/s3_int.h"

static const char *const env[] = {"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b",
	"AWS_EC2_METADATA_DISABLED=true", "HOME=/nonexistent", NULL};

static void chosen(struct s3_config config, enum s3_sum body, bool reads)
{
	struct loop *loop = loop_new();
	struct s3_client *c;
	char why[600];

	config.bucket = "bucket";
	config.env = env;
	c = s3_client_new(loop, &config, why, sizeof(why));
	if (!c)
		fail_msg("%s", why);
	assert_int_equal(c->sums.body, body);
	assert_int_equal(c->sums.reads, reads);
	s3_client_free(c);
	loop_free(loop);
}

static void test_auto(void **state)
{
	(void)state;
	chosen((struct s3_config){.region = "eu-north-1"}, S3_SUM_CRC32C, true);
	chosen((struct s3_config){.endpoint_url = "https://s3.example.com"}, S3_SUM_MD5, true);
	/* The signature has the body's SHA-256. */
	chosen((struct s3_config){.endpoint_url = "http://127.0.0.1:1"}, S3_SUM_NONE, true);
	chosen((struct s3_config){.endpoint_url = "http://127.0.0.1:1", .no_sign_request = true},
		S3_SUM_MD5, true);
}

static void test_asked_for(void **state)
{
	static const char *const urls[] = {"https://s3.example.com", "http://127.0.0.1:1", NULL};
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct s3_config config = {.endpoint_url = urls[i], .region = "eu-north-1"};

		config.checksum = S3_CHECKSUM_CRC32C;
		chosen(config, S3_SUM_CRC32C, true);
		config.checksum = S3_CHECKSUM_MD5;
		chosen(config, S3_SUM_MD5, true);
		config.checksum = S3_CHECKSUM_NONE;
		chosen(config, S3_SUM_NONE, false);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_auto),
		cmocka_unit_test(test_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
