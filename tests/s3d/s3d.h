/* The server's context and options. One thread runs everything: libmicrohttpd, timers, control. */
#ifndef S3D_S3D_H
#define S3D_S3D_H

#include <stdbool.h>
#include <stdint.h>

#include "account.h"
#include "auth.h"
#include "faults.h"
#include "issue.h"
#include "lacks.h"
#include "limit.h"
#include "stats.h"
#include "store.h"
#include "timer.h"

struct MHD_Daemon;
struct req;

struct options {
	uint16_t port; /* 0: any */
	const char *port_file;
	const char *domain; /* of virtual-host style names */
	const char *region;
	const char *tls_cert, *tls_key; /* file names */
	unsigned idle_timeout_s;        /* 0: connections stay */
	unsigned page_max;              /* keys a page of a listing at most */
	uint64_t part_min_bytes;
	uint64_t body_max_bytes;
	bool die_with_parent;
};

struct s3d {
	struct options opts;
	struct accounts accounts;
	struct auth auth;
	struct issue issue;
	struct store store;
	struct faults faults;
	struct lacks lacks;
	struct limit limit;
	struct stats stats;
	int64_t latency_ms[OP__COUNT];
	struct timers timers;
	struct MHD_Daemon *daemon;
	int epoll_fd;
	struct req *suspended;
	bool is_stopping;
	uint64_t last_seq;
};

/* server.c */

/* Opens the port. Returns the port, or 0 with a sentence in `why`. */
uint16_t server_open(struct s3d *srv, char *why, size_t why_size);
/* Serves until `signal_fd` (a signalfd) is readable. */
void server_run(struct s3d *srv, int signal_fd);
void server_close(struct s3d *srv);
/* Lets all hanging requests go on. Returns how many. */
size_t server_release(struct s3d *srv);

/* Reads "Op=N,*=N" into latency_ms; false when it is not that. */
bool latency_parse(struct s3d *srv, const char *text);
/* Makes `count` objects of made-up content under prefix; `dirs` > 0 spreads them evenly over that
 * many folders d0000, d0001, ...; `pattern` has one %d or %0Nd. False: the pattern is no such. */
bool seed_objects(struct s3d *srv, struct bucket *bucket, const char *prefix, uint64_t count,
	uint64_t size, const char *pattern, uint64_t dirs);

#endif
