/* Headers that come with objects: see meta.h. One thread. */
#include "meta.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "customer.h"
#include "s3d.h"
#include "uri.h"
#include "util/mem.h"
#include "xml.h"

#define USER_META_BYTES_MAX 2048
#define TAGS_MAX 10

struct list {
	struct kv *items;
	size_t count, bytes;
};

static void list_add(struct list *l, char *name, char *value)
{
	l->items = mem_resize(l->items, l->count + 1, sizeof(l->items[0]));
	l->items[l->count++] = (struct kv){.name = name, .value = value};
}

static struct kvs *list_take(struct list *l)
{
	struct kvs *k = kvs_new(l->items, l->count);

	for (size_t i = 0; i < l->count; i++) {
		free(l->items[i].name);
		free(l->items[i].value);
	}
	free(l->items);
	return k;
}

bool meta_stays_behind(const char *name)
{
	static const char *const names[] = {"x-amz-website-redirect-location",
		"x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id",
		"x-amz-server-side-encryption-bucket-key-enabled",
		"x-amz-server-side-encryption-customer-algorithm",
		"x-amz-server-side-encryption-customer-key-md5", META_ACL};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcasecmp(name, names[i]))
			return true;
	return false;
}

bool meta_is_sum(const char *name)
{
	return !strncasecmp(name, "x-amz-checksum-", 15) && strcasecmp(name + 15, "mode");
}

/* A flag, which some clients write in capitals. */
static bool is_true(const char *name, const char *value)
{
	return value && !strcasecmp(value, "true") &&
	       !strcasecmp(name, "x-amz-server-side-encryption-bucket-key-enabled");
}

static enum MHD_Result collect(
	void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	static const char *const kept[] = {"content-type", "cache-control", "content-disposition",
		"content-encoding", "content-language", "expires"};
	struct list *l = cls;
	bool user = !strncasecmp(name, "x-amz-meta-", 11);
	bool keep = user || meta_stays_behind(name) || meta_is_sum(name);
	char *lower;

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]) && !keep; i++)
		keep = !strcasecmp(name, kept[i]);
	if (!keep)
		return MHD_YES;
	lower = mem_strdup(name);
	for (char *p = lower; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	if (user)
		l->bytes += strlen(name) - 11 + strlen(value ? value : "");
	list_add(l, lower, mem_strdup(is_true(name, value) ? "true" : value ? value : ""));
	return MHD_YES;
}

/* The other two headers are about keys of KMS. */
static bool kms_is_meant(struct req *r, const char *how)
{
	const char *bucket_key = req_header(r, "x-amz-server-side-encryption-bucket-key-enabled");

	if (req_header(r, "x-amz-server-side-encryption-aws-kms-key-id") &&
		(!how || !strcmp(how, "AES256"))) {
		req_error(r, "InvalidArgument",
			"Server Side Encryption with AWS KMS managed key requires HTTP header "
			"x-amz-server-side-encryption : aws:kms");
		return false;
	}
	if (bucket_key && !strcasecmp(bucket_key, "true") && (!how || strcmp(how, "aws:kms"))) {
		req_error(r, "InvalidArgument", "A bucket key needs aws:kms");
		return false;
	}
	return true;
}

static bool acl_is_known(struct req *r)
{
	static const char *const known[] = {"private", "public-read", "public-read-write",
		"aws-exec-read", "authenticated-read", "bucket-owner-read",
		"bucket-owner-full-control"};
	const char *acl = req_header(r, META_ACL);

	for (size_t i = 0; acl && i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(acl, known[i]))
			return true;
	if (acl)
		req_error(r, "InvalidArgument", NULL);
	return !acl;
}

bool made_headers_ok(struct req *r)
{
	const char *how = req_header(r, "x-amz-server-side-encryption");

	if (!how || !strcmp(how, "AES256") || !strcmp(how, "aws:kms") ||
		!strcmp(how, "aws:kms:dsse"))
		return kms_is_meant(r, how) && customer_key_ok(r, false) && acl_is_known(r);
	req_error(r, "InvalidEncryptionAlgorithmError", NULL);
	return false;
}

struct kvs *meta_of_copy(struct req *r, const struct kvs *source)
{
	struct list l = {0};

	MHD_get_connection_values(r->conn, MHD_HEADER_KIND, collect, &l);
	for (size_t i = 0; i < l.count;) {
		if (meta_stays_behind(l.items[i].name)) {
			i++;
			continue;
		}
		free(l.items[i].name);
		free(l.items[i].value);
		l.items[i] = l.items[--l.count];
	}
	for (size_t i = 0; source && i < source->count; i++)
		if (!meta_stays_behind(source->items[i].name))
			list_add(&l, mem_strdup(source->items[i].name),
				mem_strdup(source->items[i].value));
	return list_take(&l);
}

static void list_copy(struct list *l, const struct kvs *from, bool sums)
{
	for (size_t i = 0; from && i < from->count; i++)
		if (meta_is_sum(from->items[i].name) == sums)
			list_add(l, mem_strdup(from->items[i].name),
				mem_strdup(from->items[i].value));
}

struct kvs *meta_with_sums(struct kvs *meta, const struct kvs *sums)
{
	struct list l = {0};

	list_copy(&l, meta, false);
	list_copy(&l, sums, true);
	kvs_unref(meta);
	return list_take(&l);
}

bool meta_of_request(struct req *r, struct kvs **ret_meta)
{
	struct list l = {0};

	*ret_meta = NULL;
	if (!made_headers_ok(r))
		return false;
	MHD_get_connection_values(r->conn, MHD_HEADER_KIND, collect, &l);
	*ret_meta = list_take(&l);
	if (l.bytes <= USER_META_BYTES_MAX)
		return true;
	kvs_unref(*ret_meta);
	*ret_meta = NULL;
	req_error(r, "MetadataTooLarge", NULL);
	return false;
}

static bool tags_taken(struct req *r, struct list *l, struct kvs **ret_tags)
{
	bool ok = l->count <= TAGS_MAX;

	for (size_t i = 0; i < l->count; i++)
		ok = ok && l->items[i].name[0] && strlen(l->items[i].name) <= 128 &&
		     strlen(l->items[i].value) <= 256;
	*ret_tags = list_take(l);
	if (ok)
		return true;
	kvs_unref(*ret_tags);
	*ret_tags = NULL;
	req_error(r, "InvalidTag", NULL);
	return false;
}

static char *decoded_text(const char *p, size_t len)
{
	char *copy = mem_dup(p, len);
	struct bytes b = uri_decode(copy, len);

	copy[b.len] = '\0';
	return copy;
}

bool tags_of_request(struct req *r, struct kvs **ret_tags)
{
	const char *p = req_header(r, "x-amz-tagging");
	struct list l = {0};

	while (p && *p) {
		size_t len = strcspn(p, "&"), name_len = strcspn(p, "=&");
		bool has_value = name_len < len;

		if (len)
			list_add(&l, decoded_text(p, name_len),
				has_value ? decoded_text(p + name_len + 1, len - name_len - 1)
					  : mem_strdup(""));
		p += len + (p[len] == '&');
	}
	return tags_taken(r, &l, ret_tags);
}

bool tags_of_body(struct req *r, struct kvs **ret_tags)
{
	xmlDoc *doc = xml_parse(r->body, r->body_len, "Tagging");
	struct list l = {0};

	*ret_tags = NULL;
	if (!doc) {
		req_error(r, "MalformedXML", NULL);
		return false;
	}
	for (xmlNode *set = xmlDocGetRootElement(doc)->children; set; set = set->next)
		for (xmlNode *tag = set->children; tag; tag = tag->next) {
			char *name = xml_child(tag, "Key"), *value = xml_child(tag, "Value");

			if (name)
				list_add(&l, name, value ? value : mem_strdup(""));
			else
				free(value);
		}
	xmlFreeDoc(doc);
	return tags_taken(r, &l, ret_tags);
}

const char *storage_class_of_request(struct req *r)
{
	const char *name = req_header(r, "x-amz-storage-class");
	const char *known = storage_class_of(name ? name : "STANDARD");

	if (!known)
		req_error(r, "InvalidStorageClass", NULL);
	return known;
}

bool etag_matches(const char *header, const char *etag)
{
	size_t len;

	while (*header == ' ')
		header++;
	if (!strcmp(header, "*"))
		return true;
	if (*header != '"')
		return !strcmp(header, etag);
	len = strcspn(header + 1, "\"");
	return len == strlen(etag) && !memcmp(header + 1, etag, len);
}

int64_t http_date_ms(const char *text)
{
	struct tm tm = {0};
	const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);

	return end && !*end ? (int64_t)timegm(&tm) * 1000 : -1;
}

void add_header_date(struct req *r, const char *name, int64_t wall_ms)
{
	time_t t = (time_t)(wall_ms / 1000);
	struct tm tm;
	char text[40];

	strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&t, &tm));
	req_add_header(r, name, text);
}

void add_header_version(struct req *r, const struct object *o)
{
	const struct bucket *b = store_bucket(&r->srv->store, r->bucket);

	if (b && b->versioning != VERSIONING_NEVER)
		req_add_header(r, "x-amz-version-id", version_id(o));
	if (o->is_marker)
		req_add_header(r, "x-amz-delete-marker", "true");
}

void add_header_etag(struct req *r, const char *etag)
{
	char text[48];

	snprintf(text, sizeof(text), "\"%s\"", etag);
	req_add_header(r, "ETag", text);
}

bool check_write_conditions(struct req *r, const struct object *now)
{
	const char *match = req_header(r, "If-Match"), *none = req_header(r, "If-None-Match");

	if (none && strcmp(none, "*")) {
		req_error(r, "NotImplemented", "If-None-Match of a write takes only *");
		return false;
	}
	if (match && !now) {
		req_error(r, "NoSuchKey", NULL);
		return false;
	}
	if ((none && now) || (match && !etag_matches(match, now->data->etag))) {
		req_error_xml(r, "PreconditionFailed", NULL,
			none ? "<Condition>If-None-Match</Condition>"
			     : "<Condition>If-Match</Condition>");
		return false;
	}
	return true;
}
