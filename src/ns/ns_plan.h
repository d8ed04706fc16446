/*
 * The plan of an upload in parts: which ranges of a file the server copies, and which are sent.
 * Pure.
 */
#ifndef NS_NS_PLAN_H
#define NS_NS_PLAN_H

#include "ns/ns_extents.h"

struct plan_part {
	uint64_t offset, len;
	bool copy; /* a range of one object; else bytes to send (of objects: to be fetched first) */
};

struct plan_limits {
	uint64_t min_bytes;       /* of every part but the last one */
	uint64_t part_bytes;      /* that are sent; at least min_bytes */
	uint64_t copy_part_bytes; /* that are copied; at least min_bytes */
	unsigned parts_max;
	bool no_copies; /* the server copies no ranges: all bytes are sent */
};

struct plan {
	struct plan_part *parts; /* owned */
	size_t count, cap;
	uint64_t end; /* what is behind it is not planned yet: all is, if the file ends there */
};

/*
 * Plans [from, to) as parts that follow the `taken` ones there are already. Of what the server
 * cannot copy as it is, as little as possible is fetched: between two copies at least min_bytes
 * have to be sent, so a smaller piece takes of the range behind it what it lacks. If `to` is not
 * the file's end, the last bytes to be sent stay unplanned until there are more than a part of
 * them. When there would be too many parts they are made larger; false when that is not enough.
 */
bool plan_make(struct plan *plan, const struct extents *x, uint64_t from, uint64_t to, bool at_end,
	unsigned taken, const struct plan_limits *limits);
void plan_free(struct plan *plan);
/* Does the server copy at least one range of the file as it is? */
bool plan_copies(const struct extents *x, const struct plan_limits *limits);

#endif
