/*
 * Who walks where, and which call is a walk's last (contract C2-C5): what the rest of ns asks of
 * ns_walk*.c and ns_run.c. Core thread only.
 */
#ifndef NS_NS_WALK_H
#define NS_NS_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "ns/ns.h"

struct accepted;
struct etag;
struct ns_failure;

enum walk_op { WALK_COPY, WALK_DELETE, WALK_PUT, WALK_CHANGE, WALK_OPS };
/* The walk of the calling process, recognised now if need be (reads /proc); or NULL. */
struct walk *walk_of(struct ns_volume *v, const struct ns_call *c);
/* The same, of walks that are known already: no /proc. */
struct walk *walk_known(const struct ns *ns, const struct ns_call *c);
pid_t walk_tgid(const struct ns *ns, const struct ns_call *c);
struct walk *walk_by_tgid(const struct ns *ns, pid_t tgid); /* recognised, not a run; or NULL */
bool walk_is_copy(const struct walk *w);                    /* false for NULL */
bool walk_is_remove(const struct walk *w);                  /* false for NULL */
bool walk_is_change(const struct walk *w);                  /* false for NULL */
bool walk_is_run(const struct walk *w);                     /* false for NULL */
/* It does not look at what close(2) says: what it copies is made while it copies. */
bool walk_is_careless(const struct walk *w); /* false for NULL */
/* The caller is a walk by what it is, not because the user said so. No /proc. */
bool walk_recognised(const struct ns *ns, const struct ns_call *c);
/* May `op` be answered before it is done? Not the first of its kind (C4), not without an end (C5).
 */
bool walk_defers(const struct walk *w, enum walk_op op);
/* Something of the walk's is under way: it stays until walk_settled_one says that that is over. */
void walk_hold(struct walk *w);
void walk_settled_one(struct walk *w);
void walk_accepted(struct walk *w);
void walk_settled(struct walk *w, const struct accepted *a, const struct s3_err *err);
/*
 * Holds the call until all of the walk is done: true when it was parked (it is resumed, to call
 * this again); false with *errnum: 0, or the walk's first failure, which is then reported.
 */
bool walk_barrier(struct walk *w, struct ns_call *c, void (*resume)(struct ns_call *), int *errnum);
int walk_take_failure(struct walk *w); /* its first failure, reported by this; 0: none; or w NULL */
/*
 * A mv that the kernel could not rename copies and then removes, argument by argument. Before it
 * removes, all its copies must be confirmed (contract C9): true: the call was parked, or answered
 * with why not. And back, when it makes something again.
 */
bool walk_turns_to_remove(struct walk *w, struct ns_call *c, void (*resume)(struct ns_call *));
void walk_turns_to_copy(struct walk *w);
void walk_moves_tree(struct walk *w); /* a mv could not rename a directory; or NULL, or no mv */
bool walk_is_tree_move(const struct walk *w);       /* false for NULL */
void walk_keep_failure(struct walk *w, int errnum); /* what was reported is to be reported again */
/*
 * The node is about to get another name. Where a walk's end lies in it, that cannot be told by its
 * name any more: whatever the walk does next may be its last call.
 */
void walks_name_moves(const struct node *n);
void walk_passed_end(struct walk *w);                  /* what the walk still does is strict */
void walk_opened(struct walk *w, struct node *source); /* opened for reading, or about to be */
struct node *walk_source(const struct walk *w);
/* A tree that it lists or makes begins here: in the end the kernel is told to ask again. */
void walk_note_root(struct walk *w, struct node *n);
bool walk_is_below(const struct walk *w, const struct node *dir); /* one of its trees is */
/* May the calling walk's kernel trust what it is told of this name until the walk ends? */
bool walk_vouches(const struct ns_call *c, const struct node *n);
void walk_opened_dir(struct walk *w, const struct node *dir); /* it is about to be read */
/* `dir` was read to its end, `last_ino` is its last entry's (0: it is empty). */
void walk_listed(struct walk *w, struct node *dir, uint64_t last_ino, const char *last_name);
bool walk_is_open(const struct walk *w); /* its end is still to come; false for NULL */
/* The last directory: if nothing in it is still to come, its end is the walk's last call. */
bool walk_ends_in(const struct walk *w, const struct node *dir);
bool walk_passes_over(const struct walk *w, mode_t mode); /* it makes no call for such an entry */
/* How many names it has come by: a command that has read a directory to its end has not come by the
 * last one yet, unless it does both in turn. 0 for NULL. */
uint64_t walk_visits(const struct walk *w);
void walk_visited(struct walk *w);
/*
 * The attributes of c->node have been changed, or were equal: true when this is the walk's last
 * call, which was parked (`resume` is to call this again); false with c->errnum.
 */
bool walk_holds_change(struct walk *w, struct ns_call *c, void (*resume)(struct ns_call *));
/*
 * The name is about to be shown to a command that asks a person about names that the caller may not
 * write, and ends well when he says no. Then its end may not come: true when the call was parked
 * until nothing is pending (`resume` is to call this again); false with *errnum. Without, the
 * command is strict from there.
 */
bool walk_shows(struct walk *w, struct ns_call *c, struct node *n, void (*resume)(struct ns_call *),
	int *errnum);
bool walk_asks_about(const struct walk *w, const struct ns_call *c, const struct node *n);
bool walk_copy_is_last(const struct walk *w); /* the file made from walk_source is the last one */
/* Will the remove's last argument not be reached: `name` is on the way to it, and `n` (NULL:
 * nothing) is no directory? */
bool walk_remove_fails_at(
	const struct walk *w, const struct node *parent, const char *name, const struct node *n);
/*
 * The walk (or NULL) reads the link c->node, perhaps to follow it. If that lies on the way to its
 * last argument, what is pending is waited for (true: the call is parked), *errnum says what has
 * failed of it, and the rest is strict.
 */
bool walk_follows(struct walk *w, struct ns_call *c, void (*resume)(struct ns_call *), int *errnum);
/* A removal of the walk answers errnum. True: the walk takes it for a failure. GNU's rm then
 * removes no directory above it any more, so that the end is the last entry of what is listed last.
 */
bool walk_breaks(struct walk *w, int errnum); /* false for NULL */
bool walk_remove_is_last(const struct walk *w, const struct node *parent, const char *name);
/* A directory that needs its marker if it is empty when the walk ends. */
void walk_note_dir(struct walk *w, struct node *dir);
/*
 * Until walks_release the walks that are to see to a directory in `dir` leave their markers: it is
 * about to get another name. NULL: they are at it.
 */
struct held_walks;
struct held_walks *walks_hold(const struct node *dir);
void walks_release(struct held_walks *held);
/* So many of those are in what moves from one directory to another. */
void walk_dirs_move(struct node *from, struct node *to, uint32_t keepers);
/* Nothing is left of the volume: walks let go of what they hold of it, runs on it end. */
void walks_leave_volume(struct ns *ns, const struct ns_volume *v);
void walks_free(struct ns *ns);
struct ns_volume *walk_volume(const struct walk *w);
/* Directories that are empty now and known to S3 only by what was in them get their markers: all
 * of the walk's, or those `in` or below it. Nothing may be pending in them. */
void walk_put_markers(struct walk *w, const struct node *in);
void walk_who(const struct walk *w, struct ns_failure *f); /* fills in command, pid, walk_id */
/* A close within the run could not store the file: the run has failed, and its list names it. */
void walk_close_failed(struct walk *w, struct ledger *ledger, const char *path, int errnum);
struct walk *walk_new_run(struct ns_volume *v, pid_t pid, const char *command);
/* The run of that process that has not ended, on the volume `v` or (NULL) on any; or NULL. */
struct walk *walk_run_of(const struct ns *ns, const struct ns_volume *v, pid_t pid);
pid_t walk_run_end(struct walk *w); /* it may be freed; returns its process id */

/* ns_careless.c: for programs that do not look at what close(2) says */
/* Copies `from` to `to`, which is open, at once; then `then`, with c->errnum. */
void careless_copy(struct ns_call *c, struct node *from, const struct etag *etag, struct node *to,
	void (*then)(struct ns_call *));
/* True when an empty file is being stored before its attributes are set: then `then`. */
bool careless_setattr(struct ns_call *c, void (*then)(struct ns_call *));
/* True when the file that was just created is being stored first: the call is answered. */
bool careless_create(struct ns_call *c, struct node *n);
void careless_closed(struct ns_call *c);      /* its close fails with c->errnum, or not */
int careless_remove(const struct ns_call *c); /* why it may not remove a source; or 0 */

/* ns_run.c: who belongs to a run */
struct walk *run_of(struct ns_volume *v, const struct ns_call *c);    /* reads /proc if need be */
struct walk *run_known(const struct ns *ns, const struct ns_call *c); /* does not */
pid_t run_member_tgid(const struct ns *ns, const struct ns_call *c);
void members_free(struct ns *ns);

#endif
