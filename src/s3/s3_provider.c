/*
 * Credentials in use and their renewal: see s3_provider.h. Core thread.
 *
 * A fetch is under way, or `current` is good, or `failed` says why there are none; after a failure
 * the next one who asks, but not within COOLDOWN_MS, starts another fetch. Each fetch begins with
 * the choice of the source, so that files that were changed meanwhile count.
 */
#include "s3/s3_provider.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/clk.h"
#include "util/log.h"
#include "util/mem.h"

#define LEAD_MAX_MS 300000
#define DELAY_MIN_MS 1000
#define AGAIN_MIN_MS 1000
#define AGAIN_MAX_MS 60000
#define COOLDOWN_MS 5000
/* How often files are looked at for other keys when a server refuses those that do not expire. */
#define RELOAD_MS 1000
/* A server that refuses whatever is fetched is not helped by more of it. */
#define REJECTIONS_MAX 3
#define REJECTIONS_MS 10000

struct s3_provider {
	const struct s3_fetch_place *place;
	const struct s3_chain *chain;
	struct s3_source *source; /* of the fetch under way, or the last one */
	struct s3_fetch *fetch;   /* under way; or NULL */
	struct s3_creds *current; /* may have expired; NULL: none */
	struct loop_timer timer;  /* of the next renewal */
	struct rng rng;
	void (*changed)(void *ctx);
	void *ctx;
	unsigned failures;              /* in a row */
	int64_t failed_ms, reloaded_ms; /* monotonic */
	int64_t rejected_ms;            /* monotonic: the first of `rejections` */
	unsigned rejections;
	bool chosen;  /* `source` is fresh */
	bool had_any; /* there have been credentials: this is a renewal */
	bool stopped;
	char why[S3_WHY_MAX];
};

static int64_t now_ms(const struct s3_provider *p)
{
	return clk_wall_ms() + atomic_load(p->place->clock_offset_ms);
}

static bool is_good(const struct s3_provider *p)
{
	return p->current && (!p->current->expires_ms || p->current->expires_ms > now_ms(p));
}

int64_t s3_provider_delay_ms(int64_t left_ms, struct rng *rng)
{
	int64_t lead_ms = left_ms / 5 < LEAD_MAX_MS ? left_ms / 5 : LEAD_MAX_MS;
	int64_t delay_ms = left_ms - lead_ms;

	if (lead_ms > 0)
		delay_ms -= (int64_t)rng_below(rng, (uint64_t)lead_ms / 5 + 1);
	return delay_ms > DELAY_MIN_MS ? delay_ms : DELAY_MIN_MS;
}

/* ---- the end of a fetch ---------------------------------------------------------------------- */

static void use(struct s3_provider *p, struct s3_creds *creds)
{
	if (p->failures && p->had_any)
		log_info("s3: the credentials from %s are renewed again", p->source->name);
	else
		log_debug("s3: credentials from %s", p->source->name);
	s3_creds_unref(p->current);
	p->current = creds;
	p->failures = 0;
	p->why[0] = '\0';
	p->had_any = true;
	if (creds->expires_ms)
		loop_timer_set(p->place->loop, &p->timer,
			s3_provider_delay_ms(creds->expires_ms - now_ms(p), &p->rng));
	else
		loop_timer_stop(p->place->loop, &p->timer);
}

static void format_time(int64_t ms, char text[32])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || !strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(text, 32, "?");
}

/* What is in use goes on being used while it is good. One line, however often it is tried. */
static void note_failure(struct s3_provider *p, const char *why)
{
	int64_t again_ms = AGAIN_MIN_MS << (p->failures < 6 ? p->failures : 6);
	char until[32];

	if (again_ms > AGAIN_MAX_MS)
		again_ms = AGAIN_MAX_MS;
	again_ms = again_ms / 2 + (int64_t)rng_below(&p->rng, (uint64_t)again_ms / 2);
	snprintf(p->why, sizeof(p->why), "%s", why);
	p->failed_ms = clk_mono_ms();
	if (is_good(p)) {
		format_time(p->current->expires_ms, until);
		if (!p->failures)
			log_warn("s3: the credentials could not be renewed, those in use go on "
				 "being "
				 "used until %s, and it is tried again: %s",
				until, why);
		loop_timer_set(p->place->loop, &p->timer, again_ms);
	} else if (!p->failures || p->current) {
		log_error("s3: there are no credentials: %s", why);
		s3_creds_unref(p->current);
		p->current = NULL;
	}
	p->failures++;
}

static void fetched(void *ctx, struct s3_creds *creds, const char *why)
{
	struct s3_provider *p = ctx;

	s3_fetch_free(p->fetch);
	p->fetch = NULL;
	if (creds)
		use(p, creds);
	else
		note_failure(p, why);
	p->changed(p->ctx);
}

/* ---- the beginning of one -------------------------------------------------------------------- */

static bool choose(struct s3_provider *p, char *why)
{
	struct s3_source *source;

	if (p->chosen) {
		p->chosen = false;
		return true;
	}
	source = s3_source_choose(p->chain, NULL, why, S3_WHY_MAX);
	if (!source)
		return false;
	s3_source_free(p->source);
	p->source = source;
	return true;
}

static void begin(struct s3_provider *p)
{
	char why[S3_WHY_MAX];

	/* What it was to begin has begun: after a failure it would begin another one at once. */
	loop_timer_stop(p->place->loop, &p->timer);
	if (!choose(p, why)) {
		note_failure(p, why);
		p->changed(p->ctx);
		return;
	}
	p->fetch = s3_fetch_new(p->place, p->source, p->had_any, fetched, p);
	s3_fetch_start(p->fetch);
}

static void on_timer(struct loop_timer *timer)
{
	struct s3_provider *p =
		(struct s3_provider *)((char *)timer - offsetof(struct s3_provider, timer));

	if (!p->fetch)
		begin(p);
}

/* ---- what clients ask ------------------------------------------------------------------------ */

struct s3_provider *s3_provider_new(const struct s3_fetch_place *place,
	const struct s3_chain *chain, struct s3_source *source, void (*changed)(void *ctx),
	void *ctx)
{
	struct s3_provider *p = mem_zalloc(sizeof(*p));

	p->place = place;
	p->chain = chain;
	p->source = source;
	p->chosen = true;
	p->changed = changed;
	p->ctx = ctx;
	p->timer.fire = on_timer;
	p->rng.state = (uint64_t)clk_wall_ms() ^ (uintptr_t)p;
	return p;
}

void s3_provider_stop(struct s3_provider *p)
{
	if (!p)
		return;
	p->stopped = true;
	loop_timer_stop(p->place->loop, &p->timer);
	if (p->fetch)
		s3_fetch_stop(p->fetch);
}

void s3_provider_free(struct s3_provider *p)
{
	if (!p)
		return;
	s3_fetch_free(p->fetch);
	s3_creds_unref(p->current);
	s3_source_free(p->source);
	free(p);
}

static bool cools_down(const struct s3_provider *p)
{
	return p->failures && clk_mono_ms() - p->failed_ms < COOLDOWN_MS;
}

enum s3_provided s3_provider_get(struct s3_provider *p, struct s3_creds **ret)
{
	if (!is_good(p) && !p->fetch && !p->stopped && !cools_down(p))
		begin(p);
	if (is_good(p)) {
		*ret = s3_creds_ref(p->current);
		return S3_CREDS_READY;
	}
	return p->fetch ? S3_CREDS_WAIT : S3_CREDS_NONE;
}

/* Keys in a file may have been replaced there by others. */
static bool reload_keys(struct s3_provider *p)
{
	char why[S3_WHY_MAX];
	int64_t now = clk_mono_ms();
	struct s3_source *source;

	if (p->reloaded_ms && now - p->reloaded_ms < RELOAD_MS)
		return false;
	p->reloaded_ms = now;
	source = s3_source_choose(p->chain, NULL, why, sizeof(why));
	if (!source ||
		(source->kind == S3_SOURCE_KEYS && s3_creds_same(source->keys, p->current))) {
		s3_source_free(source);
		return false;
	}
	log_info("s3: taking other credentials, from %s", source->name);
	s3_source_free(p->source);
	p->source = source;
	p->chosen = true;
	return true;
}

static bool too_many_rejections(struct s3_provider *p)
{
	int64_t now = clk_mono_ms();

	if (now - p->rejected_ms >= REJECTIONS_MS)
		p->rejections = 0;
	if (!p->rejections)
		p->rejected_ms = now;
	return ++p->rejections > REJECTIONS_MAX;
}

bool s3_provider_reject(struct s3_provider *p, const struct s3_creds *creds)
{
	/* Another one was here before. */
	if (creds != p->current || p->stopped)
		return true;
	if (p->source->kind == S3_SOURCE_KEYS ? !reload_keys(p) : too_many_rejections(p))
		return false;
	log_info("s3: the server says that the credentials from %s have expired", p->source->name);
	s3_creds_unref(p->current);
	p->current = NULL;
	return true;
}

const char *s3_provider_problem(const struct s3_provider *p)
{
	return p->why;
}
