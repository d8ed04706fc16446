/*
 * What the server stores: buckets, objects in the order of their keys, multipart uploads. All in
 * memory, optionally written through to a folder (persist.h). One thread.
 *
 * Contents are lists of pieces of shared blobs, so that a copy of an object, or of a range of one,
 * takes no memory. A piece without a blob is made up from a seed when it is read: objects of any
 * size for tests cost nothing either.
 */
#ifndef S3D_STORE_H
#define S3D_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "util/bytes.h"
#include "util/rng.h"

/* Contents larger than this get an ETag that is not their MD5 when copied or made up: see
 * data_md5. */
#define STORE_MD5_MAX ((uint64_t)64 << 20)

struct blob {
	size_t refs;
	uint64_t serial; /* never used twice */
	size_t size;
	char *ptr;
};

struct piece {
	struct blob *blob; /* NULL: made up from `seed` */
	uint64_t seed, off, len;
};

/* Immutable content with its ETag; shared by reference count. */
struct data {
	size_t refs;
	uint64_t size;
	char etag[40]; /* hex MD5, or that and "-N" for multipart uploads; without quotes */
	size_t count;
	struct piece pieces[];
};

struct kv {
	char *name, *value;
};

/* Immutable list of names and values (metadata headers, tags); shared by reference count. */
struct kvs {
	size_t refs;
	size_t count;
	struct kv *items;
};

#define STORE_HEIGHT_MAX 16

struct object {
	struct data *data;
	struct kvs *meta, *tags;   /* headers in lower case; NULL: none */
	const char *storage_class; /* static text */
	int64_t mtime_ms;
	char version[24];     /* "" in a bucket that never had versions: "null" */
	bool is_marker;       /* of a delete: there is no data */
	struct object *older; /* the version before; its height is 0 */
	uint32_t key_len;
	uint32_t height;
	char *key; /* NUL-terminated behind key_len, within this allocation */
	struct object *next[];
};

struct part {
	unsigned number;
	struct data *data;
	int64_t mtime_ms;
};

struct upload {
	char id[33];
	char *key;
	size_t key_len;
	struct kvs *meta, *tags;
	const char *storage_class;
	int64_t started_ms;
	struct part *parts; /* by number */
	size_t part_count;
	UT_hash_handle hh;
};

enum versioning { VERSIONING_NEVER, VERSIONING_ENABLED, VERSIONING_SUSPENDED };

struct bucket {
	char *name, *region;
	enum versioning versioning;
	char *owner; /* account; NULL: the usual one */
	bool requester_pays;
	int64_t created_ms;
	size_t object_count;
	struct object *first[STORE_HEIGHT_MAX];
	struct upload *uploads;
	UT_hash_handle hh;
};

struct store {
	struct bucket *buckets;
	uint64_t blob_bytes, blob_bytes_max; /* memory in blobs and its bound */
	uint64_t blob_serial;
	int64_t made_offset_ms; /* what is made is so much newer than it is */
	struct rng rng;
	char *dir; /* NULL: memory only */
};

/* -- contents -- */

/* Takes over `ptr` (malloc'd). NULL when the bound on memory is reached; `ptr` is freed then. */
struct blob *blob_new(struct store *store, char *ptr, size_t size);
void blob_unref(struct store *store, struct blob *blob);

/* Content of one blob (takes the reference; NULL for no bytes); the ETag is its MD5. */
struct data *data_new(struct blob *blob);
/* Made-up content. */
struct data *data_new_seeded(uint64_t size, uint64_t seed);
/* A range of `data`, which must lie within it; shares its blobs. */
struct data *data_slice(const struct data *data, uint64_t off, uint64_t len);
/* The contents one after another, with `etag`. */
struct data *data_concat(struct data *const *list, size_t count, const char *etag);
/* Copies up to `len` bytes from `off` to `out`; returns their number. */
size_t data_read(const struct data *data, uint64_t off, char *out, size_t len);
/*
 * Sets the ETag to the MD5 of the content; above STORE_MD5_MAX, where that would stop the server
 * for seconds, to the MD5 of its list of pieces, which has the same form and is as good a version.
 */
void data_md5(struct data *data);
struct data *data_ref(struct data *data);
void data_unref(struct store *store, struct data *data);

/* Both copy; names and values are C strings. */
struct kvs *kvs_new(const struct kv *items, size_t count);
const char *kvs_get(const struct kvs *kvs, const char *name);
struct kvs *kvs_ref(struct kvs *kvs);
void kvs_unref(struct kvs *kvs);

/* The static text of a storage class; NULL when S3 knows no such class. */
const char *storage_class_of(const char *name);
/* GLACIER and DEEP_ARCHIVE cannot be read or copied without a restore. */
bool storage_class_archived(const char *storage_class);

/* -- buckets -- */

void store_open(struct store *store);
void store_close(struct store *store);
struct bucket *store_bucket(struct store *store, const char *name);
/* NULL when the name is taken. */
struct bucket *store_bucket_new(struct store *store, const char *name, const char *region);
void store_bucket_free(struct store *store, struct bucket *bucket);

/* -- objects -- */

/* NULL too where a delete marker is the newest version. */
struct object *store_find(struct bucket *bucket, struct bytes key);
/* The first object whose key is not below `key`, and the one after an object. */
struct object *store_seek(struct bucket *bucket, struct bytes key);
struct object *store_next(const struct object *o);
/* Makes or replaces; takes the references `data`, `meta`, `tags`. Does not write through. */
struct object *store_set(struct store *store, struct bucket *bucket, struct bytes key,
	struct data *data, struct kvs *meta, struct kvs *tags, const char *storage_class,
	int64_t mtime_ms);
/* store_set with the time now, written through. NULL: the folder refuses, nothing is changed. */
struct object *store_put(struct store *store, struct bucket *bucket, struct bytes key,
	struct data *data, struct kvs *meta, struct kvs *tags, const char *storage_class);
/* True when there was one. In a bucket with versions it makes a delete marker. */
bool store_delete(struct store *store, struct bucket *bucket, struct bytes key);

/* -- versions: store_versions.c; the newest of a key is what the functions above know -- */

/* "null" for what was made without versioning. */
const char *version_id(const struct object *o);
/* The first key not below `key` that has a version, delete markers among them. */
struct object *store_seek_any(struct bucket *bucket, struct bytes key);
/* NULL: there is none of that id. */
struct object *store_find_version(struct bucket *bucket, struct bytes key, const char *id);
/* Removes that version for good; the one before is the newest then. False: there is none. */
bool store_delete_version(
	struct store *store, struct bucket *bucket, struct bytes key, const char *id);
/* For store.c: `o`, the newest, is about to be another version, and keeps or loses what it was. */
void version_turn(struct store *store, struct bucket *bucket, struct object *o);
/* ... and gets its id. */
void version_name(struct store *store, const struct bucket *bucket, struct object *o);
void object_drop(struct store *store, struct object *o);     /* what it refers to */
void object_free_all(struct store *store, struct object *o); /* it and all that are older */
/* Takes the key out of the bucket. */
void store_unlink(struct store *store, struct bucket *bucket, struct bytes key);
/* The time of what is made now. */
int64_t store_now_ms(const struct store *store);

static inline struct bytes object_key(const struct object *o)
{
	return BYTES(o->key, o->key_len);
}

/* -- uploads -- */

struct upload *upload_new(struct store *store, struct bucket *bucket, struct bytes key);
struct upload *upload_find(struct bucket *bucket, const char *id);
/* Sets part `number`, replacing; takes the reference. */
struct part *upload_set_part(
	struct store *store, struct upload *upload, unsigned number, struct data *data);
struct part *upload_part(struct upload *upload, unsigned number);
void upload_free(struct store *store, struct bucket *bucket, struct upload *upload);

#endif
