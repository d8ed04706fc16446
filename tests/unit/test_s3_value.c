/* Numbers, ranges and words in answers: what makes no sense is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "s3/s3_value.h"

static void test_sizes(void **state)
{
	static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "1e3", "0x10", "\xb2",
		"9223372036854775808", "18446744073709551616", "99999999999999999999999"};
	uint64_t v = 7;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (s3_value_size(BYTES_STR(bad[i]), &v) || v != 7)
			fail_msg("'%s' was taken for a size", bad[i]);
	assert_true(s3_value_size(BYTES_LIT("9223372036854775807"), &v));
	assert_int_equal(v, INT64_MAX);
	assert_true(s3_value_size(BYTES_LIT("00"), &v));
	assert_int_equal(v, 0);
}

static void test_ranges(void **state)
{
	static const char *const bad[] = {"", "bytes ", "bytes 0-9", "bytes 0-9/*", "bytes */9",
		"bytes 9-0/443", "bytes 0-443/443", "bytes -9/443", "bytes 0-/443", "0-9/443",
		"bytes 0/9-443", "bytes 0-9/9223372036854775808"};
	uint64_t first, size;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (s3_value_range(BYTES_STR(bad[i]), &first, &size))
			fail_msg("'%s' was taken for a range", bad[i]);
	assert_true(s3_value_range(BYTES_LIT("bytes 5-9/443"), &first, &size));
	assert_int_equal(first, 5);
	assert_int_equal(size, 443);
	assert_true(s3_value_range(BYTES_LIT("bytes 0-0/1"), &first, &size));
}

static void test_retry(void **state)
{
	(void)state;
	assert_int_equal(s3_value_retry_ms(BYTES_LIT("3")), 3000);
	assert_int_equal(s3_value_retry_ms(BYTES_LIT("9223372036854775807")), 3600000);
	assert_int_equal(s3_value_retry_ms(BYTES_LIT("-3")), 0);
	assert_int_equal(s3_value_retry_ms(BYTES_LIT("Fri, 31 Dec 1999 23:59:59 GMT")), 0);
}

static void test_words(void **state)
{
	static const char *const bad[] = {"", "\nrole", "a b", "a\tb\n", "abcdefg", "a:b", "a%2f"};
	char *word;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_null(s3_value_word(BYTES_STR(bad[i]), 6));
	word = s3_value_word(BYTES_LIT("ro/le=\r\nnext"), 6);
	assert_string_equal(word, "ro/le=");
	free(word);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_retry),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
