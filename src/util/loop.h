/*
 * The core loop. One thread, the core thread, owns everything from s3 upwards (requests, queues,
 * names, walks): no locks there. Other threads hand it work with loop_post only. Nobody sleeps: the
 * core thread waits in epoll for file descriptors, posts and timers together.
 */
#ifndef UTIL_LOOP_H
#define UTIL_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct loop;

/* A piece of work for the core thread, embedded in what it is about. */
struct loop_task {
	void (*run)(struct loop_task *task); /* on the core thread, exactly once a post */
	STAILQ_ENTRY(loop_task) link;
};

/* A timer, embedded in its owner. Zeroed is idle. */
struct loop_timer {
	void (*fire)(struct loop_timer *timer); /* on the core thread; the timer is idle again */
	int64_t due_ms;
	size_t slot; /* place in the heap, from 1; 0: idle */
};

/* A file descriptor that is watched for reading, embedded in its owner. */
struct loop_fd {
	void (*ready)(struct loop_fd *fd); /* on the core thread */
	int fd;
};

struct loop *loop_new(void); /* NULL and errno when epoll or eventfd fail */
void loop_free(struct loop *loop);

/* Any thread: runs `task` on the core thread, in the order of the posts. */
void loop_post(struct loop *loop, struct loop_task *task);

/* Core thread from here on. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t delay_ms);
void loop_timer_stop(struct loop *loop, struct loop_timer *timer);
int loop_fd_add(struct loop *loop, struct loop_fd *fd); /* 0 or negative errno */
/* `ready` does not run any more, also when it was about to; `fd` may then be freed. */
void loop_fd_del(struct loop *loop, struct loop_fd *fd);

/*
 * `poll` is asked for work each round before the loop waits: it does what it can without blocking
 * and returns whether it did anything. `fd` (or -1) is what becomes readable when it has work
 * again.
 */
int loop_set_source(struct loop *loop, bool (*poll)(void *ctx), void *ctx, int fd);

/*
 * A hook that runs after each batch of work, before the loop waits: where work queued during the
 * batch is started.
 */
void loop_add_hook(struct loop *loop, void (*hook)(void *ctx), void *ctx);
void loop_del_hook(struct loop *loop, void (*hook)(void *ctx), void *ctx);

/* Runs until loop_stop; loop_once does one round and waits at most `max_wait_ms` (-1: no limit). */
void loop_run(struct loop *loop);
void loop_once(struct loop *loop, int max_wait_ms);
void loop_stop(struct loop *loop);

#endif
