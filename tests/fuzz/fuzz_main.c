/*
 * Replays corpus files through a fuzz target: those named as arguments, or all of the directory
 * $FUZZ_CORPUS/NAME, where this program is fuzz_NAME; each also cut at every 1/16 of its length.
 * One thread. With libFuzzer, which has a main of its own, there is nothing here (FUZZ_LIBFUZZER).
 */
#ifndef FUZZ_LIBFUZZER
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "util/buf.h"
#include "util/mem.h"

#define INPUT_BYTES_MAX ((size_t)16 << 20)

/* The target gets memory of exactly `len` bytes, so that a sanitizer sees a read behind its end. */
static void run(const char *p, size_t len)
{
	uint8_t *exact = mem_resize(NULL, len, 1);

	if (len)
		memcpy(exact, p, len);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
}

static int replay(const char *path)
{
	struct buf text = BUF_INIT(INPUT_BYTES_MAX);
	char chunk[4096];
	FILE *f = fopen(path, "rb");
	size_t n, part;

	if (!f) {
		perror(path);
		return 1;
	}
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(&text, chunk, n);
	if (ferror(f) || text.failed) {
		fprintf(stderr, "%s: cannot be read, or is too long\n", path);
		fclose(f);
		buf_free(&text);
		return 1;
	}
	fclose(f);
	for (part = 1; part <= 16; part++)
		run(buf_str(&text), text.len * part / 16);
	buf_free(&text);
	return 0;
}

static char *corpus_of(const char *program)
{
	const char *top = getenv("FUZZ_CORPUS"), *name = strrchr(program, '/');

	name = name ? name + 1 : program;
	return top && !strncmp(name, "fuzz_", 5) ? mem_printf("%s/%s", top, name + 5) : NULL;
}

int main(int argc, char **argv)
{
	struct dirent **names;
	int i, count, failed = 0;
	char *corpus;

	for (i = 1; i < argc; i++)
		failed |= replay(argv[i]);
	if (argc > 1)
		return failed;
	corpus = corpus_of(argv[0]);
	count = corpus ? scandir(corpus, &names, NULL, alphasort) : -1;
	if (count < 0) {
		fprintf(stderr, "%s: name files, or set FUZZ_CORPUS to tests/fuzz/corpus\n",
			corpus ? corpus : argv[0]);
		free(corpus);
		return 1;
	}
	for (i = 0; i < count; i++) {
		char *path = mem_printf("%s/%s", corpus, names[i]->d_name);

		if (names[i]->d_name[0] != '.')
			failed |= replay(path);
		free(path);
		free(names[i]);
	}
	free(names);
	free(corpus);
	printf("%d files\n", count - 2);
	return failed || count <= 2;
}
#endif
