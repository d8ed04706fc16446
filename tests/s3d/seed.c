/* Objects by the thousand, and the option of latencies: see s3d.h. One thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3d.h"
#include "util/buf.h"
#include "util/clk.h"
#include "util/mem.h"

/* Appends `pattern` with its one %d or %0Nd replaced; false when it is not such a pattern. */
static bool expand(const char *pattern, uint64_t n, struct buf *out)
{
	const char *percent = strchr(pattern, '%');
	char *end;
	long width;

	if (!percent)
		return false;
	width = strtol(percent + 1, &end, 10);
	if (*end != 'd' || width < 0 || width > 20 || strchr(end, '%'))
		return false;
	buf_add(out, pattern, (size_t)(percent - pattern));
	buf_addf(out, "%0*llu", width ? (int)width : 1, (unsigned long long)n);
	buf_adds(out, end + 1);
	return true;
}

bool seed_objects(struct s3d *srv, struct bucket *bucket, const char *prefix, uint64_t count,
	uint64_t size, const char *pattern, uint64_t dirs)
{
	struct buf key = BUF_INIT(1024);
	uint64_t each = dirs ? (count + dirs - 1) / dirs : 0;
	bool ok = true;

	for (uint64_t i = 0; i < count && ok; i++) {
		buf_cut(&key, 0);
		buf_adds(&key, prefix);
		if (dirs)
			buf_addf(&key, "d%04llu/", (unsigned long long)(i / each));
		ok = expand(pattern, i, &key) && !key.failed;
		if (ok)
			ok = store_put(&srv->store, bucket, buf_bytes(&key),
				     data_new_seeded(size, rng_next(&srv->store.rng)), NULL, NULL,
				     "STANDARD") != NULL;
	}
	buf_free(&key);
	return ok;
}

bool latency_parse(struct s3d *srv, const char *text)
{
	char name[64];
	int ms, used;

	while (*text) {
		int op;

		if (sscanf(text, "%63[A-Za-z0-9*]=%d%n", name, &ms, &used) != 2 || ms < 0)
			return false;
		op = (int)op_by_name(name);
		if (!strcmp(name, "*")) {
			for (op = 0; op < OP__COUNT; op++)
				srv->latency_ms[op] = ms;
		} else if (op == OP_UNKNOWN) {
			return false;
		} else {
			srv->latency_ms[op] = ms;
		}
		text += used;
		if (*text && *text++ != ',')
			return false;
	}
	return true;
}
