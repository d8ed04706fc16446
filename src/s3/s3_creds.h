/*
 * One set of S3 credentials. Never changed once made, and counted: an attempt under way keeps the
 * set that it is signed with, whatever is fetched meanwhile. Made, counted and freed on the core
 * thread; the strings may be read by any thread that a holder has handed them to.
 */
#ifndef S3_S3_CREDS_H
#define S3_S3_CREDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct s3_creds {
	char *access_key_id, *secret_access_key;
	char *session_token; /* NULL: none */
	int64_t expires_ms;  /* wall clock; 0: never, as far as anybody knows */
	unsigned refs;       /* core thread */
};

/*
 * Copies the strings; `token` may be NULL. One reference, the caller's. NULL when a string cannot
 * be a credential: it would not go into a header, or into the signature's scope, as it is.
 */
struct s3_creds *s3_creds_new(
	const char *id, const char *secret, const char *token, int64_t expires_ms);
struct s3_creds *s3_creds_ref(struct s3_creds *creds);
/* The last one wipes and frees the strings. NULL is fine. */
void s3_creds_unref(struct s3_creds *creds);
/* Same keys and token, whatever they say about their end. */
bool s3_creds_same(const struct s3_creds *a, const struct s3_creds *b);

/* Wipes and frees one string that may hold a secret; NULL is fine. */
void s3_secret_free(char *secret);

#endif
