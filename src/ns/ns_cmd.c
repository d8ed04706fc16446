/*
 * Which command lines are walks: the table that says, for each command, which options leave its end
 * certain. An option that may make the command skip entries, ask, or do something else altogether
 * is not in the table, and the command is then strict (contract C5); nor is one that follows links,
 * whose last entry is then another than the one that was listed. Pure: no /proc, no files.
 */
#include "ns/ns_int.h"

struct command_rule {
	const char *name;
	enum command_kind kind;
	const char *flags;            /* short options without an argument that are understood */
	const char *flags_arg;        /* those with one */
	const char *const *longs;     /* long options without an argument */
	const char *const *longs_arg; /* those with one: where things go */
	const char *const *longs_eq;  /* those with one behind '=' only */
	size_t first;                 /* operands before the first name: a mode, an owner */
	bool last_is_target;          /* the last operand is where things go, unless -t named it */
	bool dirs_first;
};

static const char *const cp_longs[] = {"--recursive", "--force", "--verbose", "--no-dereference",
	"--no-target-directory", "--strip-trailing-slashes", "--remove-destination", "--archive",
	"--preserve", NULL};
static const char *const cp_longs_arg[] = {"--target-directory", NULL};
static const char *const cp_longs_eq[] = {"--preserve", "--no-preserve", NULL};
static const char *const mv_longs[] = {
	"--force", "--verbose", "--no-target-directory", "--strip-trailing-slashes", NULL};
static const char *const rm_longs[] = {
	"--recursive", "--force", "--verbose", "--dir", "--preserve-root", NULL};
static const char *const ch_longs[] = {"--recursive", "--changes", "--quiet", "--silent",
	"--verbose", "--preserve-root", "--no-preserve-root", "--no-dereference", NULL};
static const char *const none[] = {NULL};

static const struct command_rule rules[] = {
	{"cp", COMMAND_COPY, "rRfvPdTap", "t", cp_longs, cp_longs_arg, cp_longs_eq, 0, true, false},
	{"mv", COMMAND_MOVE, "fvT", "t", mv_longs, cp_longs_arg, none, 0, true, false},
	{"rm", COMMAND_REMOVE, "rRfvd", "", rm_longs, none, none, 0, false, false},
	{"chmod", COMMAND_CHANGE, "Rcfv", "", ch_longs, none, none, 1, false, true},
	{"chown", COMMAND_CHANGE, "RcfvhP", "", ch_longs, none, none, 1, false, false},
	{"chgrp", COMMAND_CHANGE, "RcfvhP", "", ch_longs, none, none, 1, false, false},
};

/* Where the distributions keep them: another program of that name may do anything. */
static const char *const folders[] = {
	"/bin/", "/usr/bin/", "/usr/local/bin/", "/usr/lib/cargo/bin/coreutils/", NULL};

/* The program's name when it is in one of the folders; else NULL. */
static const char *program_of(const char *exe)
{
	size_t f;

	for (f = 0; folders[f]; f++)
		if (!strncmp(exe, folders[f], strlen(folders[f])) &&
			!strchr(exe + strlen(folders[f]), '/'))
			return exe + strlen(folders[f]);
	return NULL;
}

static const struct command_rule *find_rule(const char *program)
{
	size_t i;

	/* Beside another maker's programs GNU's are called gnucp, gnumv, ... */
	if (!strncmp(program, "gnu", 3))
		program += 3;
	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (!strcmp(program, rules[i].name))
			return &rules[i];
	return NULL;
}

bool command_may_be(const char *exe)
{
	const char *program = program_of(exe);

	return program && (find_rule(program) || !strcmp(program, "find") ||
				  !strcmp(program, "busybox") || !strcmp(program, "coreutils"));
}

/*
 * A file that holds many programs (`multi`: its name) is told which one in argv[0] or, called by
 * its own name, in argv[1]. Returns the program's name, or NULL; *skip: words to pass over.
 */
static const char *which_program(const char *multi, size_t argc, char *const *argv, size_t *skip)
{
	const char *slash = argc ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argc ? argv[0] : "";

	*skip = !strcmp(name, multi);
	if (!*skip)
		return name;
	return argc > 1 ? argv[1] : NULL;
}

/*
 * `find PATH... -delete` and nothing else: it removes all below each path, and the path. A test may
 * pass entries over; "." is never removed, so its end would not come.
 */
static struct command find_command(size_t argc, char *const *argv)
{
	size_t i, n;

	for (i = 1; i < argc && argv[i][0] != '-'; i++)
		;
	if (i == 1 || i + 1 != argc || strcmp(argv[i], "-delete") != 0)
		return (struct command){0};
	n = strlen(argv[i - 1]);
	if (n && argv[i - 1][n - 1] == '.' &&
		(n == 1 || argv[i - 1][n - 2] == '/' || argv[i - 1][n - 2] == '.'))
		return (struct command){0};
	return (struct command){.kind = COMMAND_REMOVE,
		.last = argv[i - 1],
		.count = i - 1,
		.recursive = true,
		.force = true};
}

static bool in_list(const char *const *list, const char *word, size_t len)
{
	for (; *list; list++)
		if (strlen(*list) == len && !strncmp(*list, word, len))
			return true;
	return false;
}

struct scan {
	const struct command_rule *rule;
	size_t argc, at;
	char *const *argv;
	bool has_target, recursive, force;
};

/* One long option; false: not understood. */
static bool scan_long(struct scan *s, const char *word)
{
	const char *eq = strchr(word, '=');

	if (eq && in_list(s->rule->longs_eq, word, (size_t)(eq - word)))
		return true;
	if (eq) {
		if (!in_list(s->rule->longs_arg, word, (size_t)(eq - word)))
			return false;
		s->has_target = true;
		return true;
	}
	s->recursive |= !strcmp(word, "--recursive") || !strcmp(word, "--archive");
	s->force |= !strcmp(word, "--force");
	if (in_list(s->rule->longs, word, strlen(word)))
		return true;
	if (!in_list(s->rule->longs_arg, word, strlen(word)) || s->at + 1 >= s->argc)
		return false;
	s->at++;
	s->has_target = true;
	return true;
}

/* A word of short options, as "-rf" or "-tDIR"; false: one is not understood. */
static bool scan_short(struct scan *s, const char *word)
{
	for (word++; *word; word++) {
		s->recursive |= *word == 'r' || *word == 'R' ||
				(*word == 'a' && s->rule->kind == COMMAND_COPY);
		s->force |= *word == 'f';
		if (strchr(s->rule->flags, *word))
			continue;
		if (!strchr(s->rule->flags_arg, *word))
			return false;
		s->has_target = true;
		if (!word[1] && ++s->at >= s->argc)
			return false;
		return true;
	}
	return true;
}

static struct command scan_words(struct scan *s)
{
	const char *last = NULL, *before = NULL;
	bool options = true;
	size_t operands = 0;

	for (s->at = 1; s->at < s->argc; s->at++) {
		const char *word = s->argv[s->at];

		if (options && !strcmp(word, "--")) {
			options = false;
		} else if (options && word[0] == '-' && word[1] == '-') {
			if (!scan_long(s, word))
				return (struct command){0};
		} else if (options && word[0] == '-' && word[1]) {
			if (!scan_short(s, word))
				return (struct command){0};
		} else {
			before = last;
			last = word;
			operands++;
		}
	}
	if (s->rule->last_is_target && !s->has_target) {
		last = before;
		operands = operands ? operands - 1 : 0;
	}
	if (!last || operands <= s->rule->first)
		return (struct command){0};
	return (struct command){.kind = s->rule->kind,
		.last = last,
		.count = operands - s->rule->first,
		.recursive = s->recursive,
		.dirs_first = s->rule->dirs_first,
		.force = s->force};
}

/*
 * The Rust rewrite of coreutils. Its cp and mv do not look at what close(2) says, and pass over a
 * directory that cannot be read without a word in the exit code: they have no certain end, and are
 * strict. Its rm says nothing when the last argument cannot be reached (ns_walk_end.c sees to it).
 */
static struct command uutils_command(const struct command_rule *rule, struct scan *s)
{
	struct command cmd;

	if (rule->kind == COMMAND_COPY || rule->kind == COMMAND_MOVE)
		return (struct command){.kind = COMMAND_STRICT, .careless = true};
	cmd = rule->kind == COMMAND_REMOVE ? scan_words(s) : (struct command){0};
	cmd.careless = true;
	return cmd;
}

struct command command_parse(const char *exe, enum maker maker, size_t argc, char *const *argv)
{
	const char *program = program_of(exe);
	struct scan s = {0};
	size_t skip = 0;

	if (program && (!strcmp(program, "busybox") || !strcmp(program, "coreutils")))
		program = which_program(program, argc, argv, &skip);
	if (!program || argc < 2)
		return (struct command){0};
	if (maker == MAKER_GNU && !strcmp(program, "find"))
		return find_command(argc, argv);
	s.rule = find_rule(program);
	s.argc = argc - skip;
	s.argv = argv + skip;
	if (!s.rule)
		return (struct command){0};
	if (maker == MAKER_UUTILS)
		return uutils_command(s.rule, &s);
	/* Of busybox's only rm is a walk: its cp moves the data itself. */
	if (maker == MAKER_GNU || (maker == MAKER_BUSYBOX && s.rule->kind == COMMAND_REMOVE))
		return scan_words(&s);
	return (struct command){0};
}
