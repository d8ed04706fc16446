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
#include "s3/s3_customer.h"
#include "s3/s3_source.h"

struct s3_settings {
	char *bucket;
	char *region;
	bool region_given; /* false: "us-east-1" because nobody said otherwise */
	int addressing;    /* enum s3_config's */
	bool dualstack, fips, accelerate;
	struct s3_addr addr;
	bool sign;
	struct s3_chain chain;    /* empty with !sign: what another choice is made from */
	struct s3_source *source; /* NULL with !sign */
	char *ca_bundle;          /* NULL: libcurl's default */
	enum s3_checksum checksum;
	bool requester_pays;
	char *bucket_owner;               /* NULL: any */
	int64_t version_at_ms;            /* 0: now */
	struct s3_object_settings object; /* its strings are owned */
	struct s3_customer_key *customer; /* NULL: none */
	unsigned io_threads;              /* at least 1 */
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
/* The address of its bucket at another endpoint or in another region: s3_addr_make. */
bool s3_settings_addr(const struct s3_settings *settings, const char *endpoint_url,
	const char *region, struct s3_addr *addr, char *why, size_t why_size);
void s3_settings_free(struct s3_settings *settings);

#endif
