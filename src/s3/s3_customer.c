/*
 * Keys of SSE-C: see s3_customer.h. Every copy of a key that is made here is wiped before its
 * memory goes.
 */
#include "s3/s3_customer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/base64.h"
#include "util/mem.h"

/* A key, its base64, and a line's end; one byte more tells that there is more. */
#define FILE_BYTES_MAX 64

static void wipe(struct buf *b)
{
	if (b->ptr)
		explicit_bzero(b->ptr, b->cap);
	buf_free(b);
}

struct s3_customer_key *s3_customer_key_new(const char *base64)
{
	struct s3_customer_key *key = NULL;
	struct buf raw = BUF_INIT(S3_CUSTOMER_BASE64_SIZE);
	struct bytes run;

	if (strlen(base64) == S3_CUSTOMER_BASE64_SIZE - 1 &&
		base64_decode(BYTES_STR(base64), &raw) && raw.len == S3_CUSTOMER_KEY_BYTES) {
		key = mem_zalloc(sizeof(*key));
		memcpy(key->base64, base64, sizeof(key->base64));
		key->refs = 1;
		run = buf_bytes(&raw);
		if (!s3_md5_base64(&run, 1, key->md5)) {
			s3_customer_key_unref(key);
			key = NULL;
		}
	}
	wipe(&raw);
	return key;
}

struct s3_customer_key *s3_customer_key_ref(struct s3_customer_key *key)
{
	if (key)
		key->refs++;
	return key;
}

void s3_customer_key_unref(struct s3_customer_key *key)
{
	if (!key || --key->refs)
		return;
	explicit_bzero(key, sizeof(*key));
	free(key);
}

size_t s3_customer_headers(const struct s3_customer_key *key, bool is_source,
	struct s3_pair pairs[S3_CUSTOMER_HEADERS])
{
	if (!key)
		return 0;
#define NAME(end)                                                                        \
	(is_source ? BYTES_LIT("x-amz-copy-source-server-side-encryption-customer-" end) \
		   : BYTES_LIT("x-amz-server-side-encryption-customer-" end))
	pairs[0] = (struct s3_pair){NAME("algorithm"), BYTES_LIT("AES256")};
	pairs[1] = (struct s3_pair){NAME("key"), BYTES_STR(key->base64)};
	pairs[2] = (struct s3_pair){NAME("key-md5"), BYTES_STR(key->md5)};
#undef NAME
	return S3_CUSTOMER_HEADERS;
}

/* ---- the file -------------------------------------------------------------------------------- */

/* What the file has, as base64; NULL: it is neither of the two. */
static char *encoded(struct bytes data)
{
	struct buf raw = BUF_INIT(FILE_BYTES_MAX), text = BUF_INIT(FILE_BYTES_MAX);
	char *ret = NULL;

	/* Room at once, so that no copy is left where a buffer has grown. */
	buf_adds(&raw, "                                                ");
	buf_adds(&text, "                                                ");
	buf_cut(&raw, 0);
	buf_cut(&text, 0);
	if (data.len == S3_CUSTOMER_KEY_BYTES) {
		buf_addb(&raw, data);
	} else {
		while (data.len && strchr(" \t\r\n", data.ptr[data.len - 1]))
			data.len--;
		if (!base64_decode(data, &raw))
			buf_cut(&raw, 0);
	}
	if (raw.len == S3_CUSTOMER_KEY_BYTES) {
		base64_encode(buf_bytes(&raw), &text);
		ret = mem_strdup(buf_str(&text));
	}
	wipe(&raw);
	wipe(&text);
	return ret;
}

static bool is_private(int fd, const char *path, char *why, size_t why_size)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		snprintf(why, why_size, "cannot read the customer key %s: %m", path);
		return false;
	}
	if (!S_ISREG(st.st_mode)) {
		snprintf(
			why, why_size, "the customer key %s is not a regular file: give one", path);
		return false;
	}
	if (!(st.st_mode & 077))
		return true;
	snprintf(why, why_size,
		"others than its owner may use the customer key %s (mode %04o): chmod 600 it", path,
		(unsigned)st.st_mode & 07777);
	return false;
}

char *s3_customer_key_read(const char *path, char *why, size_t why_size)
{
	/* Nobody may keep us waiting at the other end of a FIFO: open(2). */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char data[FILE_BYTES_MAX + 1], *key = NULL;
	size_t got = 0;
	ssize_t n = 1;

	if (fd >= 0 && !is_private(fd, path, why, why_size)) {
		close(fd);
		return NULL;
	}
	while (fd >= 0 && n > 0 && got < sizeof(data)) {
		n = read(fd, data + got, sizeof(data) - got);
		got += n > 0 ? (size_t)n : 0;
		if (n < 0 && errno == EINTR)
			n = 1;
	}
	if (fd < 0 || n < 0)
		snprintf(why, why_size, "cannot read the customer key %s: %m", path);
	else if (got > FILE_BYTES_MAX || !(key = encoded(BYTES(data, got))))
		snprintf(why, why_size,
			"%s has no customer key: 32 bytes, or base64 of 32 bytes, and nothing else",
			path);
	explicit_bzero(data, sizeof(data));
	if (fd >= 0)
		close(fd);
	return key;
}
