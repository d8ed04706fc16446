/* The folder of --dir: see persist.h. One thread; blocks on the disk. */
#include "persist.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hash.h"
#include "uri.h"
#include "util/mem.h"

static char *file_name(
	const struct store *store, const struct bucket *b, struct bytes key, const char *ending)
{
	uint8_t sum[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];

	hash_sha256(key.ptr, key.len, sum);
	hash_hex(sum, sizeof(sum), hex);
	return mem_printf("%s/%s/%s%s", store->dir, b->name, hex, ending);
}

static int fail(const char *name)
{
	fprintf(stderr, "s3d: cannot write %s: %s\n", name, strerrordesc_np(errno));
	return -1;
}

/* Writes `fill`'s output beside `name` and puts it in its place. */
static int replace(
	const char *name, int (*fill)(FILE *f, const struct object *o), const struct object *o)
{
	char *fresh = mem_printf("%s.new", name);
	FILE *f = fopen(fresh, "we");
	int rc = f ? fill(f, o) : -1;

	if (f && fclose(f))
		rc = -1;
	if (!rc && rename(fresh, name))
		rc = -1;
	if (rc)
		fail(name);
	free(fresh);
	return rc;
}

static int fill_data(FILE *f, const struct object *o)
{
	static char chunk[1 << 16];

	for (uint64_t off = 0; off < o->data->size;) {
		size_t n = data_read(o->data, off, chunk, sizeof(chunk));

		if (fwrite(chunk, 1, n, f) != n)
			return -1;
		off += n;
	}
	return 0;
}

static void add_kvs(cJSON *json, const char *name, const struct kvs *kvs)
{
	cJSON *object = cJSON_AddObjectToObject(json, name);

	for (size_t i = 0; kvs && i < kvs->count; i++)
		cJSON_AddStringToObject(object, kvs->items[i].name, kvs->items[i].value);
}

/* The key is percent-coded: JSON cannot carry all bytes. */
static int fill_json(FILE *f, const struct object *o)
{
	cJSON *json = cJSON_CreateObject();
	struct buf key = BUF_INIT(1u << 20);
	char *text;
	int rc;

	uri_encode(&key, object_key(o), true);
	cJSON_AddStringToObject(json, "key", buf_str(&key));
	cJSON_AddStringToObject(json, "etag", o->data->etag);
	cJSON_AddStringToObject(json, "storage_class", o->storage_class);
	cJSON_AddNumberToObject(json, "mtime_ms", (double)o->mtime_ms);
	add_kvs(json, "meta", o->meta);
	add_kvs(json, "tags", o->tags);
	text = cJSON_Print(json);
	rc = text && fputs(text, f) >= 0 ? 0 : -1;
	cJSON_free(text);
	cJSON_Delete(json);
	buf_free(&key);
	return rc;
}

int persist_write(const struct store *store, const struct bucket *b, const struct object *o)
{
	char *data = file_name(store, b, object_key(o), ".data");
	char *json = file_name(store, b, object_key(o), ".json");
	int rc = replace(data, fill_data, o);

	if (!rc)
		rc = replace(json, fill_json, o);
	free(data);
	free(json);
	return rc;
}

void persist_remove(const struct store *store, const struct bucket *b, struct bytes key)
{
	char *data = file_name(store, b, key, ".data"), *json = file_name(store, b, key, ".json");

	if (unlink(json) || unlink(data))
		fail(json);
	free(data);
	free(json);
}

int persist_bucket(const struct store *store, const char *name)
{
	char *path;
	int rc;

	if (!store->dir)
		return 0;
	path = mem_printf("%s/%s", store->dir, name);
	rc = mkdir(path, 0777) && errno != EEXIST ? fail(path) : 0;
	free(path);
	return rc;
}

int persist_bucket_remove(const struct store *store, const char *name)
{
	char *path;
	int rc;

	if (!store->dir)
		return 0;
	path = mem_printf("%s/%s", store->dir, name);
	rc = rmdir(path) ? fail(path) : 0;
	free(path);
	return rc;
}

/* A whole file in fresh memory, NUL behind it; NULL when it cannot be read. */
static char *slurp(const char *name, size_t *ret_len)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *p = NULL;
	size_t got = 0;
	ssize_t n = 1;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st))
		p = malloc((size_t)st.st_size + 1);
	while (p && got < (size_t)st.st_size && n > 0) {
		n = read(fd, p + got, (size_t)st.st_size - got);
		if (n > 0)
			got += (size_t)n;
	}
	close(fd);
	if (p && got < (size_t)st.st_size) {
		free(p);
		return NULL;
	}
	if (p)
		p[got] = '\0';
	*ret_len = got;
	return p;
}

static struct kvs *read_kvs(const cJSON *object)
{
	size_t n = (size_t)cJSON_GetArraySize(object), i = 0;
	struct kv *items = mem_calloc(n, sizeof(*items));
	const cJSON *m;
	struct kvs *kvs;

	cJSON_ArrayForEach(m, object) items[i++] =
		(struct kv){.name = m->string, .value = cJSON_GetStringValue(m)};
	kvs = kvs_new(items, i);
	free(items);
	return kvs;
}

static struct data *read_data(struct store *store, const char *sidecar, const char *etag)
{
	char *name = mem_printf("%.*s.data", (int)(strlen(sidecar) - 5), sidecar), *text;
	struct blob *blob = NULL;
	struct data *data = NULL;
	size_t len = 0;

	text = slurp(name, &len);
	free(name);
	if (!text)
		return NULL;
	if (len)
		blob = blob_new(store, text, len);
	else
		free(text);
	if (blob || !len) {
		data = data_new(blob);
		snprintf(data->etag, sizeof(data->etag), "%s", etag);
	}
	return data;
}

static int load_object(struct store *store, struct bucket *b, const char *sidecar)
{
	size_t len;
	char *text = slurp(sidecar, &len);
	cJSON *json = text ? cJSON_ParseWithLength(text, len) : NULL;
	char *key = cJSON_GetStringValue(cJSON_GetObjectItem(json, "key"));
	const char *etag = cJSON_GetStringValue(cJSON_GetObjectItem(json, "etag"));
	const char *class = cJSON_GetStringValue(cJSON_GetObjectItem(json, "storage_class"));
	const cJSON *mtime = cJSON_GetObjectItem(json, "mtime_ms");
	struct data *data = NULL;

	if (key && etag && class && storage_class_of(class) && cJSON_IsNumber(mtime))
		data = read_data(store, sidecar, etag);
	if (data)
		store_set(store, b, uri_decode(key, strlen(key)), data,
			read_kvs(cJSON_GetObjectItem(json, "meta")),
			read_kvs(cJSON_GetObjectItem(json, "tags")), storage_class_of(class),
			(int64_t)mtime->valuedouble);
	cJSON_Delete(json);
	free(text);
	return data ? 0 : -1;
}

static int load_bucket(
	struct store *store, struct bucket *b, const char *path, char *why, size_t why_size)
{
	DIR *dir = opendir(path);
	int rc = dir ? 0 : -1;

	for (const struct dirent *e; !rc && (e = readdir(dir));) {
		size_t len = strlen(e->d_name);
		char *name;

		if (len < 6 || strcmp(e->d_name + len - 5, ".json"))
			continue;
		name = mem_printf("%s/%s", path, e->d_name);
		rc = load_object(store, b, name);
		free(name);
	}
	if (dir)
		closedir(dir);
	if (rc)
		snprintf(why, why_size, "cannot read the bucket in %s", path);
	return rc;
}

int persist_load(struct store *store, const char *region, char *why, size_t why_size)
{
	DIR *dir;
	int rc = 0;

	if (mkdir(store->dir, 0777) && errno != EEXIST) {
		snprintf(why, why_size, "cannot make %s: %s", store->dir, strerrordesc_np(errno));
		return -1;
	}
	dir = opendir(store->dir);
	if (!dir) {
		snprintf(why, why_size, "cannot read %s: %s", store->dir, strerrordesc_np(errno));
		return -1;
	}
	for (const struct dirent *e; !rc && (e = readdir(dir));) {
		char *path;

		if (e->d_name[0] == '.')
			continue;
		path = mem_printf("%s/%s", store->dir, e->d_name);
		rc = load_bucket(
			store, store_bucket_new(store, e->d_name, region), path, why, why_size);
		free(path);
	}
	closedir(dir);
	return rc;
}
