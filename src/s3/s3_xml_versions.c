/*
 * Pages of ListObjectVersions: see s3_xml.h. Made as s3_xml_list.c is: strings are kept by their
 * offsets while the document comes in, keys are decoded at its end. One owner at a time.
 */
#include <stdlib.h>
#include <string.h>

#include "s3/s3_uri.h"
#include "s3/s3_value.h"
#include "s3/s3_xml.h"
#include "s3/s3_xml_sax.h"
#include "util/mem.h"

struct row {
	struct s3_span key, id, etag, storage_class;
	uint64_t size_bytes;
	int64_t mtime_ms;
	bool is_prefix, is_marker, is_latest, has_size, has_time;
	size_t at; /* in the document */
};

struct s3_xml_versions {
	struct s3_sax sax;
	struct row *rows;
	struct s3_version *versions;
	size_t count, room;
	struct buf decoded; /* keys, when they came encoded */
	struct s3_span next_key, next_version;
	bool url_encoded, has_truncated, truncated;
};

static struct row *add_row(struct s3_xml_versions *v)
{
	struct row *row;

	if (v->count == S3_XML_ENTRIES_MAX)
		return NULL;
	if (v->count == v->room) {
		v->room = v->room ? v->room * 2 : 64;
		v->rows = mem_resize(v->rows, v->room, sizeof(*v->rows));
	}
	row = &v->rows[v->count];
	memset(row, 0, sizeof(*row));
	row->at = v->count++;
	return row;
}

static bool start(void *owner, enum s3_tag parent, enum s3_tag tag)
{
	struct s3_xml_versions *v = owner;
	struct row *row;

	if (parent != TAG_VERSIONS_RESULT || v->sax.depth != 2 ||
		(tag != TAG_VERSION && tag != TAG_DELETE_MARKER))
		return true;
	row = add_row(v);
	if (row)
		row->is_marker = tag == TAG_DELETE_MARKER;
	return row != NULL;
}

static bool end_of_version_field(struct s3_xml_versions *v, enum s3_tag tag, struct bytes text)
{
	struct row *row = &v->rows[v->count - 1];

	switch (tag) {
	case TAG_KEY:
		row->key = s3_sax_keep(&v->sax, text);
		return text.len > 0;
	case TAG_VERSION_ID:
		row->id = s3_sax_keep(&v->sax, text);
		return text.len > 0;
	case TAG_IS_LATEST:
		row->is_latest = bytes_equal(text, BYTES_LIT("true"));
		return true;
	case TAG_ETAG:
		row->etag = s3_sax_keep(&v->sax, s3_xml_unquote(text));
		return true;
	case TAG_SIZE:
		row->has_size = true;
		return s3_value_size(text, &row->size_bytes);
	case TAG_LAST_MODIFIED:
		row->mtime_ms = s3_xml_time_ms(text);
		row->has_time = row->mtime_ms >= 0;
		return row->has_time;
	case TAG_STORAGE_CLASS:
		row->storage_class = s3_sax_keep(&v->sax, text);
		return true;
	default:
		return true;
	}
}

/* Without an id or a time nobody can say which version it was, and without a size what it is. */
static bool is_whole(const struct row *row)
{
	return row->key.len && row->id.len && row->has_time && (row->has_size || row->is_marker);
}

static bool end_of_page_field(struct s3_xml_versions *v, enum s3_tag tag, struct bytes text)
{
	switch (tag) {
	case TAG_VERSION:
	case TAG_DELETE_MARKER:
		return is_whole(&v->rows[v->count - 1]);
	case TAG_IS_TRUNCATED:
		v->truncated = bytes_equal(text, BYTES_LIT("true"));
		v->has_truncated = true;
		return v->truncated || bytes_equal(text, BYTES_LIT("false"));
	case TAG_NEXT_KEY:
		v->next_key = s3_sax_keep(&v->sax, text);
		return true;
	case TAG_NEXT_VERSION:
		v->next_version = s3_sax_keep(&v->sax, text);
		return true;
	case TAG_ENCODING_TYPE:
		v->url_encoded = bytes_equal(text, BYTES_LIT("url"));
		return v->url_encoded || !text.len;
	default:
		return true;
	}
}

static bool end_of_prefix(struct s3_xml_versions *v, struct bytes text)
{
	struct row *row = text.len ? add_row(v) : NULL;

	if (!row)
		return false;
	row->key = s3_sax_keep(&v->sax, text);
	row->is_prefix = true;
	return true;
}

static bool end(void *owner, enum s3_tag parent, enum s3_tag tag, struct bytes text)
{
	struct s3_xml_versions *v = owner;

	if (v->sax.root != TAG_VERSIONS_RESULT)
		return true;
	if (parent == TAG_VERSIONS_RESULT && v->sax.depth == 1)
		return end_of_page_field(v, tag, text);
	if (v->sax.depth != 2)
		return true;
	if (parent == TAG_VERSION || parent == TAG_DELETE_MARKER)
		return end_of_version_field(v, tag, text);
	if (parent == TAG_COMMON_PREFIXES && tag == TAG_PREFIX)
		return end_of_prefix(v, text);
	return true;
}

/* ---- the page -------------------------------------------------------------------------------- */

struct s3_xml_versions *s3_xml_versions_new(void)
{
	struct s3_xml_versions *v = mem_zalloc(sizeof(*v));

	s3_sax_init(&v->sax, v, start, end);
	v->decoded = BUF_INIT(S3_XML_KEPT_MAX);
	return v;
}

void s3_xml_versions_free(struct s3_xml_versions *v)
{
	if (!v)
		return;
	s3_sax_done(&v->sax);
	buf_free(&v->decoded);
	free(v->rows);
	free(v->versions);
	free(v);
}

void s3_xml_versions_reset(struct s3_xml_versions *v)
{
	s3_sax_reset(&v->sax);
	buf_cut(&v->decoded, 0);
	free(v->versions);
	v->versions = NULL;
	v->count = 0;
	v->next_key = v->next_version = (struct s3_span){0, 0};
	v->url_encoded = v->has_truncated = v->truncated = false;
}

void s3_xml_versions_feed(struct s3_xml_versions *v, const char *p, size_t len)
{
	s3_sax_feed(&v->sax, p, len);
}

static void decode(struct s3_xml_versions *v, struct s3_span *text)
{
	size_t from = v->decoded.len;

	s3_uri_decode(&v->decoded, s3_sax_kept(&v->sax, *text));
	*text = (struct s3_span){from, v->decoded.len - from};
}

static struct bytes key_of(const struct s3_xml_versions *v, struct s3_span span)
{
	return BYTES(buf_str(v->url_encoded ? &v->decoded : &v->sax.kept) + span.start, span.len);
}

/* Some servers send delete markers behind the versions. */
static int compare_rows(const void *a, const void *b, void *ctx)
{
	const struct row *x = a, *y = b;
	int order = bytes_cmp(key_of(ctx, x->key), key_of(ctx, y->key));

	if (order)
		return order;
	if (x->is_latest != y->is_latest)
		return y->is_latest - x->is_latest;
	if (x->mtime_ms != y->mtime_ms)
		return x->mtime_ms < y->mtime_ms ? 1 : -1;
	return (x->at > y->at) - (x->at < y->at);
}

static void make_versions(struct s3_xml_versions *v)
{
	size_t i;

	if (v->count)
		qsort_r(v->rows, v->count, sizeof(*v->rows), compare_rows, v);
	v->versions = mem_calloc(v->count, sizeof(*v->versions));
	for (i = 0; i < v->count; i++) {
		const struct row *row = &v->rows[i];

		v->versions[i] = (struct s3_version){
			.key = key_of(v, row->key),
			.id = s3_sax_kept(&v->sax, row->id),
			.etag = s3_sax_kept(&v->sax, row->etag),
			.storage_class = s3_sax_kept(&v->sax, row->storage_class),
			.size_bytes = row->size_bytes,
			.mtime_ms = row->mtime_ms,
			.is_latest = row->is_latest,
			.is_marker = row->is_marker,
			.is_prefix = row->is_prefix,
		};
	}
}

enum s3_xml_status s3_xml_versions_end(
	struct s3_xml_versions *v, struct s3_versions_page *page, struct s3_xml_fault *fault)
{
	enum s3_xml_status status = s3_sax_end(&v->sax, TAG_VERSIONS_RESULT, fault);
	size_t i;

	memset(page, 0, sizeof(*page));
	if (status != S3_XML_OK)
		return status;
	if (!v->has_truncated || (v->truncated && !v->next_key.len))
		return S3_XML_BAD;
	for (i = 0; v->url_encoded && i < v->count; i++)
		decode(v, &v->rows[i].key);
	if (v->url_encoded)
		decode(v, &v->next_key);
	make_versions(v);
	page->versions = v->versions;
	page->count = v->count;
	page->truncated = v->truncated;
	page->next_key = key_of(v, v->next_key);
	page->next_version = s3_sax_kept(&v->sax, v->next_version);
	return S3_XML_OK;
}
