/*
 * Settings from options, environment and files: see s3_conf.h. Core thread, at start. Settings own
 * their strings; those that may be secret are wiped before they are freed.
 */
#include "s3/s3_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "s3/s3_env.h"
#include "s3/s3_made.h"
#include "s3/s3_profile.h"
#include "util/mem.h"

#define IO_THREADS_MAX 4 /* one does some 10,000 requests a second */
#define CONNECTIONS_DEFAULT 1024
#define CONNECT_TIMEOUT_DEFAULT_MS 10000
#define STALL_TIMEOUT_DEFAULT_MS 60000

/* What the settings are made from. */
struct input {
	const struct s3_config *config;
	const char *const *env;
	const char *profile_name;
	struct s3_profile profile;
};

static const char *first_of(const char *a, const char *b, const char *c, const char *d)
{
	if (a && a[0])
		return a;
	return b ? b : (c ? c : d);
}

static bool profile_is_given(const struct s3_config *config)
{
	return config->profile && config->profile[0];
}

static bool load_profile(struct input *in, char *why, size_t why_size)
{
	const char *name = first_of(in->config->profile, s3_env(in->env, "AWS_PROFILE"),
		s3_env(in->env, "AWS_DEFAULT_PROFILE"), NULL);
	char *nowhere;

	in->profile_name = name ? name : "default";
	if (!s3_profile_load(&in->profile, in->profile_name, in->env, why, why_size))
		return false;
	if (!name || in->profile.found)
		return true;
	nowhere = s3_profile_nowhere(in->env);
	snprintf(why, why_size, "profile '%s' is %s: correct the name or add the section", name,
		nowhere);
	free(nowhere);
	return false;
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
	if (config->timeout_ms > 0) {
		s->stall_timeout_ms = config->timeout_ms / 3;
		if (s->connect_timeout_ms > s->stall_timeout_ms)
			s->connect_timeout_ms = s->stall_timeout_ms;
	}
}

static bool find_source(const struct input *in, struct s3_settings *s, char *why, size_t why_size)
{
	s->chain = (struct s3_chain){.env = s3_env_copy(in->env),
		.profile = mem_strdup(in->profile_name),
		.profile_given = profile_is_given(in->config),
		.region = mem_strdup(s->region)};
	s->source = s3_source_choose(&s->chain, &in->profile, why, why_size);
	return s->source != NULL;
}

/* Amazon refuses keys over plain http; other servers would let anybody on the way read them. */
static bool load_customer_key(struct s3_settings *s, char *why, size_t why_size)
{
	if (!s->object.customer_key)
		return true;
	if (!s->addr.https && !s->addr.loopback) {
		snprintf(why, why_size,
			"a customer key is sent over https only, and the endpoint is %.200s: give "
			"an "
			"https URL",
			s->addr.endpoint);
		return false;
	}
	s->customer = s3_customer_key_new(s->object.customer_key);
	if (!s->customer)
		snprintf(why, why_size, "the customer key is none: 32 bytes are wanted");
	return s->customer != NULL;
}

/* Words of the environment and of profiles: "true". */
static bool is_wished(bool option, const char *variable, bool profile)
{
	return option || (variable ? !strcasecmp(variable, "true") : profile);
}

/* Which of Amazon's endpoints; those wishes of environment and files are for other buckets. */
static bool choose_endpoint(
	const struct input *in, struct s3_settings *s, bool given, char *why, size_t why_size)
{
	const struct s3_config *config = in->config;

	if (given && (config->dualstack || config->fips || config->accelerate)) {
		snprintf(why, why_size,
			"dualstack, fips and accelerate choose among Amazon's endpoints: leave "
			"them out, or endpoint_url and AWS_ENDPOINT_URL");
		return false;
	}
	if (given)
		return true;
	s->dualstack = is_wished(config->dualstack, s3_env(in->env, "AWS_USE_DUALSTACK_ENDPOINT"),
		in->profile.dualstack);
	s->fips =
		is_wished(config->fips, s3_env(in->env, "AWS_USE_FIPS_ENDPOINT"), in->profile.fips);
	s->accelerate = config->accelerate;
	return true;
}

/* libcurl opens the bundle later, and would wait for a FIFO. */
static bool is_readable_file(const char *path, char *why, size_t why_size)
{
	struct stat st;

	if (access(path, R_OK) || stat(path, &st))
		snprintf(why, why_size, "cannot read the CA bundle %s: %m", path);
	else if (!S_ISREG(st.st_mode))
		snprintf(why, why_size, "the CA bundle %s is not a regular file: give one", path);
	else
		return true;
	return false;
}

static bool resolve(const struct input *in, struct s3_settings *s, char *why, size_t why_size)
{
	const struct s3_config *config = in->config;
	const struct s3_profile *p = &in->profile;
	const char *endpoint_url = config->endpoint_url;
	const char *region = first_of(config->region, s3_env(in->env, "AWS_REGION"),
		s3_env(in->env, "AWS_DEFAULT_REGION"), p->region);
	const char *ca_bundle =
		first_of(config->ca_bundle, s3_env(in->env, "AWS_CA_BUNDLE"), p->ca_bundle, NULL);

	s->region_given = region != NULL;
	s->region = mem_strdup(region ? region : "us-east-1");
	s->addressing = (int)config->addressing;
	s->bucket = mem_strdup(config->bucket ? config->bucket : "");
	s->ca_bundle = mem_strdup(ca_bundle);
	s->sign = !config->no_sign_request;
	s->checksum = config->checksum;
	s->requester_pays = config->requester_pays;
	s->version_at_ms = config->version_at_ms;
	s->bucket_owner = mem_strdup(config->bucket_owner);
	s->object = s3_object_settings_dup(&config->object);
	set_numbers(config, s);
	if (s->ca_bundle && !is_readable_file(s->ca_bundle, why, why_size))
		return false;
	if (!endpoint_url || !endpoint_url[0])
		endpoint_url = s3_profile_endpoint(p, in->env, S3_SERVICE_S3);
	if (!choose_endpoint(in, s, endpoint_url && endpoint_url[0], why, why_size) ||
		!s3_settings_addr(s, endpoint_url, s->region, &s->addr, why, why_size))
		return false;
	return load_customer_key(s, why, why_size) &&
	       (!s->sign || find_source(in, s, why, why_size));
}

bool s3_settings_addr(const struct s3_settings *s, const char *endpoint_url, const char *region,
	struct s3_addr *addr, char *why, size_t why_size)
{
	struct s3_place place = {.endpoint_url = endpoint_url,
		.region = region,
		.bucket = s->bucket,
		.addressing = s->addressing,
		.dualstack = s->dualstack,
		.fips = s->fips,
		.accelerate = s->accelerate};

	return s3_addr_make(addr, &place, why, why_size);
}

bool s3_settings_load(
	const struct s3_config *config, struct s3_settings *settings, char *why, size_t why_size)
{
	struct input in = {
		.config = config, .env = config->env ? config->env : (const char *const *)environ};
	bool ok;

	memset(settings, 0, sizeof(*settings));
	ok = load_profile(&in, why, why_size) && resolve(&in, settings, why, why_size);
	s3_profile_free(&in.profile);
	if (!ok)
		s3_settings_free(settings);
	return ok;
}

void s3_settings_free(struct s3_settings *settings)
{
	s3_source_free(settings->source);
	s3_env_free(settings->chain.env);
	free(settings->chain.profile);
	free(settings->chain.region);
	s3_addr_free(&settings->addr);
	free(settings->bucket);
	free(settings->region);
	free(settings->ca_bundle);
	free(settings->bucket_owner);
	s3_object_settings_clear(&settings->object);
	s3_customer_key_unref(settings->customer);
	memset(settings, 0, sizeof(*settings));
}

/* ---- for another process --------------------------------------------------------------------- */

void s3_config_capture(struct s3_config *config)
{
	char *ca_bundle = s3_env_absolute(config->ca_bundle);

	free((char *)config->ca_bundle);
	config->ca_bundle = ca_bundle;
	config->env = (const char *const *)s3_env_capture();
}

void s3_config_clear(struct s3_config *config)
{
	s3_env_free((char **)config->env);
	free((char *)config->bucket);
	free((char *)config->endpoint_url);
	free((char *)config->region);
	free((char *)config->profile);
	free((char *)config->ca_bundle);
	free((char *)config->bucket_owner);
	s3_object_settings_clear(&config->object);
	*config = (struct s3_config){0};
}
