/*
 * Fuzz target for the texts of attributes in user metadata: "name: value" lines, as HeadObject
 * gives them. What was understood comes back as it was when it is written again.
 */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#include "ns/ns_meta.h"
#include "util/mem.h"

#define HEADERS_MAX 32

static void check_mtime(const char *text)
{
	struct timespec t, back;
	char out[MTIME_TEXT];

	if (!mtime_parse(text, &t))
		return;
	FUZZ_REQUIRE(t.tv_nsec >= 0 && t.tv_nsec < 1000000000);
	mtime_format(&t, out);
	FUZZ_REQUIRE(mtime_parse(out, &back));
	FUZZ_REQUIRE(back.tv_sec == t.tv_sec && back.tv_nsec == t.tv_nsec);
}

static void check_mode(const char *text)
{
	char out[16];
	mode_t mode, back;
	uint32_t id;

	if (mode_parse(text, &mode))
		FUZZ_REQUIRE(mode <= 0177777);
	/* As it is written here, a regular file's. */
	if (mode_parse(text, &mode) && S_ISREG(mode)) {
		snprintf(out, sizeof(out), "%u", mode);
		FUZZ_REQUIRE(mode_parse(out, &back) && back == mode);
	}
	if (id_parse(text, &id))
		FUZZ_REQUIRE(id != UINT32_MAX);
}

static void check_xattrs(const char *text)
{
	struct buf out = BUF_INIT((size_t)4 << 20);
	struct xattrs x, back;
	size_t i;

	if (!xattrs_parse(text, &x)) {
		FUZZ_REQUIRE(!x.count);
		return;
	}
	for (i = 0; i < x.count; i++)
		FUZZ_REQUIRE(x.items[i].name[0]);
	xattrs_format(&x, &out);
	/* A header's value. */
	FUZZ_REQUIRE(out.failed || !strpbrk(buf_str(&out), "\r\n"));
	if (!out.failed) {
		FUZZ_REQUIRE(xattrs_parse(buf_str(&out), &back) && xattrs_equal(&x, &back));
		xattrs_free(&back);
	}
	xattrs_free(&x);
	buf_free(&out);
}

static void check_object(char *text)
{
	struct s3_header user[HEADERS_MAX], *again;
	struct s3_object o = {.user = user, .content_type = "a/b", .size_bytes = strlen(text)};
	struct node_meta m;
	size_t count;
	char *line, *colon;
	bool link;

	while (o.user_count < HEADERS_MAX && (line = strsep(&text, "\n"))) {
		colon = strchr(line, ':');
		if (!colon)
			continue;
		*colon = '\0';
		user[o.user_count++] = (struct s3_header){line, colon + 1 + (colon[1] == ' ')};
	}
	link = meta_parse(&o, "a/c", &m);
	FUZZ_REQUIRE(!(m.mode & ~07777u) && m.size <= META_BYTES_MAX);
	again = meta_headers(&m, link ? S_IFLNK : S_IFREG, true, &count);
	meta_headers_free(again, count);
	meta_clear(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_dup(data, size);

	check_mtime(text);
	check_mode(text);
	check_xattrs(text);
	check_object(text);
	free(text);
	return 0;
}
