#!/bin/bash
# tests/integ/A0-ctl.sh: s3bulkfsctl status, errors, flush, umount, and who may use it.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

CTL=$(dirname "$S3BULKFS")/s3bulkfsctl

# json FILE EXPRESSION: the value of a Python expression about the object d.
json() {
	/usr/bin/python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
print(eval(sys.argv[2]))' "$1" "$2"
}

# pending COUNT: until so many operations are pending on $MNT; the server holds them back.
until_pending() {
	local n=0
	until [ "$n" -ge "$1" ]; do
		"$CTL" status --json "$MNT" >status.json
		n=$(json status.json 'd["mounts"][0]["pending"]')
	done
}

test_help() {
	assert_exit 0 "$CTL" --help
	printf '%s\n' "$OUT" | grep -q 'umount MOUNTPOINT' || fail "no usage"
	assert_exit 0 "$CTL" --version
	assert_exit 2 "$CTL"
	assert_exit 2 "$CTL" frobnicate
	assert_exit 2 "$CTL" status --frobnicate
	assert_exit 2 "$CTL" errors
	assert_exit 2 "$CTL" umount
	assert_exit 2 "$CTL" run
	assert_exit 2 "$CTL" status --json --watch
}

test_not_a_mount() {
	run "$CTL" status /
	assert_eq 1 "$RC" "exit code"
	assert_fails 'not in a mount of s3bulkfs' "$CTL" errors /tmp
	assert_fails 'not in a mount of s3bulkfs' "$CTL" flush /tmp
	assert_fails 'not in a mount of s3bulkfs' "$CTL" umount /tmp
	assert_exit 125 "$CTL" run --mount /tmp true
}

test_status() {
	fresh
	put_objects src 20 10
	assert_exit 0 "$CTL" status "$MNT"
	printf '%s\n' "$OUT" | grep -q "^$BUCKET on $MNT (daemon $DAEMON_PID)" || fail "no mount"
	cp -r "$MNT/src" "$MNT/dst"
	rm -r "$MNT/src"
	"$CTL" status --json "$MNT/dst" >status.json
	assert_eq "$MNT" "$(json status.json 'd["mounts"][0]["mountpoint"]')" mountpoint
	assert_eq "[20, 20, 0, 0]" "$(json status.json '[d["mounts"][0][k] for k in
		("copies", "removals", "pending", "errors")]')" "what was done"
}

test_status_of_a_walk() {
	need s3d
	fresh
	put_objects src 100 10
	cp "$MNT/src/f000000" "$MNT/first"
	# All copies but the first hang, so the walk stays as it is.
	fault '{"op":"CopyObject","key":"dst/f0000[1-9]*","hang":true}'
	cp -r "$MNT/src" "$MNT/dst" &
	local copy=$!
	until_pending 90
	assert_eq "cp $copy 90" "$(json status.json \
		'"%s %d %d" % tuple(d["mounts"][0]["walks"][0][k] for k in ("command", "pid", "left"))')" \
		"the walk"
	run "$CTL" status "$MNT"
	printf '%s\n' "$OUT" | grep -qE "^  cp \(process $copy\): [0-9]+ done, 90 pending" ||
		fail "no walk is shown"
	faults_clear
	wait $copy
	"$CTL" status --json "$MNT" >status.json
	assert_eq 0 "$(json status.json 'd["mounts"][0]["pending"]')" "pending after the walk"
}

# The memory for what is pending has a bound: then cp waits.
test_pending_has_a_bound() {
	need s3d
	fresh
	put_objects src 11000 10
	fault '{"op":"CopyObject","key":"dst/f*[1-9]*","hang":true}'
	cp -r "$MNT/src" "$MNT/dst" &
	local copy=$! _
	until_pending 10000
	for _ in $(seq 20); do
		"$CTL" status --json "$MNT" >status.json
		assert_eq 10000 "$(json status.json 'd["mounts"][0]["pending"]')" "pending"
	done
	faults_clear
	wait $copy || fail "cp has failed"
	assert_eq 11000 "$(count_objects dst/)" "copies in S3"
}

test_watch_of_a_walk() {
	need s3d
	start_s3d --rate 250
	put_objects src 1000 10
	mount_fs "$BUCKET"
	cp -r "$MNT/src" "$MNT/dst" &
	local copy=$! watch
	"$CTL" status --watch "$MNT" >watch.out &
	watch=$!
	wait $copy || fail "cp has failed"
	umount_fs
	wait $watch || fail "status --watch failed"
	same_objects src dst
	grep -E "^  cp \(process $copy\): [0-9]+ done, [0-9]+ pending, [0-9]+/s, 0:[0-9]{2} left$" \
		watch.out >walk || fail "no rate and time are shown: $(cat watch.out)"
	grep -qE '^    \[#+\.+\] +[0-9]+ %$' watch.out || fail "no bar is shown"
	# The rate is the server's, and the time that is left follows from it.
	/usr/bin/python3 - <<-'EOF' || fail "they do not go together: $(cat walk)"
		import re
		for line in open("walk"):
		    done, rate, left = map(int, re.search(
		        r"(\d+) done, \d+ pending, (\d+)/s, 0:(\d+) left", line).groups())
		    assert 20 <= rate <= 600, line
		    assert abs((1000 - done) / rate - left) <= 1.5, line
	EOF
}

test_watch_ends_with_the_mount() {
	fresh
	put_objects src 5 10
	"$CTL" status --watch "$MNT" >watch.out &
	local watch=$!
	until grep -q "on $MNT" watch.out; do
		kill -0 $watch || fail "status --watch has ended"
	done
	umount_fs
	"$TESTS_DIR/wait-pid" 30 $watch || fail "status --watch does not end with the mount"
	wait $watch || fail "status --watch failed"
}

test_errors() {
	need s3d
	fresh
	put_objects src 50 10
	assert_exit 0 "$CTL" errors "$MNT"
	assert_eq "" "$OUT" "errors before there are any"
	deny_copy dst/f000030
	assert_exit 1 cp -r "$MNT/src" "$MNT/dst"
	assert_exit 0 "$CTL" errors "$MNT"
	local what="copy of $MNT/dst/f000030 failed: AccessDenied (HTTP 403), key dst/f000030"
	printf '%s\n' "$OUT" | grep -q "$what, request [0-9A-F][0-9A-F]*, for cp" ||
		fail "the refused copy is not told"
	"$CTL" errors --json "$MNT" >errors.json
	assert_eq "['dst/f000030', 'AccessDenied', 403, True]" "$(json errors.json \
		'[d["errors"][0][k] for k in ("key", "code", "http_status", "deferred")]')" \
		"the failure as JSON"
	[ "$(json errors.json 'd["errors"][0]["request_id"]')" != "" ] || fail "no request id"
	# One that was refused while its call waited is told, too.
	deny_delete src/f000007
	assert_exit 1 rm "$MNT/src/f000007"
	"$CTL" errors --json "$MNT" >errors.json
	assert_eq "src/f000007 rm" "$(json errors.json \
		'd["errors"][1]["key"] + " " + d["errors"][1]["command"]')" "the second failure"
	assert_eq 2 "$(json errors.json 'd["total"]')" "failures"
}

test_odd_names() {
	need s3d
	fresh
	printf '%s\n' 'a 1' 'b 1' 'c 1' | s3 puts "$BUCKET"
	mkdir "$MNT/q\"\\uote"
	fault '{"op":"CopyObject","key":"q*/*","status":403,"code":"AccessDenied"}'
	assert_exit 1 cp "$MNT/a" "$MNT/b" "$MNT/c" "$MNT/q\"\\uote/"
	"$CTL" errors --json "$MNT" >errors.json
	assert_eq 'q"\uote/a' "$(json errors.json 'd["errors"][0]["key"]')" "the key"
	mkdir "$MNT/"$'e\e[2J'
	fault '{"op":"CopyObject","key":"e*/*","status":403,"code":"AccessDenied"}'
	assert_exit 1 cp "$MNT/a" "$MNT/b" "$MNT/c" "$MNT/"$'e\e[2J/'
	assert_exit 0 "$CTL" errors "$MNT"
	grep -qF 'e\x1b[2J/a' <<<"$OUT" || fail "no such key in: $OUT"
	! grep -q $'\e' <<<"$OUT" || fail "a key commands the terminal"
}

test_flush_waits_and_tells_once() {
	need s3d
	fresh
	put_objects src 100 10
	assert_exit 0 "$CTL" flush "$MNT"
	deny_copy dst/f000050
	fault '{"op":"CopyObject","key":"dst/f0000[6-9]*","hang":true}'
	cp -r "$MNT/src" "$MNT/dst" &
	local copy=$! flush rc=0
	until_pending 40
	kill -KILL $copy
	"$TESTS_DIR/wait-pid" 20 $copy || fail "cp does not end"
	"$CTL" flush "$MNT/dst" 2>flush.err &
	flush=$!
	! "$TESTS_DIR/wait-pid" 1 $flush || fail "flush has not waited"
	faults_clear
	wait $flush || rc=$?
	assert_eq 1 "$rc" "exit code of flush"
	grep -q 'key dst/f000050' flush.err || fail "flush does not name the key"
	assert_eq 99 "$(count_objects dst/)" "copies in S3 when flush has returned"
	assert_exit 0 "$CTL" flush "$MNT/dst"
	assert_exit 0 "$CTL" umount "$MNT"
	wait "$DAEMON_PID" || :
}

test_flush_of_another_path() {
	need s3d
	fresh
	put_objects src 10 10
	deny_copy dst/f000005
	assert_exit 1 cp -r "$MNT/src" "$MNT/dst"
	assert_exit 0 "$CTL" flush "$MNT/src"
	assert_exit 0 "$CTL" flush "$MNT/dst/not/there"
	assert_fails 'key dst/f000005' "$CTL" flush "$MNT/dst/f000005"
	assert_exit 0 "$CTL" flush "$MNT"
}

test_umount() {
	fresh
	put_objects src 20 10
	cp -r "$MNT/src" "$MNT/dst"
	assert_fails 'is not a mount point' "$CTL" umount "$MNT/dst"
	assert_exit 0 "$CTL" umount "$MNT"
	! mountpoint -q "$MNT" || fail "it is still mounted"
	same_objects src dst
	# The daemon has ended: what is left of it is its exit code.
	"$TESTS_DIR/wait-pid" 0 "$DAEMON_PID" || fail "the daemon is still there"
	wait "$DAEMON_PID"
	assert_fails 'not in a mount' "$CTL" umount "$MNT"
}

test_umount_busy() {
	fresh
	put_objects src 5 10
	(cd "$MNT/src" && assert_fails 'somebody uses it' "$CTL" umount "$MNT")
	assert_eq 5 "$(ls "$MNT/src" | wc -l)" "the mount works on"
	assert_exit 0 "$CTL" umount "$MNT"
	wait "$DAEMON_PID"
}

test_umount_tells_of_failures() {
	need s3d
	fresh
	put_objects src 20 10
	deny_copy dst/f000010
	assert_exit 1 cp -r "$MNT/src" "$MNT/dst"
	assert_fails 'key dst/f000010' "$CTL" umount "$MNT"
	assert_eq 1 "$RC" "exit code of umount"
	! mountpoint -q "$MNT" || fail "it is still mounted"
	assert_eq "$(s3 ls "$BUCKET" src/ | grep -v f000010)" "$(s3 ls "$BUCKET" dst/ --files)" \
		"what was copied"
	wait "$DAEMON_PID" || :
}

test_daemon_gone() {
	fresh
	kill -KILL "$DAEMON_PID"
	"$TESTS_DIR/wait-pid" 20 "$DAEMON_PID"
	assert_fails 'does not answer' "$CTL" status "$MNT"
	assert_fails 'does not answer' "$CTL" flush "$MNT"
	assert_fails 'does not answer' "$CTL" umount "$MNT"
	assert_fails 'does not answer' "$CTL" run --mount "$MNT" true
	umount -l "$MNT"
	# The next mount takes the place of what was left behind.
	MOUNTS=()
	mount_fs "$BUCKET"
	assert_exit 0 "$CTL" status "$MNT"
}

test_socket_is_private() {
	local dir=/run/s3bulkfs before
	[ "$(id -u)" = 0 ] || skip "needs root"
	fresh
	assert_eq "700 0" "$(stat -c '%a %u' $dir)" "mode and owner of $dir"
	# Another user is refused by the directory; the daemon's own check stands behind it.
	assert_fails 'only that user and root' \
		setpriv --reuid=65534 --regid=65534 --clear-groups "$CTL" status "$MNT"
	before=$(find $dir -type s | wc -l)
	umount_fs
	assert_le "$(find $dir -type s | wc -l)" "$((before - 1))" "sockets after the mount has gone"
}

test_bad_requests() {
	# Garbage, a line without end, a half request and a peer that reads nothing harm nobody.
	fresh
	put_objects src 5 10
	/usr/bin/python3 - "$MNT" <<'END'
import glob, json, socket, sys
def open_all():
    for path in glob.glob('/run/s3bulkfs/mount-*.sock'):
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(path)
        except OSError:
            continue
        s.sendall(b'{"cmd":"status"}\n')
        if sys.argv[1] == json.loads(s.makefile().readline())["mountpoint"]:
            return path
path = open_all()
def connect():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(path)
    return s
for bad in (b'\n', b'garbage\n', b'[1]\n', b'{"cmd":\n', b'\0\0\n'):
    s = connect()
    s.sendall(bad)
    assert s.recv(1) == b'', bad
s = connect()
try:
    s.sendall(b'x' * 200000)
except OSError:
    pass
try:
    assert s.recv(1) == b''
except ConnectionResetError:
    pass
s = connect()
s.sendall(b'{"cmd":"no such"}\n{"cmd":"run-end"}\n{"cmd":"status"}\n')
lines = s.makefile()
assert [json.loads(lines.readline())["ok"] for _ in range(3)] == [False, False, True]
silent = connect()
for _ in range(100):
    silent.sendall(b'{"cmd":"errors"}\n')
END
	assert_exit 0 "$CTL" status "$MNT"
	assert_eq 5 "$(ls "$MNT/src" | wc -l)" "the mount works on"
}

run_tests "$@"
