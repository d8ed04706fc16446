/*
 * Signature Version 4: see s3_sign.h. A signer has one owner at a time and owns its buffers and the
 * day key, which are wiped when it is freed or the key changes.
 */
#include "s3/s3_sign.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/opensslv.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "s3/s3_uri.h"
#include "util/mem.h"

#define SHA256_LEN 32
#define SHA256_BLOCK 64
#define CANONICAL_BYTES_MAX ((size_t)256 * 1024)
/* S3 adds three x-amz- headers of its own to those of the caller. */
#define OWN_HEADERS 3

struct header {
	size_t name_start, name_len; /* in struct s3_signer's names, in lower case */
	const char *name;
	struct bytes value;
};

struct s3_signer {
	const EVP_MD *sha256;
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
	EVP_MD *fetched; /* looking it up for each use would cost more than the digest */
#endif
	EVP_MD_CTX *scratch, *inner,
		*outer; /* inner, outer: HMAC half done, keyed with the day key */
	struct buf names, canonical;
	struct header headers[S3_SIGN_HEADERS_MAX + OWN_HEADERS];
	size_t header_count;
	/* What the day key was made of. */
	char *secret, *region, *service;
	char date[9];
};

static void *crypto_malloc(size_t size, const char *file, int line)
{
	(void)file, (void)line;
	return mem_lib_malloc(size);
}

static void *crypto_realloc(void *ptr, size_t size, const char *file, int line)
{
	(void)file, (void)line;
	return mem_lib_realloc(ptr, size);
}

static void crypto_free(void *ptr, const char *file, int line)
{
	(void)file, (void)line;
	free(ptr);
}

void s3_crypto_memory(void)
{
	/* Refused when something was allocated already: that then comes from where it did. */
	(void)CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free);
}

struct s3_signer *s3_signer_new(void)
{
	struct s3_signer *s = mem_zalloc(sizeof(*s));

#if OPENSSL_VERSION_NUMBER >= 0x30000000L
	s->sha256 = s->fetched = EVP_MD_fetch(NULL, "SHA256", NULL);
#else
	s->sha256 = EVP_sha256();
#endif
	s->names = BUF_INIT(CANONICAL_BYTES_MAX);
	s->canonical = BUF_INIT(CANONICAL_BYTES_MAX);
	s->scratch = EVP_MD_CTX_new();
	s->inner = EVP_MD_CTX_new();
	s->outer = EVP_MD_CTX_new();
	if (!s->sha256 || !s->scratch || !s->inner || !s->outer) {
		s3_signer_free(s);
		return NULL;
	}
	return s;
}

static void forget_key(struct s3_signer *s)
{
	s3_secret_free(s->secret);
	free(s->region);
	free(s->service);
	s->secret = s->region = s->service = NULL;
	/* Resetting wipes the digest's state. */
	EVP_MD_CTX_reset(s->inner);
	EVP_MD_CTX_reset(s->outer);
	EVP_MD_CTX_reset(s->scratch);
}

void s3_signer_free(struct s3_signer *s)
{
	if (!s)
		return;
	forget_key(s);
	/* The session token is among the signed headers. */
	if (s->canonical.ptr)
		OPENSSL_cleanse(s->canonical.ptr, s->canonical.cap);
	buf_free(&s->canonical);
	buf_free(&s->names);
	EVP_MD_CTX_free(s->inner);
	EVP_MD_CTX_free(s->outer);
	EVP_MD_CTX_free(s->scratch);
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
	EVP_MD_free(s->fetched);
#endif
	free(s);
}

/* ---- digests --------------------------------------------------------------------------------- */

static void to_hex(const unsigned char *digest, size_t len, char *hex)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		hex[2 * i] = digits[digest[i] >> 4];
		hex[2 * i + 1] = digits[digest[i] & 15];
	}
	hex[2 * len] = '\0';
}

static bool digest_runs(
	const EVP_MD *md, const struct bytes *runs, size_t count, unsigned char *digest)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && md && EVP_DigestInit_ex(ctx, md, NULL);
	size_t i;

	for (i = 0; ok && i < count; i++)
		ok = EVP_DigestUpdate(ctx, runs[i].ptr, runs[i].len);
	ok = ok && EVP_DigestFinal_ex(ctx, digest, NULL);
	EVP_MD_CTX_free(ctx);
	return ok;
}

bool s3_sha256_hex(const struct bytes *runs, size_t count, char hex[S3_SHA256_HEX_SIZE])
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	hex[0] = '\0';
	if (!digest_runs(EVP_sha256(), runs, count, digest))
		return false;
	to_hex(digest, SHA256_LEN, hex);
	return true;
}

bool s3_md5_base64(const struct bytes *runs, size_t count, char text[S3_MD5_BASE64_SIZE])
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	text[0] = '\0';
	if (!digest_runs(EVP_md5(), runs, count, digest))
		return false;
	return EVP_EncodeBlock((unsigned char *)text, digest, 16) == S3_MD5_BASE64_SIZE - 1;
}

bool s3_sha_base64(unsigned bits, struct bytes data, char text[S3_SHA_BASE64_SIZE])
{
	const EVP_MD *md = bits == 1 ? EVP_sha1() : EVP_sha256();
	unsigned char digest[EVP_MAX_MD_SIZE];

	text[0] = '\0';
	if (!digest_runs(md, &data, 1, digest))
		return false;
	EVP_EncodeBlock((unsigned char *)text, digest, EVP_MD_get_size(md));
	return true;
}

bool s3_md5_hex(const struct bytes *runs, size_t count, char hex[S3_MD5_HEX_SIZE])
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	hex[0] = '\0';
	if (!digest_runs(EVP_md5(), runs, count, digest))
		return false;
	to_hex(digest, 16, hex);
	return true;
}

bool s3_sha1_hex(const struct bytes *runs, size_t count, char hex[S3_SHA1_HEX_SIZE])
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	hex[0] = '\0';
	if (!digest_runs(EVP_sha1(), runs, count, digest))
		return false;
	to_hex(digest, 20, hex);
	return true;
}

static bool hmac(const struct s3_signer *s, const void *key, size_t key_len, struct bytes data,
	unsigned char out[SHA256_LEN])
{
	return HMAC(s->sha256, key, (int)key_len, (const unsigned char *)data.ptr, data.len, out,
		       NULL) != NULL;
}

static bool start_hmac(struct s3_signer *s, EVP_MD_CTX *ctx, const unsigned char *key, int pad)
{
	unsigned char block[SHA256_BLOCK];
	size_t i;
	bool ok;

	for (i = 0; i < sizeof(block); i++)
		block[i] = (unsigned char)((i < SHA256_LEN ? key[i] : 0) ^ pad);
	ok = EVP_DigestInit_ex(ctx, s->sha256, NULL) && EVP_DigestUpdate(ctx, block, sizeof(block));
	OPENSSL_cleanse(block, sizeof(block));
	return ok;
}

/* HMAC of `data` with the day key: RFC 2104, from the two half-done digests. OpenSSL's HMAC() looks
 * its algorithm up for each call, which costs more than all else here. */
static bool day_hmac(struct s3_signer *s, struct bytes data, unsigned char mac[SHA256_LEN])
{
	return EVP_MD_CTX_copy_ex(s->scratch, s->inner) &&
	       EVP_DigestUpdate(s->scratch, data.ptr, data.len) &&
	       EVP_DigestFinal_ex(s->scratch, mac, NULL) &&
	       EVP_MD_CTX_copy_ex(s->scratch, s->outer) &&
	       EVP_DigestUpdate(s->scratch, mac, SHA256_LEN) &&
	       EVP_DigestFinal_ex(s->scratch, mac, NULL);
}

/* The key of (secret, date, region, service): four HMACs, so it is kept until one changes. */
static bool use_day_key(struct s3_signer *s, const char *secret, const char *date,
	const char *region, const char *service)
{
	unsigned char key[SHA256_LEN];
	char *first;
	bool ok;

	if (s->secret && !strcmp(s->secret, secret) && !strcmp(s->date, date) &&
		!strcmp(s->region, region) && !strcmp(s->service, service))
		return true;
	forget_key(s);
	first = mem_printf("AWS4%s", secret);
	ok = hmac(s, first, strlen(first), BYTES_STR(date), key) &&
	     hmac(s, key, SHA256_LEN, BYTES_STR(region), key) &&
	     hmac(s, key, SHA256_LEN, BYTES_STR(service), key) &&
	     hmac(s, key, SHA256_LEN, BYTES_LIT("aws4_request"), key) &&
	     start_hmac(s, s->inner, key, 0x36) && start_hmac(s, s->outer, key, 0x5c);
	s3_secret_free(first);
	OPENSSL_cleanse(key, sizeof(key));
	if (!ok)
		return false;
	s->secret = mem_strdup(secret);
	s->region = mem_strdup(region);
	s->service = mem_strdup(service);
	memcpy(s->date, date, sizeof(s->date));
	return true;
}

/* ---- headers --------------------------------------------------------------------------------- */

static void add_header(struct s3_signer *s, struct bytes name, struct bytes value)
{
	struct header *h = &s->headers[s->header_count++];
	size_t i;

	h->name_start = s->names.len;
	h->name_len = name.len;
	h->value = value;
	buf_addb(&s->names, name);
	for (i = h->name_start; i < s->names.len; i++)
		if (s->names.ptr[i] >= 'A' && s->names.ptr[i] <= 'Z')
			s->names.ptr[i] = (char)(s->names.ptr[i] - 'A' + 'a');
}

static int compare_headers(const void *a, const void *b)
{
	const struct header *x = a, *y = b;

	return bytes_cmp(BYTES(x->name, x->name_len), BYTES(y->name, y->name_len));
}

/* Gathers and sorts the headers. False when there are too many, or two of one name. */
static bool gather_headers(struct s3_signer *s, const struct s3_creds *creds,
	const struct s3_sign_input *in, const char *amz_date)
{
	size_t i;

	if (in->header_count > S3_SIGN_HEADERS_MAX)
		return false;
	s->header_count = 0;
	buf_cut(&s->names, 0);
	for (i = 0; i < in->header_count; i++)
		add_header(s, in->headers[i].name, in->headers[i].value);
	add_header(s, BYTES_LIT("x-amz-content-sha256"), BYTES_STR(in->payload_hash));
	add_header(s, BYTES_LIT("x-amz-date"), BYTES_STR(amz_date));
	if (creds->session_token)
		add_header(s, BYTES_LIT("x-amz-security-token"), BYTES_STR(creds->session_token));
	if (s->names.failed)
		return false;
	for (i = 0; i < s->header_count; i++)
		s->headers[i].name = s->names.ptr + s->headers[i].name_start;
	qsort(s->headers, s->header_count, sizeof(s->headers[0]), compare_headers);
	for (i = 1; i < s->header_count; i++)
		if (!compare_headers(&s->headers[i - 1], &s->headers[i]))
			return false;
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Without space at the ends, runs of spaces within as one: what AWS's signers do. */
static void add_header_value(struct buf *out, struct bytes value)
{
	size_t i = 0, word;
	bool first = true;

	for (;;) {
		while (i < value.len && is_blank(value.ptr[i]))
			i++;
		if (i == value.len)
			return;
		word = i;
		while (i < value.len && !is_blank(value.ptr[i]))
			i++;
		if (!first)
			buf_addc(out, ' ');
		buf_add(out, value.ptr + word, i - word);
		first = false;
	}
}

static void add_signed_names(const struct s3_signer *s, struct buf *out)
{
	size_t i;

	for (i = 0; i < s->header_count; i++) {
		if (i)
			buf_addc(out, ';');
		buf_add(out, s->headers[i].name, s->headers[i].name_len);
	}
}

/* ---- the signature --------------------------------------------------------------------------- */

static bool format_date(int64_t now_ms, char amz_date[17])
{
	time_t seconds = (time_t)(now_ms / 1000);
	struct tm tm;

	if (now_ms < 0 || !gmtime_r(&seconds, &tm) || tm.tm_year + 1900 > 9999)
		return false;
	return strftime(amz_date, 17, "%Y%m%dT%H%M%SZ", &tm) == 16;
}

/* Makes the canonical request in s->canonical and its digest. */
static bool digest_request(struct s3_signer *s, const struct s3_sign_input *in, char *hex)
{
	struct buf *c = &s->canonical;
	unsigned char digest[SHA256_LEN];
	size_t i;

	buf_cut(c, 0);
	buf_adds(c, in->method);
	buf_addc(c, '\n');
	buf_addb(c, in->path);
	buf_addc(c, '\n');
	buf_addb(c, in->query);
	buf_addc(c, '\n');
	for (i = 0; i < s->header_count; i++) {
		buf_add(c, s->headers[i].name, s->headers[i].name_len);
		buf_addc(c, ':');
		add_header_value(c, s->headers[i].value);
		buf_addc(c, '\n');
	}
	buf_addc(c, '\n');
	add_signed_names(s, c);
	buf_addc(c, '\n');
	buf_adds(c, in->payload_hash);
	if (c->failed || !EVP_DigestInit_ex(s->scratch, s->sha256, NULL) ||
		!EVP_DigestUpdate(s->scratch, c->ptr, c->len) ||
		!EVP_DigestFinal_ex(s->scratch, digest, NULL))
		return false;
	to_hex(digest, sizeof(digest), hex);
	return true;
}

/* Signs the string to sign, which is made in s->canonical. */
static bool sign_digest(struct s3_signer *s, const struct s3_sign_input *in, const char *amz_date,
	const char *request_hex, char *signature)
{
	struct buf *c = &s->canonical;
	unsigned char mac[SHA256_LEN];

	buf_cut(c, 0);
	buf_adds(c, "AWS4-HMAC-SHA256\n");
	buf_adds(c, amz_date);
	buf_addc(c, '\n');
	buf_adds(c, s->date);
	buf_addc(c, '/');
	buf_adds(c, in->region);
	buf_addc(c, '/');
	buf_adds(c, s->service);
	buf_adds(c, "/aws4_request\n");
	buf_adds(c, request_hex);
	if (c->failed || !day_hmac(s, buf_bytes(c), mac))
		return false;
	to_hex(mac, sizeof(mac), signature);
	return true;
}

bool s3_sign(struct s3_signer *s, const struct s3_creds *creds, const struct s3_sign_input *in,
	struct s3_sign_output *out)
{
	char request_hex[S3_SHA256_HEX_SIZE], signature[S3_SHA256_HEX_SIZE], date[9];
	struct buf *auth = &out->authorization;

	buf_cut(auth, 0);
	if (!creds->access_key_id || !creds->secret_access_key)
		return false;
	if (!format_date(in->now_ms, out->amz_date))
		return false;
	memcpy(date, out->amz_date, 8);
	date[8] = '\0';
	if (!use_day_key(s, creds->secret_access_key, date, in->region,
		    in->service ? in->service : "s3") ||
		!gather_headers(s, creds, in, out->amz_date) ||
		!digest_request(s, in, request_hex) ||
		!sign_digest(s, in, out->amz_date, request_hex, signature))
		return false;
	buf_adds(auth, "AWS4-HMAC-SHA256 Credential=");
	buf_adds(auth, creds->access_key_id);
	buf_addc(auth, '/');
	buf_adds(auth, date);
	buf_addc(auth, '/');
	buf_adds(auth, in->region);
	buf_addc(auth, '/');
	buf_adds(auth, s->service);
	buf_adds(auth, "/aws4_request,SignedHeaders=");
	add_signed_names(s, auth);
	buf_adds(auth, ",Signature=");
	buf_adds(auth, signature);
	return !auth->failed;
}

/* ---- the query ------------------------------------------------------------------------------- */

struct encoded_pair {
	size_t start, name_len, len; /* "name=value" in the scratch buffer */
	struct bytes name, value;
};

static int compare_pairs(const void *a, const void *b)
{
	const struct encoded_pair *x = a, *y = b;
	int c = bytes_cmp(x->name, y->name);

	return c ? c : bytes_cmp(x->value, y->value);
}

void s3_query_build(struct buf *out, const struct s3_pair *pairs, size_t count)
{
	struct encoded_pair encoded[S3_QUERY_MAX];
	struct buf scratch = BUF_INIT(out->max);
	size_t i;

	if (count > S3_QUERY_MAX) {
		out->failed = true;
		return;
	}
	for (i = 0; i < count; i++) {
		encoded[i].start = scratch.len;
		s3_uri_query(&scratch, pairs[i].name);
		encoded[i].name_len = scratch.len - encoded[i].start;
		buf_addc(&scratch, '=');
		s3_uri_query(&scratch, pairs[i].value);
		encoded[i].len = scratch.len - encoded[i].start;
	}
	for (i = 0; i < count && !scratch.failed; i++) {
		const char *text = scratch.ptr + encoded[i].start;
		size_t name_len = encoded[i].name_len;

		encoded[i].name = BYTES(text, name_len);
		encoded[i].value = BYTES(text + name_len + 1, encoded[i].len - name_len - 1);
	}
	if (scratch.failed) {
		out->failed = true;
	} else {
		qsort(encoded, count, sizeof(encoded[0]), compare_pairs);
		for (i = 0; i < count; i++) {
			if (i)
				buf_addc(out, '&');
			buf_add(out, encoded[i].name.ptr, encoded[i].len);
		}
	}
	buf_free(&scratch);
}
