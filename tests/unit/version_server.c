/* See version_server.h. Each connection is served by a thread of its own. */
#include "version_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "s3/s3_uri.h"
#include "util/buf.h"

struct ask {
	char prefix[64], key_marker[64], version_marker[64];
	bool delimiter;
	unsigned max;
};

/* The value of a query parameter, decoded; "" when it is not there. */
static void param(const char *query, const char *name, char *to, size_t size)
{
	struct buf value = BUF_INIT(size - 1);
	size_t n = strlen(name);
	const char *at = query;

	while (at && (strncmp(at, name, n) != 0 || at[n] != '=')) {
		at = strchr(at, '&');
		at += at != NULL;
	}
	if (at)
		s3_uri_decode(&value, BYTES(at + n + 1, strcspn(at + n + 1, "& ")));
	snprintf(to, size, "%s", buf_str(&value));
	buf_free(&value);
}

static bool send_all(int fd, const char *head, const struct buf *body)
{
	return write(fd, head, strlen(head)) == (ssize_t)strlen(head) &&
	       (!body || !body->len || write(fd, body->ptr, body->len) == (ssize_t)body->len);
}

static void add_version(struct buf *out, const struct vs_version *v)
{
	const char *element = v->is_marker ? "DeleteMarker" : "Version";

	buf_addf(out,
		"<%s><Key>%s</Key><VersionId>v%d</VersionId><IsLatest>%s</IsLatest>"
		"<LastModified>2026-11-26T12:%02d:%02d.000Z</LastModified>",
		element, v->key, v->id, v->is_latest ? "true" : "false", v->time_s / 60,
		v->time_s % 60);
	if (!v->is_marker)
		buf_addf(out, "<ETag>&quot;e%d&quot;</ETag><Size>%d</Size>", v->id, v->id);
	buf_addf(out, "</%s>", element);
}

/* Does the page begin behind it? */
static bool is_passed(const struct version_table *t, const struct ask *a, unsigned i)
{
	const struct vs_version *v = &t->list[i];
	int order = strcmp(v->key, a->key_marker);

	if (order != 0 || !*a->key_marker)
		return order < 0;
	if (!*a->version_marker)
		return !(t->odd & VS_INCLUSIVE);
	for (;; i++) { /* is the marker's among the older ones of the key? */
		char id[16];

		if (i == t->count || strcmp(t->list[i].key, v->key) != 0)
			return false;
		snprintf(id, sizeof(id), "v%d", t->list[i].id);
		if (!strcmp(id, a->version_marker))
			return true;
	}
}

struct page {
	struct buf versions, markers, prefixes, last;
	char next_key[64], next_version[64];
	unsigned count;
	bool truncated;
};

/* False when the page is full. */
static bool take(const struct version_table *t, const struct ask *a, const struct vs_version *v,
	struct page *p)
{
	const char *slash = a->delimiter ? strchr(v->key + strlen(a->prefix), '/') : NULL;
	char cp[64] = "";
	bool again;

	if (slash)
		snprintf(cp, sizeof(cp), "%.*s", (int)(slash - v->key) + 1, v->key);
	again = slash && !strcmp(cp, a->key_marker) && t->odd & VS_PREFIX_AGAIN;
	if (slash && (!strcmp(cp, p->next_key) || (strcmp(cp, a->key_marker) <= 0 && !again)))
		return true;
	if (p->count == a->max) {
		p->truncated = true;
		return false;
	}
	p->count++;
	snprintf(p->next_key, sizeof(p->next_key), "%s", slash ? cp : v->key);
	p->next_version[0] = '\0';
	if (slash) {
		buf_addf(&p->prefixes, "<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>", cp);
		return true;
	}
	snprintf(p->next_version, sizeof(p->next_version), "v%d", v->id);
	add_version(v->is_marker && t->odd & VS_MARKERS_LAST ? &p->markers : &p->versions, v);
	return true;
}

static bool answer_list(const struct version_table *t, const struct ask *a, int fd)
{
	struct page p = {
		BUF_INIT(1u << 20), BUF_INIT(1u << 20), BUF_INIT(1u << 20), {0}, "", "", 0, false};
	struct buf body = BUF_INIT(4u << 20);
	char head[100];
	unsigned i;
	bool sent;

	for (i = 0; i < t->count; i++)
		if (!strncmp(t->list[i].key, a->prefix, strlen(a->prefix)) && !is_passed(t, a, i) &&
			!take(t, a, &t->list[i], &p))
			break;
	if (t->odd & VS_STUCK) {
		p.truncated = true;
		snprintf(p.next_key, sizeof(p.next_key), "k");
	}
	buf_addf(&body, "<ListVersionsResult><IsTruncated>%s</IsTruncated>",
		p.truncated ? "true" : "false");
	if (p.truncated)
		buf_addf(&body,
			"<NextKeyMarker>%s</NextKeyMarker>"
			"<NextVersionIdMarker>%s</NextVersionIdMarker>",
			p.next_key, p.next_version);
	buf_addb(&body, buf_bytes(&p.versions));
	buf_addb(&body, buf_bytes(&p.markers));
	buf_addb(&body, buf_bytes(&p.prefixes));
	buf_adds(&body, "</ListVersionsResult>");
	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body.len);
	sent = send_all(fd, head, &body);
	buf_free(&p.versions);
	buf_free(&p.markers);
	buf_free(&p.prefixes);
	buf_free(&body);
	return sent;
}

/* HEAD /b/KEY?versionId=vN */
static bool answer_head(const struct version_table *t, const char *path, const char *query, int fd)
{
	char id[64], key[64], head[200];
	struct buf decoded = BUF_INIT(60);
	unsigned i;

	param(query, "versionId", id, sizeof(id));
	s3_uri_decode(&decoded, BYTES(path, strcspn(path, "? ")));
	snprintf(key, sizeof(key), "%s", buf_str(&decoded));
	buf_free(&decoded);
	for (i = 0; i < t->count; i++)
		if (t->list[i].id == strtol(id + (*id == 'v'), NULL, 10) &&
			!strcmp(t->list[i].key, key))
			break;
	if (i == t->count || t->list[i].is_marker)
		return send_all(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", NULL);
	snprintf(head, sizeof(head),
		"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: \"e%d\"\r\n\r\n", t->list[i].id,
		t->list[i].id);
	return send_all(fd, head, NULL);
}

bool version_server_answer(void *ctx, int fd, struct bytes request)
{
	struct version_table *t = ctx;
	char line[1024], number[16];
	const char *query;
	struct ask a = {.max = 0};

	snprintf(line, sizeof(line), "%.*s", (int)strcspn(request.ptr, "\r"), request.ptr);
	query = strchr(line, '?');
	query = query ? query + 1 : "";
	if (!strncmp(line, "HEAD /b/", 8))
		return answer_head(t, line + 8, query, fd);
	atomic_fetch_add(&t->lists, 1);
	param(query, "prefix", a.prefix, sizeof(a.prefix));
	param(query, "key-marker", a.key_marker, sizeof(a.key_marker));
	param(query, "version-id-marker", a.version_marker, sizeof(a.version_marker));
	param(query, "max-keys", number, sizeof(number));
	a.max = (unsigned)strtoul(number, NULL, 10);
	a.max = a.max < t->page_max ? a.max : t->page_max;
	a.delimiter = strstr(query, "delimiter=");
	return answer_list(t, &a, fd);
}
