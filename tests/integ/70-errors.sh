#!/bin/bash
# tests/integ/70-errors.sh: what S3 refuses makes cp and rm fail; what it delays does not.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# copy_refused NAME...: cp -r of 200 objects of which S3 refuses NAME... exits 1; those are absent
# afterwards, in S3 and through the mount, all others are there.
copy_refused() {
	local name refused=()
	fresh
	put_objects src 200 10
	for name in "$@"; do
		refused+=("dst/$name")
	done
	if [ "$SERVER" = s3d ]; then
		for name in "${refused[@]}"; do
			deny_copy "$name"
		done
	else
		s3 deny "$BUCKET" s3:PutObject "${refused[@]}"
	fi
	run cp -r "$MNT/src" "$MNT/dst"
	assert_eq 1 "$RC" "exit code of cp -r"
	for name in "$@"; do
		! in_s3 "dst/$name" || fail "$name is in S3: the refusal did not work"
		[ ! -e "$MNT/dst/$name" ] || fail "$name is visible and not in S3"
	done
	ls "$MNT/dst" | LC_ALL=C sort >mount
	s3 ls "$BUCKET" dst/ --files | cut -f 1 >objects
	assert_same objects mount "the mount and S3 show different names"
	# The first refusal may stop the command early (contract C4); a later one must not.
	[ "$1" = f000000 ] || assert_eq $((200 - $#)) "$(wc -l <objects)" "the other objects"
}

test_copy_refused_first() { copy_refused f000000; }
test_copy_refused_middle() { copy_refused f000100; }
test_copy_refused_last() { copy_refused f000199; }
test_copy_refused_several() { copy_refused f000050 f000120 f000199; }

# Contract C4: nothing is answered early before S3 has done one of its kind, so that what S3 refuses
# as a whole (no right, a full bucket) is said of the first name, and of each.
test_refused_as_a_whole() {
	local i
	need s3d
	fresh
	put_objects src 20 10
	deny_copy 'dst/f*'
	run cp -r "$MNT/src" "$MNT/dst"
	assert_eq 1 "$RC" "exit code of cp -r"
	assert_eq 20 "$(printf '%s\n' "$OUT" | grep -c 'Permission denied')" "names with an error"
	for i in 00 07 19; do
		printf '%s\n' "$OUT" | grep -q "dst/f0000$i'" || fail "cp says nothing of f0000$i"
	done
	deny_delete 'src/*'
	run rm -r "$MNT/src"
	assert_eq 1 "$RC" "exit code of rm -r"
	assert_eq 20 "$(printf '%s\n' "$OUT" | grep -c "f0000.*Permission denied")" "names of rm"
	assert_eq 20 "$(find "$MNT/src" -type f | wc -l)" "files"
}

# delete_refused NAME: rm -r of 200 objects of which S3 refuses to delete one exits 1, and that
# file stays in S3 and visible.
delete_refused() {
	fresh
	put_objects d 200 10
	deny_delete "d/$1"
	run rm -r "$MNT/d"
	assert_eq 1 "$RC" "exit code of rm -r"
	in_s3 "d/$1" || fail "$1 is not in S3: the refusal did not work"
	[ -e "$MNT/d/$1" ] || fail "$1 is in S3 and not visible"
	s3 ls "$BUCKET" d/ --files | cut -f 1 >objects
	ls "$MNT/d" | LC_ALL=C sort >mount
	assert_same objects mount "the mount and S3 show different names"
	[ "$1" = f000000 ] || assert_eq "$1" "$(cat objects)" "what is left"
}

test_delete_refused_first() { delete_refused f000000; }
test_delete_refused_middle() { delete_refused f000100; }
test_delete_refused_last() { delete_refused f000199; }

test_delete_refused_nested() {
	fresh
	printf '%s\n' 'd/a/1 1' 'd/a/2 1' 'd/b/1 1' 'd/b/2 1' | s3 puts "$BUCKET"
	deny_delete d/a/2
	run rm -r "$MNT/d"
	assert_eq 1 "$RC" "exit code of rm -r"
	[ -e "$MNT/d/a/2" ] || fail "the refused file is not visible"
	[ ! -e "$MNT/d/b" ] || fail "d/b is still there"
}

# rm tries to remove no directory above one that it failed to remove: its last call is another
# then, and must still be held, at the speed of batches.
removed_but_first() { # removed_but_first: below d, of which S3 keeps d/a0 when the first is deleted
	local batches
	deny_delete d/a0
	stats_reset
	run rm -r "$MNT/d"
	s3 ls "$BUCKET" d/ | cut -f 1 >objects
	assert_eq 1 "$RC" "exit code of rm -r"
	assert_eq a0 "$(cat objects)" "what is left when rm has ended"
	batches=$(($(stat_get DeleteObjects) + $(stat_get DeleteObject)))
	assert_le "$batches" 12 "requests that delete"
}

slow_deletes() {
	start_s3d --latency-ms DeleteObjects=400,DeleteObject=50
	printf 'd/a0 1\n' | s3 puts "$BUCKET"
}

test_removal_goes_on_after_refusal() {
	need s3d
	slow_deletes
	put_objects d 200 1
	mount_fs "$BUCKET"
	removed_but_first
}

test_removal_goes_on_below() {
	need s3d
	slow_deletes
	put_objects d/m/x 200 1
	put_objects d/z 200 1
	mount_fs "$BUCKET"
	removed_but_first
}

test_removal_goes_on_to_empty_directory() {
	need s3d
	slow_deletes
	put_objects d/m 200 1
	printf 'd/z/ 0\n' | s3 puts "$BUCKET"
	mount_fs "$BUCKET"
	removed_but_first
}

test_remove_again_after_refusal() {
	need s3d
	fresh
	put_objects d 50 10
	deny_delete d/f000020
	assert_fails . rm -r "$MNT/d"
	faults_clear
	assert_exit 0 rm -r "$MNT/d"
	assert_eq "" "$(s3 ls "$BUCKET" d)" "left in S3"
}

test_copy_again_after_refusal() {
	need s3d
	fresh
	put_objects src 50 10
	deny_copy dst/f000020
	assert_fails . cp -r "$MNT/src" "$MNT/dst"
	faults_clear
	assert_exit 0 cp -rT "$MNT/src" "$MNT/dst"
	same_objects src dst
}

test_copy_error_in_200() {
	# Not retryable: a failure of this file. Retryable: no failure at all.
	need s3d
	fresh
	put_objects src 100 10
	fault '{"op":"CopyObject","key":"dst/f000042","in200":true,"code":"AccessDenied"}'
	fault '{"op":"CopyObject","key":"dst/f000043","in200":true,"code":"InternalError","times":2}'
	run cp -r "$MNT/src" "$MNT/dst"
	assert_eq 1 "$RC" "exit code of cp -r"
	! in_s3 dst/f000042 || fail "it is in S3"
	[ ! -e "$MNT/dst/f000042" ] || fail "it is visible"
	assert_eq 99 "$(count_objects dst/)" "the others"
}

test_delete_error_in_200() {
	need s3d
	fresh
	put_objects d 100 10
	fault '{"op":"DeleteObjects","key":"*","in200":true,"code":"SlowDown","times":2}'
	assert_exit 0 rm -r "$MNT/d"
	assert_eq "" "$(s3 ls "$BUCKET" d)" "left in S3"
	put_objects e 100 10
	faults_clear
	fault '{"op":"DeleteObjects","key":"e/f000050","in200":true,"per_key":true,
		"code":"InternalError","times":2}'
	assert_exit 0 rm -r "$MNT/e"
	assert_eq "" "$(s3 ls "$BUCKET" e/)" "left in S3"
}

test_slow_down_bursts() {
	need s3d
	fresh
	put_objects src 500 10
	fault '{"op":"CopyObject","key":"dst/f000[1-3]*","status":503,"code":"SlowDown",
		"times":60}'
	assert_exit 0 cp -r "$MNT/src" "$MNT/dst"
	same_objects src dst
	faults_clear
	fault '{"op":"DeleteObjects","key":"*","status":503,"code":"SlowDown","times":3}'
	assert_exit 0 rm -r "$MNT/dst"
	assert_eq "" "$(s3 ls "$BUCKET" dst)" "left in S3"
}

test_rate_limit() {
	# A server that takes 500 writes a second refuses some; the window adapts, nothing fails.
	need s3d
	start_s3d --rate 500 --latency-ms CopyObject=20
	put_objects src 1500 10
	mount_fs "$BUCKET"
	assert_exit 0 cp -r "$MNT/src" "$MNT/dst"
	same_objects src dst
	assert_exit 0 rm -r "$MNT/dst"
	assert_eq "" "$(s3 ls "$BUCKET" dst)" "left in S3"
}

test_broken_connections() {
	need s3d
	fresh
	put_objects src 300 10
	fault '{"op":"CopyObject","key":"dst/f0001*","close":true,"times":20}'
	fault '{"op":"CopyObject","key":"dst/f0002*","cut":10,"times":20}'
	assert_exit 0 cp -r "$MNT/src" "$MNT/dst"
	same_objects src dst
}

test_server_gone() {
	need s3d
	fresh
	put_objects d 20 10
	ls "$MNT/d"
	kill -TERM "$S3D_PID"
	"$TESTS_DIR/wait-pid" 10 "$S3D_PID"
	# It gives up within its deadline; a person may stop waiting earlier, and that must work.
	timeout -s KILL 2 cat "$MNT/d/f000001" && fail "read from a server that is gone"
	timeout -s KILL 2 rm "$MNT/d/f000002" && fail "removed on a server that is gone"
	kill -KILL "$DAEMON_PID"
	"$TESTS_DIR/wait-pid" 10 "$DAEMON_PID"
	not_compared "the server is gone"
}

test_killed_copy() {
	# A killed cp leaves no half object, and the mount goes on working.
	need s3d
	start_s3d --latency-ms CopyObject=50
	put_objects src 2000 10
	mount_fs "$BUCKET"
	cp -r "$MNT/src" "$MNT/dst" &
	local copy=$!
	until [ "$(stat_get CopyObject)" -ge 20 ]; do
		kill -0 $copy || break
	done
	kill -KILL $copy 2>/dev/null || :
	"$TESTS_DIR/wait-pid" 60 $copy || fail "a killed cp does not end"
	assert_eq 2000 "$(ls "$MNT/src" | wc -l)" "the source"
	# fsync of the directory waits for what was accepted before.
	/usr/bin/python3 -c 'import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY); os.fsync(fd)' "$MNT/dst"
	ls "$MNT/dst" | LC_ALL=C sort >mount
	s3 ls "$BUCKET" dst/ --files | cut -f 1 >objects
	assert_same objects mount "the mount and S3 show different names"
	rm -r "$MNT/dst"
	assert_eq "" "$(s3 ls "$BUCKET" dst)" "left in S3"
}

# The kernel has been told, too, when the command says that it has failed. (A close that is strict
# keeps the bytes for another try: such a name goes with its last descriptor, a moment later.)
test_refused_is_gone_at_once() {
	local i
	need s3d
	fresh
	mkdir "$MNT/empty"
	put_objects src 2 10
	deny_copy '*/f000001'
	fault '{"op":"PutObject","key":"e*","status":403,"code":"AccessDenied"}'
	for i in {1..40}; do
		! cp -r "$MNT/empty" "$MNT/e$i" 2>/dev/null || fail "exit code 0"
		[ ! -e "$MNT/e$i" ] || fail "e$i is visible, and not in S3"
		! cp -r "$MNT/src" "$MNT/d$i" 2>/dev/null || fail "exit code 0"
		gone "$MNT/d$i/f000001" || fail "d$i/f000001 is visible, and not in S3"
		[ -e "$MNT/d$i/f000000" ] || fail "d$i/f000000 is not visible"
	done
}

# sync_dir DIR: fsync of the directory, in the background; comes back when it is in that call.
sync_dir() {
	/usr/bin/python3 -I -S -c 'import os, sys
os.fsync(os.open(sys.argv[1], os.O_RDONLY))' "$1" >sync.out 2>&1 &
	SYNC=$!
	# Where it is in a call, /proc shows the number of that first.
	until grep -q "^$SYNC_CALL " "/proc/$SYNC/syscall"; do
		kill -0 $SYNC 2>/dev/null || fail "fsync has not waited: $(cat sync.out)"
	done
}

# Contract C8: it waits for what is pending below, says once that something of it has failed.
test_fsync_of_a_directory() {
	local rc=0
	need s3d
	SYNC_CALL=$(case $(uname -m) in x86_64) echo 74 ;; *) echo 82 ;; esac)
	fresh
	put_objects src/sub 20 10
	fault '{"op":"CopyObject","key":"dst/sub/f000010","hang":true,"status":403,
		"code":"AccessDenied"}'
	cp -r "$MNT/src" "$MNT/dst" &
	local copy=$!
	wait_held dst/sub/f000010
	sync_dir "$MNT/dst"
	let_go
	wait $SYNC || rc=$?
	assert_eq 1 "$rc" "exit code of fsync"
	grep -q 'Permission denied' sync.out || fail "fsync does not say why"
	rc=0
	wait $copy || rc=$?
	assert_eq 1 "$rc" "exit code of cp"
	assert_eq 19 "$(count_objects dst/)" "the others"
	assert_exit 0 /usr/bin/python3 -I -S -c 'import os, sys
os.fsync(os.open(sys.argv[1], os.O_RDONLY))' "$MNT/dst"
}

run_tests "$@"
