/*
 * Pages of ListBuckets: see s3_xml.h. One owner at a time. Names are kept in one buffer by their
 * offsets while the document comes in, and become pointers at its end.
 */
#include <stdlib.h>
#include <string.h>

#include "s3/s3_xml.h"
#include "s3/s3_xml_sax.h"
#include "util/mem.h"

/* Names of 3 bytes at least, below the bound of a document. */
#define BUCKETS_MAX ((size_t)1 << 20)

struct s3_xml_buckets {
	struct s3_sax sax;
	struct s3_span *spans;
	struct bytes *names;
	size_t count, room;
	struct s3_span token;
};

static bool start(void *owner, enum s3_tag parent, enum s3_tag tag)
{
	(void)owner, (void)parent, (void)tag;
	return true;
}

static bool add_name(struct s3_xml_buckets *b, struct bytes text)
{
	if (!text.len || b->count == BUCKETS_MAX)
		return false;
	if (b->count == b->room) {
		b->room = b->room ? b->room * 2 : 64;
		b->spans = mem_resize(b->spans, b->room, sizeof(*b->spans));
	}
	b->spans[b->count++] = s3_sax_keep(&b->sax, text);
	return true;
}

static bool end(void *owner, enum s3_tag parent, enum s3_tag tag, struct bytes text)
{
	struct s3_xml_buckets *b = owner;

	if (b->sax.root != TAG_BUCKETS_RESULT)
		return true;
	if (parent == TAG_BUCKET && tag == TAG_NAME)
		return add_name(b, text);
	if (parent == TAG_BUCKETS_RESULT && tag == TAG_TOKEN)
		b->token = s3_sax_keep(&b->sax, text);
	return true;
}

struct s3_xml_buckets *s3_xml_buckets_new(void)
{
	struct s3_xml_buckets *b = mem_zalloc(sizeof(*b));

	s3_sax_init(&b->sax, b, start, end);
	return b;
}

void s3_xml_buckets_free(struct s3_xml_buckets *b)
{
	if (!b)
		return;
	s3_sax_done(&b->sax);
	free(b->spans);
	free(b->names);
	free(b);
}

void s3_xml_buckets_reset(struct s3_xml_buckets *b)
{
	s3_sax_reset(&b->sax);
	b->count = 0;
	b->token = (struct s3_span){0, 0};
}

bool s3_xml_buckets_feed(struct s3_xml_buckets *b, const char *p, size_t len)
{
	return s3_sax_feed(&b->sax, p, len);
}

enum s3_xml_status s3_xml_buckets_end(
	struct s3_xml_buckets *b, struct s3_bucket_page *page, struct s3_xml_fault *fault)
{
	enum s3_xml_status status = s3_sax_end(&b->sax, TAG_BUCKETS_RESULT, fault);
	size_t i;

	*page = (struct s3_bucket_page){0};
	if (status != S3_XML_OK)
		return status;
	free(b->names);
	b->names = mem_calloc(b->count + 1, sizeof(*b->names));
	for (i = 0; i < b->count; i++)
		b->names[i] = s3_sax_kept(&b->sax, b->spans[i]);
	page->names = b->names;
	page->count = b->count;
	page->next_token = s3_sax_kept(&b->sax, b->token);
	return S3_XML_OK;
}
