/*
 * Bytes of one version of an object for a handle: ranged GETs into blocks, read ahead while the
 * reads are sequential. Core thread only; what is read ahead belongs to its handle.
 */
#ifndef NS_NS_BLOCKS_H
#define NS_NS_BLOCKS_H

#include "ns/ns_content.h"

#define BLOCK_RUNS_MAX 64

struct readahead {
	struct ns_file_handle *handle;
	struct node *node; /* a reference */
	struct etag etag;
	uint64_t size_bytes;
	LIST_ENTRY(readahead) link; /* of the handle: a file may consist of several objects */
	TAILQ_HEAD(, block) blocks; /* by offset, without overlaps */
	struct ns_call_list waiters;
	TAILQ_ENTRY(readahead) recent; /* in ns->readers, the longest unread first */
	size_t next_len;
	uint64_t next_offset; /* where a sequential reader goes on */
	bool delivered;
	bool changed; /* why the last failure: S3 has another version now */
};

/* What the handle has of that version, made if need be. */
struct readahead *readahead_get(
	struct ns_file_handle *h, struct node *n, const struct etag *etag, uint64_t size_bytes);
/*
 * [offset, end) of the object as runs, which are good until something else happens. Returns 0; or
 * -1: the call was parked, to be run again by `resume`; or a positive errno. When more than
 * BLOCK_RUNS_MAX runs would be needed there are fewer bytes.
 */
int readahead_runs(struct ns_call *c, struct readahead *ra, uint64_t offset, uint64_t end,
	struct bytes runs[BLOCK_RUNS_MAX], size_t *count, void (*resume)(struct ns_call *));
void readaheads_free(struct ns_file_handle *h);

#endif
