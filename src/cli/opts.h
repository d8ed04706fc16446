/* The command line of s3bulkfs: one table of options makes the parser and the help. */
#ifndef CLI_OPTS_H
#define CLI_OPTS_H

#include <stdbool.h>
#include <stddef.h>

#include "bulk/bulk.h"
#include "ns/ns.h"
#include "s3/s3.h"

/* A string that is added here must also be added to share_wire.c. */
struct opts {
	bool help, version, foreground, debug;
	char *bucket, *prefix;   /* prefix: "" or ending with '/' */
	char *source;            /* as given */
	char *mountpoint;        /* as given */
	char *customer_key_file; /* until it is read, in opts_parse */
	char *fuse_options;      /* for the kernel and libfuse, separated by commas */
	char version_at[64];     /* as given, until it is read, in opts_parse; "": not given */
	bool said_rw;            /* the last word about that */
	bool allow_other;
	bool file_mode_set, dir_mode_set; /* whatever umask says */
	bool own_daemon;                  /* -o private */
	bool own_superblock; /* an option is about the superblock: it cannot be shared */
	bool all_buckets;
	unsigned long mount_attributes; /* MOUNT_ATTR_*: what fuse_options says about one mount */
	unsigned max_inflight;
	unsigned max_read_bytes; /* 0: not given */
	struct s3_config s3;
	struct bulk_config bulk;
	struct ns_config ns;
};

/* Parses argv. False with one sentence in `why`. Everything is owned by `o`: opts_free. */
bool opts_parse(struct opts *o, int argc, char **argv, char *why, size_t why_size);
void opts_free(struct opts *o);
/* Prints the usage text to stdout. */
void opts_help(void);

#endif
