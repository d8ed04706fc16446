/*
 * The environment that a client looks things up in: the process's, or a copy of that of whoever
 * mounts, which another process may serve. An environment is a list of "NAME=value" with a NULL at
 * its end, as in environ(7). Core thread, before other threads change it.
 */
#ifndef S3_S3_ENV_H
#define S3_S3_ENV_H

/* The value, NULL when it is not set; set to nothing counts as not set. Borrowed. */
const char *s3_env(const char *const *env, const char *name);
/* A copy of any environment. */
char **s3_env_copy(const char *const *env);
/*
 * A copy of the process's that means the same elsewhere: with HOME, if need be from the user
 * database, and with the paths of the AWS variables made absolute.
 */
char **s3_env_capture(void);
/* Wipes and frees a copy: there may be secrets in it. NULL is fine. */
void s3_env_free(char **env);
/* `path` with a leading "~/" as the home directory of `env`. Owned by the caller. */
char *s3_env_path(const char *const *env, const char *path);
/* `path` made absolute by the working directory. Owned by the caller; NULL stays NULL. */
char *s3_env_absolute(const char *path);

#endif
