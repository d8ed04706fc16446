/* Values in answers: see s3_value.h. */
#include "s3/s3_value.h"

#include "util/mem.h"

#define RETRY_AFTER_MAX_S 3600

bool s3_value_size(struct bytes text, uint64_t *value)
{
	uint64_t v = 0;
	size_t i;

	if (!text.len)
		return false;
	for (i = 0; i < text.len; i++) {
		unsigned digit = (unsigned char)text.ptr[i] - '0';

		if (digit > 9 || v > ((uint64_t)INT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*value = v;
	return true;
}

bool s3_value_range(struct bytes text, uint64_t *first, uint64_t *size)
{
	struct bytes prefix = BYTES_LIT("bytes ");
	const char *dash, *slash, *end;
	uint64_t last;

	if (!bytes_starts(text, prefix))
		return false;
	end = text.ptr + text.len;
	text = BYTES(text.ptr + prefix.len, text.len - prefix.len);
	dash = memchr(text.ptr, '-', text.len);
	slash = memchr(text.ptr, '/', text.len);
	return dash && slash && dash < slash &&
	       s3_value_size(BYTES(text.ptr, (size_t)(dash - text.ptr)), first) &&
	       s3_value_size(BYTES(dash + 1, (size_t)(slash - dash - 1)), &last) &&
	       s3_value_size(BYTES(slash + 1, (size_t)(end - slash - 1)), size) && *first <= last &&
	       last < *size;
}

int64_t s3_value_retry_ms(struct bytes text)
{
	uint64_t seconds;

	if (!s3_value_size(text, &seconds))
		return 0;
	return (int64_t)(seconds > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : seconds) * 1000;
}

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("+=,.@_-/", c));
}

char *s3_value_word(struct bytes text, size_t max)
{
	size_t n = 0;

	while (n < text.len && is_word_char(text.ptr[n]))
		n++;
	if (!n || n > max || (n < text.len && !strchr("\r\n", text.ptr[n])))
		return NULL;
	return mem_dup(text.ptr, n);
}
