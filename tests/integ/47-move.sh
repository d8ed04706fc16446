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

# What is small in a tree that is moved is not moved by itself: all of it is copied before anything
# of it goes.
test_refused_in_the_midst() {
	local tree target
	need s3d
	start_server
	mount_fs "$BUCKET" rename_limit=4
	for tree in 1 2; do
		put_objects src$tree/a 2 10
		put_objects src$tree/b 3 10
		put_objects src$tree/z 2 10
	done
	put_objects side 1 10
	mkdir "$MNT/dir" "$MNT/empty"
	fault '{"op":"CopyObject","key":"*/b/f000001","status":403,"code":"AccessDenied"}'
	assert_exit 1 mv "$MNT/src1" "$MNT/side" "$MNT/dir"
	assert_exit 1 mv -T "$MNT/src2" "$MNT/empty"
	faults_clear
	for tree in 1 2; do
		assert_eq 7 "$(count_objects src$tree/)" "objects of the source $tree"
		assert_eq 7 "$(find "$MNT/src$tree" -type f | wc -l)" "files of the source $tree"
	done
	"$(dirname "$S3BULKFS")/s3bulkfsctl" errors "$MNT" >ledger
	for target in dir/src1 empty; do
		grep -q "$target/b/f000001" ledger || fail "not in the ledger: $target"
	done
	stats_reset
	assert_exit 0 mv "$MNT/src1" "$MNT/dir/again"
	assert_le "$(stat_get DeleteObjects)" 2 "DeleteObjects"
}

run_tests "$@"
