/*
 * SigV4 verification: see auth.h. The canonical request is made from the decoded path and query, as
 * S3 does: a client that encodes twice, or not at all, or normalises its path does not match.
 */
#include "auth.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "req.h"
#include "s3d.h"
#include "uri.h"
#include "util/clk.h"
#include "util/mem.h"
#include "xml.h"

#define SKEW_MAX_MS (900 * 1000)

/* The parts of the Authorization header. */
struct claim {
	char access_key[129];
	char date[9], region[65], service[17], terminal[17];
	char scope[128];
	char signed_headers[2048];
	char signature[65];
	const char *secret; /* of the access key */
};

/* Copies the value of `name`= up to a comma or the end. False when missing or too long. */
static bool take_field(const char *header, const char *name, char *out, size_t size)
{
	const char *p = strstr(header, name);
	size_t len;

	if (!p)
		return false;
	p += strlen(name);
	len = strcspn(p, ", ");
	if (!len || len >= size)
		return false;
	memcpy(out, p, len);
	out[len] = '\0';
	return true;
}

static bool take_claim(const char *header, const char *service, struct claim *c)
{
	char credential[300], rest[2];
	char *slash;

	if (!take_field(header, "Credential=", credential, sizeof(credential)) ||
		!take_field(
			header, "SignedHeaders=", c->signed_headers, sizeof(c->signed_headers)) ||
		!take_field(header, "Signature=", c->signature, sizeof(c->signature)))
		return false;
	slash = strchr(credential, '/');
	if (!slash || sscanf(slash + 1, "%8[0-9]/%64[^/]/%16[^/]/%16[^/]%1s", c->date, c->region,
			      c->service, c->terminal, rest) != 4)
		return false;
	*slash = '\0';
	snprintf(c->access_key, sizeof(c->access_key), "%.128s", credential);
	snprintf(c->scope, sizeof(c->scope), "%s/%s/%s/%s", c->date, c->region, c->service,
		c->terminal);
	return !strcmp(c->service, service) && !strcmp(c->terminal, "aws4_request");
}

static int param_cmp(const void *a, const void *b)
{
	const struct buf *x = a, *y = b;

	return strcmp(buf_str(x), buf_str(y));
}

/*
 * Name and value are each encoded and the pairs sorted by encoded name, then value. The separator
 * sorts below every character that can be part of a name, so that whole pairs can be compared.
 */
static void canonical_query(const struct req *r, struct buf *out)
{
	struct buf *pairs = mem_calloc(r->param_count, sizeof(*pairs));

	for (size_t i = 0; i < r->param_count; i++) {
		pairs[i] = BUF_INIT(1u << 20);
		uri_encode(&pairs[i], r->params[i].name, false);
		buf_addc(&pairs[i], '\1');
		uri_encode(&pairs[i], r->params[i].value, false);
	}
	qsort(pairs, r->param_count, sizeof(*pairs), param_cmp);
	for (size_t i = 0; i < r->param_count; i++) {
		char *sep = pairs[i].ptr ? strchr(pairs[i].ptr, '\1') : NULL;

		if (sep)
			*sep = '=';
		if (i)
			buf_addc(out, '&');
		buf_addb(out, buf_bytes(&pairs[i]));
		buf_free(&pairs[i]);
	}
	free(pairs);
}

struct header_join {
	const char *name;
	struct buf *out;
	bool found;
};

/* Trims the value and collapses runs of spaces; several headers of one name are joined by commas.
 */
static enum MHD_Result join_value(
	void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct header_join *j = cls;
	bool space = false, any = false;

	if (strcasecmp(name, j->name))
		return MHD_YES;
	if (j->found)
		buf_addc(j->out, ',');
	j->found = true;
	for (const char *p = value ? value : ""; *p; p++) {
		if (*p == ' ' || *p == '\t') {
			space = any;
			continue;
		}
		if (space)
			buf_addc(j->out, ' ');
		buf_addc(j->out, *p);
		space = false;
		any = true;
	}
	return MHD_YES;
}

static bool canonical_headers(const struct req *r, const struct claim *c, struct buf *out)
{
	for (const char *p = c->signed_headers; *p;) {
		size_t len = strcspn(p, ";");
		char *name = mem_dup(p, len);
		struct header_join j = {.name = name, .out = out};

		buf_adds(out, name);
		buf_addc(out, ':');
		MHD_get_connection_values(r->conn, MHD_HEADER_KIND, join_value, &j);
		buf_addc(out, '\n');
		free(name);
		if (!j.found)
			return false;
		p += len + (p[len] == ';');
	}
	return true;
}

static bool is_signed(const char *list, const char *name)
{
	size_t want = strlen(name);

	for (const char *p = list; *p;) {
		size_t len = strcspn(p, ";");

		if (len == want && !strncasecmp(p, name, len))
			return true;
		p += len + (p[len] == ';');
	}
	return false;
}

struct unsigned_search {
	const char *list, *missing;
};

/* S3 wants Host and every x-amz-* header signed. */
static enum MHD_Result find_unsigned(
	void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct unsigned_search *s = cls;

	if (!strcasecmp(name, "host") || !strncasecmp(name, "x-amz-", 6))
		if (!is_signed(s->list, name))
			s->missing = name;
	return s->missing ? MHD_NO : MHD_YES;
}

static const uint8_t *signing_key(struct auth *a, const struct claim *c)
{
	char scope[sizeof(a->cached[0].scope)];
	char first[300];
	uint8_t k[SHA256_LEN];
	unsigned i;

	snprintf(scope, sizeof(scope), "%.128s/%s/%s/%s", c->access_key, c->date, c->region,
		c->service);
	for (i = 0; i < AUTH_KEYS_CACHED; i++)
		if (!strcmp(a->cached[i].scope, scope))
			return a->cached[i].key;
	i = a->cached_next++ % AUTH_KEYS_CACHED;
	snprintf(first, sizeof(first), "AWS4%s", c->secret);
	hash_hmac(first, strlen(first), c->date, strlen(c->date), k);
	hash_hmac(k, sizeof(k), c->region, strlen(c->region), k);
	hash_hmac(k, sizeof(k), c->service, strlen(c->service), k);
	hash_hmac(k, sizeof(k), c->terminal, strlen(c->terminal), k);
	memcpy(a->cached[i].key, k, sizeof(k));
	snprintf(a->cached[i].scope, sizeof(a->cached[i].scope), "%s", scope);
	return a->cached[i].key;
}

static void mismatch(struct req *r, struct buf *canonical, const char *to_sign)
{
	struct buf extra = BUF_INIT(4u << 20);

	xml_element_str(&extra, "StringToSign", to_sign);
	xml_element(&extra, "CanonicalRequest", buf_bytes(canonical));
	req_error_xml(r, "SignatureDoesNotMatch", NULL, buf_str(&extra));
	buf_free(&extra);
}

static bool check_signature(
	struct req *r, const struct claim *c, const char *amz_date, const char *payload)
{
	struct buf canonical = BUF_INIT(4u << 20);
	uint8_t digest[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1], to_sign[320];
	const uint8_t *key;
	bool ok;

	buf_addf(&canonical, "%s\n", r->method);
	uri_encode(&canonical, r->path, true);
	buf_addc(&canonical, '\n');
	canonical_query(r, &canonical);
	buf_addc(&canonical, '\n');
	ok = canonical_headers(r, c, &canonical);
	buf_addf(&canonical, "\n%s\n%s", c->signed_headers, payload);
	hash_sha256(canonical.ptr, canonical.len, digest);
	hash_hex(digest, sizeof(digest), hex);
	snprintf(to_sign, sizeof(to_sign), "AWS4-HMAC-SHA256\n%.32s\n%s\n%s", amz_date, c->scope,
		hex);
	key = signing_key(&r->srv->auth, c);
	hash_hmac(key, SHA256_LEN, to_sign, strlen(to_sign), digest);
	hash_hex(digest, sizeof(digest), hex);
	ok = ok && !strcmp(hex, c->signature);
	if (!ok)
		mismatch(r, &canonical, to_sign);
	buf_free(&canonical);
	return ok;
}

static bool check_time(struct req *r, const char *amz_date, int64_t now_ms)
{
	struct tm tm = {0};
	char now_text[32], server_time[128];
	const char *end = strptime(amz_date, "%Y%m%dT%H%M%SZ", &tm);
	time_t now = (time_t)(now_ms / 1000);
	int64_t skew;

	if (!end || *end) {
		req_error(r, "AccessDenied",
			"AWS authentication requires a valid Date or x-amz-date header");
		return false;
	}
	skew = (int64_t)timegm(&tm) * 1000 - now_ms;
	if (skew >= -SKEW_MAX_MS && skew <= SKEW_MAX_MS)
		return true;
	gmtime_r(&now, &tm);
	strftime(now_text, sizeof(now_text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	snprintf(server_time, sizeof(server_time),
		"<ServerTime>%s</ServerTime><MaxAllowedSkewMilliseconds>%d"
		"</MaxAllowedSkewMilliseconds>",
		now_text, SKEW_MAX_MS);
	req_error_xml(r, "RequestTimeTooSkewed", NULL, server_time);
	return false;
}

/* The scope must name the bucket's region; S3 tells the right one. */
static bool check_region(struct req *r, const struct claim *c)
{
	const struct bucket *b = r->bucket ? store_bucket(&r->srv->store, r->bucket) : NULL;
	const char *region = b ? b->region : r->srv->opts.region;
	char extra[160], message[200];

	if (!strcmp(region, c->region))
		return true;
	snprintf(extra, sizeof(extra), "<Region>%s</Region>", region);
	snprintf(message, sizeof(message),
		"The authorization header is malformed; the region '%s' is wrong; expecting '%s'",
		c->region, region);
	req_error_xml(r, "AuthorizationHeaderMalformed", message, extra);
	return false;
}

/* Whose key is it, and does the session token belong to it? */
static bool check_key(struct req *r, struct claim *c)
{
	struct s3d *srv = r->srv;
	const struct issued *temporary = issue_find(&srv->issue, c->access_key);
	const char *token = req_header(r, "x-amz-security-token");
	const char *want = temporary ? temporary->token : srv->auth.session_token;
	bool own = !strcmp(c->access_key, srv->auth.access_key);

	r->account = account_find(&srv->accounts, c->access_key);
	if (!temporary && ((!own && !r->account) || (srv->issue.only && !r->is_control))) {
		req_error(r, "InvalidAccessKeyId", NULL);
		return false;
	}
	if (want ? !token || strcmp(token, want) : token != NULL) {
		req_error(r, "InvalidToken", NULL);
		return false;
	}
	if (temporary && temporary->ends_ms <= clk_wall_ms()) {
		req_error(r, "ExpiredToken", NULL);
		return false;
	}
	c->secret = temporary    ? temporary->secret
		    : r->account ? r->account->secret
				 : srv->auth.secret_key;
	return true;
}

static bool check_claim(struct req *r, struct claim *c)
{
	struct unsigned_search search = {.list = c->signed_headers};

	if (!check_key(r, c))
		return false;
	MHD_get_connection_values(r->conn, MHD_HEADER_KIND, find_unsigned, &search);
	if (search.missing) {
		char extra[300];

		snprintf(extra, sizeof(extra), "<HeadersNotSigned>%.200s</HeadersNotSigned>",
			search.missing);
		req_error_xml(r, "AccessDenied",
			"There were headers present in the request which were not signed", extra);
		return false;
	}
	return true;
}

bool auth_check(struct req *r)
{
	struct auth *a = &r->srv->auth;
	const char *header = req_header(r, "Authorization");
	const char *amz_date = req_header(r, "x-amz-date");
	const char *payload = req_header(r, "x-amz-content-sha256");
	struct claim c;

	if (!header) {
		if (!a->is_optional)
			req_error(r, "AccessDenied", NULL);
		return a->is_optional;
	}
	if (strncmp(header, "AWS4-HMAC-SHA256", 16) ||
		!take_claim(header, r->is_control ? "sts" : "s3", &c)) {
		req_error(r, "AuthorizationHeaderMalformed", NULL);
		return false;
	}
	if (!payload) {
		req_error_xml(r, "MissingSecurityHeader", NULL,
			"<MissingHeaderName>x-amz-content-sha256</MissingHeaderName>");
		return false;
	}
	if (!amz_date || strncmp(amz_date, c.date, 8)) {
		req_error(r, "AuthorizationHeaderMalformed",
			"The date of the credential scope is not that of x-amz-date");
		return false;
	}
	return check_claim(r, &c) && check_time(r, amz_date, clk_wall_ms() + a->clock_offset_ms) &&
	       check_region(r, &c) && check_signature(r, &c, amz_date, payload);
}
