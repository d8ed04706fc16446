/* What a daemon does to its process before it serves. Any thread, before others start. */
#ifndef CLI_PROCESS_H
#define CLI_PROCESS_H

#include <sys/types.h>

/* Many descriptors, no core dumps (they would hold the keys), memory given back early. */
void process_set_limits(void);
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
