/* The choice of a source of credentials: see s3_source.h. Core thread. */
#include "s3/s3_source.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "s3/s3_addr.h"
#include "s3/s3_env.h"
#include "s3/s3_sign.h"
#include "util/mem.h"

/* Roles that name roles: more of them are a mistake. */
#define ROLES_MAX 8
#define CONTAINER_HOST "http://169.254.170.2"
#define INSTANCE_URL "http://169.254.169.254"
#define INSTANCE_URL_IPV6 "http://[fd00:ec2::254]"

/* One choice: what it is made from, and where it says why not. */
struct choice {
	const struct s3_chain *chain;
	const char *const *env;
	const char *roles[ROLES_MAX]; /* profiles whose roles led here */
	size_t role_count;
	char *why;
	size_t why_size;
};

/* Why there is no source; returns none. */
__attribute__((format(printf, 2, 3))) static struct s3_source *refuse(
	struct choice *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->why, c->why_size, fmt, ap);
	va_end(ap);
	return NULL;
}

static struct s3_source *source_new(enum s3_source_kind kind, char *name)
{
	struct s3_source *s = mem_zalloc(sizeof(*s));

	s->kind = kind;
	s->name = name;
	return s;
}

void s3_source_free(struct s3_source *s)
{
	if (!s)
		return;
	s3_creds_unref(s->keys);
	s3_source_free(s->base);
	s3_secret_free(s->token);
	s3_secret_free(s->external_id);
	s3_secret_free(s->command);
	free(s->name);
	free(s->url);
	free(s->region);
	free(s->role_arn);
	free(s->session_name);
	free(s->duration_s);
	free(s->token_file);
	free(s->account_id);
	free(s->role_name);
	free(s->login);
	free(s);
}

static char *name_of(const struct s3_profile *p)
{
	return mem_printf("profile '%s'", p->name);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static struct s3_source *from_keys(
	struct choice *c, char *name, const char *id, const char *secret, const char *token)
{
	struct s3_source *s = source_new(S3_SOURCE_KEYS, name);

	s->keys = s3_creds_new(id, secret, token, 0);
	if (s->keys)
		return s;
	refuse(c,
		"the keys of %s have characters in them that no key has, or are too long: "
		"correct them",
		name);
	s3_source_free(s);
	return NULL;
}

static bool has_env_keys(const struct choice *c)
{
	return s3_env(c->env, "AWS_ACCESS_KEY_ID") || s3_env(c->env, "AWS_SECRET_ACCESS_KEY");
}

static struct s3_source *from_env(struct choice *c)
{
	const char *id = s3_env(c->env, "AWS_ACCESS_KEY_ID");
	const char *secret = s3_env(c->env, "AWS_SECRET_ACCESS_KEY");

	if (!id || !secret)
		return refuse(c, "%s is set but %s is not: set both or none",
			id ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
			id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
	return from_keys(
		c, mem_strdup("the environment"), id, secret, s3_env(c->env, "AWS_SESSION_TOKEN"));
}

static bool has_keys(const struct s3_profile *p)
{
	return p->access_key_id || p->secret_access_key;
}

static struct s3_source *from_profile_keys(struct choice *c, const struct s3_profile *p)
{
	if (!p->access_key_id || !p->secret_access_key)
		return refuse(c, "profile '%s' has %s but no %s: add it to the file", p->name,
			p->access_key_id ? "aws_access_key_id" : "aws_secret_access_key",
			p->access_key_id ? "aws_secret_access_key" : "aws_access_key_id");
	return from_keys(c, name_of(p), p->access_key_id, p->secret_access_key, p->session_token);
}

/* ---- container and instance ------------------------------------------------------------------ */

bool s3_source_container_ok(const char *url)
{
	static const char *const hosts[] = {"169.254.170.2", "169.254.170.23", "fd00:ec2::23"};
	const char *start, *end;
	char host[64];
	size_t i;

	if (strpbrk(url, "@\\") || strlen(url) > 2048)
		return false;
	if (!strncasecmp(url, "https://", 8))
		return url[8] != '\0' && url[8] != '/';
	if (strncasecmp(url, "http://", 7) != 0)
		return false;
	start = url + 7;
	if (*start == '[')
		end = strchr(++start, ']');
	else
		end = start + strcspn(start, ":/?#");
	if (!end || (size_t)(end - start) >= sizeof(host) ||
		(*end == ']' && end[1] && !strchr(":/?#", end[1])))
		return false;
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';
	for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (!strcasecmp(host, hosts[i]))
			return true;
	return s3_host_is_loopback(host);
}

static bool has_container(const struct choice *c)
{
	return s3_env(c->env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") ||
	       s3_env(c->env, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
}

static struct s3_source *from_container(struct choice *c)
{
	const char *relative = s3_env(c->env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = s3_env(c->env, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
	struct s3_source *s;

	if (!has_container(c))
		return refuse(c,
			"credential_source is EcsContainer, but neither "
			"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor "
			"AWS_CONTAINER_CREDENTIALS_FULL_URI is set: is this a container of ECS or "
			"EKS?");
	if (relative && relative[0] != '/')
		return refuse(c,
			"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI must begin with '/': correct it");
	if (!relative && !s3_source_container_ok(full))
		return refuse(c, "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or http to "
				 "this machine, "
				 "169.254.170.2, 169.254.170.23 or [fd00:ec2::23]: credentials are "
				 "not asked "
				 "for elsewhere");
	s = source_new(S3_SOURCE_CONTAINER, mem_strdup("the container's credentials service"));
	s->url = relative ? mem_printf(CONTAINER_HOST "%s", relative) : mem_strdup(full);
	s->token_file = mem_strdup(s3_env(c->env, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"));
	s->token = mem_strdup(s3_env(c->env, "AWS_CONTAINER_AUTHORIZATION_TOKEN"));
	return s;
}

static bool has_no_instance(const struct choice *c)
{
	const char *disabled = s3_env(c->env, "AWS_EC2_METADATA_DISABLED");

	return disabled && !strcasecmp(disabled, "true");
}

static struct s3_source *from_instance(struct choice *c)
{
	const char *url = s3_env(c->env, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const char *mode = s3_env(c->env, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	struct s3_source *s;
	size_t len;

	if (has_no_instance(c))
		return refuse(c, "credential_source is Ec2InstanceMetadata, but "
				 "AWS_EC2_METADATA_DISABLED is true: unset it");
	if (!url)
		url = mode && !strcasecmp(mode, "IPv6") ? INSTANCE_URL_IPV6 : INSTANCE_URL;
	s = source_new(S3_SOURCE_INSTANCE, mem_strdup("the instance's metadata service"));
	len = strlen(url);
	while (len && url[len - 1] == '/')
		len--;
	s->url = mem_dup(url, len);
	return s;
}

/* ---- roles ----------------------------------------------------------------------------------- */

static void set_sts(struct choice *c, struct s3_source *s, const struct s3_profile *p)
{
	const char *url = s3_profile_endpoint(p, c->env, S3_SERVICE_STS);
	const char *region = c->chain->region;

	s->url = url ? mem_strdup(url)
		     : mem_printf("https://sts.%s.amazonaws.com%s", region,
			       strncmp(region, "cn-", 3) ? "" : ".cn");
	s->region = mem_strdup(region);
}

static struct s3_source *from_web_identity(
	struct choice *c, const struct s3_profile *p, bool use_env, const char *token_file)
{
	const char *role = use_env ? s3_env(c->env, "AWS_ROLE_ARN") : NULL;
	const char *session = use_env ? s3_env(c->env, "AWS_ROLE_SESSION_NAME") : NULL;
	struct s3_source *s;

	if (!role)
		role = p->role_arn;
	if (!role)
		return refuse(c,
			"there is a web identity token (%s), but no role for it: set AWS_ROLE_ARN, "
			"or role_arn in the profile",
			token_file);
	s = source_new(S3_SOURCE_WEB_IDENTITY, mem_strdup("the web identity"));
	set_sts(c, s, p);
	s->role_arn = mem_strdup(role);
	s->session_name = mem_strdup(session ? session : p->role_session_name);
	s->duration_s = mem_strdup(p->duration_seconds);
	s->token_file = s3_env_path(c->env, token_file);
	return s;
}

static struct s3_source *from_credential_source(struct choice *c, const struct s3_profile *p)
{
	if (!strcmp(p->credential_source, "Environment"))
		return from_env(c);
	if (!strcmp(p->credential_source, "Ec2InstanceMetadata"))
		return from_instance(c);
	if (!strcmp(p->credential_source, "EcsContainer"))
		return from_container(c);
	return refuse(c,
		"profile '%s' has the credential_source '%.100s', which there is not: Environment, "
		"Ec2InstanceMetadata and EcsContainer are",
		p->name, p->credential_source);
}

static struct s3_source *from_profile(
	struct choice *c, const struct s3_profile *p, bool use_env, bool *none);

/* Between a role and a profile's own keys, the keys win where the profile is somebody's source. */
static struct s3_source *from_source_profile(struct choice *c, const struct s3_profile *p)
{
	struct s3_profile source;
	struct s3_source *s = NULL;
	bool none = false, again = false;
	size_t i;

	if (!s3_profile_load(&source, p->source_profile, c->env, c->why, c->why_size)) {
		s3_profile_free(&source);
		return NULL;
	}
	for (i = 0; i < c->role_count; i++)
		again |= !strcmp(c->roles[i], source.name);
	if (!source.found) {
		char *nowhere = s3_profile_nowhere(c->env);

		refuse(c,
			"profile '%s' names the source_profile '%s', which is %s: correct the name "
			"or "
			"add the section",
			p->name, source.name, nowhere);
		free(nowhere);
	} else if (has_keys(&source)) {
		s = from_profile_keys(c, &source);
	} else if (again || c->role_count == ROLES_MAX) {
		refuse(c,
			"profile '%s' has, by its source_profiles, itself as its source: give one "
			"of them keys",
			source.name);
	} else {
		s = from_profile(c, &source, false, &none);
		if (none)
			refuse(c,
				"profile '%s', the source_profile of '%s', has no credentials: add "
				"aws_access_key_id and aws_secret_access_key to it",
				source.name, p->name);
	}
	s3_profile_free(&source);
	return s;
}

static struct s3_source *from_role(struct choice *c, const struct s3_profile *p)
{
	struct s3_source *s, *base;

	if (p->mfa_serial)
		return refuse(c,
			"profile '%s' wants a one-time code (mfa_serial), which a mount cannot ask "
			"for: put the output of 'aws configure export-credentials --profile %s "
			"--format env' into the environment",
			p->name, p->name);
	if (!p->source_profile == !p->credential_source)
		return refuse(c,
			"profile '%s' has a role_arn and %s source_profile and credential_source: "
			"it "
			"needs one of them",
			p->name, p->source_profile ? "both" : "neither");
	c->roles[c->role_count++] = p->name;
	base = p->source_profile ? from_source_profile(c, p) : from_credential_source(c, p);
	c->role_count--;
	if (!base)
		return NULL;
	s = source_new(S3_SOURCE_ROLE, name_of(p));
	s->base = base;
	set_sts(c, s, p);
	s->role_arn = mem_strdup(p->role_arn);
	s->session_name = mem_strdup(p->role_session_name);
	s->external_id = mem_strdup(p->external_id);
	s->duration_s = mem_strdup(p->duration_seconds);
	return s;
}

/* ---- SSO ------------------------------------------------------------------------------------- */

/* The AWS CLI names a cached token after the session, or in older profiles the start URL. */
static char *sso_cache_path(const struct choice *c, const struct s3_profile *p)
{
	struct bytes key = BYTES_STR(p->sso_session ? p->sso_session : p->sso_start_url);
	char hex[S3_SHA1_HEX_SIZE], *in_home, *path;

	if (!s3_sha1_hex(&key, 1, hex))
		return NULL;
	in_home = mem_printf("~/.aws/sso/cache/%s.json", hex);
	path = s3_env_path(c->env, in_home);
	free(in_home);
	return path;
}

static struct s3_source *from_sso(struct choice *c, const struct s3_profile *p)
{
	const char *url = s3_profile_endpoint(p, c->env, S3_SERVICE_SSO), *missing = NULL;
	struct s3_source *s;

	if (!p->sso_account_id)
		missing = "sso_account_id";
	else if (!p->sso_role_name)
		missing = "sso_role_name";
	else if (!p->sso_start_url)
		missing = "sso_start_url, or an sso_session that has one";
	else if (!p->sso_region)
		missing = "sso_region, or an sso_session that has one";
	if (missing)
		return refuse(c,
			"profile '%s' is one of SSO, but has no %s: 'aws configure sso' "
			"completes it",
			p->name, missing);
	s = source_new(S3_SOURCE_SSO, name_of(p));
	s->url = url ? mem_strdup(url)
		     : mem_printf("https://portal.sso.%s.amazonaws.com%s", p->sso_region,
			       strncmp(p->sso_region, "cn-", 3) ? "" : ".cn");
	s->account_id = mem_strdup(p->sso_account_id);
	s->role_name = mem_strdup(p->sso_role_name);
	s->login = mem_printf("aws sso login --profile %s", p->name);
	s->token_file = sso_cache_path(c, p);
	if (s->token_file)
		return s;
	s3_source_free(s);
	return refuse(c, "OpenSSL has no SHA-1, by which SSO's cached tokens are named: check its "
			 "configuration");
}

/* ---- all together ---------------------------------------------------------------------------- */

static struct s3_source *from_command(const struct s3_profile *p)
{
	struct s3_source *s = source_new(S3_SOURCE_PROCESS, name_of(p));

	s->command = mem_strdup(p->credential_process);
	return s;
}

/* What a profile itself says; `*none`: nothing. */
static struct s3_source *from_profile(
	struct choice *c, const struct s3_profile *p, bool use_env, bool *none)
{
	const char *token_file = use_env ? s3_env(c->env, "AWS_WEB_IDENTITY_TOKEN_FILE") : NULL;

	if (p->role_arn && !p->web_identity_token_file &&
		!(token_file && !p->source_profile && !p->credential_source))
		return from_role(c, p);
	if (!token_file)
		token_file = p->web_identity_token_file;
	if (token_file)
		return from_web_identity(c, p, use_env, token_file);
	if (p->sso_account_id || p->sso_role_name)
		return from_sso(c, p);
	if (has_keys(p) && (p->keys_are_shared || !p->credential_process))
		return from_profile_keys(c, p);
	if (p->credential_process)
		return from_command(p);
	if (p->sso_session || p->sso_start_url)
		return from_sso(c, p);
	if (p->login_session)
		return refuse(c,
			"profile '%s' gets its credentials through login_session, which s3bulkfs "
			"cannot do: put the output of 'aws configure export-credentials --profile "
			"%s "
			"--format env' into the environment",
			p->name, p->name);
	*none = true;
	return NULL;
}

static struct s3_source *choose(struct choice *c, const struct s3_profile *p)
{
	bool use_env = !c->chain->profile_given, none = false;
	struct s3_source *s;

	if (use_env && has_env_keys(c))
		return from_env(c);
	s = from_profile(c, p, use_env, &none);
	if (!none)
		return s;
	if (has_container(c))
		return from_container(c);
	if (!has_no_instance(c))
		return from_instance(c);
	if (!use_env)
		return refuse(c,
			"profile '%s' has no aws_access_key_id and aws_secret_access_key: add them "
			"to ~/.aws/credentials, or use -o no_sign_request for a public bucket",
			p->name);
	return refuse(c, "no S3 credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
			 "put them into ~/.aws/credentials (-o profile=NAME chooses the section), "
			 "or use -o no_sign_request for a public bucket");
}

struct s3_source *s3_source_choose(
	const struct s3_chain *chain, const struct s3_profile *profile, char *why, size_t why_size)
{
	struct choice c = {.chain = chain,
		.env = (const char *const *)chain->env,
		.why = why,
		.why_size = why_size};
	struct s3_profile own = {0};
	struct s3_source *s = NULL;

	if (profile)
		return choose(&c, profile);
	if (s3_profile_load(&own, chain->profile, c.env, why, why_size))
		s = choose(&c, &own);
	s3_profile_free(&own);
	return s;
}
