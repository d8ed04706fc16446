/* Points in time: see when.h. */
#include "util/when.h"

#include <stddef.h>
#include <time.h>

/* `count` digits, of a number from `least` to `most`. */
static bool number(const char **at, unsigned count, int least, int most, int *ret)
{
	int n = 0;

	for (; count; count--, (*at)++) {
		if (**at < '0' || **at > '9')
			return false;
		n = n * 10 + (**at - '0');
	}
	*ret = n;
	return n >= least && n <= most;
}

static bool skip(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

/* ".5": what is finer than a millisecond is left out. */
static bool fraction(const char **at, int *ms)
{
	int place = 100;

	*ms = 0;
	if (!skip(at, '.'))
		return true;
	if (**at < '0' || **at > '9')
		return false;
	for (; **at >= '0' && **at <= '9'; (*at)++, place /= 10)
		*ms += (**at - '0') * place;
	return true;
}

static bool date(const char **at, struct tm *tm)
{
	int year, month;

	if (!number(at, 4, 1970, 9999, &year) || !skip(at, '-') || !number(at, 2, 1, 12, &month) ||
		!skip(at, '-') || !number(at, 2, 1, 31, &tm->tm_mday))
		return false;
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	return true;
}

/* 60: a leap second, which is the first of the next minute here. */
static bool clock_time(const char **at, struct tm *tm)
{
	return number(at, 2, 0, 23, &tm->tm_hour) && skip(at, ':') &&
	       number(at, 2, 0, 59, &tm->tm_min) && skip(at, ':') &&
	       number(at, 2, 0, 60, &tm->tm_sec);
}

/* Z, +HH:MM, or nothing: then *is_local. */
static bool offset(const char **at, bool *is_local, int *offset_s)
{
	int sign, hours, minutes;

	*is_local = !**at;
	*offset_s = 0;
	if (*is_local || skip(at, 'Z') || skip(at, 'z'))
		return true;
	sign = **at == '-' ? -1 : 1;
	if ((!skip(at, '+') && !skip(at, '-')) || !number(at, 2, 0, 23, &hours) || !skip(at, ':') ||
		!number(at, 2, 0, 59, &minutes))
		return false;
	*offset_s = sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool seconds(const char *at, int64_t *ms)
{
	int64_t s = 0;
	int part;

	if (*at < '0' || *at > '9')
		return false;
	for (; *at >= '0' && *at <= '9'; at++) {
		s = s * 10 + (*at - '0');
		if (s > INT64_C(253402300799)) /* 9999-12-31T23:59:59Z */
			return false;
	}
	if (!fraction(&at, &part) || *at)
		return false;
	*ms = s * 1000 + part;
	return *ms > 0;
}

bool when_parse(const char *text, int64_t *ms)
{
	struct tm tm = {.tm_isdst = -1};
	bool is_local = true;
	int day, part = 0, offset_s = 0;
	time_t t;

	if (*text == '@')
		return seconds(text + 1, ms);
	if (!date(&text, &tm))
		return false;
	if (*text) {
		if ((!skip(&text, 'T') && !skip(&text, 't') && !skip(&text, ' ')) ||
			!clock_time(&text, &tm) || !fraction(&text, &part) ||
			!offset(&text, &is_local, &offset_s) || *text)
			return false;
	}
	/* Neither says that there is no such day: they take the one that comes instead. */
	day = tm.tm_mday;
	t = timegm(&(struct tm){.tm_year = tm.tm_year, .tm_mon = tm.tm_mon, .tm_mday = day});
	if (gmtime_r(&t, &(struct tm){0})->tm_mday != day)
		return false;
	t = is_local ? mktime(&tm) : timegm(&tm) - offset_s;
	*ms = (int64_t)t * 1000 + part;
	return *ms > 0;
}
