/* The source of CopyObject and UploadPartCopy. */
#ifndef S3D_SOURCE_H
#define S3D_SOURCE_H

#include "req.h"

#define COPY_SOURCE_MAX ((uint64_t)5 << 30)

/*
 * Finds the object that x-amz-copy-source names and checks x-amz-copy-source-if-*. NULL with the
 * error answer.
 */
struct object *source_find(struct req *r, struct bucket **ret_bucket);

/* op_multi.c: the upload and the part number that the request names; NULL or 0 with the error. */
struct upload *multi_upload(struct req *r, struct bucket *bucket);
unsigned multi_part_number(struct req *r);

#endif
