/*
 * S3's XML: push parsers for replies, builders for request bodies. Parsers are fed chunk by chunk
 * as data arrives and never keep the document. They take XML as data only: no DTD (a DOCTYPE is
 * refused), no entities but the five of XML, no network; depth, text, entries are bounded.
 *
 * Threads: a parser has one owner at a time; different parsers run side by side (fed on I/O
 * threads, finished and read on the core thread once its transfer is done).
 */
#ifndef S3_S3_XML_H
#define S3_S3_XML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "s3/s3.h"
#include "util/buf.h"
#include "util/bytes.h"

#define S3_XML_ENTRIES_MAX 1100 /* S3 gives 1,000 a page */

/* How a document ended. Only S3_XML_OK is a result. */
enum s3_xml_status {
	S3_XML_OK,
	S3_XML_ERROR, /* well-formed, and the root is <Error>, whatever the HTTP status */
	S3_XML_EMPTY, /* no root: nothing, or white space only */
	S3_XML_CUT,   /* begins like XML, ends too early */
	S3_XML_BAD,   /* not XML, or a value makes no sense, or a bound was passed */
	S3_XML_OTHER  /* well-formed, but another root than the expected one */
};

/* The fields of an <Error> document; empty or 0 where it has none. Borrowed from the parser. */
struct s3_xml_fault {
	struct bytes code, message, request_id, region, endpoint;
	int64_t server_time_ms; /* of RequestTimeTooSkewed */
};

/* -- ListObjectsV2 and ListObjects -- */

struct s3_xml_list;
struct s3_xml_list *s3_xml_list_new(void);
void s3_xml_list_free(struct s3_xml_list *list); /* NULL is fine */
/* Ready for another document; keeps memory. Before a retry. */
void s3_xml_list_reset(struct s3_xml_list *list);
/* The next bytes of the document. False: nothing more of it is read, as s3_xml_list_end will tell:
 * it may be one that never ends. */
bool s3_xml_list_feed(struct s3_xml_list *list, const char *p, size_t len);
/*
 * The document is over. With S3_XML_OK `page` is filled, else with S3_XML_ERROR `fault`; both are
 * borrowed from the parser until reset or free. Keys are decoded when the page says
 * EncodingType=url. Entries are in the order of their bytes. The token of the next page is the
 * marker, in an answer of ListObjects. S3_XML_BAD too when IsTruncated has neither. Call once a
 * document.
 */
enum s3_xml_status s3_xml_list_end(
	struct s3_xml_list *list, struct s3_list_page *page, struct s3_xml_fault *fault);
/*
 * After S3_XML_OK: is it an answer of ListObjects, the first version? Only the second has KeyCount
 * and tokens, only the first markers; a last page without all of them may be either: false.
 */
bool s3_xml_list_is_v1(const struct s3_xml_list *list);
bool s3_xml_list_is_encoded(const struct s3_xml_list *list); /* EncodingType=url */

/* Objects of this class cannot be read before somebody restores them. */
bool s3_class_archived(struct bytes storage_class);

/*
 * -- ListObjectVersions: as for ListObjectsV2 -- Versions of one key come newest first, whatever
 * their order in the document. S3_XML_BAD too when a version has no id or time.
 */
struct s3_xml_versions;
struct s3_xml_versions *s3_xml_versions_new(void);
void s3_xml_versions_free(struct s3_xml_versions *v); /* NULL is fine */
void s3_xml_versions_reset(struct s3_xml_versions *v);
void s3_xml_versions_feed(struct s3_xml_versions *v, const char *p, size_t len);
enum s3_xml_status s3_xml_versions_end(
	struct s3_xml_versions *v, struct s3_versions_page *page, struct s3_xml_fault *fault);

/* -- ListBuckets: as for ListObjectsV2 -- */

struct s3_xml_buckets;
struct s3_xml_buckets *s3_xml_buckets_new(void);
void s3_xml_buckets_free(struct s3_xml_buckets *buckets); /* NULL is fine */
void s3_xml_buckets_reset(struct s3_xml_buckets *buckets);
bool s3_xml_buckets_feed(struct s3_xml_buckets *buckets, const char *p, size_t len);
enum s3_xml_status s3_xml_buckets_end(
	struct s3_xml_buckets *buckets, struct s3_bucket_page *page, struct s3_xml_fault *fault);

/* -- every other reply -- */

enum s3_xml_root {
	S3_ROOT_NONE, /* only an error body is expected */
	S3_ROOT_COPY_OBJECT,
	S3_ROOT_COPY_PART,
	S3_ROOT_INITIATE,
	S3_ROOT_COMPLETE,
	S3_ROOT_DELETE,
	S3_ROOT_TAGGING,
	S3_ROOT_VERSIONING,
	S3_ROOT__COUNT
};

struct s3_xml_key_error {
	struct bytes key, code, message;
};
struct s3_xml_fields {
	struct bytes etag; /* without quotes */
	struct bytes upload_id;
	struct bytes status;                       /* of VersioningConfiguration */
	int64_t mtime_ms;                          /* LastModified; 0: none */
	const struct s3_xml_key_error *key_errors; /* of DeleteResult, in the order of the reply */
	size_t key_error_count;
	const struct s3_object_tag *tags; /* of Tagging */
	size_t tag_count;
};

struct s3_xml_reply;
struct s3_xml_reply *s3_xml_reply_new(void);
void s3_xml_reply_free(struct s3_xml_reply *reply); /* NULL is fine */
/* Ready for another document with this root; keeps memory. Also before the first one. */
void s3_xml_reply_reset(struct s3_xml_reply *reply, enum s3_xml_root expected);
bool s3_xml_reply_feed(struct s3_xml_reply *reply, const char *p, size_t len);
/* As s3_xml_list_end: `fields` with S3_XML_OK, `fault` with S3_XML_ERROR; zeroed else. White space
 * before the document (CompleteMultipartUpload's keep-alive) is skipped. */
enum s3_xml_status s3_xml_reply_end(
	struct s3_xml_reply *reply, struct s3_xml_fields *fields, struct s3_xml_fault *fault);

/* -- STS: AssumeRole, AssumeRoleWithWebIdentity -- */

/* Owned strings, NULL where the document has none; s3_xml_sts_free. */
struct s3_xml_sts {
	char *id, *secret, *token;
	int64_t expires_ms; /* 0: not said */
	char *code, *message;
};
/* Reads a whole answer: with S3_XML_OK the keys are filled, with S3_XML_ERROR the error. */
enum s3_xml_status s3_xml_sts_read(struct bytes document, struct s3_xml_sts *sts);
void s3_xml_sts_free(struct s3_xml_sts *sts);

/* Milliseconds since 1970 of "2009-10-12T17:50:30.000Z" (ISO 8601, UTC; an offset is honoured), or
 * -1 when it is none. */
int64_t s3_xml_time_ms(struct bytes text);

/* -- request bodies -- */

/* False when XML 1.0 cannot carry the key: control characters other than \t \n \r, U+FFFE, U+FFFF,
 * bytes that are not UTF-8 (XML 1.0, production [2] Char). Such keys go by DeleteObject. */
bool s3_xml_key_ok(struct bytes key);

/* Body of DeleteObjects, quiet. Every key must be s3_xml_key_ok and the weights (s3_delete_weight)
 * must fit `out->max` less 256 bytes; else `out->failed`. */
void s3_xml_build_delete(struct buf *out, const struct bytes *keys, size_t count);
/* Body of CompleteMultipartUpload; parts in ascending order of number. */
void s3_xml_build_complete(struct buf *out, const struct s3_part *parts, size_t count);
/* Body of PutObjectTagging. Every text must be s3_xml_key_ok, else `out->failed`. */
void s3_xml_build_tagging(struct buf *out, const struct s3_object_tag *tags, size_t count);

#endif
