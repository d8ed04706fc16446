/*
 * Media types by ending: see mime.h. The files' texts are kept, cut into words in place; a sorted
 * array points into them. One thread.
 */
#include "util/mime.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/mem.h"

#define FILE_BYTES_MAX ((off_t)16 << 20)
#define DEFAULT_TYPE "application/octet-stream"

struct entry {
	const char *ending, *type;
	unsigned rank; /* the lowest of an ending counts */
};

struct mime {
	char *texts[2];
	struct entry *entries;
	size_t count, cap;
};

static char *slurp(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *text = NULL;
	size_t got = 0;
	ssize_t n = 1;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size <= FILE_BYTES_MAX)
		text = mem_zalloc((size_t)st.st_size + 1);
	while (text && got < (size_t)st.st_size && n > 0) {
		n = read(fd, text + got, (size_t)st.st_size - got);
		got += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	return text;
}

static bool is_type(const char *word)
{
	const char *p;

	for (p = word; *p; p++)
		if (!isgraph((unsigned char)*p))
			return false;
	return strchr(word, '/') && strlen(word) < 256;
}

static void add(struct mime *m, const char *ending, const char *type)
{
	if (m->count == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 1024;
		m->entries = mem_resize(m->entries, m->cap, sizeof(*m->entries));
	}
	m->entries[m->count] = (struct entry){ending, type, (unsigned)m->count};
	m->count++;
}

/* mime.types(5): a type, and the endings that go with it. */
static void take_types(struct mime *m, char *text)
{
	char *line, *word, *lines = text, *words;
	const char *type;

	while ((line = strsep(&lines, "\n"))) {
		type = NULL;
		words = line;
		while ((word = strsep(&words, " \t\r"))) {
			if (*word == '#')
				break;
			if (!*word)
				continue;
			if (type)
				add(m, word, type);
			else if (!is_type(word))
				break;
			else
				type = word;
		}
	}
}

/* The Shared MIME-info specification, "The glob files": weight:type:glob[:flags]. */
static void take_globs(struct mime *m, char *text)
{
	char *line, *lines = text;

	while ((line = strsep(&lines, "\n"))) {
		const char *weight = strsep(&line, ":");
		const char *type = strsep(&line, ":");
		const char *glob = strsep(&line, ":");

		if (*weight == '#' || !type || !glob || !is_type(type) || strncmp(glob, "*.", 2))
			continue;
		if (!strpbrk(glob + 2, "*?["))
			add(m, glob + 2, type);
	}
}

static int by_ending(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int c = strcasecmp(x->ending, y->ending);

	return c ? c : (x->rank > y->rank) - (x->rank < y->rank);
}

struct mime *mime_new_from(const char *types_path, const char *globs_path)
{
	struct mime *m = mem_zalloc(sizeof(*m));

	m->texts[0] = slurp(types_path);
	m->texts[1] = slurp(globs_path);
	if (m->texts[0])
		take_types(m, m->texts[0]);
	if (m->texts[1])
		take_globs(m, m->texts[1]);
	if (m->count)
		qsort(m->entries, m->count, sizeof(*m->entries), by_ending);
	return m;
}

struct mime *mime_new(void)
{
	return mime_new_from("/etc/mime.types", "/usr/share/mime/globs2");
}

void mime_free(struct mime *m)
{
	if (!m)
		return;
	free(m->texts[0]);
	free(m->texts[1]);
	free(m->entries);
	free(m);
}

/* The first of that ending, whose rank is the lowest. */
static const char *find(const struct mime *m, const char *ending)
{
	size_t low = 0, high = m->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcasecmp(m->entries[mid].ending, ending) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < m->count && !strcasecmp(m->entries[low].ending, ending))
		return m->entries[low].type;
	return NULL;
}

const char *mime_type(const struct mime *m, const char *name)
{
	const char *dot = strrchr(name, '.'), *type;

	/* A name that begins with its only dot is hidden, and has no ending. */
	type = dot && dot != name ? find(m, dot + 1) : NULL;
	return type ? type : DEFAULT_TYPE;
}
