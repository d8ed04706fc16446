/* Operations on buckets: see ops.h. One thread. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "persist.h"
#include "req.h"
#include "s3d.h"
#include "xml.h"

void op_list_buckets(struct req *r)
{
	struct buf *b = req_xml(r);
	struct bucket *bucket, *tmp;

	buf_adds(b, "<ListAllMyBucketsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
		    "<Owner><ID>s3d</ID><DisplayName>s3d</DisplayName></Owner><Buckets>");
	HASH_ITER(hh, r->srv->store.buckets, bucket, tmp)
	{
		buf_adds(b, "<Bucket>");
		xml_element_str(b, "Name", bucket->name);
		xml_element_time(b, "CreationDate", bucket->created_ms);
		buf_adds(b, "</Bucket>");
	}
	buf_adds(b, "</Buckets></ListAllMyBucketsResult>");
}

/* "General purpose bucket naming rules", S3 User Guide, without its lists of reserved affixes. */
static bool is_bucket_name(const char *s)
{
	size_t len = strlen(s);

	if (len < 3 || len > 63 || strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789.-") != len)
		return false;
	return isalnum((unsigned char)s[0]) && isalnum((unsigned char)s[len - 1]) &&
	       !strstr(s, "..");
}

void op_create_bucket(struct req *r)
{
	struct store *store = &r->srv->store;

	if (!is_bucket_name(r->bucket)) {
		req_error(r, "InvalidBucketName", NULL);
	} else if (store_bucket(store, r->bucket)) {
		req_error(r, "BucketAlreadyOwnedByYou", NULL);
	} else if (persist_bucket(store, r->bucket)) {
		req_error(r, "InternalError", "The folder of --dir cannot be written");
	} else {
		store_bucket_new(store, r->bucket, r->srv->opts.region);
		req_add_header(r, "Location", r->path.ptr);
	}
}

void op_delete_bucket(struct req *r)
{
	struct store *store = &r->srv->store;
	struct bucket *b = req_bucket(r);

	if (!b)
		return;
	if (b->object_count) {
		req_error(r, "BucketNotEmpty", NULL);
		return;
	}
	if (persist_bucket_remove(store, b->name)) {
		req_error(r, "InternalError", "The folder of --dir cannot be written");
		return;
	}
	store_bucket_free(store, b);
	req_status(r, 204);
}

void op_head_bucket(struct req *r)
{
	req_bucket(r);
}

void op_get_bucket_location(struct req *r)
{
	struct bucket *bucket = req_bucket(r);
	struct buf *b;

	if (!bucket)
		return;
	b = req_xml(r);
	buf_adds(b, "<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	/* us-east-1 is the empty constraint. */
	if (strcmp(bucket->region, "us-east-1"))
		buf_adds(b, bucket->region);
	buf_adds(b, "</LocationConstraint>");
}
