/*
 * s3bulkfs: parse, detach, make the client, check the bucket, mount, run, drain, unmount. The command
 * returns 0 only once the mount works: the parent waits for one message of the daemon.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bulk/bulk.h"
#include "cli/ctl_server.h"
#include "cli/opts.h"
#include "fuse/fs.h"
#include "ns/ns.h"
#include "s3/s3.h"
#include "util/log.h"
#include "util/loop.h"
#include "util/mem.h"

#define WHY_MAX 1024

struct daemon {
	struct opts *opts;
	char *mountpoint; /* real path */
	struct loop *loop;
	struct s3_client *client;
	struct bulk *bulk;
	struct bulk_target *target;
	struct ns *ns;
	struct fs *fs;
	struct ctl *ctl;
};

/* ---- is the bucket there? ---- */

struct check {
	bool done;
	struct s3_err err;
};

static void checked(void *ctx, const struct s3_err *err, const struct s3_list_page *page)
{
	struct check *k = ctx;

	(void)page;
	k->done = true;
	k->err = *err;
}

static void list_once(struct daemon *d, struct check *k, unsigned flags)
{
	struct s3_list_params params = {.prefix = BYTES_STR(d->opts->prefix), .max_keys = 1};

	k->done = false;
	s3_list(d->client, &params, flags, checked, k);
	while (!k->done)
		loop_once(d->loop, -1);
}

static void explain(const struct daemon *d, const struct s3_err *e, char *why)
{
	const char *bucket = d->opts->bucket, *endpoint = s3_client_endpoint(d->client);
	char text[400];

	s3_err_text(e, text, sizeof(text));
	if (e->cls == S3_NOT_FOUND)
		snprintf(why, WHY_MAX,
			"there is no bucket '%s' at %s (%s); check its name and -o endpoint_url",
			bucket, endpoint, text);
	else if (!strcmp(e->code, "AccessDenied"))
		snprintf(why, WHY_MAX,
			"these credentials may not list bucket '%s' at %s (%s); s3:ListBucket is needed",
			bucket, endpoint, text);
	else if (e->cls == S3_DENIED)
		snprintf(why, WHY_MAX,
			"%s does not accept these credentials (%s); check AWS_ACCESS_KEY_ID and "
			"AWS_SECRET_ACCESS_KEY, or ~/.aws/credentials",
			endpoint, text);
	else if (!e->http_status)
		snprintf(why, WHY_MAX, "no connection to %s (%s); check -o endpoint_url and the network",
			endpoint, text);
	else
		snprintf(why, WHY_MAX, "bucket '%s' at %s cannot be listed (%s)", bucket, endpoint,
			text);
}

static bool check_bucket(struct daemon *d, char *why)
{
	struct check k;

	list_once(d, &k, S3_NO_RETRY);
	/* A busy server is asked again; one that cannot be reached is told at once. */
	if (k.err.http_status && (k.err.cls == S3_THROTTLED || k.err.cls == S3_TRANSIENT))
		list_once(d, &k, 0);
	if (k.err.cls == S3_OK)
		return true;
	explain(d, &k.err, why);
	return false;
}

/* ---- start and end ---- */

static bool start(struct daemon *d, char *why)
{
	struct opts *o = d->opts;
	struct fs_config fs = {
		.mountpoint = d->mountpoint,
		.source = o->source,
		.options = o->fuse_options,
		.check_permissions = o->allow_other,
		.debug = false,
	};
	struct ns_volume *volume;

	d->loop = loop_new();
	if (!d->loop) {
		snprintf(why, WHY_MAX, "cannot make an event loop: %m");
		return false;
	}
	d->client = s3_client_new(d->loop, &o->s3, why, WHY_MAX);
	if (!d->client || !check_bucket(d, why))
		return false;
	d->bulk = bulk_new(d->loop, &o->bulk);
	d->target = bulk_target_new(d->bulk, d->client, o->max_inflight);
	d->ns = ns_new(d->loop, d->bulk, &o->ns);
	volume = ns_volume_new(d->ns, d->target, o->prefix, d->mountpoint, &o->ns);
	d->fs = fs_mount(d->loop, d->ns, volume, &fs, why, WHY_MAX);
	if (!d->fs)
		return false;
	d->ctl = ctl_new(d->loop,
		&(struct ctl_mount){.volume = volume,
			.mountpoint = d->mountpoint,
			.source = o->source,
			.read_only = o->ns.read_only});
	return true;
}

/* What was accepted is finished, whatever ended the mount. */
static int finish(struct daemon *d)
{
	uint64_t failures = 0;
	unsigned signals = fs_signal_count(d->fs);

	/* A signal while this goes on says that it takes too long. */
	while (d->ns && !ns_idle(d->ns) && fs_signal_count(d->fs) == signals) {
		ns_drain(d->ns);
		loop_once(d->loop, 1000);
	}
	if (d->ns) {
		ns_abandon(d->ns);
		while (!ns_idle(d->ns) && fs_signal_count(d->fs) == signals)
			loop_once(d->loop, 1000);
		failures = ns_failures(d->ns);
		ns_close(d->ns);
	}
	if (failures)
		log_warn("%llu operations had failed after they were accepted",
			(unsigned long long)failures);
	/* What is still being read is cancelled while those who wait for it can be answered. */
	s3_client_free(d->client);
	fs_unmount(d->fs);
	ctl_free(d->ctl, true);
	if (d->ns)
		ns_free(d->ns);
	bulk_target_free(d->target);
	if (d->bulk)
		bulk_free(d->bulk);
	loop_free(d->loop);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Many connections need many descriptors; a core dump would hold the keys. */
static void set_limits(void)
{
	struct rlimit r;

	if (!getrlimit(RLIMIT_NOFILE, &r)) {
		r.rlim_cur = r.rlim_max < 65536 ? r.rlim_max : 65536;
		setrlimit(RLIMIT_NOFILE, &r);
	}
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	prctl(PR_SET_DUMPABLE, 0);
#endif
	/* Few arenas and early trimming: the daemon's memory is what it holds, not what it once held. */
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_MMAP_THRESHOLD, 256 << 10);
	mallopt(M_TRIM_THRESHOLD, 1 << 20);
}

static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void go_silent(void)
{
	int fd = open("/dev/null", O_RDWR);

	if (fd < 0)
		return;
	dup2(fd, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	if (fd > 2)
		close(fd);
}

/* `report` gets one byte when the mount works; or -1: nobody waits. */
static int run(struct daemon *d, int report)
{
	char why[WHY_MAX] = "";
	int r;

	block_signals();
	set_limits();
	if (!start(d, why)) {
		fprintf(stderr, "s3bulkfs: %s\n", why);
		finish(d);
		return EXIT_FAILURE;
	}
	if (report >= 0) {
		log_open(true, d->opts->debug ? LOG_LVL_DEBUG : LOG_LVL_INFO);
		go_silent();
		r = write(report, "1", 1) == 1 ? 0 : -1;
		close(report);
		if (r < 0)
			log_warn("the mounting command has gone; the mount stays");
	}
	log_info("%s is mounted on %s", d->opts->source, d->mountpoint);
	loop_run(d->loop);
	r = finish(d);
	log_info("%s is unmounted", d->opts->source);
	return r;
}

static int run_detached(struct daemon *d)
{
	char byte = 0;
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		fprintf(stderr, "s3bulkfs: cannot start the daemon: %m\n");
		return EXIT_FAILURE;
	}
	if (!pid) {
		close(fds[0]);
		setsid();
		if (chdir("/") < 0)
			return EXIT_FAILURE;
		return run(d, fds[1]);
	}
	close(fds[1]);
	do
		n = read(fds[0], &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		return EXIT_SUCCESS;
	if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status))
		fprintf(stderr, "s3bulkfs: the daemon was ended by signal %d\n", WTERMSIG(status));
	return EXIT_FAILURE;
}

static bool find_mountpoint(struct daemon *d)
{
	struct stat st;

	d->mountpoint = realpath(d->opts->mountpoint, NULL);
	if (!d->mountpoint || stat(d->mountpoint, &st) < 0) {
		fprintf(stderr, "s3bulkfs: mount point '%s': %m; %s\n", d->opts->mountpoint,
			errno == ENOENT	    ? "make it with mkdir"
			: errno == ENOTCONN ? "an earlier mount has crashed: umount it first"
					    : "give a directory that you may use");
		return false;
	}
	if (!S_ISDIR(st.st_mode)) {
		fprintf(stderr, "s3bulkfs: mount point '%s' is not a directory; give one\n",
			d->opts->mountpoint);
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct opts opts;
	struct daemon d = {.opts = &opts};
	char why[WHY_MAX] = "";
	int r = EXIT_FAILURE;

	if (!opts_parse(&opts, argc, argv, why, sizeof(why))) {
		fprintf(stderr, "s3bulkfs: %s\n", why);
	} else if (opts.help) {
		opts_help();
		r = EXIT_SUCCESS;
	} else if (opts.version) {
		printf("s3bulkfs %s\n", PACKAGE_VERSION);
		r = EXIT_SUCCESS;
	} else if (find_mountpoint(&d)) {
		log_open(false, opts.debug ? LOG_LVL_DEBUG : LOG_LVL_INFO);
		r = opts.foreground ? run(&d, -1) : run_detached(&d);
	}
	free(d.mountpoint);
	opts_free(&opts);
	return r;
}
