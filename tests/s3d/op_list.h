/* What the listings of objects and of versions share; one thread. */
#ifndef S3D_OP_LIST_H
#define S3D_OP_LIST_H

#include "req.h"
#include "util/buf.h"

struct listing {
	struct bytes prefix, delimiter, after;
	unsigned max;
	bool url, owner;
	struct buf *out;     /* <Contents>, or <Version> and <DeleteMarker> */
	struct buf prefixes; /* <CommonPrefixes> */
	struct buf last;     /* the page's last item */
	unsigned count;
	bool truncated;
};

/* The parameters that they have in common. False with an error answer. */
bool list_params(struct req *r, struct listing *l);
/* The least string above all that start with `prefix`, into `out`; false when there is none. */
bool list_beyond(struct bytes prefix, struct buf *out);
/* The common prefix that `key` falls under; empty when it is listed itself. */
struct bytes list_common_prefix(const struct listing *l, struct bytes key);
/* An element with a key or a part of one, encoded if that was asked for. */
void list_name(const struct listing *l, struct buf *out, const char *name, struct bytes text);
void list_prefix(struct listing *l, struct bytes prefix);

#endif
