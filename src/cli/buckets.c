/*
 * The directory of all buckets: see buckets.h. It owns the client that lists, one entry a bucket,
 * and in each the bucket's volume. Entries keep their number: it is what readdir counts by. Core
 * thread.
 */
#include "cli/buckets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "cli/ctl_server.h"
#include "cli/volume.h"
#include "util/clk.h"
#include "util/log.h"
#include "util/mem.h"

struct bucket {
	char *name, *mountpoint;
	struct opts opts; /* strings borrowed from `base` */
	struct volume volume;
	struct ctl *ctl; /* once it is in use */
	bool seen;       /* in the last listing */
};

struct waiter {
	void (*done)(void *arg, int errnum);
	void *arg;
	STAILQ_ENTRY(waiter) link;
};

struct buckets {
	struct loop *loop;
	struct bulk *bulk;
	struct ns *ns;
	struct opts base; /* borrowed */
	const char *mountpoint;
	struct s3_client *client;
	struct fs_hub hub;
	struct bucket **list;
	size_t count, cap;
	int64_t listed_ms;
	bool listed, listing;
	struct s3_err err; /* of the last listing */
	STAILQ_HEAD(, waiter) waiters;
};

/* ---- the listing ---- */

static struct bucket *find(const struct buckets *b, struct bytes name)
{
	size_t i;

	for (i = 0; i < b->count; i++)
		if (bytes_equal(BYTES_STR(b->list[i]->name), name))
			return b->list[i];
	return NULL;
}

static void add(struct buckets *b, struct bytes name)
{
	struct bucket *k = find(b, name);

	if (!k) {
		k = mem_zalloc(sizeof(*k));
		k->name = mem_dup(name.ptr, name.len);
		k->mountpoint = mem_printf("%s/%s", b->mountpoint, k->name);
		k->opts = b->base;
		k->opts.s3.bucket = k->name;
		k->opts.prefix = (char *)(uintptr_t) "";
		if (!k->opts.s3.io_threads)
			k->opts.s3.io_threads = 1; /* there may be many buckets */
		if (b->count == b->cap) {
			b->cap = b->cap ? b->cap * 2 : 16;
			b->list = mem_resize(b->list, b->cap, sizeof(struct bucket *));
		}
		b->list[b->count++] = k;
	}
	k->seen = true;
}

static void list_end(struct buckets *b)
{
	struct waiter *w;

	b->listing = false;
	while ((w = STAILQ_FIRST(&b->waiters))) {
		STAILQ_REMOVE_HEAD(&b->waiters, link);
		w->done(w->arg, b->err.errnum);
		free(w);
	}
}

static void page_in(void *ctx, const struct s3_err *err, const struct s3_bucket_page *page)
{
	struct buckets *b = ctx;
	size_t i;

	b->err = *err;
	for (i = 0; i < page->count; i++)
		if (!memchr(page->names[i].ptr, '/', page->names[i].len))
			add(b, page->names[i]);
	if (err->cls == S3_OK && page->next_token.len) {
		s3_list_buckets(b->client, page->next_token, 0, page_in, b);
		return;
	}
	b->listed = err->cls == S3_OK;
	list_end(b);
}

static void begin_list(struct buckets *b, unsigned flags)
{
	size_t i;

	b->listing = true;
	b->listed_ms = clk_mono_ms();
	for (i = 0; i < b->count; i++)
		b->list[i]->seen = false;
	s3_list_buckets(b->client, BYTES_NONE, flags, page_in, b);
}

/* ---- what the session asks ---- */

static void refresh(void *ctx, void (*done)(void *arg, int errnum), void *arg)
{
	struct buckets *b = ctx;
	struct waiter *w;

	if (!b->listing && b->listed &&
		(double)(clk_mono_ms() - b->listed_ms) <= b->hub.ttl_s * 1000) {
		done(arg, 0);
		return;
	}
	w = mem_zalloc(sizeof(*w));
	w->done = done;
	w->arg = arg;
	STAILQ_INSERT_TAIL(&b->waiters, w, link);
	if (!b->listing)
		begin_list(b, 0);
}

static bool name_at(void *ctx, size_t i, const char **name)
{
	const struct buckets *b = ctx;

	if (i >= b->count)
		return false;
	*name = b->list[i]->seen ? b->list[i]->name : NULL;
	return true;
}

static struct ns_volume *volume_of(void *ctx, const char *name)
{
	struct buckets *b = ctx;
	struct bucket *k = find(b, BYTES_STR(name));

	if (!k || !k->seen)
		return NULL;
	if (!k->volume.ns)
		k->volume.ns = ns_volume_new(b->ns, NULL, "", k->mountpoint, &k->opts.ns);
	return k->volume.ns;
}

static int use(void *ctx, struct ns_volume *v)
{
	struct buckets *b = ctx;
	char why[WHY_MAX];
	struct bucket *k = NULL;
	size_t i;

	for (i = 0; i < b->count && !k; i++)
		if (b->list[i]->volume.ns == v)
			k = b->list[i];
	if (!k || !volume_open(&k->volume, b->loop, &k->opts, why)) {
		log_error("bucket %s: %s", k ? k->name : "?", k ? why : "it is not known");
		return EIO;
	}
	k->volume.target = bulk_target_new(b->bulk, k->volume.client, k->opts.max_inflight);
	bulk_target_configure(k->volume.target, &k->opts.bulk);
	ns_volume_connect(v, k->volume.target);
	k->ctl = ctl_new(b->loop, &(struct ctl_mount){.volume = v,
					  .mountpoint = k->mountpoint,
					  .source = k->name,
					  .read_only = k->opts.ns.read_only});
	return 0;
}

/* ---- beginning and end ---- */

static bool list_now(struct buckets *b, char *why)
{
	char text[400];

	begin_list(b, S3_NO_RETRY);
	while (b->listing)
		loop_once(b->loop, -1);
	if (b->listed)
		return true;
	if (!strcmp(b->err.code, S3_NO_CREDENTIALS)) {
		snprintf(why, WHY_MAX, "%s", s3_client_credentials_problem(b->client));
		return false;
	}
	snprintf(why, WHY_MAX,
		"the buckets at %s cannot be listed (%s); s3:ListAllMyBuckets is needed",
		s3_client_endpoint(b->client), s3_err_text(&b->err, text, sizeof(text)));
	return false;
}

struct buckets *buckets_new(struct loop *loop, struct bulk *bulk, struct ns *ns,
	const struct opts *opts, const char *mountpoint, char *why)
{
	struct buckets *b = mem_zalloc(sizeof(*b));
	struct s3_config service;

	b->loop = loop;
	b->bulk = bulk;
	b->ns = ns;
	b->base = *opts;
	b->mountpoint = strcmp(mountpoint, "/") ? mountpoint : "";
	STAILQ_INIT(&b->waiters);
	b->hub = (struct fs_hub){.ctx = b,
		.uid = opts->ns.uid,
		.gid = opts->ns.gid,
		.dir_mode = opts->ns.dir_mode,
		.ttl_s = opts->ns.metadata_ttl_s,
		.refresh = refresh,
		.name = name_at,
		.volume = volume_of,
		.use = use};
	service = opts->s3;
	service.addressing = S3_ADDRESS_SERVICE;
	service.io_threads = 1;
	b->client = s3_client_new(loop, &service, why, WHY_MAX);
	if (b->client && list_now(b, why))
		return b;
	buckets_close(b);
	buckets_free(b);
	return NULL;
}

const struct fs_hub *buckets_hub(const struct buckets *b)
{
	return &b->hub;
}

void buckets_close(struct buckets *b)
{
	size_t i;

	if (!b)
		return;
	s3_client_free(b->client);
	b->client = NULL;
	for (i = 0; i < b->count; i++) {
		s3_client_free(b->list[i]->volume.client);
		b->list[i]->volume.client = NULL;
	}
}

void buckets_ctl_free(struct buckets *b)
{
	size_t i;

	for (i = 0; b && i < b->count; i++) {
		ctl_free(b->list[i]->ctl, true);
		b->list[i]->ctl = NULL;
	}
}

void buckets_free(struct buckets *b)
{
	size_t i;

	if (!b)
		return;
	for (i = 0; i < b->count; i++) {
		bulk_target_free(b->list[i]->volume.target);
		free(b->list[i]->name);
		free(b->list[i]->mountpoint);
		free(b->list[i]);
	}
	free(b->list);
	free(b);
}
