/* Percent encoding: s3_uri.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "s3/s3_uri.h"
#include "util/mem.h"
#include "util/rng.h"

typedef void code_fn(struct buf *out, struct bytes in);

static void check(code_fn *fn, struct bytes in, struct bytes want)
{
	struct buf out = BUF_INIT(4096);
	char *exact = mem_resize(NULL, in.len, 1); /* a sanitizer sees a read behind its end */

	memcpy(exact, in.ptr, in.len);
	fn(&out, BYTES(exact, in.len));
	free(exact);
	assert_false(out.failed);
	assert_int_equal(out.len, want.len);
	assert_memory_equal(buf_str(&out), want.ptr, want.len);
	buf_free(&out);
}

static void path_keeps_slash_and_unreserved(void **state)
{
	check(s3_uri_path, BYTES_LIT("a/b//c/../.~_-/Z9"), BYTES_LIT("a/b//c/../.~_-/Z9"));
	check(s3_uri_path, BYTES_LIT(""), BYTES_LIT(""));
	check(s3_uri_path, BYTES_LIT("/"), BYTES_LIT("/"));
}

static void path_encodes_each_byte_once(void **state)
{
	check(s3_uri_path, BYTES_LIT("a b+c%20d"), BYTES_LIT("a%20b%2Bc%2520d"));
	check(s3_uri_path, BYTES_LIT("test$file.text"), BYTES_LIT("test%24file.text"));
	check(s3_uri_path, BYTES_LIT("\xc3\xa4\xff"), BYTES_LIT("%C3%A4%FF"));
	check(s3_uri_path, BYTES_LIT("a\0b\n"), BYTES_LIT("a%00b%0A"));
	check(s3_uri_path, BYTES_LIT("!*'()&=?#:@,;"),
		BYTES_LIT("%21%2A%27%28%29%26%3D%3F%23%3A%40%2C%3B"));
}

static void query_encodes_slash(void **state)
{
	check(s3_uri_query, BYTES_LIT("a/b c"), BYTES_LIT("a%2Fb%20c"));
}

static void decode_takes_both_forms_of_space(void **state)
{
	check(s3_uri_decode, BYTES_LIT("a+b%20c%2Bd%2fe%2Ff"), BYTES_LIT("a b c+d/e/f"));
	check(s3_uri_decode, BYTES_LIT("%00x%0A"), BYTES_LIT("\0x\n"));
	check(s3_uri_decode, BYTES_LIT("%C3%a4"), BYTES_LIT("\xc3\xa4"));
}

static void decode_keeps_what_is_no_escape(void **state)
{
	check(s3_uri_decode, BYTES_LIT("100%"), BYTES_LIT("100%"));
	check(s3_uri_decode, BYTES_LIT("%4"), BYTES_LIT("%4"));
	check(s3_uri_decode, BYTES("%41", 2), BYTES_LIT("%4"));
	check(s3_uri_decode, BYTES_LIT("%zz%4g%%41"), BYTES_LIT("%zz%4g%A"));
}

static void random_bytes_come_back(void **state)
{
	struct rng rng = {42};
	struct buf encoded = BUF_INIT(4096), decoded = BUF_INIT(4096);
	unsigned round;

	for (round = 0; round < 2000; round++) {
		char in[64];
		size_t i, len = (size_t)rng_below(&rng, sizeof(in));

		for (i = 0; i < len; i++)
			in[i] = (char)rng_next(&rng);
		buf_cut(&encoded, 0);
		buf_cut(&decoded, 0);
		(round & 1 ? s3_uri_path : s3_uri_query)(&encoded, BYTES(in, len));
		s3_uri_decode(&decoded, buf_bytes(&encoded));
		assert_true(bytes_equal(buf_bytes(&decoded), BYTES(in, len)));
	}
	buf_free(&encoded);
	buf_free(&decoded);
}

static void bound_is_kept(void **state)
{
	struct buf out = BUF_INIT(5);

	s3_uri_path(&out, BYTES_LIT("a  "));
	assert_true(out.failed);
	assert_true(out.len <= 5);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(path_keeps_slash_and_unreserved),
		cmocka_unit_test(path_encodes_each_byte_once),
		cmocka_unit_test(query_encodes_slash),
		cmocka_unit_test(decode_takes_both_forms_of_space),
		cmocka_unit_test(decode_keeps_what_is_no_escape),
		cmocka_unit_test(random_bytes_come_back),
		cmocka_unit_test(bound_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
