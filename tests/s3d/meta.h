/* What comes with objects in headers: metadata, tags, storage class, conditions, dates. */
#ifndef S3D_META_H
#define S3D_META_H

#include "req.h"

/* The metadata of the request's headers, new (NULL: none). False with an error answer. */
bool meta_of_request(struct req *r, struct kvs **ret_meta);
/* A header that is kept with the metadata, and not shown by Head and Get. */
#define META_ACL "x-amz-acl"

/* Are its headers of encryption and its ACL such as S3 takes? False with an error answer. */
bool made_headers_ok(struct req *r);
/* A header that CopyObject never takes from the source: its encryption, its ACL, where it
 * redirects to. */
bool meta_stays_behind(const char *name);
/* What a copy with the directive COPY has: the source's, and of what stays behind the request's. */
struct kvs *meta_of_copy(struct req *r, const struct kvs *source);
/* A header about checksums, kept with the metadata and shown to who asks for it. */
bool meta_is_sum(const char *name);
/* `meta`, whose reference it takes, with the checksums of `sums` in place of its own. */
struct kvs *meta_with_sums(struct kvs *meta, const struct kvs *sums);
/* The tags of x-amz-tagging, new (NULL: none). False with an error answer. */
bool tags_of_request(struct req *r, struct kvs **ret_tags);
/* x-amz-storage-class or STANDARD; NULL with an error answer. */
const char *storage_class_of_request(struct req *r);
/* Reads the tags of a Tagging document. False with an error answer. */
bool tags_of_body(struct req *r, struct kvs **ret_tags);

/* True when `etag` (unquoted) is what the header says, quoted or not, or the header is `*`. */
bool etag_matches(const char *header, const char *etag);
/* Milliseconds since 1970 of an HTTP date (RFC 7231, 7.1.1.1); -1 when it is none. */
int64_t http_date_ms(const char *text);
void add_header_date(struct req *r, const char *name, int64_t wall_ms);
/* Adds x-amz-version-id where the bucket has versions. */
void add_header_version(struct req *r, const struct object *o);
/* Adds ETag, in quotes. */
void add_header_etag(struct req *r, const char *etag);

/*
 * If-Match and If-None-Match of a write against what is there now (NULL: nothing). False with the
 * error answer. "How to prevent object overwrites with conditional writes", S3 User Guide.
 */
bool check_write_conditions(struct req *r, const struct object *now);

#endif
