/*
 * The AWS configuration files: see s3_ini.h. Core thread. The file's text, which may hold secrets,
 * is in one block that is wiped before it is freed.
 */
#include "s3/s3_ini.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "util/mem.h"

struct reader {
	s3_ini_fn *fn;
	void *ctx;
	const char *section; /* NULL: before the first one */
	const char *parent;  /* the last setting that was not nested; NULL: none in this section */
	size_t parent_indent;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static char *trim(char *s)
{
	size_t len;

	while (is_blank(*s))
		s++;
	len = strlen(s);
	while (len && is_blank(s[len - 1]))
		len--;
	s[len] = '\0';
	return s;
}

/* Cuts a comment at the end of a line: a '#' or ';' with white space before it. */
static void cut_comment(char *s)
{
	size_t i;

	for (i = 1; s[0] && s[i]; i++) {
		if ((s[i] == '#' || s[i] == ';') && is_blank(s[i - 1])) {
			s[i] = '\0';
			return;
		}
	}
}

static void lower(char *s)
{
	for (; *s; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s - 'A' + 'a');
}

/* Runs of white space become one space, so that `[profile   x]` compares with "profile x". */
static void squeeze(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (!is_blank(*s))
			*to++ = *s;
		else if (!is_blank(s[1]))
			*to++ = ' ';
	}
	*to = '\0';
}

/* `line` begins with '['. False when the bracket is not closed. */
static bool take_section(struct reader *r, char *line)
{
	char *end = strchr(line, ']'), *name;

	if (!end)
		return false;
	*end = '\0';
	name = trim(line + 1);
	squeeze(name);
	r->section = name;
	r->parent = NULL;
	return true;
}

/* A line with text in it, its line end cut off. False when it makes no sense. */
static bool take_line(struct reader *r, char *line)
{
	size_t indent = strspn(line, " \t");
	bool nested = r->parent && indent > r->parent_indent;
	char *name = line + indent, *value;

	if (*name == '[' && !nested)
		return take_section(r, name);
	cut_comment(name);
	value = strpbrk(name, nested ? "=" : "=:");
	if (!value)
		return nested; /* a further line of a value that has several: none of ours */
	*value++ = '\0';
	name = trim(name);
	lower(name);
	if (!r->section || !*name)
		return false;
	r->fn(r->ctx, r->section, nested ? r->parent : NULL, name, trim(value));
	if (!nested) {
		r->parent = name;
		r->parent_indent = indent;
	}
	return true;
}

bool s3_ini_parse(char *text, size_t len, const char *path, s3_ini_fn *fn, void *ctx, char *why,
	size_t why_size)
{
	struct reader r = {.fn = fn, .ctx = ctx};
	char *line = text, *end = text + len;
	unsigned number = 1;

	if (memchr(text, '\0', len)) {
		snprintf(why, why_size, "%s is not a text file", path);
		return false;
	}
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		line += 3;
	for (; line < end; number++) {
		char *next = memchr(line, '\n', (size_t)(end - line));
		char *first;

		if (next)
			*next++ = '\0';
		else
			next = end;
		for (first = line; is_blank(*first); first++)
			;
		if (*first && *first != '#' && *first != ';' && !take_line(&r, line)) {
			snprintf(why, why_size,
				"%s, line %u, is neither a [section] nor a setting: correct it",
				path, number);
			return false;
		}
		line = next;
	}
	return true;
}

/* Reads the whole of `fd` into fresh memory; NULL and errno when that fails. */
static char *read_all(int fd, size_t *len)
{
	struct stat st;
	char *text;
	size_t have = 0, cap;

	if (fstat(fd, &st))
		return NULL;
	if (st.st_size < 0 || (uintmax_t)st.st_size > S3_INI_BYTES_MAX) {
		errno = EFBIG;
		return NULL;
	}
	cap = (size_t)st.st_size + 1;
	text = mem_calloc(1, cap + 1);
	for (;;) {
		ssize_t n = read(fd, text + have, cap - have);

		if (n > 0)
			have += (size_t)n;
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			break;
		if (n < 0 || have == cap) {
			if (n > 0)
				errno = EFBIG;
			explicit_bzero(text, have);
			free(text);
			return NULL;
		}
	}
	text[have] = '\0';
	*len = have;
	return text;
}

/* /dev/null (mem(4)) is how people say that there is no such file. */
static bool is_null_device(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

bool s3_ini_read(const char *path, s3_ini_fn *fn, void *ctx, char *why, size_t why_size)
{
	/* Nobody may keep the core thread waiting at the other end of a FIFO: open(2). */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t len = 0;
	struct stat st;
	char *text;
	bool ok;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return true;
	if (fd >= 0 && !fstat(fd, &st) && !S_ISREG(st.st_mode)) {
		close(fd);
		if (is_null_device(&st))
			return true;
		snprintf(why, why_size, "%s is not a regular file: give one", path);
		return false;
	}
	text = fd < 0 ? NULL : read_all(fd, &len);
	if (!text) {
		snprintf(why, why_size, "cannot read %s: %m", path);
		if (fd >= 0)
			close(fd);
		return false;
	}
	close(fd);
	ok = s3_ini_parse(text, len, path, fn, ctx, why, why_size);
	explicit_bzero(text, len);
	free(text);
	return ok;
}
