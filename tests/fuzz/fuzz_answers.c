/* Fuzz target for what a daemon answers s3bulkfsctl: whatever it is, it is read to its end. */
#include "fuzz.h"

#include <sys/socket.h>
#include <unistd.h>

#include "cli/ctl_client.h"

#define SOCKET_BYTES ((size_t)64 << 10) /* that many are taken without a reader */

static void look_at(const cJSON *answer)
{
	static const char *const names[] = {"ok", "error", "failed", "errno", "mountpoint", "path"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		FUZZ_REQUIRE(ctl_text(answer, names[i]));
		ctl_number(answer, names[i]);
		ctl_true(answer, names[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctl_link l = {.fd = -1, .in = BUF_INIT(SOCKET_BYTES)};
	size_t lines = 0, i;
	int fds[2];

	if (size > SOCKET_BYTES)
		return 0;
	FUZZ_REQUIRE(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	FUZZ_REQUIRE(!size || write(fds[1], data, size) == (ssize_t)size);
	close(fds[1]);
	l.fd = fds[0];
	for (i = 0; i < size; i++)
		lines += data[i] == '\n';
	/* A line that is no JSON ends nothing but itself. */
	for (i = 0; i <= lines; i++) {
		cJSON *answer = ctl_read(&l);

		look_at(answer);
		cJSON_Delete(answer);
	}
	FUZZ_REQUIRE(!ctl_read(&l));
	ctl_close(&l);
	return 0;
}
