/*
 * The daemon's side of s3bulkfsctl: a control socket for one mount, served on the core loop. One
 * JSON object a line each way. Only the mount's user and root are answered (SO_PEERCRED, unix(7)).
 */
#ifndef CLI_CTL_SERVER_H
#define CLI_CTL_SERVER_H

#include <stdbool.h>

#include "ns/ns.h"
#include "util/loop.h"

struct ctl;

struct ctl_mount { /* copied */
	struct ns_volume *volume;
	const char *mountpoint; /* real path */
	const char *source;     /* as mount(8) shows it */
	bool read_only;
};

/*
 * Listens for the mount; what a daemon that has crashed left behind is replaced. NULL when that is
 * not possible: one line in the log says why, and the mount works without.
 */
struct ctl *ctl_new(struct loop *loop, const struct ctl_mount *mount);
/*
 * The mount has gone, and nothing of it is pending: tells those who wait for that, and ends runs.
 * Before ns_free. `process_ends`: the daemon ends, too.
 */
void ctl_free(struct ctl *ctl, bool process_ends);

#endif
