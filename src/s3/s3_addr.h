/*
 * Where a bucket is: endpoint URL, path or virtual-host style, Host header and path of a key.
 * Pure functions; a made struct s3_addr may be read by any thread.
 * Source: S3 user guide, "Virtual hosting of buckets"; "Bucket naming rules"; RFC 3986.
 */
#ifndef S3_S3_ADDR_H
#define S3_S3_ADDR_H

#include <stdbool.h>
#include <stddef.h>

#include "s3/s3.h"
#include "util/buf.h"
#include "util/bytes.h"

struct s3_addr {
	char *region;   /* to sign for */
	char *endpoint; /* "https://host[:port]" as configured, without the bucket */
	char *url_base; /* the URL before the path: "https://[bucket.]host[:port]" */
	char *host;     /* Host header: "[bucket.]host[:port]", no port where it is the default */
	char *path_prefix; /* already encoded: "" (virtual host) or "/bucket" */
	bool https;
	bool loopback; /* requests stay on this machine: its host is localhost or such an address */
	bool virtual_host;
	bool aws; /* amazonaws.com[.cn]: AWS itself, not a compatible server */
};

/* What an address is made from; the strings are borrowed. */
struct s3_place {
	const char *endpoint_url; /* NULL or "": Amazon's, by the region */
	const char *region;
	const char *bucket; /* or the ARN of an access point */
	int addressing;     /* enum s3_config's S3_ADDRESS_* */
	/* Which of Amazon's endpoints; nothing with an endpoint_url. */
	bool dualstack, fips, accelerate;
};

/*
 * Makes the address of a bucket. Amazon's endpoint is https://s3.REGION.amazonaws.com, with .cn for
 * regions of China, "s3-fips", ".dualstack" and "s3-accelerate" as wished. AUTO takes virtual-host
 * style on AWS when the bucket can be a DNS label (and has no dots under https: the certificate
 * would not fit), else path style. An access point is always part of the host's name, its region
 * that of its ARN. False with a sentence in `why` when something of it is not usable; `addr` is
 * empty then. Source: AWS SDKs, endpoint rules of S3; S3 user guide, "Referencing access points".
 */
bool s3_addr_make(struct s3_addr *addr, const struct s3_place *place, char *why, size_t why_size);
void s3_addr_free(struct s3_addr *addr);

/*
 * Appends the canonical path of a key, encoded once: what is signed and what is sent. An empty key
 * is the bucket: "/" or "/bucket". It may hold "//", "." and "..": CURLOPT_PATH_AS_IS is needed.
 */
void s3_addr_path(const struct s3_addr *addr, struct bytes key, struct buf *out);

/* True for "localhost" and the addresses of loopback interfaces, IPv6 without brackets. */
bool s3_host_is_loopback(const char *host);

/* True when a bucket of this name can be asked for: 1 to 255 of A-Z a-z 0-9 - . _, not "." and
 * "..". Wider than AWS (3 to 63, lower case), as compatible servers and old buckets are. */
bool s3_bucket_ok(const char *bucket);

#endif
