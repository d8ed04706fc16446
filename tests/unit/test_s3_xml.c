/* S3's XML: s3_xml.h. Every document goes in whole and cut at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "s3/s3_uri.h"
#include "s3/s3_xml.h"

#define DECL "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define NS " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""
#define PAGE_HEAD DECL "<ListBucketResult" NS ">"
#define PAGE_TAIL "<IsTruncated>false</IsTruncated></ListBucketResult>"
#define OBJECT(key) "<Contents><Key>" key "</Key><Size>1</Size></Contents>"

static struct s3_xml_list *list;
static struct s3_xml_reply *reply;
static struct s3_list_page page;
static struct s3_xml_fields fields;
static struct s3_xml_fault fault;

static int setup(void **state)
{
	list = s3_xml_list_new();
	reply = s3_xml_reply_new();
	return 0;
}

static int teardown(void **state)
{
	s3_xml_list_free(list);
	s3_xml_reply_free(reply);
	return 0;
}

static enum s3_xml_status read_list(struct bytes text)
{
	s3_xml_list_reset(list);
	s3_xml_list_feed(list, text.ptr, text.len);
	return s3_xml_list_end(list, &page, &fault);
}

static enum s3_xml_status read_reply(enum s3_xml_root root, const char *text)
{
	s3_xml_reply_reset(reply, root);
	s3_xml_reply_feed(reply, text, strlen(text));
	return s3_xml_reply_end(reply, &fields, &fault);
}

static void expect_bytes(struct bytes got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.ptr, want, got.len);
}

/* ---- listings -------------------------------------------------------------------------------- */

static const char list_text[] = DECL
	"<ListBucketResult" NS "><Name>bkt</Name><Prefix>x%2F</Prefix><KeyCount>3</KeyCount>"
	"<MaxKeys>1000</MaxKeys><Delimiter>%2F</Delimiter><EncodingType>url</EncodingType>"
	"<IsTruncated>true</IsTruncated><NextContinuationToken>1ue+/=&amp;x</NextContinuationToken>"
	"<Contents><Key>x%2Fa+b%2B%C3%A4</Key><LastModified>2009-10-12T17:50:30.123Z</LastModified>"
	"<ETag>&quot;fba9dede5f27731c9771645a39863328&quot;</ETag><Size>434234</Size>"
	"<StorageClass>STANDARD</StorageClass></Contents>"
	"<Contents><Key>x%2Fz</Key><LastModified>2009-10-12T17:50:30Z</LastModified>"
	"<ETag>\"e-2\"</ETag><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>"
	"<Size>9223372036854775807</Size><Owner><ID>x</ID><DisplayName>Key</DisplayName></Owner>"
	"<StorageClass>GLACIER</StorageClass>"
	"<RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress></RestoreStatus></Contents>"
	"<CommonPrefixes><Prefix>x/m/</Prefix></CommonPrefixes></ListBucketResult>\n";

static void check_list_text(void)
{
	assert_int_equal(page.count, 3);
	assert_true(page.truncated);
	expect_bytes(page.next_token, "1ue+/=&x");
	expect_bytes(page.entries[0].key, "x/a b+\xc3\xa4");
	expect_bytes(page.entries[0].etag, "fba9dede5f27731c9771645a39863328");
	expect_bytes(page.entries[0].storage_class, "STANDARD");
	assert_int_equal(page.entries[0].size_bytes, 434234);
	assert_int_equal(page.entries[0].mtime_ms, 1255369830123);
	assert_false(page.entries[0].is_prefix || page.entries[0].archived);
	expect_bytes(page.entries[1].key, "x/m/");
	assert_true(page.entries[1].is_prefix);
	assert_int_equal(page.entries[1].etag.len, 0);
	expect_bytes(page.entries[2].key, "x/z");
	expect_bytes(page.entries[2].etag, "e-2");
	assert_int_equal(page.entries[2].size_bytes, INT64_MAX);
	assert_int_equal(page.entries[2].mtime_ms, 1255369830000);
	assert_true(page.entries[2].archived);
}

static void list_whole_and_in_pieces(void **state)
{
	size_t len = sizeof(list_text) - 1, cut, i;

	assert_int_equal(read_list(BYTES(list_text, len)), S3_XML_OK);
	check_list_text();
	for (cut = 0; cut <= len; cut++) {
		s3_xml_list_reset(list);
		s3_xml_list_feed(list, list_text, cut);
		s3_xml_list_feed(list, list_text + cut, len - cut);
		assert_int_equal(s3_xml_list_end(list, &page, &fault), S3_XML_OK);
		check_list_text();
	}
	s3_xml_list_reset(list);
	for (i = 0; i < len; i++)
		s3_xml_list_feed(list, list_text + i, 1);
	assert_int_equal(s3_xml_list_end(list, &page, &fault), S3_XML_OK);
	check_list_text();
}

static void list_cut_short(void **state)
{
	size_t len = sizeof(list_text) - 2, cut; /* without the final newline */
	enum s3_xml_status status;

	for (cut = 0; cut < len; cut++) {
		status = read_list(BYTES(list_text, cut));
		if (status != (cut ? S3_XML_CUT : S3_XML_EMPTY))
			fail_msg("cut at %zu: status %d", cut, status);
		assert_null(page.entries);
		assert_int_equal(page.count, 0);
	}
	/* And the parser is good for another document. */
	assert_int_equal(read_list(BYTES(list_text, len)), S3_XML_OK);
	check_list_text();
}

static void list_odd_keys(void **state)
{
	static const char plain[] = PAGE_HEAD OBJECT("a&amp;&lt;&gt;&#13;&#x9;%41+")
		OBJECT("b<![CDATA[<&>]]>c") PAGE_TAIL;
	static const char encoded[] = PAGE_HEAD OBJECT("a%00b%0A%FF")
		OBJECT("%2F%2F..%2F") "<EncodingType>url</EncodingType>" PAGE_TAIL;

	assert_int_equal(read_list(BYTES_STR(plain)), S3_XML_OK);
	assert_int_equal(page.count, 2);
	expect_bytes(page.entries[0].key, "a&<>\r\t%41+");
	expect_bytes(page.entries[1].key, "b<&>c");
	assert_false(page.truncated);
	/* EncodingType after the keys, and the order that decoding makes. */
	assert_int_equal(read_list(BYTES_STR(encoded)), S3_XML_OK);
	expect_bytes(page.entries[0].key, "//../");
	assert_int_equal(page.entries[1].key.len, 5);
	assert_memory_equal(page.entries[1].key.ptr, "a\0b\n\xff", 5);
}

/* A byte order mark, and an encoding that is named but not used. */
static void list_encodings(void **state)
{
	static const char text[] =
		"\xef\xbb\xbf<?xml version=\"1.0\" "
		"encoding=\"UTF-16\"?>\n<ListBucketResult>" OBJECT("\xc3\xa4") PAGE_TAIL;
	size_t cut;

	for (cut = 0; cut < 10; cut++) {
		s3_xml_list_reset(list);
		s3_xml_list_feed(list, text, cut);
		s3_xml_list_feed(list, text + cut, sizeof(text) - 1 - cut);
		assert_int_equal(s3_xml_list_end(list, &page, &fault), S3_XML_OK);
		expect_bytes(page.entries[0].key, "\xc3\xa4");
	}
}

/* Pages of the first version, from servers that know no other: where they go on. */
static void list_by_marker(void **state)
{
	static const char plain[] = PAGE_HEAD OBJECT("b")
		OBJECT("a%41") "<IsTruncated>true</IsTruncated></ListBucketResult>";
	static const char marked[] = PAGE_HEAD OBJECT(
		"b") "<Marker/><NextMarker>d%2B%2F</NextMarker><CommonPrefixes>"
		     "<Prefix>d%2B%2F</Prefix></CommonPrefixes>"
		     "<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
		     "</ListBucketResult>";

	assert_int_equal(read_list(BYTES_STR(plain)), S3_XML_OK);
	assert_true(s3_xml_list_is_v1(list));
	assert_false(s3_xml_list_is_encoded(list));
	assert_true(page.truncated);
	expect_bytes(page.next_token, "b");
	assert_int_equal(read_list(BYTES_STR(marked)), S3_XML_OK);
	assert_true(s3_xml_list_is_v1(list));
	assert_true(s3_xml_list_is_encoded(list));
	expect_bytes(page.next_token, "d+/");
	expect_bytes(page.entries[1].key, "d+/");
	assert_int_equal(read_list(BYTES_LIT(PAGE_HEAD "<Marker/>" PAGE_TAIL)), S3_XML_OK);
	assert_true(s3_xml_list_is_v1(list));
	assert_int_equal(read_list(BYTES_LIT(PAGE_HEAD PAGE_TAIL)), S3_XML_OK);
	assert_false(s3_xml_list_is_v1(list));
	assert_int_equal(read_list(BYTES_LIT(list_text)), S3_XML_OK);
	assert_false(s3_xml_list_is_v1(list));
}

static void list_several_prefixes_in_one(void **state)
{
	static const char text[] =
		PAGE_HEAD "<CommonPrefixes><Prefix>b/</Prefix><Prefix>a/</Prefix>"
			  "</CommonPrefixes>" PAGE_TAIL;

	assert_int_equal(read_list(BYTES_STR(text)), S3_XML_OK);
	assert_int_equal(page.count, 2);
	expect_bytes(page.entries[0].key, "a/");
	expect_bytes(page.entries[1].key, "b/");
}

static void list_that_makes_no_sense(void **state)
{
	static const char *const bad[] = {
		"plain words",
		"{\"json\": 1}",
		"<html><body>502</p></html>",
		PAGE_HEAD "</ListBucketResult>", /* no IsTruncated */
		PAGE_HEAD "<IsTruncated>maybe</IsTruncated></ListBucketResult>",
		PAGE_HEAD "<IsTruncated>true</IsTruncated></ListBucketResult>",
		PAGE_HEAD OBJECT("k") "<KeyCount>1</KeyCount><IsTruncated>true</IsTruncated>"
				      "</ListBucketResult>",
		PAGE_HEAD "<Contents><Size>1</Size></Contents>" PAGE_TAIL,
		PAGE_HEAD "<Contents><Key>k</Key></Contents>" PAGE_TAIL,
		PAGE_HEAD "<Contents><Key>k</Key><Size>-1</Size></Contents>" PAGE_TAIL,
		PAGE_HEAD "<Contents><Key>k</Key><Size>1e3</Size></Contents>" PAGE_TAIL,
		PAGE_HEAD
		"<Contents><Key>k</Key><Size>9223372036854775808</Size></Contents>" PAGE_TAIL,
		PAGE_HEAD "<Contents><Key></Key><Size>1</Size></Contents>" PAGE_TAIL,
		PAGE_HEAD "<CommonPrefixes><Prefix/></CommonPrefixes>" PAGE_TAIL,
		PAGE_HEAD "<Contents><Key>k</Key><Size>1</Size><LastModified>soon</LastModified>"
			  "</Contents>" PAGE_TAIL,
		PAGE_HEAD "<EncodingType>rot13</EncodingType>" PAGE_TAIL,
		PAGE_HEAD OBJECT("a&nbsp;b") PAGE_TAIL,
		PAGE_HEAD OBJECT("a&#0;b") PAGE_TAIL,
		PAGE_HEAD OBJECT("a\x01") PAGE_TAIL,
		PAGE_HEAD OBJECT("a\xff") PAGE_TAIL,
		PAGE_HEAD PAGE_TAIL "<more/>",
		"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><ListBucketResult>" OBJECT("a\xe4")
			PAGE_TAIL,
		"\xff\xfe<\0",
		PAGE_HEAD "</Contents>" PAGE_TAIL,
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		enum s3_xml_status status = read_list(BYTES_STR(bad[i]));

		if (status != S3_XML_BAD && status != S3_XML_CUT)
			fail_msg("status %d: %s", status, bad[i]);
		assert_null(page.entries);
	}
}

static void list_other_roots(void **state)
{
	assert_int_equal(read_list(BYTES_LIT("")), S3_XML_EMPTY);
	assert_int_equal(read_list(BYTES_LIT(" \r\n\t")), S3_XML_EMPTY);
	assert_int_equal(read_list(BYTES_LIT("<html/>")), S3_XML_OTHER);
	assert_int_equal(read_list(BYTES_LIT("<CopyObjectResult/>")), S3_XML_OTHER);
	assert_int_equal(
		read_list(BYTES_LIT("<Error><Code>SlowDown</Code></Error>")), S3_XML_ERROR);
	expect_bytes(fault.code, "SlowDown");
	assert_int_equal(fault.message.len, 0);
}

/* Entities that grow, files of others, depth, length, numbers: all refused, none expanded. */
static void list_attacks(void **state)
{
	static const char *const bad[] = {
		"<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b "
		"\"&a;&a;&a;&a;\">]><ListBucketResult>" OBJECT("&b;") PAGE_TAIL,
		"<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><ListBucketResult>" OBJECT("k")
			PAGE_TAIL,
		"<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><ListBucketResult>" OBJECT(
			"&e;") PAGE_TAIL,
		"<!DOCTYPE ListBucketResult><ListBucketResult>" OBJECT("k") PAGE_TAIL,
	};
	struct buf text = BUF_INIT(1 << 20);
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(read_list(BYTES_STR(bad[i])), S3_XML_BAD);
	buf_adds(&text, PAGE_HEAD);
	for (i = 0; i < 200; i++)
		buf_adds(&text, "<x>");
	assert_int_equal(read_list(buf_bytes(&text)), S3_XML_BAD);
	buf_cut(&text, 0);
	buf_adds(&text, PAGE_HEAD "<Contents><Key>");
	for (i = 0; i < 20000; i++)
		buf_addc(&text, 'k');
	buf_adds(&text, "</Key><Size>1</Size></Contents>" PAGE_TAIL);
	assert_int_equal(read_list(buf_bytes(&text)), S3_XML_BAD);
	buf_cut(&text, 0);
	buf_adds(&text, PAGE_HEAD);
	for (i = 0; i < S3_XML_ENTRIES_MAX + 1; i++)
		buf_addf(&text, OBJECT("%06zu"), i);
	buf_adds(&text, PAGE_TAIL);
	assert_int_equal(read_list(buf_bytes(&text)), S3_XML_BAD);
	buf_free(&text);
	assert_int_equal(read_list(BYTES_LIT(list_text)), S3_XML_OK);
	check_list_text();
}

static void list_of_a_thousand(void **state)
{
	struct buf text = BUF_INIT(1 << 20);
	char key[40];
	size_t i;

	buf_adds(&text, PAGE_HEAD "<EncodingType>url</EncodingType>");
	for (i = 0; i < 1000; i++)
		buf_addf(&text,
			"<Contents><Key>dir%%2Ffile-%06zu</Key><LastModified>"
			"2024-01-02T03:04:05.000Z</LastModified><ETag>&quot;%032zx&quot;</ETag>"
			"<Size>%zu</Size><StorageClass>%s</StorageClass></Contents>",
			i, i, i * 3, i % 3 ? "STANDARD" : "DEEP_ARCHIVE");
	buf_adds(&text, PAGE_TAIL);
	s3_xml_list_reset(list);
	for (i = 0; i < text.len; i += 1000)
		s3_xml_list_feed(
			list, text.ptr + i, text.len - i < 1000 ? text.len - i : (size_t)1000);
	assert_int_equal(s3_xml_list_end(list, &page, &fault), S3_XML_OK);
	assert_int_equal(page.count, 1000);
	for (i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "dir/file-%06zu", i);
		expect_bytes(page.entries[i].key, key);
		assert_int_equal(page.entries[i].size_bytes, i * 3);
		assert_int_equal(page.entries[i].archived, i % 3 == 0);
		assert_int_equal(page.entries[i].etag.len, 32);
	}
	buf_free(&text);
}

/* ---- other replies --------------------------------------------------------------------------- */

static const char copy_text[] =
	DECL "<CopyObjectResult" NS ">"
	     "<LastModified>2009-10-28T22:32:00.000Z</LastModified><ETag>\"9b2cf535\"</ETag>"
	     "<ChecksumCRC32>x</ChecksumCRC32></CopyObjectResult>";

static void reply_in_pieces(void **state)
{
	size_t len = sizeof(copy_text) - 1, cut;

	for (cut = 0; cut <= len; cut++) {
		s3_xml_reply_reset(reply, S3_ROOT_COPY_OBJECT);
		s3_xml_reply_feed(reply, copy_text, cut);
		s3_xml_reply_feed(reply, copy_text + cut, len - cut);
		assert_int_equal(s3_xml_reply_end(reply, &fields, &fault), S3_XML_OK);
		expect_bytes(fields.etag, "9b2cf535");
		assert_int_equal(fields.mtime_ms, 1256769120000);
		s3_xml_reply_reset(reply, S3_ROOT_COPY_OBJECT);
		s3_xml_reply_feed(reply, copy_text, cut);
		if (cut < len)
			assert_int_equal(s3_xml_reply_end(reply, &fields, &fault),
				cut ? S3_XML_CUT : S3_XML_EMPTY);
		assert_int_equal(fields.etag.len, cut < len ? 0 : 8);
	}
}

static void reply_roots(void **state)
{
	assert_int_equal(read_reply(S3_ROOT_COPY_PART, "<CopyPartResult><ETag>&quot;e&quot;</ETag>"
						       "</CopyPartResult>"),
		S3_XML_OK);
	expect_bytes(fields.etag, "e");
	assert_int_equal(
		read_reply(S3_ROOT_INITIATE,
			"<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key>"
			"<UploadId>VXBs/b2Fk==</UploadId></InitiateMultipartUploadResult>"),
		S3_XML_OK);
	expect_bytes(fields.upload_id, "VXBs/b2Fk==");
	assert_int_equal(
		read_reply(S3_ROOT_INITIATE, "<InitiateMultipartUploadResult/>"), S3_XML_BAD);
	assert_int_equal(read_reply(S3_ROOT_COMPLETE, "<CopyObjectResult/>"), S3_XML_OTHER);
	assert_int_equal(read_reply(S3_ROOT_NONE, "<CopyObjectResult/>"), S3_XML_OTHER);
	assert_int_equal(read_reply(S3_ROOT_NONE, "<Unknown/>"), S3_XML_OTHER);
	assert_int_equal(read_reply(S3_ROOT_COPY_OBJECT, "OK"), S3_XML_BAD);
	assert_int_equal(read_reply(S3_ROOT_COPY_OBJECT, ""), S3_XML_EMPTY);
}

/* White space keeps the connection alive while the upload is put together. */
static void reply_after_white_space(void **state)
{
	static const char body[] = "<CompleteMultipartUploadResult><ETag>\"e-3\"</ETag>"
				   "</CompleteMultipartUploadResult>";
	unsigned declared, i;

	for (declared = 0; declared < 2; declared++) {
		s3_xml_reply_reset(reply, S3_ROOT_COMPLETE);
		if (declared)
			s3_xml_reply_feed(reply, DECL, sizeof(DECL) - 1);
		for (i = 0; i < 1000; i++)
			s3_xml_reply_feed(reply, " \n", 1 + i % 2);
		if (!declared)
			s3_xml_reply_feed(reply, DECL, sizeof(DECL) - 1);
		s3_xml_reply_feed(reply, body, sizeof(body) - 1);
		assert_int_equal(s3_xml_reply_end(reply, &fields, &fault), S3_XML_OK);
		expect_bytes(fields.etag, "e-3");
	}
	s3_xml_reply_reset(reply, S3_ROOT_COMPLETE);
	s3_xml_reply_feed(reply, DECL " \n \n", sizeof(DECL) + 3);
	assert_int_equal(s3_xml_reply_end(reply, &fields, &fault), S3_XML_CUT);
}

static void reply_error_in_200(void **state)
{
	assert_int_equal(
		read_reply(S3_ROOT_COPY_OBJECT, DECL
			"<Error><Code>RequestTimeTooSkewed</Code><Message>too &lt;far&gt;</Message>"
			"<RequestTime>x</RequestTime><ServerTime>2009-10-12T17:50:30Z</ServerTime>"
			"<Region>eu-west-1</Region><Endpoint>b.s3</Endpoint>"
			"<RequestId>4442587FB7D0A2F9</RequestId><HostId>h</HostId>"
			"<Nested><Code>wrong</Code></Nested></Error>"),
		S3_XML_ERROR);
	expect_bytes(fault.code, "RequestTimeTooSkewed");
	expect_bytes(fault.message, "too <far>");
	expect_bytes(fault.region, "eu-west-1");
	expect_bytes(fault.endpoint, "b.s3");
	expect_bytes(fault.request_id, "4442587FB7D0A2F9");
	assert_int_equal(fault.server_time_ms, 1255369830000);
	assert_int_equal(fields.etag.len, 0);
	assert_int_equal(read_reply(S3_ROOT_NONE, "<Error><ServerTime>late</ServerTime></Error>"),
		S3_XML_ERROR);
	assert_int_equal(fault.server_time_ms, 0);
	/* Nothing of it is left for the next one. */
	assert_int_equal(read_reply(S3_ROOT_COPY_OBJECT, "<Error/>"), S3_XML_ERROR);
	assert_int_equal(fault.code.len, 0);
	assert_int_equal(fault.server_time_ms, 0);
}

static void reply_long_message(void **state)
{
	struct buf text = BUF_INIT(1 << 20);
	unsigned i;

	buf_adds(&text, "<Error><Code>X</Code><Message>");
	for (i = 0; i < 100000; i++)
		buf_addc(&text, 'm');
	buf_adds(&text, "</Message><RequestId>r</RequestId></Error>");
	assert_int_equal(read_reply(S3_ROOT_DELETE, buf_str(&text)), S3_XML_ERROR);
	expect_bytes(fault.code, "X");
	expect_bytes(fault.request_id, "r");
	assert_true(fault.message.len > 1000 && fault.message.len < 100000);
	buf_free(&text);
}

static void reply_delete_errors(void **state)
{
	static const char text[] = DECL
		"<DeleteResult" NS "><Deleted><Key>fine</Key></Deleted>"
		"<Error><Key>a&amp;b&#13;</Key><VersionId>v</VersionId><Code>AccessDenied</Code>"
		"<Message>no</Message></Error><Deleted><Key>x</Key></Deleted>"
		"<Error><Key>c</Key><Code>InternalError</Code></Error></DeleteResult>";

	assert_int_equal(read_reply(S3_ROOT_DELETE, "<DeleteResult" NS "/>"), S3_XML_OK);
	assert_int_equal(fields.key_error_count, 0);
	assert_int_equal(read_reply(S3_ROOT_DELETE, text), S3_XML_OK);
	assert_int_equal(fields.key_error_count, 2);
	expect_bytes(fields.key_errors[0].key, "a&b\r");
	expect_bytes(fields.key_errors[0].code, "AccessDenied");
	expect_bytes(fields.key_errors[0].message, "no");
	expect_bytes(fields.key_errors[1].key, "c");
	expect_bytes(fields.key_errors[1].code, "InternalError");
	assert_int_equal(fields.key_errors[1].message.len, 0);
	assert_int_equal(read_reply(S3_ROOT_DELETE, "<DeleteResult/>"), S3_XML_OK);
	assert_int_equal(fields.key_error_count, 0);
	/* The elements of a key's error where they mean nothing. */
	assert_int_equal(read_reply(S3_ROOT_COPY_OBJECT,
				 "<CopyObjectResult><Error><Key>k</Key></Error><ETag>e</ETag>"
				 "</CopyObjectResult>"),
		S3_XML_OK);
	expect_bytes(fields.etag, "e");
	/* The same document where a copy's answer was expected. */
	assert_int_equal(read_reply(S3_ROOT_COPY_OBJECT, text), S3_XML_OTHER);
	assert_int_equal(fields.key_error_count, 0);
}

static void times(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {{"1970-01-01T00:00:00Z", 0}, {"2009-10-12T17:50:30.000Z", 1255369830000},
		{"2009-10-12T17:50:30.5Z", 1255369830500},
		{"2009-10-12T17:50:30.123456789Z", 1255369830123},
		{"2009-10-12T17:50:30", 1255369830000},
		{"2009-10-12T19:50:30+02:00", 1255369830000},
		{"2009-10-12T16:50:30-0100", 1255369830000}, {"2000-02-29T00:00:00Z", 951782400000},
		{"", -1}, {"2009-10-12", -1}, {"2009-10-12 17:50:30Z", -1},
		{"2009-13-12T17:50:30Z", -1}, {"2009-10-12T24:50:30Z", -1},
		{"2009-10-12T17:50:30.Z", -1}, {"2009-10-12T17:50:30Zx", -1},
		{"2009-10-12T17:50:30+2", -1}, {"1969-12-31T23:59:59Z", -1},
		{"1970-01-01T00:00:00+01:00", -1}, {"Mon, 12 Oct 2009", -1}};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (s3_xml_time_ms(BYTES_STR(cases[i].text)) != cases[i].ms)
			fail_msg("%s", cases[i].text);
}

/* ---- bodies ---------------------------------------------------------------------------------- */

static void key_ok(void **state)
{
	static const struct bytes good[] = {BYTES_LIT(""), BYTES_LIT("a\t\n\r b"),
		BYTES_LIT("\x7f"), BYTES_LIT("\xc2\x80"), BYTES_LIT("\xed\x9f\xbf"),
		BYTES_LIT("\xee\x80\x80"), BYTES_LIT("\xef\xbf\xbd"), BYTES_LIT("\xf0\x90\x80\x80"),
		BYTES_LIT("\xf4\x8f\xbf\xbf")};
	static const struct bytes bad[] = {BYTES_LIT("a\0"), BYTES_LIT("\x01"), BYTES_LIT("\x1f"),
		BYTES_LIT("\x80"), BYTES_LIT("\xc0\xaf"), BYTES_LIT("\xc1\xbf"), BYTES_LIT("\xc3"),
		BYTES_LIT("\xe0\x9f\xbf"), BYTES_LIT("\xed\xa0\x80"), BYTES_LIT("\xef\xbf\xbe"),
		BYTES_LIT("\xef\xbf\xbf"), BYTES_LIT("\xf0\x8f\xbf\xbf"),
		BYTES_LIT("\xf4\x90\x80\x80"), BYTES_LIT("\xf5\x80\x80\x80"), BYTES_LIT("\xe2\x82"),
		BYTES_LIT("\xe2\x28\xa1"), BYTES_LIT("\xff")};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!s3_xml_key_ok(good[i]))
			fail_msg("good key %zu", i);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (s3_xml_key_ok(bad[i]))
			fail_msg("bad key %zu", i);
}

static void delete_body(void **state)
{
	const struct bytes keys[] = {BYTES_LIT("a&b<c>\"d'\r\n\t"), BYTES_LIT("\xc3\xa4/")};
	const struct bytes bad[] = {BYTES_LIT("a\x01")};
	struct buf out = BUF_INIT(10000), empty = BUF_INIT(10000), small = BUF_INIT(20);

	s3_xml_build_delete(&empty, NULL, 0);
	s3_xml_build_delete(&out, keys, 2);
	assert_false(out.failed);
	assert_non_null(
		strstr(buf_str(&out), "<Quiet>true</Quiet><Object><Key>a&amp;b&lt;c&gt;&quot;"
				      "d'&#13;&#10;&#9;</Key></Object><Object><Key>"
				      "\xc3\xa4/</Key></Object></Delete>"));
	/* The weight is what a key adds, to the byte; the frame is less than 256 bytes. */
	assert_int_equal(
		out.len, empty.len + s3_delete_weight(keys[0]) + s3_delete_weight(keys[1]));
	assert_true(empty.len < 256);
	s3_xml_build_delete(&small, keys, 2);
	assert_true(small.failed);
	buf_cut(&out, 0);
	s3_xml_build_delete(&out, bad, 1);
	assert_true(out.failed);
	buf_free(&out);
	buf_free(&empty);
	buf_free(&small);
}

static void complete_body(void **state)
{
	const struct s3_part parts[] = {{1, BYTES_LIT("e1")}, {10000, BYTES_LIT("e<2")}};
	struct buf out = BUF_INIT(10000);

	s3_xml_build_complete(&out, parts, 2);
	assert_non_null(strstr(buf_str(&out),
		"<Part><PartNumber>1</PartNumber><ETag>&quot;e1&quot;</ETag></Part>"
		"<Part><PartNumber>10000</PartNumber><ETag>&quot;e&lt;2&quot;</ETag></Part>"
		"</CompleteMultipartUpload>"));
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_whole_and_in_pieces),
		cmocka_unit_test(list_cut_short),
		cmocka_unit_test(list_odd_keys),
		cmocka_unit_test(list_encodings),
		cmocka_unit_test(list_by_marker),
		cmocka_unit_test(list_several_prefixes_in_one),
		cmocka_unit_test(list_that_makes_no_sense),
		cmocka_unit_test(list_other_roots),
		cmocka_unit_test(list_attacks),
		cmocka_unit_test(list_of_a_thousand),
		cmocka_unit_test(reply_in_pieces),
		cmocka_unit_test(reply_roots),
		cmocka_unit_test(reply_after_white_space),
		cmocka_unit_test(reply_error_in_200),
		cmocka_unit_test(reply_long_message),
		cmocka_unit_test(reply_delete_errors),
		cmocka_unit_test(times),
		cmocka_unit_test(key_ok),
		cmocka_unit_test(delete_body),
		cmocka_unit_test(complete_body),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
