/* What s3bulkfsctl can ask a daemon: each request and its answer. Core thread. */
#include <stdlib.h>
#include <unistd.h>

#include "cli/ctl_int.h"
#include "cli/ctl_text.h"
#include "ns/ns_ledger.h"
#include "util/log.h"
#include "util/mem.h"

#define TEXT_MAX ((size_t)64 << 10)

static cJSON *answer_new(bool ok)
{
	cJSON *a = cJSON_CreateObject();

	cJSON_AddBoolToObject(a, "ok", ok);
	return a;
}

static void refuse(struct ctl_conn *k, const char *why)
{
	cJSON *a = answer_new(false);

	cJSON_AddStringToObject(a, "error", why);
	ctl_send(k, a);
}

/* JSON is UTF-8; keys and names are any bytes: the others become "\xNN". */
static void add_text(cJSON *object, const char *name, struct bytes text)
{
	struct buf b = BUF_INIT(TEXT_MAX);

	while (text.len) {
		size_t n = text_utf8_length(text);

		if (n)
			buf_add(&b, text.ptr, n);
		else
			buf_addf(&b, "\\x%02x", (unsigned char)text.ptr[0]);
		text = BYTES(text.ptr + (n ? n : 1), text.len - (n ? n : 1));
	}
	cJSON_AddStringToObject(object, name, buf_str(&b));
	buf_free(&b);
}

static void add_number(cJSON *object, const char *name, uint64_t n)
{
	cJSON_AddNumberToObject(object, name, (double)n);
}

/* ---- status ---- */

static void add_walk(void *ctx, struct walk *w)
{
	cJSON *o = cJSON_CreateObject();
	struct ns_walk_status s;

	ns_walk_status(w, &s);
	add_number(o, "id", s.id);
	add_number(o, "pid", (uint64_t)s.pid);
	add_text(o, "command", BYTES_STR(s.command));
	cJSON_AddBoolToObject(o, "run", s.run);
	cJSON_AddBoolToObject(o, "strict", s.strict);
	cJSON_AddBoolToObject(o, "ended", s.ended);
	add_number(o, "pending", s.pending);
	add_number(o, "accepted", s.accepted);
	add_number(o, "done", s.done);
	add_number(o, "failed", s.failed);
	add_number(o, "left", s.left);
	cJSON_AddNumberToObject(o, "rate", s.rate);
	if (s.seconds_left < 0)
		cJSON_AddNullToObject(o, "seconds_left");
	else
		cJSON_AddNumberToObject(o, "seconds_left", s.seconds_left);
	cJSON_AddItemToArray(ctx, o);
}

static void status(struct ctl_conn *k)
{
	struct ctl *ctl = k->ctl;
	cJSON *a = answer_new(true);
	struct ns_volume_status s;

	ns_volume_status(ctl->volume, &s);
	add_text(a, "mountpoint", BYTES_STR(ctl->mountpoint));
	add_text(a, "source", BYTES_STR(ctl->source));
	add_number(a, "pid", (uint64_t)getpid());
	add_number(a, "uid", geteuid());
	cJSON_AddBoolToObject(a, "read_only", ctl->read_only);
	add_number(a, "pending", s.pending);
	add_number(a, "in_flight", s.in_flight);
	cJSON_AddNumberToObject(a, "window", s.window);
	add_number(a, "copies", s.copies);
	add_number(a, "removals", s.removals);
	add_number(a, "uploads", s.uploads);
	add_number(a, "throttled", s.throttled);
	add_number(a, "errors", s.errors);
	add_number(a, "deferred_errors", s.deferred_errors);
	ns_each_walk(ctl->volume, add_walk, cJSON_AddArrayToObject(a, "walks"));
	ctl_send(k, a);
}

/* ---- failures ---- */

/* Which failures are wanted, and where they go. */
struct choice {
	cJSON *list;
	const char *path; /* only those at or below, that nobody was told of; NULL: all */
	uint64_t walk_id; /* 0: of any walk */
};

static void add_failure(void *ctx, const struct ns_failure *f)
{
	const struct choice *c = ctx;
	cJSON *o;

	if ((c->path && (f->told || !f->deferred || !ledger_is_below(f, c->path))) ||
		(c->walk_id && f->walk_id != c->walk_id))
		return;
	o = cJSON_CreateObject();
	add_number(o, "seq", f->seq);
	add_number(o, "time_ms", (uint64_t)f->time_ms);
	cJSON_AddStringToObject(o, "what", f->what);
	add_text(o, "path", BYTES_STR(f->path));
	add_text(o, "key", f->key);
	add_text(o, "code", BYTES_STR(f->err.code));
	add_text(o, "message", BYTES_STR(f->err.message));
	cJSON_AddNumberToObject(o, "http_status", f->err.http_status);
	cJSON_AddNumberToObject(o, "errno", f->err.errnum);
	add_text(o, "request_id", BYTES_STR(f->err.request_id));
	add_text(o, "command", BYTES_STR(f->command));
	cJSON_AddNumberToObject(o, "pid", f->pid);
	cJSON_AddBoolToObject(o, "deferred", f->deferred);
	cJSON_AddItemToArray(c->list, o);
}

static void errors(struct ctl_conn *k)
{
	const struct ledger *l = ns_ledger(k->ctl->volume);
	struct choice c = {0};
	cJSON *a = answer_new(true);

	add_text(a, "mountpoint", BYTES_STR(k->ctl->mountpoint));
	add_number(a, "total", l->seq);
	add_number(a, "lost", ledger_lost(l));
	c.list = cJSON_AddArrayToObject(a, "errors");
	ledger_each(l, add_failure, &c);
	ctl_send(k, a);
}

/* Puts in what failed at or below `path` and nobody was told of; from now on somebody was. */
static void tell(struct ctl *ctl, cJSON *a, const char *path)
{
	struct ledger *l = ns_ledger(ctl->volume);
	struct choice c = {.path = path};

	c.list = cJSON_AddArrayToObject(a, "errors");
	ledger_each(l, add_failure, &c);
	add_number(a, "failed", (uint64_t)cJSON_GetArraySize(c.list) + l->untold_lost);
	ledger_tell(l, 0, path);
}

/* ---- flush, umount ---- */

static void settled(struct ctl_conn *k)
{
	cJSON *a = answer_new(true);

	add_text(a, "mountpoint", BYTES_STR(k->ctl->mountpoint));
	tell(k->ctl, a, k->call.name);
	ctl_send(k, a);
}

static void start_settling(struct ctl_conn *k)
{
	ns_settle(&k->call);
}

static void settle(struct ctl_conn *k, const char *path)
{
	free(k->call.name);
	k->call.name = mem_strdup(path);
	ctl_wait(k, start_settling, settled);
}

cJSON *ctl_ended(struct ctl *ctl, bool process_ends)
{
	cJSON *a = answer_new(true);

	cJSON_AddBoolToObject(a, "process_ends", process_ends);
	tell(ctl, a, "/");
	return a;
}

/* ---- run ---- */

static void run(struct ctl_conn *k, const char *command)
{
	cJSON *a;

	if (!k->pid) {
		refuse(k, "the daemon is in another process namespace");
		return;
	}
	if (k->run) {
		refuse(k, "this connection has a run already");
		return;
	}
	k->run = ns_run_begin(k->ctl->volume, k->pid, command);
	a = answer_new(true);
	cJSON_AddBoolToObject(a, "deferred", k->run != NULL);
	ctl_send(k, a);
}

static void run_ended(struct ctl_conn *k)
{
	struct ledger *l = ns_ledger(k->ctl->volume);
	cJSON *a = answer_new(true);
	struct ns_walk_status s;
	struct choice c = {.path = "/"};

	ns_walk_status(k->run, &s);
	ns_run_end(k->run);
	k->run = NULL;
	c.walk_id = s.id;
	c.list = cJSON_AddArrayToObject(a, "errors");
	ledger_each(l, add_failure, &c);
	ledger_tell(l, s.id, "/");
	add_number(a, "done", s.done);
	add_number(a, "failed", s.failed);
	cJSON_AddNumberToObject(a, "errno", k->call.errnum ? k->call.errnum : s.errnum);
	ctl_send(k, a);
}

static void start_run_wait(struct ctl_conn *k)
{
	ns_run_wait(k->run, &k->call);
}

static void run_end(struct ctl_conn *k)
{
	if (!k->run) {
		refuse(k, "this connection has no run");
		return;
	}
	ctl_wait(k, start_run_wait, run_ended);
}

/* ---- all of them ---- */

static const char *text_of(const cJSON *request, const char *name, const char *otherwise)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(request, name));

	return text ? text : otherwise;
}

void ctl_request(struct ctl_conn *k, const cJSON *request)
{
	const char *cmd = text_of(request, "cmd", "");

	log_debug("control: process %d asks for %s", (int)k->pid, cmd);
	if (!strcmp(cmd, "status")) {
		status(k);
	} else if (!strcmp(cmd, "errors")) {
		errors(k);
	} else if (!strcmp(cmd, "flush")) {
		settle(k, text_of(request, "path", "/"));
	} else if (!strcmp(cmd, "umount")) {
		k->ending = true;
		settle(k, "/");
	} else if (!strcmp(cmd, "run")) {
		run(k, text_of(request, "command", ""));
	} else if (!strcmp(cmd, "run-end")) {
		run_end(k);
	} else {
		refuse(k, "the daemon does not know this request; is it of another version?");
	}
}
