/*
 * Fuzz target for what a daemon is asked through its control socket, one request a line. Each gets
 * one answer, which is JSON in one line and says whether it is a good one. The name space behind it
 * is made up here.
 */
#include "fuzz.h"

#include <errno.h>
#include <string.h>

#include "cli/ctl_int.h"
#include "ns/ns_ledger.h"
#include "util/mem.h"

struct walk {
	bool used;
};

static struct ledger failures;
static struct walk one_run;
static unsigned answers;
static size_t walk_bytes;
static char walk_name[64];

void ns_volume_status(const struct ns_volume *volume, struct ns_volume_status *status)
{
	(void)volume;
	*status = (struct ns_volume_status){.pending = 1};
}

void ns_walk_status(struct walk *walk, struct ns_walk_status *status)
{
	(void)walk;
	*status = (struct ns_walk_status){.id = 1, .seconds_left = -1};
	memcpy(status->command, walk_name, sizeof(walk_name));
}

void ns_each_walk(struct ns_volume *volume, void (*fn)(void *ctx, struct walk *walk), void *ctx)
{
	(void)volume;
	fn(ctx, &one_run);
}

struct ledger *ns_ledger(struct ns_volume *volume)
{
	(void)volume;
	return &failures;
}

void ns_settle(struct ns_call *call)
{
	call->reply(call, 0);
}

struct walk *ns_run_begin(struct ns_volume *volume, pid_t pid, const char *command)
{
	(void)volume;
	(void)pid;
	FUZZ_REQUIRE(command && !one_run.used);
	one_run.used = true;
	return &one_run;
}

void ns_run_wait(struct walk *run, struct ns_call *call)
{
	FUZZ_REQUIRE(run->used);
	call->reply(call, EIO);
}

void ns_run_end(struct walk *run)
{
	FUZZ_REQUIRE(run->used);
	run->used = false;
}

/* ctl_server.c's, without the socket. */
void ctl_send(struct ctl_conn *k, cJSON *answer)
{
	char *text = cJSON_PrintUnformatted(answer);
	cJSON *back;

	(void)k;
	FUZZ_REQUIRE(text && !strchr(text, '\n'));
	back = cJSON_Parse(text);
	FUZZ_REQUIRE(cJSON_IsBool(cJSON_GetObjectItemCaseSensitive(back, "ok")));
	answers++;
	cJSON_Delete(back);
	cJSON_free(text);
	cJSON_Delete(answer);
}

void ctl_wait(
	struct ctl_conn *k, void (*start)(struct ctl_conn *), void (*answer)(struct ctl_conn *))
{
	start(k);
	answer(k);
}

static void replied(struct ns_call *call, int errnum)
{
	call->errnum = errnum;
}

static void request(struct ctl_conn *k, struct bytes line)
{
	cJSON *json = cJSON_ParseWithLength(line.ptr, line.len);
	unsigned before = answers;

	if (cJSON_IsObject(json)) {
		ctl_request(k, json);
		FUZZ_REQUIRE(answers == before + 1);
	}
	cJSON_Delete(json);
}

/* Something has failed whose texts, and the walk's, are the input as it is. */
static void fail(struct bytes in)
{
	char *path = mem_printf("/%.*s", (int)(in.len < 4000 ? in.len : 4000), in.ptr);
	struct ns_failure f = {
		.what = "copy", .path = path, .key = in, .command = path, .deferred = true};

	walk_bytes = in.len < sizeof(walk_name) - 1 ? in.len : sizeof(walk_name) - 1;
	memset(walk_name, 0, sizeof(walk_name));
	if (walk_bytes)
		memcpy(walk_name, in.ptr, walk_bytes);
	ledger_add(&failures, &f);
	free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctl ctl = {.mountpoint = walk_name, .source = walk_name};
	struct ctl_conn k = {.ctl = &ctl, .pid = 1};
	const char *at = (const char *)data, *end = at + size;

	k.call.reply = replied;
	fail(BYTES(at, size));
	while (at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));

		line_end = line_end ? line_end : end;
		request(&k, BYTES(at, (size_t)(line_end - at)));
		at = line_end + (line_end < end);
	}
	if (k.run)
		ns_run_end(k.run);
	free(k.call.name);
	ledger_clear(&failures);
	return 0;
}
