/* The table of commands: which command lines are walks, and what their last argument is. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ns/ns_int.h"

#define ARGS_MAX 16

/* Parses a line of words separated by single spaces. */
static struct command parse(const char *exe, const char *line)
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
	return command_parse(exe, argc, argv);
}

static void expect(const char *exe, const char *line, enum command_kind kind, const char *last)
{
	struct command c = parse(exe, line);

	if (c.kind != kind)
		print_message("wrong kind for: %s\n", line);
	assert_int_equal(c.kind, kind);
	if (kind != COMMAND_OTHER)
		assert_string_equal(c.last, last);
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
	expect("/bin/busybox", "busybox rm -r a", COMMAND_REMOVE, "a");
	expect("/usr/bin/busybox", "rm -rf a b", COMMAND_REMOVE, "b");
	expect("/bin/busybox", "busybox cp -r a b", COMMAND_OTHER, NULL);
	expect("/bin/busybox", "busybox rm -i a", COMMAND_OTHER, NULL);
	expect("/bin/busybox", "busybox", COMMAND_OTHER, NULL);
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
		cmocka_unit_test(test_only_the_system_s_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
