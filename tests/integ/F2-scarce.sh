#!/bin/bash
# tests/integ/F2-scarce.sh: memory, descriptors and threads that are not to be had: an error for
# that call, or patience; never a crash, a lost object or an untrue exit code. NOMEM_CASES says how
# many allocations of each command fail in turn (nomem.py, which can also go through all of them).
. "$(dirname "$(readlink -f "$0")")/lib.sh"

test_allocations_fail() {
	need s3d
	preload
	export WORK
	"$INTEG/nomem.py" sample "${NOMEM_CASES:-4}" >cases.log || {
		cat cases.log
		fail "of the commands without memory some were wrong"
	}
	grep '^#' cases.log
}

# What the kernel takes no refusal of, a release above all, is done.
test_close_without_memory() {
	need s3d
	preload
	export WORK
	"$INTEG/nomem.py" close >cases.log 2>&1 || {
		cat cases.log
		fail "see above"
	}
}

test_start_without_memory() {
	need s3d
	preload
	export WORK
	"$INTEG/nomem.py" start 15 >cases.log 2>&1 || {
		cat cases.log
		fail "see above"
	}
	grep '^#' cases.log
}

# kib FIELD: of the daemon.
kib() { sed -n "s/^$1:[[:space:]]*\([0-9]*\) kB/\1/p" "/proc/$DAEMON_PID/status"; }

# The real thing: the daemon may not grow, and is asked for more than it has room for.
test_no_growth() {
	need s3d
	preload
	fresh
	put_objects many 60000 1
	echo old >old
	s3 put "$BUCKET" keep/f old
	cat "$MNT/keep/f" >/dev/null
	prlimit --pid "$DAEMON_PID" --as=$((($(kib VmSize) + 2048) * 1024)):
	assert_fails 'Cannot allocate memory' ls -l "$MNT/many"
	grep -q 'out of memory: new calls fail' daemon0.log || fail "the log does not say so"
	kill -0 "$DAEMON_PID" || fail "the daemon has ended"
	prlimit --pid "$DAEMON_PID" --as=unlimited:
	until ls "$MNT/keep" >ls.out 2>&1; do
		grep -q 'Cannot allocate' ls.out || fail "$(cat ls.out)"
	done
	grep -q 'there is memory again' daemon0.log || fail "the log does not say that it is over"
	assert_eq old "$(cat "$MNT/keep/f")" "what was there"
	assert_exit 0 rm -r "$MNT/many"
	assert_eq 0 "$(count_objects many)" "objects left"
	umount_fs
}

# What is open stays so; whatever needs another descriptor is refused one.
no_descriptor() { prlimit --pid "$DAEMON_PID" --nofile=0:; }

# The same, but for what takes the place of one that is closed: so a connection can be replaced.
no_more_descriptors() {
	local n=0
	while [ -e "/proc/$DAEMON_PID/fd/$n" ]; do n=$((n + 1)); done
	prlimit --pid "$DAEMON_PID" --nofile="$n:"
}

descriptors_again() {
	prlimit --pid "$DAEMON_PID" \
		--nofile="$(prlimit --pid "$DAEMON_PID" --nofile --noheadings -o HARD):"
}

# What a command is cannot be found out, so it is strict: its exit code is true.
test_no_descriptors() {
	need s3d
	fresh
	put_objects src 30 10
	remount "$BUCKET" timeout=6,metadata_ttl=600
	ls -l "$MNT" "$MNT/src" >/dev/null
	deny_copy 'dst/f000007'
	deny_delete 'src/f000009'
	no_more_descriptors
	assert_fails 'denied' cp -r "$MNT/src" "$MNT/dst"
	assert_eq 29 "$(count_objects dst)" "copies"
	assert_fails 'denied' rm -r "$MNT/src"
	assert_eq 1 "$(count_objects src)" "objects left"
	faults_clear
	assert_exit 0 rm -r "$MNT/src" "$MNT/dst"
	assert_eq 0 "$(count_objects '')" "objects left"
}

# Who cannot be heard waits, and costs the daemon a try a second.
test_no_descriptor_to_be_heard() {
	local pid
	need s3d
	fresh
	no_descriptor
	"$(dirname "$S3BULKFS")/s3bulkfsctl" status "$MNT" >status.out 2>&1 &
	pid=$!
	until grep -q 'control socket.*Too many open files' daemon0.log; do
		kill -0 $pid || fail "it did not wait: $(cat status.out)"
	done
	next_second
	next_second
	assert_le "$(grep -c 'control socket' daemon0.log)" 20 "times that it was tried"
	descriptors_again
	wait $pid || fail "it was not heard: $(cat status.out)"
}

# The connections have gone, and no other can be made.
test_no_sockets() {
	need s3d
	fresh
	put_objects d 3 10
	remount "$BUCKET" timeout=3,metadata_ttl=600
	ls -l "$MNT/d" >/dev/null
	fault '{"close":true,"times":1,"op":"GetObject"}'
	no_descriptor
	assert_fails 'Too many open files' cat "$MNT/d/f000001"
	assert_fails 'Too many open files' mkdir "$MNT/new"
	assert_fails 'Too many open files' rm "$MNT/d/f000002"
	descriptors_again
	assert_exit 0 mkdir "$MNT/new"
	assert_exit 0 rm -r "$MNT/d"
	assert_eq new/ "$(s3 ls "$BUCKET" '' | awk '{print $1}' | tail -n 1)" "in S3"
	umount_fs
}

# threads COUNT: how many may still be made by what runs with $NOMEM_CONTROL (nomem.c); -1: any.
threads() { refuse 5 $(($1 + 1)); }

test_no_threads_at_start() {
	local n unavailable='Resource temporarily unavailable'
	need s3d
	preload
	start_server
	mkdir mnt
	for n in 0 1; do
		threads $n
		assert_fails "cannot start .* thread.*: $unavailable; .*limit on processes" \
			env LD_PRELOAD="$NOMEM" "$S3BULKFS" -f \
			-o "endpoint_url=$S3_ENDPOINT,io_threads=1" "$BUCKET" mnt
		assert_eq 1 "$RC" "exit code"
		assert_eq 1 "$(printf '%s\n' "$OUT" | wc -l)" "lines of the error message"
	done
}

# Another bucket needs threads of its own: there is an error for it, and the next time it works.
test_no_threads_later() {
	need s3d
	preload
	start_server
	s3 mkbucket other
	put_objects d 3 10
	threads -1
	MNT=$WORK/mnt
	mkdir "$MNT"
	MOUNTS+=("$MNT")
	LD_PRELOAD=$NOMEM "$S3BULKFS" -f -o "endpoint_url=$S3_ENDPOINT,private" --all-buckets "$MNT" \
		>daemon0.log 2>&1 &
	DAEMON_PID=$!
	PIDS+=("$DAEMON_PID")
	until mountpoint -q "$MNT"; do kill -0 "$DAEMON_PID" || fail "it does not mount"; done
	assert_exit 0 ls "$MNT/$BUCKET/d"
	threads 0
	assert_fails 'temporarily unavailable|Input/output error' ls "$MNT/other/x"
	grep -q 'cannot start a network thread.*limit on processes' daemon0.log ||
		fail "the log does not say why"
	assert_exit 0 cp -r "$MNT/$BUCKET/d" "$MNT/$BUCKET/e"
	assert_eq 3 "$(count_objects e)" "copies"
	threads -1
	assert_exit 0 mkdir "$MNT/other/x"
	umount_fs
}

run_tests "$@"
