/*
 * A command line into words, by the quoting of a POSIX shell: '...', "..." with \ before " and \,
 * and \ outside quotes. Nothing is expanded, nothing else is special. Pure.
 */
#ifndef S3_S3_WORDS_H
#define S3_S3_WORDS_H

/* The words and a NULL behind them; NULL when a quote is not closed. s3_words_free. */
char **s3_words_split(const char *line);
/* Wipes and frees; NULL is fine. */
void s3_words_free(char **words);

#endif
