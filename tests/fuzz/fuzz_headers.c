/*
 * Fuzz target for the headers of answers, one a line as libcurl hands them over: how they are kept
 * and found, and each value that is read as a number, a range, a date, a word.
 */
#include "fuzz.h"

#include "http/http_int.h"
#include "s3/s3_value.h"

static void check_pair(void *ctx, const char *name, const char *value)
{
	size_t *bytes = ctx;
	const char *p;

	for (p = name; *p; p++)
		FUZZ_REQUIRE(*p < 'A' || *p > 'Z');
	*bytes += strlen(name) + strlen(value) + 2;
}

static void check_numbers(struct bytes value)
{
	uint64_t size = UINT64_MAX, first = UINT64_MAX, whole = 0;
	int64_t retry_ms = s3_value_retry_ms(value);

	if (s3_value_size(value, &size))
		FUZZ_REQUIRE(size <= INT64_MAX && value.len);
	else
		FUZZ_REQUIRE(size == UINT64_MAX);
	if (s3_value_range(value, &first, &whole))
		FUZZ_REQUIRE(first < whole && whole <= INT64_MAX);
	FUZZ_REQUIRE(retry_ms >= 0 && retry_ms <= 3600000);
	FUZZ_REQUIRE(retry_ms == 0 || retry_ms >= 1000);
}

static void check_value(const char *value)
{
	struct http_draft draft = {.headers = BUF_INIT(HEADERS_BYTES_MAX)};
	int64_t date_ms = http_date_ms(value);
	char *word = s3_value_word(BYTES_STR(value), 100);

	FUZZ_REQUIRE(date_ms >= -1);
	check_numbers(BYTES_STR(value));
	if (word) {
		FUZZ_REQUIRE(word[0] && strlen(word) <= 100 && !strpbrk(word, " \r\n\t?#%:"));
		http_draft_header(&draft, "x", BYTES_STR(word));
		FUZZ_REQUIRE(!draft.headers.failed);
	}
	free(word);
	buf_free(&draft.headers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"retry-after", "date", "last-modified",
		"content-length", "content-range", "etag", "x-amz-tagging-count",
		"x-amz-bucket-region"};
	struct http_result result = {.headers = BUF_INIT(HEADERS_BYTES_MAX)};
	const char *at = (const char *)data, *end = at + size, *value;
	size_t bytes = 0, i;

	check_numbers(BYTES(at, size));
	while (at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));

		line_end = line_end ? line_end + 1 : end;
		http_header_take(&result, BYTES(at, (size_t)(line_end - at)));
		at = line_end;
	}
	http_header_each(&result, check_pair, &bytes);
	FUZZ_REQUIRE(result.headers.failed || bytes == result.headers.len);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((value = http_header(&result, names[i])))
			check_value(value);
	buf_free(&result.headers);
	return 0;
}
