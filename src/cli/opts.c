/* Options: see opts.h. Not one is accepted without doing what it says. */
#include "cli/opts_int.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/mem.h"

/* ---- values ---- */

static bool parse_number(const char *s, uint64_t max, uint64_t *out)
{
	char *end;
	unsigned long long n;

	if (!isdigit((unsigned char)*s))
		return false;
	errno = 0;
	n = strtoull(s, &end, 10);
	*out = n;
	return !errno && !*end && n <= max;
}

/* "8M", "512k", "5G" or bytes. */
static bool parse_size(const char *s, uint64_t *out)
{
	static const char units[] = "kmgt";
	const char *unit;
	char *end;
	unsigned long long n;
	unsigned shift = 0;

	if (!isdigit((unsigned char)*s))
		return false;
	errno = 0;
	n = strtoull(s, &end, 10);
	if (*end) {
		unit = strchr(units, tolower((unsigned char)*end));
		if (!unit || (end[1] && strcmp(end + 1, "iB") != 0 && strcmp(end + 1, "B") != 0))
			return false;
		shift = 10 * (unsigned)(unit - units + 1);
	}
	if (errno || n > (UINT64_MAX >> shift))
		return false;
	*out = n << shift;
	return true;
}

static bool parse_mode(const char *s, mode_t *out)
{
	char *end;
	unsigned long n;

	if (!isdigit((unsigned char)*s))
		return false;
	n = strtoul(s, &end, 8);
	*out = (mode_t)n;
	return !*end && n <= 0777;
}

bool opts_keep(const char **field, const char *value)
{
	if (!*value)
		return false;
	free((char *)*field);
	*field = mem_strdup(value);
	return true;
}

/* ---- one function an option ---- */

static bool set_endpoint(struct opts *o, const char *v)
{
	return opts_keep(&o->s3.endpoint_url, v);
}

static bool set_region(struct opts *o, const char *v)
{
	return opts_keep(&o->s3.region, v);
}

static bool set_profile(struct opts *o, const char *v)
{
	return opts_keep(&o->s3.profile, v);
}

static bool set_ca_bundle(struct opts *o, const char *v)
{
	return opts_keep(&o->s3.ca_bundle, v);
}

static bool set_dualstack(struct opts *o, const char *v)
{
	(void)v;
	o->s3.dualstack = true;
	return true;
}

static bool set_fips(struct opts *o, const char *v)
{
	(void)v;
	o->s3.fips = true;
	return true;
}

static bool set_accelerate(struct opts *o, const char *v)
{
	(void)v;
	o->s3.accelerate = true;
	return true;
}

static bool set_path_style(struct opts *o, const char *v)
{
	(void)v;
	o->s3.addressing = S3_ADDRESS_PATH;
	return true;
}

static bool set_virtual_host(struct opts *o, const char *v)
{
	(void)v;
	o->s3.addressing = S3_ADDRESS_VIRTUAL;
	return true;
}

static bool set_no_sign(struct opts *o, const char *v)
{
	(void)v;
	o->s3.no_sign_request = true;
	return true;
}

static bool set_uid(struct opts *o, const char *v)
{
	uint64_t n;

	if (!parse_number(v, UINT32_MAX - 1, &n))
		return false;
	o->ns.uid = (uid_t)n;
	o->ns.maker_owners = false;
	return true;
}

static bool set_gid(struct opts *o, const char *v)
{
	uint64_t n;

	if (!parse_number(v, UINT32_MAX - 1, &n))
		return false;
	o->ns.gid = (gid_t)n;
	o->ns.maker_owners = false;
	return true;
}

static bool set_umask(struct opts *o, const char *v)
{
	mode_t mask;

	if (!parse_mode(v, &mask))
		return false;
	o->ns.maker_modes = false;
	/* Wherever in the list it stands, what is said of one of them counts. */
	if (!o->file_mode_set)
		o->ns.file_mode = 0666 & ~mask;
	if (!o->dir_mode_set)
		o->ns.dir_mode = 0777 & ~mask;
	return true;
}

static bool set_file_mode(struct opts *o, const char *v)
{
	o->ns.maker_modes = false;
	o->file_mode_set = true;
	return parse_mode(v, &o->ns.file_mode);
}

static bool set_dir_mode(struct opts *o, const char *v)
{
	o->ns.maker_modes = false;
	o->dir_mode_set = true;
	return parse_mode(v, &o->ns.dir_mode);
}

static bool set_ttl(struct opts *o, const char *v)
{
	char *end;
	double n = strtod(v, &end);

	o->ns.metadata_ttl_s = n;
	return end != v && !*end && n >= 0 && n <= 86400;
}

static bool set_commit(struct opts *o, const char *v)
{
	o->ns.commit_close = !strcmp(v, "close");
	return o->ns.commit_close || !strcmp(v, "walk");
}

static bool set_stat(struct opts *o, const char *v)
{
	o->ns.stat_full = !strcmp(v, "full");
	return o->ns.stat_full || !strcmp(v, "list");
}

static bool set_inflight(struct opts *o, const char *v)
{
	uint64_t n;

	if (!parse_number(v, 100000, &n) || !n)
		return false;
	o->max_inflight = o->s3.connections_max = (unsigned)n;
	return true;
}

static bool set_timeout(struct opts *o, const char *v)
{
	uint64_t n;

	if (!parse_number(v, 86400, &n) || !n)
		return false;
	o->s3.timeout_ms = o->bulk.timeout_ms = (int64_t)n * 1000;
	return true;
}

static bool set_io_threads(struct opts *o, const char *v)
{
	uint64_t n;

	if (!parse_number(v, 64, &n) || !n)
		return false;
	o->s3.io_threads = (unsigned)n;
	return true;
}

static bool set_part_size(struct opts *o, const char *v)
{
	return parse_size(v, &o->ns.part_bytes) && o->ns.part_bytes >= S3_PART_MIN &&
	       o->ns.part_bytes <= S3_PART_MAX;
}

static bool set_copy_part_size(struct opts *o, const char *v)
{
	return parse_size(v, &o->bulk.copy_part_bytes) && o->bulk.copy_part_bytes >= S3_PART_MIN &&
	       o->bulk.copy_part_bytes <= S3_PART_MAX;
}

static bool set_copy_threshold(struct opts *o, const char *v)
{
	return parse_size(v, &o->bulk.copy_part_threshold_bytes) &&
	       o->bulk.copy_part_threshold_bytes >= S3_PART_MIN &&
	       o->bulk.copy_part_threshold_bytes <= S3_COPY_MAX;
}

static bool set_private(struct opts *o, const char *v)
{
	(void)v;
	o->own_daemon = true;
	return true;
}

static bool set_cache_dir(struct opts *o, const char *v)
{
	return v[0] == '/' && !access(v, W_OK | X_OK) && opts_keep(&o->ns.spool_dir, v);
}

static bool set_rename_limit(struct opts *o, const char *v)
{
	uint64_t n;

	if (!parse_number(v, 10000000, &n) || !n)
		return false;
	o->ns.rename_limit = (size_t)n;
	return true;
}

static const struct option_rule rules[] = {
	{"endpoint_url=", set_endpoint,
		"URL of the S3 server; else AWS_ENDPOINT_URL_S3,\n"
		"                         AWS_ENDPOINT_URL, the profile, or Amazon's"},
	{"region=", set_region, "region; else AWS_REGION, AWS_DEFAULT_REGION, the profile"},
	{"profile=", set_profile, "profile of ~/.aws/credentials and ~/.aws/config"},
	{"path_style", set_path_style, "address buckets as URL/BUCKET"},
	{"virtual_host", set_virtual_host, "address buckets as BUCKET.HOST"},
	{"dualstack", set_dualstack, "Amazon's endpoint with IPv6, too"},
	{"fips", set_fips, "Amazon's endpoint with FIPS 140 validated cryptography"},
	{"accelerate", set_accelerate, "through S3 Transfer Acceleration"},
	{"no_sign_request", set_no_sign, "send no signatures: public buckets"},
	{"ca_bundle=", set_ca_bundle, "file of certificates to trust; else AWS_CA_BUNDLE"},
	{"uid=", set_uid, "owner of files that have none stored (default: you)"},
	{"gid=", set_gid, "group of files that have none stored (default: yours)"},
	{"umask=", set_umask, "permission bits to take away, octal (default: 022)"},
	{"file_mode=", set_file_mode, "permission bits of files, octal"},
	{"dir_mode=", set_dir_mode, "permission bits of directories, octal"},
	{"metadata_ttl=", set_ttl, "seconds that names and sizes are trusted (default: 1)"},
	{"commit=", set_commit,
		"walk: cp -r and rm -r answer early and their last call\n"
		"                         tells the truth (default); close: every call waits for "
		"S3"},
	{"stat=", set_stat,
		"list: attributes as listings have them, and what was set\n"
		"                         here (default); full: those that others keep, too, by a\n"
		"                         request for each name"},
	{"rename_limit=", set_rename_limit,
		"objects up to which a directory is renamed in one go\n"
		"                         (default: 10000); a larger one mv copies and removes"},
	{"max_inflight=", set_inflight, "cap of requests in flight (default: 1024)"},
	{"timeout=", set_timeout,
		"seconds after which a request that S3 does not answer has\n"
		"                         failed, attempts included (default: none but the usual)"},
	{"io_threads=", set_io_threads, "threads for transfers (default: by processors)"},
	{"part_size=", set_part_size, "size of the parts of uploads, 5M to 5G (default: 8M)"},
	{"copy_threshold=", set_copy_threshold,
		"larger objects are copied in parts, 5M to 5G\n"
		"                         (default: 256M)"},
	{"copy_part_size=", set_copy_part_size, "size of such parts, 5M to 5G (default: 128M)"},
	{"private", set_private,
		"a daemon of its own; else all mounts of root share one, and\n"
		"                         copies between them move no data"},
	{"cache_dir=", set_cache_dir,
		"absolute directory for data beyond the memory bound\n"
		"                         (default: TMPDIR or /var/tmp)"},
};

#define RULE_COUNT (sizeof(rules) / sizeof(rules[0]))

/* The option number `i` of all tables; NULL behind the last one. */
static const struct option_rule *rule_at(size_t i)
{
	const struct option_rule *r =
		i < RULE_COUNT ? &rules[i] : &opts_object_rules[i - RULE_COUNT];

	return r->name ? r : NULL;
}

static bool set_option(struct opts *o, const char *word, char *why, size_t why_size)
{
	const struct option_rule *rule;
	size_t i;

	for (i = 0; (rule = rule_at(i)); i++) {
		size_t n = strlen(rule->name);
		bool has_value = rule->name[n - 1] == '=';

		if (has_value ? strncmp(word, rule->name, n) : strcmp(word, rule->name))
			continue;
		if (rule->set(o, word + (has_value ? n : 0)))
			return true;
		snprintf(why, why_size,
			"the value of option '%s' is not valid; see s3bulkfs --help", word);
		return false;
	}
	switch (opts_mount_word(o, word)) {
	case OPTS_TAKEN:
		return true;
	case OPTS_BAD_VALUE:
		snprintf(why, why_size, "the value of option '%s' is not valid: a number of bytes",
			word);
		return false;
	default:
		break;
	}
	snprintf(why, why_size, "unknown option '%s'; see s3bulkfs --help for those there are",
		word);
	return false;
}

/* A list after -o; "\," is a comma within a value. */
static bool set_options(struct opts *o, const char *list, char *why, size_t why_size)
{
	struct buf word = BUF_INIT(65536);
	bool good = true;

	for (; good; list++) {
		if (*list == '\\' && list[1]) {
			buf_addc(&word, *++list);
		} else if (*list && *list != ',') {
			buf_addc(&word, *list);
		} else {
			if (word.len)
				good = set_option(o, buf_str(&word), why, why_size);
			buf_cut(&word, 0);
			if (!*list)
				break;
		}
	}
	buf_free(&word);
	return good;
}

/* The length of an access point's ARN: it has colons and may have a '/', but no ":/". */
static size_t arn_len(const char *source)
{
	const char *prefix = strstr(source, ":/");

	return prefix ? (size_t)(prefix - source) : strlen(source);
}

/* BUCKET, BUCKET:/PREFIX, or s3://BUCKET/PREFIX; BUCKET may be the ARN of an access point. */
static void set_source(struct opts *o, const char *source)
{
	const char *rest;
	size_t n;

	if (!strncmp(source, "s3://", 5)) {
		source += 5;
		n = strcspn(source, "/");
	} else if (!strncmp(source, "arn:", 4)) {
		n = arn_len(source);
	} else {
		n = strcspn(source, ":");
	}
	o->bucket = mem_dup(source, n);
	rest = source + n;
	rest += *rest == ':';
	rest += *rest == '/';
	n = strlen(rest);
	o->prefix = !n || rest[n - 1] == '/' ? mem_strdup(rest) : mem_printf("%s/", rest);
	o->source = n ? mem_printf("%s:/%.*s", o->bucket, (int)(n - (rest[n - 1] == '/')), rest)
		      : mem_strdup(o->bucket);
}

static bool set_operand(struct opts *o, const char *word, char *why, size_t why_size)
{
	if (o->all_buckets && !o->mountpoint) {
		o->mountpoint = mem_strdup(word);
	} else if (!o->bucket && !o->all_buckets) {
		set_source(o, word);
	} else if (!o->mountpoint) {
		o->mountpoint = mem_strdup(word);
	} else {
		snprintf(why, why_size,
			"'%s' is one argument too many: s3bulkfs [options] BUCKET[:/PREFIX] "
			"MOUNTPOINT",
			word);
		return false;
	}
	return true;
}

/* "-f", or several at once, "-fr"; `next` is the word behind it, *taken when it was needed. */
static bool set_letters(
	struct opts *o, const char *word, const char *next, bool *taken, char *why, size_t why_size)
{
	const char *at;

	for (at = word + 1; *at; at++) {
		switch (*at) {
		case 'h':
			o->help = true;
			break;
		case 'V':
			o->version = true;
			break;
		case 'd':
			o->debug = true;
			o->foreground = true;
			break;
		case 'f':
			o->foreground = true;
			break;
		case 'r':
			if (!set_option(o, "ro", why, why_size))
				return false;
			break;
		case 'n': /* mount(8) may hand these to any filesystem: no mtab, */
		case 's': /* be sloppy */
			break;
		case 'o':
			if (at[1])
				return set_options(o, at + 1, why, why_size);
			if (next) {
				*taken = true;
				return set_options(o, next, why, why_size);
			}
			snprintf(why, why_size, "-o needs a list of options behind it");
			return false;
		default:
			snprintf(why, why_size, "unknown option '%s'; see s3bulkfs --help", word);
			return false;
		}
	}
	return true;
}

static bool parse_words(struct opts *o, int argc, char **argv, char *why, size_t why_size)
{
	bool options = true, good = true;
	int i;

	for (i = 1; i < argc && good; i++) {
		const char *w = argv[i];
		bool taken = false;

		if (!options || w[0] != '-' || !w[1])
			good = set_operand(o, w, why, why_size);
		else if (!strcmp(w, "--"))
			options = false;
		else if (!strcmp(w, "--help"))
			o->help = true;
		else if (!strcmp(w, "--version"))
			o->version = true;
		else if (!strcmp(w, "--all-buckets"))
			o->all_buckets = true;
		else
			good = set_letters(o, w, argv[i + 1], &taken, why, why_size);
		i += taken;
	}
	return good;
}

bool opts_parse(struct opts *o, int argc, char **argv, char *why, size_t why_size)
{
	*o = (struct opts){.ns =
				   {
					   .uid = geteuid(),
					   .gid = getegid(),
					   .file_mode = 0644,
					   .dir_mode = 0755,
					   .maker_modes = true,
					   .maker_owners = true,
					   .metadata_ttl_s = 1,
				   },
		.mount_attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
	if (!parse_words(o, argc, argv, why, why_size))
		return false;
	if (o->help || o->version)
		return true;
	if (o->all_buckets && !o->bucket) {
		o->bucket = mem_strdup("");
		o->prefix = mem_strdup("");
		o->source = mem_strdup("all-buckets");
	}
	if (!o->all_buckets && (!o->bucket || !*o->bucket)) {
		snprintf(why, why_size,
			"no bucket given: s3bulkfs [options] BUCKET[:/PREFIX] MOUNTPOINT");
		return false;
	}
	if (!o->mountpoint) {
		snprintf(why, why_size,
			"no mount point given: s3bulkfs [options] BUCKET[:/PREFIX] MOUNTPOINT");
		return false;
	}
	o->s3.bucket = o->bucket;
	return opts_object_check(o, why, why_size);
}

void opts_free(struct opts *o)
{
	free(o->bucket);
	free(o->prefix);
	free(o->source);
	free(o->mountpoint);
	free(o->customer_key_file);
	free(o->fuse_options);
	o->s3.bucket = NULL; /* the same string as `bucket` was */
	s3_config_clear(&o->s3);
	free((char *)o->ns.spool_dir);
}

/* The text begins in column 25, on a line of its own behind a long name. */
static void help_rule(const struct option_rule *rule)
{
	char name[40];

	snprintf(name, sizeof(name), "%s%s", rule->name,
		rule->name[strlen(rule->name) - 1] == '=' ? "..." : "");
	printf("  %-22s%s %s\n", name, strlen(name) > 22 ? "\n                        " : "",
		rule->help);
}

void opts_help(void)
{
	const struct option_rule *rule;
	size_t i;

	printf("Usage: s3bulkfs [options] BUCKET[:/PREFIX] MOUNTPOINT\n"
	       "       s3bulkfs [options] --all-buckets MOUNTPOINT\n"
	       "Mounts an S3 bucket, or a prefix of one, on which cp -r and rm -r run at the "
	       "speed\n"
	       "of S3's own bulk calls. Unmount with umount(8), or fusermount3 -u.\n\n"
	       "  --all-buckets          every bucket is a directory of the mount\n"
	       "  -f                     stay in the foreground, log to stderr\n"
	       "  -d                     the same, and log each request\n"
	       "  -r                     read-only, as -o ro\n"
	       "  -h, --help             print this text\n"
	       "  -V, --version          print the version\n"
	       "  -o OPTION[,OPTION...]  further options:\n\n");
	for (i = 0; (rule = rule_at(i)); i++)
		help_rule(rule);
	printf("\nand those of fuse(8): allow_other, auto_unmount, ro, nosuid, nodev, noexec, ...\n"
	       "Credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ~/.aws/credentials, or\n"
	       "whatever else the AWS CLI takes. See s3bulkfs(1).\n");
}
