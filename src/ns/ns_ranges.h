/*
 * The rest of a very large directory, listed in parallel ranges of keys, and handed out in the
 * order of the keys. Core thread only.
 */
#ifndef NS_NS_RANGES_H
#define NS_NS_RANGES_H

#include "s3/s3.h"

struct ranges;

#define RANGES_UNORDERED "Unordered"

struct ranges_user {
	void *ctx;
	/* An entry, in the order of keys; borrowed. */
	void (*take)(void *ctx, const struct s3_list_entry *e);
	/* Entries have been taken, and more will come. */
	void (*moved)(void *ctx);
	/*
	 * All has been taken, or a request has failed; the owner frees the ranges. With the code
	 * RANGES_UNORDERED the server's pages are not in order: the owner begins again, in one
	 * chain.
	 */
	void (*end)(void *ctx, const struct s3_err *err);
};

/* `prefix`: the directory's key; copied. */
struct ranges *ranges_new(
	struct s3_client *client, struct bytes prefix, const struct ranges_user *user);
/* The keys of a page that its owner has taken himself: what is known of how keys look. */
void ranges_learn(struct ranges *r, const struct s3_list_page *page);
/*
 * False when pages do not follow each other in the order of keys (directory buckets): the owner
 * then goes on by himself.
 */
bool ranges_possible(const struct ranges *r);
/* Lists on behind the last page that was learnt, whose token this is. */
void ranges_start(struct ranges *r, struct bytes token);
void ranges_free(struct ranges *r);

/* ns_split.c: where to split a range; pure */
#define SPLIT_POSITIONS 48
struct alphabet {
	uint8_t seen[SPLIT_POSITIONS][32]; /* which bytes were seen at each place of a name; bits */
};
void alphabet_learn(struct alphabet *a, struct bytes name);
/*
 * How much of the way from `from` to `to` (ptr NULL: the end) is behind `at`, as keys that look
 * like those seen may be spread: (to - at) / (at - from); 0 when that cannot be said.
 */
double split_rest(const struct alphabet *a, struct bytes from, struct bytes at, struct bytes to);
/*
 * Writes a name halfway between `low` and `high` (ptr NULL: the end): without '/', valid UTF-8 if
 * they are. False: none was found. At most SPLIT_MAX bytes.
 */
#define SPLIT_MAX 1024
bool split_middle(
	const struct alphabet *a, struct bytes low, struct bytes high, char *out, size_t *len);

#endif
