/* Names, routing and dispatch of the operations: see ops.h. One thread. */
#include "ops.h"

#include <string.h>

#include "lacks.h"
#include "req.h"

static const struct {
	const char *name;
	void (*run)(struct req *r);
	bool write;
} ops[OP__COUNT] = {
	[OP_UNKNOWN] = {"Unknown", NULL, false},
	[OP_LIST_BUCKETS] = {"ListBuckets", op_list_buckets, false},
	[OP_CREATE_BUCKET] = {"CreateBucket", op_create_bucket, true},
	[OP_DELETE_BUCKET] = {"DeleteBucket", op_delete_bucket, true},
	[OP_HEAD_BUCKET] = {"HeadBucket", op_head_bucket, false},
	[OP_GET_BUCKET_LOCATION] = {"GetBucketLocation", op_get_bucket_location, false},
	[OP_LIST_OBJECTS_V2] = {"ListObjectsV2", op_list_objects_v2, false},
	[OP_LIST_OBJECTS] = {"ListObjects", op_list_objects, false},
	[OP_LIST_OBJECT_VERSIONS] = {"ListObjectVersions", op_list_object_versions, false},
	[OP_GET_BUCKET_VERSIONING] = {"GetBucketVersioning", op_get_bucket_versioning, false},
	[OP_PUT_BUCKET_VERSIONING] = {"PutBucketVersioning", op_put_bucket_versioning, true},
	[OP_LIST_MULTIPART_UPLOADS] = {"ListMultipartUploads", op_list_multipart_uploads, false},
	[OP_DELETE_OBJECTS] = {"DeleteObjects", op_delete_objects, true},
	[OP_HEAD_OBJECT] = {"HeadObject", op_head_object, false},
	[OP_GET_OBJECT] = {"GetObject", op_get_object, false},
	[OP_PUT_OBJECT] = {"PutObject", op_put_object, true},
	[OP_COPY_OBJECT] = {"CopyObject", op_copy_object, true},
	[OP_DELETE_OBJECT] = {"DeleteObject", op_delete_object, true},
	[OP_GET_OBJECT_TAGGING] = {"GetObjectTagging", op_get_object_tagging, false},
	[OP_PUT_OBJECT_TAGGING] = {"PutObjectTagging", op_put_object_tagging, true},
	[OP_DELETE_OBJECT_TAGGING] = {"DeleteObjectTagging", op_delete_object_tagging, true},
	[OP_CREATE_MULTIPART_UPLOAD] = {"CreateMultipartUpload", op_create_multipart_upload, true},
	[OP_UPLOAD_PART] = {"UploadPart", op_upload_part, true},
	[OP_UPLOAD_PART_COPY] = {"UploadPartCopy", op_upload_part_copy, true},
	[OP_COMPLETE_MULTIPART_UPLOAD] = {"CompleteMultipartUpload", op_complete_multipart_upload,
		true},
	[OP_ABORT_MULTIPART_UPLOAD] = {"AbortMultipartUpload", op_abort_multipart_upload, true},
	[OP_LIST_PARTS] = {"ListParts", op_list_parts, false},
};

const char *op_name(enum op op)
{
	return ops[op].name;
}

enum op op_by_name(const char *name)
{
	for (int i = 1; i < OP__COUNT; i++)
		if (!strcmp(ops[i].name, name))
			return (enum op)i;
	return OP_UNKNOWN;
}

bool op_is_write(enum op op)
{
	return ops[op].write;
}

/* Parameters that make a request another operation, which this server does not have. */
static bool is_other_subresource(const struct req *r)
{
	static const char *const names[] = {"accelerate", "acl", "analytics", "attributes", "cors",
		"encryption", "intelligent-tiering", "inventory", "legal-hold", "lifecycle",
		"logging", "metrics", "notification", "object-lock", "ownershipControls",
		"partNumber", "policy", "policyStatus", "publicAccessBlock", "renameObject",
		"replication", "requestPayment", "restore", "retention", "select", "session",
		"torrent", "versioning", "versions", "website", "append"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (req_param(r, names[i]))
			return true;
	return false;
}

static enum op bucket_op(const struct req *r, const char *m)
{
	const char *type = req_param(r, "list-type");

	if (!strcmp(m, "POST") && req_param(r, "delete"))
		return OP_DELETE_OBJECTS;
	if (!strcmp(m, "GET") && req_param(r, "versions"))
		return OP_LIST_OBJECT_VERSIONS;
	if (req_param(r, "versioning") && (!strcmp(m, "GET") || !strcmp(m, "PUT")))
		return *m == 'G' ? OP_GET_BUCKET_VERSIONING : OP_PUT_BUCKET_VERSIONING;
	if (is_other_subresource(r) || req_param(r, "tagging"))
		return OP_UNKNOWN;
	if (!strcmp(m, "PUT"))
		return OP_CREATE_BUCKET;
	if (!strcmp(m, "DELETE"))
		return OP_DELETE_BUCKET;
	if (!strcmp(m, "HEAD"))
		return OP_HEAD_BUCKET;
	if (strcmp(m, "GET"))
		return OP_UNKNOWN;
	if (req_param(r, "location"))
		return OP_GET_BUCKET_LOCATION;
	if (req_param(r, "uploads"))
		return OP_LIST_MULTIPART_UPLOADS;
	return type && !strcmp(type, "2") ? OP_LIST_OBJECTS_V2 : OP_LIST_OBJECTS;
}

static enum op upload_op(const struct req *r, const char *m)
{
	bool copy = req_header(r, "x-amz-copy-source");

	if (!strcmp(m, "PUT") && req_param(r, "partNumber"))
		return copy ? OP_UPLOAD_PART_COPY : OP_UPLOAD_PART;
	if (!strcmp(m, "POST"))
		return OP_COMPLETE_MULTIPART_UPLOAD;
	if (!strcmp(m, "DELETE"))
		return OP_ABORT_MULTIPART_UPLOAD;
	return !strcmp(m, "GET") ? OP_LIST_PARTS : OP_UNKNOWN;
}

static enum op object_op(const struct req *r, const char *m)
{
	bool tagging = req_param(r, "tagging");

	if (req_param(r, "uploadId"))
		return upload_op(r, m);
	if (is_other_subresource(r))
		return OP_UNKNOWN;
	if (!strcmp(m, "GET"))
		return tagging ? OP_GET_OBJECT_TAGGING : OP_GET_OBJECT;
	if (!strcmp(m, "HEAD"))
		return OP_HEAD_OBJECT;
	if (!strcmp(m, "DELETE"))
		return tagging ? OP_DELETE_OBJECT_TAGGING : OP_DELETE_OBJECT;
	if (!strcmp(m, "POST"))
		return req_param(r, "uploads") ? OP_CREATE_MULTIPART_UPLOAD : OP_UNKNOWN;
	if (strcmp(m, "PUT"))
		return OP_UNKNOWN;
	if (tagging)
		return OP_PUT_OBJECT_TAGGING;
	return req_header(r, "x-amz-copy-source") ? OP_COPY_OBJECT : OP_PUT_OBJECT;
}

enum op op_of(const struct req *r)
{
	if (r->key.len)
		return object_op(r, r->method);
	if (r->bucket)
		return bucket_op(r, r->method);
	return !strcmp(r->method, "GET") ? OP_LIST_BUCKETS : OP_UNKNOWN;
}

void op_run(struct req *r)
{
	if (!ops[r->op].run)
		req_error(r, "NotImplemented", NULL);
	else if (!lacks_refuse(r))
		ops[r->op].run(r);
}
