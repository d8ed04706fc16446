/*
 * Reads the AWS CLI's configuration files. The form is that of the AWS SDKs and Tools reference
 * guide, "Shared config and credentials files": sections, `name = value`, and settings nested below
 * a setting by indentation. Core thread.
 *
 * Not inih, which cuts section names at 49 bytes (`profile NAME` is often longer, and two profiles
 * would become one), and leaves copies of secrets in freed memory.
 */
#ifndef S3_S3_INI_H
#define S3_S3_INI_H

#include <stdbool.h>
#include <stddef.h>

/* Larger files are refused. */
#define S3_INI_BYTES_MAX ((size_t)4 << 20)

/*
 * One setting. `section` is the text between the brackets with single spaces inside; `parent` is
 * the setting that this one is nested in, or NULL; `name` and `parent` are in lower case. Borrowed
 * until the return; the memory is wiped by the reader.
 */
typedef void s3_ini_fn(
	void *ctx, const char *section, const char *parent, const char *name, const char *value);

/*
 * Goes through `text` (`len` bytes and a NUL behind them), which is changed. `path` is for
 * messages. False with a sentence in `why`, naming file and line but never the content, when a line
 * is neither setting nor section nor comment.
 */
bool s3_ini_parse(char *text, size_t len, const char *path, s3_ini_fn *fn, void *ctx, char *why,
	size_t why_size);

/*
 * The same for a file. One that does not exist is empty, as is /dev/null; false, with a sentence in
 * `why`, for what is no regular file (never waits for a FIFO) or larger than the bound.
 */
bool s3_ini_read(const char *path, s3_ini_fn *fn, void *ctx, char *why, size_t why_size);

#endif
