/*
 * Life of an operation: submitted -> waits for its keys (bulk_order.c) -> waits for a place in the
 * window -> launched -> answered -> again (after a delay, without a place), or done.
 * Core thread only.
 */
#include <stdlib.h>

#include "bulk/bulk_int.h"
#include "util/clk.h"
#include "util/log.h"
#include "util/mem.h"

#define INFLIGHT_MAX_DEFAULT 1024

/*
 * The window already sends less when it is refused, so one operation need not wait as long as a
 * client without one would; and however many times it is refused, it is not given up before the
 * deadline.
 */
static const struct s3_retry_policy bulk_policy = {
	.attempts_max = 10,
	.throttled_max = 10000,
	.deadline_ms = 15 * 60 * 1000,
	.base_ms = 100,
	.throttled_base_ms = 100,
	.cap_ms = 5000,
};

static void fill_config(struct bulk_config *config)
{
	if (!config->copy_part_threshold_bytes)
		config->copy_part_threshold_bytes = (uint64_t)256 << 20;
	if (!config->copy_part_bytes)
		config->copy_part_bytes = (uint64_t)128 << 20;
}

struct bulk *bulk_new(struct loop *loop, const struct bulk_config *config)
{
	struct bulk *b = mem_zalloc(sizeof(*b));

	b->loop = loop;
	b->config = *config;
	fill_config(&b->config);
	if (!b->config.seed)
		b->config.seed = (uint64_t)clk_wall_ms() * 2654435761u;
	b->rng.state = b->config.seed;
	TAILQ_INIT(&b->runnable);
	TAILQ_INIT(&b->fetches);
	return b;
}

void bulk_free(struct bulk *b)
{
	free(b);
}

static void deletes_late(struct loop_timer *timer)
{
	struct bulk_target *t =
		(struct bulk_target *)((char *)timer - offsetof(struct bulk_target, deletes_timer));

	bulk_hurry(t);
}

static void pace_over(struct loop_timer *timer)
{
	(void)timer; /* the loop's hook pumps */
}

static void pump_hook(void *ctx)
{
	bulk_pump(ctx);
}

void bulk_target_configure(struct bulk_target *t, const struct bulk_config *config)
{
	t->config = *config;
	fill_config(&t->config);
	t->policy = bulk_policy;
	s3_retry_bound(&t->policy, config->timeout_ms);
}

struct bulk_target *bulk_target_new(struct bulk *b, struct s3_client *client, unsigned inflight_max)
{
	struct bulk_target *t = mem_zalloc(sizeof(*t));

	t->bulk = b;
	bulk_target_configure(t, &b->config);
	t->client = client;
	bulk_window_init(&t->window, inflight_max ? inflight_max : INFLIGHT_MAX_DEFAULT);
	bulk_window_init(&t->heads_window, inflight_max ? inflight_max : INFLIGHT_MAX_DEFAULT);
	TAILQ_INIT(&t->heads);
	TAILQ_INIT(&t->ready);
	TAILQ_INIT(&t->parts);
	TAILQ_INIT(&t->deletes);
	t->deletes_timer.fire = deletes_late;
	t->pace_timer.fire = pace_over;
	t->next = b->targets;
	b->targets = t;
	loop_add_hook(b->loop, pump_hook, t);
	return t;
}

void bulk_target_free(struct bulk_target *t)
{
	struct bulk_target **at;

	if (!t)
		return;
	for (at = &t->bulk->targets; *at != t; at = &(*at)->next)
		;
	*at = t->next;
	loop_del_hook(t->bulk->loop, pump_hook, t);
	loop_timer_stop(t->bulk->loop, &t->deletes_timer);
	loop_timer_stop(t->bulk->loop, &t->pace_timer);
	free(t);
}

struct s3_client *bulk_target_client(const struct bulk_target *t)
{
	return t->client;
}

uint64_t bulk_target_copy_part_bytes(const struct bulk_target *t)
{
	return t->config.copy_part_bytes;
}

void bulk_target_stats(const struct bulk_target *t, struct bulk_stats *stats)
{
	*stats = t->stats;
	stats->in_flight = t->window.in_flight;
	stats->window = bulk_window_size(&t->window);
}

static bool is_holder(const struct bulk_op *op)
{
	return op->kind == BULK_READ || op->kind == BULK_WRITE;
}

void bulk_submit(struct bulk_op *op)
{
	op->retry = (struct s3_retry){0};
	op->submitted_ms = clk_mono_ms();
	op->timer = (struct loop_timer){0};
	op->parts = NULL;
	op->runnable = false;
	op->etag[0] = '\0';
	if (!is_holder(op))
		op->target->stats.pending++;
	order_enter(op);
	if (!op->waits_left)
		bulk_run(op);
}

bool bulk_is_refused(const struct bulk_op *op, const struct s3_err *err)
{
	return !op->retry.attempts && s3_err_is_refusal(err);
}

void bulk_run(struct bulk_op *op)
{
	if (is_holder(op))
		op->granted(op);
	else if (op->kind == BULK_DELETE)
		delete_queue(op);
	else
		TAILQ_INSERT_TAIL(&op->target->ready, op, link);
}

void bulk_release(struct bulk_op *op)
{
	order_leave(op);
	order_run(op->target->bulk);
}

void bulk_finish(struct bulk_op *op, const struct s3_err *err)
{
	struct bulk_stats *stats = &op->target->stats;
	struct bulk *b;

	stats->pending--;
	if (err->cls != S3_OK)
		stats->failed++;
	else if (op->kind == BULK_COPY)
		stats->copies_done++;
	else if (op->kind == BULK_DELETE)
		stats->deletes_done++;
	else
		stats->puts_done++;
	/* The caller hears of it before a later operation on the same key starts. */
	b = op->target->bulk;
	order_leave(op);
	op->done(op, err);
	order_run(b);
}

static void again(struct loop_timer *timer)
{
	struct bulk_op *op = (struct bulk_op *)((char *)timer - offsetof(struct bulk_op, timer));

	if (op->kind != BULK_DELETE) {
		TAILQ_INSERT_HEAD(&op->target->ready, op, link);
		return;
	}
	/* It was time for it once: it does not wait for more to come. */
	delete_queue(op);
	bulk_hurry(op->target);
}

bool bulk_try_again(struct bulk_op *op, const struct s3_err *err, int64_t *same_ms)
{
	struct bulk *b = op->target->bulk;
	int64_t delay_ms =
		s3_retry_next(&op->retry, &op->target->policy, err, clk_mono_ms(), &b->rng);

	if (delay_ms < 0)
		return false;
	if (same_ms && *same_ms >= 0)
		delay_ms = *same_ms;
	else if (same_ms)
		*same_ms = delay_ms;
	op->timer.fire = again;
	loop_timer_set(b->loop, &op->timer, delay_ms);
	return true;
}

struct bulk_launch bulk_launched(struct bulk_target *t, struct bulk_cost cost)
{
	int64_t now_ms = clk_mono_ms();

	if (!t->window.in_flight && t->trouble.cls == S3_OK)
		t->served_ms = now_ms;
	return bulk_window_launch(&t->window, cost, now_ms);
}

void bulk_heard(struct bulk_target *t, const struct s3_err *err)
{
	if (err->cls == S3_THROTTLED || err->cls == S3_TRANSIENT) {
		t->trouble = *err;
		return;
	}
	t->trouble.cls = S3_OK;
	t->served_ms = clk_mono_ms();
}

/* With a timeout: has S3 served nothing for so many thirds of it? */
static bool is_down(const struct bulk_target *t, int thirds)
{
	return t->config.timeout_ms && t->trouble.cls != S3_OK &&
	       clk_mono_ms() - t->served_ms >= t->config.timeout_ms / 3 * thirds;
}

bool bulk_is_hopeless(const struct bulk_target *t, const struct bulk_op *op)
{
	return is_down(t, 2) && clk_mono_ms() - op->submitted_ms >= t->config.timeout_ms / 3 * 2;
}

void bulk_begun(struct bulk_op *op)
{
	if (!op->retry.first_ms)
		op->retry.first_ms = is_down(op->target, 1) ? op->submitted_ms : clk_mono_ms();
}

void bulk_landed(struct bulk_target *t, const struct bulk_launch *launch, unsigned refused)
{
	t->stats.throttled += refused > 0;
	bulk_window_answer(&t->window, launch, refused, clk_mono_ms());
}

void bulk_landed_one(
	struct bulk_target *t, const struct bulk_launch *launch, const struct s3_err *err)
{
	bulk_heard(t, err);
	bulk_landed(t, launch, err->cls == S3_THROTTLED);
}

static void put_done(void *ctx, const struct s3_err *err, const struct s3_put_result *result)
{
	struct bulk_op *op = ctx;

	bulk_landed_one(op->target, &op->launch, err);
	if (err->cls != S3_OK && bulk_try_again(op, err, NULL))
		return;
	if (err->cls == S3_OK && result->etag.len < sizeof(op->etag)) {
		memcpy(op->etag, result->etag.ptr, result->etag.len);
		op->etag[result->etag.len] = '\0';
	}
	bulk_finish(op, err);
}

void put_send(struct bulk_op *op, const struct s3_meta *meta)
{
	s3_put(op->target->client, op->key, meta, &op->body, S3_NO_RETRY, put_done, op);
}

static void launch(struct bulk_op *op)
{
	if (op->kind == BULK_COPY && mp_copy_wanted(op)) {
		mp_copy_launch(op);
		return;
	}
	op->launch = bulk_launched(op->target, BULK_COST_ONE);
	bulk_begun(op);
	if (op->kind == BULK_COPY)
		copy_launch(op);
	else
		put_send(op, op->meta);
}

/* 0: it waits for something else. */
static int64_t sooner(int64_t a_ms, int64_t b_ms)
{
	return a_ms && (!b_ms || a_ms < b_ms) ? a_ms : b_ms;
}

/* Takes the first of the list when the window has a place for it, or when it is hopeless. */
static struct bulk_op *take(struct bulk_target *t, struct bulk_list *list, bool *hopeless)
{
	struct bulk_op *op = TAILQ_FIRST(list);

	*hopeless = op && bulk_is_hopeless(t, op);
	if (!op || (!*hopeless && !bulk_window_admits(&t->window, BULK_COST_ONE, clk_mono_ms())))
		return NULL;
	TAILQ_REMOVE(list, op, link);
	return op;
}

static bool launch_part(struct bulk_target *t)
{
	bool hopeless;
	struct bulk_op *op = take(t, &t->parts, &hopeless);

	if (op)
		mp_copy_turn(op, hopeless ? &t->trouble : NULL);
	return op != NULL;
}

static bool launch_whole(struct bulk_target *t)
{
	bool hopeless;
	struct bulk_op *op = take(t, &t->ready, &hopeless);

	if (op && hopeless)
		bulk_finish(op, &t->trouble);
	else if (op)
		launch(op);
	return op != NULL;
}

/* Parts of large copies and whole operations take turns, so that neither waits for the other. */
static bool launch_next(struct bulk_target *t)
{
	bool part = !t->part_was_last;

	if (!(part ? launch_part(t) : launch_whole(t))) {
		part = !part;
		if (!(part ? launch_part(t) : launch_whole(t)))
			return false;
	}
	t->part_was_last = part;
	return true;
}

void bulk_pump(struct bulk_target *t)
{
	int64_t wait_ms;

	t->window.wait_ms = 0;
	while (launch_next(t))
		;
	while (delete_launch(t))
		;
	heads_pump(t);
	/* The timer only makes the loop come by again; the window knows what may be sent then. */
	wait_ms = sooner(t->window.wait_ms, t->heads_window.wait_ms);
	if (wait_ms && !t->pace_timer.slot)
		loop_timer_set(t->bulk->loop, &t->pace_timer, wait_ms);
}
