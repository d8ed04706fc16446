/* What new objects have: see s3_made.h. */
#include "s3/s3_made.h"

#include <stdlib.h>

#include "s3/s3_creds.h"
#include "util/mem.h"

struct s3_object_settings s3_object_settings_dup(const struct s3_object_settings *from)
{
	return (struct s3_object_settings){
		.storage_class = mem_strdup(from->storage_class),
		.encryption = mem_strdup(from->encryption),
		.kms_key_id = mem_strdup(from->kms_key_id),
		.bucket_key = from->bucket_key,
		.no_tags = from->no_tags,
		.acl = mem_strdup(from->acl),
		.customer_key = mem_strdup(from->customer_key),
	};
}

void s3_object_settings_clear(struct s3_object_settings *s)
{
	free((char *)s->storage_class);
	free((char *)s->encryption);
	free((char *)s->kms_key_id);
	free((char *)s->acl);
	s3_secret_free((char *)s->customer_key);
	*s = (struct s3_object_settings){0};
}

void s3_object_settings_apply(const struct s3_object_settings *s, struct s3_meta *made)
{
	if (s->storage_class)
		made->storage_class = s->storage_class;
	/* S3 takes one of the two. */
	if (s->encryption || s->customer_key) {
		made->encryption = s->encryption;
		made->kms_key_id = s->kms_key_id;
		made->bucket_key = s->bucket_key ? "true" : NULL;
	}
}
