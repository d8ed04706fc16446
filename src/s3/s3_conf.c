/*
 * Settings from options, environment and files: see s3_conf.h. Core thread, at start. Profiles and
 * settings own their strings; those that may be secret are wiped before they are freed.
 */
#include "s3/s3_conf.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "s3/s3_ini.h"
#include "util/mem.h"

#define IO_THREADS_MAX 4 /* one does some 10,000 requests a second */
#define CONNECTIONS_DEFAULT 1024
#define CONNECT_TIMEOUT_DEFAULT_MS 10000
#define STALL_TIMEOUT_DEFAULT_MS 60000

/* ---- a profile ------------------------------------------------------------------------------- */

/* What one pass over a file is looking for. */
struct pass {
	struct s3_profile *profile;
	bool is_config; /* of two files the one with [profile NAME] */
};

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
	size_t kind_len = strlen(kind), name_len = strlen(name);
	char quote;

	if (strncmp(section, kind, kind_len) || section[kind_len] != ' ')
		return false;
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

static char **profile_field(struct s3_profile *p, const char *name)
{
	const struct {
		const char *name;
		char **field;
	} table[] = {
		{"aws_access_key_id", &p->access_key_id},
		{"aws_secret_access_key", &p->secret_access_key},
		{"aws_session_token", &p->session_token},
		{"region", &p->region},
		{"endpoint_url", &p->endpoint_url},
		{"ca_bundle", &p->ca_bundle},
		{"services", &p->services},
		{"role_arn", &p->role},
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (!strcmp(name, table[i].name))
			return table[i].field;
	return NULL;
}

static void take_setting(
	void *ctx, const char *section, const char *parent, const char *name, const char *value)
{
	static const char *const other_sources[] = {"credential_process", "credential_source",
		"login_session", "sso_session", "sso_start_url", "web_identity_token_file"};
	struct pass *pass = ctx;
	struct s3_profile *p = pass->profile;
	char **field;
	size_t i;

	if (!is_profile(pass, section))
		return;
	p->found = true;
	if (parent)
		return;
	field = profile_field(p, name);
	if (field)
		put(field, value);
	if (!strcmp(name, "ignore_configured_endpoint_urls"))
		p->ignore_endpoints = is_true(value);
	for (i = 0; i < sizeof(other_sources) / sizeof(other_sources[0]); i++)
		if (!strcmp(name, other_sources[i]))
			put(&p->source_unsupported, name);
}

/* [services NAME], s3 =, endpoint_url: the second pass, when the profile's `services` is known. */
static void take_service(
	void *ctx, const char *section, const char *parent, const char *name, const char *value)
{
	struct s3_profile *p = ctx;

	if (is_section(section, "services", p->services) && parent && !strcmp(parent, "s3") &&
		!strcmp(name, "endpoint_url"))
		put(&p->s3_endpoint_url, value);
}

/* A pair of keys in the credentials file replaces the one of the config file as a whole: a session
 * token must not meet the keys of another file. */
static void take_keys(struct s3_profile *to, struct s3_profile *from)
{
	if (!from->access_key_id && !from->secret_access_key)
		return;
	s3_secret_free(to->access_key_id);
	s3_secret_free(to->secret_access_key);
	s3_secret_free(to->session_token);
	to->access_key_id = from->access_key_id;
	to->secret_access_key = from->secret_access_key;
	to->session_token = from->session_token;
	from->access_key_id = from->secret_access_key = from->session_token = NULL;
}

static void take_field(char **to, char **from)
{
	if (!*from)
		return;
	s3_secret_free(*to);
	*to = *from;
	*from = NULL;
}

bool s3_profile_load(struct s3_profile *profile, const char *name, const char *credentials_path,
	const char *config_path, char *why, size_t why_size)
{
	struct s3_profile keys = {.name = mem_strdup(name)};
	struct pass config_pass = {.profile = profile, .is_config = true};
	struct pass keys_pass = {.profile = &keys, .is_config = false};
	bool ok;

	memset(profile, 0, sizeof(*profile));
	profile->name = mem_strdup(name);
	ok = s3_ini_read(config_path, take_setting, &config_pass, why, why_size) &&
	     s3_ini_read(credentials_path, take_setting, &keys_pass, why, why_size);
	profile->found |= keys.found;
	profile->ignore_endpoints |= keys.ignore_endpoints;
	take_keys(profile, &keys);
	take_field(&profile->region, &keys.region);
	take_field(&profile->endpoint_url, &keys.endpoint_url);
	take_field(&profile->ca_bundle, &keys.ca_bundle);
	take_field(&profile->services, &keys.services);
	take_field(&profile->role, &keys.role);
	take_field(&profile->source_unsupported, &keys.source_unsupported);
	s3_profile_free(&keys);
	if (ok && profile->services)
		ok = s3_ini_read(config_path, take_service, profile, why, why_size);
	return ok;
}

void s3_profile_free(struct s3_profile *profile)
{
	s3_secret_free(profile->access_key_id);
	s3_secret_free(profile->secret_access_key);
	s3_secret_free(profile->session_token);
	free(profile->name);
	free(profile->region);
	free(profile->endpoint_url);
	free(profile->s3_endpoint_url);
	free(profile->ca_bundle);
	free(profile->services);
	free(profile->source_unsupported);
	free(profile->role);
	memset(profile, 0, sizeof(*profile));
}

/* ---- the environment ------------------------------------------------------------------------- */

/* A variable that is set to nothing counts as not set. */
static const char *env(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] ? value : NULL;
}

/* The home directory, without a final '/'. A mount from fstab has no HOME. */
static char *home_dir(void)
{
	const char *home = env("HOME");
	size_t size = 16384;
	struct passwd pw, *found = NULL;
	char *scratch, *dir;

	if (home)
		return mem_strdup(home);
	scratch = mem_calloc(1, size);
	if (getpwuid_r(geteuid(), &pw, scratch, size, &found) || !found)
		dir = mem_strdup("/root");
	else
		dir = mem_strdup(pw.pw_dir);
	free(scratch);
	return dir;
}

/* The path in the variable, where a leading "~/" is the home directory, or else ~/.aws/`file`. */
static char *aws_path(const char *variable, const char *file)
{
	const char *given = env(variable);
	char *home, *path;

	if (given && strncmp(given, "~/", 2))
		return mem_strdup(given);
	home = home_dir();
	path = given ? mem_printf("%s%s", home, given + 1) : mem_printf("%s/.aws/%s", home, file);
	free(home);
	return path;
}

static const char *profile_name(const struct s3_config *config, bool *named)
{
	const char *name = config->profile && config->profile[0] ? config->profile : NULL;

	if (!name)
		name = env("AWS_PROFILE");
	if (!name)
		name = env("AWS_DEFAULT_PROFILE");
	*named = name != NULL;
	return name ? name : "default";
}

static bool load_profile(
	const struct s3_config *config, struct s3_profile *profile, char *why, size_t why_size)
{
	char *credentials = aws_path("AWS_SHARED_CREDENTIALS_FILE", "credentials");
	char *settings = aws_path("AWS_CONFIG_FILE", "config");
	bool named, ok;
	const char *name = profile_name(config, &named);

	ok = s3_profile_load(profile, name, credentials, settings, why, why_size);
	if (ok && named && !profile->found) {
		snprintf(why, why_size,
			"profile '%s' is neither in %s nor in %s: correct the name or add the "
			"section",
			name, credentials, settings);
		ok = false;
	}
	free(credentials);
	free(settings);
	return ok;
}

/* ---- all together ---------------------------------------------------------------------------- */

static const char *first_of(const char *a, const char *b, const char *c, const char *d)
{
	if (a && a[0])
		return a;
	return b ? b : (c ? c : d);
}

static const char *choose_endpoint(const struct s3_config *config, const struct s3_profile *p)
{
	const char *given =
		config->endpoint_url && config->endpoint_url[0] ? config->endpoint_url : NULL;
	bool ignore = p->ignore_endpoints;

	if (config->resolved)
		return given;
	if (env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"))
		ignore = is_true(env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"));
	if (given || ignore)
		return given;
	return first_of(env("AWS_ENDPOINT_URL_S3"), env("AWS_ENDPOINT_URL"), p->s3_endpoint_url,
		p->endpoint_url);
}

static unsigned default_io_threads(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	/* The core thread and the kernel want their share; one thread moves 10,000 small requests a
	 * second. */
	n /= 2;
	if (n < 1)
		return 1;
	return n < IO_THREADS_MAX ? (unsigned)n : IO_THREADS_MAX;
}

static void set_numbers(const struct s3_config *config, struct s3_settings *s)
{
	s->io_threads = config->io_threads ? config->io_threads : default_io_threads();
	s->connections_max =
		config->connections_max ? config->connections_max : CONNECTIONS_DEFAULT;
	s->connect_timeout_ms = config->connect_timeout_ms > 0 ? config->connect_timeout_ms
							       : CONNECT_TIMEOUT_DEFAULT_MS;
	s->stall_timeout_ms =
		config->stall_timeout_ms > 0 ? config->stall_timeout_ms : STALL_TIMEOUT_DEFAULT_MS;
}

static bool find_creds(const struct s3_config *config, const struct s3_profile *p,
	struct s3_settings *s, char *why, size_t why_size)
{
	if (!config->resolved)
		return s3_creds_find(
			&s->creds, p, config->profile && config->profile[0], why, why_size);
	s3_creds_set(
		&s->creds, config->access_key_id, config->secret_access_key, config->session_token);
	return true;
}

static bool resolve(const struct s3_config *config, const struct s3_profile *p,
	struct s3_settings *s, char *why, size_t why_size)
{
	const char *region = config->region, *ca_bundle = config->ca_bundle;

	if (!config->resolved) {
		region = first_of(region, env("AWS_REGION"), env("AWS_DEFAULT_REGION"), p->region);
		ca_bundle = first_of(ca_bundle, env("AWS_CA_BUNDLE"), p->ca_bundle, NULL);
	}

	s->region_given = region != NULL;
	s->region = mem_strdup(region ? region : "us-east-1");
	s->bucket = mem_strdup(config->bucket ? config->bucket : "");
	s->ca_bundle = mem_strdup(ca_bundle);
	s->sign = !config->no_sign_request;
	set_numbers(config, s);
	if (s->ca_bundle && access(s->ca_bundle, R_OK)) {
		snprintf(why, why_size, "cannot read the CA bundle %s: %m", s->ca_bundle);
		return false;
	}
	if (!s3_addr_make(&s->addr, choose_endpoint(config, p), s->region, s->bucket,
		    (int)config->addressing, why, why_size))
		return false;
	return !s->sign || find_creds(config, p, s, why, why_size);
}

bool s3_settings_load(
	const struct s3_config *config, struct s3_settings *settings, char *why, size_t why_size)
{
	struct s3_profile profile = {0};
	bool ok;

	memset(settings, 0, sizeof(*settings));
	ok = (config->resolved || load_profile(config, &profile, why, why_size)) &&
	     resolve(config, &profile, settings, why, why_size);
	s3_profile_free(&profile);
	if (!ok)
		s3_settings_free(settings);
	return ok;
}

bool s3_config_resolve(
	const struct s3_config *config, struct s3_config *resolved, char *why, size_t why_size)
{
	struct s3_profile profile = {0};
	struct s3_settings s = {0};
	bool ok;

	*resolved = (struct s3_config){0};
	ok = load_profile(config, &profile, why, why_size) &&
	     resolve(config, &profile, &s, why, why_size);
	if (ok) {
		*resolved = *config;
		resolved->resolved = true;
		resolved->retry = NULL;
		resolved->profile = NULL;
		resolved->bucket = mem_strdup(config->bucket);
		resolved->endpoint_url = mem_strdup(choose_endpoint(config, &profile));
		resolved->region = mem_strdup(s.region_given ? s.region : NULL);
		resolved->ca_bundle = mem_strdup(s.ca_bundle);
		resolved->access_key_id = mem_strdup(s.creds.access_key_id);
		resolved->secret_access_key = mem_strdup(s.creds.secret_access_key);
		resolved->session_token = mem_strdup(s.creds.session_token);
	}
	s3_profile_free(&profile);
	s3_settings_free(&s);
	return ok;
}

void s3_config_clear(struct s3_config *config)
{
	s3_secret_free((char *)config->access_key_id);
	s3_secret_free((char *)config->secret_access_key);
	s3_secret_free((char *)config->session_token);
	free((char *)config->bucket);
	free((char *)config->endpoint_url);
	free((char *)config->region);
	free((char *)config->profile);
	free((char *)config->ca_bundle);
	*config = (struct s3_config){0};
}

void s3_settings_free(struct s3_settings *settings)
{
	s3_creds_free(&settings->creds);
	s3_addr_free(&settings->addr);
	free(settings->bucket);
	free(settings->region);
	free(settings->ca_bundle);
	memset(settings, 0, sizeof(*settings));
}
