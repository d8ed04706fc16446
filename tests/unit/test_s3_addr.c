/* Addresses of buckets: s3_addr.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "s3/s3_addr.h"

static char why[400];

static void expect(const char *url, const char *region, const char *bucket, int addressing,
	const char *base, const char *host, const char *path)
{
	struct s3_place place = {url, region, bucket, addressing, false, false, false};
	struct s3_addr addr;
	struct buf out = BUF_INIT(1000);

	why[0] = '\0';
	if (!s3_addr_make(&addr, &place, why, sizeof(why)))
		fail_msg("%s: %s", url ? url : "(default)", why);
	assert_string_equal(addr.url_base, base);
	assert_string_equal(addr.host, host);
	s3_addr_path(&addr, BYTES_LIT("a b"), &out);
	assert_string_equal(buf_str(&out), path);
	assert_int_equal(addr.https, !strncmp(base, "https", 5));
	buf_free(&out);
	s3_addr_free(&addr);
}

static void refuse(
	const char *url, const char *region, const char *bucket, int addressing, const char *word)
{
	struct s3_place place = {url, region, bucket, addressing, false, false, false};
	struct s3_addr addr;

	why[0] = '\0';
	assert_false(s3_addr_make(&addr, &place, why, sizeof(why)));
	if (!strstr(why, word))
		fail_msg("%s: '%s' does not say '%s'", url ? url : "(default)", why, word);
	assert_null(addr.host);
	s3_addr_free(&addr);
}

static void defaults(void **state)
{
	expect(NULL, "us-east-1", "bkt", S3_ADDRESS_AUTO, "https://bkt.s3.us-east-1.amazonaws.com",
		"bkt.s3.us-east-1.amazonaws.com", "/a%20b");
	expect("", "cn-north-1", "bkt", S3_ADDRESS_PATH, "https://s3.cn-north-1.amazonaws.com.cn",
		"s3.cn-north-1.amazonaws.com.cn", "/bkt/a%20b");
	expect(NULL, "us-isob-east-1", "bkt", S3_ADDRESS_AUTO,
		"https://bkt.s3.us-isob-east-1.sc2s.sgov.gov",
		"bkt.s3.us-isob-east-1.sc2s.sgov.gov", "/a%20b");
}

static void style(void **state)
{
	const char *aws = "https://s3.eu-west-1.amazonaws.com/";
	const char *aws_host = "s3.eu-west-1.amazonaws.com";

	expect(aws, "eu-west-1", "my.bkt", S3_ADDRESS_AUTO, "https://s3.eu-west-1.amazonaws.com",
		aws_host, "/my.bkt/a%20b");
	expect("http://s3.eu-west-1.amazonaws.com", "eu-west-1", "my.bkt", S3_ADDRESS_AUTO,
		"http://my.bkt.s3.eu-west-1.amazonaws.com", "my.bkt.s3.eu-west-1.amazonaws.com",
		"/a%20b");
	expect(aws, "eu-west-1", "My_Bkt", S3_ADDRESS_AUTO, "https://s3.eu-west-1.amazonaws.com",
		aws_host, "/My_Bkt/a%20b");
	expect("https://minio.example.org", "us-east-1", "bkt", S3_ADDRESS_AUTO,
		"https://minio.example.org", "minio.example.org", "/bkt/a%20b");
	expect("https://minio.example.org", "us-east-1", "bkt", S3_ADDRESS_VIRTUAL,
		"https://bkt.minio.example.org", "bkt.minio.example.org", "/a%20b");
	/* Not AWS, though it ends like it. */
	expect("https://evilamazonaws.com", "us-east-1", "bkt", S3_ADDRESS_AUTO,
		"https://evilamazonaws.com", "evilamazonaws.com", "/bkt/a%20b");
	refuse("https://minio", "us-east-1", "My_Bkt", S3_ADDRESS_VIRTUAL, "path addressing");
	refuse("http://127.0.0.1:9000", "us-east-1", "bkt", S3_ADDRESS_VIRTUAL, "path addressing");
	refuse("http://[::1]", "us-east-1", "bkt", S3_ADDRESS_VIRTUAL, "path addressing");
}

static void hosts_and_ports(void **state)
{
	expect("http://127.0.0.1:9000", "us-east-1", "b", S3_ADDRESS_AUTO, "http://127.0.0.1:9000",
		"127.0.0.1:9000", "/b/a%20b");
	expect("http://[::1]:9000/", "us-east-1", "b", S3_ADDRESS_AUTO, "http://[::1]:9000",
		"[::1]:9000", "/b/a%20b");
	expect("HTTPS://Host.Example:443", "auto", "b", S3_ADDRESS_AUTO, "https://host.example",
		"host.example", "/b/a%20b");
	expect("http://h:80", "r", "b", S3_ADDRESS_AUTO, "http://h", "h", "/b/a%20b");
	expect("http://h:443", "r", "b", S3_ADDRESS_AUTO, "http://h:443", "h:443", "/b/a%20b");
	expect("https://h:65535", "r", "b", S3_ADDRESS_AUTO, "https://h:65535", "h:65535",
		"/b/a%20b");
}

static void bad_urls(void **state)
{
	static const struct {
		const char *url, *word;
	} bad[] = {{"minio:9000", "http://"}, {"ftp://h", "http://"}, {"https://", "host"},
		{"https:///x", "path"}, {"http://h/bucket", "path"}, {"http://h?x=1", "query"},
		{"http://h#x", "path"}, {"http://u:geheim@h", "user name"}, {"http://h:0", "port"},
		{"http://h:65536", "port"}, {"http://h:", "port"}, {"http://h:9x", "port"},
		{"http://h:000080", "port"}, {"http://[::1", "bracket"}, {"http://[::g]", "host"},
		{"http://[]", "host"}, {"http://::1", "brackets"}, {"http://[::1]x", "port"},
		{"http://a b", "host"}, {"http://.h", "host"}, {"http://a..b", "host"},
		{"http://h\r\nX: y", "host"}, {"http://-h", "host"}, {"http://h\\x", "path"}};
	char *url;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuse(bad[i].url, "us-east-1", "bkt", S3_ADDRESS_AUTO, bad[i].word);
	refuse("http://u:geheim@h", "us-east-1", "bkt", S3_ADDRESS_AUTO, "");
	assert_null(strstr(why, "geheim"));
	url = test_malloc(2000);
	memset(url, 'a', 1999);
	url[1999] = '\0';
	memcpy(url, "http://", 7);
	refuse(url, "us-east-1", "bkt", S3_ADDRESS_AUTO, "host");
	test_free(url);
}

static void bad_names(void **state)
{
	char bucket[300];

	refuse(NULL, "us-east-1", "", S3_ADDRESS_AUTO, "bucket");
	refuse(NULL, "us-east-1", "a/b", S3_ADDRESS_AUTO, "bucket");
	refuse(NULL, "us-east-1", "..", S3_ADDRESS_AUTO, "bucket");
	refuse(NULL, "us-east-1", "a b", S3_ADDRESS_AUTO, "bucket");
	refuse(NULL, "us-east-1/x", "bkt", S3_ADDRESS_AUTO, "region");
	refuse(NULL, "", "bkt", S3_ADDRESS_AUTO, "region");
	memset(bucket, 'b', sizeof(bucket));
	bucket[255] = '\0';
	assert_true(s3_bucket_ok(bucket));
	bucket[255] = 'b';
	bucket[256] = '\0';
	assert_false(s3_bucket_ok(bucket));
	/* Too long or oddly dotted for a label: path style. */
	bucket[64] = '\0';
	expect(NULL, "us-east-1", "a..b", S3_ADDRESS_AUTO, "https://s3.us-east-1.amazonaws.com",
		"s3.us-east-1.amazonaws.com", "/a..b/a%20b");
	refuse("http://s3.us-east-1.amazonaws.com", "us-east-1", bucket, S3_ADDRESS_VIRTUAL,
		"path addressing");
}

/* Amazon's other endpoints: by the AWS SDKs' endpoint rules of S3. */
static void amazons(void **state)
{
	static const char arn[] = "arn:aws:s3:us-west-2:123456789012:accesspoint/my-ap",
			  colon[] = "arn:aws-cn:s3:cn-north-1:123456789012:accesspoint:my-ap";
	static const struct {
		struct s3_place place;
		const char *base, *region; /* base: NULL: refused, with `region` in the sentence */
	} t[] = {
		{{NULL, "eu-west-1", "bkt", S3_ADDRESS_AUTO, true, false, false},
			"https://bkt.s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1"},
		{{NULL, "us-gov-west-1", "bkt", S3_ADDRESS_AUTO, false, true, false},
			"https://bkt.s3-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"},
		{{NULL, "us-east-2", "my.bkt", S3_ADDRESS_AUTO, true, true, false},
			"https://s3-fips.dualstack.us-east-2.amazonaws.com", "us-east-2"},
		{{NULL, "us-east-2", "bkt", S3_ADDRESS_AUTO, false, false, true},
			"https://bkt.s3-accelerate.amazonaws.com", "us-east-2"},
		{{NULL, "us-east-2", "bkt", S3_ADDRESS_AUTO, true, false, true},
			"https://bkt.s3-accelerate.dualstack.amazonaws.com", "us-east-2"},
		{{NULL, "us-east-2", "", S3_ADDRESS_SERVICE, false, false, true},
			"https://s3.us-east-2.amazonaws.com", "us-east-2"},
		{{NULL, "us-east-2", "bkt", S3_ADDRESS_AUTO, false, true, true}, NULL, "fips"},
		{{NULL, "us-east-2", "my.bkt", S3_ADDRESS_AUTO, false, false, true}, NULL, "dots"},
		{{NULL, "us-east-2", "bkt", S3_ADDRESS_PATH, false, false, true}, NULL, "path"},
		{{NULL, "us-east-1", arn, S3_ADDRESS_AUTO, false, false, false},
			"https://my-ap-123456789012.s3-accesspoint.us-west-2.amazonaws.com",
			"us-west-2"},
		{{NULL, "us-east-1", arn, S3_ADDRESS_AUTO, true, true, false},
			"https://my-ap-123456789012.s3-accesspoint-fips.dualstack.us-west-2"
			".amazonaws.com",
			"us-west-2"},
		{{NULL, "us-east-1", colon, S3_ADDRESS_VIRTUAL, false, false, false},
			"https://my-ap-123456789012.s3-accesspoint.cn-north-1.amazonaws.com.cn",
			"cn-north-1"},
		{{"http://s3.localhost:99", "us-east-1", arn, S3_ADDRESS_AUTO, false, false, false},
			"http://my-ap-123456789012.s3.localhost:99", "us-west-2"},
		{{NULL, "us-east-1", arn, S3_ADDRESS_PATH, false, false, false}, NULL, "path"},
		{{NULL, "us-east-1", arn, S3_ADDRESS_AUTO, false, false, true}, NULL, "accelerate"},
	};
	struct s3_addr addr;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		bool made = s3_addr_make(&addr, &t[i].place, why, sizeof(why));

		if (made != (t[i].base != NULL) || (!made && !strstr(why, t[i].region)))
			fail_msg("%zu: %s", i, made ? addr.url_base : why);
		if (made) {
			assert_string_equal(addr.url_base, t[i].base);
			assert_string_equal(addr.region, t[i].region);
		}
		s3_addr_free(&addr);
	}
}

static void bad_arns(void **state)
{
	static const char *const bad[][2] = {
		{"arn:aws:s3", "parts"},
		{"arn:aws:s3:::bucket", "by its name"},
		{"arn:aws:s3:us-west-2:123456789012:accesspoint/", "no ARN"},
		{"arn:aws:s3:us-west-2:12345678901:accesspoint/my-ap", "no ARN"},
		{"arn:aws:s3:us-west-2:123456789012:accesspoint/My_ap", "no ARN"},
		{"arn:aws:s3:us-west-2:123456789012:accesspoint/my-ap/object/x", "no ARN"},
		{"arn:aws:s3:us west:123456789012:accesspoint/my-ap", "no ARN"},
		{"arn:aws:s3::123456789012:accesspoint/m1.mrap", "Multi-Region"},
		{"arn:aws:s3-outposts:us-west-2:123456789012:outpost/op/accesspoint/ap",
			"Outposts"},
		{"arn:aws:s3-object-lambda:us-west-2:123456789012:accesspoint/ap", "Lambda"},
		{"arn:aws:sns:us-west-2:123456789012:accesspoint/my-ap", "by its name"},
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuse(NULL, "us-east-1", bad[i][0], S3_ADDRESS_AUTO, bad[i][1]);
}

static void paths(void **state)
{
	static const struct s3_place usual = {.region = "r", .bucket = "bkt"},
				     with_path = {.endpoint_url = "http://h",
					     .region = "r",
					     .bucket = "bkt",
					     .addressing = S3_ADDRESS_PATH};
	struct s3_addr addr;
	struct buf out = BUF_INIT(1000);

	assert_true(s3_addr_make(&addr, &with_path, why, sizeof(why)));
	s3_addr_path(&addr, BYTES_NONE, &out);
	assert_string_equal(buf_str(&out), "/bkt");
	buf_cut(&out, 0);
	s3_addr_path(&addr, BYTES_LIT("/a//../\xff"), &out);
	assert_string_equal(buf_str(&out), "/bkt//a//../%FF");
	s3_addr_free(&addr);
	assert_true(s3_addr_make(&addr, &usual, why, sizeof(why)));
	buf_cut(&out, 0);
	s3_addr_path(&addr, BYTES_NONE, &out);
	assert_string_equal(buf_str(&out), "/");
	s3_addr_free(&addr);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(style),
		cmocka_unit_test(hosts_and_ports),
		cmocka_unit_test(bad_urls),
		cmocka_unit_test(bad_names),
		cmocka_unit_test(amazons),
		cmocka_unit_test(bad_arns),
		cmocka_unit_test(paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
