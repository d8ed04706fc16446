/*
 * s3bulkfsctl run: the command and all its descendants are members of a run on each mount. The run
 * lives as long as our connection to the daemon, and is known by our process: orphans become our
 * children (PR_SET_CHILD_SUBREAPER, prctl(2)), so all of them are found below it. One thread.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/ctl_show.h"
#include "cli/ctl_text.h"
#include "util/buf.h"
#include "util/mem.h"

#define WHY_MAX 512
#define COMMAND_BYTES_MAX 1024

struct joined {
	const struct ctl_target *target;
	struct ctl_link link;
};

struct run {
	struct ctl_targets targets;
	struct joined *list;
	size_t count;
	char *command;
};

/* ---- joining and leaving ---- */

/* False: the mount was asked for by name, and cannot be used. */
static bool join(struct run *r, const struct ctl_target *target, bool named)
{
	struct joined *j = &r->list[r->count];
	cJSON *request, *answer;
	char why[WHY_MAX];

	j->target = target;
	if (!ctl_connect(&j->link, target, why, sizeof(why))) {
		text_print(stderr, "s3bulkfsctl: %s%s\n", why,
			named ? "" : "; nothing is deferred there");
		return !named;
	}
	request = ctl_request_new("run");
	cJSON_AddStringToObject(request, "command", r->command);
	answer = ctl_ask(&j->link, request, why, sizeof(why));
	if (answer && ctl_true(answer, "deferred")) {
		r->count++;
		cJSON_Delete(answer);
		return true;
	}
	/* A mount where every call waits for S3 needs no run. */
	if (!answer)
		text_print(stderr, "s3bulkfsctl: %s: %s\n", target->mountpoint, why);
	ctl_close(&j->link);
	cJSON_Delete(answer);
	return answer || !named;
}

static bool has_joined(const struct run *r, const struct ctl_target *t)
{
	size_t i;

	for (i = 0; i < r->count; i++)
		if (r->list[i].target == t)
			return true;
	return false;
}

static bool join_all(struct run *r, char *const *mounts)
{
	size_t i;

	if (!ctl_targets_read(&r->targets))
		return false;
	r->list = mem_calloc(r->targets.count + 1, sizeof(*r->list));
	if (!*mounts) {
		/* Another user's daemon has no say in our exit code unless it is named. */
		for (i = 0; i < r->targets.count; i++)
			if (ctl_target_is(&r->targets.list[i], NULL) &&
				geteuid() == r->targets.list[i].owner)
				join(r, &r->targets.list[i], false);
		return true;
	}
	for (; *mounts; mounts++) {
		const struct ctl_target *t = ctl_target_of(&r->targets, *mounts, NULL);

		if (!t)
			return false;
		for (i = 0; i < r->targets.count; i++)
			if (ctl_target_is(&r->targets.list[i], t) &&
				!has_joined(r, &r->targets.list[i]) &&
				!join(r, &r->targets.list[i], true))
				return false;
	}
	return true;
}

/* Waits until all that was accepted is done; false when anything of it failed. */
static bool leave(struct joined *j)
{
	char why[WHY_MAX];
	cJSON *answer;
	bool good;

	ctl_wait_long(&j->link);
	answer = ctl_ask(&j->link, ctl_request_new("run-end"), why, sizeof(why));
	good = answer && ctl_number(answer, "failed") == 0 && ctl_number(answer, "errno") == 0;

	if (!answer)
		text_print(stderr,
			"s3bulkfsctl: %s: %s: what was pending is not known to be done\n",
			j->target->mountpoint, why);
	else if (!good) {
		ctl_print_failures(answer, j->target->mountpoint);
		if (ctl_number(answer, "failed") == 0)
			text_print(stderr, "s3bulkfsctl: %s: the run failed (%s); see the log\n",
				j->target->mountpoint,
				strerrordesc_np((int)ctl_number(answer, "errno")));
	}
	cJSON_Delete(answer);
	return good;
}

/* ---- the command ---- */

static void start_child(char **argv, const sigset_t *mask)
{
	int err;

	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);
	err = errno;
	text_print(stderr, "s3bulkfsctl: %s: %s\n", argv[0],
		err == ENOENT ? "there is no such command" : strerrordesc_np(err));
	_exit(err == ENOENT ? CTL_RUN_MISSING : CTL_RUN_CANNOT);
}

/* The signals that are waited for instead of handled, so that none comes at a wrong moment. */
static void watched_signals(sigset_t *set)
{
	static const int watched[] = {SIGCHLD, SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
	size_t i;

	sigemptyset(set);
	for (i = 0; i < sizeof(watched) / sizeof(watched[0]); i++)
		sigaddset(set, watched[i]);
}

/*
 * Until the command has ended signals are its own: what asks us to stop is for it to decide on. The
 * terminal sends SIGINT and SIGQUIT to it, too. Orphans come to us; what ends before the command is
 * of no interest.
 */
static int wait_for(pid_t pid, const sigset_t *watched)
{
	int status, sig;
	pid_t got;

	for (;;) {
		while ((got = waitpid(-1, &status, WNOHANG)) > 0 && got != pid)
			;
		if (got == pid)
			return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		if (got < 0)
			return CTL_RUN_SELF;
		sig = sigwaitinfo(watched, NULL);
		if (sig > 0 && sig != SIGCHLD && sig != SIGINT && sig != SIGQUIT)
			kill(pid, sig);
	}
}

static int run_command(char **argv)
{
	sigset_t watched, before;
	int code = CTL_RUN_SELF;
	pid_t child;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	/* Where it is ignored, children leave no exit code: sigaction(2), SA_NOCLDWAIT. */
	signal(SIGCHLD, SIG_DFL);
	watched_signals(&watched);
	sigprocmask(SIG_BLOCK, &watched, &before);
	child = fork();
	if (!child)
		start_child(argv, &before);
	if (child < 0)
		text_print(stderr, "s3bulkfsctl: cannot start %s: %m\n", argv[0]);
	else
		code = wait_for(child, &watched);
	/* From now on they end the waiting for what is pending. */
	sigprocmask(SIG_SETMASK, &before, NULL);
	return code;
}

static char *command_text(char **argv)
{
	struct buf b = BUF_INIT(COMMAND_BYTES_MAX);

	/* Beyond the bound it is cut at a word. */
	for (; *argv && !b.failed; argv++) {
		buf_adds(&b, *argv);
		if (argv[1])
			buf_addc(&b, ' ');
	}
	return b.len ? buf_take(&b) : mem_strdup("");
}

int ctl_run(char *const *mounts, char **argv)
{
	struct run r = {.command = command_text(argv)};
	bool good = true;
	int code = CTL_RUN_SELF;
	size_t i;

	if (join_all(&r, mounts)) {
		if (!r.count)
			text_print(
				stderr, "s3bulkfsctl: no mount takes part; nothing is deferred\n");
		code = run_command(argv);
		for (i = 0; i < r.count; i++)
			good &= leave(&r.list[i]);
	}
	for (i = 0; i < r.count; i++)
		ctl_close(&r.list[i].link);
	ctl_targets_free(&r.targets);
	free(r.list);
	free(r.command);
	return good ? code : CTL_RUN_DEFERRED;
}
