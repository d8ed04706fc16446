/*
 * The folder of --dir: DIR/BUCKET/HASH.data and HASH.json (key, metadata), HASH being the SHA-256
 * of the key, since keys are longer than names may be. Multipart uploads under way are not kept.
 * One thread; blocks on the disk.
 */
#ifndef S3D_PERSIST_H
#define S3D_PERSIST_H

#include <stddef.h>

#include "store.h"

/* Reads all of store->dir, which is made when it is not there. -1 with a sentence in `why`. */
int persist_load(struct store *store, const char *region, char *why, size_t why_size);
/* Writes an object; -1 when the disk refuses, with a line on stderr. */
int persist_write(const struct store *store, const struct bucket *bucket, const struct object *o);
void persist_remove(const struct store *store, const struct bucket *bucket, struct bytes key);
/* Makes, removes the bucket's folder; -1 when the disk refuses. */
int persist_bucket(const struct store *store, const char *name);
int persist_bucket_remove(const struct store *store, const char *name);

#endif
