/* What a walk consists of; shared by ns_walk*.c only. Core thread. */
#ifndef NS_NS_WALK_INT_H
#define NS_NS_WALK_INT_H

#include "ns/ns_int.h"
#include "util/hash.h"

struct link {
	struct node *dir;  /* a reference */
	uint64_t last_ino; /* 0: it is empty */
	char *last_name;   /* a file that took its place is the last one, too */
};

struct walk {
	UT_hash_handle hh;
	LIST_ENTRY(walk) run_link; /* COMMAND_RUN, which is not in the hash */
	uint64_t id;
	pid_t tgid; /* COMMAND_RUN: whose descendants are its members */
	struct ns *ns;
	struct ns_volume *volume;
	struct loop_fd pidfd;
	enum command_kind kind; /* of a move: what it does now */
	bool moves, moves_tree;
	bool recursive, dirs_first; /* see struct command */
	bool careless;
	bool late;     /* only what is in its last argument is deferred */
	bool reached;  /* it is in its last argument */
	bool asks;     /* it asks a person about what the caller may not write */
	uid_t uid;     /* the caller's */
	char *command; /* its name, for messages */
	char *cwd;     /* the process's working directory; or NULL */
	char *last;    /* path in the mount of the last source or argument */
	const char *last_name;
	bool last_slash; /* it was written as a directory: "a/", "a/." */
	bool proven[WALK_OPS];
	bool forced;    /* it passes over what is not there */
	bool broken;    /* a removal has failed: see walk_breaks() */
	bool end_moved; /* its end has another name now: see walks_name_moves() */
	bool passed_end, exited;
	bool waking; /* its waiters are being resumed */
	unsigned pending;
	uint64_t accepted, done, failed;
	uint64_t listed;     /* files in the directories it has listed */
	uint64_t visits;     /* COMMAND_CHANGE: names it has come by */
	uint64_t ledger_seq; /* COMMAND_RUN: of the volume's last failure before it */
	int64_t rate_ms;     /* when the last measurement of the rate ended */
	uint64_t rate_done;
	double rate; /* done a second, smoothed */
	int failed_errnum;
	struct ns_call_list waiters;
	struct node *source; /* the file it has opened last; a reference */
	struct link *chain;
	size_t chain_len;
	struct node **dirs; /* that may need a marker in the end; references */
	size_t dir_count, dir_cap;
	struct node *
		*roots; /* where it listed or made trees: what the kernel was told is taken back */
	size_t root_count;
};

/* ns_walk_roots.c */
/* Of one volume, or (NULL) all: what the kernel was told about them is taken back. */
void walk_roots_drop(struct walk *w, const struct ns_volume *v);
/* ns_walk_end.c */
bool walk_is_last_argument(const struct walk *w, const struct node *n);
/* The last entry of the last directory that was read; before one was, the last argument. */
bool walk_is_last_entry(const struct walk *w, const struct node *n);
void walk_chain_cut(struct walk *w, size_t len);
/* By what is known now: will the call come that is to be its last? */
bool walk_end_will_come(const struct walk *w, const struct ns_call *c);
/* ns_walk_dirs.c */
void walk_dir_unkeep(struct node *dir);
/* ns_walk_status.c */
void walk_measure(struct walk *w);

#endif
