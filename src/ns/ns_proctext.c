/* What the texts of /proc say (proc(5)): see ns_proc.h. Any thread. */
#include <limits.h>
#include <stdlib.h>

#include "ns/ns_int.h"
#include "util/mem.h"
#include "util/mountinfo.h"

static pid_t number(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	return end == text || n < 0 || n > INT_MAX ? 0 : (pid_t)n;
}

pid_t proctext_parent(const char *stat)
{
	/* pid (name) state ppid; the name may hold anything, also parentheses. */
	const char *end = strrchr(stat, ')');

	return end && end[1] == ' ' && end[2] && end[3] == ' ' ? number(end + 4) : 0;
}

pid_t proctext_tgid(const char *status)
{
	/* The name, in the first line, has its line ends escaped. */
	const char *line = strstr(status, "\nTgid:");

	return line ? number(line + 6) : 0;
}

char **proctext_words(char *cmdline, size_t len, size_t *count)
{
	size_t i, at = 0;
	char **words;

	*count = 0;
	for (i = 0; i < len; i++)
		*count += !cmdline[i];
	words = mem_calloc(*count + 1, sizeof(*words));
	for (i = 0; i < *count; i++) {
		words[i] = cmdline + at;
		at += strlen(cmdline + at) + 1;
	}
	return words;
}

bool proctext_within(const char *path, const char *top)
{
	size_t n = strlen(top);

	if (n == 1)
		return true;
	return !strncmp(path, top, n) && (path[n] == '/' || !path[n]);
}

size_t proctext_mount(struct bytes mountinfo, const char *path, bool *fuse, bool *below)
{
	struct mountinfo m;
	size_t best = 0;
	bool good;

	*fuse = *below = false;
	while (mountinfo_next(&mountinfo, &m, &good)) {
		char *point = good ? mountinfo_text(m.point) : NULL;

		*below |= good && proctext_within(point, path) && strcmp(point, path) != 0;
		if (good && proctext_within(path, point) && strlen(point) >= best) {
			best = strlen(point);
			*fuse = bytes_starts(m.type, BYTES_LIT("fuse"));
		}
		free(point);
	}
	return best;
}
