/*
 * Who is asking: what /proc says of a calling process, and what its command line is about to do.
 * Core thread only.
 */
#ifndef NS_NS_PROC_H
#define NS_NS_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "util/bytes.h"

/* ns_procstat.c: what /proc says of a process, without touching its memory or paths */
pid_t procstat_parent(pid_t pid); /* 0: it has none, or is gone */
pid_t procstat_tgid(pid_t tid);   /* 0: it is gone */
bool procstat_command(pid_t tid, char name[64]);

/* ns_proctext.c: the texts of /proc; pure */
/* Of /proc/PID/stat and /proc/PID/status; 0: it is not there, or no number of a process. */
pid_t proctext_parent(const char *stat);
pid_t proctext_tgid(const char *status);
/* The words of /proc/PID/cmdline, which has a NUL behind its `len` bytes; the list, ended by NULL,
 * is owned by the caller and points into it. */
char **proctext_words(char *cmdline, size_t len, size_t *count);
/* Is the path `top` or below it? */
bool proctext_within(const char *path, const char *top);
/*
 * The length of the mount point that the path is below, by a text of mountinfo, and whether that is
 * in user space. *below: is another one below the path?
 */
size_t proctext_mount(struct bytes mountinfo, const char *path, bool *fuse, bool *below);

struct ns;

/* ns_cmd.c: what a command line is about to do; pure */
/* Whose program it is: each does its work in an order of its own. */
enum maker { MAKER_UNKNOWN, MAKER_GNU, MAKER_UUTILS, MAKER_BUSYBOX };
enum command_kind {
	COMMAND_OTHER,
	COMMAND_COPY,
	COMMAND_REMOVE,
	COMMAND_MOVE,
	COMMAND_CHANGE, /* of attributes: chmod, chown */
	COMMAND_STRICT, /* it is known what to make of its calls, but not which one is the last */
	COMMAND_RUN
};
struct command {
	enum command_kind kind;
	const char *last; /* the last source or argument, in argv */
	size_t count;     /* of sources or arguments */
	bool recursive;   /* what is in a directory, too */
	bool dirs_first;  /* COMMAND_CHANGE: a directory before what is in it, not after */
	bool force;       /* asks nothing, and passes over what is not there */
	/* It does not look at what close(2) says, and may not say that it could not read a
	 * directory. */
	bool careless;
};
/* Is it, by the name of its file, a program of the table? */
bool command_may_be(const char *exe);
struct command command_parse(const char *exe, enum maker maker, size_t argc, char *const *argv);

/* ns_proc.c: what /proc says of a process */
struct process {
	pid_t tgid;
	char *exe, *cwd;
	char *cmdline; /* what argv points into */
	char **argv;
	size_t argc;
};
bool process_read(pid_t tid, struct process *p); /* false: gone, or of another mount namespace */
void process_free(struct process *p);
/* May there be somebody at its standard input, who is asked and answers? */
bool process_may_ask(pid_t pid);
/*
 * The file of the program that it runs, for reading; -1 when the process runs another one by now
 * than `exe`, or when its filesystem, in user space or of another mount namespace, may keep us
 * waiting.
 */
int process_open_exe(const struct process *p);
/* A descriptor that becomes readable when the process ends (pidfd_open(2)); -1 and errno: none. */
int process_watch(pid_t pid);
/* The path of `arg` in the mount ("/" or "/a/b"; owned), or NULL when it is elsewhere or unsure. */
char *process_path_in(const struct process *p, const char *arg, const char *mountpoint);

/* ns_maker.c */
/* By what is in the program's file, which is read once for all processes that run it. */
enum maker maker_of(struct ns *ns, const struct process *p);
enum maker maker_of_file(int fd); /* reads it to the end */
void makers_free(struct ns *ns);

#endif
