/* Names and keys map to each other, whatever bytes a key has; ETags survive their compact form. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ns/ns_int.h"
#include "util/rng.h"

static void expect(const char *component, size_t len, const char *name)
{
	struct buf out = BUF_INIT(8192), back = BUF_INIT(8192);

	name_encode(BYTES(component, len), false, &out);
	assert_string_equal(buf_str(&out), name);
	assert_true(name_decode(buf_bytes(&out), &back));
	assert_int_equal(back.len, len);
	assert_memory_equal(buf_str(&back), component, len);
	buf_free(&out);
	buf_free(&back);
}

static void test_table(void **state)
{
	(void)state;
	expect("plain", 5, "plain");
	expect("a b+c%d", 7, "a b+c%d");
	expect("...", 3, "...");
	expect("", 0, "%:");
	expect(".", 1, "%:.");
	expect("..", 2, "%:..");
	expect("%:x", 3, "%:%25:x");
	expect("%=x", 3, "%:%25=x");
	expect("a\0b%", 4, "%:a%00b%25");
}

static void test_beside_a_directory(void **state)
{
	struct buf out = BUF_INIT(100), back = BUF_INIT(100);

	(void)state;
	name_encode(BYTES_LIT("a"), true, &out);
	assert_string_equal(buf_str(&out), "%=a");
	assert_true(name_decode(buf_bytes(&out), &back));
	assert_string_equal(buf_str(&back), "a");
	buf_free(&out);
	buf_free(&back);
}

static void test_names_without_a_key(void **state)
{
	struct buf out = BUF_INIT(100);

	(void)state;
	assert_false(name_decode(BYTES_LIT("%:a%zz"), &out));
	assert_false(name_decode(BYTES_LIT("%:a"), &out));
	assert_false(name_decode(BYTES_LIT("%:%25"), &out));
	assert_false(name_decode(BYTES_LIT("%:a%2"), &out));
	buf_free(&out);
}

static void test_random(void **state)
{
	static const char alphabet[] = {
		'a', 'b', '%', ':', '=', '.', '2', '5', '0', '\0', '\n', -1};
	const char *given = getenv("SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
	struct rng rng = {.state = seed};
	int round;

	(void)state;
	print_message("seed %llu (SEED=... repeats it)\n", (unsigned long long)seed);
	for (round = 0; round < 20000; round++) {
		struct buf name = BUF_INIT(200), back = BUF_INIT(200);
		char key[12];
		size_t len = rng_below(&rng, sizeof(key)), i;

		for (i = 0; i < len; i++)
			key[i] = alphabet[rng_below(&rng, sizeof(alphabet))];
		name_encode(BYTES(key, len), rng_below(&rng, 2), &name);
		assert_true(name.len > 0);
		assert_null(memchr(name.ptr, '/', name.len));
		assert_null(memchr(name.ptr, '\0', name.len));
		assert_true(strcmp(name.ptr, ".") && strcmp(name.ptr, ".."));
		assert_true(name_decode(buf_bytes(&name), &back));
		assert_int_equal(back.len, len);
		if (len)
			assert_memory_equal(back.ptr, key, len);
		buf_free(&name);
		buf_free(&back);
	}
}

static void test_etags(void **state)
{
	static const char *const texts[] = {"", "d41d8cd98f00b204e9800998ecf8427e",
		"d41d8cd98f00b204e9800998ecf8427e-1", "d41d8cd98f00b204e9800998ecf8427e-10000",
		"d41d8cd98f00b204e9800998ecf8427e-01", "d41d8cd98f00b204e9800998ecf8427e-99999",
		"D41D8CD98F00B204E9800998ECF8427E", "another server's own form", "0"};
	struct etag a = {0}, b = {0};
	char text[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		etag_set(&a, BYTES_STR(texts[i]));
		assert_true(bytes_equal(etag_text(&a, text), BYTES_STR(texts[i])));
		etag_copy(&b, &a);
		assert_true(etag_equal(&a, &b));
		etag_set(&b, BYTES_LIT("d41d8cd98f00b204e9800998ecf84270-2"));
		assert_false(etag_equal(&a, &b));
	}
	etag_free(&a);
	etag_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_beside_a_directory),
		cmocka_unit_test(test_names_without_a_key),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_etags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
