/*
 * The S3 operations. Each handler reads the request and makes its answer (req.h); it never waits.
 * Semantics after https://docs.aws.amazon.com/AmazonS3/latest/API/, the page of the same name.
 */
#ifndef S3D_OPS_H
#define S3D_OPS_H

#include <stdbool.h>
#include <stdint.h>

enum op {
	OP_UNKNOWN,
	OP_LIST_BUCKETS,
	OP_CREATE_BUCKET,
	OP_DELETE_BUCKET,
	OP_HEAD_BUCKET,
	OP_GET_BUCKET_LOCATION,
	OP_LIST_OBJECTS_V2,
	OP_LIST_OBJECTS,
	OP_LIST_OBJECT_VERSIONS,
	OP_GET_BUCKET_VERSIONING,
	OP_PUT_BUCKET_VERSIONING,
	OP_LIST_MULTIPART_UPLOADS,
	OP_DELETE_OBJECTS,
	OP_HEAD_OBJECT,
	OP_GET_OBJECT,
	OP_PUT_OBJECT,
	OP_COPY_OBJECT,
	OP_DELETE_OBJECT,
	OP_GET_OBJECT_TAGGING,
	OP_PUT_OBJECT_TAGGING,
	OP_DELETE_OBJECT_TAGGING,
	OP_CREATE_MULTIPART_UPLOAD,
	OP_UPLOAD_PART,
	OP_UPLOAD_PART_COPY,
	OP_COMPLETE_MULTIPART_UPLOAD,
	OP_ABORT_MULTIPART_UPLOAD,
	OP_LIST_PARTS,
	OP__COUNT
};

struct req;

/* "CopyObject" and so on. Static. */
const char *op_name(enum op op);
/* The operation of that name; OP_UNKNOWN when there is none. */
enum op op_by_name(const char *name);
/* Counts against the rate of writes (PUT, COPY, POST, DELETE), else of reads. */
bool op_is_write(enum op op);
/* Which operation a request is, by method, bucket, key and parameters. */
enum op op_of(const struct req *r);
/* Runs r->op and makes the answer. */
void op_run(struct req *r);

/* op_bucket.c */
void op_list_buckets(struct req *r);
void op_create_bucket(struct req *r);
void op_delete_bucket(struct req *r);
void op_head_bucket(struct req *r);
void op_get_bucket_location(struct req *r);
/* op_list.c */
void op_list_objects_v2(struct req *r);
void op_list_objects(struct req *r);
/* op_versions.c */
void op_list_object_versions(struct req *r);
void op_get_bucket_versioning(struct req *r);
void op_put_bucket_versioning(struct req *r);
/* op_delete.c */
/* Parses the body into r->keys; false with an error answer. Called before rates are applied. */
bool op_delete_objects_parse(struct req *r);
void op_delete_objects(struct req *r);
void op_delete_object(struct req *r);
/* op_object.c */
void op_head_object(struct req *r);
void op_get_object(struct req *r);
void op_put_object(struct req *r);
/* op_tagging.c */
void op_get_object_tagging(struct req *r);
void op_put_object_tagging(struct req *r);
void op_delete_object_tagging(struct req *r);
/* op_copy.c */
void op_copy_object(struct req *r);
void op_upload_part_copy(struct req *r);
/* op_multi.c */
void op_create_multipart_upload(struct req *r);
void op_upload_part(struct req *r);
void op_complete_multipart_upload(struct req *r);
void op_abort_multipart_upload(struct req *r);
/* op_multi_list.c */
void op_list_parts(struct req *r);
void op_list_multipart_uploads(struct req *r);

#endif
