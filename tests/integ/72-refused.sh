#!/bin/bash
# tests/integ/72-refused.sh: for each command that is sped up: S3 refuses one key, the first, one in
# the middle or the last. It exits non-zero, the ledger names the key, the mount shows what is true.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

CTL=$(dirname "$S3BULKFS")/s3bulkfsctl

begin() { # 40 files in src/a and src/z, between them an empty directory and one file
	need s3d
	start_server "$@"
	{
		seq -f 'src/a/f%02g 9' 0 19
		echo 'src/b/ 0'
		echo 'src/m 9'
		seq -f 'src/z/f%02g 9' 0 19
	} | s3 puts "$BUCKET"
	mount_fs "$BUCKET" rename_limit=5
	mkdir "$MNT/dir"
}

deny() { # deny KEY: nothing is written to it, by whatever request
	fault "{\"op\":\"CopyObject\",\"key\":\"$1\",\"status\":403,\"code\":\"AccessDenied\"}"
	fault "{\"op\":\"PutObject\",\"key\":\"$1\",\"status\":403,\"code\":\"AccessDenied\"}"
}

mount_is_s3() { # mount_is_s3 DIR...: the same files below them
	local dir
	for dir; do
		{ (cd "$MNT" && find "$dir" -type f) || :; } 2>/dev/null | LC_ALL=C sort >mount
		s3 ls "$BUCKET" "$dir/" --files | cut -f 1 | sed "s|^|$dir/|" >objects
		assert_same objects mount "the mount and S3 show different names below $dir"
	done
}

ledger_names() {
	"$CTL" errors "$MNT" >ledger
	grep -q "failed: AccessDenied (HTTP [24]0[03]), key $1, request [0-9A-F]" ledger ||
		fail "the ledger does not name $1: $(cat ledger)"
}

# copy_refused KEY COMMAND...: of its copies S3 refuses KEY.
copy_refused() {
	begin
	deny "$1"
	run "${@:2}"
	[ "$RC" != 0 ] || fail "exit code 0, although S3 refused $1"
	"$CTL" flush "$MNT" >/dev/null 2>&1 || :
	ledger_names "$1"
	! in_s3 "$1" || fail "$1 is in S3: the refusal did not work"
	[ ! -e "$MNT/$1" ] || fail "$1 is visible and not in S3"
	mount_is_s3 src dst dir
}

in_mount() { # in_mount COMMAND...: in the mount's root
	(cd "$MNT" && "$@")
}

test_cp_a_first() { copy_refused dst/a/f00 in_mount cp -a src dst; }
test_cp_a_middle() { copy_refused dst/m in_mount cp -a src dst; }
test_cp_a_last() { copy_refused dst/z/f19 in_mount cp -a src dst; }
test_cp_rp_middle() { copy_refused dst/a/f10 in_mount cp -rp src dst; }
test_cp_t_middle() { copy_refused dir/src/a/f10 in_mount cp -r -t dir src; }
test_cp_target_directory_last() {
	copy_refused dir/src/z/f19 in_mount cp -r --target-directory=dir src
}
test_cp_arguments_first() {
	copy_refused dir/f00 in_mount sh -c 'cp src/a/f0? src/a/f1? dir/'
}
test_cp_arguments_middle() {
	copy_refused dir/f10 in_mount sh -c 'cp src/a/f0? src/a/f1? dir/'
}
test_cp_arguments_last() {
	copy_refused dir/f19 in_mount sh -c 'cp src/a/f0? src/a/f1? dir/'
}
test_cp_several_trees_middle() { copy_refused dir/a/f10 in_mount cp -r src/a src/m src/z dir; }
test_cp_single_file() { copy_refused dst in_mount cp src/m dst; }
test_cp_absolute_and_relative() {
	copy_refused dir/src/a/f10 in_mount sh -c "cp -r ./src/../src/. \"\$PWD/dir/src\""
}

test_cp_empty_last_directory() {
	# The last directory is empty; what it was made of is refused, or an earlier file.
	begin
	mkdir "$MNT/src/zz"
	deny dst/a/f10
	run cp -r "$MNT/src" "$MNT/dst"
	assert_eq 1 "$RC" "exit code"
	mount_is_s3 dst
	rm -rf "$MNT/dst"
	faults_clear
	fault '{"op":"PutObject","key":"dst/zz/","status":403,"code":"AccessDenied"}'
	run cp -r "$MNT/src" "$MNT/dst"
	assert_eq 1 "$RC" "exit code when the empty directory is refused"
	ledger_names dst/zz/
	gone "$MNT/dst/zz" || fail "it is visible and not in S3"
}

test_cp_empty_tree() {
	begin
	mkdir "$MNT/empty"
	deny dst/
	run cp -r "$MNT/empty" "$MNT/dst"
	assert_eq 1 "$RC" "exit code"
	gone "$MNT/dst" || fail "it is visible and not in S3"
}

# remove_refused KEY COMMAND...: of its removals S3 refuses KEY.
remove_refused() {
	begin
	deny_delete "$1"
	run "${@:2}"
	[ "$RC" != 0 ] || fail "exit code 0, although S3 refused $1"
	"$CTL" flush "$MNT" >/dev/null 2>&1 || :
	ledger_names "$1"
	in_s3 "$1" || fail "$1 is not in S3: the refusal did not work"
	[ -e "$MNT/$1" ] || fail "$1 is in S3 and not visible"
	mount_is_s3 src dst dir
}

test_rm_arguments_first() { remove_refused src/a/f00 in_mount sh -c 'rm src/a/f0? src/a/f1?'; }
test_rm_arguments_middle() { remove_refused src/a/f10 in_mount sh -c 'rm src/a/f0? src/a/f1?'; }
test_rm_arguments_last() { remove_refused src/a/f19 in_mount sh -c 'rm -f src/a/f0? src/a/f1?'; }
test_rm_single_file() { remove_refused src/m in_mount rm src/m; }
test_rm_several_trees() { remove_refused src/a/f10 in_mount rm -r src/a src/m src/z; }
test_rm_rf_marker() { remove_refused src/b/ in_mount rm -rf src; }
test_find_delete_first() { remove_refused src/a/f00 in_mount find src -delete; }
test_find_delete_middle() { remove_refused src/m in_mount find src -delete; }
test_find_delete_last() { remove_refused src/z/f19 in_mount find src -delete; }
test_find_delete_paths() { remove_refused src/a/f10 in_mount find src/a src/z -delete; }

test_mv_copy_first() { copy_refused dst/a/f00 in_mount mv src dst; }
test_mv_copy_middle() { copy_refused dst/m in_mount mv src dst; }
test_mv_copy_last() {
	copy_refused dst/z/f19 in_mount mv src dst
	assert_eq 41 "$(count_objects src/)" "files of the source"
}
test_mv_delete_first() { remove_refused src/a/f00 in_mount mv src dst; }
test_mv_delete_middle() { remove_refused src/m in_mount mv src dst; }
test_mv_delete_last() {
	remove_refused src/z/f19 in_mount mv src dst
	assert_eq 41 "$(count_objects dst/)" "files of the copy"
}
test_mv_several() { copy_refused dir/a/f10 in_mount mv src/a src/m src/z dir; }

# ---- what is not there, cannot be read, or is named twice ----

test_cp_last_argument_is_missing() {
	begin
	deny dir/f10
	run in_mount sh -c 'cp src/a/f0? src/a/f1? src/missing dir/'
	assert_eq 1 "$RC" "exit code"
	"$CTL" flush "$MNT" >/dev/null 2>&1 || :
	ledger_names dir/f10
	mount_is_s3 dir
}

test_cp_last_argument_cannot_be_read() {
	begin
	deny dir/f10
	fault '{"op":"ListObjectsV2","status":403,"code":"AccessDenied"}'
	run in_mount sh -c 'cp -r src/a src/z dir/'
	assert_eq 1 "$RC" "exit code"
	faults_clear
	"$CTL" flush "$MNT" >/dev/null 2>&1 || :
	mount_is_s3 dir
}

test_cp_named_twice() {
	begin
	assert_exit 1 in_mount cp src/m src/a/f00 src/a/f00/. dir/
	run in_mount cp src/m src/a/f00 src/m dir/
	mount_is_s3 dir
	assert_eq 2 "$(count_objects dir/)" "files"
	rm "$MNT"/dir/*
	deny dir/f00
	run in_mount cp src/m src/a/f01 src/a/f00 src/m dir/
	assert_eq 1 "$RC" "exit code, although S3 refused dir/f00"
	mount_is_s3 dir
}

test_rm_named_twice() {
	begin
	deny_delete src/a/f03
	assert_exit 1 in_mount rm src/a/f03 src/a/f04 src/a/f05 src/a/f05
	assert_exit 1 in_mount rm -f src/a/f06 src/a/f03 src/a/f07 src/a/f06
	mount_is_s3 src
	assert_exit 0 in_mount rm -f src/a/f08 src/a/f08
	assert_exit 1 in_mount rm src/a/f09 src/a/f09
	mount_is_s3 src
}

test_rm_last_argument_is_open_and_new() {
	# S3 has never heard of the last argument: its end is the walk's all the same.
	begin --latency-ms DeleteObjects=100
	deny_delete src/a/f10
	/usr/bin/python3 - "$MNT" <<-'P' || fail "rm exits 0"
		import os, subprocess, sys
		os.chdir(sys.argv[1])
		fd = os.open("src/new", os.O_CREAT | os.O_WRONLY)
		names = ["src/a/f%02d" % i for i in range(20)]
		code = subprocess.call(["rm", *names, "src/new"])
		os.close(fd)
		sys.exit(code != 1)
	P
	"$CTL" flush "$MNT" >/dev/null 2>&1 || :
	mount_is_s3 src
}

# ---- what may pass names over is strict ----

strict_copies() { # strict_copies COMMAND...: one request at a time
	begin --latency-ms CopyObject=10
	stats_reset
	assert_exit 0 in_mount "$@"
	[ "$(stat_get CopyObject)" -ge 41 ] || fail "only $(stat_get CopyObject) copies"
	assert_le "$(stat_get in_flight_peak)" 4 "requests at a time"
}

test_cp_n() {
	strict_copies cp -rn src dst
	assert_exit 0 in_mount cp -rn src/. dst
	rm "$MNT/dst/a/f05"
	deny dst/a/f05
	# The last one is there and passed over, and the one that is missing is refused.
	run in_mount cp -rn src/. dst
	assert_eq 1 "$RC" "exit code of cp -n"
	mount_is_s3 dst
}

test_cp_u() {
	strict_copies cp -ru src dst
	rm "$MNT/dst/a/f05"
	deny dst/a/f05
	run in_mount cp -ru src/. dst
	assert_eq 1 "$RC" "exit code of cp -u"
	mount_is_s3 dst
}

test_cp_backup() { strict_copies cp -r --backup=numbered src dst; }

test_unknown_program_is_strict() {
	# The same program under a name that says nothing of what it does.
	begin
	cp /usr/bin/cp mycp
	stats_reset
	assert_exit 0 in_mount "$WORK/mycp" -r src dst
	assert_le "$(stat_get in_flight_peak)" 4 "requests at a time"
}

test_commit_close() {
	begin --latency-ms '*=5'
	remount "$BUCKET" commit=close
	stats_reset
	assert_exit 0 in_mount cp -r src dst
	assert_exit 0 in_mount rm -r src
	[ "$(stat_get DeleteObjects)" -ge 41 ] || fail "removals went together"
	assert_le "$(stat_get in_flight_peak)" 4 "requests at a time"
	deny dst2/m
	run in_mount cp -r dst dst2
	assert_eq 1 "$RC" "exit code"
	printf '%s\n' "$OUT" | grep -q 'dst2/m' || fail "not the name that was refused: $OUT"
	deny_delete dst/m
	run in_mount rm -r dst
	assert_eq 1 "$RC" "exit code of rm"
	printf '%s\n' "$OUT" | grep -q 'dst/m' || fail "not the name that was refused: $OUT"
	mount_is_s3 dst dst2
}

# ---- a listing that changes under way ----

test_cp_listing_changes() {
	# The last entry goes, and others come, while the copy waits for its first answer.
	begin
	hold CopyObject dst/a/f00
	deny dst/a/f10
	cp -r "$MNT/src" "$MNT/dst" >out 2>&1 &
	local pid=$!
	wait_held dst/a/f00
	echo new >"$MNT/src/zzz"
	rm "$MNT/src/m"
	mkdir "$MNT/src/m"
	echo below >"$MNT/src/m/below"
	let_go
	wait $pid && fail "cp exits 0"
	"$CTL" flush "$MNT" >/dev/null 2>&1 || :
	mount_is_s3 src dst
}

test_rm_listing_changes() {
	begin
	hold DeleteObjects '*'
	deny_delete src/a/f10
	rm -r "$MNT/src" >out 2>&1 &
	local pid=$!
	wait_held '*'
	echo new >"$MNT/src/new"
	let_go
	wait $pid && fail "rm exits 0"
	"$CTL" flush "$MNT" >/dev/null 2>&1 || :
	in_s3 src/new || fail "it was removed without having been listed"
	mount_is_s3 src
}

test_rm_of_what_goes_away() {
	# Two remove one tree; what is left, and why, is what both of them say.
	local a b rc=0
	begin --latency-ms DeleteObjects=20
	deny_delete src/a/f10
	rm -rf "$MNT/src" >out.a 2>&1 &
	a=$!
	rm -rf "$MNT/src" >out.b 2>&1 &
	b=$!
	wait $a || rc=1
	wait $b || rc=1
	assert_eq 1 "$rc" "exit code of both"
	"$CTL" flush "$MNT" >/dev/null 2>&1 || :
	assert_eq a/f10 "$(s3 ls "$BUCKET" src/ --files | cut -f 1)" "left in S3"
	mount_is_s3 src
}

# What is left of a copy in parts costs money until somebody removes it: the log says so.
test_abort_of_a_large_copy() {
	need s3d
	start_s3d
	put_objects d 1 $((11 << 20))
	mount_fs "$BUCKET" copy_threshold=5M,copy_part_size=5M
	fault '{"op":"UploadPartCopy","status":403,"code":"AccessDenied"}'
	assert_fails 'denied' cp "$MNT/d/f000000" "$MNT/d/new"
	assert_eq "" "$(s3 uploads "$BUCKET")" "uploads left open"
	fault '{"op":"AbortMultipartUpload","status":403,"code":"AccessDenied"}'
	assert_fails 'denied' cp "$MNT/d/f000000" "$MNT/d/new"
	grep -q 'upload to d/new in bucket bucket could not be aborted: AccessDenied' daemon0.log ||
		fail "the log does not tell of the upload that is left"
	assert_eq 1 "$(s3 uploads "$BUCKET" | wc -l)" "uploads left open"
}

run_tests "$@"
