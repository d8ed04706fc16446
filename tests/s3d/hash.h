/* Digests over OpenSSL, for ETags, signatures and checksums. One thread: contexts are reused. */
#ifndef S3D_HASH_H
#define S3D_HASH_H

#include <stddef.h>
#include <stdint.h>

#define MD5_LEN 16
#define SHA256_LEN 32

/* Makes the contexts that the others use; ends the process with a sentence when OpenSSL cannot. */
void hash_open(void);
void hash_close(void);

void hash_md5(const void *p, size_t len, uint8_t out[MD5_LEN]);
void hash_sha1(const void *p, size_t len, uint8_t out[20]);
void hash_sha256(const void *p, size_t len, uint8_t out[SHA256_LEN]);
/* HMAC-SHA256 (RFC 2104); keys longer than 64 bytes are hashed first. */
void hash_hmac(const void *key, size_t key_len, const void *p, size_t len, uint8_t out[SHA256_LEN]);

/* MD5 of something that comes in pieces: begin, add any number of times, end. One at a time. */
void hash_md5_begin(void);
void hash_md5_add(const void *p, size_t len);
void hash_md5_end(uint8_t out[MD5_LEN]);

/* Lower-case hex of `len` bytes, NUL-terminated: `out` has 2 * len + 1 bytes. */
void hash_hex(const uint8_t *p, size_t len, char *out);
/* The reverse; returns -1 when `hex` is not exactly 2 * len hex digits. */
int hash_unhex(const char *hex, uint8_t *out, size_t len);
/* Base64 with padding, NUL-terminated: `out` has 4 * ((len + 2) / 3) + 1 bytes. */
void hash_base64(const uint8_t *p, size_t len, char *out);
/* The reverse: new bytes (free) and their number, NULL when `text` is not padded base64. */
uint8_t *hash_unbase64(const char *text, size_t *ret_len);

/* Reflected CRCs as in x-amz-checksum-crc32, -crc32c and -crc64nvme. */
uint64_t hash_crc32(const void *p, size_t len);
uint64_t hash_crc32c(const void *p, size_t len);
uint64_t hash_crc64nvme(const void *p, size_t len);

#endif
