/*
 * A bucket with versions behind a small HTTP server, which knows ListObjectVersions and HeadObject,
 * and, if it is to, answers in ways that S3 does not. For tests of s3_at.c.
 */
#ifndef TESTS_UNIT_VERSION_SERVER_H
#define TESTS_UNIT_VERSION_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "util/bytes.h"

/* How its answers differ from S3's. */
#define VS_INCLUSIVE 1u    /* a page begins with the key of its key-marker */
#define VS_PREFIX_AGAIN 2u /* and with the common prefix that is its key-marker */
#define VS_MARKERS_LAST 4u /* delete markers stand behind the versions */
#define VS_STUCK 8u        /* its pages do not end, and do not go on */

#define VS_VERSIONS_MAX 2000

struct vs_version {
	char key[16];
	int time_s; /* since 2026-11-26T12:00:00Z, below an hour */
	int id;     /* its number, from 1, and its name "v1" */
	bool is_marker, is_latest;
};

/* In the order of keys, those of one key newest first. */
struct version_table {
	struct vs_version list[VS_VERSIONS_MAX];
	unsigned count;
	unsigned page_max;
	unsigned odd; /* VS_* */
	atomic_uint lists;
};

/* A script of http_server.h; ctx: a struct version_table that does not change meanwhile. */
bool version_server_answer(void *ctx, int fd, struct bytes request);

#endif
