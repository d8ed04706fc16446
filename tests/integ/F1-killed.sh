#!/bin/bash
# tests/integ/F1-killed.sh: the daemon is killed in the middle of cp -r, rm -r, mv and uploads, at
# many points. The command fails; a fresh mount shows what S3 has; whatever was moved is at one of
# its two places, whole; the same command then completes.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

OPTIONS=

# start [OPTIONS]: 30 files in src, 20 below src/sub, and what they are in `all`.
start() {
	need s3d
	OPTIONS=$1
	start_s3d --latency-ms '*=2,CopyObject=30,DeleteObjects=20,UploadPart=50'
	put_objects src 30 100
	put_objects src/sub 20 100
	s3 ls "$BUCKET" src/ --files >all
	mount_fs "$BUCKET" "max_inflight=4${OPTIONS:+,$OPTIONS}"
}

# killed OPERATION COUNT COMMAND...: the daemon is killed when the server has had COUNT of those
# requests more; if the command is faster than that it must have done all.
killed() {
	local operation=$1 first command rc=0
	first=$(stat_get "$operation")
	local until=$((first + $2))
	shift 2
	"$@" 2>>"$WORK/errors" &
	command=$!
	while [ "$(stat_get "$operation")" -lt $until ] && kill -0 $command 2>/dev/null; do :; done
	kill -KILL "$DAEMON_PID"
	wait "$DAEMON_PID" 2>/dev/null || :
	wait $command || rc=$?
	umount -l "$MNT"
	note "killed after $(($(stat_get "$operation") - first)) $operation: exit code $rc"
	mount_fs "$BUCKET" "max_inflight=4${OPTIONS:+,$OPTIONS}"
	return $rc
}

# The mount shows the files that S3 has.
mount_is_s3() {
	(cd "$MNT" && find . -type f | cut -c 3- | LC_ALL=C sort) >shown
	s3 ls "$BUCKET" --files | cut -f 1 | LC_ALL=C sort >kept
	assert_same kept shown "the mount and S3 show different names"
}

# is_at PREFIX...: each file of `all` is below one of these, as it was.
is_at() {
	local prefix
	for prefix in "$@"; do s3 ls "$BUCKET" "$prefix/" --files; done | LC_ALL=C sort -u >found
	LC_ALL=C sort all | comm -23 - found >lost
	[ ! -s lost ] || fail "lost: $(head -n 3 lost)"
}

test_copy() {
	local point
	start ''
	for point in 1 7 30 49; do
		! killed CopyObject $point cp -r "$MNT/src" "$MNT/dst" ||
			same_objects src dst
		mount_is_s3
		is_at src
		s3 ls "$BUCKET" dst/ --files | LC_ALL=C sort | comm -23 - <(LC_ALL=C sort all) >strange
		[ ! -s strange ] || fail "half there: $(head -n 3 strange)"
		assert_exit 0 cp -r "$MNT/src/." "$MNT/dst/"
		same_objects src dst
		assert_exit 0 rm -r "$MNT/dst"
	done
}

test_remove() {
	local point
	start ''
	for point in 1 2; do
		assert_exit 0 cp -r "$MNT/src" "$MNT/d$point"
		if killed DeleteObjects $point rm -r "$MNT/d$point"; then
			assert_eq '' "$(s3 ls "$BUCKET" d$point/)" "left by what has succeeded"
		fi
		mount_is_s3
		assert_exit 0 rm -rf "$MNT/d$point"
		assert_eq '' "$(s3 ls "$BUCKET" d$point/)" "what is left"
		is_at src
	done
}

moved() { # moved RENAME_LIMIT OPERATION POINT...
	local operation=$2 point from=src to
	start "rename_limit=$1"
	shift 2
	for point in "$@"; do
		to=to$point
		mkdir "$MNT/$to"
		killed "$operation" "$point" mv "$MNT/$from"/* "$MNT/$to/" || :
		mount_is_s3
		is_at "$from" "$to"
		# The whole command again: what is at both places already, mv does not replace.
		assert_exit 0 cp -r "$MNT/$from/." "$MNT/$to/"
		assert_exit 0 rm -r "$MNT/$from"
		is_at "$to"
		from=$to
	done
}

test_rename() { moved 1000 CopyObject 1 10 40; }
test_rename_deletes() { moved 1000 DeleteObjects 1 20; }
test_move() { moved 5 CopyObject 1 25 45; }

# What is not whole is not there, and what was there is as it was.
test_upload() {
	local point size=$((40 << 20))
	start part_size=5M
	head -c $size /dev/urandom >data
	echo old >old
	for point in 1 4 8; do
		s3 put "$BUCKET" "f$point" old
		killed UploadPart $point cp data "$MNT/f$point" || :
		if [ "$(s3 head "$BUCKET" "f$point" | cut -d' ' -f1)" = $size ]; then
			cmp data "$MNT/f$point" || fail "f$point is whole and not right"
		else
			assert_eq old "$(s3 get "$BUCKET" "f$point")" "what was there"
			assert_eq old "$(cat "$MNT/f$point")" "the same through the mount"
		fi
		assert_exit 0 cp data "$MNT/f$point"
		s3 get "$BUCKET" "f$point" | cmp - data || fail "f$point"
	done
}

run_tests "$@"
