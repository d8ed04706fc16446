/* The fixture of tests of credentials: see creds_run.h. The server's threads take the mutex. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#include "creds_run.h"
#include "http_server.h"
#include "s3/s3_env.h"
#include "util/clk.h"
#include "util/loop.h"
#include "util/mem.h"

#define RULES_MAX 16
#define SEEN_MAX 64
#define VARS_MAX 32
#define WATCHDOG_S 60

struct rule {
	char *path, *status, *body;
};

static struct {
	pthread_mutex_t mutex;
	struct rule rules[RULES_MAX];
	size_t rule_count;
	char *seen[SEEN_MAX];
	size_t seen_count;
} script = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static _Atomic int64_t offset_ms;
static struct http_server *server;
static struct loop *loop;
static struct http_engine *http;
static struct s3_fetch_place place;
static struct s3_chain chain;
static atomic_llong clock_offset_ms;
static char dir[64];
static char *vars[VARS_MAX + 1];
static size_t var_count;

/* ---- time ---- */

static int64_t read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clk_mono_ms(void)
{
	return read_clock(CLOCK_MONOTONIC) + offset_ms;
}

int64_t clk_wall_ms(void)
{
	return read_clock(CLOCK_REALTIME) + offset_ms;
}

void creds_advance(int64_t ms)
{
	offset_ms += ms;
}

/* ---- server ---- */

static bool first_line_has(const char *request, const char *path)
{
	const char *at = strstr(request, path), *end = strchr(request, '\r');

	return at && end && at < end;
}

static bool send_all(int fd, const char *text, size_t len)
{
	return send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static bool answer(void *ctx, int fd, struct bytes request)
{
	char *head = NULL, *body = NULL, byte;
	bool hangs = true;
	size_t i;

	(void)ctx;
	pthread_mutex_lock(&script.mutex);
	if (script.seen_count < SEEN_MAX)
		script.seen[script.seen_count++] = mem_dup(request.ptr, request.len);
	for (i = script.rule_count; i-- > 0;) {
		const struct rule *r = &script.rules[i];

		if (!first_line_has(request.ptr, r->path))
			continue;
		hangs = !r->status;
		body = mem_strdup(r->body);
		if (!hangs)
			head = mem_printf("HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", r->status,
				strlen(body));
		break;
	}
	pthread_mutex_unlock(&script.mutex);
	if (hangs)
		while (recv(fd, &byte, 1, 0) > 0)
			;
	else
		hangs = !send_all(fd, head, strlen(head)) || !send_all(fd, body, strlen(body));
	free(head);
	free(body);
	return !hangs;
}

void creds_answer(const char *path, const char *status, const char *body)
{
	struct rule *r = &script.rules[script.rule_count];

	pthread_mutex_lock(&script.mutex);
	assert_true(script.rule_count < RULES_MAX);
	script.rule_count++;
	r->path = mem_strdup(path);
	r->status = mem_strdup(status);
	r->body = mem_strdup(body ? body : "");
	pthread_mutex_unlock(&script.mutex);
}

unsigned creds_requests(const char *path)
{
	unsigned n = 0;
	size_t i;

	pthread_mutex_lock(&script.mutex);
	for (i = 0; i < script.seen_count; i++)
		n += first_line_has(script.seen[i], path);
	pthread_mutex_unlock(&script.mutex);
	return n;
}

bool creds_request_had(const char *path, const char *text)
{
	bool had = false;
	size_t i;

	pthread_mutex_lock(&script.mutex);
	for (i = 0; i < script.seen_count; i++)
		if (first_line_has(script.seen[i], path))
			had = strstr(script.seen[i], text) != NULL;
	pthread_mutex_unlock(&script.mutex);
	return had;
}

const char *creds_json(const char *id, int64_t lifetime_s)
{
	static char text[400];
	time_t end = (time_t)(clk_wall_ms() / 1000 + lifetime_s);
	char when[32];
	struct tm tm;

	gmtime_r(&end, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	snprintf(text, sizeof(text),
		"{\"Version\":1,\"Code\":\"Success\",\"AccessKeyId\":\"%s\","
		"\"SecretAccessKey\":\"secret\",\"Token\":\"token\",\"SessionToken\":\"token\","
		"\"Expiration\":\"%s\"}",
		id, when);
	return text;
}

/* ---- provider ---- */

void creds_env(const char *fmt, ...)
{
	char text[1000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	assert_true(var_count < VARS_MAX);
	vars[var_count++] = mem_strdup(text);
}

void creds_config(const char *text)
{
	char *path = mem_printf("%s/.aws/config", dir);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_not_equal(fputs(text, f), EOF);
	assert_int_equal(fclose(f), 0);
	free(path);
}

static void changed(void *ctx)
{
	((struct creds_run *)ctx)->changes++;
}

void creds_open(struct creds_run *r, const char *profile)
{
	char why[600];
	struct s3_source *source;

	chain.env = vars;
	chain.profile = (char *)(uintptr_t)profile;
	chain.profile_given = strcmp(profile, "default") != 0;
	chain.region = (char *)(uintptr_t) "us-east-1";
	place.env = (const char *const *)vars;
	source = s3_source_choose(&chain, NULL, why, sizeof(why));
	if (!source)
		fail_msg("%s", why);
	r->provider = s3_provider_new(&place, &chain, source, changed, r);
}

void creds_round(void)
{
	loop_once(loop, 20);
}

const char *creds_get(struct creds_run *r)
{
	s3_creds_unref(r->got);
	r->got = NULL;
	while ((r->state = s3_provider_get(r->provider, &r->got)) == S3_CREDS_WAIT) {
		unsigned before = r->changes;

		while (r->changes == before)
			creds_round();
	}
	return r->got ? r->got->access_key_id : s3_provider_problem(r->provider);
}

int creds_setup(void **state)
{
	static const struct http_config config = {.threads = 1};
	struct creds_run *r = mem_zalloc(sizeof(*r));
	char why[200], *aws;

	alarm(WATCHDOG_S);
	snprintf(dir, sizeof(dir), "/tmp/s3bulkfs-creds-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	aws = mem_printf("%s/.aws", dir);
	mkdir(aws, 0700);
	free(aws);
	creds_env("HOME=%s", dir);
	creds_env("PATH=/usr/bin:/bin");
	server = http_server_start();
	http_server_script(server, answer, NULL);
	snprintf(r->base, sizeof(r->base), "http://127.0.0.1:%d", http_server_port(server));
	loop = loop_new();
	http = http_engine_new(loop, &config, why, sizeof(why));
	assert_non_null(http);
	clock_offset_ms = 0;
	place = (struct s3_fetch_place){
		.loop = loop, .http = http, .clock_offset_ms = &clock_offset_ms};
	*state = r;
	return 0;
}

static void clear_script(void)
{
	while (script.rule_count) {
		struct rule *rule = &script.rules[--script.rule_count];

		free(rule->path);
		free(rule->status);
		free(rule->body);
	}
	while (script.seen_count)
		free(script.seen[--script.seen_count]);
}

int creds_teardown(void **state)
{
	struct creds_run *r = *state;
	char *path = mem_printf("%s/.aws/config", dir);

	s3_creds_unref(r->got);
	s3_provider_stop(r->provider);
	http_engine_free(http);
	s3_provider_free(r->provider);
	loop_once(loop, 0);
	loop_free(loop);
	http_server_stop(server);
	clear_script();
	while (var_count)
		free(vars[--var_count]);
	memset(vars, 0, sizeof(vars));
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	rmdir(dir);
	free(path);
	free(r);
	return 0;
}
