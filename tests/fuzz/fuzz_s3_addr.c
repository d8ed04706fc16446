/*
 * Fuzz target for endpoint URLs and bucket names ("URL bucket", one space), and for percent
 * encoding, which must come back as it was.
 */
#include "fuzz.h"

#include <string.h>

#include "s3/s3_addr.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *url = mem_dup(data, size), *bucket = strchr(url, ' ');
	struct s3_addr addr;
	char why[400] = "";
	int addressing;

	check_coding(BYTES((const char *)data, size));
	if (bucket)
		*bucket++ = '\0';
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
		s3_addr_free(&addr);
	}
	free(url);
	return 0;
}
