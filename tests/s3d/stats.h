/* Counters and the ring of the last requests. One thread. */
#ifndef S3D_STATS_H
#define S3D_STATS_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

#include "ops.h"
#include "util/buf.h"
#include "util/bytes.h"

struct req;

struct log_entry {
	uint64_t seq; /* order of arrival; entries are in the order of execution */
	enum op op;
	bool is_batch_key; /* one of the keys of a DeleteObjects */
	int status;
	int64_t started_ms, done_ms; /* monotonic */
	char *bucket, *key, *code;   /* code: NULL for success */
	size_t key_len;
};

struct stats {
	struct {
		uint64_t requests, errors, throttled;
	} ops[OP__COUNT];
	uint64_t keys_deleted; /* through DeleteObjects */
	uint64_t bytes_in, bytes_out;
	uint64_t connections_opened;
	uint64_t aborted; /* requests whose connection went before the answer was sent */
	unsigned connections_open, connections_peak;
	unsigned in_flight, in_flight_peak;
	struct log_entry *log;
	size_t log_cap;
	uint64_t log_count; /* ever written */
};

/* Counts a finished S3 request and writes it into the ring. */
void stats_request(struct stats *stats, const struct req *r);
cJSON *stats_json(const struct stats *stats);
/* Zeroes the counts and the ring; what is open or in flight stays. */
void stats_reset(struct stats *stats);
/* The last `n` requests, oldest first, one JSON object a line. */
void stats_log(const struct stats *stats, size_t n, struct buf *out);
/* Appends `s` as a JSON string; bytes that are not UTF-8 as \udcXX (Python's surrogateescape). */
void json_text(struct buf *out, struct bytes s);
void stats_free(struct stats *stats);

#endif
