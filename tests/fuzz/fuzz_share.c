/*
 * Fuzz target for the message in which a mount's settings come to a shared daemon. What it begins
 * with (which program sends it, and the numbers) is made here: only root's own s3bulkfs is
 * listened to, and of another program nothing more is read.
 */
#include "fuzz.h"

#include <string.h>

#include "cli/share.h"
#include "s3/s3_creds.h"
#include "util/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf message = BUF_INIT(SHARE_MESSAGE_MAX);
	struct opts o = {.bucket = mem_strdup("b"), .prefix = mem_strdup("")}, got;
	size_t i, start;

	o.source = mem_strdup("b");
	share_pack(&o, &message);
	/* The texts begin where the first of them, a proxy that is not set here, does. */
	for (start = message.len; start && message.ptr[start - 1] != 'b'; start--)
		;
	for (i = 0; i < size % 7 && start; i++)
		start--;
	buf_cut(&message, size % 2 ? start : message.len - size % message.len);
	buf_add(&message, (const char *)data, size);
	if (!message.failed) {
		char *exact = mem_dup(message.ptr, message.len);

		if (share_unpack(exact, message.len, &got)) {
			FUZZ_REQUIRE(got.bucket && got.prefix && got.source);
			opts_free(&got);
		}
		free(exact);
	}
	share_wipe(&message);
	opts_free(&o);
	return 0;
}
