/* The table of commands: which command lines are walks, and what their last argument is. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ns/ns_int.h"

#define ARGS_MAX 16

/* Parses a line of words separated by single spaces. */
static struct command parse_by(enum maker maker, const char *exe, const char *line)
{
	static char text[512];
	char *argv[ARGS_MAX], *at = text;
	size_t argc = 0;

	assert_true(strlen(line) < sizeof(text));
	memcpy(text, line, strlen(line) + 1);
	while (at && argc < ARGS_MAX) {
		argv[argc++] = at;
		at = strchr(at, ' ');
		if (at)
			*at++ = '\0';
	}
	return command_parse(exe, maker, argc, argv);
}

static void expect_by(enum maker maker, const char *exe, const char *line, enum command_kind kind,
	const char *last)
{
	struct command c = parse_by(maker, exe, line);

	if (c.kind != kind)
		print_message("wrong kind for: %s\n", line);
	assert_int_equal(c.kind, kind);
	if (last)
		assert_string_equal(c.last, last);
	else
		assert_null(c.last);
	/* Whose file is not read is not recognised. */
	if (kind != COMMAND_OTHER)
		assert_true(command_may_be(exe));
}

static void expect(const char *exe, const char *line, enum command_kind kind, const char *last)
{
	expect_by(MAKER_GNU, exe, line, kind, last);
}

static void test_copy(void **state)
{
	(void)state;
	expect("/usr/bin/cp", "cp -r a b", COMMAND_COPY, "a");
	expect("/bin/cp", "cp -r a b", COMMAND_COPY, "a");
	expect("/usr/bin/cp", "cp -rv a b c dir", COMMAND_COPY, "c");
	expect("/usr/bin/cp", "cp a b c dir/", COMMAND_COPY, "c");
	expect("/usr/bin/cp", "cp a b -R dir", COMMAND_COPY, "b");
	expect("/usr/bin/cp", "cp -t dir a b", COMMAND_COPY, "b");
	expect("/usr/bin/cp", "cp -tdir -r a b", COMMAND_COPY, "b");
	expect("/usr/bin/cp", "cp -rt dir a", COMMAND_COPY, "a");
	expect("/usr/bin/cp", "cp --target-directory=dir a b", COMMAND_COPY, "b");
	expect("/usr/bin/cp", "cp --target-directory dir a b", COMMAND_COPY, "b");
	expect("/usr/bin/cp", "cp --recursive --verbose a b", COMMAND_COPY, "a");
	expect("/usr/bin/cp", "cp -r -- -a b", COMMAND_COPY, "-a");
	expect("/usr/bin/cp", "cp -a a b", COMMAND_COPY, "a");
	expect("/usr/bin/cp", "cp -rp a b c", COMMAND_COPY, "b");
	expect("/usr/bin/cp", "cp -r --preserve=mode,timestamps a b", COMMAND_COPY, "a");
}

static void test_copy_uncertain(void **state)
{
	static const char *const lines[] = {"cp", "cp a", "cp -rn a b", "cp -ru a b", "cp -ri a b",
		"cp -rb a b", "cp -r --backup a b", "cp -r --no-clobber a b", "cp -rx a b",
		"cp -rl a b", "cp -rs a b", "cp -r --update=none a b", "cp -rS .old a b",
		"cp --recur a b", "cp -rZ a b", "cp -r --attributes-only a b", "cp -t",
		"cp -r -t dir", "cp --help", "cp -r --parents a b"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		expect("/usr/bin/cp", lines[i], COMMAND_OTHER, NULL);
}

static void test_remove(void **state)
{
	(void)state;
	expect("/usr/bin/rm", "rm -r a", COMMAND_REMOVE, "a");
	expect("/usr/bin/rm", "rm -rf a b", COMMAND_REMOVE, "b");
	expect("/usr/bin/rm", "rm a b c", COMMAND_REMOVE, "c");
	expect("/usr/bin/rm", "rm a b -f", COMMAND_REMOVE, "b");
	expect("/usr/bin/rm", "rm -- -r", COMMAND_REMOVE, "-r");
	expect("/usr/bin/rm", "rm -ri a", COMMAND_OTHER, NULL);
	expect("/usr/bin/rm", "rm -rI a", COMMAND_OTHER, NULL);
	expect("/usr/bin/rm", "rm -r --interactive=always a", COMMAND_OTHER, NULL);
	expect("/usr/bin/rm", "rm -r --one-file-system a", COMMAND_OTHER, NULL);
	expect("/usr/bin/rm", "rm -r", COMMAND_OTHER, NULL);
}

static void test_move(void **state)
{
	(void)state;
	expect("/usr/bin/mv", "mv a b c dir", COMMAND_MOVE, "c");
	expect("/usr/bin/mv", "mv -t dir a b", COMMAND_MOVE, "b");
	expect("/usr/bin/mv", "mv -f a b", COMMAND_MOVE, "a");
	expect("/usr/bin/mv", "mv -n a b", COMMAND_OTHER, NULL);
	expect("/usr/bin/mv", "mv -u a b", COMMAND_OTHER, NULL);
	expect("/usr/bin/mv", "mv --backup a b", COMMAND_OTHER, NULL);
}

static void test_find(void **state)
{
	(void)state;
	expect("/usr/bin/find", "find a -delete", COMMAND_REMOVE, "a");
	expect("/usr/bin/find", "find a b/c -delete", COMMAND_REMOVE, "b/c");
	expect("/usr/bin/find", "find a -name x -delete", COMMAND_OTHER, NULL);
	expect("/usr/bin/find", "find -delete", COMMAND_OTHER, NULL);
	expect("/usr/bin/find", "find . -delete", COMMAND_OTHER, NULL);
	expect("/usr/bin/find", "find a/. -delete", COMMAND_OTHER, NULL);
	expect("/usr/bin/find", "find a -delete -print", COMMAND_OTHER, NULL);
	expect("/usr/bin/find", "find a", COMMAND_OTHER, NULL);
}

static void test_busybox(void **state)
{
	(void)state;
	expect_by(MAKER_BUSYBOX, "/bin/busybox", "busybox rm -r a", COMMAND_REMOVE, "a");
	expect_by(MAKER_BUSYBOX, "/usr/bin/busybox", "rm -rf a b", COMMAND_REMOVE, "b");
	expect_by(MAKER_BUSYBOX, "/usr/bin/busybox", "/bin/rm -rf a", COMMAND_REMOVE, "a");
	expect_by(MAKER_BUSYBOX, "/bin/busybox", "busybox cp -r a b", COMMAND_OTHER, NULL);
	expect_by(MAKER_BUSYBOX, "/bin/busybox", "busybox chmod -R 7 b", COMMAND_OTHER, NULL);
	expect_by(MAKER_BUSYBOX, "/bin/busybox", "busybox find a -delete", COMMAND_OTHER, NULL);
	expect_by(MAKER_BUSYBOX, "/bin/busybox", "busybox rm -i a", COMMAND_OTHER, NULL);
	expect_by(MAKER_BUSYBOX, "/bin/busybox", "busybox", COMMAND_OTHER, NULL);
}

static void test_change(void **state)
{
	struct command c;

	(void)state;
	expect("/usr/bin/chmod", "chmod -R 700 a", COMMAND_CHANGE, "a");
	expect("/usr/bin/chmod", "chmod u+x,g-w a b", COMMAND_CHANGE, "b");
	expect("/usr/bin/chmod", "chmod -Rv 700 -- a", COMMAND_CHANGE, "a");
	expect("/usr/bin/chmod", "chmod -x a", COMMAND_OTHER, NULL);
	expect("/usr/bin/chmod", "chmod 700", COMMAND_OTHER, NULL);
	expect("/usr/bin/chmod", "chmod --reference=b a", COMMAND_OTHER, NULL);
	expect("/usr/bin/chown", "chown -R me:us a b", COMMAND_CHANGE, "b");
	expect("/usr/bin/chgrp", "chgrp --recursive us a", COMMAND_CHANGE, "a");
	expect("/usr/bin/chown", "chown -RH me a", COMMAND_OTHER, NULL);
	expect("/usr/bin/chown", "chown -RL me a", COMMAND_OTHER, NULL);
	expect("/usr/bin/chown", "chown --from=you me a", COMMAND_OTHER, NULL);
	expect("/usr/bin/chown", "chown -R me", COMMAND_OTHER, NULL);
	c = parse_by(MAKER_GNU, "/usr/bin/chmod", "chmod -R 700 a");
	assert_true(c.recursive && c.dirs_first && c.count == 1);
	c = parse_by(MAKER_GNU, "/usr/bin/chown", "chown me a b");
	assert_true(!c.recursive && !c.dirs_first && c.count == 2);
}

static void test_uutils(void **state)
{
	static const char *const multi = "/usr/bin/coreutils";
	struct command c;

	(void)state;
	/* Nothing that it copies has a certain end, under whatever name it goes. */
	expect_by(MAKER_UUTILS, multi, "/usr/lib/cargo/bin/coreutils/cp -r a b", COMMAND_STRICT,
		NULL);
	expect_by(MAKER_UUTILS, multi, "coreutils cp -r a b", COMMAND_STRICT, NULL);
	expect_by(MAKER_UUTILS, "/usr/bin/cp", "cp a b", COMMAND_STRICT, NULL);
	expect_by(MAKER_UUTILS, "/usr/lib/cargo/bin/coreutils/mv", "mv a b", COMMAND_STRICT, NULL);
	expect_by(MAKER_UUTILS, multi, "coreutils rm -rf a", COMMAND_REMOVE, "a");
	expect_by(MAKER_UUTILS, multi, "rm -rf a", COMMAND_REMOVE, "a");
	expect_by(MAKER_UUTILS, multi, "rm -ri a", COMMAND_OTHER, NULL);
	expect_by(MAKER_UUTILS, multi, "chmod -R 700 a", COMMAND_OTHER, NULL);
	expect_by(MAKER_UUTILS, "/usr/bin/find", "find a -delete", COMMAND_OTHER, NULL);
	expect_by(MAKER_UUTILS, multi, "coreutils", COMMAND_OTHER, NULL);
	c = parse_by(MAKER_UUTILS, multi, "rm -rf a");
	assert_true(c.careless && c.force);
	/* GNU's beside them. */
	expect("/usr/bin/gnucp", "cp -r a b", COMMAND_COPY, "a");
	expect("/usr/bin/coreutils", "cp -r a b", COMMAND_COPY, "a");
}

static void test_unknown_maker(void **state)
{
	(void)state;
	expect_by(MAKER_UNKNOWN, "/usr/bin/cp", "cp -r a b", COMMAND_OTHER, NULL);
	expect_by(MAKER_UNKNOWN, "/usr/bin/rm", "rm -r a", COMMAND_OTHER, NULL);
	expect_by(MAKER_UNKNOWN, "/usr/bin/find", "find a -delete", COMMAND_OTHER, NULL);
	expect_by(MAKER_BUSYBOX, "/usr/bin/cp", "cp -r a b", COMMAND_OTHER, NULL);
}

static enum maker maker_of_text(const char *before, size_t count, const char *text)
{
	FILE *f = tmpfile();
	enum maker maker;

	assert_non_null(f);
	while (count--)
		fputs(before, f);
	fputs(text, f);
	rewind(f);
	maker = maker_of_file(fileno(f));
	fclose(f);
	return maker;
}

static void test_maker(void **state)
{
	size_t i;

	(void)state;
	assert_int_equal(maker_of_text("x", 1, "cp (GNU coreutils) 9.1"), MAKER_GNU);
	assert_int_equal(maker_of_text("x", 1, "GNU findutils"), MAKER_GNU);
	assert_int_equal(maker_of_text("x", 1, "BusyBox v1.35"), MAKER_BUSYBOX);
	assert_int_equal(maker_of_text("x", 1, "nothing"), MAKER_UNKNOWN);
	assert_int_equal(maker_of_text("", 0, ""), MAKER_UNKNOWN);
	/* Wherever it stands, also across what is read at once. */
	for (i = 0; i < 20; i++)
		assert_int_equal(
			maker_of_text("GNU coreutils,", 18725 - i, "uutils"), MAKER_UUTILS);
	for (i = 0; i < 20; i++)
		assert_int_equal(maker_of_text("-", (256 << 10) - i, "GNU coreutils"), MAKER_GNU);
	assert_int_equal(maker_of_file(-1), MAKER_UNKNOWN);
}

static void test_only_the_system_s_programs(void **state)
{
	(void)state;
	expect("/home/me/cp", "cp -r a b", COMMAND_OTHER, NULL);
	expect("/usr/bin/cpp", "cp -r a b", COMMAND_OTHER, NULL);
	expect("/usr/bin/bash", "cp -r a b", COMMAND_OTHER, NULL);
	expect("/usr/bin/cp (deleted)", "cp -r a b", COMMAND_OTHER, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_copy_uncertain),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_busybox),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_uutils),
		cmocka_unit_test(test_unknown_maker),
		cmocka_unit_test(test_maker),
		cmocka_unit_test(test_only_the_system_s_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
