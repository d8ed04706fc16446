/* How fast writes may follow each other: see bulk_rate.h. */
#include "bulk/bulk_rate.h"

/* An event is judged by so many answers in so long a time, or, when they come slowly, after longer.
 */
#define EVENT_MS 40
#define EVENT_ANSWERS 16
#define EVENT_LONG_MS 500
/*
 * A cut goes a little below what was served while requests were refused: S3 refuses what is over a
 * partition's rate and serves the rest, so a deep cut would only leave capacity unused.
 */
#define CUT_BELOW 0.97
#define CUT_LEAST 0.95
#define CUT_MOST 0.25
/* The rate grows by this share a second, and by its square with the time without a refusal: what
 * refused us may have gone. */
#define GROWTH 0.08
#define GROWTH_MOST 4.0
#define CALM_MS 1000.0
/* Calm as if for so long, where little was known of the rate. */
#define CALM_GUESS_MS 3000
/* Writes a millisecond: however long S3 refuses all of them, soon after it no longer does we know.
 */
#define RATE_LEAST 0.01
/* A longer time between two answers counts as this. */
#define STEP_MS 500
/* What was sent soon says how much S3 is asked for, as slow start doubles it; what was served must
 * be seen for longer, since batches come one by one. */
#define SENT_FLOW_MS 60
#define SERVED_FLOW_MS 500
#define FLOW_LEAST_MS 10
#define IDLE_MS 1000
/* What could have been sent and was not may follow later, up to so much. */
#define SAVED_MS 25
/* Nobody is woken for less. */
#define WAIT_MS 2
#define BATCH_MS 60
#define BATCH_MIN 10

static double at_least(double a, double least)
{
	return a > least ? a : least;
}

static double at_most(double a, double most)
{
	return a < most ? a : most;
}

/* ---- what has been sent and served ---- */

/* While nothing is added, what was added counts for longer and longer. */
static void flow_add(struct bulk_flow *f, unsigned writes, int64_t period_ms, int64_t now_ms)
{
	if (!writes)
		return;
	if (now_ms - f->since_ms > period_ms) {
		f->before_ms = f->since_ms;
		f->before = f->writes;
		f->since_ms = now_ms;
		f->writes = 0;
	}
	f->writes += writes;
	f->last_ms = now_ms;
}

static double flow_rate(const struct bulk_flow *f, uint64_t more, int64_t until_ms)
{
	return (double)(f->before + f->writes + more) /
	       at_least((double)(until_ms - f->before_ms), FLOW_LEAST_MS);
}

/* ---- sending ---- */

bool bulk_rate_admits(struct bulk_rate *r, int64_t now_ms, int64_t *wait_ms)
{
	*wait_ms = 0;
	if (r->rate <= 0)
		return true;
	r->tokens += (double)(now_ms - r->tokens_ms) * r->rate;
	r->tokens = at_most(r->tokens, at_least(r->rate * SAVED_MS, 1));
	r->tokens_ms = now_ms;
	/* A batch that passes leaves a debt: S3 lets it pass as a whole, and what follows waits. */
	if (r->tokens >= 1)
		return true;
	r->waited = true;
	*wait_ms = (int64_t)at_least((1 - r->tokens) / r->rate + 1, WAIT_MS);
	return false;
}

void bulk_rate_sent(struct bulk_rate *r, uint64_t seq, unsigned writes, int64_t now_ms)
{
	if (!r->sent.since_ms || (!r->underway && now_ms - r->sent.last_ms > IDLE_MS)) {
		r->sent = (struct bulk_flow){.before_ms = now_ms, .since_ms = now_ms};
		r->served = r->sent;
	}
	r->sent_seq = seq;
	r->tokens -= writes;
	r->underway += writes;
	flow_add(&r->sent, writes, SENT_FLOW_MS, now_ms);
}

unsigned bulk_rate_batch(const struct bulk_rate *r, unsigned most)
{
	double writes = at_least(r->rate * BATCH_MS, BATCH_MIN);

	return r->rate > 0 && writes < most ? (unsigned)writes : most;
}

/* ---- adapting ---- */

static void cut(struct bulk_rate *r, double rate, int64_t now_ms)
{
	r->calm_ms = r->rate <= 0 || rate < r->rate / 2 ? CALM_GUESS_MS : 0;
	if (r->rate <= 0)
		r->tokens = 0;
	r->tokens = at_most(r->tokens, 1);
	r->tokens_ms = now_ms;
	r->rate = at_least(rate, RATE_LEAST);
	r->cut_seq = r->sent_seq;
	r->grown_ms = now_ms;
	r->event.since_ms = 0;
}

/* What is under way will be served, or would have been refused by now. */
static bool refuses_at_once(const struct bulk_rate *r)
{
	return r->refused_after_ms < r->served_after_ms / 2 || !r->served_after_ms;
}

static void smooth(double *ms, int64_t sample_ms)
{
	*ms = *ms ? *ms + ((double)sample_ms - *ms) / 8 : at_least((double)sample_ms, 0.1);
}

/* Of many single writes, the share that was served says by how much the rate is too high. */
static void single_answer(struct bulk_rate *r, uint64_t seq, bool refused, int64_t now_ms)
{
	int64_t ms;
	double all, share;

	if (!r->event.since_ms) {
		r->event.since_ms = now_ms;
		r->event.first_seq = seq;
		r->event.served = r->event.refused = 0;
	}
	r->event.refused += refused;
	r->event.served += !refused;
	ms = now_ms - r->event.since_ms;
	all = refuses_at_once(r) ? (double)(r->sent_seq - r->event.first_seq + 1)
				 : r->event.served + r->event.refused;
	if (all < r->event.refused)
		all = r->event.refused;
	share = 1 - r->event.refused / all;
	if (ms < EVENT_LONG_MS && (all < EVENT_ANSWERS || (ms < EVENT_MS && share > 0.5)))
		return;
	share = at_least(share * CUT_BELOW, CUT_MOST);
	cut(r, share * (r->rate > 0 ? r->rate : flow_rate(&r->sent, 0, r->sent.last_ms)), now_ms);
}

/* Batches are too few for that: what was served for a while is taken. */
static void batch_refused(struct bulk_rate *r, unsigned writes, int64_t now_ms)
{
	uint64_t underway = refuses_at_once(r) ? r->underway : 0;
	double served = flow_rate(&r->served, underway, now_ms), rate = served * CUT_BELOW;

	if (r->rate > 0)
		rate = at_least(at_most(rate, r->rate * CUT_LEAST), served / 2);
	else if (rate <= 0)
		rate = flow_rate(&r->sent, 0, r->sent.last_ms) / 2;
	cut(r, rate, now_ms);
	/* It comes back at once: not before S3 has had time to serve some. */
	r->tokens = at_most(r->tokens, -at_most(writes, rate * BATCH_MS));
}

static void grow(struct bulk_rate *r, int64_t now_ms)
{
	int64_t ms = now_ms - r->grown_ms;
	double calm;

	r->grown_ms = now_ms;
	if (r->rate <= 0 || !r->waited)
		return;
	r->waited = false;
	r->calm_ms += ms < STEP_MS ? ms : STEP_MS;
	calm = (double)r->calm_ms / CALM_MS;
	r->rate *= 1 + at_most(GROWTH * (1 + calm * calm), GROWTH_MOST) *
			       (double)(ms < STEP_MS ? ms : STEP_MS) / 1000;
}

void bulk_rate_answer(struct bulk_rate *r, uint64_t seq, unsigned writes, unsigned refused,
	int64_t sent_ms, int64_t now_ms)
{
	r->underway -= writes;
	flow_add(&r->served, writes - refused, SERVED_FLOW_MS, now_ms);
	smooth(refused ? &r->refused_after_ms : &r->served_after_ms, now_ms - sent_ms);
	if (seq <= r->cut_seq)
		return;
	if (writes == 1 && (refused || r->event.since_ms))
		single_answer(r, seq, refused, now_ms);
	else if (refused)
		batch_refused(r, refused, now_ms);
	else if (!r->event.since_ms)
		grow(r, now_ms);
}
