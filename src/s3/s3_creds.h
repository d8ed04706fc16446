/*
 * A set of S3 credentials, as plain owned strings. Only made and freed on the core thread; may be
 * read by any thread while it does not change.
 */
#ifndef S3_S3_CREDS_H
#define S3_S3_CREDS_H

#include <stdbool.h>
#include <stddef.h>

struct s3_creds {
	char *access_key_id;     /* NULL: there are none */
	char *secret_access_key; /* NULL exactly when access_key_id is */
	char *session_token;     /* NULL: none */
};

/* Copies the strings into `creds` (which is overwritten, not freed). NULL stays NULL. */
void s3_creds_set(struct s3_creds *creds, const char *access_key_id, const char *secret_access_key,
	const char *session_token);
/* Wipes and frees the strings; `creds` is empty after it. */
void s3_creds_free(struct s3_creds *creds);
/* Wipes and frees one string that may hold a secret; NULL is fine. */
void s3_secret_free(char *secret);

struct s3_profile;

/*
 * Takes credentials from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
 * AWS_SESSION_TOKEN) or from `profile` (NULL: there is none), in the order of the AWS CLI: the
 * environment first, unless the profile was given as an option (`profile_given`), which then is the
 * only source. True with the result in `creds`; false with a sentence in `why` when there are none
 * or only half of a pair. Core thread.
 */
bool s3_creds_find(struct s3_creds *creds, const struct s3_profile *profile, bool profile_given,
	char *why, size_t why_size);

#endif
