/*
 * Replays corpus files through a fuzz target: all files of the directory FUZZ_CORPUS, or those
 * named as arguments; each also cut at every 1/16 of its length. One thread.
 */
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

int main(int argc, char **argv)
{
	struct dirent **names;
	int i, count, failed = 0;

	for (i = 1; i < argc; i++)
		failed |= replay(argv[i]);
	if (argc > 1)
		return failed;
	count = scandir(FUZZ_CORPUS, &names, NULL, alphasort);
	if (count < 0) {
		perror(FUZZ_CORPUS);
		return 1;
	}
	for (i = 0; i < count; i++) {
		char *path = mem_printf("%s/%s", FUZZ_CORPUS, names[i]->d_name);

		if (names[i]->d_name[0] != '.')
			failed |= replay(path);
		free(path);
		free(names[i]);
	}
	free(names);
	printf("%d files\n", count - 2);
	return failed || count <= 2;
}
