/*
 * Fuzz target for the command line of s3bulkfs, one word a line, and for the message by which its
 * settings go to a shared daemon: what was read is handed over as it is.
 */
#include "fuzz.h"

#include <string.h>

#include "cli/opts.h"
#include "cli/share.h"
#include "util/mem.h"

#define WORDS_MAX 64

static bool same(const char *a, const char *b)
{
	return !a == !b && (!a || !strcmp(a, b));
}

static void check_opts(const struct opts *o)
{
	size_t n = strlen(o->prefix);

	FUZZ_REQUIRE(o->bucket && o->source && o->mountpoint);
	FUZZ_REQUIRE(!n || o->prefix[n - 1] == '/');
	FUZZ_REQUIRE(o->ns.metadata_ttl_s >= 0 && o->ns.metadata_ttl_s <= 86400);
	FUZZ_REQUIRE(!(o->ns.file_mode & ~0777u) && !(o->ns.dir_mode & ~0777u));
	FUZZ_REQUIRE(!o->ns.part_bytes ||
		     (o->ns.part_bytes >= S3_PART_MIN && o->ns.part_bytes <= S3_PART_MAX));
	FUZZ_REQUIRE(o->s3.timeout_ms >= 0 && o->s3.timeout_ms <= 86400000);
	FUZZ_REQUIRE(o->ns.uid != UINT32_MAX && o->ns.gid != UINT32_MAX);
	/* What goes into a header must not end it. */
	FUZZ_REQUIRE(!o->s3.bucket_owner || strlen(o->s3.bucket_owner) == 12);
	FUZZ_REQUIRE(!o->s3.object.kms_key_id || !strpbrk(o->s3.object.kms_key_id, "\r\n"));
	FUZZ_REQUIRE(!o->s3.object.storage_class || !strpbrk(o->s3.object.storage_class, "\r\n"));
}

static void check_message(const struct opts *o)
{
	struct buf message = BUF_INIT(SHARE_MESSAGE_MAX);
	struct opts back;

	share_pack(o, &message);
	if (!message.failed) {
		FUZZ_REQUIRE(share_unpack(message.ptr, message.len, &back));
		FUZZ_REQUIRE(same(o->bucket, back.bucket) && same(o->prefix, back.prefix));
		FUZZ_REQUIRE(same(o->s3.endpoint_url, back.s3.endpoint_url));
		FUZZ_REQUIRE(same(o->fuse_options, back.fuse_options));
		FUZZ_REQUIRE(same(o->ns.spool_dir, back.ns.spool_dir));
		FUZZ_REQUIRE(o->ns.part_bytes == back.ns.part_bytes);
		opts_free(&back);
	}
	share_wipe(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_dup(data, size), *rest = text, *word, *argv[WORDS_MAX + 2] = {NULL};
	char program[] = "s3bulkfs", why[600] = "";
	int argc = 0;
	struct opts o;

	argv[argc++] = program;
	while (argc <= WORDS_MAX && (word = strsep(&rest, "\n")))
		argv[argc++] = word;
	/* The only option whose file is read here. */
	if (memmem(data, size, "customer", 8)) {
		free(text);
		return 0;
	}
	if (!opts_parse(&o, argc, argv, why, sizeof(why))) {
		FUZZ_REQUIRE(why[0]);
	} else if (!o.help && !o.version) {
		check_opts(&o);
		check_message(&o);
	}
	opts_free(&o);
	free(text);
	return 0;
}
