/*
 * Verification of AWS Signature Version 4 in the Authorization header, written from the
 * specification alone ("Authenticating Requests: Using the Authorization Header (AWS Signature
 * Version 4)" and "Signature Calculations", Amazon S3 API Reference). One thread.
 */
#ifndef S3D_AUTH_H
#define S3D_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "hash.h"

struct data;
struct kvs;
struct req;

#define AUTH_KEYS_CACHED 16

struct auth {
	const char *access_key, *secret_key;
	const char *session_token; /* NULL: none is wanted */
	bool is_optional;          /* unsigned requests are served */
	int64_t clock_offset_ms;   /* the server's clock is wrong by so much: for tests of skew */
	struct {
		char scope[256]; /* key id, date, region, service */
		uint8_t key[SHA256_LEN];
	} cached[AUTH_KEYS_CACHED];
	unsigned cached_next;
};

/* True when the request may be served; else its answer is the error document. */
bool auth_check(struct req *r);
/* Compares the body with x-amz-content-sha256, Content-MD5 and x-amz-checksum-*; as above. */
bool auth_check_body(struct req *r);
/* True when the request carries Content-MD5 or one of x-amz-checksum-*. */
bool auth_has_body_digest(const struct req *r);

/*
 * Is the checksum of a part, if it comes with one, of the algorithm that its upload was begun with?
 * False with an error answer.
 */
bool auth_check_part_sum(struct req *r, const struct kvs *upload);
/* The checksum of the whole that an upload was to have: two headers, new; NULL: none, or more to
 * read than STORE_MD5_MAX. */
struct kvs *auth_whole_sum(const struct kvs *upload, const struct data *data);

#endif
