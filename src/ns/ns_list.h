/*
 * Shared by the files that take names from S3: listings of one directory (ns_list.c, ns_ranges.c),
 * of a whole subtree (ns_flat.c), probes of single names (ns_probe.c). Core thread only.
 */
#ifndef NS_NS_LIST_H
#define NS_NS_LIST_H

#include "ns/ns_int.h"

/* For so long after its last use a listing stays as it was to the process that asked for it. */
#define SNAPSHOT_MS 60000

/* Whose word it is that is merged, and how old it is. */
struct said {
	uint64_t start_seq; /* what was changed here after this is newer than what S3 says */
	int64_t asked_ms;   /* monotonic, when this page was asked for */
	int64_t list_ms;    /* and when the listing of this directory began */
	/*
	 * No tombstones are kept for this listing: a name that is not known is not believed when
	 * names of its directory were removed here after start_seq.
	 */
	bool careful;
};

/* ns_merge.c */
/* A listing of the directory that began at start_seq has seen its marker, or has not. */
void merge_marker(struct node *dir, bool seen, uint64_t start_seq);
/* Must S3's word about this name, as of start_seq, give way to ours? */
bool ours_is_newer(const struct node *n, uint64_t start_seq);
/* The live node of that name and kind, made if need be; NULL when ours is newer. */
struct node *merge_node(
	struct node *dir, struct bytes name, enum node_kind kind, uint64_t start_seq);
/* Attributes of a file; checked_ms as in struct node. */
void merge_file(struct node *n, const struct s3_list_entry *e, int64_t checked_ms);
int64_t node_s3_time_s(const struct node *n); /* valid with n->s3_time */
void merge_dir(struct node *n, int64_t checked_ms);
/*
 * An entry of a listing of `dir`: `component` is its key below the directory, without the final '/'
 * of a prefix. Returns its live node, or NULL when ours is newer.
 */
struct node *merge_entry(struct node *dir, struct bytes component, const struct s3_list_entry *e,
	const struct said *said);
/* The listing is complete: what was known before and was not in it has been removed by others. */
void merge_vanished(struct node *dir, uint64_t start_seq, int64_t list_ms);
/*
 * A listing that streams has come to this name: what is before it may be handed out, but for files
 * that may still turn out to be beside a directory of the same name ("a", "a-b", "a/").
 */
void merge_stream(struct node *dir, struct bytes last);
/* While somebody reads what S3 says of a directory its tombstones stay. */
void read_begins(struct node *dir);
void read_ends(struct node *dir);

#endif
