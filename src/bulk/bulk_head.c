/*
 * HeadObjects by the hundred: a queue and a window of their own, since S3 serves reads and writes
 * at rates of their own. Retried like every other operation. Core thread only.
 */
#include "bulk/bulk_int.h"
#include "util/clk.h"

static void again(struct loop_timer *timer)
{
	struct bulk_head *h =
		(struct bulk_head *)((char *)timer - offsetof(struct bulk_head, timer));

	h->waits = true;
	TAILQ_INSERT_HEAD(&h->target->heads, h, link);
}

static void answered(void *ctx, const struct s3_err *err, const struct s3_object *o)
{
	struct bulk_head *h = ctx;
	struct bulk_target *t = h->target;
	int64_t now_ms = clk_mono_ms(), delay_ms;

	bulk_window_answer(&t->heads_window, &h->launch, err->cls == S3_THROTTLED, now_ms);
	t->stats.throttled += err->cls == S3_THROTTLED;
	h->sent = false;
	delay_ms = err->cls == S3_OK
			   ? -1
			   : s3_retry_next(&h->retry, &t->policy, err, now_ms, &t->bulk->rng);
	if (delay_ms < 0) {
		h->done(h, err, o);
		return;
	}
	h->timer.fire = again;
	loop_timer_set(t->bulk->loop, &h->timer, delay_ms);
}

void bulk_head_submit(struct bulk_head *h)
{
	h->retry = (struct s3_retry){0};
	h->timer = (struct loop_timer){0};
	h->sent = false;
	h->waits = true;
	TAILQ_INSERT_TAIL(&h->target->heads, h, link);
}

bool bulk_head_withdraw(struct bulk_head *h)
{
	if (h->sent)
		return false;
	if (h->waits)
		TAILQ_REMOVE(&h->target->heads, h, link);
	else
		loop_timer_stop(h->target->bulk->loop, &h->timer);
	return true;
}

void heads_pump(struct bulk_target *t)
{
	struct bulk_head *h;

	t->heads_window.wait_ms = 0;
	while ((h = TAILQ_FIRST(&t->heads)) &&
		bulk_window_admits(&t->heads_window, BULK_COST_ONE, clk_mono_ms())) {
		TAILQ_REMOVE(&t->heads, h, link);
		h->waits = false;
		h->sent = true;
		if (!h->retry.first_ms)
			h->retry.first_ms = clk_mono_ms();
		h->launch = bulk_window_launch(&t->heads_window, BULK_COST_ONE, clk_mono_ms());
		s3_head(t->client, h->key, h->pin, S3_NO_RETRY, answered, h);
	}
}
