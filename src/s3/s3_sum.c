/* Checksums of bodies: see s3_sum.h. */
#include "s3/s3_sum.h"

#include <stdio.h>
#include <string.h>

#include "s3/s3_int.h"
#include "util/base64.h"
#include "util/crc.h"
#include "util/log.h"

#define TYPE_FULL "FULL_OBJECT"

/* ---- which ---- */

/*
 * Amazon's S3 takes CRC-32C, which costs least, and keeps it with the object. Content-MD5 is what
 * all servers compare; over plain http the signature has the body's SHA-256, which is as good.
 */
static enum s3_sum fitting(const struct s3_client *c, bool has_md5)
{
	const struct s3_addr *addr = &c->target->addr;

	if (addr->aws || !has_md5)
		return S3_SUM_CRC32C;
	return addr->https || !c->settings.sign ? S3_SUM_MD5 : S3_SUM_NONE;
}

bool s3_sum_choose(struct s3_client *c, char *why, size_t why_size)
{
	char text[S3_MD5_BASE64_SIZE];
	bool has_md5 = s3_md5_base64(NULL, 0, text);

	c->sums.reads = c->settings.checksum != S3_CHECKSUM_NONE;
	switch (c->settings.checksum) {
	case S3_CHECKSUM_AUTO:
		c->sums.body = fitting(c, has_md5);
		break;
	case S3_CHECKSUM_CRC32C:
		c->sums.body = S3_SUM_CRC32C;
		break;
	case S3_CHECKSUM_MD5:
		c->sums.body = S3_SUM_MD5;
		break;
	case S3_CHECKSUM_NONE:
		break;
	}
	if (c->sums.body != S3_SUM_MD5 || has_md5)
		return true;
	snprintf(why, why_size, "OpenSSL has no MD5 here: use -o checksum=crc32c or none");
	return false;
}

static void set(struct s3_op *op, enum s3_sum sum, enum s3_sum_group group)
{
	if (sum == S3_SUM_NONE || op->client->sums.state[group] == S3_SUMS_REFUSED)
		return;
	op->sum = sum;
	op->sum_group = group;
	op->sum_optional = true;
}

void s3_sum_body(struct s3_op *op, enum s3_sum_group group)
{
	set(op, op->client->sums.body, group);
}

void s3_sum_upload(struct s3_op *op, const char *algorithm)
{
	if (op->client->sums.body != S3_SUM_CRC32C)
		return;
	snprintf(op->sum_text, sizeof(op->sum_text), "%s", algorithm ? algorithm : "CRC32C");
	set(op, S3_SUM_ALGORITHM, S3_SUMS_UPLOAD);
}

void s3_sum_ask(struct s3_op *op)
{
	if (op->client->sums.reads)
		set(op, S3_SUM_MODE, S3_SUMS_READ);
}

/* ---- what the server thinks of it ---- */

void s3_sum_served(struct s3_op *op)
{
	struct s3_sums *sums = &op->client->sums;

	if (!op->sum_optional || sums->state[op->sum_group] != S3_SUMS_UNKNOWN)
		return;
	if (op->sum != S3_SUM_NONE) {
		sums->state[op->sum_group] = S3_SUMS_TAKEN;
		return;
	}
	sums->state[op->sum_group] = S3_SUMS_REFUSED;
	if (!sums->told)
		log_warn("the server of bucket %s refuses checksums (%s of %s): going on without "
			 "them, as with -o checksum=none",
			op->client->settings.bucket, op->sum_refusal, op->type->name);
	sums->told = true;
}

bool s3_sum_correct(struct s3_op *op)
{
	int status = op->err.http_status;

	if (op->sum == S3_SUM_NONE || !op->sum_optional || (status != 400 && status != 501) ||
		(op->err.cls != S3_INVALID && op->err.cls != S3_FAILED) ||
		op->client->sums.state[op->sum_group] == S3_SUMS_TAKEN)
		return false;
	snprintf(op->sum_refusal, sizeof(op->sum_refusal), "%s", op->err.code);
	op->sum = S3_SUM_NONE;
	return true;
}

/* ---- of what is sent ---- */

/* Base64 of the lowest `bytes` bytes of `crc`, the highest first. */
static void crc_text(uint64_t crc, unsigned bytes, char text[S3_SHA_BASE64_SIZE])
{
	struct buf out = BUF_INIT(S3_SHA_BASE64_SIZE);
	char raw[8];
	unsigned i;

	for (i = 0; i < bytes; i++)
		raw[i] = (char)(crc >> 8 * (bytes - 1 - i));
	base64_encode(BYTES(raw, bytes), &out);
	memcpy(text, buf_str(&out), out.len + 1);
	buf_free(&out);
}

bool s3_sum_make(struct s3_op *op)
{
	char text[S3_SHA_BASE64_SIZE];
	uint64_t crc = 0;
	size_t i;

	if ((op->sum != S3_SUM_MD5 && op->sum != S3_SUM_CRC32C) || op->sum_text[0])
		return true;
	if (op->sum == S3_SUM_MD5)
		return s3_md5_base64(op->http.runs, op->http.run_count, op->sum_text);
	for (i = 0; i < op->http.run_count; i++)
		crc = crc_add(CRC_32C, crc, op->http.runs[i]);
	crc_text(crc, 4, text);
	memcpy(op->sum_text, text, strlen(text) + 1);
	return true;
}

size_t s3_sum_headers(const struct s3_op *op, struct s3_pair pairs[S3_SUM_HEADERS])
{
	struct bytes text = BYTES_STR(op->sum_text);

	switch (op->sum) {
	case S3_SUM_NONE:
		break;
	case S3_SUM_MD5:
		pairs[0] = (struct s3_pair){BYTES_LIT("content-md5"), text};
		return 1;
	case S3_SUM_CRC32C:
		pairs[0] = (struct s3_pair){BYTES_LIT("x-amz-checksum-crc32c"), text};
		return 1;
	case S3_SUM_ALGORITHM:
		pairs[0] = (struct s3_pair){BYTES_LIT("x-amz-checksum-algorithm"), text};
		pairs[1] = (struct s3_pair){BYTES_LIT("x-amz-checksum-type"), BYTES_LIT(TYPE_FULL)};
		return 2;
	case S3_SUM_MODE:
		pairs[0] = (struct s3_pair){BYTES_LIT("x-amz-checksum-mode"), BYTES_LIT("ENABLED")};
		return 1;
	}
	return 0;
}

/* ---- of what is read ---- */

static void sum_crc32(struct bytes data, char text[S3_SHA_BASE64_SIZE])
{
	crc_text(crc_add(CRC_32, 0, data), 4, text);
}

static void sum_crc32c(struct bytes data, char text[S3_SHA_BASE64_SIZE])
{
	crc_text(crc_add(CRC_32C, 0, data), 4, text);
}

static void sum_crc64nvme(struct bytes data, char text[S3_SHA_BASE64_SIZE])
{
	crc_text(crc_add(CRC_64NVME, 0, data), 8, text);
}

/* These two are "" when OpenSSL has no such digest. */
static void sum_sha1(struct bytes data, char text[S3_SHA_BASE64_SIZE])
{
	s3_sha_base64(1, data, text);
}

static void sum_sha256(struct bytes data, char text[S3_SHA_BASE64_SIZE])
{
	s3_sha_base64(256, data, text);
}

static const struct {
	const char *header;
	const char *algorithm; /* one of which an upload in parts can have the whole's; or NULL */
	void (*sum)(struct bytes data, char text[S3_SHA_BASE64_SIZE]);
} known[] = {
	{"x-amz-checksum-crc32c", "CRC32C", sum_crc32c},
	{"x-amz-checksum-crc64nvme", "CRC64NVME", sum_crc64nvme},
	{"x-amz-checksum-crc32", "CRC32", sum_crc32},
	{"x-amz-checksum-sha256", NULL, sum_sha256},
	{"x-amz-checksum-sha1", NULL, sum_sha1},
};
#define KNOWN_COUNT (sizeof(known) / sizeof(known[0]))

const char *s3_sum_differs(const struct s3_op *op, struct bytes data)
{
	struct bytes type = s3_op_answer(op, "x-amz-checksum-type"), want;
	char text[S3_SHA_BASE64_SIZE];
	size_t i;

	if (type.len && !bytes_equal(type, BYTES_LIT(TYPE_FULL)))
		return NULL;
	for (i = 0; i < KNOWN_COUNT; i++) {
		want = s3_op_answer(op, known[i].header);
		if (!want.len || memchr(want.ptr, '-', want.len))
			continue;
		known[i].sum(data, text);
		if (text[0])
			return bytes_equal(want, BYTES_STR(text)) ? NULL : known[i].header;
	}
	return NULL;
}

const char *s3_sum_algorithm(const struct s3_op *op)
{
	size_t i;

	for (i = 0; i < KNOWN_COUNT; i++)
		if (known[i].algorithm && s3_op_answer(op, known[i].header).len)
			return known[i].algorithm;
	return NULL;
}
