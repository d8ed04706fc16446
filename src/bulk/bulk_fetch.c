/*
 * Ranges of objects on their way through this machine, where the server cannot copy them itself:
 * read into memory, all of them together within a bound, in the order in which they are asked for.
 * Core thread only.
 */
#include <errno.h>
#include <stdlib.h>

#include "bulk/bulk_int.h"
#include "s3/s3_errcode.h"

#define BYTES_MAX ((uint64_t)128 << 20)

/* One is always let in: a part may be larger than the bound. */
static bool has_room(const struct bulk *b, const struct bulk_fetch *f)
{
	return !b->fetch_bytes || b->fetch_bytes + f->len <= BYTES_MAX;
}

static void got(void *ctx, const struct s3_err *err, const struct s3_get_result *result)
{
	static const struct s3_err changed = {.cls = S3_CHANGED,
		.errnum = ESTALE,
		.code = "SourceChanged",
		.message = "the source is shorter than it was when it was listed"};
	struct bulk_fetch *f = ctx;

	if (err->cls == S3_OK && result->got != f->len)
		err = &changed;
	f->run = BYTES(f->data, f->len);
	f->ready(f, err);
}

static void no_memory(struct loop_timer *timer)
{
	struct bulk_fetch *f =
		(struct bulk_fetch *)((char *)timer - offsetof(struct bulk_fetch, timer));
	struct s3_err err;

	s3_err_set(
		&err, S3_FAILED, ENOMEM, "NoMemory", "no memory for %zu bytes of a copy", f->len);
	f->ready(f, &err);
}

static void start(struct bulk_fetch *f)
{
	f->bulk->fetch_bytes += f->len;
	f->data = malloc(f->len);
	if (f->data) {
		s3_get(f->client, f->key, f->etag, f->offset, f->data, f->len, f->flags, got, f);
		return;
	}
	/* Nobody is called back from within. */
	f->timer = (struct loop_timer){.fire = no_memory};
	loop_timer_set(f->bulk->loop, &f->timer, 0);
}

void fetch_begin(struct bulk_fetch *f)
{
	if (TAILQ_EMPTY(&f->bulk->fetches) && has_room(f->bulk, f))
		start(f);
	else
		TAILQ_INSERT_TAIL(&f->bulk->fetches, f, link);
}

void fetch_end(struct bulk_fetch *f)
{
	struct bulk *b = f->bulk;
	struct bulk_fetch *next;

	free(f->data);
	f->data = NULL;
	b->fetch_bytes -= f->len;
	while ((next = TAILQ_FIRST(&b->fetches)) && has_room(b, next)) {
		TAILQ_REMOVE(&b->fetches, next, link);
		start(next);
	}
}
