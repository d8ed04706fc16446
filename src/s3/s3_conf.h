/*
 * Settings of one client, put together from the mount options, the environment and the AWS files.
 * Core thread, before the I/O threads start (getenv is not safe against setenv).
 * Precedence as in the AWS CLI user guide, "Configuration and credential precedence": option,
 * environment, files. Files: AWS SDKs and Tools reference guide, "Shared config and credentials
 * files" and "Service-specific endpoints".
 */
#ifndef S3_S3_CONF_H
#define S3_S3_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "s3/s3.h"
#include "s3/s3_addr.h"
#include "s3/s3_creds.h"

/* What the files say about one profile. Owned strings, NULL where nothing is said. */
struct s3_profile {
	char *name;
	char *access_key_id, *secret_access_key, *session_token;
	char *region;
	char *endpoint_url;    /* for every service */
	char *s3_endpoint_url; /* of the profile's `services` section; wins */
	char *ca_bundle;
	char *services;           /* name of the [services NAME] section */
	char *source_unsupported; /* a way to credentials that we do not take ("sso_session", ...)
				   */
	char *role;               /* role_arn: wins over keys in the files, and we cannot take it */
	bool ignore_endpoints;    /* ignore_configured_endpoint_urls = true */
	bool found;               /* in at least one of the files */
};

/*
 * Reads both files for the profile `name`. The credentials file wins over the config file where
 * both give keys. A file that is not there counts as empty. False with a sentence in `why` when a
 * file cannot be read or a line makes no sense. Free with s3_profile_free in either case.
 */
bool s3_profile_load(struct s3_profile *profile, const char *name, const char *credentials_path,
	const char *config_path, char *why, size_t why_size);
void s3_profile_free(struct s3_profile *profile);

struct s3_settings {
	char *bucket;
	char *region;
	bool region_given; /* false: "us-east-1" because nobody said otherwise */
	struct s3_addr addr;
	struct s3_creds creds; /* empty with !sign */
	bool sign;
	char *ca_bundle;     /* NULL: libcurl's default */
	unsigned io_threads; /* at least 1 */
	unsigned connections_max;
	int64_t connect_timeout_ms;
	int64_t stall_timeout_ms;
};

/*
 * Resolves all that `config` leaves open. False with one sentence for the user in `why`, which
 * names the thing and the remedy; `settings` is empty then. Secrets never appear in `why`.
 */
bool s3_settings_load(
	const struct s3_config *config, struct s3_settings *settings, char *why, size_t why_size);
/* Wipes the secrets, frees the strings. */
void s3_settings_free(struct s3_settings *settings);

#endif
