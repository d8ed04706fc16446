/*
 * For tests of the S3 client: each call runs the loop until its operation is done and keeps copies
 * of what the completion was given.
 */
#ifndef TESTS_UNIT_S3_SYNC_H
#define TESTS_UNIT_S3_SYNC_H

#include "s3/s3.h"
#include "util/buf.h"

struct sync {
	struct loop *loop;
	struct s3_client *client;
	unsigned flags;
	/* Of the last call. */
	int done; /* how often its completion ran */
	struct s3_err err;
	char etag[128], upload_id[512], content_type[128], storage_class[64], user[512],
		token[2048];
	uint64_t size_bytes;
	int64_t mtime_ms;
	size_t got;
	bool truncated;
	struct buf
		keys; /* of a listing: "key\n" each, prefixes too; sizes are summed in size_bytes */
	size_t count;
	struct s3_err key_errs[1000];
};

/* A client for `bucket` at `endpoint`; ends the program when there is none. */
void sync_open(struct sync *s, const char *endpoint, const struct s3_config *config);
void sync_close(struct sync *s);
/* Runs the loop until the operation of the last call is done; asserts that it ends once. */
void sync_wait(struct sync *s);
/* Before an operation that is started by hand with the callbacks below. */
void sync_begin(struct sync *s);

s3_list_fn sync_on_list;
s3_head_fn sync_on_head;
s3_get_fn sync_on_get;
s3_put_fn sync_on_put;
s3_copy_fn sync_on_copy;
s3_done_fn sync_on_done;
s3_delete_many_fn sync_on_delete_many;
s3_create_fn sync_on_create;
s3_tags_fn sync_on_tags; /* into `keys`: "key=value\n" each */

/* Each returns the class of the error. */
enum s3_class sync_put(struct sync *s, struct bytes key, const char *content);
enum s3_class sync_get(struct sync *s, struct bytes key, uint64_t offset, char *target, size_t len);
enum s3_class sync_head(struct sync *s, struct bytes key);
enum s3_class sync_copy(struct sync *s, struct bytes from, struct bytes to);
enum s3_class sync_delete(struct sync *s, struct bytes key);
enum s3_class sync_delete_many(struct sync *s, const struct bytes *keys, size_t count);
enum s3_class sync_list(struct sync *s, const struct s3_list_params *params);

#endif
