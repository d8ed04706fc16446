/*
 * What the AWS files say about one profile. Core thread.
 * Source: AWS SDKs and Tools reference guide, "Shared config and credentials files", "Settings
 * reference", "Service-specific endpoints".
 */
#ifndef S3_S3_PROFILE_H
#define S3_S3_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

enum s3_service { S3_SERVICE_S3, S3_SERVICE_STS, S3_SERVICE_SSO, S3_SERVICE__COUNT };

/* Owned strings, NULL where nothing is said; named as in the files. */
struct s3_profile {
	char *name;
	char *access_key_id, *secret_access_key, *session_token;
	bool keys_are_shared; /* they stand in the credentials file */
	char *region, *ca_bundle, *services;
	char *endpoint_url; /* for every service */
	/* Of the profile's [services NAME] section; win. */
	char *service_endpoint_url[S3_SERVICE__COUNT];
	bool dualstack, fips;  /* use_dualstack_endpoint, use_fips_endpoint = true */
	bool ignore_endpoints; /* ignore_configured_endpoint_urls = true */
	char *role_arn, *source_profile, *credential_source, *mfa_serial;
	char *external_id, *role_session_name, *duration_seconds;
	char *web_identity_token_file, *credential_process, *login_session;
	/* The last two are also looked up in [sso-session NAME], which wins. */
	char *sso_session, *sso_account_id, *sso_role_name, *sso_start_url, *sso_region;
	bool found; /* in at least one of the files */
};

/*
 * Reads both files, where `env` says they are, for the profile `name`. The credentials file wins
 * over the config file. A file that is not there counts as empty. False with a sentence in `why`
 * when a file cannot be read or a line makes no sense. Free with s3_profile_free in either case.
 */
bool s3_profile_load(struct s3_profile *profile, const char *name, const char *const *env,
	char *why, size_t why_size);
void s3_profile_free(struct s3_profile *profile);
/* "neither in FILE nor in FILE", with their paths: for messages. Owned by the caller. */
char *s3_profile_nowhere(const char *const *env);

/* The URL that environment or profile set for a service; NULL: none, Amazon's. Borrowed. */
const char *s3_profile_endpoint(
	const struct s3_profile *profile, const char *const *env, enum s3_service service);

#endif
