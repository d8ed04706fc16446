/*
 * Fuzz target for S3's replies: every document goes to the parsers of listings, of versions, of
 * lists of buckets and of all other replies, whole and in pieces, with the same result. The first
 * byte chooses the pieces' length and the expected root.
 */
#include "fuzz.h"

#include <string.h>

#include "s3/s3_xml.h"

static void check_page(const struct s3_list_page *page)
{
	size_t i;

	FUZZ_REQUIRE(page->count <= S3_XML_ENTRIES_MAX);
	FUZZ_REQUIRE(!page->truncated || page->next_token.len);
	for (i = 0; i < page->count; i++) {
		FUZZ_REQUIRE(page->entries[i].key.len);
		FUZZ_REQUIRE(page->entries[i].mtime_ms >= 0);
		FUZZ_REQUIRE(page->entries[i].size_bytes <= INT64_MAX);
		FUZZ_REQUIRE(!i || bytes_cmp(page->entries[i - 1].key, page->entries[i].key) <= 0);
	}
}

static enum s3_xml_status read_list(
	struct s3_xml_list *list, struct bytes text, size_t step, struct s3_list_page *page)
{
	struct s3_xml_fault fault;
	enum s3_xml_status status;
	size_t i;

	s3_xml_list_reset(list);
	for (i = 0; i < text.len; i += step)
		s3_xml_list_feed(list, text.ptr + i, text.len - i < step ? text.len - i : step);
	status = s3_xml_list_end(list, page, &fault);
	FUZZ_REQUIRE(status == S3_XML_OK || !page->count);
	check_page(page);
	return status;
}

static enum s3_xml_status read_buckets(
	struct s3_xml_buckets *buckets, struct bytes text, size_t step, size_t *count)
{
	struct s3_bucket_page page;
	struct s3_xml_fault fault;
	enum s3_xml_status status;
	size_t i;

	s3_xml_buckets_reset(buckets);
	for (i = 0; i < text.len; i += step)
		s3_xml_buckets_feed(
			buckets, text.ptr + i, text.len - i < step ? text.len - i : step);
	status = s3_xml_buckets_end(buckets, &page, &fault);
	FUZZ_REQUIRE(status == S3_XML_OK || !page.count);
	for (i = 0; i < page.count; i++)
		FUZZ_REQUIRE(page.names[i].len);
	*count = page.count;
	return status;
}

static enum s3_xml_status read_versions(
	struct s3_xml_versions *versions, struct bytes text, size_t step, size_t *count)
{
	struct s3_versions_page page;
	struct s3_xml_fault fault;
	enum s3_xml_status status;
	size_t i;

	s3_xml_versions_reset(versions);
	for (i = 0; i < text.len; i += step)
		s3_xml_versions_feed(
			versions, text.ptr + i, text.len - i < step ? text.len - i : step);
	status = s3_xml_versions_end(versions, &page, &fault);
	FUZZ_REQUIRE(status == S3_XML_OK || !page.count);
	FUZZ_REQUIRE(page.count <= S3_XML_ENTRIES_MAX);
	FUZZ_REQUIRE(!page.truncated || page.next_key.len);
	for (i = 0; i < page.count; i++) {
		const struct s3_version *v = &page.versions[i];

		FUZZ_REQUIRE(v->key.len && (v->is_prefix || v->id.len) && v->mtime_ms >= 0);
		FUZZ_REQUIRE(!i || bytes_cmp(v[-1].key, v->key) <= 0);
	}
	*count = page.count;
	return status;
}

static enum s3_xml_status read_reply(struct s3_xml_reply *reply, struct bytes text, size_t step,
	enum s3_xml_root root, size_t *errors)
{
	struct s3_xml_fields fields;
	struct s3_xml_fault fault;
	enum s3_xml_status status;
	size_t i;

	s3_xml_reply_reset(reply, root);
	for (i = 0; i < text.len; i += step)
		s3_xml_reply_feed(reply, text.ptr + i, text.len - i < step ? text.len - i : step);
	status = s3_xml_reply_end(reply, &fields, &fault);
	FUZZ_REQUIRE(status == S3_XML_ERROR || !fault.code.len);
	FUZZ_REQUIRE(fields.key_error_count <= S3_XML_ENTRIES_MAX);
	*errors = fields.key_error_count;
	return status;
}

/* Whether a document ends too early or is wrong may depend on how much of it was looked at. */
static enum s3_xml_status rough(enum s3_xml_status status)
{
	return status == S3_XML_CUT ? S3_XML_BAD : status;
}

static void check_buckets(struct bytes text, size_t step)
{
	struct s3_xml_buckets *buckets = s3_xml_buckets_new();
	size_t whole, pieces;
	enum s3_xml_status first = read_buckets(buckets, text, text.len + 1, &whole);

	FUZZ_REQUIRE(rough(read_buckets(buckets, text, step, &pieces)) == rough(first));
	FUZZ_REQUIRE(whole == pieces);
	s3_xml_buckets_free(buckets);
}

static void check_versions(struct bytes text, size_t step)
{
	struct s3_xml_versions *versions = s3_xml_versions_new();
	size_t whole, pieces;
	enum s3_xml_status first = read_versions(versions, text, text.len + 1, &whole);

	FUZZ_REQUIRE(rough(read_versions(versions, text, step, &pieces)) == rough(first));
	FUZZ_REQUIRE(whole == pieces);
	s3_xml_versions_free(versions);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct s3_xml_list *list = s3_xml_list_new();
	struct s3_xml_reply *reply = s3_xml_reply_new();
	struct s3_list_page page;
	enum s3_xml_status first;
	struct bytes text;
	size_t step, count;

	if (size) {
		enum s3_xml_root root = data[0] % S3_ROOT__COUNT;

		step = 1 + data[0] % 32;
		text = BYTES((const char *)data + 1, size - 1);
		first = read_list(list, text, text.len + 1, &page);
		count = page.count;
		FUZZ_REQUIRE(rough(read_list(list, text, step, &page)) == rough(first));
		FUZZ_REQUIRE(page.count == count);
		check_buckets(text, step);
		check_versions(text, step);
		first = read_reply(reply, text, text.len + 1, root, &count);
		FUZZ_REQUIRE(rough(read_reply(reply, text, step, root, &step)) == rough(first));
		FUZZ_REQUIRE(step == count);
	}
	s3_xml_list_free(list);
	s3_xml_reply_free(reply);
	return 0;
}
