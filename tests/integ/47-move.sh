#!/bin/bash
# mv of a tree that is too large for one rename: copies in bulk, all confirmed, then deletes.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

begin() {
	start_server
	mount_fs "$BUCKET" rename_limit=10
	put_objects src 300 10
	put_objects src/sub/deep 20 10
}

test_moves() {
	begin
	assert_exit 0 mv "$MNT/src" "$MNT/dst"
	[ ! -e "$MNT/src" ] || fail "the source is still there"
	assert_eq "" "$(s3 ls "$BUCKET" src/)" "left of the source in S3"
	assert_eq 320 "$(count_objects dst/)" "objects"
}

test_requests() {
	need s3d
	begin
	stats_reset
	assert_exit 0 mv "$MNT/src" "$MNT/dst"
	assert_eq 320 "$(stat_get CopyObject)" CopyObject
	assert_eq 0 "$(stat_get GetObject)" GetObject
	assert_le "$(stat_get DeleteObjects)" 5 DeleteObjects
}

test_refused() {
	# Contract C9: one copy is refused, and nothing of the source is removed.
	need s3d
	begin
	fault '{"op":"CopyObject","key":"dst/*150","status":403,"code":"AccessDenied"}'
	assert_exit 1 mv "$MNT/src" "$MNT/dst"
	faults_clear
	assert_eq 320 "$(count_objects src/)" "objects of the source"
	assert_eq 320 "$(find "$MNT/src" -type f | wc -l)" "files of the source"
}

test_several_arguments() {
	begin
	put_objects other 50 10
	mkdir "$MNT/dir"
	assert_exit 0 mv "$MNT/src" "$MNT/other" "$MNT/dir"
	assert_eq 320 "$(count_objects dir/src/)" "objects of the first"
	assert_eq 50 "$(count_objects dir/other/)" "objects of the second"
	assert_eq "" "$(s3 ls "$BUCKET" src/)$(s3 ls "$BUCKET" other/)" "left in S3"
}

run_tests "$@"
