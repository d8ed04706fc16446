/* Fault rules: see faults.h. One thread; owned by struct s3d. */
#include "faults.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "req.h"
#include "util/mem.h"

#define RULES_MAX 10000

static bool get_number(const cJSON *json, const char *name, double *ret)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(json, name);

	if (!cJSON_IsNumber(v))
		return false;
	*ret = v->valuedouble;
	return true;
}

static int64_t get_int(const cJSON *json, const char *name, int64_t fallback)
{
	double v;

	return get_number(json, name, &v) ? (int64_t)v : fallback;
}

static bool get_bool(const cJSON *json, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, name));
}

static const char *get_text(const cJSON *json, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));
}

/* A misspelt member would make a test pass for nothing: all names are checked. */
static const char *unknown_member(const cJSON *json)
{
	static const char *const known[] = {"op", "bucket", "key", "header", "nth", "times",
		"percent", "per_key", "status", "code", "message", "in200", "after", "close",
		"hang", "cut", "empty", "delay_ms", "retry_after_s", "body", "spaces", "repeat",
		"length", "flip", "seed"};
	const cJSON *m;

	cJSON_ArrayForEach(m, json)
	{
		size_t i = 0;

		while (i < sizeof(known) / sizeof(known[0]) && strcmp(known[i], m->string))
			i++;
		if (i == sizeof(known) / sizeof(known[0]))
			return m->string;
	}
	return NULL;
}

static void read_action(struct fault_action *a, const cJSON *json)
{
	const char *code = get_text(json, "code"), *message = get_text(json, "message");
	const char *body = get_text(json, "body");
	double cut, flip;

	a->in200 = get_bool(json, "in200");
	a->after = get_bool(json, "after");
	a->close = get_bool(json, "close");
	a->hang = get_bool(json, "hang");
	a->empty = get_bool(json, "empty");
	a->cut = get_number(json, "cut", &cut);
	a->cut_bytes = a->cut ? (int64_t)cut : 0;
	a->flip = get_number(json, "flip", &flip);
	a->flip_at = a->flip ? (int64_t)flip : 0;
	a->repeat = get_int(json, "repeat", 1);
	a->length = get_int(json, "length", 0);
	a->spaces = get_int(json, "spaces", 0);
	snprintf(a->body, sizeof(a->body), "%s", body ? body : "");
	a->delay_ms = get_int(json, "delay_ms", 0);
	a->retry_after_s = get_int(json, "retry_after_s", 0);
	a->status = (int)get_int(json, "status", code ? 503 : 0);
	snprintf(a->code, sizeof(a->code), "%s", code ? code : "InternalError");
	snprintf(a->message, sizeof(a->message), "%s", message ? message : "");
}

uint64_t faults_add(struct faults *f, const cJSON *json, char *why, size_t why_size)
{
	struct fault_rule *rule, **last = &f->first;
	const char *op = get_text(json, "op");
	const char *unknown = cJSON_IsObject(json) ? unknown_member(json) : "(not an object)";

	if (unknown || f->count == RULES_MAX) {
		snprintf(why, why_size, "%s: %s", unknown ? "no such member of a fault" : "rules",
			unknown ? unknown : "too many");
		return 0;
	}
	if (op && !strpbrk(op, "*?[") && op_by_name(op) == OP_UNKNOWN) {
		snprintf(why, why_size, "no such operation: %s", op);
		return 0;
	}
	rule = mem_zalloc(sizeof(*rule));
	rule->id = ++f->last_id;
	rule->op = mem_strdup(op);
	rule->bucket = mem_strdup(get_text(json, "bucket"));
	rule->key = mem_strdup(get_text(json, "key"));
	rule->header = mem_strdup(get_text(json, "header"));
	rule->nth = (uint64_t)get_int(json, "nth", 0);
	rule->times = (uint64_t)get_int(json, "times", rule->nth ? 1 : 0);
	if (!get_number(json, "percent", &rule->percent))
		rule->percent = 100;
	f->rng.state = (uint64_t)get_int(json, "seed", (int64_t)f->rng.state);
	rule->per_key = get_bool(json, "per_key");
	read_action(&rule->action, json);
	while (*last)
		last = &(*last)->next;
	*last = rule;
	f->count++;
	return rule->id;
}

static void rule_free(struct fault_rule *rule)
{
	free(rule->op);
	free(rule->bucket);
	free(rule->key);
	free(rule->header);
	free(rule);
}

size_t faults_remove(struct faults *f, uint64_t id)
{
	size_t removed = 0;

	for (struct fault_rule **link = &f->first; *link;) {
		struct fault_rule *rule = *link;

		if (id && rule->id != id) {
			link = &rule->next;
			continue;
		}
		*link = rule->next;
		rule_free(rule);
		removed++;
	}
	f->count -= removed;
	return removed;
}

cJSON *faults_list(const struct faults *f)
{
	cJSON *list = cJSON_CreateArray();

	for (const struct fault_rule *r = f->first; r; r = r->next) {
		cJSON *j = cJSON_CreateObject();

		cJSON_AddNumberToObject(j, "id", (double)r->id);
		cJSON_AddStringToObject(j, "op", r->op ? r->op : "*");
		cJSON_AddStringToObject(j, "key", r->key ? r->key : "*");
		cJSON_AddNumberToObject(j, "matched", (double)r->matched);
		cJSON_AddNumberToObject(j, "fired", (double)r->fired);
		cJSON_AddItemToArray(list, j);
	}
	return list;
}

/* Keys hold any byte; fnmatch wants a C string, so a NUL ends what the pattern sees. */
static bool key_matches(const struct fault_rule *rule, struct bytes key)
{
	char *text;
	bool match;

	if (!rule->key)
		return true;
	text = mem_dup(key.ptr, key.len);
	match = !fnmatch(rule->key, text, 0);
	free(text);
	return match;
}

/* What comes with a body is damaged in that, if it has the byte. */
static bool is_damaged(const struct fault_rule *rule, const struct req *r)
{
	bool sends = !strcmp(r->method, "PUT") || !strcmp(r->method, "POST");

	return !rule->action.flip || !sends || (uint64_t)rule->action.flip_at < r->body_len;
}

static bool request_matches(const struct fault_rule *rule, const struct req *r)
{
	return (!rule->op || !fnmatch(rule->op, op_name(r->op), 0)) &&
	       (!rule->bucket || !fnmatch(rule->bucket, r->bucket ? r->bucket : "", 0)) &&
	       (!rule->header || req_header(r, rule->header)) && is_damaged(rule, r);
}

static bool any_key_matches(const struct fault_rule *rule, const struct req *r)
{
	if (r->op != OP_DELETE_OBJECTS)
		return key_matches(rule, r->key);
	for (size_t i = 0; i < r->key_count; i++)
		if (key_matches(rule, r->keys[i]))
			return true;
	return false;
}

/* Counts a match and tells whether the rule fires on it. */
static bool fires(struct faults *f, struct fault_rule *rule)
{
	rule->matched++;
	if (rule->matched < rule->nth || (rule->times && rule->fired >= rule->times))
		return false;
	if (rule->percent < 100 && (double)rng_below(&f->rng, 1000000) >= rule->percent * 10000)
		return false;
	rule->fired++;
	return true;
}

struct fault_action faults_for(struct faults *f, const struct req *r)
{
	for (struct fault_rule *rule = f->first; rule; rule = rule->next)
		if (!rule->per_key && request_matches(rule, r) && any_key_matches(rule, r) &&
			fires(f, rule)) {
			struct fault_action a = rule->action;

			a.fires = true;
			return a;
		}
	return (struct fault_action){0};
}

struct fault_action faults_for_key(struct faults *f, const struct req *r, struct bytes key)
{
	for (struct fault_rule *rule = f->first; rule; rule = rule->next)
		if (rule->per_key && request_matches(rule, r) && key_matches(rule, key) &&
			fires(f, rule)) {
			struct fault_action a = rule->action;

			a.fires = true;
			return a;
		}
	return (struct fault_action){0};
}

void faults_free(struct faults *f)
{
	faults_remove(f, 0);
}
