/* Profiles of the AWS files: see s3_profile.h. Core thread. What may be secret is wiped. */
#include "s3/s3_profile.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "s3/s3_creds.h"
#include "s3/s3_env.h"
#include "s3/s3_ini.h"
#include "util/mem.h"

static const struct {
	const char *name;
	size_t at;
} fields[] = {
	{"region", offsetof(struct s3_profile, region)},
	{"ca_bundle", offsetof(struct s3_profile, ca_bundle)},
	{"services", offsetof(struct s3_profile, services)},
	{"endpoint_url", offsetof(struct s3_profile, endpoint_url)},
	{"role_arn", offsetof(struct s3_profile, role_arn)},
	{"source_profile", offsetof(struct s3_profile, source_profile)},
	{"credential_source", offsetof(struct s3_profile, credential_source)},
	{"mfa_serial", offsetof(struct s3_profile, mfa_serial)},
	{"external_id", offsetof(struct s3_profile, external_id)},
	{"role_session_name", offsetof(struct s3_profile, role_session_name)},
	{"duration_seconds", offsetof(struct s3_profile, duration_seconds)},
	{"web_identity_token_file", offsetof(struct s3_profile, web_identity_token_file)},
	{"credential_process", offsetof(struct s3_profile, credential_process)},
	{"login_session", offsetof(struct s3_profile, login_session)},
	{"sso_session", offsetof(struct s3_profile, sso_session)},
	{"sso_account_id", offsetof(struct s3_profile, sso_account_id)},
	{"sso_role_name", offsetof(struct s3_profile, sso_role_name)},
	{"sso_start_url", offsetof(struct s3_profile, sso_start_url)},
	{"sso_region", offsetof(struct s3_profile, sso_region)},
	/* These three go together: take_keys. */
	{"aws_access_key_id", offsetof(struct s3_profile, access_key_id)},
	{"aws_secret_access_key", offsetof(struct s3_profile, secret_access_key)},
	{"aws_session_token", offsetof(struct s3_profile, session_token)},
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))
#define FREE_FIELD_COUNT (FIELD_COUNT - 3)

static const char *const service_names[] = {"s3", "sts", "sso"};
static const char *const service_variables[] = {
	"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_SSO"};

/* What one pass over a file is looking for. */
struct pass {
	struct s3_profile *profile;
	bool is_config; /* of two files the one with [profile NAME] */
};

static char **field_at(struct s3_profile *p, size_t i)
{
	return (char **)((char *)p + fields[i].at);
}

/* The last setting of a name wins, as in the AWS CLI. */
static void put(char **field, const char *value)
{
	s3_secret_free(*field);
	*field = value[0] ? mem_strdup(value) : NULL;
}

static bool is_true(const char *value)
{
	return value && !strcasecmp(value, "true");
}

/* "kind NAME" or "kind 'NAME'" or "kind \"NAME\"". */
static bool is_section(const char *section, const char *kind, const char *name)
{
	size_t kind_len = strlen(kind), name_len;
	char quote;

	if (!name || strncmp(section, kind, kind_len) || section[kind_len] != ' ')
		return false;
	name_len = strlen(name);
	section += kind_len + 1;
	quote = section[0];
	if (quote != '"' && quote != '\'')
		return !strcmp(section, name);
	section++;
	return strlen(section) == name_len + 1 && !memcmp(section, name, name_len) &&
	       section[name_len] == quote;
}

static bool is_profile(const struct pass *pass, const char *section)
{
	const char *name = pass->profile->name;

	if (!pass->is_config)
		return !strcmp(section, name);
	return is_section(section, "profile", name) ||
	       (!strcmp(name, "default") && !strcmp(section, name));
}

static void take_setting(
	void *ctx, const char *section, const char *parent, const char *name, const char *value)
{
	struct pass *pass = ctx;
	struct s3_profile *p = pass->profile;
	size_t i;

	if (!is_profile(pass, section))
		return;
	p->found = true;
	if (parent)
		return;
	for (i = 0; i < FIELD_COUNT; i++)
		if (!strcmp(name, fields[i].name))
			put(field_at(p, i), value);
	if (!strcmp(name, "ignore_configured_endpoint_urls"))
		p->ignore_endpoints = is_true(value);
	if (!strcmp(name, "use_dualstack_endpoint"))
		p->dualstack = is_true(value);
	if (!strcmp(name, "use_fips_endpoint"))
		p->fips = is_true(value);
}

/* The second pass, when the profile's `services` and `sso_session` are known. */
static void take_named(
	void *ctx, const char *section, const char *parent, const char *name, const char *value)
{
	struct s3_profile *p = ctx;
	size_t i;

	if (parent && !strcmp(name, "endpoint_url") && is_section(section, "services", p->services))
		for (i = 0; i < S3_SERVICE__COUNT; i++)
			if (!strcmp(parent, service_names[i]))
				put(&p->service_endpoint_url[i], value);
	if (parent || !is_section(section, "sso-session", p->sso_session))
		return;
	if (!strcmp(name, "sso_region"))
		put(&p->sso_region, value);
	if (!strcmp(name, "sso_start_url"))
		put(&p->sso_start_url, value);
}

/* A pair of keys in the credentials file replaces the one of the config file as a whole: a session
 * token must not meet the keys of another file. */
static void take_keys(struct s3_profile *to, struct s3_profile *from)
{
	size_t i;

	if (!from->access_key_id && !from->secret_access_key)
		return;
	to->keys_are_shared = true;
	for (i = FREE_FIELD_COUNT; i < FIELD_COUNT; i++) {
		s3_secret_free(*field_at(to, i));
		*field_at(to, i) = *field_at(from, i);
		*field_at(from, i) = NULL;
	}
}

static void take_fields(struct s3_profile *to, struct s3_profile *from)
{
	size_t i;

	for (i = 0; i < FREE_FIELD_COUNT; i++) {
		if (!*field_at(from, i))
			continue;
		s3_secret_free(*field_at(to, i));
		*field_at(to, i) = *field_at(from, i);
		*field_at(from, i) = NULL;
	}
}

/* The path in the variable, or else the one below the home directory. */
static char *aws_path(const char *const *env, const char *variable, const char *usual)
{
	const char *given = s3_env(env, variable);

	return s3_env_path(env, given ? given : usual);
}

static char *credentials_path(const char *const *env)
{
	return aws_path(env, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials");
}

static char *config_path(const char *const *env)
{
	return aws_path(env, "AWS_CONFIG_FILE", "~/.aws/config");
}

bool s3_profile_load(struct s3_profile *profile, const char *name, const char *const *env,
	char *why, size_t why_size)
{
	struct s3_profile keys = {.name = mem_strdup(name)};
	struct pass config_pass = {.profile = profile, .is_config = true};
	struct pass keys_pass = {.profile = &keys, .is_config = false};
	char *credentials = credentials_path(env), *config = config_path(env);
	bool ok;

	memset(profile, 0, sizeof(*profile));
	profile->name = mem_strdup(name);
	ok = s3_ini_read(config, take_setting, &config_pass, why, why_size) &&
	     s3_ini_read(credentials, take_setting, &keys_pass, why, why_size);
	profile->found |= keys.found;
	profile->ignore_endpoints |= keys.ignore_endpoints;
	profile->dualstack |= keys.dualstack;
	profile->fips |= keys.fips;
	take_keys(profile, &keys);
	take_fields(profile, &keys);
	s3_profile_free(&keys);
	if (ok && (profile->services || profile->sso_session))
		ok = s3_ini_read(config, take_named, profile, why, why_size);
	free(credentials);
	free(config);
	return ok;
}

void s3_profile_free(struct s3_profile *profile)
{
	size_t i;

	for (i = 0; i < FIELD_COUNT; i++)
		s3_secret_free(*field_at(profile, i));
	for (i = 0; i < S3_SERVICE__COUNT; i++)
		free(profile->service_endpoint_url[i]);
	free(profile->name);
	memset(profile, 0, sizeof(*profile));
}

char *s3_profile_nowhere(const char *const *env)
{
	char *credentials = credentials_path(env), *config = config_path(env);
	char *text = mem_printf("neither in %s nor in %s", credentials, config);

	free(credentials);
	free(config);
	return text;
}

const char *s3_profile_endpoint(
	const struct s3_profile *p, const char *const *env, enum s3_service service)
{
	const char *ignore = s3_env(env, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), *url;

	if (ignore ? is_true(ignore) : p->ignore_endpoints)
		return NULL;
	url = s3_env(env, service_variables[service]);
	if (!url)
		url = s3_env(env, "AWS_ENDPOINT_URL");
	if (!url)
		url = p->service_endpoint_url[service];
	return url ? url : p->endpoint_url;
}
