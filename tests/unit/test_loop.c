/*
 * The core loop: timers, posts from other threads, file descriptors, hooks. The clock is this
 * program's own and moves only when a test says so; nothing here waits for time to pass.
 */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/clk.h"
#include "util/loop.h"
#include "util/mem.h"
#include "util/rng.h"

#define WATCHDOG_S 120

static int64_t now_ms; /* core thread only */

int64_t clk_mono_ms(void)
{
	return now_ms;
}

int64_t clk_wall_ms(void)
{
	return now_ms;
}

static int setup(void **state)
{
	now_ms = 1000;
	*state = loop_new();
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	loop_free(*state);
	return 0;
}

/* ---- timers ---- */

#define TIMERS 400

struct clock_alarm {
	struct loop_timer timer;
	struct loop *loop;
	struct clock_alarm *victim; /* stopped when this one fires */
	int64_t set_for_ms;         /* -1: not set */
	int fired;
	int64_t again_ms; /* sets itself again when it fires; 0: no */
};

static int64_t last_due_ms;
static int fired_total;

static void alarm_fire(struct loop_timer *timer)
{
	struct clock_alarm *a = (struct clock_alarm *)timer;

	assert_int_equal(timer->slot, 0);
	assert_true(a->set_for_ms >= 0);
	assert_true(a->set_for_ms <= now_ms);
	assert_true(a->set_for_ms >= last_due_ms);
	last_due_ms = a->set_for_ms;
	a->set_for_ms = -1;
	a->fired++;
	fired_total++;
	if (a->victim)
		loop_timer_stop(a->loop, &a->victim->timer);
	if (a->again_ms) {
		loop_timer_set(a->loop, timer, a->again_ms);
		a->set_for_ms = now_ms + a->again_ms;
	}
}

/* Set, moved, stopped at random: each fires when it is due, in the order of the due times. */
static void test_timers_in_order(void **state)
{
	struct clock_alarm *alarms = mem_calloc(TIMERS, sizeof(*alarms));
	struct rng rng = {(uint64_t)getpid()};
	int step, i;

	print_message("seed %llu\n", (unsigned long long)rng.state);
	for (i = 0; i < TIMERS; i++)
		alarms[i] = (struct clock_alarm){
			.timer.fire = alarm_fire, .loop = *state, .set_for_ms = -1};
	for (step = 0; step < 3000; step++) {
		for (i = 0; i < 10; i++) {
			struct clock_alarm *a = &alarms[rng_below(&rng, TIMERS)];
			int64_t delay_ms = (int64_t)rng_below(&rng, 300) - 10;

			if (rng_below(&rng, 4)) {
				loop_timer_set(*state, &a->timer, delay_ms);
				a->set_for_ms = now_ms + (delay_ms > 0 ? delay_ms : 0);
			} else {
				loop_timer_stop(*state, &a->timer);
				a->set_for_ms = -1;
			}
		}
		now_ms += (int64_t)rng_below(&rng, 20);
		last_due_ms = 0;
		loop_once(*state, 0);
		for (i = 0; i < TIMERS; i++) {
			assert_true(alarms[i].set_for_ms < 0 || alarms[i].set_for_ms > now_ms);
			assert_int_equal(!alarms[i].timer.slot, alarms[i].set_for_ms < 0);
		}
	}
	assert_true(fired_total > 1000);
	for (i = 0; i < TIMERS; i++)
		loop_timer_stop(*state, &alarms[i].timer);
	free(alarms);
}

/* A callback stops another timer that is due in the same round, and sets itself again. */
static void test_timer_stops_timer(void **state)
{
	struct clock_alarm second = {
		.timer.fire = alarm_fire, .loop = *state, .set_for_ms = now_ms + 20};
	struct clock_alarm first = {.timer.fire = alarm_fire,
		.loop = *state,
		.victim = &second,
		.set_for_ms = now_ms + 10,
		.again_ms = 50};

	last_due_ms = 0;
	loop_timer_set(*state, &second.timer, 20);
	loop_timer_set(*state, &first.timer, 10);
	now_ms += 30;
	loop_once(*state, 0);
	assert_int_equal(first.fired, 1);
	assert_int_equal(second.fired, 0);
	now_ms += 49;
	loop_once(*state, 0);
	assert_int_equal(first.fired, 1);
	now_ms += 1;
	loop_once(*state, 0);
	assert_int_equal(first.fired, 2);
	assert_int_equal(second.fired, 0);
	loop_timer_stop(*state, &first.timer);
	loop_timer_stop(*state, &first.timer);
}

/* ---- posts ---- */

#define POSTERS 4
#define POSTS 20000

struct post {
	struct loop_task task;
	struct poster *poster;
	int number;
	int runs;
};

struct poster {
	pthread_t thread;
	struct loop *loop;
	struct post *posts;
	int next; /* core thread: the number that is expected */
	sem_t answered;
};

static int posts_run;
static pthread_t core;

static void post_run(struct loop_task *task)
{
	struct post *p = (struct post *)task;

	assert_true(pthread_equal(pthread_self(), core));
	assert_int_equal(p->number, p->poster->next++);
	p->runs++;
	posts_run++;
}

static void *post_many(void *arg)
{
	struct poster *poster = arg;
	int i;

	for (i = 0; i < POSTS; i++)
		loop_post(poster->loop, &poster->posts[i].task);
	return NULL;
}

static void post_run_and_answer(struct loop_task *task)
{
	struct post *p = (struct post *)task;

	post_run(task);
	sem_post(&p->poster->answered);
}

/* One post at a time: were one to come without waking the loop, both would wait for ever. */
static void *post_and_wait(void *arg)
{
	struct poster *poster = arg;
	int i;

	for (i = 0; i < POSTS; i++) {
		loop_post(poster->loop, &poster->posts[i].task);
		while (sem_wait(&poster->answered) < 0)
			;
	}
	return NULL;
}

static void post_from_threads(
	struct loop *loop, int count, void *(*body)(void *), void (*run)(struct loop_task *task))
{
	struct poster posters[POSTERS] = {0};
	int i, k;

	core = pthread_self();
	posts_run = 0;
	for (i = 0; i < count; i++) {
		struct poster *p = &posters[i];

		p->loop = loop;
		p->posts = mem_calloc(POSTS, sizeof(*p->posts));
		sem_init(&p->answered, 0, 0);
		for (k = 0; k < POSTS; k++)
			p->posts[k] = (struct post){.task.run = run, .poster = p, .number = k};
	}
	for (i = 0; i < count; i++)
		assert_int_equal(pthread_create(&posters[i].thread, NULL, body, &posters[i]), 0);
	while (posts_run < count * POSTS)
		loop_once(loop, -1);
	for (i = 0; i < count; i++)
		pthread_join(posters[i].thread, NULL);
	loop_once(loop, 0);
	assert_int_equal(posts_run, count * POSTS);
	for (i = 0; i < count; i++) {
		for (k = 0; k < POSTS; k++)
			assert_int_equal(posters[i].posts[k].runs, 1);
		sem_destroy(&posters[i].answered);
		free(posters[i].posts);
	}
}

static void test_posts_once_and_in_order(void **state)
{
	post_from_threads(*state, POSTERS, post_many, post_run);
}

static void test_posts_wake_the_loop(void **state)
{
	post_from_threads(*state, 2, post_and_wait, post_run_and_answer);
}

/* ---- file descriptors ---- */

struct watched {
	struct loop_fd fd;
	struct loop *loop;
	struct watched *victim; /* no longer watched when this one is ready */
	int ready, write_fd;
};

static void watched_ready(struct loop_fd *fd)
{
	struct watched *w = (struct watched *)fd;

	w->ready++;
	if (w->victim) {
		loop_fd_del(w->loop, &w->victim->fd);
		w->victim->fd.ready = NULL;
	}
}

static void watch(struct watched *w, struct loop *loop)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	*w = (struct watched){
		.fd = {.ready = watched_ready, .fd = fds[0]}, .loop = loop, .write_fd = fds[1]};
	assert_int_equal(loop_fd_add(loop, &w->fd), 0);
}

static void watch_end(struct watched *w)
{
	loop_fd_del(w->loop, &w->fd);
	close(w->fd.fd);
	close(w->write_fd);
}

static void test_fd(void **state)
{
	struct loop_fd none = {.ready = watched_ready, .fd = -1};
	struct watched w;
	char c;

	assert_true(loop_fd_add(*state, &none) < 0);
	watch(&w, *state);
	loop_once(*state, 0);
	assert_int_equal(w.ready, 0);
	assert_int_equal(write(w.write_fd, "x", 1), 1);
	loop_once(*state, -1);
	loop_once(*state, -1);
	assert_int_equal(w.ready, 2); /* as long as there is something to read */
	assert_int_equal(read(w.fd.fd, &c, 1), 1);
	loop_once(*state, 0);
	assert_int_equal(w.ready, 2);
	assert_int_equal(write(w.write_fd, "x", 1), 1);
	loop_fd_del(*state, &w.fd);
	loop_once(*state, 0);
	assert_int_equal(w.ready, 2);
	watch_end(&w);
}

/* Two are ready at once, and the handler of the first makes the second go away. */
static void test_fd_removed_by_another(void **state)
{
	struct watched a, b;

	watch(&a, *state);
	watch(&b, *state);
	a.victim = &b;
	b.victim = &a;
	assert_int_equal(write(a.write_fd, "x", 1), 1);
	assert_int_equal(write(b.write_fd, "x", 1), 1);
	loop_once(*state, -1);
	assert_int_equal(a.ready + b.ready, 1);
	watch_end(&a);
	watch_end(&b);
}

/* ---- hooks, the source, the end ---- */

static void count_up(void *ctx)
{
	++*(int *)ctx;
}

static int source_work;

static bool source_poll(void *ctx)
{
	count_up(ctx);
	if (!source_work)
		return false;
	source_work--;
	return true;
}

static void test_hooks_and_source(void **state)
{
	int first = 0, second = 0, polls = 0, fds[2];

	assert_int_equal(pipe(fds), 0);
	loop_add_hook(*state, count_up, &first);
	loop_add_hook(*state, count_up, &second);
	assert_int_equal(loop_set_source(*state, source_poll, &polls, fds[0]), 0);
	source_work = 3;
	while (source_work)
		loop_once(*state, -1); /* does not wait while there is work */
	assert_int_equal(polls, 3);
	assert_int_equal(first, 3);
	loop_del_hook(*state, count_up, &first);
	loop_once(*state, 0);
	assert_int_equal(first, 3);
	assert_true(second > 3);
	/* What makes the descriptor readable wakes the loop, which asks the source. */
	assert_int_equal(write(fds[1], "x", 1), 1);
	polls = 0;
	loop_once(*state, -1);
	assert_true(polls > 0);
	loop_del_hook(*state, count_up, &second);
	loop_set_source(*state, NULL, NULL, -1);
	close(fds[0]);
	close(fds[1]);
}

static struct loop *fds_loop;
static bool fds_ready;

static bool endless_poll(void *ctx)
{
	(void)ctx;
	return true;
}

static void note_ready(struct loop_fd *fd)
{
	loop_fd_del(fds_loop, fd);
	fds_ready = true;
}

/* A source that always has something does not keep descriptors waiting. */
static void test_endless_source(void **state)
{
	struct loop_fd fd = {.ready = note_ready};
	int fds[2], i;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	fds_loop = *state;
	fds_ready = false;
	fd.fd = fds[0];
	assert_int_equal(loop_fd_add(*state, &fd), 0);
	loop_set_source(*state, endless_poll, NULL, -1);
	for (i = 0; i < 200 && !fds_ready; i++)
		loop_once(*state, -1);
	assert_true(fds_ready);
	assert_true(i > 10); /* and does not pay for them each time */
	loop_set_source(*state, NULL, NULL, -1);
	close(fds[0]);
	close(fds[1]);
}

static struct loop *to_stop;

static void stop(struct loop_task *task)
{
	(void)task;
	loop_stop(to_stop);
}

static void test_stop(void **state)
{
	struct loop_task task = {.run = stop};

	to_stop = *state;
	loop_post(*state, &task);
	loop_run(*state);
	/* And it can run again. */
	loop_post(*state, &task);
	loop_run(*state);
}

#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_LOOP(test_timers_in_order),
		WITH_LOOP(test_timer_stops_timer),
		WITH_LOOP(test_posts_once_and_in_order),
		WITH_LOOP(test_posts_wake_the_loop),
		WITH_LOOP(test_fd),
		WITH_LOOP(test_fd_removed_by_another),
		WITH_LOOP(test_hooks_and_source),
		WITH_LOOP(test_endless_source),
		WITH_LOOP(test_stop),
	};

	alarm(WATCHDOG_S);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
