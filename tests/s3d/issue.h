/*
 * Temporary credentials that the server gives out itself, as the services do that clients get them
 * from: STS, an instance's metadata, a container's agent, SSO's portal. See issue.c. One thread.
 */
#ifndef S3D_ISSUE_H
#define S3D_ISSUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct req;

#define ISSUED_MAX 256

struct issued {
	char id[32], secret[48], token[48];
	int64_t ends_ms; /* wall clock */
};

struct issue {
	struct issued keys[ISSUED_MAX];
	size_t count;
	unsigned asked[5]; /* by enum issue_way of issue.c */
	double lifetime_s;
	bool only;    /* S3 takes no other keys */
	bool refuses; /* gives none out */
};

/* The keys with this id, or NULL. */
const struct issued *issue_find(const struct issue *issue, const char *id);
/* Answers a request below /-/ that is about credentials; false: it is not. */
bool issue_run(struct req *r);

#endif
