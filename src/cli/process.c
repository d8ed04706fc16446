/* A daemon's process: see process.h. */
#include "cli/process.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "s3/s3_sign.h"
#include "util/mem.h"

void process_hide(void)
{
	/* Of a sanitizer's the leak checker looks into its own process, as ptrace(2) does. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	prctl(PR_SET_DUMPABLE, 0);
#endif
}

void process_set_limits(void)
{
	struct rlimit r;

	if (!getrlimit(RLIMIT_NOFILE, &r)) {
		r.rlim_cur = r.rlim_max < 65536 ? r.rlim_max : 65536;
		setrlimit(RLIMIT_NOFILE, &r);
	}
	/* Few arenas and early trimming: the daemon's memory is what it holds, not what it once
	 * held. */
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_MMAP_THRESHOLD, 256 << 10);
	mallopt(M_TRIM_THRESHOLD, 1 << 20);
}

void process_share_reserve(void)
{
	cJSON_Hooks hooks = {.malloc_fn = mem_lib_malloc, .free_fn = free};

	cJSON_InitHooks(&hooks);
	s3_crypto_memory();
}

bool process_reserve_memory(char *why, size_t why_size)
{
	if (mem_reserve())
		return true;
	snprintf(why, why_size,
		"there is not enough memory to start; give the machine more "
		"memory or swap, or raise the limit (ulimit -v)");
	return false;
}

bool process_is_scarce(int errnum)
{
	return errnum == EMFILE || errnum == ENFILE || errnum == ENOBUFS || errnum == ENOMEM;
}

void process_block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

void process_go_silent(void)
{
	int fd = open("/dev/null", O_RDWR);

	if (fd < 0)
		return;
	dup2(fd, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	if (fd > 2)
		close(fd);
}

pid_t process_detach(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	setsid();
	if (chdir("/") < 0)
		_exit(EXIT_FAILURE);
	return 0;
}
