/*
 * Schedules: each makes a bucket, a name space, and a few rounds of concurrent commands; after each
 * round all must come to rest, and the tree must be S3's. What a schedule is depends on its seed
 * alone.
 *
 * sim [--schedules N] [--seed FIRST] [--trace]
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim_s3.h"
#include "util/clk.h"
#include "util/log.h"
#include "util/mem.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif
/* One thread: TSan has little to say of it, and keeps a history of every switch of stacks. */
#ifdef __SANITIZE_THREAD__
#define SCHEDULES_DEFAULT 500
#else
#define SCHEDULES_DEFAULT 5000
#endif
#define EVENTS_MAX 400000
#define AREAS 3

struct sim sim;
static uint64_t calls_total;

/* ---- chance, messages ---- */

unsigned sim_below(unsigned n)
{
	return (unsigned)rng_below(&sim.rng, n);
}

bool sim_chance(unsigned percent)
{
	return sim_below(100) < percent;
}

void sim_fail(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "schedule %llu, round %u, %lld ms: ", (unsigned long long)sim.seed,
		sim.round, (long long)clk_mono_ms());
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nTo repeat it: sim --seed %llu --trace\n", (unsigned long long)sim.seed);
	_exit(1);
}

void sim_trace(const char *fmt, ...)
{
	va_list ap;

	if (!sim.trace)
		return;
	printf("%lld: ", (long long)clk_mono_ms());
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* Failures are what a schedule is about: their messages are part of the trace only. */
bool log_wants(enum log_level level)
{
	(void)level;
	return sim.trace;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char text[1000];
	va_list ap;

	(void)level;
	if (!sim.trace)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sim_trace("log: %s", text);
}

/* ---- a schedule's beginning ---- */

static void seed_dir(const char *dir, unsigned depth)
{
	unsigned files = sim_below(depth ? 5 : 9), i;
	char path[SIM_PATH_MAX], key[SIM_PATH_MAX];

	for (i = 0; i < files; i++) {
		size_t len;
		char *data = content_new(300, &len);

		snprintf(path, sizeof(path), "%s/%c%u", dir, "abcd"[sim_below(4)], sim_below(4));
		model_key(path, false, key);
		store_put(BYTES_STR(key), data, len, sim_chance(10) ? 2 : 0);
		free(data);
	}
	if (sim_chance(30) || !depth) {
		model_key(dir, true, key);
		store_put(BYTES_STR(key), "", 0, 0);
	}
	for (i = 0; depth < 3 && i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%c%u", dir, "xyz"[i], sim_below(2));
		if (sim_chance(40))
			seed_dir(path, depth + 1);
	}
}

static void choose(void)
{
	static const double ttls_s[] = {0, 0.05, 1, 60};

	sim.errors = sim_below(3);
	sim.retry_percent = 2 + sim_below(20);
	sim.deny_one_in = sim_chance(70) ? 5 + sim_below(40) : 0;
	sim.shared = sim_chance(40);
	sim.outsiders = sim_chance(20);
	sim.kills = sim_chance(25);
	sim.interrupts = sim_chance(20);
	sim.strict = sim_chance(8);
	sim.prefix = sim_chance(50) ? "" : "some/prefix/";
	sim.ttl_s = ttls_s[sim_below(4)];
}

static struct ns_config ns_config(void)
{
	static const unsigned pending[] = {3, 10, 0, 0};

	bool small = sim_chance(30);

	return (struct ns_config){
		.file_mode = 0644,
		.dir_mode = 0755,
		.metadata_ttl_s = sim.ttl_s,
		.commit_close = sim.strict,
		.part_bytes = small ? 64 : 0,
		.part_min_bytes = small ? 20 + sim_below(40) : 0,
		.write_memory_bytes = sim_chance(20) ? 1000 : 0,
		.pending_max = pending[sim_below(4)],
	};
}

/* ---- what happens to commands and objects from outside ---- */

struct mishap {
	struct loop_timer timer;
	unsigned kind; /* 0: kill, 1: interrupt, 2: an object changes */
};

static struct proc *victim(void)
{
	struct proc *p, *found = NULL;
	unsigned n = 0;

	for (p = procs; p; p = p->next)
		if (!p->over && p->call && !p->call->replies && !sim_below(++n))
			found = p;
	return found;
}

static void outside_change(void)
{
	struct mpath *m, *found = NULL;
	char key[SIM_PATH_MAX];
	unsigned n = 0;
	size_t len;
	char *data;

	for (m = model_paths; m; m = m->next)
		if (m->kind == FILE_ && !m->busy && !sim_below(++n))
			found = m;
	/* Where a directory has gone a file may come: of one name, they show under two. */
	if (!found || model_differs(model_parent(found), DIR_, HASH_ANY, NULL))
		return;
	model_key(found->path, false, key);
	if (sim_chance(60)) {
		data = content_new(300, &len);
		model_foreign_version(found, content_hash(data, len));
		store_put(BYTES_STR(key), data, len, 0);
		free(data);
	} else {
		store_delete(BYTES_STR(key));
	}
	sim_trace("outside: %s changes", found->path);
	model_changed(found);
	model_doubt(found, DOUBT_FOREIGN);
}

static void mishap_fires(struct loop_timer *timer)
{
	struct mishap *m = (struct mishap *)timer;
	struct proc *p = victim();

	if (m->kind == 2)
		outside_change();
	else if (p && m->kind == 0)
		proc_kill(p);
	else if (p)
		ns_interrupt(&p->call->call);
	free(m);
}

static void mishap_start(unsigned kind)
{
	struct mishap *m = mem_zalloc(sizeof(*m));

	m->kind = kind;
	m->timer.fire = mishap_fires;
	loop_timer_set(sim.loop, &m->timer, 1 + sim_below(sim_chance(50) ? 100 : 2000));
}

/* ---- running ---- */

static void stuck(void)
{
	const struct proc *p;

	for (p = procs; p; p = p->next)
		if (!p->over && p->call && !p->call->replies)
			sim_fail("%s (%d) waits for ever, call %d of %s", p->argv[0], (int)p->tid,
				(int)p->call->op, p->call->m->path);
}

static void run_until_rest(void)
{
	while (sim_loop_step(sim.loop))
		if (++sim.events > EVENTS_MAX) {
			/* Others may wait for the locks of one who waits for ever. */
			if (!sim_s3_under_way())
				stuck();
			sim_fail("it goes on and on");
		}
}

static void settle(void)
{
	run_until_rest();
	stuck();
	if (!ns_idle(sim.ns) || sim_s3_under_way())
		sim_fail("nothing goes on, but the name space is not idle");
}

/* A command alone, against an S3 that makes no errors. */
static void alone(void (*script)(struct proc *p))
{
	struct proc *p = proc_new(script, "/usr/bin/find");

	sim.quiet = true;
	proc_start(p, 0);
	settle();
	sim.quiet = false;
}

static void round_run(void)
{
	unsigned count = 1 + sim_below(5), used = 0, i;

	sim_trace("round %u", sim.round);
	for (i = 0; i < count; i++) {
		struct proc *p = cmd_random();
		unsigned area = (unsigned)(p->area[2] - '0');

		/* Each area has one who changes it, unless they are shared. */
		if (!sim.shared && p->script != cmd_observe && (used & 1u << area)) {
			p->over = true;
			if (p->then)
				p->then->over = true;
			continue;
		}
		if (p->script != cmd_observe)
			used |= 1u << area;
		proc_start(p, (int64_t)sim_below(sim_chance(50) ? 5 : 300));
	}
	for (i = 0; sim.kills && i < 2; i++)
		mishap_start(0);
	for (i = 0; sim.interrupts && i < 3; i++)
		mishap_start(1);
	for (i = 0; sim.outsiders && i < 3; i++)
		mishap_start(2);
	settle();
	model_compare();
	model_sync();
	/* What this mount has done, or failed to do, shows at once; what others did, or what was
	 * interrupted, when the time to live is over. */
	if (!sim.outsiders && !sim.interrupts && !sim.kills)
		alone(cmd_verify);
	sim_clock_advance((int64_t)(sim.ttl_s * 1000) + 61000);
	alone(cmd_verify);
	if (uploads_open())
		sim_fail("an upload was neither completed nor aborted");
	procs_free();
}

static struct node *kept[AREAS];

/* The directories of the first level stay in use, so that nothing is forgotten of them. */
static void keep(struct proc *p)
{
	unsigned i;

	for (i = 0; i < AREAS; i++) {
		char path[32];
		struct knode n;

		snprintf(path, sizeof(path), "/p%u", i);
		if (k_resolve(p, path, &n))
			sim_fail("%s cannot be found", path);
		kept[i] = n.node;
	}
	p->held_count = 0;
}

static void schedule(uint64_t seed)
{
	struct bulk_config bulk_config;
	struct ns_config config;
	struct bulk *bulk;
	struct bulk_target *target;
	unsigned rounds, i;
	char path[32];

	sim.seed = seed;
	sim.rng.state = seed;
	sim.events = 0;
	sim_clock_reset();
	sim.next_tid = 0;
	choose();
	seed_dir("/ro", 0);
	for (i = 0; i < AREAS; i++) {
		snprintf(path, sizeof(path), "/p%u", i);
		seed_dir(path, 0);
		if (sim_chance(70)) {
			snprintf(path, sizeof(path), "/outp%u", i);
			seed_dir(path, 2);
		}
	}
	store_put(BYTES_LIT("zz/outside"), "x", 1, 0);
	content_note(content_hash("x", 1));
	model_sync();
	sim.loop = loop_new();
	bulk_config = (struct bulk_config){.seed = seed + 1,
		.copy_part_threshold_bytes = sim_chance(30) ? 100 : 0,
		.copy_part_bytes = 64};
	config = ns_config();
	bulk = bulk_new(sim.loop, &bulk_config);
	target = bulk_target_new(bulk, NULL, sim_chance(30) ? 1 + sim_below(4) : 0);
	sim.ns = ns_new(sim.loop, bulk, &config);
	sim.volume = ns_volume_new(sim.ns, target, sim.prefix, SIM_MOUNT, &config);
	alone(keep);
	rounds = 1 + sim_below(4);
	for (sim.round = 0; sim.round < rounds; sim.round++)
		round_run();
	calls_total += sim.events;
	for (i = 0; i < AREAS; i++)
		ns_forget(kept[i], 1);
	ns_free(sim.ns);
	bulk_target_free(target);
	bulk_free(bulk);
	if (sim_loop_timers(sim.loop))
		sim_fail("a timer was left behind");
	loop_free(sim.loop);
	kernel_clear();
	uploads_clear();
	model_clear();
	store_clear();
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"schedules", required_argument, NULL, 'n'},
		{"seed", required_argument, NULL, 's'}, {"trace", no_argument, NULL, 't'},
		{NULL, 0, NULL, 0}};
	/* Beyond the first ones, what has failed once. */
	static const uint64_t found[] = {722231};
	uint64_t first = 1, count = 0, i;
	bool one = false;
	int c;

	while ((c = getopt_long(argc, argv, "n:s:t", options, NULL)) >= 0) {
		if (c == 'n') {
			count = strtoull(optarg, NULL, 10);
		} else if (c == 's') {
			first = strtoull(optarg, NULL, 10);
			one = true;
		} else if (c == 't') {
			sim.trace = true;
		} else {
			fprintf(stderr, "usage: sim [--schedules N] [--seed FIRST] [--trace]\n");
			return 2;
		}
	}
	for (i = 0; !count && !one && i < sizeof(found) / sizeof(found[0]); i++)
		schedule(found[i]);
	if (!count)
		count = one ? 1 : SCHEDULES_DEFAULT;
	for (i = 0; i < count; i++)
		schedule(first + i);
	printf("%llu schedules, %llu events\n", (unsigned long long)count,
		(unsigned long long)calls_total);
	return 0;
}
