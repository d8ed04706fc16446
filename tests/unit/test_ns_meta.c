/* Texts of attributes in S3: what is written is read back, what others wrote is read or refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ns/ns_meta.h"
#include "util/clk.h"
#include "util/mem.h"
#include "util/rng.h"

static uint64_t seed;

static void test_modes(void **state)
{
	static const struct {
		const char *text;
		mode_t mode;
	} good[] = {
		{"33188", S_IFREG | 0644},  /* s3fs */
		{"41471", S_IFLNK | 0777},  /* s3fs, a link */
		{"16877", S_IFDIR | 0755},  /* s3fs */
		{"100644", S_IFREG | 0644}, /* rclone: octal */
		{"100664", S_IFREG | 0664}, /* the same, which as decimal would have more bits */
		{"120777", S_IFLNK | 0777},
		{"40755", S_IFDIR | 0755},
		{"0100600", S_IFREG | 0600},
		{"0644", 0644},
		{"420", 0644},
		{"0", 0},
		{"36333", S_IFREG | 06755},
	};
	static const char *const bad[] = {"", "-1", "+33188", " 33188", "33188 ", "0x81a4", "mode",
		"99999", "65536", "4294967295", "18446744073709551616", "999999999999999999999999",
		"33188.5", "1e4", "rw-r--r--", "-rw-r--r--", "\xff\xff", "08"};
	mode_t mode;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(mode_parse(good[i].text, &mode));
		if (mode != good[i].mode)
			fail_msg("%s: 0%o", good[i].text, mode);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (mode_parse(bad[i], &mode))
			fail_msg("'%s' was taken for the mode 0%o", bad[i], mode);
}

static void test_ids(void **state)
{
	static const char *const bad[] = {"", "-1", "4294967295", "4294967296", "0x10", "root",
		"1.0", "99999999999999999999", " 1"};
	uint32_t id;
	size_t i;

	(void)state;
	assert_true(id_parse("0", &id) && id == 0);
	assert_true(id_parse("4294967294", &id) && id == 4294967294u);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(id_parse(bad[i], &id));
}

static void test_times(void **state)
{
	static const struct {
		const char *text;
		long long s;
		long ns;
	} good[] = {
		{"0", 0, 0},
		{"1700000000", 1700000000, 0},
		{"1700000000.123456789", 1700000000, 123456789},
		{"1700000000.5", 1700000000, 500000000},
		{"1700000000.", 1700000000, 0},
		{"1700000000.1234567890123", 1700000000, 123456789}, /* rclone, of a float */
		{"-1", -1, 0},
		{"-0.5", -1, 500000000},
		{"-1.25", -2, 750000000},
		{"253402300799", 253402300799, 0},
	};
	static const char *const bad[] = {"", "-", ".", ".5", "253402300800", "1700000000123",
		"-62135596801", "99999999999999999999999", "1e9", "1700000000.5s", "1.-5", "--1",
		"2024-01-01T00:00:00Z", "nan", "inf", " 1", "0x10"};
	struct timespec t;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(mtime_parse(good[i].text, &t));
		if (t.tv_sec != good[i].s || t.tv_nsec != good[i].ns)
			fail_msg("%s: %lld %ld", good[i].text, (long long)t.tv_sec, t.tv_nsec);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (mtime_parse(bad[i], &t))
			fail_msg("'%s' was taken for a time", bad[i]);
}

static void test_random_times(void **state)
{
	struct rng rng = {.state = seed};
	int i;

	(void)state;
	for (i = 0; i < 100000; i++) {
		struct timespec t = {
			.tv_sec = (long long)(rng_next(&rng) % 300000000000) - 50000000000,
			.tv_nsec = rng_below(&rng, 4) ? rng_below(&rng, 1000000000) : 0};
		struct timespec back;
		char text[MTIME_TEXT];

		if (t.tv_sec > 253402300799)
			continue;
		mtime_format(&t, text);
		if (!mtime_parse(text, &back) || back.tv_sec != t.tv_sec ||
			back.tv_nsec != t.tv_nsec)
			fail_msg("seed %llu: %lld %ld became '%s'", (unsigned long long)seed,
				(long long)t.tv_sec, t.tv_nsec, text);
	}
}

/* ---- extended attributes ---- */

static void test_xattrs_of_s3fs(void **state)
{
	/* As s3fs 1.90 writes two of them. */
	static const char text[] = "%7B%22user.color%22%3A%22Ymx1ZQ%3D%3D%22%2C%22user.bin%22%3A"
				   "%22AP8%2BLw%3D%3D%22%7D";
	static const char *const also[] = {
		"{\"user.color\":\"Ymx1ZQ==\",\"user.bin\":\"AP8+Lw==\"}",
		" { \"user.color\" : \"Ymx1ZQ\" ,\n \"user.bin\" : \"AP8+Lw\" } ",
		"%7b\"\\u0075ser.color\":\"Ymx1ZQ==\",\"user\\u002ebin\":\"AP8%2bLw==\"%7d",
	};
	struct xattrs x, y;
	struct buf out = BUF_INIT(1000);
	size_t i;

	(void)state;
	assert_true(xattrs_parse(text, &x));
	assert_int_equal(x.count, 2);
	assert_int_equal(xattrs_find(&x, "user.color")->len, 4);
	assert_memory_equal(xattrs_find(&x, "user.color")->value, "blue", 4);
	assert_int_equal(xattrs_find(&x, "user.bin")->len, 4);
	assert_memory_equal(xattrs_find(&x, "user.bin")->value, "\0\xff>/", 4);
	xattrs_format(&x, &out);
	assert_string_equal(buf_str(&out), text);
	for (i = 0; i < sizeof(also) / sizeof(also[0]); i++) {
		assert_true(xattrs_parse(also[i], &y));
		assert_true(xattrs_equal(&x, &y));
		xattrs_free(&y);
	}
	xattrs_free(&x);
	buf_free(&out);
}

static void test_xattrs_that_make_no_sense(void **state)
{
	static const char *const bad[] = {"", "{", "}", "[]", "null", "{}x", "{\"a\"}", "{\"a\":}",
		"{\"a\":1}", "{\"a\":\"*\"}", "{\"a\":\"A\"}", "{\"a\":\"QQ==\"",
		"{\"a\":\"QQ==\",,}", "{\"a\":\"QQ==\" \"b\":\"QQ==\"}", "{\"\":\"QQ==\"}",
		"{\"a\\u0000b\":\"QQ==\"}", "{\"a\\x\":\"QQ==\"}", "{\"a\\u12\":\"\"}", "{\"a\\",
		"{\"a%00b\":\"QQ==\"}", "{\"a\":\"QQ==\x01\"}", "{\"a\":{\"b\":\"QQ==\"}}", "%",
		"%7", "%7B%"};
	struct xattrs x;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (xattrs_parse(bad[i], &x))
			fail_msg("'%s' was taken for attributes", bad[i]);
		assert_int_equal(x.count, 0);
	}
	assert_true(xattrs_parse("{}", &x) && !x.count);
	assert_true(xattrs_parse("{\"a\":\"\"}", &x) && x.count == 1 && !x.items[0].len);
	xattrs_free(&x);
}

static void random_bytes(struct rng *rng, struct buf *out, size_t max, unsigned lowest)
{
	size_t n = rng_below(rng, (unsigned)max);

	buf_cut(out, 0);
	while (n--)
		buf_addc(out, (char)(lowest + rng_below(rng, 256 - lowest)));
}

/* A model beside it; names of all bytes but NUL, values of all bytes. */
static void test_random_xattrs(void **state)
{
	struct rng rng = {.state = seed};
	struct buf name = BUF_INIT(100), value = BUF_INIT(300), text = BUF_INIT(1 << 20);
	struct xattrs x = {0}, y;
	int round;

	(void)state;
	for (round = 0; round < 3000; round++) {
		random_bytes(&rng, &name, 6, 1);
		random_bytes(&rng, &value, 60, 0);
		if (!name.len)
			buf_addc(&name, 'n');
		if (rng_below(&rng, 3))
			xattrs_set(&x, buf_str(&name), value.ptr ? value.ptr : "", value.len);
		else if (x.count)
			assert_true(xattrs_remove(
				&x, x.items[rng_below(&rng, (unsigned)x.count)].name));
		if (x.count > 20)
			xattrs_free(&x);
		buf_cut(&text, 0);
		xattrs_format(&x, &text);
		if (!xattrs_parse(buf_str(&text), &y) || !xattrs_equal(&x, &y))
			fail_msg("seed %llu: '%s'", (unsigned long long)seed, buf_str(&text));
		xattrs_free(&y);
		/* Any change of the text must be survived. */
		text.ptr[rng_below(&rng, (unsigned)text.len)] = (char)rng_below(&rng, 256);
		if (xattrs_parse(buf_str(&text), &y))
			xattrs_free(&y);
	}
	xattrs_free(&x);
	buf_free(&name);
	buf_free(&value);
	buf_free(&text);
}

/* ---- all of an object ---- */

static void test_object(void **state)
{
	struct s3_header user[] = {{"mode", "41471"}, {"uid", "7"}, {"gid", "-7"}, {"mtime", "1.5"},
		{"ctime", "2"}, {"xattr", "{\"user.a\":\"QQ==\"}"}};
	struct s3_object o = {
		.content_type = META_LINK_TYPE, .size_bytes = 9, .user = user, .user_count = 6};
	struct node_meta m;
	struct s3_header *h;
	size_t count, i;

	(void)state;
	assert_true(meta_parse(&o, "text/plain", &m));
	assert_int_equal(m.has, META_MODE | META_UID | META_MTIME | META_XATTRS);
	assert_int_equal(m.mode, 0777);
	assert_true(m.others); /* ctime, and a gid that is none */
	assert_int_equal(m.size, 5 + 1 + 3 + 2);
	h = meta_headers(&m, S_IFREG, false, &count);
	assert_int_equal(count, 4);
	assert_string_equal(h[0].value, "33279");
	assert_string_equal(h[3].value, "%7B%22user.a%22%3A%22QQ%3D%3D%22%7D");
	meta_headers_free(h, count);
	assert_true(xattrs_remove(&m.xattrs, "user.a"));
	h = meta_headers(&m, S_IFREG, false, &count);
	assert_int_equal(count, 3);
	meta_headers_free(h, count);
	h = meta_headers(&m, S_IFREG, true, &count);
	assert_int_equal(count, 4);
	assert_null(h[3].value);
	meta_headers_free(h, count);
	h = meta_headers(NULL, S_IFLNK, false, &count);
	assert_int_equal(count, 1);
	assert_string_equal(h[0].value, "41471");
	meta_headers_free(h, count);
	meta_clear(&m);

	o.user_count = 2;
	assert_true(meta_parse(&o, "text/plain", &m));
	assert_false(m.others);
	/* What is no path is no link. */
	o.size_bytes = 4096;
	assert_false(meta_parse(&o, "text/plain", &m));
	assert_false(m.others);
	assert_true(m.has & META_TYPE);
	assert_string_equal(m.content_type, META_LINK_TYPE);
	meta_clear(&m);
	o.size_bytes = 0;
	assert_false(meta_parse(&o, META_LINK_TYPE, &m));
	assert_false(m.others);
	o.size_bytes = 4095;
	o.encryption = "AES256";
	assert_true(meta_parse(&o, "text/plain", &m) && m.others);
	user[0].value = "33188";
	for (i = 0; i < 6; i++)
		user[i].name = "mtime"; /* one name many times, as no server should send it */
	o.user_count = 6;
	assert_false(meta_parse(&o, "text/plain", &m));
	meta_clear(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_random_times),
		cmocka_unit_test(test_xattrs_of_s3fs),
		cmocka_unit_test(test_xattrs_that_make_no_sense),
		cmocka_unit_test(test_random_xattrs),
		cmocka_unit_test(test_object),
	};

	seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : (uint64_t)clk_wall_ms();
	print_message("seed %llu (SEED=... repeats it)\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
