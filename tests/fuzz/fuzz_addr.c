/*
 * Fuzz target for endpoint URLs and the names of buckets and access points ("URL bucket", one
 * space), for the keys in their URLs, and for percent encoding, which must come back as it was.
 */
#include "fuzz.h"

#include <string.h>

#include "s3/s3_addr.h"
#include "s3/s3_arn.h"
#include "s3/s3_uri.h"
#include "util/mem.h"

static void check_coding(struct bytes in)
{
	struct buf encoded = BUF_INIT(in.len * 3), decoded = BUF_INIT(in.len * 3);

	s3_uri_path(&encoded, in);
	s3_uri_decode(&decoded, buf_bytes(&encoded));
	FUZZ_REQUIRE(!encoded.failed && bytes_equal(buf_bytes(&decoded), in));
	buf_cut(&decoded, 0);
	s3_uri_decode(&decoded, in);
	FUZZ_REQUIRE(!decoded.failed && decoded.len <= in.len);
	buf_free(&encoded);
	buf_free(&decoded);
}

static void check_arn(const char *text)
{
	struct s3_arn arn;
	char why[400] = "";

	if (!s3_arn_parse(text, &arn, why, sizeof(why))) {
		FUZZ_REQUIRE(why[0]);
		return;
	}
	FUZZ_REQUIRE(s3_is_arn(text) && !s3_bucket_ok(text));
	/* All three become part of a host's name. */
	FUZZ_REQUIRE(strlen(arn.account) == 12 && arn.region[0] && strlen(arn.name) >= 3);
	FUZZ_REQUIRE(!strpbrk(arn.region, "./:@") && !strpbrk(arn.name, "./:@"));
}

/* A key's path is below the bucket's: nothing in a key leads out of it, or ends the path. */
static void check_path(const struct s3_addr *addr, struct bytes key)
{
	struct buf path = BUF_INIT(key.len * 3 + strlen(addr->path_prefix) + 1);
	size_t n = strlen(addr->path_prefix), i;

	s3_addr_path(addr, key, &path);
	FUZZ_REQUIRE(!path.failed && path.len >= n && !memcmp(path.ptr, addr->path_prefix, n));
	FUZZ_REQUIRE(path.ptr[0] == '/' && (path.len == n || path.ptr[n] == '/'));
	for (i = 0; i < path.len; i++)
		FUZZ_REQUIRE(path.ptr[i] > ' ' && !strchr("?#\\", path.ptr[i]));
	buf_free(&path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *url = mem_dup(data, size), *bucket = strchr(url, ' ');
	struct s3_addr addr;
	char why[400] = "";
	int addressing;

	check_coding(BYTES((const char *)data, size));
	if (bucket)
		*bucket++ = '\0';
	check_arn(bucket ? bucket : url);
	for (addressing = S3_ADDRESS_AUTO; addressing <= S3_ADDRESS_VIRTUAL; addressing++) {
		struct s3_place place = {.endpoint_url = url,
			.region = "us-east-1",
			.bucket = bucket ? bucket : "bkt",
			.addressing = addressing,
			.dualstack = size % 2,
			.fips = size % 3 == 1,
			.accelerate = size % 5 == 1};

		if (!s3_addr_make(&addr, &place, why, sizeof(why))) {
			FUZZ_REQUIRE(why[0] && !addr.host);
			continue;
		}
		/* Nothing in it can end the header or the host part of the URL. */
		FUZZ_REQUIRE(!strpbrk(addr.host, " \r\n\t/?#@\\"));
		FUZZ_REQUIRE(!strncmp(
			addr.url_base, addr.https ? "https://" : "http://", addr.https ? 8 : 7));
		check_path(&addr, BYTES((const char *)data, size));
		s3_addr_free(&addr);
	}
	free(url);
	return 0;
}
