/*
 * Settings as a message: the numbers of struct opts as they are in memory, then its strings. That
 * is only good between two processes of one program, which the message begins with the proof of.
 * Any thread.
 */
#include "cli/share.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/mem.h"

/* The environment that requests of a process depend on: libcurl's. */
static const char *const proxy_names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
	"ALL_PROXY", "no_proxy", "NO_PROXY", NULL};

/* The program that this is. */
struct identity {
	char magic[8];
	uint64_t device, ino;
	int64_t mtime_s, mtime_ns;
	uint64_t opts_bytes;
};

/* Every string of struct opts; it is owned by the struct. */
static const size_t strings[] = {
	offsetof(struct opts, bucket),
	offsetof(struct opts, prefix),
	offsetof(struct opts, source),
	offsetof(struct opts, mountpoint),
	offsetof(struct opts, customer_key_file),
	offsetof(struct opts, fuse_options),
	offsetof(struct opts, s3.endpoint_url),
	offsetof(struct opts, s3.region),
	offsetof(struct opts, s3.ca_bundle),
	offsetof(struct opts, s3.profile),
	offsetof(struct opts, s3.object.storage_class),
	offsetof(struct opts, s3.object.encryption),
	offsetof(struct opts, s3.object.kms_key_id),
	offsetof(struct opts, s3.object.customer_key),
	offsetof(struct opts, s3.object.acl),
	offsetof(struct opts, s3.bucket_owner),
	offsetof(struct opts, ns.spool_dir),
};
#define STRING_COUNT (sizeof(strings) / sizeof(strings[0]))

static char **string_at(const struct opts *o, size_t i)
{
	return (char **)((char *)(uintptr_t)o + strings[i]);
}

static struct identity identity_now(void)
{
	struct identity id = {.magic = "s3bulkfs", .opts_bytes = sizeof(struct opts)};
	struct stat st;

	if (!stat("/proc/self/exe", &st)) {
		id.device = st.st_dev;
		id.ino = st.st_ino;
		id.mtime_s = st.st_mtim.tv_sec;
		id.mtime_ns = st.st_mtim.tv_nsec;
	}
	return id;
}

static void add_string(struct buf *out, const char *s)
{
	buf_addc(out, s ? '=' : '-');
	buf_add(out, s ? s : "", s ? strlen(s) : 0);
	buf_addc(out, '\0');
}

void share_pack(const struct opts *o, struct buf *out)
{
	struct identity id = identity_now();
	size_t i;

	buf_add(out, (const char *)&id, sizeof(id));
	buf_add(out, (const char *)o, sizeof(*o));
	for (i = 0; proxy_names[i]; i++)
		add_string(out, getenv(proxy_names[i]));
	for (i = 0; i < STRING_COUNT; i++)
		add_string(out, *string_at(o, i));
	for (i = 0; o->s3.env && o->s3.env[i]; i++)
		add_string(out, o->s3.env[i]);
	add_string(out, NULL);
}

/* The next string; false at the end. `*ret` is borrowed, NULL where there was none. */
static bool take_string(const char **at, const char *end, const char **ret)
{
	const char *start = *at, *zero;

	if (start == end)
		return false;
	zero = memchr(start, '\0', (size_t)(end - start));
	if (!zero)
		return false;
	*ret = *start == '=' ? start + 1 : NULL;
	*at = zero + 1;
	return true;
}

static bool same_proxies(const char **at, const char *end)
{
	const char *theirs, *ours;
	size_t i;

	for (i = 0; proxy_names[i]; i++) {
		ours = getenv(proxy_names[i]);
		if (!take_string(at, end, &theirs) || !theirs != !ours ||
			(ours && theirs && strcmp(ours, theirs) != 0))
			return false;
	}
	return true;
}

/* The environment of whoever mounts, in which credentials are looked up for as long as it lasts. */
static bool take_env(const char **at, const char *end, struct opts *o)
{
	char **env = mem_calloc(1, sizeof(char *));
	const char *s = NULL;
	size_t count = 0;
	bool more;

	while ((more = take_string(at, end, &s)) && s) {
		env = mem_resize(env, count + 2, sizeof(char *));
		env[count++] = mem_strdup(s);
		env[count] = NULL;
	}
	o->s3.env = (const char *const *)env;
	return more;
}

bool share_unpack(const char *data, size_t len, struct opts *o)
{
	struct identity id = identity_now();
	const char *at = data + sizeof(id) + sizeof(*o), *end = data + len, *s;
	size_t i;

	*o = (struct opts){0};
	if (len < sizeof(id) + sizeof(*o) || memcmp(data, &id, sizeof(id)) != 0 ||
		!same_proxies(&at, end))
		return false;
	memcpy(o, data + sizeof(id), sizeof(*o));
	o->s3.env = NULL;
	o->s3.retry = NULL;
	o->s3.bucket = NULL;
	for (i = 0; i < STRING_COUNT; i++)
		*string_at(o, i) = NULL;
	for (i = 0; i < STRING_COUNT; i++) {
		if (!take_string(&at, end, &s)) {
			opts_free(o);
			return false;
		}
		*string_at(o, i) = mem_strdup(s);
	}
	o->s3.bucket = o->bucket;
	if (!take_env(&at, end, o) || !o->bucket || !o->prefix || !o->source) {
		opts_free(o);
		return false;
	}
	return true;
}

void share_wipe(struct buf *message)
{
	if (message->ptr)
		explicit_bzero(message->ptr, message->cap);
	buf_free(message);
}
