/* Points in time as people write them: util/when.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "util/when.h"

#define NOON INT64_C(1795694400000) /* 2026-11-26T12:00:00Z */
#define HOUR INT64_C(3600000)

static void use_zone(const char *name)
{
	assert_int_equal(setenv("TZ", name, 1), 0);
	tzset();
}

static void expect(const char *text, int64_t want_ms)
{
	int64_t ms = -1;

	if (!when_parse(text, &ms))
		fail_msg("'%s' is a time", text);
	if (ms != want_ms)
		fail_msg("'%s' is %lld, not %lld", text, (long long)want_ms, (long long)ms);
}

static void test_with_offset(void **state)
{
	use_zone("EST5");
	expect("2026-11-26T12:00:00Z", NOON);
	expect("2026-11-26t12:00:00z", NOON);
	expect("2026-11-26 12:00:00Z", NOON);
	expect("2026-11-26T12:00:00.5Z", NOON + 500);
	expect("2026-11-26T12:00:00.0459999999999999Z", NOON + 45);
	expect("2026-11-26T13:30:00+01:30", NOON);
	expect("2026-11-26T00:00:00-12:00", NOON);
	expect("2026-11-27T00:30:00.001+12:30", NOON + 1);
	expect("2026-11-26T12:00:00-00:00", NOON);
	expect("2026-11-26T11:59:60Z", NOON);
	expect("2024-02-29T00:00:00Z", INT64_C(1709164800000));
	expect("9999-12-31T23:59:59Z", INT64_C(253402300799000));
}

static void test_local(void **state)
{
	use_zone("EST5");
	expect("2026-11-26 07:00:00", NOON);
	expect("2026-11-26T07:00:00.25", NOON + 250);
	expect("2026-11-26", NOON - 7 * HOUR);
	use_zone("UTC");
	expect("2026-11-26", NOON - 12 * HOUR);
	/* In summer the clock is an hour ahead. */
	use_zone("EST5EDT,M3.2.0,M11.1.0");
	expect("2026-07-01 08:00:00", INT64_C(1782907200000));
	expect("2026-11-26 07:00:00", NOON);
	expect("2026-07-01T08:00:00-04:00", INT64_C(1782907200000));
}

static void test_epoch(void **state)
{
	expect("@1795694400", NOON);
	expect("@1795694400.25", NOON + 250);
	expect("@1", 1000);
	expect("@0.001", 1);
}

static void test_bad(void **state)
{
	static const char *const bad[] = {"", " ", "yesterday", "2026", "2026-11", "2026-11-26T",
		"2026-11-26 ", "2026-11-26T12:00", "2026-11-26T12:00:00+1",
		"2026-11-26T12:00:00+01", "2026-11-26T12:00:00 Z", "2026-11-26T12:00:00Zx",
		"2026-11-26T12:00:00.", "2026-11-26T12:00:00.Z", "2026-11-26T24:00:00Z",
		"2026-11-26T12:60:00Z", "2026-11-26T12:00:61Z", "2026-11-26T12:00:00+24:00",
		"2026-11-26T12:00:00+01:60", "2026-00-01", "2026-13-01", "2026-01-00", "2026-01-32",
		"2026-02-29", "2026-04-31", "26-11-26", "02026-11-26", "2026/11/26", "1969-12-31",
		"10000-01-01", "@", "@-1", "@0", "@x", "@1x", "@1.", "@ 1", "@99999999999999999999",
		"-1", "1795694400", "2026-11-26T12:00:00Z,ro"};
	int64_t ms;
	size_t i;

	use_zone("UTC");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (when_parse(bad[i], &ms))
			fail_msg("'%s' is no time", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_with_offset),
		cmocka_unit_test(test_local),
		cmocka_unit_test(test_epoch),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
