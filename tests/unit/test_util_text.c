/* Base64, media types by name, the mount table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/base64.h"
#include "util/mem.h"
#include "util/mime.h"
#include "util/mountinfo.h"

static void test_base64(void **state)
{
	/* RFC 4648, section 10 */
	static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="},
		{"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"}};
	static const char *const bad[] = {"Z", "Zm9vY", "Zg==Zg==", "Zm 9v", "Zm9v\n", "Zm9v-_"};
	struct buf out = BUF_INIT(100);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		buf_cut(&out, 0);
		base64_encode(BYTES_STR(pairs[i][0]), &out);
		assert_string_equal(buf_str(&out), pairs[i][1]);
		buf_cut(&out, 0);
		assert_true(base64_decode(BYTES_STR(pairs[i][1]), &out));
		assert_string_equal(buf_str(&out), pairs[i][0]);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		buf_cut(&out, 0);
		buf_adds(&out, "kept");
		assert_false(base64_decode(BYTES_STR(bad[i]), &out));
		assert_string_equal(buf_str(&out), "kept");
	}
	buf_free(&out);
}

static char *file_of(const char *text)
{
	char *path = mem_strdup("/tmp/test_util_text.XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return path;
}

static void test_mime(void **state)
{
	char *types = file_of("# comment\ntext/html html htm # shtml\n\n  \nnonsense x\n"
			      "application/gzip\t\tgz\ntext/plain txt TXT2\napplication/none\n"
			      "audio/first dup\naudio/second dup\nbad type/x y");
	char *globs = file_of("# comment\n50:text/x-log:*.log\n50:text/other:*.html\n"
			      "50:application/x-c:*.tar.gz\n50:text/x-make:Makefile\n::\n50\n50:a\n"
			      "80:image/x:*.[xy]\n50:text/x-c:*.cc:cs");
	struct mime *m = mime_new_from(types, globs);
	static const char *const pairs[][2] = {
		{"a.html", "text/html"},
		{"A.HTM", "text/html"},
		{"a.shtml", "application/octet-stream"},
		{"x.tar.gz", "application/gzip"},
		{"x.log", "text/x-log"},
		{"x.txt2", "text/plain"},
		{"x.dup", "audio/first"},
		{"x.cc", "text/x-c"},
		{"x.x", "application/octet-stream"},
		{"x.y", "application/octet-stream"},
		{"Makefile", "application/octet-stream"},
		{".html", "application/octet-stream"},
		{"html", "application/octet-stream"},
		{"a.", "application/octet-stream"},
		{"", "application/octet-stream"},
		{"a.html.none", "application/octet-stream"},
		{"\xff.\xff", "application/octet-stream"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		assert_string_equal(mime_type(m, pairs[i][0]), pairs[i][1]);
	mime_free(m);
	m = mime_new_from("/nowhere", "/proc/self/mem");
	assert_string_equal(mime_type(m, "a.html"), "application/octet-stream");
	mime_free(m);
	unlink(types);
	unlink(globs);
	free(types);
	free(globs);
}

/* One of ours; a point with what is escaped and what is not; and lines that are none. */
static void test_mountinfo(void **state)
{
	static const char table[] =
		"36 35 98:5 /m1 /mnt/a\\040b\\134c\r\v rw - fuse.s3bulkfs buck:/p rw,user_id=7\n"
		"1 2 3:4 / /x rw shared:1 master:2 - ext4 /dev/root rw\n"
		"1 2 3:4 / /y rw - tmpfs\n"
		"1 2 3:99999999999 / /y rw - tmpfs t rw\n"
		"\n"
		"1 2 3:4 / /z\\999\\04 rw - tmpfs  rw";
	struct bytes rest = BYTES_LIT(table);
	struct mountinfo m;
	char *text;
	bool good;

	(void)state;
	assert_true(mountinfo_next(&rest, &m, &good) && good);
	assert_int_equal(m.device, makedev(98, 5));
	assert_true(bytes_equal(m.root, BYTES_LIT("/m1")));
	assert_true(bytes_equal(m.type, BYTES_LIT("fuse.s3bulkfs")));
	assert_true(bytes_equal(m.source, BYTES_LIT("buck:/p")));
	assert_true(bytes_equal(m.options, BYTES_LIT("rw,user_id=7")));
	text = mountinfo_text(m.point);
	assert_string_equal(text, "/mnt/a b\\c\r\v");
	free(text);
	assert_true(mountinfo_next(&rest, &m, &good) && good);
	assert_true(bytes_equal(m.source, BYTES_LIT("/dev/root")));
	assert_true(mountinfo_next(&rest, &m, &good) && !good);
	assert_true(mountinfo_next(&rest, &m, &good) && !good);
	assert_true(mountinfo_next(&rest, &m, &good) && !good);
	assert_true(mountinfo_next(&rest, &m, &good) && good);
	assert_int_equal(m.source.len, 0);
	text = mountinfo_text(m.point);
	assert_string_equal(text, "/z\\999\\04");
	free(text);
	assert_false(mountinfo_next(&rest, &m, &good));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_mime),
		cmocka_unit_test(test_mountinfo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
