/* Fetches: see s3_fetch.h. A fetch owns all but its source. Core thread. */
#include "s3/s3_fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/clk.h"
#include "util/mem.h"

/* Somebody waits for a mount, or an operation: a few seconds in all. */
static const struct s3_retry_policy in_a_hurry = {.attempts_max = 3,
	.throttled_max = 5,
	.deadline_ms = 10000,
	.base_ms = 200,
	.throttled_base_ms = 400,
	.cap_ms = 2000};

static void asked(struct s3_ask *ask)
{
	struct s3_fetch *f = (struct s3_fetch *)((char *)ask - offsetof(struct s3_fetch, ask));

	switch (f->source->kind) {
	case S3_SOURCE_ROLE:
	case S3_SOURCE_WEB_IDENTITY:
		s3_fetch_sts_answered(f);
		break;
	case S3_SOURCE_SSO:
		s3_fetch_sso_answered(f);
		break;
	case S3_SOURCE_CONTAINER:
		s3_fetch_container_answered(f);
		break;
	default:
		s3_fetch_instance_answered(f);
	}
}

struct s3_fetch *s3_fetch_new(const struct s3_fetch_place *place, const struct s3_source *source,
	bool patient, s3_fetch_fn *done, void *ctx)
{
	struct s3_fetch *f = mem_zalloc(sizeof(*f));

	f->place = place;
	f->source = source;
	f->patient = patient;
	f->done = done;
	f->ctx = ctx;
	f->ask.loop = place->loop;
	f->ask.engine = place->http;
	f->ask.policy = patient ? &s3_retry_default : &in_a_hurry;
	f->ask.rng.state = (uint64_t)clk_wall_ms() ^ (uintptr_t)f;
	f->ask.done = asked;
	s3_ask_init(&f->ask);
	return f;
}

static void base_done(void *ctx, struct s3_creds *creds, const char *why)
{
	struct s3_fetch *f = ctx;

	s3_fetch_free(f->inner);
	f->inner = NULL;
	f->base = creds;
	if (creds)
		s3_fetch_role(f);
	else
		f->done(f->ctx, NULL, why);
}

void s3_fetch_start(struct s3_fetch *f)
{
	switch (f->source->kind) {
	case S3_SOURCE_KEYS:
		s3_fetch_good(f, s3_creds_ref(f->source->keys));
		break;
	case S3_SOURCE_ROLE:
		f->inner = s3_fetch_new(f->place, f->source->base, f->patient, base_done, f);
		s3_fetch_start(f->inner);
		break;
	case S3_SOURCE_WEB_IDENTITY:
		s3_fetch_web_identity(f);
		break;
	case S3_SOURCE_SSO:
		s3_fetch_sso(f);
		break;
	case S3_SOURCE_PROCESS:
		s3_fetch_process(f);
		break;
	case S3_SOURCE_CONTAINER:
		s3_fetch_container(f);
		break;
	case S3_SOURCE_INSTANCE:
		s3_fetch_instance(f);
		break;
	}
}

void s3_fetch_stop(struct s3_fetch *f)
{
	if (f->inner)
		s3_fetch_stop(f->inner);
	s3_process_free(f->process);
	f->process = NULL;
	s3_ask_stop(&f->ask);
}

void s3_fetch_free(struct s3_fetch *f)
{
	if (!f)
		return;
	s3_fetch_free(f->inner);
	s3_process_free(f->process);
	s3_creds_unref(f->base);
	s3_secret_free(f->token);
	s3_ask_free(&f->ask);
	free(f);
}

void s3_fetch_good(struct s3_fetch *f, struct s3_creds *creds)
{
	f->done(f->ctx, creds, "");
}

void s3_fetch_bad(struct s3_fetch *f, const char *fmt, ...)
{
	char why[S3_WHY_MAX];
	va_list ap;
	char *p;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	/* There may be words of others in it. */
	for (p = why; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	f->done(f->ctx, NULL, why);
}

int64_t s3_fetch_now_ms(const struct s3_fetch *f)
{
	return clk_wall_ms() + atomic_load(f->place->clock_offset_ms);
}

char *s3_fetch_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t size = S3_ASK_BYTES_MAX, len = 0;
	struct stat st;
	char *text;
	ssize_t n = 0;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		errno = EINVAL;
		return NULL;
	}
	text = mem_zalloc(size + 1);
	while (len < size && (n = read(fd, text + len, size - len)) > 0)
		len += (size_t)n;
	close(fd);
	if (n < 0 || len == size || memchr(text, '\0', len)) {
		explicit_bzero(text, size);
		free(text);
		errno = n < 0 ? errno : EFBIG;
		return NULL;
	}
	while (len && (text[len - 1] == '\n' || text[len - 1] == '\r' || text[len - 1] == ' '))
		text[--len] = '\0';
	return text;
}
