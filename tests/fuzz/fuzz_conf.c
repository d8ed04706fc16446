/*
 * Fuzz target for the choice of credentials: the two AWS files, and the environment. The input is
 * config file, credentials file, and NAME=value lines, with a line "----" between them.
 */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "s3/s3_env.h"
#include "s3/s3_source.h"
#include "util/bytes.h"
#include "util/mem.h"

#define ENV_MAX 12
/* What the environment may hold here: nothing that names a file. */
static const char *const names[] = {"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=",
	"AWS_SESSION_TOKEN=", "AWS_ROLE_ARN=", "AWS_ROLE_SESSION_NAME=",
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=", "AWS_CONTAINER_CREDENTIALS_FULL_URI=",
	"AWS_EC2_METADATA_SERVICE_ENDPOINT=", "AWS_EC2_METADATA_DISABLED=", "AWS_ENDPOINT_URL="};

/* Cuts the text off `rest` that ends before a line "----". */
static struct bytes section(struct bytes *rest)
{
	const char *at = rest->len ? memmem(rest->ptr, rest->len, "\n----\n", 6) : NULL;
	size_t n = at ? (size_t)(at - rest->ptr) : rest->len;
	struct bytes ret = BYTES(rest->ptr, n);

	n += at ? 6 : 0;
	*rest = BYTES(rest->ptr + n, rest->len - n);
	return ret;
}

/* A file without a name; NAME=path of it, owned. */
static char *file_of(const char *variable, struct bytes text, int *fd)
{
	*fd = memfd_create("fuzz", MFD_CLOEXEC);
	FUZZ_REQUIRE(*fd >= 0);
	FUZZ_REQUIRE(!text.len || write(*fd, text.ptr, text.len) == (ssize_t)text.len);
	return mem_printf("%s=/proc/self/fd/%d", variable, *fd);
}

static size_t environment(struct bytes text, char **env)
{
	char *copy = mem_dup(text.ptr, text.len), *rest = copy, *line;
	size_t n = 0, i;

	while (n < ENV_MAX && (line = strsep(&rest, "\n")))
		for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (!strncmp(line, names[i], strlen(names[i]))) {
				env[n++] = mem_strdup(line);
				break;
			}
	free(copy);
	return n;
}

/* A source is complete: whatever asks for its credentials finds all it needs. */
static void check_source(const struct s3_source *s)
{
	FUZZ_REQUIRE(s->name && s->name[0]);
	FUZZ_REQUIRE(s->kind != S3_SOURCE_KEYS || s->keys);
	FUZZ_REQUIRE(s->kind != S3_SOURCE_ROLE || (s->base && s->role_arn && s->url && s->region));
	FUZZ_REQUIRE(s->kind != S3_SOURCE_WEB_IDENTITY || (s->role_arn && s->token_file));
	FUZZ_REQUIRE(s->kind != S3_SOURCE_SSO ||
		     (s->account_id && s->role_name && s->token_file && s->login && s->url));
	FUZZ_REQUIRE(s->kind != S3_SOURCE_PROCESS || s->command);
	FUZZ_REQUIRE(s->kind != S3_SOURCE_CONTAINER || s->url);
	FUZZ_REQUIRE(s->kind != S3_SOURCE_INSTANCE || s->url);
	if (s->base)
		check_source(s->base);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes rest = BYTES((const char *)data, size), config = section(&rest);
	struct bytes credentials = section(&rest);
	char *env[ENV_MAX + 4] = {NULL}, why[600] = "", profile[] = "p", region[] = "us-east-1";
	int fds[2], i;
	size_t n = environment(rest, env);
	struct s3_chain chain = {.env = env, .profile = profile, .region = region};
	struct s3_source *source;

	env[n++] = file_of("AWS_CONFIG_FILE", config, &fds[0]);
	env[n++] = file_of("AWS_SHARED_CREDENTIALS_FILE", credentials, &fds[1]);
	env[n] = mem_strdup("HOME=/nonexistent");
	for (i = 0; i < 2; i++) {
		chain.profile_given = i;
		why[0] = '\0';
		source = s3_source_choose(&chain, NULL, why, sizeof(why));
		FUZZ_REQUIRE(source ? true : why[0] != '\0');
		if (source)
			check_source(source);
		s3_source_free(source);
	}
	for (i = 0; env[i]; i++)
		free(env[i]);
	close(fds[0]);
	close(fds[1]);
	return 0;
}
