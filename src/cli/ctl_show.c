/* s3bulkfsctl status and errors: what daemons tell, for people and for scripts. One thread. */
#include "cli/ctl_show.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/ctl_text.h"
#include "util/mem.h"

#define WHY_MAX 512
#define BAR_CELLS 24
#define WATCH_MS 1000

/* ---- one mount ---- */

/* Counts without a point, short times. */
static void print_left(double seconds)
{
	long s = seconds < 359999 ? (long)(seconds + 0.5) : 359999;

	if (s >= 3600)
		printf("%ld:%02ld:%02ld left", s / 3600, s / 60 % 60, s % 60);
	else
		printf("%ld:%02ld left", s / 60, s % 60);
}

static void print_bar(double done, double left)
{
	int i, full = done + left > 0 ? (int)(BAR_CELLS * done / (done + left)) : 0;
	char cells[BAR_CELLS + 1];

	for (i = 0; i < BAR_CELLS; i++)
		cells[i] = i < full ? '#' : '.';
	cells[BAR_CELLS] = '\0';
	printf("    [%s] %3.0f %%\n", cells, done + left > 0 ? 100 * done / (done + left) : 0);
}

static void print_walk(const cJSON *w, bool bar)
{
	double done = ctl_number(w, "done"), left = ctl_number(w, "left");
	const cJSON *seconds = cJSON_GetObjectItemCaseSensitive(w, "seconds_left");

	text_print(stdout, "  %s%s (process %.0f%s): %.0f done, %.0f pending",
		ctl_true(w, "run") ? "run " : "", ctl_text(w, "command"), ctl_number(w, "pid"),
		ctl_true(w, "ended") ? ", ended" : "", done, ctl_number(w, "pending"));
	if (ctl_number(w, "failed") > 0)
		printf(", %.0f FAILED", ctl_number(w, "failed"));
	if (ctl_number(w, "rate") > 0)
		printf(", %.0f/s", ctl_number(w, "rate"));
	if (cJSON_IsNumber(seconds) && left > 0) {
		printf(", ");
		print_left(seconds->valuedouble);
	}
	if (ctl_true(w, "strict"))
		printf(", each call waits for S3 now");
	printf("\n");
	if (bar)
		print_bar(done, left);
}

static void print_mount(const cJSON *s, bool bar)
{
	const cJSON *w;

	text_print(stdout, "%s on %s (daemon %.0f)%s\n", ctl_text(s, "source"),
		ctl_text(s, "mountpoint"), ctl_number(s, "pid"),
		ctl_true(s, "read_only") ? ", read-only" : "");
	printf("  %.0f pending, %.0f of %.0f requests in flight, %.0f answers said slow down\n",
		ctl_number(s, "pending"), ctl_number(s, "in_flight"),
		(double)(long)ctl_number(s, "window"), ctl_number(s, "throttled"));
	printf("  done: %.0f copies, %.0f removals, %.0f uploads; failed: %.0f",
		ctl_number(s, "copies"), ctl_number(s, "removals"), ctl_number(s, "uploads"),
		ctl_number(s, "errors"));
	if (ctl_number(s, "errors") > 0)
		text_print(stdout, " (s3bulkfsctl errors %s)", ctl_text(s, "mountpoint"));
	printf("\n");
	cJSON_ArrayForEach(w, cJSON_GetObjectItemCaseSensitive(s, "walks")) print_walk(w, bar);
}

static int print_json(cJSON *json)
{
	char *text = cJSON_Print(json);

	if (text)
		text_print_json(stdout, text);
	cJSON_free(text);
	cJSON_Delete(json);
	return text && !fflush(stdout) ? CTL_OK : CTL_FAILED;
}

/* ---- several ---- */

struct shown {
	struct ctl_target *target;
	struct ctl_link link;
	cJSON *status; /* of late; NULL: its daemon has gone, or is silent */
};

static bool ask_status(struct shown *s, char why[WHY_MAX])
{
	cJSON_Delete(s->status);
	s->status = ctl_ask(&s->link, ctl_request_new("status"), why, WHY_MAX);
	return s->status != NULL;
}

/* The daemons that are asked. Why one does not answer is said, and *all is false. */
static size_t connect_all(
	struct ctl_targets *t, const struct ctl_target *only, struct shown *list, bool *all)
{
	char why[WHY_MAX];
	size_t i, n = 0;

	*all = true;
	for (i = 0; i < t->count; i++) {
		if (!ctl_target_is(&t->list[i], only) ||
			(!only && geteuid() && geteuid() != t->list[i].owner))
			continue;
		if (ctl_connect(&list[n].link, &t->list[i], why, sizeof(why))) {
			list[n++].target = &t->list[i];
		} else {
			text_print(stderr, "s3bulkfsctl: %s\n", why);
			*all = false;
		}
	}
	return n;
}

static void print_all(struct shown *list, size_t n, bool bar)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (list[i].status)
			print_mount(list[i].status, bar);
}

/* Waits for the next moment to look, or for a daemon that hangs up. */
static void pause_until_next(struct shown *list, size_t n)
{
	struct pollfd *fds = mem_calloc(n, sizeof(*fds));
	size_t i;

	for (i = 0; i < n; i++)
		fds[i] = (struct pollfd){.fd = list[i].link.fd, .events = POLLIN};
	poll(fds, (nfds_t)n, WATCH_MS);
	free(fds);
}

static int watch_all(struct shown *list, size_t n)
{
	bool screen = isatty(STDOUT_FILENO);
	char why[WHY_MAX];
	size_t i, alive;

	for (;;) {
		alive = 0;
		for (i = 0; i < n; i++)
			if (list[i].link.fd >= 0) {
				if (ask_status(&list[i], why))
					alive++;
				else
					ctl_close(&list[i].link);
			}
		if (!alive)
			return CTL_OK;
		printf("%s", screen ? "\033[H\033[J" : "");
		print_all(list, n, true);
		if (!screen)
			printf("\n");
		if (fflush(stdout))
			return CTL_FAILED;
		pause_until_next(list, n);
	}
}

static int show_once(struct shown *list, size_t n, bool json)
{
	cJSON *all, *mounts;
	char why[WHY_MAX];
	int rc = CTL_OK;
	size_t i;

	for (i = 0; i < n; i++)
		if (!ask_status(&list[i], why)) {
			text_print(
				stderr, "s3bulkfsctl: %s: %s\n", list[i].target->mountpoint, why);
			rc = CTL_FAILED;
		}
	if (!json) {
		print_all(list, n, false);
		return rc;
	}
	all = cJSON_CreateObject();
	mounts = cJSON_AddArrayToObject(all, "mounts");
	for (i = 0; i < n; i++) {
		if (list[i].status)
			cJSON_AddItemToArray(mounts, list[i].status);
		list[i].status = NULL;
	}
	return print_json(all) ? CTL_FAILED : rc;
}

int ctl_status(const char *path, bool watch, bool json)
{
	const struct ctl_target *only = NULL;
	struct ctl_targets t;
	struct shown *list;
	size_t i, n;
	int rc = CTL_FAILED;
	bool all;

	if (!ctl_targets_read(&t))
		return CTL_FAILED;
	list = mem_calloc(t.count + 1, sizeof(*list));
	if (!path || (only = ctl_target_of(&t, path, NULL))) {
		n = connect_all(&t, only, list, &all);
		if (!n && all && only)
			text_print(stdout, "no bucket of %s is in use\n", only->mountpoint);
		else if (!n && all && !json)
			printf("no mount of s3bulkfs\n");
		if (n || all)
			rc = watch ? watch_all(list, n) : show_once(list, n, json);
		if (!all)
			rc = CTL_FAILED;
		for (i = 0; i < n; i++) {
			cJSON_Delete(list[i].status);
			ctl_close(&list[i].link);
		}
	}
	free(list);
	ctl_targets_free(&t);
	return rc;
}

/* ---- errors ---- */

static void print_failure(FILE *out, const cJSON *f, const char *mountpoint)
{
	text_print(out, "%s of %s%s failed: %s", ctl_text(f, "what"), mountpoint,
		ctl_text(f, "path"), ctl_text(f, "code"));
	if (ctl_number(f, "http_status") > 0)
		fprintf(out, " (HTTP %.0f)", ctl_number(f, "http_status"));
	text_print(out, ", key %s", ctl_text(f, "key"));
	if (*ctl_text(f, "request_id"))
		text_print(out, ", request %s", ctl_text(f, "request_id"));
	if (*ctl_text(f, "command"))
		text_print(out, ", for %s (process %.0f)", ctl_text(f, "command"),
			ctl_number(f, "pid"));
	if (*ctl_text(f, "message"))
		text_print(out, ": %s", ctl_text(f, "message"));
	fprintf(out, "\n");
}

void ctl_print_failures(const cJSON *answer, const char *mountpoint)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(answer, "errors"), *f;
	double more = ctl_number(answer, "failed") - cJSON_GetArraySize(list);

	cJSON_ArrayForEach(f, list)
	{
		text_print(stderr, "s3bulkfsctl: ");
		print_failure(stderr, f, mountpoint);
	}
	if (more > 0)
		text_print(stderr,
			"s3bulkfsctl: and %.0f more operations failed on %s (see its log)\n", more,
			mountpoint);
}

static int show_errors(cJSON *answer, bool json)
{
	const cJSON *f;

	if (json)
		return print_json(answer);
	if (ctl_number(answer, "lost") > 0)
		printf("%.0f older ones are no longer kept (see the log)\n",
			ctl_number(answer, "lost"));
	cJSON_ArrayForEach(f, cJSON_GetObjectItemCaseSensitive(answer, "errors"))
	{
		time_t t = (time_t)(ctl_number(f, "time_ms") / 1000);
		struct tm tm;
		char when[32] = "";

		if (localtime_r(&t, &tm))
			strftime(when, sizeof(when), "%F %T", &tm);
		printf("%s ", when);
		print_failure(stdout, f, ctl_text(answer, "mountpoint"));
	}
	cJSON_Delete(answer);
	return fflush(stdout) ? CTL_FAILED : CTL_OK;
}

static cJSON *ask_errors(const struct ctl_target *target)
{
	struct ctl_link link;
	char why[WHY_MAX];
	cJSON *answer = NULL;

	if (ctl_connect(&link, target, why, sizeof(why))) {
		answer = ctl_ask(&link, ctl_request_new("errors"), why, sizeof(why));
		ctl_close(&link);
	}
	if (!answer)
		text_print(stderr, "s3bulkfsctl: %s\n", why);
	return answer;
}

/* Of all buckets of a mount: one array, each with its mount point. */
static int errors_of_all(const struct ctl_targets *t, const struct ctl_target *named, bool json)
{
	cJSON *all = json ? cJSON_CreateObject() : NULL;
	cJSON *mounts = json ? cJSON_AddArrayToObject(all, "mounts") : NULL;
	int rc = CTL_OK;
	size_t i;

	for (i = 0; i < t->count; i++) {
		cJSON *answer = ctl_target_is(&t->list[i], named) ? ask_errors(&t->list[i]) : NULL;

		if (!answer)
			rc = ctl_target_is(&t->list[i], named) ? CTL_FAILED : rc;
		else if (json)
			cJSON_AddItemToArray(mounts, answer);
		else if (show_errors(answer, false))
			rc = CTL_FAILED;
	}
	return json && print_json(all) ? CTL_FAILED : rc;
}

int ctl_errors(const char *path, bool json)
{
	const struct ctl_target *target;
	struct ctl_targets t;
	cJSON *answer;
	int rc = CTL_FAILED;

	if (!ctl_targets_read(&t))
		return CTL_FAILED;
	target = ctl_target_of(&t, path, NULL);
	if (target && target->all)
		rc = errors_of_all(&t, target, json);
	else if (target && (answer = ask_errors(target)))
		rc = show_errors(answer, json);
	ctl_targets_free(&t);
	return rc;
}
