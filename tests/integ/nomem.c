/*
 * For tests, through LD_PRELOAD: what is refused to a daemon. NOMEM_CONTROL names a file of 64-bit
 * numbers that is mapped: armed, allocations counted while armed, the number of the first that
 * fails, how many fail, how many have failed; threads that may still be made, and one, or 0 for
 * any; whether mount tables cannot be read. Of one thread's allocations no two in a row fail: what
 * gives memory back and asks again is served, as it would be on a real machine.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct control {
	_Atomic uint64_t armed, count, first, times, failed, threads, tables;
};

/* glibc's own names of what is replaced here. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *ptr, size_t size);

static struct control *control;
static __thread bool failed_last __attribute__((tls_model("initial-exec")));

__attribute__((constructor)) static void begin(void)
{
	const char *name = getenv("NOMEM_CONTROL");
	int fd = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
	void *p;

	if (fd < 0)
		return;
	p = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p != MAP_FAILED)
		control = p;
}

static bool fails(void)
{
	uint64_t n;

	if (!control || !control->armed)
		return false;
	n = ++control->count;
	if (!control->first || n < control->first || failed_last ||
		control->failed >= control->times) {
		failed_last = false;
		return false;
	}
	control->failed++;
	failed_last = true;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *ptr, size_t size)
{
	return size && fails() ? NULL : __libc_realloc(ptr, size);
}

int pthread_create(
	pthread_t *id, const pthread_attr_t *attributes, void *(*start)(void *), void *arg)
{
	int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (control && control->threads && control->threads-- == 1) {
		control->threads = 1;
		return EAGAIN;
	}
	*(void **)&next = dlsym(RTLD_NEXT, "pthread_create");
	return next(id, attributes, start, arg);
}

static bool is_table(int fd)
{
	char link[64], name[256];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, sizeof(name) - 1);
	name[n > 0 ? n : 0] = '\0';
	return strstr(name, "/mountinfo");
}

ssize_t read(int fd, void *to, size_t size)
{
	ssize_t (*next)(int, void *, size_t);

	if (control && control->tables && is_table(fd)) {
		control->tables++;
		errno = ENOMEM;
		return -1;
	}
	*(void **)&next = dlsym(RTLD_NEXT, "read");
	return next(fd, to, size);
}
