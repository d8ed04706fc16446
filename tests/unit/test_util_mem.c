/* The reserve of util/mem.h, in processes of their own whose memory is bounded. */
#include "util/mem.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/clk.h"
#include "util/log.h"

#define PIECE_BYTES ((size_t)1 << 10)
#define UNDER_WAY_BYTES ((size_t)2 << 20) /* less than the reserve */

struct piece {
	struct piece *next;
	char data[PIECE_BYTES - sizeof(struct piece *)];
};

static void take_piece(struct piece **list)
{
	struct piece *p = mem_zalloc(sizeof(*p));

	p->next = *list;
	*list = p;
}

/* No more than the process has and a little. */
static void bound_memory(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	struct rlimit r;

	if (!f || fscanf(f, "%lu", &pages) != 1 || getrlimit(RLIMIT_AS, &r) < 0)
		_exit(90);
	fclose(f);
	r.rlim_cur = pages * (rlim_t)sysconf(_SC_PAGESIZE) + ((rlim_t)2 << 20);
	if (setrlimit(RLIMIT_AS, &r) < 0)
		_exit(91);
}

static void unbound_memory(void)
{
	struct rlimit r;

	getrlimit(RLIMIT_AS, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_AS, &r);
}

/* What is under way when the shortage begins, and its end. The exit code says what was wrong. */
static int shortage(void)
{
	struct piece *list = NULL, *next;
	int64_t end_ms;
	size_t i;

	if (!mem_reserve() || mem_short())
		return 1;
	bound_memory();
	while (!mem_short())
		take_piece(&list);
	for (i = 0; i < UNDER_WAY_BYTES / PIECE_BYTES; i++)
		take_piece(&list);
	if (mem_large(1))
		return 2;
	if (!mem_short())
		return 3;
	/* Freed memory is enough, though the bound is still there. */
	for (; list; list = next) {
		next = list->next;
		free(list);
	}
	end_ms = clk_mono_ms() + 10000;
	while (mem_short())
		if (clk_mono_ms() > end_ms)
			return 4;
	free(mem_large(1));
	/* The next shortage has its reserve. */
	while (!mem_short())
		take_piece(&list);
	for (i = 0; i < UNDER_WAY_BYTES / PIECE_BYTES; i++)
		take_piece(&list);
	unbound_memory();
	return 0;
}

static int used_up(void)
{
	struct piece *list = NULL;

	if (!mem_reserve())
		return 1;
	bound_memory();
	for (;;)
		take_piece(&list);
}

/* Runs it in a child, with what it says on stderr in `said`: its wait status. */
static int in_child(int (*run)(void), char *said, size_t size)
{
	int fds[2], status;
	size_t got = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		dup2(fds[1], 2);
		close(fds[0]);
		signal(SIGABRT, SIG_DFL);
		setrlimit(RLIMIT_CORE, &(struct rlimit){0});
		_exit(run());
	}
	close(fds[1]);
	while (got + 1 < size && (n = read(fds[0], said + got, size - 1 - got)) > 0)
		got += (size_t)n;
	said[got] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void test_shortage(void **state)
{
	char said[4096];
	const char *begins;

	(void)state;
	assert_int_equal(in_child(shortage, said, sizeof(said)), 0);
	begins = strstr(said, "out of memory: new calls fail");
	assert_non_null(begins);
	assert_non_null(strstr(begins, "there is memory again"));
}

static void test_used_up(void **state)
{
	char said[4096];
	int status;

	(void)state;
	status = in_child(used_up, said, sizeof(said));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(said, "the reserve is used up"));
}

/* A sanitizer has a malloc of its own, and its memory is beyond any bound. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shortage),
		cmocka_unit_test(test_used_up),
	};

	return SANITIZED ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
