/*
 * Whose program a process runs. The end of a walk is certain only for those whose order of work is
 * known, and a name like /usr/bin/cp does not tell: distributions put GNU's coreutils there, or the
 * rewrite in Rust (uutils), or busybox. Each has its name in its file. Core thread.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ns/ns_int.h"
#include "util/mem.h"

#define KNOWN_MAX 32
#define FILE_BYTES_MAX ((off_t)128 << 20)
#define CHUNK_BYTES ((size_t)256 << 10)
#define MARK_BYTES_MAX 32

static const struct {
	const char *text;
	enum maker maker;
} marks[] = {
	/* This one names the others, too, so it comes first. */
	{"uutils", MAKER_UUTILS},
	{"GNU coreutils", MAKER_GNU},
	{"GNU findutils", MAKER_GNU},
	{"BusyBox v", MAKER_BUSYBOX},
};
#define MARK_COUNT (sizeof(marks) / sizeof(marks[0]))

/* Files that were looked at: a program that is replaced is another file. */
struct makers {
	struct known {
		dev_t dev;
		ino_t ino;
		struct timespec ctime;
		enum maker maker;
	} known[KNOWN_MAX];
	unsigned next;
};

enum maker maker_of_file(int fd)
{
	char *chunk = mem_calloc(MARK_BYTES_MAX + CHUNK_BYTES, 1);
	size_t best = MARK_COUNT, kept = 0, i;
	ssize_t n = 0;

	/* What a chunk ends with is looked at again with the next one. */
	while (best && (n = read(fd, chunk + kept, CHUNK_BYTES)) > 0) {
		size_t len = kept + (size_t)n;

		for (i = 0; i < best; i++)
			if (memmem(chunk, len, marks[i].text, strlen(marks[i].text)))
				best = i;
		kept = len < MARK_BYTES_MAX ? len : MARK_BYTES_MAX;
		memmove(chunk, chunk + len - kept, kept);
	}
	free(chunk);
	return n < 0 || best == MARK_COUNT ? MAKER_UNKNOWN : marks[best].maker;
}

static struct known *find_known(struct makers *m, const struct stat *st)
{
	unsigned i;

	for (i = 0; i < KNOWN_MAX; i++)
		if (m->known[i].ino == st->st_ino && m->known[i].dev == st->st_dev &&
			m->known[i].ctime.tv_sec == st->st_ctim.tv_sec &&
			m->known[i].ctime.tv_nsec == st->st_ctim.tv_nsec)
			return &m->known[i];
	return NULL;
}

enum maker maker_of(struct ns *ns, const struct process *p)
{
	enum maker maker = MAKER_UNKNOWN;
	struct known *k;
	struct stat st;
	int fd;

	if (!ns->makers)
		ns->makers = mem_zalloc(sizeof(*ns->makers));
	fd = process_open_exe(p);
	if (fd < 0)
		return MAKER_UNKNOWN;
	if (fstat(fd, &st) == 0 && st.st_size <= FILE_BYTES_MAX) {
		k = find_known(ns->makers, &st);
		if (!k) {
			k = &ns->makers->known[ns->makers->next++ % KNOWN_MAX];
			*k = (struct known){.dev = st.st_dev,
				.ino = st.st_ino,
				.ctime = st.st_ctim,
				.maker = maker_of_file(fd)};
		}
		maker = k->maker;
	}
	close(fd);
	return maker;
}

void makers_free(struct ns *ns)
{
	free(ns->makers);
}
