/*
 * The media type of a file by its name, from the databases that a system has: /etc/mime.types
 * (package media-types), and for endings that are not in it the globs of shared-mime-info. Core
 * thread; the files are read once.
 */
#ifndef UTIL_MIME_H
#define UTIL_MIME_H

struct mime;

/* The system's files. Those that are not there, or make no sense, are passed over; never NULL. */
struct mime *mime_new(void);
/* Others in their place: a mime.types, and a globs2 of shared-mime-info. */
struct mime *mime_new_from(const char *types_path, const char *globs_path);
void mime_free(struct mime *mime); /* NULL is fine */

/* Never NULL; "application/octet-stream" when the ending says nothing. Borrowed from `mime`. */
const char *mime_type(const struct mime *mime, const char *file_name);

#endif
