/*
 * Digests: see hash.h. EVP contexts and algorithms are fetched once, because fetching them anew for
 * every request costs more than hashing a request does. One thread, process-wide state.
 */
#include "hash.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/mem.h"

static EVP_MD *md5_md, *sha1_md, *sha256_md;
static EVP_MD_CTX *once_ctx, *md5_ctx;

static void must(int ok)
{
	if (ok)
		return;
	fputs("s3d: OpenSSL refuses a digest it must have (MD5, SHA-1, SHA-256)\n", stderr);
	abort();
}

void hash_open(void)
{
	md5_md = EVP_MD_fetch(NULL, "MD5", NULL);
	sha1_md = EVP_MD_fetch(NULL, "SHA1", NULL);
	sha256_md = EVP_MD_fetch(NULL, "SHA256", NULL);
	once_ctx = EVP_MD_CTX_new();
	md5_ctx = EVP_MD_CTX_new();
	must(md5_md && sha1_md && sha256_md && once_ctx && md5_ctx);
}

void hash_close(void)
{
	EVP_MD_CTX_free(once_ctx);
	EVP_MD_CTX_free(md5_ctx);
	EVP_MD_free(md5_md);
	EVP_MD_free(sha1_md);
	EVP_MD_free(sha256_md);
}

static void once(const EVP_MD *md, const void *p, size_t len, uint8_t *out)
{
	must(EVP_DigestInit_ex(once_ctx, md, NULL) && EVP_DigestUpdate(once_ctx, p, len) &&
		EVP_DigestFinal_ex(once_ctx, out, NULL));
}

void hash_md5(const void *p, size_t len, uint8_t out[MD5_LEN])
{
	once(md5_md, p, len, out);
}

void hash_sha1(const void *p, size_t len, uint8_t out[20])
{
	once(sha1_md, p, len, out);
}

void hash_sha256(const void *p, size_t len, uint8_t out[SHA256_LEN])
{
	once(sha256_md, p, len, out);
}

void hash_hmac(const void *key, size_t key_len, const void *p, size_t len, uint8_t out[SHA256_LEN])
{
	uint8_t block[64] = {0}, pad[64], inner[SHA256_LEN];

	if (key_len > sizeof(block))
		hash_sha256(key, key_len, block);
	else
		memcpy(block, key, key_len);
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] = block[i] ^ 0x36;
	must(EVP_DigestInit_ex(once_ctx, sha256_md, NULL) &&
		EVP_DigestUpdate(once_ctx, pad, sizeof(pad)) &&
		EVP_DigestUpdate(once_ctx, p, len) && EVP_DigestFinal_ex(once_ctx, inner, NULL));
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] = block[i] ^ 0x5c;
	must(EVP_DigestInit_ex(once_ctx, sha256_md, NULL) &&
		EVP_DigestUpdate(once_ctx, pad, sizeof(pad)) &&
		EVP_DigestUpdate(once_ctx, inner, sizeof(inner)) &&
		EVP_DigestFinal_ex(once_ctx, out, NULL));
}

void hash_md5_begin(void)
{
	must(EVP_DigestInit_ex(md5_ctx, md5_md, NULL));
}

void hash_md5_add(const void *p, size_t len)
{
	must(EVP_DigestUpdate(md5_ctx, p, len));
}

void hash_md5_end(uint8_t out[MD5_LEN])
{
	must(EVP_DigestFinal_ex(md5_ctx, out, NULL));
}

void hash_hex(const uint8_t *p, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * len] = '\0';
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int hash_unhex(const char *hex, uint8_t *out, size_t len)
{
	if (strlen(hex) != 2 * len)
		return -1;
	for (size_t i = 0; i < len; i++) {
		int hi = nibble(hex[2 * i]), lo = nibble(hex[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -1;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

void hash_base64(const uint8_t *p, size_t len, char *out)
{
	EVP_EncodeBlock((unsigned char *)out, p, (int)len);
}

uint8_t *hash_unbase64(const char *text, size_t *ret_len)
{
	size_t len = strlen(text), pad = 0;
	uint8_t *out;
	int n;

	if (len % 4 || len > 1u << 30)
		return NULL;
	while (pad < 2 && pad < len && text[len - 1 - pad] == '=')
		pad++;
	out = mem_calloc(1, len / 4 * 3 + 1);
	n = EVP_DecodeBlock(out, (const unsigned char *)text, (int)len);
	if (n < (int)pad) {
		free(out);
		return NULL;
	}
	*ret_len = (size_t)n - pad;
	return out;
}

/* Bit-reflected CRC with all ones before and after, the form of all three. */
static uint64_t crc(uint64_t table[256], uint64_t poly, uint64_t mask, const void *p, size_t len)
{
	const uint8_t *s = p;
	uint64_t c = mask;

	if (!table[1]) {
		for (unsigned i = 0; i < 256; i++) {
			uint64_t v = i;

			for (int k = 0; k < 8; k++)
				v = v & 1 ? v >> 1 ^ poly : v >> 1;
			table[i] = v;
		}
	}
	for (size_t i = 0; i < len; i++)
		c = table[(c ^ s[i]) & 255] ^ c >> 8;
	return c ^ mask;
}

uint64_t hash_crc32(const void *p, size_t len)
{
	static uint64_t table[256];

	return crc(table, 0xedb88320u, 0xffffffffu, p, len);
}

uint64_t hash_crc32c(const void *p, size_t len)
{
	static uint64_t table[256];

	return crc(table, 0x82f63b78u, 0xffffffffu, p, len);
}

uint64_t hash_crc64nvme(const void *p, size_t len)
{
	static uint64_t table[256];

	return crc(table, 0x9a6c9329ac4bc9b5u, UINT64_MAX, p, len);
}
