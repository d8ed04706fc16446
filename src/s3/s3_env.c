/* Environments: see s3_env.h. Core thread. A copy owns its strings and its list. */
#include "s3/s3_env.h"

#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "s3/s3_creds.h"
#include "util/mem.h"

static const char *const path_names[] = {"AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE",
	"AWS_CA_BUNDLE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"};

/* "NAME=value" of this name? Then its value. */
static const char *value_of(const char *var, const char *name)
{
	size_t n = strlen(name);

	return !strncmp(var, name, n) && var[n] == '=' ? var + n + 1 : NULL;
}

const char *s3_env(const char *const *env, const char *name)
{
	const char *value;

	for (; *env; env++) {
		value = value_of(*env, name);
		if (value)
			return value[0] ? value : NULL;
	}
	return NULL;
}

static size_t count_of(const char *const *env)
{
	size_t n = 0;

	while (env[n])
		n++;
	return n;
}

char **s3_env_copy(const char *const *env)
{
	size_t n = count_of(env), i;
	char **copy = mem_calloc(n + 1, sizeof(char *));

	for (i = 0; i < n; i++)
		copy[i] = mem_strdup(env[i]);
	return copy;
}

void s3_env_free(char **env)
{
	size_t i;

	for (i = 0; env && env[i]; i++)
		s3_secret_free(env[i]);
	free(env);
}

/* A mount from fstab has no HOME. */
static char *home_of_user(void)
{
	size_t size = 16384;
	struct passwd pw, *found = NULL;
	char *scratch = mem_calloc(1, size), *dir;

	if (getpwuid_r(geteuid(), &pw, scratch, size, &found) || !found)
		dir = mem_strdup("/root");
	else
		dir = mem_strdup(pw.pw_dir);
	free(scratch);
	return dir;
}

char *s3_env_absolute(const char *path)
{
	char dir[PATH_MAX];

	if (!path || path[0] == '/' || !getcwd(dir, sizeof(dir)))
		return mem_strdup(path);
	return mem_printf("%s/%s", dir, path);
}

static void make_absolute(char **var, const char *name)
{
	const char *value = value_of(*var, name);
	char *path, *fresh;

	if (!value || !value[0] || value[0] == '/' || value[0] == '~')
		return;
	path = s3_env_absolute(value);
	fresh = mem_printf("%s=%s", name, path);
	free(path);
	free(*var);
	*var = fresh;
}

char **s3_env_capture(void)
{
	char **env = s3_env_copy((const char *const *)environ);
	size_t n = count_of((const char *const *)env), i, k;
	char *home;

	for (i = 0; i < n; i++)
		for (k = 0; k < sizeof(path_names) / sizeof(path_names[0]); k++)
			make_absolute(&env[i], path_names[k]);
	if (s3_env((const char *const *)env, "HOME"))
		return env;
	home = home_of_user();
	env = mem_resize(env, n + 2, sizeof(char *));
	memmove(env + 1, env, (n + 1) * sizeof(char *));
	env[0] = mem_printf("HOME=%s", home);
	free(home);
	return env;
}

char *s3_env_path(const char *const *env, const char *path)
{
	const char *home = s3_env(env, "HOME");
	char *of_user, *full;

	if (strncmp(path, "~/", 2) != 0)
		return mem_strdup(path);
	of_user = home ? NULL : home_of_user();
	full = mem_printf("%s%s", home ? home : of_user, path + 1);
	free(of_user);
	return full;
}
