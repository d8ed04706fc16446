/*
 * s3bulkfsctl's side: which mounts there are, and talking to their daemons. Blocking, one thread.
 */
#ifndef CLI_CTL_CLIENT_H
#define CLI_CTL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cjson/cJSON.h>

#include "util/buf.h"

/* Exit codes of s3bulkfsctl; `run` has those of env(1) and timeout(1), and 123 as xargs(1) has. */
#define CTL_OK 0
#define CTL_FAILED 1
#define CTL_USAGE 2
#define CTL_RUN_DEFERRED 123
#define CTL_RUN_SELF 125
#define CTL_RUN_CANNOT 126
#define CTL_RUN_MISSING 127

struct ctl_target { /* one mount of s3bulkfs, out of /proc/self/mountinfo */
	char *mountpoint;
	char *source;
	uid_t owner;
	bool all;       /* of --all-buckets: its buckets are targets of their own */
	char *mount_of; /* of such a bucket: the mount point; else NULL */
};
struct ctl_targets {
	struct ctl_target *list;
	size_t count;
};

/* All mounts that this user may ask about (root: all). False: mountinfo cannot be read, and it says
 * so. */
bool ctl_targets_read(struct ctl_targets *targets);
void ctl_targets_free(struct ctl_targets *targets);
/* Is it the one that was named, or (NULL) any, or a bucket of it? Never one that is only `all`. */
bool ctl_target_is(const struct ctl_target *target, const struct ctl_target *named);
/*
 * The mount that `path` lies in; `*within` (owned) is its path there, "/a/b". What does not exist
 * is looked for where it would be. NULL, with a sentence on the standard error, when there is none.
 */
const struct ctl_target *ctl_target_of(
	const struct ctl_targets *targets, const char *path, char **within);

struct ctl_link {
	int fd;
	pid_t daemon;
	bool hurried;        /* another user's: answers have a time limit */
	int64_t deadline_ms; /* of the answer that is waited for, by clk_mono_ms; 0: none */
	struct buf in;
};

/*
 * False, with a sentence in `why`, when its daemon has gone or does not answer this user. Another
 * user's daemon, which may be anything, must answer within 5 s until ctl_wait_long.
 */
bool ctl_connect(
	struct ctl_link *link, const struct ctl_target *target, char *why, size_t why_size);
/* From now on answers take their time: they are about what S3 has to do. */
void ctl_wait_long(struct ctl_link *link);
bool ctl_write(struct ctl_link *link, cJSON *request); /* takes the request */
/* The next answer, owned; NULL: the daemon has hung up. */
cJSON *ctl_read(struct ctl_link *link);
/* Both; NULL with a sentence in `why`, also for a refusal. Takes the request. */
cJSON *ctl_ask(struct ctl_link *link, cJSON *request, char *why, size_t why_size);
void ctl_close(struct ctl_link *link);

cJSON *ctl_request_new(const char *cmd);
double ctl_number(const cJSON *object, const char *name);    /* 0 when it is not there */
const char *ctl_text(const cJSON *object, const char *name); /* "" when it is not there */
bool ctl_true(const cJSON *object, const char *name);

#endif
