#!/bin/bash
# tests/integ/B0-between.sh: copies and moves between two mounts of one daemon move no data.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$(dirname "$(readlink -f "$0")")/shared.sh"

two_mounts() {
	start_server
	SECOND=$BUCKET-2
	make_bucket "$SECOND"
	put_objects x 300 100
	mount_shared "$BUCKET" a
	mount_shared "$SECOND:/p" b
}

assert_no_data() {
	assert_eq 0 "$(stat_get GetObject)" "GetObject"
	assert_eq 0 "$(stat_get PutObject bytes_in)" "bytes of PutObject"
	assert_eq 0 "$(stat_get UploadPart)" "UploadPart"
}

test_copy() {
	need s3d
	two_mounts
	stats_reset
	assert_exit 0 cp -r "$WORK/a/x" "$WORK/b/y"
	assert_eq 300 "$(stat_get CopyObject)" "CopyObject"
	assert_no_data
	assert_le "$(stat_get ListObjectsV2)" 8 "lists"
	same_trees "$BUCKET" x "$SECOND" p/y
}

test_copy_is_whole() {
	two_mounts
	put_objects deep/1/2 5 1000
	put_objects deep/empty 3 0
	assert_exit 0 cp -r "$WORK/a/x" "$WORK/a/deep" "$WORK/b/"
	same_trees "$BUCKET" x "$SECOND" p/x
	same_trees "$BUCKET" deep "$SECOND" p/deep
	assert_exit 0 cp -r "$WORK/b/deep" "$WORK/a/back"
	same_trees "$BUCKET" deep "$BUCKET" back
}

test_move_and_remove() {
	need s3d
	two_mounts
	stats_reset
	assert_exit 0 mv "$WORK/a/x" "$WORK/b/moved"
	# The first one is copied before its times are known, and once more with them.
	assert_le "$(stat_get CopyObject)" 301 "CopyObject"
	assert_no_data
	assert_eq "" "$(s3 ls "$BUCKET" x/)" "left behind"
	assert_eq 300 "$(s3 ls "$SECOND" p/moved/ --files | wc -l)" "moved"
	put_objects x 300 100
	stats_reset
	assert_exit 0 rm -r "$WORK/b/moved" "$WORK/a/x"
	assert_le "$(stat_get DeleteObjects)" 8 "DeleteObjects"
	assert_eq "" "$(s3 ls "$BUCKET" x/)$(s3 ls "$SECOND" p/moved/)" "left behind"
}

test_refused_key() {
	need s3d
	local key
	two_mounts
	for key in f000001 f000150 f000299; do
		deny_copy "p/y/$key"
		assert_exit 1 cp -r "$WORK/a/x" "$WORK/b/y"
		! in_second "p/y/$key" || fail "$key is there"
		! [ -e "$WORK/b/y/$key" ] || fail "$key is shown"
		faults_clear
		rm -rf "$WORK/b/y"
	done
}

in_second() { s3 head "$SECOND" "$1" >/dev/null; }

# The server does not let us copy between the two, though reading and writing is allowed.
test_copy_refused_streams() {
	need s3d
	two_mounts
	fault '{"op":"CopyObject","key":"*","status":403,"code":"AccessDenied"}'
	assert_exit 0 cp -r "$WORK/a/x" "$WORK/b/y"
	same_trees "$BUCKET" x "$SECOND" p/y
	assert_eq 1 "$(stat_get CopyObject)" "CopyObject that was tried"
	assert_eq 300 "$(stat_get GetObject)" "GetObject"
}

test_many_at_once() {
	local i
	two_mounts
	for i in 1 2 3 4; do
		cp -r "$WORK/a/x" "$WORK/b/y$i" &
	done
	for i in 5 6; do
		cp -r "$WORK/a/x" "$WORK/a/y$i" &
	done
	for i in $(jobs -p); do
		wait "$i" || fail "a copy failed"
	done
	for i in 1 2 3 4; do
		same_trees "$BUCKET" x "$SECOND" "p/y$i"
	done
	same_trees "$BUCKET" x "$BUCKET" y5
}

# A detach while another mount works.
test_detach_while_copying() {
	two_mounts
	mount_shared "$SECOND" c
	put_objects big 2000 10
	cp -r "$WORK/a/big" "$WORK/b/big" &
	umount "$WORK/c"
	wait $! || fail "the copy failed"
	same_trees "$BUCKET" big "$SECOND" p/big
}

run_tests "$@"
