/* Body digests: x-amz-content-sha256, Content-MD5, x-amz-checksum-*. See auth.h. One thread. */
#include "auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "req.h"
#include "s3d.h"
#include "util/mem.h"

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
	const char *algorithm;                             /* NULL: none of an upload */
	bool of_whole; /* an upload in parts can have it of the whole */
} sums[] = {
	{"Content-MD5", sum_md5, NULL, false},
	{"x-amz-checksum-crc32", sum_crc32, "CRC32", true},
	{"x-amz-checksum-crc32c", sum_crc32c, "CRC32C", true},
	{"x-amz-checksum-crc64nvme", sum_crc64nvme, "CRC64NVME", true},
	{"x-amz-checksum-sha1", sum_sha1, "SHA1", false},
	{"x-amz-checksum-sha256", sum_sha256, "SHA256", false},
};
#define SUM_COUNT (sizeof(sums) / sizeof(sums[0]))

bool auth_has_body_digest(const struct req *r)
{
	for (size_t i = 0; i < SUM_COUNT; i++)
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
	for (size_t i = 0; i < SUM_COUNT; i++) {
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

bool auth_check_part_sum(struct req *r, const struct kvs *upload)
{
	const char *algorithm = kvs_get(upload, "x-amz-checksum-algorithm");

	for (size_t i = 0; i < SUM_COUNT; i++) {
		const char *mine = sums[i].algorithm;
		char text[120];

		if (!mine || !req_header(r, sums[i].header) ||
			(algorithm && !strcmp(algorithm, mine)))
			continue;
		snprintf(text, sizeof(text),
			"Checksum Type mismatch occurred, expected checksum Type: %.16s, actual "
			"checksum Type: %s",
			algorithm ? algorithm : "null", mine);
		req_error(r, "InvalidRequest", text);
		return false;
	}
	return true;
}

struct kvs *auth_whole_sum(const struct kvs *upload, const struct data *data)
{
	const char *algorithm = kvs_get(upload, "x-amz-checksum-algorithm");
	const char *type = kvs_get(upload, "x-amz-checksum-type");
	struct kvs *found = NULL;
	char text[64], *all;

	if (!algorithm || !type || strcmp(type, "FULL_OBJECT") || data->size > STORE_MD5_MAX)
		return NULL;
	all = mem_calloc(1, (size_t)data->size + 1);
	data_read(data, 0, all, (size_t)data->size);
	for (size_t i = 0; i < SUM_COUNT && !found; i++) {
		struct kv items[2] = {{(char *)(uintptr_t)sums[i].header, text},
			{(char *)(uintptr_t) "x-amz-checksum-type",
				(char *)(uintptr_t) "FULL_OBJECT"}};

		if (!sums[i].of_whole || strcmp(sums[i].algorithm, algorithm))
			continue;
		sums[i].sum(all, (size_t)data->size, text);
		found = kvs_new(items, 2);
	}
	free(all);
	return found;
}
