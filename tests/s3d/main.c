/* The command line of the test server, its start and its end. One thread. */
#include <errno.h>
#include <getopt.h>
#include <libxml/parser.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "persist.h"
#include "s3d.h"
#include "util/mem.h"

static const char usage[] =
	"usage: s3d [option]...\n"
	"An S3 server for tests, in memory, on 127.0.0.1. Control URLs: see tests/s3d/control.c.\n"
	"  --port N                 0: any (the default)\n"
	"  --port-file F            writes the port into F when ready\n"
	"  --bucket NAME[@REGION]   makes a bucket; any number of them\n"
	"  --access-key K           default: s3dkey\n"
	"  --secret-key S           default: s3dsecret\n"
	"  --session-token T        is then wanted with every request\n"
	"  --no-auth                serves unsigned requests too\n"
	"  --region R               default: us-east-1\n"
	"  --domain D               virtual-host style names BUCKET.D; default: s3.localhost\n"
	"  --tls CERT KEY           https with these PEM files\n"
	"  --latency-ms OP=N,...    delay of answers, e.g. *=5,CopyObject=60\n"
	"  --rate N                 writes a second and partition, above it SlowDown\n"
	"  --read-rate N            the same for reads\n"
	"  --rate-burst-s X         seconds' worth that may come at once; default: 0.1\n"
	"  --rate-prefix-depth N    key components that name a partition; default: 1\n"
	"  --page-max N             keys a page of a listing at most; default: 1000\n"
	"  --min-part N             least bytes of a part but the last; default: 5 MiB\n"
	"  --max-body N             most bytes of a body; default: 1 GiB\n"
	"  --quota-mb N             memory for contents; default: 4096\n"
	"  --idle-timeout-s N       closes idle connections; default: never\n"
	"  --log-size N             requests kept for GET /-/log; default: 100000\n"
	"  --lacks WHAT,...         operations that are not implemented, or one of list-type,\n"
	"                           encoding-type[-at-all], copy-source-if-match (lacks.h)\n"
	"  --dir DIR                keeps objects in DIR too, loads them at the start\n"
	"  --seed-objects BUCKET:PREFIX:COUNT:SIZE\n"
	"  --die-with-parent        ends when the process that started it ends\n";

enum {
	OPT_PORT = 256,
	OPT_PORT_FILE,
	OPT_BUCKET,
	OPT_ACCESS_KEY,
	OPT_SECRET_KEY,
	OPT_SESSION_TOKEN,
	OPT_NO_AUTH,
	OPT_REGION,
	OPT_DOMAIN,
	OPT_TLS,
	OPT_LATENCY,
	OPT_RATE,
	OPT_READ_RATE,
	OPT_BURST,
	OPT_DEPTH,
	OPT_PAGE_MAX,
	OPT_MIN_PART,
	OPT_MAX_BODY,
	OPT_QUOTA,
	OPT_IDLE,
	OPT_LOG_SIZE,
	OPT_DIR,
	OPT_SEED,
	OPT_LACKS,
	OPT_DIE,
	OPT_HELP
};

static const struct option long_options[] = {
	{"port", required_argument, NULL, OPT_PORT},
	{"port-file", required_argument, NULL, OPT_PORT_FILE},
	{"bucket", required_argument, NULL, OPT_BUCKET},
	{"access-key", required_argument, NULL, OPT_ACCESS_KEY},
	{"secret-key", required_argument, NULL, OPT_SECRET_KEY},
	{"session-token", required_argument, NULL, OPT_SESSION_TOKEN},
	{"no-auth", no_argument, NULL, OPT_NO_AUTH},
	{"region", required_argument, NULL, OPT_REGION},
	{"domain", required_argument, NULL, OPT_DOMAIN},
	{"tls", required_argument, NULL, OPT_TLS},
	{"latency-ms", required_argument, NULL, OPT_LATENCY},
	{"rate", required_argument, NULL, OPT_RATE},
	{"read-rate", required_argument, NULL, OPT_READ_RATE},
	{"rate-burst-s", required_argument, NULL, OPT_BURST},
	{"rate-prefix-depth", required_argument, NULL, OPT_DEPTH},
	{"page-max", required_argument, NULL, OPT_PAGE_MAX},
	{"min-part", required_argument, NULL, OPT_MIN_PART},
	{"max-body", required_argument, NULL, OPT_MAX_BODY},
	{"quota-mb", required_argument, NULL, OPT_QUOTA},
	{"idle-timeout-s", required_argument, NULL, OPT_IDLE},
	{"log-size", required_argument, NULL, OPT_LOG_SIZE},
	{"dir", required_argument, NULL, OPT_DIR},
	{"seed-objects", required_argument, NULL, OPT_SEED},
	{"lacks", required_argument, NULL, OPT_LACKS},
	{"die-with-parent", no_argument, NULL, OPT_DIE},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

/* What is done after all options are known. */
struct wishes {
	const char **buckets, **seeds;
	size_t bucket_count, seed_count;
};

static bool fail(const char *what, const char *value)
{
	fprintf(stderr, "s3d: %s: %s (see --help)\n", what, value);
	return false;
}

/* A number from `least` to `most`. */
static bool number(const char *text, uint64_t least, uint64_t most, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	if (!errno && *text >= '0' && *text <= '9' && !*end && *ret >= least && *ret <= most)
		return true;
	fprintf(stderr, "s3d: wanted a number from %llu to %llu instead of: %s\n",
		(unsigned long long)least, (unsigned long long)most, text);
	return false;
}

static bool positive(const char *text, double *ret)
{
	char *end;

	*ret = strtod(text, &end);
	return *end || !(*ret > 0) || *ret > 1e9 ? fail("wanted a positive number", text) : true;
}

static void wish(const char ***list, size_t *count, const char *value)
{
	*list = mem_resize(*list, *count + 1, sizeof(**list));
	(*list)[(*count)++] = value;
}

static bool take_number(struct s3d *srv, int opt, const char *text)
{
	uint64_t n = 0;
	bool ok = number(text, opt == OPT_PAGE_MAX || opt == OPT_MAX_BODY || opt == OPT_QUOTA,
		opt == OPT_PORT ? 65535 : (uint64_t)1 << 40, &n);

	switch (opt) {
	case OPT_PORT:
		srv->opts.port = (uint16_t)n;
		break;
	case OPT_DEPTH:
		srv->limit.prefix_depth = (unsigned)n;
		break;
	case OPT_PAGE_MAX:
		srv->opts.page_max = n > 1000 ? 1000 : (unsigned)n;
		break;
	case OPT_MIN_PART:
		srv->opts.part_min_bytes = n;
		break;
	case OPT_MAX_BODY:
		srv->opts.body_max_bytes = n;
		break;
	case OPT_QUOTA:
		srv->store.blob_bytes_max = n << 20;
		break;
	case OPT_IDLE:
		srv->opts.idle_timeout_s = (unsigned)n;
		break;
	default:
		srv->stats.log_cap = (size_t)(n > 10000000 ? 10000000 : n);
		break;
	}
	return ok;
}

static bool take_text(struct s3d *srv, int opt, char *text, char *second)
{
	switch (opt) {
	case OPT_PORT_FILE:
		srv->opts.port_file = text;
		break;
	case OPT_ACCESS_KEY:
		srv->auth.access_key = text;
		break;
	case OPT_SECRET_KEY:
		srv->auth.secret_key = text;
		break;
	case OPT_SESSION_TOKEN:
		srv->auth.session_token = text;
		break;
	case OPT_REGION:
		srv->opts.region = text;
		break;
	case OPT_DOMAIN:
		srv->opts.domain = text;
		break;
	case OPT_DIR:
		free(srv->store.dir);
		srv->store.dir = mem_strdup(text);
		break;
	default:
		srv->opts.tls_cert = text;
		srv->opts.tls_key = second;
		return second ? true : fail("--tls wants two files, CERT and KEY", text);
	}
	return true;
}

static bool take_option(struct s3d *srv, struct wishes *w, int opt, char *text, char *second)
{
	switch (opt) {
	case OPT_BUCKET:
		wish(&w->buckets, &w->bucket_count, text);
		return true;
	case OPT_SEED:
		wish(&w->seeds, &w->seed_count, text);
		return true;
	case OPT_NO_AUTH:
		srv->auth.is_optional = true;
		return true;
	case OPT_DIE:
		srv->opts.die_with_parent = true;
		return true;
	case OPT_LATENCY:
		return latency_parse(srv, text) ? true : fail("wanted OP=MS,... instead of", text);
	case OPT_LACKS:
		return lacks_parse(&srv->lacks, text) ? true : fail("cannot lack", text);
	case OPT_RATE:
		return positive(text, &srv->limit.write_per_s);
	case OPT_READ_RATE:
		return positive(text, &srv->limit.read_per_s);
	case OPT_BURST:
		return positive(text, &srv->limit.burst_s);
	case OPT_PORT:
	case OPT_DEPTH:
	case OPT_PAGE_MAX:
	case OPT_MIN_PART:
	case OPT_MAX_BODY:
	case OPT_QUOTA:
	case OPT_IDLE:
	case OPT_LOG_SIZE:
		return take_number(srv, opt, text);
	default:
		return take_text(srv, opt, text, second);
	}
}

static bool take_options(struct s3d *srv, struct wishes *w, int argc, char **argv)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "+", long_options, NULL)) != -1) {
		char *second = NULL;

		if (opt == '?')
			return false; /* getopt has said it */
		if (opt == OPT_HELP) {
			fputs(usage, stdout);
			exit(0);
		}
		if (opt == OPT_TLS && optind < argc)
			second = argv[optind++];
		if (!take_option(srv, w, opt, optarg, second))
			return false;
	}
	return optind == argc ? true : fail("not an option", argv[optind]);
}

static bool make_bucket(struct s3d *srv, const char *wish)
{
	const char *at = strchr(wish, '@');
	char *name = mem_dup(wish, at ? (size_t)(at - wish) : strlen(wish));
	bool ok = *name && !strchr(name, '/') && !persist_bucket(&srv->store, name);

	/* One that was loaded from --dir stays. */
	if (ok)
		store_bucket_new(&srv->store, name, at ? at + 1 : srv->opts.region);
	free(name);
	return ok ? true : fail("cannot make the bucket", wish);
}

static bool make_seed(struct s3d *srv, const char *wish)
{
	unsigned long long count, size;
	char bucket[64], prefix[1024] = "";
	struct bucket *b;

	if (sscanf(wish, "%63[^:]:%1023[^:]:%llu:%llu", bucket, prefix, &count, &size) != 4 &&
		sscanf(wish, "%63[^:]::%llu:%llu", bucket, &count, &size) != 3)
		return fail("wanted BUCKET:PREFIX:COUNT:SIZE instead of", wish);
	b = store_bucket(&srv->store, bucket);
	if (!b || !seed_objects(srv, b, prefix, count, size, "f%06d", 0))
		return fail("cannot make objects (is there such a --bucket?)", wish);
	return true;
}

static bool prepare(struct s3d *srv, const struct wishes *w)
{
	char why[200];
	bool ok = true;

	store_open(&srv->store);
	if (srv->store.dir && persist_load(&srv->store, srv->opts.region, why, sizeof(why)))
		return fail("--dir", why);
	for (size_t i = 0; i < w->bucket_count && ok; i++)
		ok = make_bucket(srv, w->buckets[i]);
	for (size_t i = 0; i < w->seed_count && ok; i++)
		ok = make_seed(srv, w->seeds[i]);
	return ok;
}

static bool write_port_file(const char *name, unsigned port)
{
	char *fresh = mem_printf("%s.new", name);
	FILE *f = fopen(fresh, "we");
	bool ok = f && fprintf(f, "%u\n", port) > 0;

	/* The name appears with its content, so that a waiting test never reads half of it. */
	if (f && fclose(f))
		ok = false;
	ok = ok && !rename(fresh, name);
	free(fresh);
	return ok ? true : fail("cannot write the port file", name);
}

static bool serve(struct s3d *srv, int signal_fd)
{
	char why[200] = "";
	unsigned port = server_open(srv, why, sizeof(why));

	if (!port)
		return fail("cannot start", why);
	if (srv->opts.port_file && !write_port_file(srv->opts.port_file, port))
		return false;
	printf("listening on %s://127.0.0.1:%u\n", srv->opts.tls_key ? "https" : "http", port);
	fflush(stdout);
	server_run(srv, signal_fd);
	return true;
}

/* As many descriptors as the system lets us have. */
static void raise_file_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim))
		return;
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
}

static int end_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

int main(int argc, char **argv)
{
	static struct s3d srv = {
		.opts = {.region = "us-east-1",
			.domain = "s3.localhost",
			.page_max = 1000,
			.part_min_bytes = (uint64_t)5 << 20,
			.body_max_bytes = (uint64_t)1 << 30},
		.auth = {.access_key = "s3dkey", .secret_key = "s3dsecret"},
		.issue = {.lifetime_s = 3600},
		.limit = {.burst_s = 0.1, .prefix_depth = 1},
		.stats = {.log_cap = 100000},
		.epoll_fd = -1,
	};
	struct wishes w = {0};
	pid_t parent = getppid();
	int signal_fd = end_signals();
	bool ok = take_options(&srv, &w, argc, argv);

	hash_open();
	raise_file_limit();
	if (ok && srv.opts.die_with_parent)
		ok = !prctl(PR_SET_PDEATHSIG, SIGTERM) && getppid() == parent;
	ok = ok && prepare(&srv, &w) && serve(&srv, signal_fd);
	server_close(&srv);
	store_close(&srv.store);
	faults_free(&srv.faults);
	limit_free(&srv.limit);
	stats_free(&srv.stats);
	free(w.buckets);
	free(w.seeds);
	hash_close();
	xmlCleanupParser();
	close(signal_fd);
	return ok ? 0 : 1;
}
