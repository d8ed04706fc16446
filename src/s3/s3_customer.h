/*
 * Keys of SSE-C: S3 encrypts with a key that comes with each request, and forgets it. A key is
 * never changed once made, and counted: a copy under way keeps its source's, whatever becomes of
 * the client. Made, counted and freed on the core thread; any thread that a holder has handed it to
 * may read it. Source: S3 user guide, "Using server-side encryption with customer-provided keys".
 */
#ifndef S3_S3_CUSTOMER_H
#define S3_S3_CUSTOMER_H

#include "s3/s3.h"
#include "s3/s3_sign.h"

#define S3_CUSTOMER_KEY_BYTES 32
#define S3_CUSTOMER_BASE64_SIZE 45

struct s3_customer_key {
	char base64[S3_CUSTOMER_BASE64_SIZE];
	char md5[S3_MD5_BASE64_SIZE]; /* of the bytes */
	unsigned refs;                /* core thread */
};

/* Of 32 bytes in base64. One reference, the caller's. NULL: it is no such text. */
struct s3_customer_key *s3_customer_key_new(const char *base64);
struct s3_customer_key *s3_customer_key_ref(struct s3_customer_key *key); /* NULL is fine */
/* The last one wipes it. NULL is fine. */
void s3_customer_key_unref(struct s3_customer_key *key);

/* Its three headers, x-amz-server-side-encryption-customer-*, or those about a copy's source, which
 * borrow from it. Returns their number, 0 when `key` is NULL. */
#define S3_CUSTOMER_HEADERS 3
size_t s3_customer_headers(const struct s3_customer_key *key, bool is_source,
	struct s3_pair pairs[S3_CUSTOMER_HEADERS]);

#endif
