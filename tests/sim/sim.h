/*
 * The randomised model test of ns and bulk: a simulated S3, clock, loop, kernel and commands, and a
 * model of what each name must be. One thread; one schedule at a time, made from one seed, so that
 * a failure can be repeated (sim --seed N).
 */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#include "ns/ns.h"
#include "util/bytes.h"
#include "util/loop.h"
#include "util/rng.h"

#define SIM_MOUNT "/m"
#define SIM_PATH_MAX 400
#define SIM_NAME_MAX 64

/* What a schedule lets happen. */
struct sim {
	uint64_t seed;
	struct rng rng;
	unsigned round;
	bool trace;
	bool quiet;             /* S3 answers without errors: what is looked at is the state */
	unsigned errors;        /* 0: none, 1: only what is retried below ns, 2: all kinds */
	unsigned retry_percent; /* of attempts that fail in a way that is retried */
	unsigned deny_one_in;   /* keys that are denied for good, an operation; 0: none */
	bool shared;            /* processes change the same trees */
	bool outsiders;         /* objects change behind the mount's back */
	bool kills, interrupts;
	bool strict; /* -o commit=close */
	const char *prefix;
	double ttl_s;
	struct loop *loop;
	struct ns *ns;
	struct ns_volume *volume;
	unsigned next_tid;
	uint64_t events; /* of this schedule */
};
extern struct sim sim;

_Noreturn void sim_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void sim_trace(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A number from 0 to n - 1; true with so many percent. */
unsigned sim_below(unsigned n);
bool sim_chance(unsigned percent);

/* ---- sim_loop.c: time and timers ------------------------------------------------------------- */

/* Does the next thing there is to do, in random order where several are due; false: nothing. */
bool sim_loop_step(struct loop *loop);
void sim_loop_now(struct loop *loop, struct loop_timer *timer); /* before anything else */
size_t sim_loop_timers(const struct loop *loop);
void sim_clock_advance(int64_t ms);
void sim_clock_reset(void);
void sim_fd_readable(struct loop *loop, int fd);

/* ---- sim_store.c: the objects ------------------------------------------------------------------
 */

struct object {
	char *key;
	size_t key_len;
	char *data;
	size_t len;
	uint64_t hash;
	char etag[48];
	int64_t mtime_ms;
	unsigned mode; /* the metadata of that name, a number; 0: none */
};

void store_put(struct bytes key, const char *data, size_t len, unsigned parts);
void store_set_mode(struct bytes key, unsigned mode);
void store_delete(struct bytes key);
const struct object *store_get(struct bytes key); /* or NULL; until the next change */
size_t store_count(void);
const struct object *store_at(size_t i); /* in the order of their keys */
size_t store_first(struct bytes key);    /* index of the first key that is not less */
void store_clear(void);
uint64_t content_hash(const char *data, size_t len); /* never 0 */
/* Whole contents that somebody has written: anything else that is found is a mix. */
void content_note(uint64_t hash);
bool content_known(uint64_t hash);
/* New random content of at most `max` bytes, noted. Owned by the caller. */
char *content_new(size_t max, size_t *len);

/* ---- sim_s3.c: the functions of s3/s3.h ---------------------------------------------------------
 */

size_t sim_s3_under_way(void);

/* ---- sim_model.c: what each name must be ---------------------------------------------------- */

enum kind { NONE, FILE_, DIR_ };
#define HASH_ANY 0       /* content that is not known */
#define DOUBT_FOREIGN 1u /* changed by several at once, or behind the mount's back */
#define DOUBT_FAILED 2u  /* something has failed: what is there now is open until all is over */

struct mpath {
	struct mpath *next; /* all, newest first */
	char *path;         /* "/a/b" */
	enum kind kind;
	uint64_t hash;
	uint64_t size_bytes;
	struct mpath *src; /* what it was last copied from, since nothing else was done to it */
	/* Those of the source up to when it was opened; later ones only if the mount made them, as
	 * who has a file open sees it change here, but nowhere else (contract C7). */
	size_t src_versions;
	unsigned doubt;
	unsigned ver;     /* model_seq of its last change: when one begins and when it ends */
	unsigned busy;    /* calls under way that change it */
	unsigned writers; /* open for writing */
	unsigned life;    /* rises when the name becomes another file */
	bool owed; /* a directory: something deferred has failed below, and no fsync has said so */
	struct version {
		uint64_t hash;
		bool foreign; /* not made through the mount */
	} * versions;         /* contents that it ever had */
	size_t version_count;
	bool any_version; /* and one that is not known */
};

/* What a command has done: in S3 when it ends well. */
struct effect {
	struct mpath *m;
	unsigned ver;
	enum kind kind;
	uint64_t hash;
	struct mpath *src; /* with HASH_ANY: one of its versions */
	unsigned mode;     /* it was set to; 0: it was not */
};

extern struct mpath *model_paths;
extern unsigned model_seq;
void model_changed(struct mpath *m);
struct mpath *model_get(const char *path);         /* made if need be */
struct mpath *model_parent(const struct mpath *m); /* NULL for the root */
bool model_is_child(const struct mpath *m, const char *dir);
bool model_below(const struct mpath *m, const char *dir); /* strictly */
void model_doubt(struct mpath *m, unsigned why);          /* with all above it */
void model_version(struct mpath *m, uint64_t hash);
void model_foreign_version(struct mpath *m, uint64_t hash);
/* Was it one of the first `count`, or made through the mount? */
bool model_had_version(const struct mpath *m, uint64_t hash, size_t count);
bool model_stable(const struct mpath *m, unsigned ver); /* unchanged since, and certain */
/* From S3, when all is over; and that nothing certain differs, before. */
void model_sync(void);
void model_compare(void);
void model_clear(void);
/* Is it in S3 as it must be? NULL, or what is wrong. */
bool model_object(const struct mpath *m); /* S3 has the object of that name */
/* S3 keeps this mode with it. */
bool model_has_mode(const struct mpath *m, enum kind kind, unsigned mode);
const char *model_differs(
	const struct mpath *m, enum kind kind, uint64_t hash, const struct mpath *src);
/* S3 has refused for good to change `key` (or to read it, for a copy). */
void model_refused(struct bytes key, bool reading, bool denied);
void model_key(const char *path, bool dir, char key[SIM_PATH_MAX]);
void model_child(char path[SIM_PATH_MAX], const char *dir, const char *name);

/* ---- sim_proc.c: processes, as coroutines -----------------------------------------------------
 */

struct kcall;

struct proc {
	struct proc *next;
	ucontext_t context;
	char *stack;
	struct loop_timer timer;
	void (*script)(struct proc *p);
	pid_t tid;
	const char *exe;
	char *argv[12];
	size_t argc;
	bool walks; /* a recognised command: its calls may be answered early */
	bool force, recursive;
	unsigned mode; /* chmod */
	char area[32];
	int watch_fd; /* -1: not watched */
	struct loop_timer exit_timer;
	struct kcall *call; /* under way */
	bool waiting, killed, over;
	int exit_code;
	struct node **held; /* lookup references, one each */
	size_t held_count, held_cap;
	struct effect *effects;
	size_t effect_count, effect_cap;
	struct proc *then; /* is started when this one has ended well: && */
	char *read_data;
	size_t read_len;
};

extern struct proc *procs;
struct proc *proc_new(void (*script)(struct proc *p), const char *exe);
void proc_arg(struct proc *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void proc_start(struct proc *p, int64_t delay_ms);
void proc_sleep(struct proc *p, int64_t ms);
void proc_wait(struct proc *p); /* until its timer is set by somebody */
void proc_hold(struct proc *p, struct node *n);
void proc_let_go(struct proc *p, struct node *n);
void proc_kill(struct proc *p);
void proc_effect(struct proc *p, struct mpath *m, enum kind kind, uint64_t hash, struct mpath *src);
bool procs_over(void);
void procs_free(void);

/* ---- sim_lock.c: locks of directories, by node
 * --------------------------------------------------- */

void lock_begin(struct proc *p, const struct node *dir, bool exclusive);
void lock_end(const struct node *dir, bool exclusive);
void lock_both(struct proc *p, const struct node *a, const struct node *b); /* exclusive */
void locks_clear(void);

/* ---- sim_kernel.c: system calls, as the kernel makes requests of them
 * ----------------------------- */

enum kop {
	K_LOOKUP,
	K_GETATTR,
	K_SETATTR,
	K_OPENDIR,
	K_READDIR,
	K_FSYNCDIR,
	K_MKDIR,
	K_RMDIR,
	K_OPEN,
	K_CREATE,
	K_READ,
	K_WRITE,
	K_TRUNCATE,
	K_COPY,
	K_FLUSH,
	K_FSYNC,
	K_UNLINK,
	K_RENAME,
	K_OPS
};

struct knode {
	struct node *node;
	char path[SIM_PATH_MAX];
	char name[SIM_NAME_MAX];
	bool dir;
	uint64_t ino, size_bytes;
	double timeout_s;
	int64_t at_ms;
	unsigned life; /* of the name: when it becomes another file, its dentry goes */
};

struct kfile {
	struct ns_file_handle *handle;
	struct knode at;
	struct mpath *m;
	bool writes, dirty;
	unsigned life;
	uint64_t hash; /* of what was written; HASH_ANY while it is not all there */
	uint64_t size_bytes;
	struct mpath *src;
	unsigned src_ver;
	size_t src_versions, open_versions;
	unsigned open_ver;
};

struct kcall {
	struct ns_call call;
	struct kcall *older;
	struct proc *proc;
	enum kop op;
	struct mpath *m, *m2;
	unsigned ver, ver2, seq;
	bool changes;
	unsigned replies;
	int errnum;
	struct kfile *kfile;
	unsigned life; /* getattr: of the name, when it was that file's */
	/* readdir */
	struct knode *entries;
	size_t count, cap, room;
	uint64_t next_offset;
};

/* All return 0 or a positive errno. A killed process gets EINTR from everything. */
int k_lookup(struct proc *p, const struct knode *dir, const char *name, struct knode *ret);
int k_resolve(struct proc *p, const char *path, struct knode *ret);
/* The directory that holds the path's last name. */
int k_parent(struct proc *p, const char *path, struct knode *ret, const char **ret_name);
int k_getattr(struct proc *p, struct knode *n);
int k_chmod(struct proc *p, struct knode *n, unsigned mode);
/* Reads to the end; entries sorted by inode number, owned by the caller. */
int k_list(struct proc *p, const struct knode *dir, struct knode **ret, size_t *ret_count);
int k_mkdir(struct proc *p, const struct knode *dir, const char *name, struct knode *ret);
int k_rmdir(struct proc *p, const struct knode *dir, const char *name);
/* `has_dentry`: the kernel need not look it up, since it was told of it just now. */
int k_unlink(struct proc *p, const struct knode *dir, const char *name, bool has_dentry);
int k_rename(struct proc *p, const struct knode *dir, const char *name, const struct knode *dir2,
	const char *name2);
int k_create(struct proc *p, const struct knode *dir, const char *name, struct kfile *f);
int k_open(struct proc *p, const struct knode *n, unsigned flags, struct kfile *f);
int k_read_all(struct proc *p, struct kfile *f); /* into p->read_data */
int k_write(struct proc *p, struct kfile *f, uint64_t offset, const char *data, size_t len);
int k_copy(struct proc *p, struct kfile *from, struct kfile *to);
/* One call: *len becomes what was copied. */
int k_copy_range(struct proc *p, struct kfile *from, uint64_t from_at, struct kfile *to,
	uint64_t to_at, size_t *len);
int k_truncate(struct proc *p, struct kfile *f, uint64_t size);
int k_fsync(struct proc *p, struct kfile *f);
int k_fsyncdir(struct proc *p, const struct knode *dir);
int k_close(struct proc *p, struct kfile *f); /* flush and release */
void kernel_clear(void);

/* sim_check.c: called at the moment of each reply: moves the model on, and judges the answer */
void check_begin(struct kcall *k);
void check_reply(struct kcall *k);
/* `dir` was read from `began` (versions at the time) on: what was listed fits the model. */
struct listing_check {
	struct mpath *m;
	unsigned ver;
};
void check_listed(const char *dir, const struct listing_check *before, size_t before_count,
	const struct knode *entries, size_t count);
size_t check_list_begin(const char *dir, struct listing_check **ret);
void check_read(const struct kfile *f, const char *data, size_t len);
void check_exit(const struct proc *p);

/* ---- sim_cmds.c -------------------------------------------------------------------------------
 */

/* sim_edit.c: changes a file in place, as `area` is its own */
void do_edit(struct proc *p, const char *path, const char *other);
void cmd_cp(struct proc *p);
void cmd_rm(struct proc *p);
void cmd_plain(struct proc *p);   /* a few strict calls */
void cmd_observe(struct proc *p); /* looks at everything, changes nothing */
void cmd_verify(struct proc *p);  /* the tree is exactly S3's keys */
struct proc *cmd_random(void);    /* one of them, not started */
/* What the commands share. */
const char *cmd_in_mount(const char *arg); /* the path in the mount of an argument */
void cmd_complain(struct proc *p, const char *what, const char *path, int errnum);
/* Looks the entry up again, unless the kernel's cache answers for it. */
int cmd_revalidate(struct proc *p, const struct knode *dir, struct knode *n);
struct mpath *cmd_pick(const char *area, enum kind kind); /* any of them below; or NULL */
const char *cmd_new_name(char name[16]);
/* sim_change.c */
struct proc *cmd_random_chmod(const char *area);

#endif
