/*
 * Faults on demand: rules that make chosen requests fail in chosen ways. Set through POST /-/faults
 * (control.h), whose members are those of struct fault_rule, and "seed" of what is drawn. One
 * thread.
 */
#ifndef S3D_FAULTS_H
#define S3D_FAULTS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "ops.h"
#include "util/bytes.h"
#include "util/rng.h"

/* What is done to one request. All zero: nothing. */
struct fault_action {
	bool fires;
	int status; /* of an error document; 0: none */
	char code[64];
	char message[128];
	bool in200;     /* the document comes with status 200 */
	bool after;     /* the operation is done all the same, then its answer is spoiled */
	bool close;     /* the connection is closed instead of an answer */
	bool hang;      /* no answer until it is released */
	bool cut;       /* the body ends after cut_bytes and the connection is closed */
	bool empty;     /* 200 without a body */
	char body[512]; /* instead of the error document, as text/html; "": none */
	int64_t repeat; /* how many times that body */
	int64_t length; /* Content-Length says so many more bytes than come, or fewer than the
			   answer has, and only those come */
	int64_t spaces; /* put behind the XML declaration, as S3 does to keep connections alive */
	int64_t cut_bytes;
	bool flip; /* a bit of the body is damaged on its way: of the request's, else of the object
		      that is the answer */
	int64_t flip_at; /* in this byte, if it has it */
	int64_t delay_ms;
	int64_t retry_after_s; /* Retry-After header; 0: none */
};

/* A rule. Patterns are those of fnmatch(3) without flags: `*` matches slashes too. */
struct fault_rule {
	uint64_t id;
	char *op;       /* pattern of operation names; NULL: all */
	char *bucket;   /* pattern; NULL: all */
	char *key;      /* pattern; NULL: all; of DeleteObjects any of its keys */
	char *header;   /* only requests that have this one; NULL: all */
	uint64_t nth;   /* from the nth match on; 0: from the first, `times` unbounded by default */
	uint64_t times; /* how often it fires; 0: without bound */
	double percent; /* of the matches from there on, drawn; 100 by default */
	bool per_key;   /* DeleteObjects: <Error> for the key, counted by key */
	struct fault_action action;
	uint64_t matched, fired;
	struct fault_rule *next;
};

struct faults {
	struct fault_rule *first;
	uint64_t last_id;
	size_t count;
	struct rng rng;
};

/* Adds a rule described by JSON. Returns its id, or 0 with a sentence in `why`. */
uint64_t faults_add(struct faults *faults, const cJSON *json, char *why, size_t why_size);
/* Removes the rule `id`, or all when it is 0. Returns how many. */
size_t faults_remove(struct faults *faults, uint64_t id);
/* The rules with their counts, a new JSON array. */
cJSON *faults_list(const struct faults *faults);
/* What becomes of this request: counts matches; the first rule that fires decides. */
struct fault_action faults_for(struct faults *faults, const struct req *r);
/* The same for one key of DeleteObjects with the rules that are `per_key`. */
struct fault_action faults_for_key(struct faults *faults, const struct req *r, struct bytes key);
void faults_free(struct faults *faults);

#endif
