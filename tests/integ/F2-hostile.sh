#!/bin/bash
# tests/integ/F2-hostile.sh: a server that means harm (hostile.py) gets an error, soon, and nothing
# of this machine: no memory, no credentials, no names outside the mount.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

MEMORY_KB=150000 # of the daemon at most

# hostile BUCKET: mounts it at $MNT; the daemon's process is $DAEMON.
hostile() {
	local fd port
	need s3d
	exec {fd}< <(exec "$INTEG/hostile.py" "$WORK/requests")
	S3D_PID=$!
	PIDS+=("$S3D_PID")
	read -r port _ <&"$fd"
	export AWS_ACCESS_KEY_ID=key AWS_SECRET_ACCESS_KEY=secret
	MNT=$WORK/mnt
	mkdir "$MNT"
	MOUNTS+=("$MNT")
	"$S3BULKFS" -f -o "endpoint_url=http://127.0.0.1:$port,private,timeout=6,path_style" \
		"$1" "$MNT" 2>"$WORK/daemon.log" &
	DAEMON=$!
	PIDS+=("$DAEMON")
	until mountpoint -q "$MNT"; do
		kill -0 "$DAEMON" || fail "it does not mount: $(cat "$WORK/daemon.log")"
	done
}

# over: so that another one can be mounted.
over() {
	umount "$MNT"
	"$TESTS_DIR/wait-pid" 60 "$DAEMON" || fail "the daemon does not end after umount"
	kill "$S3D_PID"
	rmdir "$MNT"
}

# small: the daemon lives, and has never been large.
small() {
	local kb
	kill -0 "$DAEMON" || fail "the daemon has ended: $(cat "$WORK/daemon.log")"
	kb=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$DAEMON/status")
	assert_le "$kb" $MEMORY_KB "KiB of memory"
}

logged() { # logged TEXT: the daemon's log says so (a regex)
	grep -q -- "$1" "$WORK/daemon.log" || fail "no '$1' in: $(cat "$WORK/daemon.log")"
}

# refused BUCKET TEXT: its listing fails with EIO, and the log says why.
refused() {
	hostile "$1"
	assert_fails 'Input/output error' timeout 60 ls -l "$MNT"
	assert_eq 2 "$RC" "exit code of ls"
	logged "$2"
	small
}

# shown BUCKET NAMES: its listing is this.
shown() {
	hostile "$1"
	assert_exit 0 timeout 60 ls -a "$MNT"
	assert_eq "$2" "$(ls "$MNT")" "names"
	small
}

test_key_with_nul() { shown nul $'%:a%00b\nc'; }
test_key_dots() { shown updir $'%:.\n%:..\nc'; }
test_size_most() { shown most c; }
test_key_climbs() { refused dots 'a key that was not asked for'; }
test_key_with_slash() { refused slash 'a key that was not asked for'; }
test_prefix_without_end() { refused prefix 'a key that was not asked for'; }
test_key_too_long() { refused longer 'a key that was not asked for'; }
test_size_negative() { refused negative 'not what S3 sends'; }
test_size_huge() { refused huge 'not what S3 sends'; }
test_too_many() { refused many 'not what S3 sends'; }
test_same_token() { refused same 'goes round in a circle'; }
test_always_empty() { refused empty 'does not end'; }
test_always_the_same() { refused circle 'does not end'; }
test_forth_and_back() { refused pingpong 'goes round in a circle\|does not end'; }
test_backwards() { refused backwards 'does not end'; }
test_endless_name() { refused big-list 'not what S3 sends'; }
test_endless_elements() { refused big-elements 'not what S3 sends'; }
test_endless_blanks() { refused big-lead 'not what S3 sends'; }

test_outside_the_prefix() {
	hostile outside:/p
	assert_fails 'Input/output error' timeout 60 ls "$MNT"
	logged 'a key that was not asked for'
}

test_name_of_1025() {
	hostile long
	timeout 60 ls "$MNT" >ls.out 2>&1
	assert_le "$?" 2 "exit code of ls"
	small
}

test_endless_error() {
	hostile big-error
	assert_fails 'Permission denied' timeout 60 ls "$MNT"
	grep -q HUNG-UP requests || fail "it was read on and on"
	small
}

test_head() {
	local bucket
	for bucket in head-huge head-negative head-lines; do
		hostile "$bucket"
		assert_fails 'Input/output error' timeout 60 stat "$MNT/x"
		small
		over
	done
	hostile head-body
	assert_exit 0 timeout 60 stat -c %s "$MNT/x"
	assert_eq 5 "$OUT" "size"
	small
}

# Neither followed, nor believed: whoever answers there would get requests that are signed.
test_redirects() {
	local status
	for status in 301 302 303 307 308; do
		hostile "redirect-$status"
		assert_fails 'error' timeout 60 ls "$MNT"
		assert_fails 'error' timeout 60 stat "$MNT/x"
		assert_fails 'error' timeout 60 cp "$INTEG/lib.sh" "$MNT/x"
		small
		over
		grep -q " /redirect-$status" requests || fail "nothing was asked"
		! grep OTHER requests || fail "a redirect was followed"
	done
}

run_tests "$@"
