/* What s3bulkfs does to its process before it serves. Any thread, before others start. */
#ifndef CLI_PROCESS_H
#define CLI_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * No core dumps, and no look into its memory by other programs of its user: there will be keys in
 * it. Lasts over fork(2), not over exec (prctl(2), PR_SET_DUMPABLE). The first thing that is done.
 */
void process_hide(void);
/* Many descriptors, memory given back early. */
void process_set_limits(void);
/* cJSON and OpenSSL allocate as util/mem.h does for libraries: before anything else of them. */
void process_share_reserve(void);
/* Takes the reserve of util/mem.h, once the limits are set. False and a sentence in `why`. */
bool process_reserve_memory(char *why, size_t why_size);
/* Is it an errno of accept(2) for want of descriptors or memory? Try again after so long. */
bool process_is_scarce(int errnum);
#define PROCESS_ACCEPT_AGAIN_MS 1000
/* TERM, INT and HUP are for the session (fs.h), PIPE for nobody. */
void process_block_signals(void);
/* Standard input, output and error become /dev/null. */
void process_go_silent(void);
/*
 * Forks a daemon: a session of its own, in "/". Returns its process id, 0 in the daemon, -1 and
 * errno.
 */
pid_t process_detach(void);

#endif
