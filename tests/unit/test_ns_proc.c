/* What /proc says of processes, some of which lie: ns_proc.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/prctl.h>

#include <cmocka.h>

#include "ns/ns_int.h"
#include "util/mem.h"

static char dir[] = "/tmp/s3bulkfs-proc-XXXXXX";
static char *mountpoint;

static char *in_dir(const char *name)
{
	return mem_printf("%s/%s", dir, name);
}

static void link_to(const char *text, const char *name)
{
	char *path = in_dir(name);

	assert_int_equal(symlink(text, path), 0);
	free(path);
}

static int make_dir(void **state)
{
	char *path;

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	mountpoint = in_dir("mnt");
	path = in_dir("d");
	mkdir(mountpoint, 0700);
	mkdir(path, 0700);
	free(path);
	return 0;
}

static int remove_dir(void **state)
{
	static const char *const names[] = {
		"absolute", "relative", "d/up", "d/far", "loop", "loop2", "d", "mnt"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = in_dir(names[i]);

		remove(path);
		free(path);
	}
	free(mountpoint);
	return rmdir(dir);
}

/* Where `arg` leads from `cwd` (this process goes there); `path` NULL: not to the mount. */
static void expect(const char *cwd, const char *arg, const char *path)
{
	struct process p = {.tgid = getpid(), .cwd = (char *)(uintptr_t)cwd};
	char *got;

	assert_int_equal(chdir(cwd), 0);
	got = process_path_in(&p, arg, mountpoint);
	if (!got != !path || (path && strcmp(got, path) != 0))
		fail_msg("'%s' in %s is '%s'", arg, cwd, got ? got : "nowhere");
	free(got);
}

static void ways(void **state)
{
	char *d = in_dir("d"), *arg;

	(void)state;
	link_to(mountpoint, "absolute");
	link_to("mnt/x", "relative");
	link_to("..", "d/up");
	link_to("/", "d/far");
	link_to("loop2", "loop");
	link_to("loop", "loop2");
	expect(dir, "mnt", "/");
	expect(dir, "./mnt//a/b/", "/a/b");
	expect(dir, mountpoint, "/");
	expect(dir, "absolute", "/");
	expect(dir, "absolute/a", "/a");
	expect(dir, "relative/a", "/x/a");
	expect(dir, "d/up/mnt/a", "/a");
	expect(d, "../mnt/a", "/a");
	expect(d, "up/relative", "/x");
	arg = mem_printf("far%s/a", mountpoint);
	expect(d, arg, "/a");
	free(arg);
	expect(mountpoint, "a", "/a");
	expect(mountpoint, "../mnt/a", "/a");
	expect(mountpoint, "../d", NULL);
	expect(dir, "d", NULL);
	expect(dir, "loop/a", NULL);
	expect(dir, "mnt/a/../b", NULL);
	expect(dir, "missing/../mnt", NULL);
	expect(dir, "", NULL);
	expect(d, "../../../../../..", NULL);
	free(d);
}

/* What is said of the working directory is of another moment than what is there now. */
static void directory_that_was_left(void **state)
{
	struct process p = {.tgid = getpid(), .cwd = (char *)"/usr"};
	char *arg = mem_printf("..%s/a", mountpoint);

	(void)state;
	assert_int_equal(chdir("/"), 0);
	assert_null(process_path_in(&p, arg, mountpoint));
	free(arg);
}

/* The program is another one than was recognised a moment ago. */
static void program_that_was_exchanged(void **state)
{
	struct process p = {.tgid = getpid(), .exe = (char *)"/usr/bin/cp"};
	struct stat ours, theirs;
	struct process self;
	int fd;

	(void)state;
	assert_int_equal(process_open_exe(&p), -1);
	assert_true(process_read(getpid(), &self));
	fd = process_open_exe(&self);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &theirs), 0);
	assert_int_equal(stat("/proc/self/exe", &ours), 0);
	assert_int_equal(ours.st_ino, theirs.st_ino);
	close(fd);
	process_free(&self);
}

#define ARGUMENT_BYTES ((size_t)16 << 40)

/* The numbers of /proc/self/stat that prctl(2) wants all of, by their place in proc(5). */
static uint64_t stat_number(int n)
{
	char text[2048], *at;
	FILE *f = fopen("/proc/self/stat", "r");
	size_t len = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	if (f)
		fclose(f);
	text[len] = '\0';
	at = strrchr(text, ')');
	for (n -= 2; at && n; n--)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at, NULL, 10) : 0;
}

/* Says that its arguments are 16 TiB of memory that it has never touched. */
static int claim_arguments(void)
{
	char *memory = mmap(NULL, ARGUMENT_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct prctl_mm_map map = {.start_code = stat_number(26),
		.end_code = stat_number(27),
		.start_stack = stat_number(28),
		.start_data = stat_number(45),
		.end_data = stat_number(46),
		.start_brk = stat_number(47),
		.brk = (uint64_t)(uintptr_t)sbrk(0),
		.arg_start = (uint64_t)(uintptr_t)memory,
		.arg_end = (uint64_t)(uintptr_t)memory + ARGUMENT_BYTES - 1,
		.env_start = stat_number(50),
		.env_end = stat_number(51),
		.exe_fd = UINT32_MAX};

	return memory == MAP_FAILED ? -1 : prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0);
}

/* Nobody reads them to the end: that would take hours. */
static void arguments_without_end(void **state)
{
	struct process p;
	int pipes[2];
	char claimed = 0;
	bool read_it;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	child = fork();
	if (!child) {
		claimed = claim_arguments() ? 'n' : 'y';
		if (write(pipes[1], &claimed, 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(read(pipes[0], &claimed, 1), 1);
	read_it = claimed == 'y' && process_read(child, &p);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(pipes[0]);
	close(pipes[1]);
	if (claimed != 'y')
		skip(); /* a kernel without CONFIG_CHECKPOINT_RESTORE, or little address space */
	assert_false(read_it);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ways),
		cmocka_unit_test(directory_that_was_left),
		cmocka_unit_test(program_that_was_exchanged),
		cmocka_unit_test(arguments_without_end),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
