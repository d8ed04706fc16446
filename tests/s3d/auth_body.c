/* Body digests: x-amz-content-sha256, Content-MD5, x-amz-checksum-*. See auth.h. One thread. */
#include "auth.h"

#include <stdio.h>
#include <string.h>

#include "req.h"
#include "s3d.h"

static void base64_be(uint64_t v, unsigned bytes, char *out)
{
	uint8_t raw[8];

	for (unsigned i = 0; i < bytes; i++)
		raw[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
	hash_base64(raw, bytes, out);
}

static void sum_crc32(const void *p, size_t len, char *out)
{
	base64_be(hash_crc32(p, len), 4, out);
}

static void sum_crc32c(const void *p, size_t len, char *out)
{
	base64_be(hash_crc32c(p, len), 4, out);
}

static void sum_crc64nvme(const void *p, size_t len, char *out)
{
	base64_be(hash_crc64nvme(p, len), 8, out);
}

static void sum_sha1(const void *p, size_t len, char *out)
{
	uint8_t raw[20];

	hash_sha1(p, len, raw);
	hash_base64(raw, sizeof(raw), out);
}

static void sum_sha256(const void *p, size_t len, char *out)
{
	uint8_t raw[SHA256_LEN];

	hash_sha256(p, len, raw);
	hash_base64(raw, sizeof(raw), out);
}

static void sum_md5(const void *p, size_t len, char *out)
{
	uint8_t raw[MD5_LEN];

	hash_md5(p, len, raw);
	hash_base64(raw, sizeof(raw), out);
}

static const struct {
	const char *header;
	void (*sum)(const void *p, size_t len, char *out); /* base64, at most 44 characters */
} sums[] = {
	{"Content-MD5", sum_md5},
	{"x-amz-checksum-crc32", sum_crc32},
	{"x-amz-checksum-crc32c", sum_crc32c},
	{"x-amz-checksum-crc64nvme", sum_crc64nvme},
	{"x-amz-checksum-sha1", sum_sha1},
	{"x-amz-checksum-sha256", sum_sha256},
};

bool auth_has_body_digest(const struct req *r)
{
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
		if (req_header(r, sums[i].header))
			return true;
	return false;
}

static bool check_payload_hash(struct req *r)
{
	const char *want = req_header(r, "x-amz-content-sha256");
	uint8_t raw[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];

	if (!want || !strcmp(want, "UNSIGNED-PAYLOAD"))
		return true;
	if (!strncmp(want, "STREAMING-", 10)) {
		req_error(r, "NotImplemented", "This server does not take aws-chunked bodies");
		return false;
	}
	hash_sha256(r->body ? r->body : "", r->body_len, raw);
	hash_hex(raw, sizeof(raw), hex);
	if (!strcmp(want, hex))
		return true;
	req_error(r, "XAmzContentSHA256Mismatch", NULL);
	return false;
}

bool auth_check_body(struct req *r)
{
	const char *encoding = req_header(r, "Content-Encoding");
	char text[64];

	if (encoding && strstr(encoding, "aws-chunked")) {
		req_error(r, "NotImplemented", "This server does not take aws-chunked bodies");
		return false;
	}
	if (!check_payload_hash(r))
		return false;
	/* Complete sends the checksum of the object, not of its own body. */
	if (r->op == OP_COMPLETE_MULTIPART_UPLOAD)
		return true;
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
		const char *want = req_header(r, sums[i].header);

		if (!want)
			continue;
		sums[i].sum(r->body ? r->body : "", r->body_len, text);
		if (strcmp(text, want)) {
			req_error(r, "BadDigest", NULL);
			return false;
		}
	}
	return true;
}
