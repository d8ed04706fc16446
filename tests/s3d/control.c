/*
 * The control URLs, for tests; unsigned, outside the names of S3 (no bucket is called "-"). The
 * server listens on loopback only, so nobody else reaches them. One thread.
 *
 *   GET    /-/stats                  counters as JSON
 *   POST   /-/stats/reset
 *   GET    /-/log?n=100              the last requests, oldest first, JSON lines; the keys of a
 *                                    DeleteObjects follow it as "DeleteObjects/key"
 *   GET    /-/faults                 rules with how often they matched and fired
 *   POST   /-/faults                 adds a rule or an array of rules (faults.h): {"ids": [1]}
 *   DELETE /-/faults?id=1            removes one, or all without id; releases what hangs
 *   POST   /-/release                lets hanging requests go on
 *   POST   /-/latency                {"CopyObject": 60, "*": 5} in ms
 *   POST   /-/rate                   {"write": 3500, "read": 5500, "burst_s": 0.1,
 *                                    "prefix_depth": 1}
 *   POST   /-/clock                  {"offset_s": 3600, "made_offset_s": -60}: the server's idea of
 *                                    the time, for skew; how much newer is what is made
 *   POST   /-/bucket?bucket=B        makes a bucket
 *   POST   /-/guard                  {"bucket": B, "owner": "123456789012",
 *                                    "requester_pays": true}: whose it is, who pays (guard.h)
 *   POST   /-/account                {"key": K, "secret": S, "reads": "a*", "writes": "a*",
 *                                    "acl": ""}: another account's key and rights (account.h)
 *   POST   /-/seed                   {"bucket", "prefix", "count", "size", "pattern", "dirs"}
 *   GET    /-/dump?bucket=B&prefix=P objects in order, JSON lines; with md5_max=BYTES the MD5 of
 *                                    contents up to that size
 *   POST   /-/put?bucket=B&key=K     an object with the body and the headers of PutObject
 *   GET    /-/put?bucket=B&key=K     its content; DELETE removes it
 *
 * Those about temporary credentials are in issue.c.
 */
#include "control.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "req.h"
#include "s3d.h"
#include "util/mem.h"

static void refuse(struct req *r, int status, const char *why)
{
	req_clear_answer(r);
	r->answer.status = status;
	r->answer.content_type = "text/plain";
	buf_addf(&r->answer.body, "%s\n", why);
}

static void send_json(struct req *r, cJSON *json)
{
	char *text = cJSON_PrintUnformatted(json);

	r->answer.content_type = "application/json";
	if (text)
		buf_addf(&r->answer.body, "%s\n", text);
	else
		refuse(r, 500, "cannot print JSON");
	cJSON_free(text);
	cJSON_Delete(json);
}

static cJSON *take_json(struct req *r)
{
	cJSON *json = r->body ? cJSON_ParseWithLength(r->body, r->body_len) : NULL;

	if (!json)
		refuse(r, 400, "the body must be JSON");
	return json;
}

static struct bucket *named_bucket(struct req *r, const char *name)
{
	struct bucket *b = name ? store_bucket(&r->srv->store, name) : NULL;

	if (!b)
		refuse(r, 404, "no such bucket");
	return b;
}

static void stats_get(struct req *r)
{
	send_json(r, stats_json(&r->srv->stats));
}

static void stats_post_reset(struct req *r)
{
	stats_reset(&r->srv->stats);
}

static void log_get(struct req *r)
{
	const char *n = req_param(r, "n");

	r->answer.content_type = "application/json";
	stats_log(&r->srv->stats, n ? strtoul(n, NULL, 10) : 100, &r->answer.body);
}

static void faults_get(struct req *r)
{
	send_json(r, faults_list(&r->srv->faults));
}

static void faults_post(struct req *r)
{
	cJSON *json = take_json(r), *answer, *ids;
	const cJSON *rule = json;
	char why[128] = "";
	uint64_t id = 1;

	if (!json)
		return;
	answer = cJSON_CreateObject();
	ids = cJSON_AddArrayToObject(answer, "ids");
	if (cJSON_IsArray(json))
		rule = json->child;
	for (; rule && id; rule = rule->next) {
		id = faults_add(&r->srv->faults, rule, why, sizeof(why));
		cJSON_AddItemToArray(ids, cJSON_CreateNumber((double)id));
	}
	cJSON_Delete(json);
	if (id) {
		send_json(r, answer);
	} else {
		cJSON_Delete(answer);
		refuse(r, 400, why);
	}
}

static void faults_delete(struct req *r)
{
	const char *id = req_param(r, "id");

	faults_remove(&r->srv->faults, id ? strtoull(id, NULL, 10) : 0);
	server_release(r->srv);
}

static void release_post(struct req *r)
{
	buf_addf(&r->answer.body, "%zu\n", server_release(r->srv));
}

static void latency_post(struct req *r)
{
	cJSON *json = take_json(r);
	const cJSON *member;
	bool ok = cJSON_IsObject(json);

	if (!json)
		return;
	cJSON_ArrayForEach(member, json)
	{
		char text[100];

		snprintf(text, sizeof(text), "%.60s=%d", member->string ? member->string : "",
			member->valueint);
		ok = ok && latency_parse(r->srv, text);
	}
	cJSON_Delete(json);
	if (!ok)
		refuse(r, 400, "wanted: an object of operation names and milliseconds");
}

static void set_number(const cJSON *json, const char *name, double *value)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(json, name);

	if (cJSON_IsNumber(v))
		*value = v->valuedouble;
}

static void rate_post(struct req *r)
{
	struct limit *l = &r->srv->limit;
	cJSON *json = take_json(r);
	double depth = l->prefix_depth;

	if (!json)
		return;
	set_number(json, "write", &l->write_per_s);
	set_number(json, "read", &l->read_per_s);
	set_number(json, "burst_s", &l->burst_s);
	set_number(json, "prefix_depth", &depth);
	l->prefix_depth = (unsigned)depth;
	cJSON_Delete(json);
	limit_free(l);
}

static void clock_post(struct req *r)
{
	cJSON *json = take_json(r);
	double offset_s = 0, made_s = 0;

	if (!json)
		return;
	set_number(json, "offset_s", &offset_s);
	r->srv->auth.clock_offset_ms = (int64_t)(offset_s * 1000);
	set_number(json, "made_offset_s", &made_s);
	r->srv->store.made_offset_ms = (int64_t)(made_s * 1000);
	cJSON_Delete(json);
}

static void bucket_post(struct req *r)
{
	const char *name = req_param(r, "bucket");

	if (!name) {
		refuse(r, 400, "wanted: ?bucket=NAME");
		return;
	}
	r->bucket = mem_strdup(name);
	op_create_bucket(r);
}

static void guard_post(struct req *r)
{
	cJSON *json = take_json(r);
	const char *owner = cJSON_GetStringValue(cJSON_GetObjectItem(json, "owner"));
	struct bucket *b =
		json ? named_bucket(r, cJSON_GetStringValue(cJSON_GetObjectItem(json, "bucket")))
		     : NULL;

	if (b) {
		free(b->owner);
		b->owner = mem_strdup(owner);
		b->requester_pays = cJSON_IsTrue(cJSON_GetObjectItem(json, "requester_pays"));
	}
	cJSON_Delete(json);
}

static void account_post(struct req *r)
{
	cJSON *json = take_json(r);

	if (json && !account_set(&r->srv->accounts, json))
		refuse(r, 400, "wanted: a key and its secret, of 16 accounts at most");
	cJSON_Delete(json);
}

static void seed_post(struct req *r)
{
	cJSON *json = take_json(r);
	const char *prefix, *pattern;
	double count = 0, size = 0, dirs = 0;
	struct bucket *b;

	if (!json)
		return;
	prefix = cJSON_GetStringValue(cJSON_GetObjectItem(json, "prefix"));
	pattern = cJSON_GetStringValue(cJSON_GetObjectItem(json, "pattern"));
	set_number(json, "count", &count);
	set_number(json, "size", &size);
	set_number(json, "dirs", &dirs);
	b = named_bucket(r, cJSON_GetStringValue(cJSON_GetObjectItem(json, "bucket")));
	if (b && !seed_objects(r->srv, b, prefix ? prefix : "", (uint64_t)count, (uint64_t)size,
			 pattern ? pattern : "f%06d", (uint64_t)dirs))
		refuse(r, 400,
			"wanted: a pattern with one %d or %0Nd and keys of up to 1,024 bytes");
	cJSON_Delete(json);
}

static void dump_kvs(struct buf *b, const char *name, const struct kvs *kvs)
{
	buf_addf(b, ",\"%s\":{", name);
	for (size_t i = 0; kvs && i < kvs->count; i++) {
		if (i)
			buf_addc(b, ',');
		json_text(b, BYTES_STR(kvs->items[i].name));
		buf_addc(b, ':');
		json_text(b, BYTES_STR(kvs->items[i].value));
	}
	buf_addc(b, '}');
}

/* Of the content: the ETag is that of an object's parts, or of its customer key, too. */
static void dump_md5(struct buf *b, struct store *store, const struct object *o)
{
	struct data *whole = data_slice(o->data, 0, o->data->size);

	buf_addf(b, ",\"md5\":\"%s\"", whole->etag);
	data_unref(store, whole);
}

static void dump_get(struct req *r)
{
	const char *md5_max = req_param(r, "md5_max");
	uint64_t most = md5_max ? strtoull(md5_max, NULL, 10) : 0;
	struct bucket *b = named_bucket(r, req_param(r, "bucket"));
	struct bytes prefix = BYTES("", 0);
	struct buf *out = &r->answer.body;

	if (!b)
		return;
	req_param_bytes(r, "prefix", &prefix);
	r->answer.content_type = "application/json";
	for (const struct object *o = store_seek(b, prefix);
		o && bytes_starts(object_key(o), prefix); o = store_next(o)) {
		buf_adds(out, "{\"key\":");
		json_text(out, object_key(o));
		buf_addf(out,
			",\"size\":%llu,\"etag\":\"%s\",\"storage_class\":\"%s\",\"mtime_ms\":%lld",
			(unsigned long long)o->data->size, o->data->etag, o->storage_class,
			(long long)o->mtime_ms);
		if (md5_max && o->data->size <= most && o->data->size <= STORE_MD5_MAX)
			dump_md5(out, &r->srv->store, o);
		dump_kvs(out, "meta", o->meta);
		dump_kvs(out, "tags", o->tags);
		buf_adds(out, "}\n");
	}
}

static void object_any(struct req *r)
{
	const char *name = req_param(r, "bucket");

	if (!name || !req_param_bytes(r, "key", &r->key) || !r->key.len) {
		refuse(r, 400, "wanted: ?bucket=NAME&key=KEY");
		return;
	}
	r->bucket = mem_strdup(name);
	if (!strcmp(r->method, "GET"))
		op_get_object(r);
	else if (!strcmp(r->method, "DELETE"))
		op_delete_object(r);
	else
		op_put_object(r);
}

static const struct {
	const char *method, *path;
	void (*run)(struct req *r);
} routes[] = {
	{"GET", "/-/stats", stats_get},
	{"POST", "/-/stats/reset", stats_post_reset},
	{"GET", "/-/log", log_get},
	{"GET", "/-/faults", faults_get},
	{"POST", "/-/faults", faults_post},
	{"DELETE", "/-/faults", faults_delete},
	{"POST", "/-/release", release_post},
	{"POST", "/-/latency", latency_post},
	{"POST", "/-/rate", rate_post},
	{"POST", "/-/clock", clock_post},
	{"POST", "/-/bucket", bucket_post},
	{"POST", "/-/guard", guard_post},
	{"POST", "/-/account", account_post},
	{"POST", "/-/seed", seed_post},
	{"GET", "/-/dump", dump_get},
	{"POST", "/-/put", object_any},
	{"PUT", "/-/put", object_any},
	{"GET", "/-/put", object_any},
	{"DELETE", "/-/put", object_any},
};

void control_run(struct req *r)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if (!strcmp(routes[i].method, r->method) && !strcmp(routes[i].path, r->path.ptr)) {
			routes[i].run(r);
			return;
		}
	if (!issue_run(r))
		refuse(r, 404, "no such control URL: see tests/s3d/control.c");
}
