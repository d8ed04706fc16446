/*
 * The S3 client: one operation at a time is built, signed, sent, parsed, classified and retried.
 *
 * Threads: every function here is called on the core thread (util/loop.h) and every completion runs
 * on the core thread, exactly once, never inside the call that started the operation; also when the
 * operation is cancelled or the client shuts down (class S3_CANCELLED).
 * Ownership: parameters (keys, strings, structs) are copied before the call returns, except data
 * buffers (struct s3_body, the target of s3_get), which are borrowed until the completion has run.
 * Results handed to a completion are borrowed: they are gone when it returns.
 */
#ifndef S3_S3_H
#define S3_S3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/bytes.h"
#include "util/loop.h"
#include "util/rng.h"

/* ---- errors ------------------------------------------------------------------------------- */

/* What went wrong, by what can be done about it. The class decides about retries, errnum is only
 * for the kernel. */
enum s3_class {
	S3_OK,
	S3_THROTTLED, /* 503, 429, SlowDown, in the status or inside a 200: the window shrinks */
	S3_TRANSIENT, /* connection, timeout, cut body, 500, 502, 504, InternalError */
	S3_DENIED,    /* 401, 403 and what else credentials or rights decide */
	S3_NOT_FOUND, /* 404 and nothing else (contract C10) */
	S3_CHANGED,   /* 412: the version that was asked for is not there any more */
	S3_CONFLICT,  /* 409 ConditionalRequestConflict and the like */
	S3_INVALID,   /* the request is one that S3 will never accept */
	S3_CANCELLED,
	S3_FAILED /* anything else; not retried */
};

/* The one error value from here upwards. Plain data without ownership; all zero is success. */
struct s3_err {
	enum s3_class cls;
	int errnum;      /* positive errno for the kernel; 0 only with S3_OK */
	int http_status; /* 0: there was no answer */
	char code[64];   /* S3's error code, or a short word of ours ("ConnectionFailed") */
	char message[160];
	char request_id[64];
	bool resent;            /* an earlier sending of the same may have been carried out */
	int64_t retry_after_ms; /* what the server asked for; 0: nothing */
};

/* Is it an answer that says that the operation was not carried out? Any thread. */
bool s3_err_is_refusal(const struct s3_err *err);

/* Is it about the keys or the clock of who asks, whatever was asked for? Any thread. */
bool s3_err_is_of_keys(const struct s3_err *err);

/* One line for a person: code, status, message, request id. Writes into `text` and returns it. */
const char *s3_err_text(const struct s3_err *err, char *text, size_t size);

/* ---- retry: the one place where it is decided ------------------------------------------------ */

struct s3_retry {
	unsigned attempts;  /* that have failed, other than by throttling */
	unsigned throttled; /* that were throttled */
	int64_t first_ms;   /* monotonic time of the first attempt; 0: not yet */
};

struct s3_retry_policy {
	unsigned attempts_max;  /* transient failures after which we give up */
	unsigned throttled_max; /* the same for throttling */
	int64_t deadline_ms;    /* from the first attempt, whatever the count says */
	int64_t base_ms, throttled_base_ms,
		cap_ms; /* full jitter: random below min(cap, base * 2^n) */
};

/*
 * Milliseconds until the next try, or -1 when the error is final. Pure but for `rng` and the counts
 * in `retry`, which it advances. Full jitter after "Exponential Backoff And Jitter" (AWS
 * Architecture Blog). Honours retry_after_ms up to 5 s beyond the drawn delay.
 */
int64_t s3_retry_next(struct s3_retry *retry, const struct s3_retry_policy *policy,
	const struct s3_err *err, int64_t now_ms, struct rng *rng);
/* Applies timeout_ms of struct s3_config (0: none): no attempt begins in its last third. */
void s3_retry_bound(struct s3_retry_policy *policy, int64_t timeout_ms);
extern const struct s3_retry_policy s3_retry_default;

/* ---- client ---------------------------------------------------------------------------------- */

/*
 * What every object that a client makes has: by PutObject, CopyObject (also one of an object onto
 * itself) or CreateMultipartUpload, in place of what the caller or a copy's source says. NULL: not
 * given.
 */
struct s3_object_settings {
	const char *storage_class;
	/* x-amz-server-side-encryption: "AES256", ...; with it nothing is kept of the next two. */
	const char *encryption;
	const char *kms_key_id; /* with "aws:kms" and "aws:kms:dsse"; NULL: Amazon's own key */
	bool bucket_key;        /* with "aws:kms" */
	/* SSE-C: 32 bytes in base64 that S3 encrypts with and forgets; in place of `encryption`.
	 * Goes with every request that makes, reads or copies an object. Secret. */
	const char *customer_key;
	const char *acl; /* x-amz-acl, a canned one */
	bool no_tags;    /* copies leave their source's tags behind: they are not read */
};
/*
 * The customer_key that a file has, as 32 bytes or as base64 of them, which nobody but its owner
 * may read or write. Owned by the caller, as a secret. NULL with one sentence in `why`. Blocks.
 */
char *s3_customer_key_read(const char *path, char *why, size_t why_size);

/* How bodies are compared with what S3 has: s3_sum.h. */
enum s3_checksum {
	S3_CHECKSUM_AUTO, /* as the server can */
	S3_CHECKSUM_CRC32C,
	S3_CHECKSUM_MD5,
	S3_CHECKSUM_NONE
};

/* What a client is made of. All strings are copied. NULL or 0 means "find it out" or the default.
 */
struct s3_config {
	const char *bucket;
	const char
		*endpoint_url; /* option; else AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the profile */
	const char
		*region; /* option; else AWS_REGION, AWS_DEFAULT_REGION, the profile, us-east-1 */
	const char *profile;   /* option; else AWS_PROFILE, "default" */
	const char *ca_bundle; /* option; else AWS_CA_BUNDLE, the profile, libcurl's default */
	/* SERVICE: no bucket, for s3_list_buckets only. */
	enum {
		S3_ADDRESS_AUTO,
		S3_ADDRESS_PATH,
		S3_ADDRESS_VIRTUAL,
		S3_ADDRESS_SERVICE
	} addressing;
	/* Which of Amazon's endpoints: for IPv6 too (else AWS_USE_DUALSTACK_ENDPOINT, the profile),
	 * validated cryptography (AWS_USE_FIPS_ENDPOINT, the profile), edge locations. */
	bool dualstack, fips, accelerate;
	enum s3_checksum checksum;
	bool no_sign_request;     /* send requests unsigned */
	bool requester_pays;      /* who asks pays: said with every request */
	const char *bucket_owner; /* requests fail when another account owns it; NULL: any */
	/*
	 * The bucket as it was then, milliseconds since 1970; 0: as it is. s3_list, s3_head and
	 * s3_get_tags answer accordingly (s3_at.c), and what they give as an ETag is a *pin*, that
	 * and the version's id, which s3_get, s3_copy and the others take in an ETag's place.
	 */
	int64_t version_at_ms;
	struct s3_object_settings object;
	unsigned io_threads;        /* 0: by the number of processors */
	unsigned connections_max;   /* kept open at once; 0: 1024 */
	int64_t connect_timeout_ms; /* 0: 10 s */
	int64_t stall_timeout_ms;   /* an answer that brings no byte for so long is cut; 0: 60 s */
	/*
	 * An operation of which nothing moves ends within this time; 0: by the other bounds alone.
	 * An attempt may be silent for a third of it, and none begins after two thirds: the sum
	 * holds whenever the last one began, and what hangs is tried twice.
	 */
	int64_t timeout_ms;
	const struct s3_retry_policy *retry; /* copied; NULL: s3_retry_default */
	/* Where all that is looked up, as environ(7); NULL: the process's environment. Secrets. */
	const char *const *env;
};

/*
 * Makes `config` mean the same in another process: its environment is a copy of this one's, and
 * relative paths become absolute. Every string of it must be owned, as the copy then is:
 * s3_config_clear. Core thread.
 */
void s3_config_capture(struct s3_config *config);
/* Wipes and frees; for configurations of which every string is owned (and no retry policy is). */
void s3_config_clear(struct s3_config *config);

struct s3_client;

/*
 * Makes a client for one bucket. Reads the environment and ~/.aws (AWS_SHARED_CREDENTIALS_FILE,
 * AWS_CONFIG_FILE); starts its I/O threads: call after daemonising. On failure returns NULL with
 * one sentence for the user in `why`, which names the thing and the remedy.
 */
struct s3_client *s3_client_new(
	struct loop *loop, const struct s3_config *config, char *why, size_t why_size);
/* Cancels what is under way (completions run with S3_CANCELLED before this returns), ends threads.
 */
void s3_client_free(struct s3_client *client);
const char *s3_client_bucket(const struct s3_client *client);
const char *s3_client_endpoint(const struct s3_client *client); /* "https://host[:port]" */
/* That of every object that it makes; NULL: what its caller says. Borrowed. */
const char *s3_client_storage_class(const struct s3_client *client);
/* Do copies that it makes have their source's tags? Else CopyObject drops them, and nobody who
 * copies in parts need ask for them. */
bool s3_client_copies_tags(const struct s3_client *client);
/* Operations fail with S3_DENIED and this code while there are no credentials to be had... */
#define S3_NO_CREDENTIALS "NoCredentials"
/* ... and this is the whole sentence about it, "" when all is well. Borrowed. */
const char *s3_client_credentials_problem(const struct s3_client *client);

/*
 * What not every server can do. The first refusal that means this and nothing else is noted and
 * logged, once a client; from then on the operation is not asked for any more. What a server has
 * done once it can do, whatever it answers later.
 */
enum s3_ability {
	S3_ABLE_DELETE_MANY,    /* DeleteObjects */
	S3_ABLE_COPY,           /* CopyObject */
	S3_ABLE_PART_COPY,      /* UploadPartCopy */
	S3_ABLE_COPY_CONDITION, /* x-amz-copy-source-if-match of the two: s3_pin.h */
	S3_ABLE_TAGS,           /* GetObjectTagging */
	S3_ABLE_LIST_V2,        /* ListObjectsV2; else ListObjects */
	S3_ABLE_LIST_ENCODING,  /* encoding-type of the two */
	S3_ABILITIES
};
/* Has the server said that it cannot? Then s3_delete_many, s3_copy, s3_mpu_part_copy and
 * s3_get_tags are of no use; what else may be missing the operations do without. */
bool s3_client_lacks(const struct s3_client *client, enum s3_ability ability);

struct s3_stats {
	uint64_t requests;  /* HTTP attempts */
	uint64_t throttled; /* attempts answered SlowDown in any form */
	uint64_t retries;
	uint64_t bytes_in, bytes_out; /* bodies */
	unsigned in_flight;
};
void s3_client_stats(const struct s3_client *client, struct s3_stats *stats);

/* ---- operations ------------------------------------------------------------------------------ */

/* An operation under way; the handle is valid until its completion has run. */
struct s3_op;

/* Stops the operation: its completion runs soon after with S3_CANCELLED (unless it was done). */
void s3_cancel(struct s3_op *op);

/*
 * Flags of every operation. Without S3_NO_RETRY the client itself retries throttled and transient
 * failures (s3_retry_next), so the completion's error is final. With it, each attempt's failure is
 * handed up: the bulk engine queues the operation again without holding a place in its window.
 * S3_WHOLE, of s3_get: the range is all of the pinned object. It is asked for without a range,
 * since only then S3 sends the checksum of the whole, and compared with that; bytes that differ are
 * a transient failure, ChecksumMismatch. S3_CHECKSUM, of s3_head: the object's `checksum` is
 * wanted. S3_QUIET: the caller tells a person why it has failed.
 */
enum s3_flags { S3_NO_RETRY = 1, S3_WHOLE = 2, S3_CHECKSUM = 4, S3_QUIET = 8 };

typedef void s3_done_fn(void *ctx, const struct s3_err *err);

/* Metadata that is sent with a new object. NULL strings are not sent. */
struct s3_header {
	const char *name, *value;
};
struct s3_meta {
	const char *content_type;
	const char *storage_class;
	const char *cache_control, *content_disposition, *content_encoding, *content_language,
		*expires;
	const char *redirect;                /* x-amz-website-redirect-location */
	const char *encryption, *kms_key_id; /* x-amz-server-side-encryption[-aws-kms-key-id] */
	const char *bucket_key;              /* ...-bucket-key-enabled: "true" */
	const char *checksum;         /* of an upload in parts: "CRC32", "CRC32C", "CRC64NVME" */
	const char *tagging;          /* x-amz-tagging; not with a copy, which keeps them */
	const struct s3_header *user; /* x-amz-meta-*: name without the prefix, lower case */
	size_t user_count;
};
/* A copy that owns all it points at; free it with s3_meta_free, to which NULL is fine. */
struct s3_meta *s3_meta_dup(const struct s3_meta *meta);
void s3_meta_free(struct s3_meta *meta);

/* -- ListObjectsV2 -- */
struct s3_list_params {
	struct bytes prefix;
	bool delimiter;           /* '/' */
	struct bytes start_after; /* ptr NULL: none */
	struct bytes token;       /* continuation token of the page before; ptr NULL: none */
	unsigned max_keys;        /* 0: 1,000; with version_at_ms there may come more */
};
struct s3_list_entry {
	struct bytes key;  /* of a common prefix with its final '/' */
	struct bytes etag; /* without quotes; empty for prefixes */
	uint64_t size_bytes;
	int64_t mtime_ms;
	bool is_prefix;
	bool archived; /* GLACIER or DEEP_ARCHIVE: cannot be read or copied before a restore */
	struct bytes storage_class; /* "" or "STANDARD", ... */
};
struct s3_list_page {
	const struct s3_list_entry
		*entries; /* keys and prefixes merged, in the order of their bytes */
	size_t count;
	bool truncated;
	struct bytes next_token;
};
typedef void s3_list_fn(void *ctx, const struct s3_err *err, const struct s3_list_page *page);
/* With version_at_ms, where it is several requests, the handle is NULL: it cannot be cancelled. */
struct s3_op *s3_list(struct s3_client *c, const struct s3_list_params *params, unsigned flags,
	s3_list_fn *done, void *ctx);

/* -- ListObjectVersions -- */
struct s3_versions_params {
	struct bytes prefix;
	bool delimiter;              /* '/' */
	struct bytes key_marker;     /* behind this key, or ... */
	struct bytes version_marker; /* ... behind this version of it; len 0: none */
	unsigned max_keys;           /* 0: 1,000 */
};
struct s3_version {
	struct bytes key; /* of a common prefix with its final '/' */
	struct bytes id;  /* "null" of what was made without versioning */
	struct bytes etag, storage_class;
	uint64_t size_bytes;
	int64_t mtime_ms; /* S3 has whole seconds */
	bool is_latest, is_marker, is_prefix;
};
struct s3_versions_page {
	/* In the order of keys, those of one key newest first, common prefixes among them. */
	const struct s3_version *versions;
	size_t count;
	bool truncated;
	struct bytes next_key, next_version;
};
typedef void s3_versions_fn(
	void *ctx, const struct s3_err *err, const struct s3_versions_page *page);
struct s3_op *s3_list_versions(struct s3_client *c, const struct s3_versions_params *params,
	unsigned flags, s3_versions_fn *done, void *ctx);

/* The parts of a pin; without version_at_ms it is the ETag. Borrowed from it. */
struct bytes s3_pin_etag(const struct s3_client *c, struct bytes pin);
struct bytes s3_pin_version(const struct s3_client *c, struct bytes pin);

/* -- GetBucketVersioning -- "Enabled", "Suspended", or "": there never was any. */
typedef void s3_versioning_fn(void *ctx, const struct s3_err *err, struct bytes status);
struct s3_op *s3_get_versioning(
	struct s3_client *c, unsigned flags, s3_versioning_fn *done, void *ctx);

/*
 * -- ListBuckets -- of a client with S3_ADDRESS_SERVICE. `token` of the page before; ptr NULL:
 * none. The page's next_token is empty at the end.
 */
struct s3_bucket_page {
	const struct bytes *names;
	size_t count;
	struct bytes next_token;
};
typedef void s3_buckets_fn(void *ctx, const struct s3_err *err, const struct s3_bucket_page *page);
struct s3_op *s3_list_buckets(
	struct s3_client *c, struct bytes token, unsigned flags, s3_buckets_fn *done, void *ctx);

/* -- HeadObject -- */
struct s3_object {
	struct bytes etag;
	uint64_t size_bytes;
	int64_t mtime_ms;
	const char *content_type;  /* or NULL */
	const char *storage_class; /* or NULL: STANDARD */
	const char *cache_control, *content_disposition, *content_encoding, *content_language,
		*expires; /* or NULL, as those that follow */
	const char *redirect, *encryption, *kms_key_id, *bucket_key; /* as in s3_meta */
	const char *version_id;
	const char *checksum; /* as in s3_meta, or NULL */
	unsigned tag_count;
	const struct s3_header *user;
	size_t user_count;
};
typedef void s3_head_fn(void *ctx, const struct s3_err *err, const struct s3_object *object);
/* `pin`: of that version, where the client has version_at_ms; empty: of the one of that time, and
 * the handle is NULL. Else the pin is not looked at. */
struct s3_op *s3_head(struct s3_client *c, struct bytes key, struct bytes pin, unsigned flags,
	s3_head_fn *done, void *ctx);

/* -- HeadBucket: is the bucket there, may we use it, in which region is it? -- */
struct s3_op *s3_head_bucket(struct s3_client *c, unsigned flags, s3_done_fn *done, void *ctx);

/*
 * -- GetObject, a range --
 * Reads `len` bytes (> 0) from `offset` into `target`. `if_match` pins the version (empty: any); a
 * changed object is S3_CHANGED. `got` may be less than `len` only at the object's end (0 at or past
 * it). `size_bytes` is the object's whole size. `target` is borrowed until the completion.
 */
struct s3_get_result {
	size_t got;
	uint64_t size_bytes;
	struct bytes etag;
	int64_t mtime_ms;
};
typedef void s3_get_fn(void *ctx, const struct s3_err *err, const struct s3_get_result *result);
struct s3_op *s3_get(struct s3_client *c, struct bytes key, struct bytes if_match, uint64_t offset,
	char *target, size_t len, unsigned flags, s3_get_fn *done, void *ctx);

/* -- PutObject -- Bodies are a list of runs, borrowed until the completion. */
struct s3_body {
	const struct bytes *runs;
	size_t run_count;
};
struct s3_put_result {
	struct bytes etag; /* empty when the server gave none */
};
typedef void s3_put_fn(void *ctx, const struct s3_err *err, const struct s3_put_result *result);
struct s3_op *s3_put(struct s3_client *c, struct bytes key, const struct s3_meta *meta,
	const struct s3_body *body, unsigned flags, s3_put_fn *done, void *ctx);

/* -- CopyObject -- The server copies; the result is the new ETag. */
struct s3_copy_params {
	struct bytes key;         /* of the copy */
	struct s3_client *source; /* whose object it is; NULL: this client */
	struct bytes source_key;
	struct bytes source_etag; /* x-amz-copy-source-if-match; empty: any */
	const struct s3_meta
		*replace;          /* NULL: keep the source's metadata; else REPLACE with this */
	const char *storage_class; /* NULL: the bucket's default, STANDARD */
};
typedef void s3_copy_fn(
	void *ctx, const struct s3_err *err, const struct s3_put_result *result, int64_t mtime_ms);
struct s3_op *s3_copy(struct s3_client *c, const struct s3_copy_params *params, unsigned flags,
	s3_copy_fn *done, void *ctx);

/* -- DeleteObject -- */
struct s3_op *s3_delete(
	struct s3_client *c, struct bytes key, unsigned flags, s3_done_fn *done, void *ctx);

/* -- GetObjectTagging, PutObjectTagging (DeleteObjectTagging when `count` is 0) -- */
struct s3_object_tag {
	struct bytes key, value;
};
typedef void s3_tags_fn(
	void *ctx, const struct s3_err *err, const struct s3_object_tag *tags, size_t count);
/* `pin` and the handle: as for s3_head. */
struct s3_op *s3_get_tags(struct s3_client *c, struct bytes key, struct bytes pin, unsigned flags,
	s3_tags_fn *done, void *ctx);
/* Appends them as the value of x-amz-tagging (struct s3_meta). */
void s3_tagging_header(const struct s3_object_tag *tags, size_t count, struct buf *out);
struct s3_op *s3_put_tags(struct s3_client *c, struct bytes key, const struct s3_object_tag *tags,
	size_t count, unsigned flags, s3_done_fn *done, void *ctx);

/*
 * -- DeleteObjects -- Quiet, with Content-MD5. `done` gets the error of the whole request, or, when
 * that is S3_OK, one error a key in `key_errs` (S3_OK where it was deleted; a key that was not
 * there is deleted too). The caller retries what is worth it. At most S3_DELETE_MAX keys, and the
 * keys' escaped XML at most S3_DELETE_BYTES_MAX: ask s3_delete_weight. Keys that XML 1.0 cannot
 * carry are sent as DeleteObject by this function; the completion still comes once.
 */
#define S3_DELETE_MAX 1000
#define S3_DELETE_BYTES_MAX ((size_t)1800 * 1024)
/* Bytes that this key takes in the body of DeleteObjects. */
size_t s3_delete_weight(struct bytes key);
typedef void s3_delete_many_fn(
	void *ctx, const struct s3_err *err, const struct s3_err *key_errs, size_t count);
struct s3_op *s3_delete_many(struct s3_client *c, const struct bytes *keys, size_t count,
	unsigned flags, s3_delete_many_fn *done, void *ctx);

/* -- Multipart upload: Create, UploadPart, UploadPartCopy, Complete, Abort -- */
#define S3_PART_MIN ((uint64_t)5 << 20)
#define S3_PART_MAX ((uint64_t)5 << 30)
#define S3_PARTS_MAX 10000
/* S3 User Guide, "Creating object key names". */
#define S3_KEY_BYTES_MAX 1024
/* Other servers decide for themselves; a listing with a longer one is refused. Escaped, in three
 * bytes each, such a key's name still fits 8 KiB. */
#define S3_KEY_LISTED_MAX 2560
#define S3_COPY_MAX ((uint64_t)5 << 30) /* largest source of one CopyObject */

typedef void s3_create_fn(void *ctx, const struct s3_err *err, struct bytes upload_id);
struct s3_op *s3_mpu_create(struct s3_client *c, struct bytes key, const struct s3_meta *meta,
	unsigned flags, s3_create_fn *done, void *ctx);
struct s3_op *s3_mpu_part(struct s3_client *c, struct bytes key, struct bytes upload_id,
	unsigned number, const struct s3_body *body, unsigned flags, s3_put_fn *done, void *ctx);
struct s3_part_copy_params {
	struct bytes key, upload_id;
	unsigned number;          /* from 1 */
	struct s3_client *source; /* as in s3_copy_params */
	struct bytes source_key, source_etag;
	uint64_t offset, len; /* of the range; whole object: len 0 */
};
struct s3_op *s3_mpu_part_copy(struct s3_client *c, const struct s3_part_copy_params *params,
	unsigned flags, s3_put_fn *done, void *ctx);
struct s3_part {
	unsigned number;
	struct bytes etag;
};
/* `size_bytes` is the whole object's. Result: the new object's ETag (may be empty). */
struct s3_op *s3_mpu_complete(struct s3_client *c, struct bytes key, struct bytes upload_id,
	const struct s3_part *parts, size_t count, uint64_t size_bytes, unsigned flags,
	s3_put_fn *done, void *ctx);
/* An upload that is gone already counts as aborted. */
struct s3_op *s3_mpu_abort(struct s3_client *c, struct bytes key, struct bytes upload_id,
	unsigned flags, s3_done_fn *done, void *ctx);

#endif
