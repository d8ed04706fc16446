#!/bin/bash
# tests/integ/F3-core.sh: whatever ends a process that knows keys, no core dump holds them.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# core_of MOUNTPOINT|- COMMAND...: runs it until something is mounted there (-: at once), ends it
# with SIGSEGV and prints "core" or "none", as the kernel says (wait(2), WCOREDUMP).
core_of() {
	/usr/bin/python3 -I -S -c '
import os, resource, signal, sys
resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
ready, go = os.pipe()
pid = os.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
os.close(go)
os.read(ready, 1)  # its end: the program runs
while sys.argv[1] != "-" and not os.path.ismount(sys.argv[1]):
    pass
os.kill(pid, signal.SIGSEGV)
print("core" if os.WCOREDUMP(os.waitpid(pid, 0)[1]) else "none")' "$@"
}

test_no_core() {
	start_server
	mkdir mnt
	MOUNTS+=("$WORK/mnt")
	[ "$(core_of - tail -f /dev/null)" = core ] || skip "this system writes no core dumps"
	assert_eq none "$(core_of "$WORK/mnt" "$S3BULKFS" -f -o "endpoint_url=$S3_ENDPOINT,private" \
		"$BUCKET" "$WORK/mnt" 2>daemon.log)" "core dump of the daemon"
	umount -l mnt
}

run_tests "$@"
