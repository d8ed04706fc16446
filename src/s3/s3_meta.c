/* What comes with an object, as values that outlive the answer they came in. Pure, any thread. */
#include <stdlib.h>

#include "s3/s3.h"
#include "s3/s3_uri.h"
#include "util/mem.h"

/* Every string of struct s3_meta. */
static const size_t strings[] = {
	offsetof(struct s3_meta, content_type),
	offsetof(struct s3_meta, storage_class),
	offsetof(struct s3_meta, cache_control),
	offsetof(struct s3_meta, content_disposition),
	offsetof(struct s3_meta, content_encoding),
	offsetof(struct s3_meta, content_language),
	offsetof(struct s3_meta, expires),
	offsetof(struct s3_meta, redirect),
	offsetof(struct s3_meta, encryption),
	offsetof(struct s3_meta, kms_key_id),
	offsetof(struct s3_meta, bucket_key),
	offsetof(struct s3_meta, checksum),
	offsetof(struct s3_meta, tagging),
};
#define STRING_COUNT (sizeof(strings) / sizeof(strings[0]))

static char **string_at(const struct s3_meta *m, size_t i)
{
	return (char **)((char *)(uintptr_t)m + strings[i]);
}

struct s3_meta *s3_meta_dup(const struct s3_meta *meta)
{
	struct s3_meta *copy = mem_zalloc(sizeof(*copy));
	struct s3_header *user = mem_calloc(meta->user_count, sizeof(*user));
	size_t i;

	for (i = 0; i < STRING_COUNT; i++)
		*string_at(copy, i) = mem_strdup(*string_at(meta, i));
	for (i = 0; i < meta->user_count; i++)
		user[i] = (struct s3_header){.name = mem_strdup(meta->user[i].name),
			.value = mem_strdup(meta->user[i].value)};
	copy->user = user;
	copy->user_count = meta->user_count;
	return copy;
}

void s3_meta_free(struct s3_meta *meta)
{
	size_t i;

	if (!meta)
		return;
	for (i = 0; i < STRING_COUNT; i++)
		free(*string_at(meta, i));
	for (i = 0; i < meta->user_count; i++) {
		free((char *)meta->user[i].name);
		free((char *)meta->user[i].value);
	}
	free((struct s3_header *)meta->user);
	free(meta);
}

void s3_tagging_header(const struct s3_object_tag *tags, size_t count, struct buf *out)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (i)
			buf_addc(out, '&');
		s3_uri_query(out, tags[i].key);
		buf_addc(out, '=');
		s3_uri_query(out, tags[i].value);
	}
}
