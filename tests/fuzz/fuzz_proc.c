/*
 * Fuzz target for the texts of /proc: command lines (NUL behind each word), status and stat, and
 * the mount table. All of them may be chosen by another user: names of processes, of mount points.
 */
#include "fuzz.h"

#include <limits.h>
#include <string.h>

#include "ns/ns_int.h"
#include "util/mem.h"
#include "util/mountinfo.h"

static bool is_one_of(const char *word, size_t argc, char *const *argv)
{
	size_t i;

	for (i = 0; i < argc; i++)
		if (argv[i] == word)
			return true;
	return false;
}

static void check_command(struct bytes in)
{
	static const char *const programs[] = {"/usr/bin/cp", "/bin/rm", "/usr/bin/mv",
		"/usr/bin/chmod", "/usr/bin/chown", "/usr/bin/find", "/bin/busybox",
		"/usr/bin/coreutils", "/tmp/cp"};
	char *text = mem_dup(in.ptr, in.len), **argv;
	enum maker maker;
	size_t argc, i;

	argv = proctext_words(text, in.len, &argc);
	FUZZ_REQUIRE(argc <= in.len && !argv[argc]);
	for (i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		for (maker = MAKER_UNKNOWN; maker <= MAKER_BUSYBOX; maker++) {
			struct command c = command_parse(programs[i], maker, argc, argv);

			FUZZ_REQUIRE(!c.last || is_one_of(c.last, argc, argv));
			FUZZ_REQUIRE(c.kind == COMMAND_OTHER || c.kind == COMMAND_STRICT ||
				     (c.last && c.count > 0 && c.count < argc));
			/* Another's program is never taken for one that is known. */
			FUZZ_REQUIRE(c.kind == COMMAND_OTHER || i < 8);
			FUZZ_REQUIRE(c.kind == COMMAND_OTHER || maker != MAKER_UNKNOWN);
		}
	free(argv);
	free(text);
}

static void check_status(struct bytes in)
{
	char *text = mem_dup(in.ptr, in.len);

	FUZZ_REQUIRE(proctext_parent(text) >= 0 && proctext_tgid(text) >= 0);
	free(text);
}

static void check_mounts(struct bytes in)
{
	struct bytes rest = in;
	struct mountinfo m;
	bool good, fuse, below;
	size_t n;
	char *text;

	while (mountinfo_next(&rest, &m, &good)) {
		FUZZ_REQUIRE(rest.ptr <= in.ptr + in.len && rest.len < in.len);
		if (!good)
			continue;
		FUZZ_REQUIRE(!memchr(m.point.ptr, ' ', m.point.len));
		FUZZ_REQUIRE(!m.point.len || !memchr(m.point.ptr, '\n', m.point.len));
		text = mountinfo_text(m.point);
		FUZZ_REQUIRE(strlen(text) <= m.point.len);
		free(text);
	}
	n = proctext_mount(in, "/mnt/a b", &fuse, &below);
	FUZZ_REQUIRE(n <= strlen("/mnt/a b"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = BYTES((const char *)data, size);

	check_command(in);
	check_status(in);
	check_mounts(in);
	return 0;
}
