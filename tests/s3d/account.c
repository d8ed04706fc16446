/* Other people's keys: see account.h. */
#include "account.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "req.h"

static const char *text_of(const cJSON *json, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));

	return text ? text : "";
}

bool account_set(struct accounts *accounts, const cJSON *json)
{
	const char *key = text_of(json, "key"), *secret = text_of(json, "secret");
	struct account *a = (struct account *)(uintptr_t)account_find(accounts, key);

	if (!*key || !*secret || (!a && accounts->count == ACCOUNTS_MAX))
		return false;
	if (!a)
		a = &accounts->list[accounts->count++];
	snprintf(a->key, sizeof(a->key), "%s", key);
	snprintf(a->secret, sizeof(a->secret), "%s", secret);
	snprintf(a->reads, sizeof(a->reads), "%s", text_of(json, "reads"));
	snprintf(a->writes, sizeof(a->writes), "%s", text_of(json, "writes"));
	snprintf(a->acl, sizeof(a->acl), "%s", text_of(json, "acl"));
	return true;
}

const struct account *account_find(const struct accounts *accounts, const char *key)
{
	for (size_t i = 0; i < accounts->count; i++)
		if (!strcmp(accounts->list[i].key, key))
			return &accounts->list[i];
	return NULL;
}

static bool deny(struct req *r)
{
	req_error(r, "AccessDenied", NULL);
	return false;
}

static bool makes_object(const struct req *r)
{
	return r->op == OP_PUT_OBJECT || r->op == OP_COPY_OBJECT ||
	       r->op == OP_CREATE_MULTIPART_UPLOAD;
}

bool account_check(struct req *r, const struct bucket *bucket)
{
	const struct account *a = r->account;
	bool reads = !strcmp(r->method, "GET") || !strcmp(r->method, "HEAD");
	const char *acl = req_header(r, "x-amz-acl");

	if (!a)
		return true;
	if (fnmatch(reads ? a->reads : a->writes, bucket->name, 0))
		return deny(r);
	if (a->acl[0] && makes_object(r) && (!acl || strcmp(acl, a->acl)))
		return deny(r);
	return true;
}

bool account_check_source(struct req *r, const struct bucket *source)
{
	return !r->account || !fnmatch(r->account->reads, source->name, 0) || deny(r);
}
