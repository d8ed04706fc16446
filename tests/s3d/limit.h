/*
 * Rates a partition (bucket and the first components of the key), like S3's: a token bucket each
 * for writes and for reads. One thread.
 */
#ifndef S3D_LIMIT_H
#define S3D_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct req;
struct limit_partition;

struct limit {
	double write_per_s, read_per_s; /* 0: no limit */
	double burst_s;                 /* seconds' worth of requests that may come at once */
	unsigned prefix_depth;          /* components of the key that name a partition */
	struct limit_partition *partitions;
};

/*
 * Takes what the request costs (DeleteObjects: its keys, each in its own partition). False:
 * SlowDown; nothing is taken then. A partition that has anything left lets a batch pass and goes
 * into debt.
 */
bool limit_take(struct limit *limit, const struct req *r, int64_t now_ms);
void limit_free(struct limit *limit);

#endif
