/*
 * Replies other than listings: see s3_xml.h. One owner at a time; strings are kept in one buffer by
 * their offsets and become pointers at the end of the document.
 */
#include <stdlib.h>
#include <string.h>

#include "s3/s3_xml.h"
#include "s3/s3_xml_sax.h"
#include "util/mem.h"

/* An <Error> of a DeleteResult, or a <Tag>. */
struct row {
	struct s3_span key, value, code, message;
};

struct s3_xml_reply {
	struct s3_sax sax;
	enum s3_tag expected;
	struct s3_span etag, upload_id, status;
	int64_t mtime_ms;
	struct row *rows;
	struct s3_xml_key_error *key_errors;
	struct s3_object_tag *tags;
	size_t count, room;
};

static const enum s3_tag root_tags[S3_ROOT__COUNT] = {
	[S3_ROOT_NONE] = TAG_OTHER,
	[S3_ROOT_COPY_OBJECT] = TAG_COPY_OBJECT_RESULT,
	[S3_ROOT_COPY_PART] = TAG_COPY_PART_RESULT,
	[S3_ROOT_INITIATE] = TAG_INITIATE_RESULT,
	[S3_ROOT_COMPLETE] = TAG_COMPLETE_RESULT,
	[S3_ROOT_DELETE] = TAG_DELETE_RESULT,
	[S3_ROOT_TAGGING] = TAG_TAGGING,
	[S3_ROOT_VERSIONING] = TAG_VERSIONING,
};

static bool start(void *owner, enum s3_tag parent, enum s3_tag tag)
{
	struct s3_xml_reply *reply = owner;

	if (!(parent == TAG_DELETE_RESULT && tag == TAG_ERROR && reply->sax.depth == 2) &&
		!(tag == TAG_TAG && reply->sax.depth == 3 && reply->sax.root == TAG_TAGGING))
		return true;
	if (reply->count == S3_XML_ENTRIES_MAX)
		return false;
	if (reply->count == reply->room) {
		reply->room = reply->room ? reply->room * 2 : 16;
		reply->rows = mem_resize(reply->rows, reply->room, sizeof(*reply->rows));
	}
	memset(&reply->rows[reply->count++], 0, sizeof(*reply->rows));
	return true;
}

static bool end_of_field(struct s3_xml_reply *reply, enum s3_tag tag, struct bytes text)
{
	switch (tag) {
	case TAG_ETAG:
		reply->etag = s3_sax_keep(&reply->sax, s3_xml_unquote(text));
		return true;
	case TAG_UPLOAD_ID:
		reply->upload_id = s3_sax_keep(&reply->sax, text);
		return true;
	case TAG_STATUS:
		reply->status = s3_sax_keep(&reply->sax, text);
		return true;
	case TAG_LAST_MODIFIED:
		reply->mtime_ms = s3_xml_time_ms(text);
		return reply->mtime_ms >= 0;
	default:
		return true;
	}
}

static void end_of_row_field(struct s3_xml_reply *reply, enum s3_tag tag, struct bytes text)
{
	struct row *row = &reply->rows[reply->count - 1];

	if (tag == TAG_KEY)
		row->key = s3_sax_keep(&reply->sax, text);
	else if (tag == TAG_VALUE)
		row->value = s3_sax_keep(&reply->sax, text);
	else if (tag == TAG_CODE)
		row->code = s3_sax_keep(&reply->sax, text);
	else if (tag == TAG_MESSAGE)
		row->message = s3_sax_keep(&reply->sax, text);
}

static bool end(void *owner, enum s3_tag parent, enum s3_tag tag, struct bytes text)
{
	struct s3_xml_reply *reply = owner;

	if (reply->sax.root != reply->expected)
		return true;
	if (reply->sax.depth == 1)
		return end_of_field(reply, tag, text);
	if ((reply->sax.depth == 2 && parent == TAG_ERROR &&
		    reply->sax.open[0] == TAG_DELETE_RESULT) ||
		(reply->sax.depth == 3 && parent == TAG_TAG && reply->sax.open[0] == TAG_TAGGING))
		end_of_row_field(reply, tag, text);
	return true;
}

struct s3_xml_reply *s3_xml_reply_new(void)
{
	struct s3_xml_reply *reply = mem_zalloc(sizeof(*reply));

	s3_sax_init(&reply->sax, reply, start, end);
	return reply;
}

void s3_xml_reply_free(struct s3_xml_reply *reply)
{
	if (!reply)
		return;
	s3_sax_done(&reply->sax);
	free(reply->rows);
	free(reply->key_errors);
	free(reply->tags);
	free(reply);
}

void s3_xml_reply_reset(struct s3_xml_reply *reply, enum s3_xml_root expected)
{
	s3_sax_reset(&reply->sax);
	reply->expected = root_tags[expected];
	reply->etag = reply->upload_id = reply->status = (struct s3_span){0, 0};
	reply->mtime_ms = 0;
	reply->count = 0;
	free(reply->key_errors);
	free(reply->tags);
	reply->key_errors = NULL;
	reply->tags = NULL;
}

bool s3_xml_reply_feed(struct s3_xml_reply *reply, const char *p, size_t len)
{
	return s3_sax_feed(&reply->sax, p, len);
}

static void make_key_errors(struct s3_xml_reply *reply)
{
	size_t i;

	free(reply->key_errors);
	reply->key_errors = mem_calloc(reply->count, sizeof(*reply->key_errors));
	for (i = 0; i < reply->count; i++) {
		reply->key_errors[i].key = s3_sax_kept(&reply->sax, reply->rows[i].key);
		reply->key_errors[i].code = s3_sax_kept(&reply->sax, reply->rows[i].code);
		reply->key_errors[i].message = s3_sax_kept(&reply->sax, reply->rows[i].message);
	}
}

static void make_tags(struct s3_xml_reply *reply)
{
	size_t i;

	free(reply->tags);
	reply->tags = mem_calloc(reply->count, sizeof(*reply->tags));
	for (i = 0; i < reply->count; i++) {
		reply->tags[i].key = s3_sax_kept(&reply->sax, reply->rows[i].key);
		reply->tags[i].value = s3_sax_kept(&reply->sax, reply->rows[i].value);
	}
}

enum s3_xml_status s3_xml_reply_end(
	struct s3_xml_reply *reply, struct s3_xml_fields *fields, struct s3_xml_fault *fault)
{
	enum s3_xml_status status = s3_sax_end(&reply->sax, reply->expected, fault);

	memset(fields, 0, sizeof(*fields));
	if (status != S3_XML_OK)
		return status;
	if (reply->expected == TAG_INITIATE_RESULT && !reply->upload_id.len)
		return S3_XML_BAD;
	fields->etag = s3_sax_kept(&reply->sax, reply->etag);
	fields->upload_id = s3_sax_kept(&reply->sax, reply->upload_id);
	fields->status = s3_sax_kept(&reply->sax, reply->status);
	fields->mtime_ms = reply->mtime_ms;
	if (reply->expected == TAG_TAGGING) {
		make_tags(reply);
		fields->tags = reply->tags;
		fields->tag_count = reply->count;
		return S3_XML_OK;
	}
	make_key_errors(reply);
	fields->key_errors = reply->key_errors;
	fields->key_error_count = reply->count;
	return S3_XML_OK;
}
