/*
 * The client: settings, targets, signers, stores of parsers, statistics; its beginning and its end.
 * Core thread. It owns the HTTP engine and every operation that is under way.
 */
#include "s3/s3_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3/s3_arn.h"
#include "util/clk.h"
#include "util/log.h"
#include "util/mem.h"

#define REPLIES_MAX 512
#define LISTS_MAX 16
/* A bucket has one region; a server that sends us on and on is broken. */
#define TARGETS_MAX 8

/* ---- parsers at rest ---- */

struct s3_xml_reply *s3_client_take_reply(struct s3_client *c)
{
	return c->reply_count ? c->replies[--c->reply_count] : s3_xml_reply_new();
}

void s3_client_give_reply(struct s3_client *c, struct s3_xml_reply *reply)
{
	if (c->reply_count < REPLIES_MAX)
		c->replies[c->reply_count++] = reply;
	else
		s3_xml_reply_free(reply);
}

struct s3_xml_list *s3_client_take_list(struct s3_client *c)
{
	return c->list_count ? c->lists[--c->list_count] : s3_xml_list_new();
}

void s3_client_give_list(struct s3_client *c, struct s3_xml_list *list)
{
	if (c->list_count < LISTS_MAX)
		c->lists[c->list_count++] = list;
	else
		s3_xml_list_free(list);
}

/* ---- targets ---- */

/* True when the endpoint is the one that its region implies: only then it moves with the region. */
static bool endpoint_is_default(const struct s3_client *c, const struct s3_target *t)
{
	struct s3_addr implied;
	char why[256];
	bool same;

	if (!t->addr.aws ||
		!s3_settings_addr(&c->settings, NULL, t->addr.region, &implied, why, sizeof(why)))
		return false;
	same = !strcmp(implied.endpoint, t->addr.endpoint);
	s3_addr_free(&implied);
	return same;
}

static bool target_add(
	struct s3_client *c, const char *endpoint_url, const char *region, char *why, size_t size)
{
	struct s3_target *t = mem_zalloc(sizeof(*t));

	if (!s3_settings_addr(&c->settings, endpoint_url, region, &t->addr, why, size)) {
		free(t);
		return false;
	}
	t->older = c->target;
	c->target = t;
	c->target_count++;
	return true;
}

bool s3_client_move(struct s3_client *c, const char *region)
{
	const struct s3_target *now = c->target;
	const char *endpoint = endpoint_is_default(c, now) ? NULL : now->addr.endpoint;
	char why[256];

	/* An access point has its region in its name. */
	if (s3_is_arn(c->settings.bucket))
		return false;
	if (c->target_count >= TARGETS_MAX) {
		log_warn("s3: the server of bucket %s named %u regions; staying with %s",
			c->settings.bucket, c->target_count, now->addr.region);
		return false;
	}
	if (!target_add(c, endpoint, region, why, sizeof(why))) {
		log_warn("s3: the server of bucket %s named a region that is none: %s",
			c->settings.bucket, why);
		return false;
	}
	log_info("s3: bucket %s is in region %s", c->settings.bucket, region);
	return true;
}

/* ---- beginning and end ---- */

static bool open_desks(struct s3_client *c, char *why, size_t why_size)
{
	unsigned i, n = http_engine_threads(c->http);

	c->desks = mem_calloc(n, sizeof(*c->desks));
	for (i = 0; i < n; i++) {
		c->desks[i].out = S3_SIGN_OUTPUT_INIT;
		c->desks[i].signer = s3_signer_new();
		if (!c->desks[i].signer) {
			snprintf(why, why_size,
				"OpenSSL has no HMAC-SHA-256: check its configuration");
			return false;
		}
	}
	return true;
}

static bool open_http(struct s3_client *c, char *why, size_t why_size)
{
	struct http_config config = {
		.threads = c->settings.io_threads,
		.connections_max = c->settings.connections_max,
		.ca_bundle = c->settings.ca_bundle,
		.connect_timeout_ms = c->settings.connect_timeout_ms,
		.stall_timeout_ms = c->settings.stall_timeout_ms,
	};

	c->http = http_engine_new(c->loop, &config, why, why_size);
	return c->http != NULL;
}

static void creds_changed(void *ctx)
{
	s3_op_creds_changed(ctx);
}

static void open_provider(struct s3_client *c)
{
	c->place = (struct s3_fetch_place){.loop = c->loop,
		.http = c->http,
		.env = (const char *const *)c->settings.chain.env,
		.clock_offset_ms = &c->clock_offset_ms};
	c->provider = s3_provider_new(
		&c->place, &c->settings.chain, c->settings.source, creds_changed, c);
	c->settings.source = NULL;
}

struct s3_client *s3_client_new(
	struct loop *loop, const struct s3_config *config, char *why, size_t why_size)
{
	struct s3_client *c = mem_zalloc(sizeof(*c));

	if (!s3_settings_load(config, &c->settings, why, why_size)) {
		free(c);
		return NULL;
	}
	c->loop = loop;
	c->retry = config->retry ? *config->retry : s3_retry_default;
	s3_retry_bound(&c->retry, config->timeout_ms);
	c->rng.state = (uint64_t)clk_wall_ms() ^ (uintptr_t)c;
	LIST_INIT(&c->ops);
	c->replies = mem_calloc(REPLIES_MAX, sizeof(struct s3_xml_reply *));
	c->lists = mem_calloc(LISTS_MAX, sizeof(struct s3_xml_list *));
	c->faults = s3_xml_reply_new();
	if (!target_add(c, c->settings.addr.endpoint, c->settings.region, why, why_size) ||
		!s3_sum_choose(c, why, why_size) || !open_http(c, why, why_size) ||
		!open_desks(c, why, why_size)) {
		s3_client_free(c);
		return NULL;
	}
	if (c->settings.sign)
		open_provider(c);
	return c;
}

static void free_targets(struct s3_client *c)
{
	struct s3_target *t;

	while ((t = c->target)) {
		c->target = t->older;
		s3_addr_free(&t->addr);
		free(t);
	}
}

static void free_desks(struct s3_client *c, unsigned count)
{
	unsigned i;

	for (i = 0; c->desks && i < count; i++) {
		s3_signer_free(c->desks[i].signer);
		buf_free(&c->desks[i].out.authorization);
	}
	free(c->desks);
}

void s3_client_free(struct s3_client *c)
{
	unsigned threads;

	if (!c)
		return;
	c->closing = true;
	threads = c->http ? http_engine_threads(c->http) : 0;
	s3_provider_stop(c->provider);
	http_engine_free(c->http);
	s3_op_abandon_all(c);
	s3_provider_free(c->provider);
	free_desks(c, threads);
	free_targets(c);
	while (c->reply_count)
		s3_xml_reply_free(c->replies[--c->reply_count]);
	while (c->list_count)
		s3_xml_list_free(c->lists[--c->list_count]);
	free(c->replies);
	free(c->lists);
	s3_xml_reply_free(c->faults);
	s3_settings_free(&c->settings);
	free(c);
}

const char *s3_client_bucket(const struct s3_client *c)
{
	return c->settings.bucket;
}

const char *s3_client_endpoint(const struct s3_client *c)
{
	return c->target->addr.endpoint;
}

const char *s3_client_storage_class(const struct s3_client *c)
{
	return c->settings.object.storage_class;
}

bool s3_client_copies_tags(const struct s3_client *c)
{
	return !c->settings.object.no_tags;
}

const char *s3_client_credentials_problem(const struct s3_client *c)
{
	return c->provider ? s3_provider_problem(c->provider) : "";
}

bool s3_client_lacks(const struct s3_client *c, enum s3_ability ability)
{
	return s3_abilities_lack(&c->abilities, ability);
}

bool s3_client_may_lack(const struct s3_client *c, enum s3_ability ability)
{
	return s3_abilities_may_lack(&c->abilities, ability);
}

/*
 * Nobody else says what a server that talks nonsense has said, nor why there is none: who looks a
 * name up hears of an errno. An outage is told once, and its end.
 */
void s3_client_unserved(const struct s3_op *op)
{
	struct s3_client *c = op->client;
	bool nonsense = !strcmp(op->err.code, "BadAnswer");
	char text[512];

	if (!nonsense && op->http.result.code == HTTP_DONE && op->err.cls != S3_TRANSIENT &&
		op->err.cls != S3_THROTTLED)
		return;
	if (nonsense || strcmp(c->outage, op->err.code) != 0)
		log_warn("in bucket %s: %s", c->settings.bucket,
			s3_err_text(&op->err, text, sizeof(text)));
	if (!nonsense)
		memcpy(c->outage, op->err.code, sizeof(c->outage));
}

void s3_client_served(struct s3_client *c)
{
	if (c->outage[0])
		log_info("bucket %s is served again", c->settings.bucket);
	c->outage[0] = '\0';
}

void s3_client_heard(
	struct s3_client *c, enum s3_ability ability, const struct s3_err *err, bool refused)
{
	char text[400];

	if (err->cls == S3_OK)
		s3_abilities_has(&c->abilities, ability);
	else if (refused && s3_abilities_refused(&c->abilities, ability))
		log_warn("bucket %s: %s; the server said: %s", c->settings.bucket,
			s3_ability_missing(ability), s3_err_text(err, text, sizeof(text)));
}

void s3_client_ignored(struct s3_client *c, enum s3_ability ability, bool ignored)
{
	if (!ignored)
		s3_abilities_has(&c->abilities, ability);
	else if (s3_abilities_refused(&c->abilities, ability))
		log_warn("bucket %s: %s; the server does not look at what asks for it",
			c->settings.bucket, s3_ability_missing(ability));
}

void s3_client_stats(const struct s3_client *c, struct s3_stats *stats)
{
	*stats = c->stats;
}
