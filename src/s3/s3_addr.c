/* Addresses of buckets: see s3_addr.h. Pure functions; a struct s3_addr owns its strings. */
#include "s3/s3_addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "s3/s3_arn.h"
#include "s3/s3_uri.h"
#include "util/mem.h"

#define HOST_LEN_MAX 253 /* of a DNS name: RFC 1035, section 2.3.4 */

/* DNS suffixes of AWS's partitions, by the beginning of their regions' names (the SDKs' endpoint
 * rules, partitions.json). The last one is for all others. */
static const struct {
	const char *region_start, *suffix;
} partitions[] = {
	{"cn-", "amazonaws.com.cn"},
	{"eusc-", "amazonaws.eu"},
	{"us-isob-", "sc2s.sgov.gov"},
	{"us-iso-", "c2s.ic.gov"},
	{"us-isof-", "csp.hci.ic.gov"},
	{"eu-isoe-", "cloud.adc-e.uk"},
	{"", "amazonaws.com"},
};
#define PARTITION_COUNT (sizeof(partitions) / sizeof(partitions[0]))

/* The parts of an endpoint URL, pointing into it. */
struct parts {
	bool https;
	struct bytes host; /* an IPv6 address with its brackets */
	bool is_address;   /* IPv4 or IPv6: nothing can be put before it */
	unsigned port;     /* 0: the default */
};

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool all_of(struct bytes s, const char *also)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (!is_alnum(s.ptr[i]) && (!s.ptr[i] || !strchr(also, s.ptr[i])))
			return false;
	return s.len > 0;
}

bool s3_bucket_ok(const char *bucket)
{
	struct bytes name = BYTES_STR(bucket);

	return name.len <= 255 && all_of(name, "-._") && strcmp(bucket, ".") != 0 &&
	       strcmp(bucket, "..") != 0;
}

/* True when the name can be put before a host name: user guide, "Bucket naming rules". */
static bool is_dns_name(const char *bucket)
{
	size_t i, len = strlen(bucket);

	if (len < 3 || len > 63 || !is_alnum(bucket[0]) || !is_alnum(bucket[len - 1]))
		return false;
	for (i = 0; i < len; i++) {
		if ((bucket[i] >= 'A' && bucket[i] <= 'Z') || bucket[i] == '_')
			return false;
		if (bucket[i] == '.' && !is_alnum(bucket[i + 1]))
			return false;
		if (bucket[i] == '-' && bucket[i + 1] == '.')
			return false;
	}
	return true;
}

/* ---- the endpoint URL ------------------------------------------------------------------------ */

static const char *take_scheme(const char *url, struct parts *parts)
{
	if (!strncasecmp(url, "https://", 8)) {
		parts->https = true;
		return url + 8;
	}
	if (!strncasecmp(url, "http://", 7))
		return url + 7;
	return NULL;
}

/* ":port" or nothing. */
static bool take_port(struct bytes text, unsigned *port)
{
	size_t i;

	*port = 0;
	if (!text.len)
		return true;
	if (text.ptr[0] != ':' || text.len < 2 || text.len > 6)
		return false;
	for (i = 1; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		*port = *port * 10 + (unsigned)(text.ptr[i] - '0');
	}
	return *port >= 1 && *port <= 65535;
}

static bool check_host(struct parts *parts)
{
	char text[HOST_LEN_MAX + 1];
	unsigned char address[sizeof(struct in6_addr)];
	struct bytes host = parts->host;

	if (!host.len || host.len > HOST_LEN_MAX)
		return false;
	memcpy(text, host.ptr, host.len);
	text[host.len] = '\0';
	if (text[0] == '[') {
		text[host.len - 1] = '\0';
		parts->is_address = true;
		return inet_pton(AF_INET6, text + 1, address) == 1;
	}
	parts->is_address = inet_pton(AF_INET, text, address) == 1;
	return all_of(host, "-._") && text[0] != '.' && text[0] != '-' && !strstr(text, "..");
}

/* NULL, or what is wrong with the URL. */
static const char *split(const char *url, struct parts *parts)
{
	const char *authority, *host_end, *end;

	memset(parts, 0, sizeof(*parts));
	authority = take_scheme(url, parts);
	if (!authority)
		return "must begin with http:// or https://";
	end = authority + strcspn(authority, "/?#\\");
	if (memchr(authority, '@', (size_t)(end - authority)))
		return "must not hold a user name or password: credentials come from "
		       "AWS_ACCESS_KEY_ID or ~/.aws/credentials";
	if (*end && strcmp(end, "/") != 0)
		return "must not hold a path or a query: the bucket and the prefix are given apart "
		       "from it";
	if (*authority == '[') {
		host_end = memchr(authority, ']', (size_t)(end - authority));
		if (!host_end)
			return "has an IPv6 address without its closing bracket";
		host_end++;
	} else {
		host_end = memchr(authority, ':', (size_t)(end - authority));
		if (!host_end)
			host_end = end;
	}
	parts->host = BYTES(authority, (size_t)(host_end - authority));
	if (!check_host(parts))
		return "has no valid host name or address (IPv6 needs brackets)";
	if (!take_port(BYTES(host_end, (size_t)(end - host_end)), &parts->port))
		return "has no valid port (1 to 65535)";
	return NULL;
}

/* ---- the address ----------------------------------------------------------------------------- */

static bool is_aws_host(struct bytes host)
{
	size_t i;

	for (i = 0; i < PARTITION_COUNT; i++) {
		size_t n = strlen(partitions[i].suffix);

		if (host.len > n && host.ptr[host.len - n - 1] == '.' &&
			!strncasecmp(host.ptr + host.len - n, partitions[i].suffix, n))
			return true;
	}
	return false;
}

bool s3_host_is_loopback(const char *host)
{
	struct in_addr four;
	struct in6_addr six;

	if (!strcasecmp(host, "localhost"))
		return true;
	if (inet_pton(AF_INET, host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

/* The same for the host of a URL. */
static bool is_loopback_part(char *host)
{
	size_t n = strlen(host);
	bool is;

	if (host[0] != '[')
		return s3_host_is_loopback(host);
	host[n - 1] = '\0';
	is = s3_host_is_loopback(host + 1);
	host[n - 1] = ']';
	return is;
}

static char *default_endpoint(const struct s3_place *p, bool access_point)
{
	const char *service = access_point ? "s3-accesspoint" : "s3";
	const char *fips = p->fips ? "-fips" : "", *dualstack = p->dualstack ? ".dualstack" : "";
	size_t i = 0;

	while (strncmp(p->region, partitions[i].region_start, strlen(partitions[i].region_start)) !=
		0)
		i++;
	if (p->accelerate && p->addressing != S3_ADDRESS_SERVICE)
		return mem_printf("https://s3-accelerate%s.%s", dualstack, partitions[i].suffix);
	return mem_printf(
		"https://%s%s%s.%s.%s", service, fips, dualstack, p->region, partitions[i].suffix);
}

static void fill(struct s3_addr *addr, const struct parts *parts, const char *bucket)
{
	unsigned default_port = parts->https ? 443 : 80;
	const char *scheme = parts->https ? "https" : "http";
	char port[16] = "";
	char *host = mem_dup(parts->host.ptr, parts->host.len);
	size_t i;

	for (i = 0; host[i]; i++)
		if (host[i] >= 'A' && host[i] <= 'Z')
			host[i] = (char)(host[i] - 'A' + 'a');
	if (parts->port && parts->port != default_port)
		snprintf(port, sizeof(port), ":%u", parts->port);
	/* What a name below localhost is, is the resolver's matter. */
	addr->loopback = !addr->virtual_host && is_loopback_part(host);
	addr->endpoint = mem_printf("%s://%s%s", scheme, host, port);
	if (!bucket) {
		addr->host = mem_printf("%s%s", host, port);
		addr->path_prefix = mem_strdup("");
	} else if (addr->virtual_host) {
		addr->host = mem_printf("%s.%s%s", bucket, host, port);
		addr->path_prefix = mem_strdup("");
	} else {
		addr->host = mem_printf("%s%s", host, port);
		addr->path_prefix = mem_printf("/%s", bucket);
	}
	addr->url_base = mem_printf("%s://%s", scheme, addr->host);
	free(host);
}

/* Decides about path or virtual-host style; false with a sentence when what is asked cannot be. */
static bool choose_style(struct s3_addr *addr, const struct parts *parts, const char *bucket,
	int addressing, char *why, size_t why_size)
{
	bool fits = is_dns_name(bucket);

	if (addressing == S3_ADDRESS_AUTO)
		addr->virtual_host = addr->aws && fits && !(parts->https && strchr(bucket, '.'));
	else
		addr->virtual_host = addressing == S3_ADDRESS_VIRTUAL;
	if (addr->virtual_host && parts->is_address) {
		snprintf(why, why_size,
			"virtual-host addressing needs a host name, but the endpoint is an "
			"address: use path addressing");
		return false;
	}
	if (addr->virtual_host && !fits) {
		snprintf(why, why_size,
			"bucket name '%.80s' cannot be part of a host name: use path addressing",
			bucket);
		return false;
	}
	return true;
}

static bool make(
	struct s3_addr *addr, const struct s3_place *p, const char *url, char *why, size_t why_size)
{
	struct parts parts;
	const char *wrong = split(url, &parts);

	if (wrong) {
		/* Only what comes before an '@' may be secret. */
		if (strchr(url, '@'))
			snprintf(why, why_size, "the endpoint URL %s", wrong);
		else
			snprintf(why, why_size, "the endpoint URL '%.200s' %s", url, wrong);
		return false;
	}
	addr->https = parts.https;
	addr->aws = is_aws_host(parts.host);
	if (p->addressing != S3_ADDRESS_SERVICE &&
		!choose_style(addr, &parts, p->bucket, p->addressing, why, why_size))
		return false;
	fill(addr, &parts, p->addressing == S3_ADDRESS_SERVICE ? NULL : p->bucket);
	addr->region = mem_strdup(p->region);
	return true;
}

/* What Amazon has no endpoint for. */
static bool fits_amazon(const struct s3_place *p, bool access_point, char *why, size_t why_size)
{
	const char *wrong = NULL;

	if (p->accelerate && p->fips)
		wrong = "accelerate and fips exclude each other: give one of them";
	else if (p->accelerate && access_point)
		wrong = "accelerate is for buckets, not for access points: leave it out";
	else if (p->accelerate && (!is_dns_name(p->bucket) || strchr(p->bucket, '.')))
		wrong = "accelerate needs a bucket whose name is in lower case and without dots";
	else if (p->accelerate && p->addressing == S3_ADDRESS_PATH)
		wrong = "accelerate has no path addressing: leave path_style out";
	if (wrong)
		snprintf(why, why_size, "%s", wrong);
	return !wrong;
}

static bool make_at(struct s3_addr *addr, const struct s3_place *p, bool access_point, char *why,
	size_t why_size)
{
	bool given = p->endpoint_url && p->endpoint_url[0], ok;
	char *url;

	if (strlen(p->region) > 63 || !all_of(BYTES_STR(p->region), "-_")) {
		snprintf(why, why_size,
			"'%.80s' is not a region: give one such as us-east-1 (-o region=, "
			"AWS_REGION)",
			p->region);
		return false;
	}
	if (!given && p->addressing != S3_ADDRESS_SERVICE &&
		!fits_amazon(p, access_point, why, why_size))
		return false;
	url = given ? mem_strdup(p->endpoint_url) : default_endpoint(p, access_point);
	ok = make(addr, p, url, why, why_size);
	free(url);
	return ok;
}

/* The access point's name and account stand where a bucket does. */
static bool make_access_point(
	struct s3_addr *addr, const struct s3_place *p, char *why, size_t why_size)
{
	struct s3_place place = *p;
	struct s3_arn arn;
	char *label;
	bool ok;

	if (!s3_arn_parse(p->bucket, &arn, why, why_size))
		return false;
	if (p->addressing == S3_ADDRESS_PATH) {
		snprintf(why, why_size,
			"an access point is part of a host name: leave path_style out");
		return false;
	}
	label = mem_printf("%s-%s", arn.name, arn.account);
	place.bucket = label;
	place.region = arn.region;
	place.addressing = S3_ADDRESS_VIRTUAL;
	ok = make_at(addr, &place, true, why, why_size);
	free(label);
	return ok;
}

bool s3_addr_make(struct s3_addr *addr, const struct s3_place *p, char *why, size_t why_size)
{
	bool ok;

	memset(addr, 0, sizeof(*addr));
	if (p->addressing != S3_ADDRESS_SERVICE && s3_is_arn(p->bucket)) {
		ok = make_access_point(addr, p, why, why_size);
	} else if (p->addressing != S3_ADDRESS_SERVICE && !s3_bucket_ok(p->bucket)) {
		snprintf(why, why_size,
			"'%.80s' is not a bucket name: letters, digits, '-', '.' and '_' only",
			p->bucket);
		ok = false;
	} else {
		ok = make_at(addr, p, false, why, why_size);
	}
	if (!ok)
		memset(addr, 0, sizeof(*addr));
	return ok;
}

void s3_addr_free(struct s3_addr *addr)
{
	free(addr->region);
	free(addr->endpoint);
	free(addr->url_base);
	free(addr->host);
	free(addr->path_prefix);
	memset(addr, 0, sizeof(*addr));
}

void s3_addr_path(const struct s3_addr *addr, struct bytes key, struct buf *out)
{
	buf_adds(out, addr->path_prefix);
	if (!key.len && addr->path_prefix[0])
		return;
	buf_addc(out, '/');
	s3_uri_path(out, key);
}
