/* Command lines into words: see s3_words.h. Pure. */
#include "s3/s3_words.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "s3/s3_creds.h"
#include "util/mem.h"

/* Reads one word at `*at` into `to`, which has room for all of it. False: a quote stays open. */
static bool take_word(const char **at, char *to)
{
	const char *p = *at;
	char quote = 0;

	for (; *p && (quote || !strchr(" \t\r\n", *p)); p++) {
		if (*p == quote && quote)
			quote = 0;
		else if (!quote && (*p == '\'' || *p == '"'))
			quote = *p;
		else if (*p == '\\' && quote != '\'' && (!quote || p[1] == '"' || p[1] == '\\')) {
			if (!p[1])
				return false;
			*to++ = *++p;
		} else {
			*to++ = *p;
		}
	}
	*to = '\0';
	*at = p;
	return !quote;
}

char **s3_words_split(const char *line)
{
	size_t count = 0;
	char *word = mem_calloc(strlen(line) + 1, 1);
	char **words = mem_calloc(strlen(line) / 2 + 2, sizeof(char *));
	bool ok = true;

	for (;;) {
		line += strspn(line, " \t\r\n");
		if (!*line || !ok)
			break;
		ok = take_word(&line, word);
		words[count++] = mem_strdup(word);
	}
	s3_secret_free(word);
	if (ok)
		return words;
	s3_words_free(words);
	return NULL;
}

void s3_words_free(char **words)
{
	size_t i;

	for (i = 0; words && words[i]; i++)
		s3_secret_free(words[i]);
	free(words);
}
