/*
 * s3bulkfs: parse, detach, make the client, check the bucket, mount, run, drain, unmount. The
 * command returns 0 only once the mount works: the parent waits for one message of the daemon.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bulk/bulk.h"
#include "cli/buckets.h"
#include "cli/ctl_server.h"
#include "cli/opts.h"
#include "cli/process.h"
#include "cli/remains.h"
#include "cli/share.h"
#include "cli/volume.h"
#include "fuse/fs.h"
#include "ns/ns.h"
#include "util/log.h"
#include "util/loop.h"
#include "util/mem.h"

#define EXIT_USAGE 2

struct daemon {
	struct opts *opts;
	char *mountpoint; /* real path */
	struct loop *loop;
	struct volume volume; /* or */
	struct buckets *buckets;
	struct bulk *bulk;
	struct ns *ns;
	struct fs *fs;
	struct ctl *ctl;
};

/* ---- start and end ---- */

static bool start(struct daemon *d, char *why)
{
	struct opts *o = d->opts;
	struct fs_config fs = {
		.mountpoint = d->mountpoint,
		.source = o->source,
		.options = o->fuse_options,
		.check_permissions = o->allow_other,
		.debug = o->debug,
		.max_read_bytes = o->max_read_bytes,
	};

	d->loop = loop_new();
	if (!d->loop) {
		snprintf(why, WHY_MAX, "cannot make an event loop: %m");
		return false;
	}
	d->bulk = bulk_new(d->loop, &o->bulk);
	d->ns = ns_new(d->loop, d->bulk, &o->ns);
	if (o->all_buckets) {
		d->buckets = buckets_new(d->loop, d->bulk, d->ns, o, d->mountpoint, why);
		if (!d->buckets)
			return false;
		fs.hub = buckets_hub(d->buckets);
	} else {
		if (!volume_open(&d->volume, d->loop, o, why) || !volume_check_now(&d->volume, why))
			return false;
		volume_begin(&d->volume, d->bulk, d->ns, d->mountpoint);
	}
	d->fs = fs_mount(d->loop, d->ns, d->volume.ns, &fs, why, WHY_MAX);
	if (!d->fs)
		return false;
	if (!d->volume.ns)
		return true;
	d->ctl = ctl_new(d->loop, &(struct ctl_mount){.volume = d->volume.ns,
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
	s3_client_free(d->volume.client);
	buckets_close(d->buckets);
	fs_unmount(d->fs);
	ctl_free(d->ctl, true);
	buckets_ctl_free(d->buckets);
	if (d->ns)
		ns_free(d->ns);
	bulk_target_free(d->volume.target);
	buckets_free(d->buckets);
	if (d->bulk)
		bulk_free(d->bulk);
	loop_free(d->loop);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* `report` gets one byte when the mount works; or -1: nobody waits. */
static int run(struct daemon *d, int report)
{
	char why[WHY_MAX] = "";
	int r;

	process_block_signals();
	process_set_limits();
	if (!process_reserve_memory(why, sizeof(why)) || !start(d, why)) {
		fprintf(stderr, "s3bulkfs: %s\n", why);
		finish(d);
		return EXIT_FAILURE;
	}
	if (report >= 0) {
		log_open(true, d->opts->debug ? LOG_LVL_DEBUG : LOG_LVL_INFO);
		process_go_silent();
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

	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = process_detach()) < 0) {
		fprintf(stderr, "s3bulkfs: cannot start the daemon: %m\n");
		return EXIT_FAILURE;
	}
	if (!pid) {
		close(fds[0]);
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

/* Root shares a daemon where that is possible. */
static int mount_detached(struct daemon *d)
{
	int r = -1;

	if (share_possible(d->opts))
		r = share_mount(d->opts, d->mountpoint);
	return r >= 0 ? r : run_detached(d);
}

static bool find_mountpoint(struct daemon *d)
{
	struct stat st;

	remains_remove(d->opts->mountpoint);
	d->mountpoint = realpath(d->opts->mountpoint, NULL);
	if (!d->mountpoint || stat(d->mountpoint, &st) < 0) {
		fprintf(stderr, "s3bulkfs: mount point '%s': %m; %s\n", d->opts->mountpoint,
			errno == ENOENT     ? "make it with mkdir"
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

	process_hide();
	process_share_reserve();
	if (!opts_parse(&opts, argc, argv, why, sizeof(why))) {
		fprintf(stderr, "s3bulkfs: %s\n", why);
		r = EXIT_USAGE;
	} else if (opts.help) {
		opts_help();
		r = EXIT_SUCCESS;
	} else if (opts.version) {
		printf("s3bulkfs %s\n", PACKAGE_VERSION);
		r = EXIT_SUCCESS;
	} else if (find_mountpoint(&d)) {
		log_open(false, opts.debug ? LOG_LVL_DEBUG : LOG_LVL_INFO);
		/* The daemon works in another directory, and may be one that others started. */
		s3_config_capture(&opts.s3);
		r = opts.foreground ? run(&d, -1) : mount_detached(&d);
	}
	free(d.mountpoint);
	opts_free(&opts);
	return r;
}
