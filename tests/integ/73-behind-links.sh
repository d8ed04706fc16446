#!/bin/bash
# Last arguments that are, or lie behind, symbolic links, and trees with another mount in them: no
# call may be taken for the end that is not it, and none waited for that never comes (C3, C5).
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# A tree of 40 objects, and a link of each kind; S3 is slow, so that what is not waited for shows.
begin() {
	need s3d
	start_server --latency-ms CopyObject=100,DeleteObjects=100,PutObject=100
	{
		seq -f 'src/a/f%02g 9' 0 19
		seq -f 'src/z/f%02g 9' 0 19
		echo 'other/y 5'
		echo 'keep 3'
	} | s3 puts "$BUCKET"
	mount_fs "$BUCKET" rename_limit=5
	mkdir "$MNT/dir"
	ln -s src "$MNT/tree"
	ln -s other "$MNT/lnk"
	ln -s keep "$MNT/one"
	echo outside >outside
	ln -s "$PWD/outside" "$MNT/out"
}

# refused KEY COMMAND: S3 refuses to write KEY; then the command, run by a shell in the mount, exits
# with 1, and when it ends all else has been done.
refused() {
	local key=$1
	fault "{\"op\":\"CopyObject\",\"key\":\"$key\",\"status\":403,\"code\":\"AccessDenied\"}"
	fault "{\"op\":\"PutObject\",\"key\":\"$key\",\"status\":403,\"code\":\"AccessDenied\"}"
	RC=0
	(cd "$MNT" && bash -c "$2") >out 2>&1 || RC=$?
	s3 ls "$BUCKET" --meta >at_end
	assert_eq 1 "$RC" "exit code of $2"
	"$(dirname "$S3BULKFS")/s3bulkfsctl" flush "$MNT" || : # says what has failed
	s3 ls "$BUCKET" --meta >later
	assert_same later at_end "not done when it ended: $2"
}

test_copy_of_a_link_to_a_tree() { begin && refused dst/a/f10 'cp -r tree/. dst'; }
test_copy_all_of_a_link_to_a_tree() { begin && refused dst/a/f10 'cp -a tree/. dst'; }
test_copy_below_a_link() { begin && refused dst/f10 'cp -rp tree/a dst'; }
test_copy_several_below_a_link() { begin && refused dir/a/f10 'cp -r tree/a tree/z dir'; }
test_copy_last_below_a_link() { begin && refused dir/a/f10 'cp -r src/a src/z lnk/y dir'; }
test_copy_last_link_with_slash() { begin && refused dir/a/f10 'cp -r src/a src/z lnk/ dir'; }
test_copy_last_link_followed() { begin && refused dir/a/f10 'cp -rH src/a src/z lnk dir'; }
test_copy_files_and_a_link() { begin && refused dir/f10 'cp src/a/* one dir'; }
test_copy_files_and_a_link_out() { begin && refused dir/f10 'cp src/a/* out dir'; }
test_copy_last_is_a_link() { begin && refused dir/a/f10 'cp -r src/a src/z lnk dir'; }
test_copy_tree_ends_with_a_link() {
	begin
	ln -s ../other "$MNT/src/zz"
	refused dst/a/f10 'cp -r src dst'
}
test_copy_follows_the_last_entry() {
	begin
	ln -s ../../other "$MNT/src/z/zz"
	refused dst/a/f10 'cp -rL src dst'
}
test_chmod_files_and_a_link() { begin && refused src/a/f10 'chmod 600 src/a/* one'; }
test_chmod_files_and_a_link_out() { begin && refused src/a/f10 'chmod 600 src/a/* out'; }
test_chmod_below_a_link() { begin && refused src/a/f10 'chmod 600 tree/a/*'; }
test_chmod_trees_and_a_link() { begin && refused src/a/f10 'chmod -R 600 src lnk'; }
test_chown_below_a_link() { begin && refused src/a/f10 'chown -R 7 tree/a tree/z'; }
test_chown_files_and_a_link() { begin && refused src/a/f10 'chown 7 src/a/* one'; }
test_move_below_a_link() { begin && refused dir/a/f10 'mv tree/a tree/z dir'; }

# Nothing is refused: all is done at the end, and what follows may rely on it.
test_copy_then_remove() {
	begin
	assert_exit 0 bash -c "cd '$MNT' && cp -r tree/. dst && rm -r src"
	assert_eq 40 "$(count_objects dst/)" "copies"
	assert_eq 0 "$(count_objects src/)" "left of the source"
}

# A mount point is the last entry, of which the mount is told nothing.
at_mount_point() { # at_mount_point COMMAND KEY
	local rc
	begin
	[ "$(id -u)" = 0 ] || skip "needs root"
	mkdir "$MNT/src/zz" elsewhere
	echo x >elsewhere/x
	mount --bind elsewhere "$MNT/src/zz"
	rc=0
	(trap - EXIT && refused "$2" "$1") || rc=1
	# Before anything ends the test: the mount that it is in could not be unmounted.
	umount "$MNT/src/zz"
	[ $rc = 0 ] || fail "see above"
}

test_copy_to_a_mount_point() { at_mount_point 'cp -r src dst' dst/a/f10; }
test_chmod_to_a_mount_point() { at_mount_point 'chmod -R 600 src' src/a/f10; }

run_tests "$@"
