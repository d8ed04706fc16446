/*
 * Pages of ListObjectsV2 and ListObjects: see s3_xml.h. One owner at a time. The page's strings are
 * kept in one buffer by their offsets while the document comes in, and become pointers at its end.
 * Keys are decoded only then: EncodingType may follow them.
 */
#include <stdlib.h>
#include <string.h>

#include "s3/s3_uri.h"
#include "s3/s3_value.h"
#include "s3/s3_xml.h"
#include "s3/s3_xml_sax.h"
#include "util/mem.h"

struct row {
	struct s3_span key, etag, storage_class;
	uint64_t size_bytes;
	int64_t mtime_ms;
	bool is_prefix, has_key, has_size;
};

struct s3_xml_list {
	struct s3_sax sax;
	struct row *rows;
	struct s3_list_entry *entries;
	size_t count, room;
	struct buf decoded; /* keys, when they came encoded */
	struct s3_span next_token, next_marker, last_class;
	bool url_encoded, has_truncated, truncated, has_token;
	bool has_count, has_marker; /* what only V2, and only V1 has */
};

/* ---- elements -------------------------------------------------------------------------------- */

static struct row *add_row(struct s3_xml_list *list)
{
	struct row *row;

	if (list->count == S3_XML_ENTRIES_MAX)
		return NULL;
	if (list->count == list->room) {
		list->room = list->room ? list->room * 2 : 64;
		list->rows = mem_resize(list->rows, list->room, sizeof(*list->rows));
	}
	row = &list->rows[list->count++];
	memset(row, 0, sizeof(*row));
	return row;
}

static bool start(void *owner, enum s3_tag parent, enum s3_tag tag)
{
	struct s3_xml_list *list = owner;

	/* One <CommonPrefixes> may hold several <Prefix>: those make their rows themselves. */
	if (parent == TAG_LIST_RESULT && tag == TAG_CONTENTS && list->sax.depth == 2)
		return add_row(list) != NULL;
	return true;
}

/* Nearly all objects of a page have the same class: it is kept once. */
static struct s3_span keep_class(struct s3_xml_list *list, struct bytes text)
{
	if (!list->last_class.len || !bytes_equal(s3_sax_kept(&list->sax, list->last_class), text))
		list->last_class = s3_sax_keep(&list->sax, text);
	return list->last_class;
}

static bool end_of_object_field(struct s3_xml_list *list, enum s3_tag tag, struct bytes text)
{
	struct row *row = &list->rows[list->count - 1];

	switch (tag) {
	case TAG_KEY:
		row->key = s3_sax_keep(&list->sax, text);
		row->has_key = text.len > 0;
		return row->has_key;
	case TAG_ETAG:
		row->etag = s3_sax_keep(&list->sax, s3_xml_unquote(text));
		return true;
	case TAG_SIZE:
		row->has_size = true;
		return s3_value_size(text, &row->size_bytes);
	case TAG_LAST_MODIFIED:
		row->mtime_ms = s3_xml_time_ms(text);
		return row->mtime_ms >= 0;
	case TAG_STORAGE_CLASS:
		row->storage_class = keep_class(list, text);
		return true;
	default:
		return true;
	}
}

static bool end_of_prefix(struct s3_xml_list *list, struct bytes text)
{
	struct row *row = add_row(list);

	if (!row || !text.len)
		return false;
	row->key = s3_sax_keep(&list->sax, text);
	row->is_prefix = row->has_key = row->has_size = true;
	return true;
}

static bool end_of_page_field(struct s3_xml_list *list, enum s3_tag tag, struct bytes text)
{
	const struct row *row;

	switch (tag) {
	case TAG_CONTENTS:
		row = &list->rows[list->count - 1];
		return row->has_key && row->has_size;
	case TAG_IS_TRUNCATED:
		list->truncated = bytes_equal(text, BYTES_LIT("true"));
		list->has_truncated = true;
		return list->truncated || bytes_equal(text, BYTES_LIT("false"));
	case TAG_NEXT_TOKEN:
		list->next_token = s3_sax_keep(&list->sax, text);
		list->has_token = text.len > 0;
		return true;
	case TAG_NEXT_MARKER:
		list->next_marker = s3_sax_keep(&list->sax, text);
		list->has_marker = true;
		return true;
	case TAG_MARKER:
		list->has_marker = true;
		return true;
	case TAG_KEY_COUNT:
		list->has_count = true;
		return true;
	case TAG_ENCODING_TYPE:
		list->url_encoded = bytes_equal(text, BYTES_LIT("url"));
		return list->url_encoded || !text.len;
	default:
		return true;
	}
}

static bool end(void *owner, enum s3_tag parent, enum s3_tag tag, struct bytes text)
{
	struct s3_xml_list *list = owner;

	if (list->sax.root != TAG_LIST_RESULT)
		return true;
	if (parent == TAG_LIST_RESULT && list->sax.depth == 1)
		return end_of_page_field(list, tag, text);
	if (parent == TAG_CONTENTS && list->sax.depth == 2)
		return end_of_object_field(list, tag, text);
	if (parent == TAG_COMMON_PREFIXES && list->sax.depth == 2 && tag == TAG_PREFIX)
		return end_of_prefix(list, text);
	return true;
}

/* ---- the page -------------------------------------------------------------------------------- */

struct s3_xml_list *s3_xml_list_new(void)
{
	struct s3_xml_list *list = mem_zalloc(sizeof(*list));

	s3_sax_init(&list->sax, list, start, end);
	list->decoded = BUF_INIT(S3_XML_KEPT_MAX);
	return list;
}

void s3_xml_list_free(struct s3_xml_list *list)
{
	if (!list)
		return;
	s3_sax_done(&list->sax);
	buf_free(&list->decoded);
	free(list->rows);
	free(list->entries);
	free(list);
}

void s3_xml_list_reset(struct s3_xml_list *list)
{
	s3_sax_reset(&list->sax);
	buf_cut(&list->decoded, 0);
	free(list->entries);
	list->entries = NULL;
	list->count = 0;
	list->next_token = list->next_marker = list->last_class = (struct s3_span){0, 0};
	list->url_encoded = list->has_truncated = list->truncated = list->has_token = false;
	list->has_count = list->has_marker = false;
}

bool s3_xml_list_feed(struct s3_xml_list *list, const char *p, size_t len)
{
	return s3_sax_feed(&list->sax, p, len);
}

static void decode(struct s3_xml_list *list, struct s3_span *key)
{
	size_t from = list->decoded.len;

	s3_uri_decode(&list->decoded, s3_sax_kept(&list->sax, *key));
	*key = (struct s3_span){from, list->decoded.len - from};
}

/* Moves all keys, decoded, into their own buffer. A decoded key is never longer: nothing fails. */
static void decode_keys(struct s3_xml_list *list)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		decode(list, &list->rows[i].key);
	decode(list, &list->next_marker);
}

bool s3_class_archived(struct bytes storage_class)
{
	return bytes_equal(storage_class, BYTES_LIT("GLACIER")) ||
	       bytes_equal(storage_class, BYTES_LIT("DEEP_ARCHIVE"));
}

static int compare_entries(const void *a, const void *b)
{
	const struct s3_list_entry *x = a, *y = b;

	return bytes_cmp(x->key, y->key);
}

/* S3 sends the objects in order, then the prefixes in order. */
static void sort_entries(struct s3_list_entry *entries, size_t count)
{
	size_t i;

	for (i = 1; i < count; i++) {
		if (compare_entries(&entries[i - 1], &entries[i]) > 0) {
			qsort(entries, count, sizeof(*entries), compare_entries);
			return;
		}
	}
}

/* Where the keys are. */
static const char *keys_of(const struct s3_xml_list *list)
{
	return buf_str(list->url_encoded ? &list->decoded : &list->sax.kept);
}

static void make_entries(struct s3_xml_list *list)
{
	const char *keys = keys_of(list);
	size_t i;

	free(list->entries);
	list->entries = mem_calloc(list->count, sizeof(*list->entries));
	for (i = 0; i < list->count; i++) {
		const struct row *row = &list->rows[i];
		struct s3_list_entry *entry = &list->entries[i];

		entry->key = BYTES(keys + row->key.start, row->key.len);
		entry->etag = s3_sax_kept(&list->sax, row->etag);
		entry->storage_class = s3_sax_kept(&list->sax, row->storage_class);
		entry->archived = s3_class_archived(entry->storage_class);
		entry->size_bytes = row->size_bytes;
		entry->mtime_ms = row->mtime_ms;
		entry->is_prefix = row->is_prefix;
	}
	sort_entries(list->entries, list->count);
}

bool s3_xml_list_is_v1(const struct s3_xml_list *list)
{
	return !list->has_count && !list->has_token && (list->has_marker || list->truncated);
}

bool s3_xml_list_is_encoded(const struct s3_xml_list *list)
{
	return list->url_encoded;
}

/* Where the next page goes on. Without a delimiter V1 does not say it: at the last key. */
static struct bytes next_page(const struct s3_xml_list *list)
{
	if (list->has_token)
		return s3_sax_kept(&list->sax, list->next_token);
	if (!s3_xml_list_is_v1(list))
		return BYTES_LIT("");
	if (list->next_marker.len)
		return BYTES(keys_of(list) + list->next_marker.start, list->next_marker.len);
	return list->count ? list->entries[list->count - 1].key : BYTES_LIT("");
}

enum s3_xml_status s3_xml_list_end(
	struct s3_xml_list *list, struct s3_list_page *page, struct s3_xml_fault *fault)
{
	enum s3_xml_status status = s3_sax_end(&list->sax, TAG_LIST_RESULT, fault);
	struct bytes next;

	memset(page, 0, sizeof(*page));
	if (status != S3_XML_OK)
		return status;
	if (list->url_encoded)
		decode_keys(list);
	make_entries(list);
	next = list->truncated ? next_page(list) : BYTES_NONE;
	/* A page that does not say whether it is the last one could hide the rest of a listing. */
	if (!list->has_truncated || (list->truncated && !next.len))
		return S3_XML_BAD;
	page->entries = list->entries;
	page->count = list->count;
	page->truncated = list->truncated;
	page->next_token = next;
	return S3_XML_OK;
}
