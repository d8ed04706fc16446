/* Pages of ListObjectVersions: s3_xml.h. Every document goes in whole and cut at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "s3/s3_xml.h"

#define HEAD "<ListVersionsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
#define TAIL "</ListVersionsResult>"
#define LAST "<IsTruncated>false</IsTruncated>" TAIL
#define TIME(second) "<LastModified>2026-11-26T12:00:" second ".000Z</LastModified>"
#define VERSION(key, id, latest, second)                                                     \
	"<Version><Key>" key "</Key><VersionId>" id "</VersionId><IsLatest>" latest          \
	"</IsLatest>" TIME(second) "<ETag>&quot;e-" id "&quot;</ETag><Size>7</Size>"         \
				   "<Owner><ID>o</ID><DisplayName>Key</DisplayName></Owner>" \
				   "<StorageClass>GLACIER</StorageClass></Version>"
#define MARKER(key, id, latest, second)                                           \
	"<DeleteMarker><Owner><ID>o</ID></Owner><Key>" key "</Key><VersionId>" id \
	"</VersionId><IsLatest>" latest "</IsLatest>" TIME(second) "</DeleteMarker>"

static struct s3_xml_versions *versions;
static struct s3_versions_page page;
static struct s3_xml_fault fault;

static int setup(void **state)
{
	versions = s3_xml_versions_new();
	return 0;
}

static int teardown(void **state)
{
	s3_xml_versions_free(versions);
	return 0;
}

/* In two pieces, the first of `cut` bytes. */
static enum s3_xml_status read_cut(const char *text, size_t cut)
{
	s3_xml_versions_reset(versions);
	s3_xml_versions_feed(versions, text, cut);
	s3_xml_versions_feed(versions, text + cut, strlen(text) - cut);
	return s3_xml_versions_end(versions, &page, &fault);
}

static void expect_bytes(struct bytes got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.ptr, want, got.len);
}

/* "KEY:ID" of each, "-" before the id of a delete marker, in their order. */
static void expect_order(const char *text, const char *want)
{
	size_t cut, i;

	for (cut = 0; cut <= strlen(text); cut++) {
		struct buf got = BUF_INIT(1000);

		assert_int_equal(read_cut(text, cut), S3_XML_OK);
		for (i = 0; i < page.count; i++) {
			buf_addb(&got, page.versions[i].key);
			buf_adds(&got, page.versions[i].is_marker ? ":-" : ":");
			buf_addb(&got, page.versions[i].id);
			buf_addc(&got, ' ');
		}
		assert_string_equal(buf_str(&got), want);
		buf_free(&got);
	}
}

static void test_page(void **state)
{
	static const char text[] =
		"<?xml version=\"1.0\"?>\n" HEAD "<Name>b</Name><Prefix>p%2F</Prefix>"
		"<KeyMarker>p%2F</KeyMarker><VersionIdMarker>x</VersionIdMarker>"
		"<MaxKeys>4</MaxKeys><EncodingType>url</EncodingType>"
		"<NextKeyMarker>p%2Fz+%25</NextKeyMarker>"
		"<NextVersionIdMarker>v+%25</NextVersionIdMarker><IsTruncated>true</"
		"IsTruncated>" VERSION("p%2Fa%0A", "3.-_%", "true", "09") MARKER("p%2Fb", "null",
			"false",
			"08") "<CommonPrefixes><Prefix>p%2Fab%2F</Prefix></CommonPrefixes>" TAIL;
	size_t cut;

	for (cut = 0; cut <= strlen(text); cut++) {
		assert_int_equal(read_cut(text, cut), S3_XML_OK);
		assert_int_equal(page.count, 3);
		assert_true(page.truncated);
		expect_bytes(page.next_key, "p/z %");
		expect_bytes(page.next_version, "v+%25"); /* is not encoded */
		expect_bytes(page.versions[0].key, "p/a\n");
		expect_bytes(page.versions[0].id, "3.-_%");
		expect_bytes(page.versions[0].etag, "e-3.-_%");
		expect_bytes(page.versions[0].storage_class, "GLACIER");
		assert_int_equal(page.versions[0].size_bytes, 7);
		assert_int_equal(page.versions[0].mtime_ms, 1795694409000);
		assert_true(page.versions[0].is_latest && !page.versions[0].is_marker);
		expect_bytes(page.versions[1].key, "p/ab/");
		assert_true(page.versions[1].is_prefix);
		expect_bytes(page.versions[2].id, "null");
		assert_true(page.versions[2].is_marker && !page.versions[2].is_latest);
	}
}

/* Whatever the order in the document. */
static void test_order(void **state)
{
	expect_order(HEAD VERSION("a", "2", "false", "05") VERSION("a", "1", "false", "01")
			     VERSION("b", "4", "true", "01") MARKER("a", "3", "true", "07") LAST,
		"a:-3 a:2 a:1 b:4 ");
	/* One second: the newest is told by what the server says, the others by where they are. */
	expect_order(HEAD VERSION("a", "2", "false", "05") VERSION("a", "1", "false", "05")
			     MARKER("a", "3", "true", "05") LAST,
		"a:-3 a:2 a:1 ");
	expect_order(HEAD VERSION("b", "1", "true", "01") MARKER("a", "2", "false", "02")
			     VERSION("a", "4", "true", "04") MARKER("a", "3", "false", "03") LAST,
		"a:4 a:-3 a:-2 b:1 ");
	expect_order(HEAD LAST, "");
}

static void test_bad(void **state)
{
	static const char *const bad[] = {
		HEAD VERSION("a", "1", "true", "01") TAIL, /* is there more? */
		HEAD "<IsTruncated>true</IsTruncated>" TAIL,
		HEAD "<IsTruncated>perhaps</IsTruncated>" TAIL,
		HEAD VERSION("", "1", "true", "01") LAST,
		HEAD VERSION("a", "", "true", "01") LAST,
		HEAD VERSION("a", "1", "true", "61") LAST,
		HEAD MARKER("a", "", "true", "01") LAST,
		HEAD "<DeleteMarker><Key>a</Key><VersionId>1</VersionId></DeleteMarker>" LAST,
		HEAD "<Version><Key>a</Key><Size>1</Size>" TIME("01") "</Version>" LAST,
		HEAD "<Version><Key>a</Key><VersionId>1</VersionId>" TIME("01") "</Version>" LAST,
		HEAD "<Version><VersionId>1</VersionId><Size>1</Size>" TIME("01") "</Version>" LAST,
		HEAD "<CommonPrefixes><Prefix></Prefix></CommonPrefixes>" LAST,
		HEAD "<EncodingType>base64</EncodingType>" LAST,
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(read_cut(bad[i], 0), S3_XML_BAD);
		assert_int_equal(page.count, 0);
	}
	assert_int_equal(read_cut(HEAD, 0), S3_XML_CUT);
	assert_int_equal(read_cut("", 0), S3_XML_EMPTY);
	assert_int_equal(read_cut("<ListBucketResult/>", 0), S3_XML_OTHER);
	assert_int_equal(read_cut("<Error><Code>AccessDenied</Code></Error>", 0), S3_XML_ERROR);
	expect_bytes(fault.code, "AccessDenied");
}

static void test_too_many(void **state)
{
	struct buf text = BUF_INIT((size_t)1 << 20);
	int i;

	buf_adds(&text, HEAD);
	for (i = 0; i <= S3_XML_ENTRIES_MAX; i++)
		buf_adds(&text, MARKER("a", "1", "true", "01"));
	buf_adds(&text, LAST);
	assert_int_equal(read_cut(buf_str(&text), 0), S3_XML_BAD);
	buf_free(&text);
}

static void test_versioning(void **state)
{
	static const char *const texts[][2] = {{"<VersioningConfiguration/>", ""},
		{"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
			"Enabled"},
		{"<VersioningConfiguration><MfaDelete>Disabled</MfaDelete><Status>Suspended"
		 "</Status></VersioningConfiguration>",
			"Suspended"}};
	struct s3_xml_reply *reply = s3_xml_reply_new();
	struct s3_xml_fields fields;
	size_t i;

	for (i = 0; i < 3; i++) {
		s3_xml_reply_reset(reply, S3_ROOT_VERSIONING);
		s3_xml_reply_feed(reply, texts[i][0], strlen(texts[i][0]));
		assert_int_equal(s3_xml_reply_end(reply, &fields, &fault), S3_XML_OK);
		expect_bytes(fields.status, texts[i][1]);
	}
	s3_xml_reply_free(reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_page, setup, teardown),
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many, setup, teardown),
		cmocka_unit_test(test_versioning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
