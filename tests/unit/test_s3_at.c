/*
 * A bucket as it was: s3_at.c against a model, with random versions, times, pages and servers.
 * AT_SEED in the environment chooses the seed of the first of AT_RUNS runs.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "http_server.h"
#include "s3_sync.h"
#include "util/mem.h"
#include "util/rng.h"
#include "version_server.h"

#define NOON INT64_C(1795694400) /* 2026-11-26T12:00:00Z */
#define KEYS 40

static struct version_table *table;
static struct http_server *server;
static struct sync sync_state, *s = &sync_state;
static struct rng rng;

static void begin(int at_s)
{
	struct s3_config config = {.bucket = "b",
		.no_sign_request = true,
		.addressing = S3_ADDRESS_PATH,
		.version_at_ms = (NOON + at_s) * 1000};
	char url[64];

	server = http_server_start();
	http_server_script(server, version_server_answer, table);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", http_server_port(server));
	sync_open(s, url, &config);
	s->flags = S3_NO_RETRY;
}

static void end(void)
{
	sync_close(s);
	http_server_stop(server);
}

/* ---- random versions ---- */

static int compare_keys(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void random_key(char key[16])
{
	static const char *const parts[] = {"a", "b", "c", "/", "a/", "b/", "k"};
	unsigned n = 1 + (unsigned)rng_below(&rng, 5);
	struct buf made = BUF_INIT(15);

	while (n--)
		buf_adds(&made, parts[rng_below(&rng, 7)]);
	memset(key, 0, 16);
	memcpy(key, made.ptr, made.len);
	buf_free(&made);
}

static void add_key(const char key[16], unsigned versions)
{
	int time_s = 60 + (int)rng_below(&rng, 10);
	unsigned i;

	for (i = 0; i < versions; i++) {
		struct vs_version *v = &table->list[table->count++];

		*v = (struct vs_version){.time_s = time_s,
			.id = (int)table->count,
			.is_marker = rng_below(&rng, 3) == 0,
			.is_latest = !i};
		memcpy(v->key, key, sizeof(v->key));
		/* With delete markers that stand elsewhere nothing but the time tells an order. */
		time_s -= (int)rng_below(&rng, 4) + !!(table->odd & VS_MARKERS_LAST);
	}
}

static void random_table(void)
{
	char keys[KEYS][16];
	unsigned i;

	table->count = 0;
	table->odd = (unsigned)rng_below(&rng, 8);
	/* Neither of a page's two kinds is in order if it is cut between them. */
	table->page_max = table->odd & VS_MARKERS_LAST ? 1000 : 1 + (unsigned)rng_below(&rng, 9);
	/* A page of nothing but the prefix that was there before goes on nowhere. */
	table->page_max += table->odd & VS_PREFIX_AGAIN ? 1 : 0;
	for (i = 0; i < KEYS; i++)
		random_key(keys[i]);
	qsort(keys, KEYS, sizeof(keys[0]), compare_keys);
	for (i = 0; i < KEYS; i++)
		if (!i || strcmp(keys[i], keys[i - 1]) != 0)
			add_key(keys[i], 1 + (unsigned)rng_below(&rng, 5));
}

/* ---- the model ---- */

/* The version of a key that was there; NULL: none. `*i` becomes the place of the next key. */
static const struct vs_version *was_there(unsigned *i, int at_s)
{
	const char *key = table->list[*i].key;
	const struct vs_version *found = NULL;
	bool known = false;

	for (; *i < table->count && !strcmp(table->list[*i].key, key); (*i)++) {
		if (known || table->list[*i].time_s > at_s)
			continue;
		known = true;
		found = table->list[*i].is_marker ? NULL : &table->list[*i];
	}
	return found;
}

static void model_list(int at_s, const char *prefix, bool delimiter, struct buf *out)
{
	char last[16] = "";
	unsigned i = 0;

	while (i < table->count) {
		const struct vs_version *v = was_there(&i, at_s);
		const char *slash;

		if (!v || strncmp(v->key, prefix, strlen(prefix)) != 0)
			continue;
		slash = delimiter ? strchr(v->key + strlen(prefix), '/') : NULL;
		if (!slash) {
			buf_addf(out, "%s=e%d v%d\n", v->key, v->id, v->id);
			continue;
		}
		if (strlen(last) == (size_t)(slash - v->key) + 1 &&
			!strncmp(last, v->key, strlen(last)))
			continue;
		snprintf(last, sizeof(last), "%.*s", (int)(slash - v->key) + 1, v->key);
		buf_addf(out, "%s=\n", last);
	}
}

/* ---- what the client says ---- */

struct pages {
	struct buf out, token, last;
	bool truncated;
};

static void on_page(void *ctx, const struct s3_err *err, const struct s3_list_page *page)
{
	struct pages *p = ctx;
	size_t i;

	s->done++;
	s->err = *err;
	for (i = 0; i < page->count; i++) {
		buf_addb(&p->out, page->entries[i].key);
		buf_addc(&p->out, '=');
		buf_addb(&p->out, page->entries[i].etag);
		buf_addc(&p->out, '\n');
		assert_int_equal(page->entries[i].is_prefix, !page->entries[i].etag.len);
	}
	p->truncated = page->truncated;
	/* A page of which nothing is left is not handed on. */
	assert_true(page->count || !page->truncated);
	if (page->count) {
		buf_cut(&p->last, 0);
		buf_addb(&p->last, page->entries[page->count - 1].key);
	}
	buf_cut(&p->token, 0);
	buf_addb(&p->token, page->next_token);
}

/* Goes on by the token, or, as parallel ranges do, behind the last name. */
static void client_list(const char *prefix, bool delimiter, struct pages *p)
{
	struct s3_list_params params = {.prefix = BYTES_STR(prefix), .delimiter = delimiter};

	do {
		sync_begin(s);
		s3_list(s->client, &params, s->flags, on_page, p);
		sync_wait(s);
		assert_int_equal(s->err.cls, S3_OK);
		params.token = params.start_after = BYTES_NONE;
		if (rng_below(&rng, 2))
			params.token = buf_bytes(&p->token);
		else
			params.start_after = buf_bytes(&p->last);
	} while (p->truncated);
}

static void check_list(uint64_t seed, int at_s)
{
	static const char *const prefixes[] = {"", "a", "a/", "b/", "a/b/", "k", "/"};
	const char *prefix = prefixes[rng_below(&rng, 7)];
	bool delimiter = rng_below(&rng, 2);
	struct pages p = {BUF_INIT(1u << 20), BUF_INIT(4096), BUF_INIT(4096), false};
	struct buf want = BUF_INIT(1u << 20);

	model_list(at_s, prefix, delimiter, &want);
	client_list(prefix, delimiter, &p);
	if (strcmp(buf_str(&want), buf_str(&p.out)) != 0)
		fail_msg("seed %llu, at %d, prefix '%s', delimiter %d, odd %u, pages of %u: "
			 "wanted\n%s got\n%s",
			(unsigned long long)seed, at_s, prefix, delimiter, table->odd,
			table->page_max, buf_str(&want), buf_str(&p.out));
	buf_free(&want);
	buf_free(&p.out);
	buf_free(&p.token);
	buf_free(&p.last);
}

static void check_heads(uint64_t seed, int at_s)
{
	unsigned i = 0;

	while (i < table->count) {
		const char *key = table->list[i].key;
		const struct vs_version *v = was_there(&i, at_s);
		char want[32] = "";

		if (v)
			snprintf(want, sizeof(want), "e%d v%d", v->id, v->id);
		if (sync_head(s, BYTES_STR(key)) != (v ? S3_OK : S3_NOT_FOUND) ||
			(v && strcmp(s->etag, want) != 0))
			fail_msg("seed %llu, at %d: '%s' is '%s' (%s), not '%s'",
				(unsigned long long)seed, at_s, key, s->etag, s->err.code, want);
	}
	assert_int_equal(sync_head(s, BYTES_LIT("none")), S3_NOT_FOUND);
	assert_int_equal(s->err.errnum, 2); /* ENOENT */
}

static void test_random(void **state)
{
	const char *given = getenv("AT_SEED"), *runs = getenv("AT_RUNS");
	uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
	int left = runs ? (int)strtol(runs, NULL, 10) : 40, i;

	printf("# seed %llu\n", (unsigned long long)seed);
	for (; left; left--, seed++) {
		int at_s = 45;

		rng.state = seed;
		random_table();
		at_s += (int)rng_below(&rng, 27);
		begin(at_s);
		for (i = 0; i < 8; i++)
			check_list(seed, at_s);
		check_heads(seed, at_s);
		end();
	}
}

/* ---- what it costs, and its ends ---- */

static void one_key(const char *key, unsigned versions, int oldest_s)
{
	unsigned i;

	for (i = 0; i < versions; i++) {
		struct vs_version *v = &table->list[table->count++];

		*v = (struct vs_version){.time_s = oldest_s + (int)(versions - i) - 1,
			.id = (int)table->count,
			.is_latest = !i};
		snprintf(v->key, sizeof(v->key), "%s", key);
	}
}

static unsigned lists_of(const char *prefix, bool delimiter, const char *want)
{
	struct pages p = {BUF_INIT(1u << 20), BUF_INIT(4096), BUF_INIT(4096), false};

	atomic_store(&table->lists, 0);
	client_list(prefix, delimiter, &p);
	assert_string_equal(buf_str(&p.out), want);
	buf_free(&p.out);
	buf_free(&p.token);
	buf_free(&p.last);
	return atomic_load(&table->lists);
}

static void test_cost(void **state)
{
	table->count = table->odd = 0;
	table->page_max = 100;
	one_key("a", 900, 0);
	one_key("b", 1, 0);
	one_key("d/1", 900, 100);
	begin(1000);
	/* Older versions are passed over. */
	assert_int_equal(lists_of("a", false, "a=e1 v1\n"), 2);
	/* Newer ones are not. One request more for the directory. */
	assert_int_equal(lists_of("", true, "a=e1 v1\nb=e901 v901\nd/=\n"), 2 + 1);
	end();
	begin(100);
	assert_int_equal(lists_of("d/", false, "d/1=e1801 v1801\n"), 9);
	end();
}

static void test_stuck_server(void **state)
{
	struct s3_list_params params = {.delimiter = true};

	table->count = 0;
	table->odd = VS_STUCK;
	table->page_max = 10;
	begin(0);
	assert_int_equal(sync_list(s, &params), S3_FAILED);
	assert_string_equal(s->err.code, "BadAnswer");
	assert_int_equal(sync_head(s, BYTES_LIT("l")), S3_FAILED);
	end();
}

/* Nothing is sent that could be answered with the version of now. */
static void test_no_version_no_request(void **state)
{
	char byte;
	struct s3_stats stats;

	table->count = table->odd = 0;
	begin(0);
	assert_int_equal(sync_get(s, BYTES_LIT("a"), 0, &byte, 1), S3_INVALID);
	assert_int_equal(sync_copy(s, BYTES_LIT("a"), BYTES_LIT("b")), S3_INVALID);
	s3_client_stats(s->client, &stats);
	assert_int_equal(stats.requests, 0);
	end();
}

static void never_called(void *ctx, const struct s3_err *err, const struct s3_list_page *page)
{
	struct sync *to = ctx;

	to->done++;
	assert_int_equal(err->cls, S3_CANCELLED);
}

/* The client ends while a listing of many prefixes is under way. */
static void test_end_of_client(void **state)
{
	struct s3_list_params params = {.delimiter = true};
	char key[16];
	int i;

	table->count = table->odd = 0;
	table->page_max = 1000;
	for (i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "%03d/x", i);
		one_key(key, 1, 0);
	}
	begin(0);
	sync_begin(s);
	s3_list(s->client, &params, 0, never_called, s);
	while (atomic_load(&table->lists) < 2)
		loop_once(s->loop, -1);
	end();
	assert_int_equal(s->done, 1);
}

static int setup(void **state)
{
	table = mem_zalloc(sizeof(*table));
	return 0;
}

static int teardown(void **state)
{
	free(table);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_cost),
		cmocka_unit_test(test_stuck_server),
		cmocka_unit_test(test_no_version_no_request),
		cmocka_unit_test(test_end_of_client),
	};

	/* A server whose client goes in the middle of an answer. */
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, setup, teardown);
}
