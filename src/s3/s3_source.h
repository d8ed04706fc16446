/*
 * Where credentials come from, decided from environment and files alone, in the order of the AWS
 * CLI: environment, role_arn, web identity, SSO, credentials file, credential_process, config file,
 * container, instance. A profile that was given as an option leaves the environment's keys out.
 * Nothing is asked over the network here: s3_fetch.h does that. Core thread.
 * Source: AWS CLI user guide, "Configuration and credential precedence"; AWS SDKs and Tools
 * reference guide, "Standardized credential providers".
 */
#ifndef S3_S3_SOURCE_H
#define S3_S3_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "s3/s3_creds.h"
#include "s3/s3_profile.h"

enum s3_source_kind {
	S3_SOURCE_KEYS,
	S3_SOURCE_ROLE,
	S3_SOURCE_WEB_IDENTITY,
	S3_SOURCE_SSO,
	S3_SOURCE_PROCESS,
	S3_SOURCE_CONTAINER,
	S3_SOURCE_INSTANCE
};

/* Owned strings, NULL where they have no meaning or were not set. */
struct s3_source {
	enum s3_source_kind kind;
	char *name;             /* for messages: "profile 'x'", "the environment" */
	struct s3_creds *keys;  /* KEYS */
	struct s3_source *base; /* ROLE: whose credentials ask for the role's */
	char *url;    /* STS, the SSO portal, the container's agent, the instance's service */
	char *region; /* ROLE, WEB_IDENTITY: to sign for */
	char *role_arn, *session_name, *external_id, *duration_s; /* ROLE, WEB_IDENTITY */
	char *token_file;                     /* WEB_IDENTITY; CONTAINER; SSO: the cached token */
	char *token;                          /* CONTAINER: of the environment. Secret. */
	char *account_id, *role_name, *login; /* SSO; login: the command that renews the token */
	char *command;                        /* PROCESS */
};

/* What it is decided from. */
struct s3_chain {
	char **env;
	char *profile;      /* its name; never NULL */
	bool profile_given; /* as an option */
	char *region;       /* for STS */
};

/*
 * The source, owned by the caller; NULL with a sentence for the user in `why` when there is none,
 * or it is incomplete, or of a kind that cannot be served. `why` never has secrets. `profile` is
 * chain->profile as s3_profile_load has it, or NULL: it is loaded, as those that it names are.
 */
struct s3_source *s3_source_choose(
	const struct s3_chain *chain, const struct s3_profile *profile, char *why, size_t why_size);
void s3_source_free(struct s3_source *source); /* NULL is fine */

/*
 * May the credentials of a container be asked for at this URL? Over https anywhere, over http only
 * from this machine, or from the addresses that ECS and EKS have for it. Pure.
 */
bool s3_source_container_ok(const char *url);

#endif
