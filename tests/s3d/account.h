/*
 * Other people's keys: set by POST /-/account (control.c). Each has rights by bucket, as bucket
 * policies give them to other accounts; the server's own keys may do everything. One thread.
 */
#ifndef S3D_ACCOUNT_H
#define S3D_ACCOUNT_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "store.h"

struct req;

#define ACCOUNTS_MAX 16

struct account {
	char key[64], secret[64];
	char reads[128], writes[128]; /* patterns of fnmatch(3), of bucket names; "": none */
	char acl[64]; /* x-amz-acl without which it may make nothing; "": any, or none */
};

struct accounts {
	struct account list[ACCOUNTS_MAX];
	size_t count;
};

/* Adds one, or changes the one of the same key. False: a member is missing, or there are too many.
 */
bool account_set(struct accounts *accounts, const cJSON *json);
/* That of this access key, or NULL. */
const struct account *account_find(const struct accounts *accounts, const char *key);
/* May who has signed it do what it asks for with its bucket? False with the error answer. */
bool account_check(struct req *r, const struct bucket *bucket);
/* And read an object of this one, a copy's source? As above. */
bool account_check_source(struct req *r, const struct bucket *source);

#endif
