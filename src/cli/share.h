/*
 * Mounts that share one daemon: `s3bulkfs`, as root, hands its settings to the daemon that serves
 * its mount namespace already, or starts it. The socket is in root's private directory (ctl_dir.h),
 * one a mount namespace; a lock beside it decides who starts the daemon. Credentials go over the
 * socket only, never through arguments or files; both sides check the other's user (SO_PEERCRED,
 * unix(7)).
 */
#ifndef CLI_SHARE_H
#define CLI_SHARE_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/opts.h"
#include "util/buf.h"

/* Does the user, and what the options ask for, allow it? */
bool share_possible(const struct opts *opts);
/*
 * Mounts through the daemon: the exit code, after one sentence on stderr if it is not 0; or -1: the
 * daemon cannot serve this caller (another mount namespace, version or proxy), who mounts by
 * himself. `mountpoint` is a real path.
 */
int share_mount(const struct opts *opts, const char *mountpoint);

/* ---- inside: share_client.c, share_server.c, share_wire.c ---- */

/* The environment is the most of it; a socket takes some 200 KiB at once. */
#define SHARE_MESSAGE_MAX ((size_t)128 << 10)

/* Answers of the daemon: one byte, and for a failure the sentence behind it. */
#define SHARE_WELCOME 'W' /* it will try, and lives on until it has answered */
#define SHARE_PRIVATE 'P' /* it cannot serve this caller */
#define SHARE_MOUNTED 'M'
#define SHARE_FAILED 'F'

/* Serves on a socket that listens, until the last mount has gone. Returns the exit code. */
int share_serve(int listen_fd, const char *socket_path, const char *lock_path);

/*
 * The settings of a mount as one message: `opts` with the environment in it (s3_config_capture). It
 * names the program it comes from: only the same one reads it.
 */
void share_pack(const struct opts *opts, struct buf *out);
/* Takes it apart; what it fills in is owned (opts_free). False: from another program, or no
 * message. */
bool share_unpack(const char *data, size_t len, struct opts *opts);
/* Overwrites a message, which has secrets in it, and frees it. */
void share_wipe(struct buf *message);

#endif
