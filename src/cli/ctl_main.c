/* s3bulkfsctl: its command line. One thread. */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ctl_show.h"
#include "util/mem.h"

static void usage(FILE *out)
{
	fputs("usage: s3bulkfsctl status [--watch] [--json] [MOUNTPOINT]\n"
	      "       s3bulkfsctl errors [--json] MOUNTPOINT\n"
	      "       s3bulkfsctl flush [PATH]\n"
	      "       s3bulkfsctl umount MOUNTPOINT\n"
	      "       s3bulkfsctl run [--mount MOUNTPOINT]... COMMAND [ARGUMENT...]\n"
	      "       s3bulkfsctl --help | --version\n"
	      "\n"
	      "status   what is mounted, pending and done; --watch until the mount has gone\n"
	      "errors   the failed operations of late, with path, key, S3 code and request id\n"
	      "flush    waits for what is pending; fails if it failed and nobody was told\n"
	      "umount   the same, then unmounts and waits until the daemon has ended\n"
	      "run      defers what COMMAND and its children do on the mounts, waits at its end;\n"
	      "         exits with its code, or with 123 if anything was not done\n"
	      "\n"
	      "Exit codes: 0 all is well, 1 something failed, 2 wrong arguments; run also 125 "
	      "(itself\n"
	      "failed), 126 and 127 (COMMAND cannot be started, is not there), 128+N (ended by "
	      "signal "
	      "N).\n",
		out);
}

static int wrong(const char *why)
{
	fprintf(stderr, "s3bulkfsctl: %s\n", why);
	usage(stderr);
	return CTL_USAGE;
}

struct args {
	bool watch, json;
	char **mounts; /* NULL-terminated */
	size_t mount_count;
	char **rest;
	int rest_count;
};

/* Options of the commands; false: one is not understood, getopt has said which. */
static bool parse(struct args *a, int argc, char **argv, bool shows, bool runs)
{
	static const struct option longs[] = {{"watch", no_argument, NULL, 'w'},
		{"json", no_argument, NULL, 'j'}, {"mount", required_argument, NULL, 'm'},
		{NULL, 0, NULL, 0}};
	int c;

	a->mounts = mem_calloc((size_t)argc + 1, sizeof(char *));
	/* The first word that is no option is the command's own: its options are not ours. */
	while ((c = getopt_long(argc, argv, runs ? "+" : "", longs, NULL)) != -1) {
		if (c == 'm' && runs)
			a->mounts[a->mount_count++] = optarg;
		else if (c == 'w' && shows)
			a->watch = true;
		else if (c == 'j' && shows)
			a->json = true;
		else
			return false;
	}
	a->rest = argv + optind;
	a->rest_count = argc - optind;
	return true;
}

static int dispatch(const char *cmd, struct args *a)
{
	const char *path = a->rest_count ? a->rest[0] : NULL;

	if (!strcmp(cmd, "run"))
		return path ? ctl_run(a->mounts, a->rest) : wrong("run what? give a command");
	if (a->rest_count > 1)
		return wrong("there is one argument too many");
	if (a->watch && a->json)
		return wrong("--watch is for people, --json for scripts: choose one");
	if (!strcmp(cmd, "status"))
		return ctl_status(path, a->watch, a->json);
	if (!strcmp(cmd, "errors") && a->watch)
		return wrong("errors does not watch");
	if (!strcmp(cmd, "flush"))
		return ctl_flush(path);
	if (!path)
		return wrong("which mount? give its mount point");
	return !strcmp(cmd, "errors") ? ctl_errors(path, a->json) : ctl_umount(path);
}

int main(int argc, char **argv)
{
	static const char *const commands[] = {"status", "errors", "flush", "umount", "run"};
	struct args a = {0};
	const char *cmd = argc > 1 ? argv[1] : "";
	bool shows = !strcmp(cmd, "status") || !strcmp(cmd, "errors");
	size_t i;
	int rc;

	if (!strcmp(cmd, "--help") || !strcmp(cmd, "-h") || !strcmp(cmd, "help")) {
		usage(stdout);
		return CTL_OK;
	}
	if (!strcmp(cmd, "--version") || !strcmp(cmd, "-V")) {
		printf("s3bulkfsctl %s\n", PACKAGE_VERSION);
		return CTL_OK;
	}
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(cmd, commands[i]))
			break;
	if (i == sizeof(commands) / sizeof(commands[0]))
		return wrong(*cmd ? "there is no such command" : "what is to be done?");
	if (!parse(&a, argc - 1, argv + 1, shows, !strcmp(cmd, "run")))
		rc = wrong("an option is not understood");
	else
		rc = dispatch(cmd, &a);
	free(a.mounts);
	return rc;
}
