/*
 * Allocation and its reserve: see mem.h. The reserve is in pieces from the heap, so that what is
 * given back serves every allocation, and that it is had again from whatever has been freed
 * meanwhile: the heap seldom returns memory to the system.
 */
#include "util/mem.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/clk.h"
#include "util/log.h"

#define RESERVE_BYTES ((size_t)4 << 20)
/* Below the size that malloc takes from the system for itself (process.c). */
#define PIECE_BYTES ((size_t)64 << 10)
#define PIECES (RESERVE_BYTES / PIECE_BYTES)
/* So long a shortage lasts at least: taking the reserve again is not tried for each call. */
#define AGAIN_MS 100

static struct {
	pthread_mutex_t mutex;
	void *pieces[PIECES]; /* all or none */
	bool wanted;          /* mem_reserve was called */
	int64_t tried_ms;
} reserve = {.mutex = PTHREAD_MUTEX_INITIALIZER};
static atomic_bool is_short;

/* ---- the reserve ---- */

static void give_pieces(void)
{
	size_t i;

	for (i = 0; i < PIECES; i++) {
		free(reserve.pieces[i]);
		reserve.pieces[i] = NULL;
	}
}

static bool take_pieces(void)
{
	size_t i;

	for (i = 0; i < PIECES; i++) {
		reserve.pieces[i] = malloc(PIECE_BYTES);
		if (!reserve.pieces[i]) {
			give_pieces();
			return false;
		}
	}
	return true;
}

bool mem_reserve(void)
{
	bool taken;

	pthread_mutex_lock(&reserve.mutex);
	reserve.wanted = taken = take_pieces();
	pthread_mutex_unlock(&reserve.mutex);
	return taken;
}

/* An allocation has failed: now it may be made again. */
static void use_reserve(void)
{
	bool begins;

	pthread_mutex_lock(&reserve.mutex);
	begins = reserve.pieces[0];
	give_pieces();
	if (begins) {
		reserve.tried_ms = clk_mono_ms();
		atomic_store(&is_short, true);
	}
	pthread_mutex_unlock(&reserve.mutex);
	if (begins)
		log_error("out of memory: new calls fail until there is some; give the machine "
			  "more memory or swap");
}

bool mem_short(void)
{
	bool ends = false;
	int64_t now_ms;

	if (!atomic_load(&is_short))
		return false;
	now_ms = clk_mono_ms();
	pthread_mutex_lock(&reserve.mutex);
	if (atomic_load(&is_short) && now_ms - reserve.tried_ms >= AGAIN_MS) {
		reserve.tried_ms = now_ms;
		ends = take_pieces();
		if (ends)
			atomic_store(&is_short, false);
	}
	pthread_mutex_unlock(&reserve.mutex);
	if (ends)
		log_warn("there is memory again");
	return !ends && atomic_load(&is_short);
}

void mem_used_up(void)
{
	static const char text[] = "out of memory; give the machine more memory or swap";

	/* The log of a daemon may need memory to be written: this needs none. */
	if (write(STDERR_FILENO, "s3bulkfs: ", 10) < 0 ||
		write(STDERR_FILENO, text, sizeof(text) - 1) < 0 ||
		write(STDERR_FILENO, "\n", 1) < 0)
		abort();
	if (!reserve.wanted)
		_exit(EXIT_FAILURE);
	log_error("the reserve is used up: %s", text);
	abort();
}

/* ---- may be NULL ---- */

void *mem_lib_calloc(size_t count, size_t size)
{
	void *p = calloc(count, size);

	if (p || !count || !size)
		return p;
	use_reserve();
	return calloc(count, size);
}

void *mem_lib_malloc(size_t size)
{
	void *p = malloc(size);

	if (p || !size)
		return p;
	use_reserve();
	return malloc(size);
}

void *mem_lib_realloc(void *ptr, size_t size)
{
	void *p = realloc(ptr, size);

	if (p || !size)
		return p;
	use_reserve();
	return realloc(ptr, size);
}

char *mem_lib_strdup(const char *s)
{
	size_t size = strlen(s) + 1;
	char *p = mem_lib_malloc(size);

	return p ? memcpy(p, s, size) : NULL;
}

void *mem_large(size_t size)
{
	void *p = mem_short() ? NULL : malloc(size ? size : 1);

	/* Not to make it again: where data finds no room small things soon will not, either. */
	if (!p)
		use_reserve();
	return p;
}

/* ---- never NULL ---- */

void *mem_zalloc(size_t size)
{
	return mem_calloc(1, size);
}

void *mem_calloc(size_t count, size_t size)
{
	void *p = mem_lib_calloc(count ? count : 1, size ? size : 1);

	if (!p)
		mem_used_up();
	return p;
}

void *mem_resize(void *ptr, size_t count, size_t size)
{
	void *p;

	if (size && count > SIZE_MAX / size)
		mem_used_up();
	p = mem_lib_realloc(ptr, count && size ? count * size : 1);
	if (!p)
		mem_used_up();
	return p;
}

char *mem_dup(const void *ptr, size_t len)
{
	char *p = mem_calloc(1, len + 1);

	if (len)
		memcpy(p, ptr, len);
	return p;
}

char *mem_strdup(const char *s)
{
	return s ? mem_dup(s, strlen(s)) : NULL;
}

char *mem_printf(const char *fmt, ...)
{
	va_list ap, again;
	char *p = NULL;

	va_start(ap, fmt);
	va_copy(again, ap);
	if (vasprintf(&p, fmt, ap) < 0) {
		use_reserve();
		if (vasprintf(&p, fmt, again) < 0)
			mem_used_up();
	}
	va_end(again);
	va_end(ap);
	return p;
}
