/*
 * AWS Signature Version 4 for S3, and the two digests that S3 wants in headers.
 * Source: S3 API reference, "Authenticating Requests: Using the Authorization Header (AWS Signature
 * Version 4)". Unlike other services S3 encodes the path once and does not normalise it.
 *
 * Threads: a signer has one owner at a time (one a thread); different signers run side by side.
 */
#ifndef S3_S3_SIGN_H
#define S3_S3_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "s3/s3_creds.h"
#include "util/buf.h"
#include "util/bytes.h"

#define S3_UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"
/* SHA-256 of the empty body. */
#define S3_EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

#define S3_SHA256_HEX_SIZE 65 /* with the NUL */
#define S3_MD5_BASE64_SIZE 25 /* with the NUL */
#define S3_SHA_BASE64_SIZE 45
#define S3_MD5_HEX_SIZE 33  /* with the NUL */
#define S3_SHA1_HEX_SIZE 41 /* with the NUL */

/* A query parameter or a header, not encoded. Borrowed. */
struct s3_pair {
	struct bytes name, value;
};

/* OpenSSL allocates as util/mem.h does for libraries: before anything else of it is used. */
void s3_crypto_memory(void);

/* Holds the day key of the last (secret, date, region) and the digest contexts. */
struct s3_signer;
struct s3_signer *s3_signer_new(void); /* NULL when OpenSSL has no SHA-256 or HMAC */
/* Wipes the key; NULL is fine; returns nothing. */
void s3_signer_free(struct s3_signer *signer);

struct s3_sign_input {
	const char *method;            /* "GET" */
	struct bytes path;             /* as s3_addr_path makes it: encoded, begins with '/' */
	struct bytes query;            /* as s3_query_build makes it: encoded and sorted */
	const struct s3_pair *headers; /* all to be signed, in any order, names in any case. With
					* Host; without the three x-amz- headers of the output */
	size_t header_count;           /* at most S3_SIGN_HEADERS_MAX */
	const char *payload_hash;      /* hex SHA-256 of the body, or S3_UNSIGNED_PAYLOAD */
	const char *region;
	const char *service; /* NULL: "s3" */
	int64_t now_ms;      /* wall clock, corrected by the server's skew */
};
#define S3_SIGN_HEADERS_MAX 144

/* What must be sent: Authorization, x-amz-date, x-amz-content-sha256 (= payload_hash) and, with
 * temporary credentials, x-amz-security-token (= creds->session_token). */
struct s3_sign_output {
	char amz_date[17];        /* 20130524T000000Z */
	struct buf authorization; /* the header's value; init once with S3_SIGN_OUTPUT_INIT */
};
#define S3_SIGN_OUTPUT_INIT ((struct s3_sign_output){.authorization = BUF_INIT(16384)})

/*
 * Signs one request. `out` is reused from call to call: its buffer is cut first; free it with
 * buf_free. False when OpenSSL fails, without credentials, with too many headers or two of a name,
 * or when the result is too long or the year has not four digits: nothing may be sent then.
 */
bool s3_sign(struct s3_signer *signer, const struct s3_creds *creds, const struct s3_sign_input *in,
	struct s3_sign_output *out);

/*
 * Appends the query string that is to be sent and signed: encoded, sorted by encoded name, then
 * value; "name=" where the value is empty, as the canonical form wants it ("?uploads=" is the same
 * to S3 as "?uploads"). No '?' in front. At most S3_QUERY_MAX pairs, else `out->failed`.
 */
#define S3_QUERY_MAX 32
void s3_query_build(struct buf *out, const struct s3_pair *pairs, size_t count);

/* Digests of a body in runs. False when OpenSSL fails (MD5 is off in FIPS mode). Any thread. */
bool s3_sha256_hex(const struct bytes *runs, size_t count, char hex[S3_SHA256_HEX_SIZE]);
bool s3_md5_base64(const struct bytes *runs, size_t count, char text[S3_MD5_BASE64_SIZE]);
/* SHA-1 (bits 1) or SHA-256 (256) of one run. */
bool s3_sha_base64(unsigned bits, struct bytes data, char text[S3_SHA_BASE64_SIZE]);
bool s3_md5_hex(const struct bytes *runs, size_t count, char hex[S3_MD5_HEX_SIZE]);
bool s3_sha1_hex(const struct bytes *runs, size_t count, char hex[S3_SHA1_HEX_SIZE]);

#endif
