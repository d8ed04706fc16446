/*
 * Signatures: s3_sign.h. The examples are those of the S3 API reference, "Signature Calculations
 * for the Authorization Header: Transferring Payload in a Single Chunk"; other expected values were
 * computed with botocore's rules by an independent implementation (Python hmac and hashlib).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "s3/s3_sign.h"
#include "s3/s3_uri.h"
#include "util/mem.h"

#define EXAMPLE_MS ((int64_t)1369353600 * 1000) /* 2013-05-24T00:00:00Z */
#define PAIR(n, v)                         \
	{                                  \
		BYTES_LIT(n), BYTES_LIT(v) \
	}

static struct s3_creds example = {
	.access_key_id = (char *)"AKIAIOSFODNN7EXAMPLE",
	.secret_access_key = (char *)"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
};
static struct s3_signer *signer;
static struct s3_sign_output out = {.authorization = {.max = 16384}};

static int setup(void **state)
{
	signer = s3_signer_new();
	return signer ? 0 : -1;
}

static int teardown(void **state)
{
	s3_signer_free(signer);
	buf_free(&out.authorization);
	return 0;
}

static struct s3_sign_input input(const char *method, const char *path, const char *query,
	const struct s3_pair *headers, size_t count)
{
	return (struct s3_sign_input){.method = method,
		.path = BYTES_STR(path),
		.query = BYTES_STR(query),
		.headers = headers,
		.header_count = count,
		.payload_hash = S3_EMPTY_SHA256,
		.region = "us-east-1",
		.now_ms = EXAMPLE_MS};
}

static void expect(
	const struct s3_sign_input *in, const char *signed_headers, const char *signature)
{
	char *want = mem_printf("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/%s/s3/"
				"aws4_request,SignedHeaders=%s,Signature=%s",
		in->region, signed_headers, signature);

	assert_true(s3_sign(signer, &example, in, &out));
	assert_string_equal(out.amz_date, "20130524T000000Z");
	assert_string_equal(buf_str(&out.authorization), want);
	free(want);
}

static void aws_get_object(void **state)
{
	const struct s3_pair headers[] = {
		PAIR("Range", "bytes=0-9"), PAIR("Host", "examplebucket.s3.amazonaws.com")};
	struct s3_sign_input in = input("GET", "/test.txt", "", headers, 2);

	expect(&in, "host;range;x-amz-content-sha256;x-amz-date",
		"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void aws_put_object(void **state)
{
	const struct s3_pair headers[] = {PAIR("Date", "Fri, 24 May 2013 00:00:00 GMT"),
		PAIR("Host", "examplebucket.s3.amazonaws.com"),
		PAIR("x-amz-storage-class", "REDUCED_REDUNDANCY")};
	const struct bytes body[] = {BYTES_LIT("Welcome "), BYTES_LIT("to Amazon S3.")};
	struct s3_sign_input in = input("PUT", "/test%24file.text", "", headers, 3);
	char hash[S3_SHA256_HEX_SIZE];

	assert_true(s3_sha256_hex(body, 2, hash));
	in.payload_hash = hash;
	expect(&in, "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
		"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

static void aws_bucket_requests(void **state)
{
	const struct s3_pair headers[] = {PAIR("Host", "examplebucket.s3.amazonaws.com")};
	const struct s3_pair list[] = {PAIR("prefix", "J"), PAIR("max-keys", "2")};
	const struct s3_pair lifecycle[] = {PAIR("lifecycle", "")};
	struct buf query = BUF_INIT(1024);
	struct s3_sign_input in = input("GET", "/", "", headers, 1);

	s3_query_build(&query, lifecycle, 1);
	in.query = buf_bytes(&query);
	expect(&in, "host;x-amz-content-sha256;x-amz-date",
		"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
	buf_cut(&query, 0);
	s3_query_build(&query, list, 2);
	in.query = buf_bytes(&query);
	expect(&in, "host;x-amz-content-sha256;x-amz-date",
		"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
	buf_free(&query);
}

/* One request of each of the rules that the examples do not touch. */
static void odd_key_token_and_spaces(void **state)
{
	const struct s3_pair headers[] = {PAIR("X-Amz-Meta-Note", "  two   words\t here "),
		PAIR("Host", "s3.example.org:9000"), PAIR("x-amz-copy-source", "/src/a%20b"),
		PAIR("content-type", "")};
	struct s3_creds creds = example;
	struct s3_sign_input in = input("PUT", "", "", headers, 4);
	struct buf path = BUF_INIT(1024);

	buf_addc(&path, '/');
	s3_uri_path(&path, BYTES_LIT("bucket/a b+c%//../\xc3\xa4.txt"));
	in.path = buf_bytes(&path);
	in.payload_hash = S3_UNSIGNED_PAYLOAD;
	in.region = "eu-west-3";
	creds.session_token = (char *)"IQoJb3JpZ2luX2VjEXAMPLE//token==";
	assert_true(s3_sign(signer, &creds, &in, &out));
	assert_string_equal(buf_str(&out.authorization),
		"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/eu-west-3/s3/"
		"aws4_request,SignedHeaders=content-type;host;x-amz-content-sha256;"
		"x-amz-copy-source;x-amz-date;x-amz-meta-note;x-amz-security-token,"
		"Signature=d6ff34c2a57e8cad43811c4a4426e220c385e539b994c716cce84f1b414f0fdc");
	buf_free(&path);
}

/* The cached day key must not outlive what it was made of. */
static void day_key_follows_its_parts(void **state)
{
	const struct s3_pair headers[] = {PAIR("Host", "h")};
	struct s3_sign_input in = input("GET", "/", "", headers, 1);
	struct s3_creds other = example;
	char *first, *second;
	unsigned part;

	assert_true(s3_sign(signer, &example, &in, &out));
	first = mem_strdup(buf_str(&out.authorization));
	for (part = 0; part < 3; part++) {
		other.secret_access_key = part == 0 ? (char *)"another" : example.secret_access_key;
		in.region = part == 1 ? "us-west-2" : "us-east-1";
		in.now_ms = part == 2 ? EXAMPLE_MS + 86400000 : EXAMPLE_MS;
		assert_true(s3_sign(signer, &other, &in, &out));
		assert_string_not_equal(buf_str(&out.authorization), first);
		second = mem_strdup(buf_str(&out.authorization));
		/* A signer that has never seen another key says the same. */
		s3_signer_free(signer);
		signer = s3_signer_new();
		assert_true(s3_sign(signer, &other, &in, &out));
		assert_string_equal(buf_str(&out.authorization), second);
		free(second);
	}
	in.now_ms = EXAMPLE_MS;
	assert_true(s3_sign(signer, &example, &in, &out));
	assert_string_equal(buf_str(&out.authorization), first);
	free(first);
}

static void refuses_what_cannot_be_signed(void **state)
{
	const struct s3_pair twice[] = {PAIR("Host", "h"), PAIR("host", "i")};
	static struct s3_pair many[S3_SIGN_HEADERS_MAX + 1];
	struct s3_creds none = {0};
	struct s3_sign_input in = input("GET", "/", "", twice, 2);

	assert_false(s3_sign(signer, &example, &in, &out));
	in.header_count = 1;
	assert_true(s3_sign(signer, &example, &in, &out));
	assert_false(s3_sign(signer, &none, &in, &out));
	in.now_ms = INT64_MAX;
	assert_false(s3_sign(signer, &example, &in, &out));
	in = input("GET", "/", "", many, S3_SIGN_HEADERS_MAX + 1);
	assert_false(s3_sign(signer, &example, &in, &out));
}

static void query_is_sorted_by_encoded_bytes(void **state)
{
	/* Encoded, "a-b" sorts before "a=": by name "a" comes first all the same. */
	const struct s3_pair pairs[] = {PAIR("uploads", ""), PAIR("a-b", "1"), PAIR("a", "z"),
		PAIR("a", "\xff/"), PAIR("prefix", "x y/+&="), PAIR("Z", "")};
	static struct s3_pair many[S3_QUERY_MAX + 1];
	struct buf query = BUF_INIT(1024), small = BUF_INIT(10);

	s3_query_build(&query, pairs, 6);
	assert_false(query.failed);
	assert_string_equal(
		buf_str(&query), "Z=&a=%FF%2F&a=z&a-b=1&prefix=x%20y%2F%2B%26%3D&uploads=");
	buf_cut(&query, 0);
	s3_query_build(&query, NULL, 0);
	assert_int_equal(query.len, 0);
	s3_query_build(&query, many, S3_QUERY_MAX + 1);
	assert_true(query.failed);
	s3_query_build(&small, pairs, 6);
	assert_true(small.failed);
	buf_free(&query);
	buf_free(&small);
}

static void digests(void **state)
{
	const struct bytes runs[] = {BYTES_LIT("message"), BYTES_LIT(" "), BYTES_LIT("digest")};
	char hex[S3_SHA256_HEX_SIZE], base64[S3_MD5_BASE64_SIZE];

	assert_true(s3_sha256_hex(NULL, 0, hex));
	assert_string_equal(hex, S3_EMPTY_SHA256);
	assert_true(s3_md5_base64(NULL, 0, base64));
	assert_string_equal(base64, "1B2M2Y8AsgTpgAmY7PhCfg==");
	assert_true(s3_md5_base64(runs, 3, base64));
	assert_string_equal(base64, "+WtpfXy3k41SWi8xqvFh0A==");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aws_get_object),
		cmocka_unit_test(aws_put_object),
		cmocka_unit_test(aws_bucket_requests),
		cmocka_unit_test(odd_key_token_and_spaces),
		cmocka_unit_test(day_key_follows_its_parts),
		cmocka_unit_test(refuses_what_cannot_be_signed),
		cmocka_unit_test(query_is_sorted_by_encoded_bytes),
		cmocka_unit_test(digests),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
