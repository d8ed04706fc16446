#!/bin/bash
# Renaming: files and directories, what S3 is asked for it, and what is left when it refuses.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

test_directory() {
	fresh
	put_objects d 120 20
	put_objects d/sub/deep 5 20
	assert_exit 0 mv "$MNT/d" "$MNT/e"
	assert_eq 120 "$(find "$MNT/e" -maxdepth 1 -type f | wc -l)" "files in the new directory"
	[ ! -e "$MNT/d" ] || fail "the old name is still there"
	assert_eq "" "$(s3 ls "$BUCKET" d/)" "left under the old name in S3"
	assert_eq 125 "$(s3 ls "$BUCKET" e/ | wc -l)" "objects under the new name in S3"
}

test_directory_requests() {
	need s3d
	fresh
	put_objects d 1500 20
	stats_reset
	assert_exit 0 mv "$MNT/d" "$MNT/e"
	assert_eq 1500 "$(stat_get CopyObject)" CopyObject
	assert_eq 2 "$(stat_get DeleteObjects)" DeleteObjects
	assert_eq 0 "$(stat_get GetObject)" GetObject
	assert_eq 0 "$(stat_get DeleteObject)" DeleteObject
}

test_directory_refused() {
	# One copy is refused: the source is whole and nothing is left of the copy.
	need s3d
	fresh
	put_objects d 50 20
	s3 ls "$BUCKET" d/ >before
	fault '{"op":"CopyObject","key":"e/*17*","status":403,"code":"AccessDenied"}'
	assert_fails 'denied' mv "$MNT/d" "$MNT/e"
	faults_clear
	s3 ls "$BUCKET" d/ >after
	assert_eq "$(cat before)" "$(cat after)" "the source in S3"
	assert_eq "" "$(s3 ls "$BUCKET" e/)" "left of the copy in S3"
	assert_eq 50 "$(find "$MNT/d" -type f | wc -l)" "the source in the mount"
}

test_into_directory_and_over() {
	fresh
	put_objects d 3 20
	mkdir "$MNT/empty" "$MNT/full"
	echo x >"$MNT/full/x"
	assert_exit 0 mv -T "$MNT/d" "$MNT/empty"
	assert_eq 3 "$(find "$MNT/empty" -type f | wc -l)" "files over an empty directory"
	assert_fails 'not empty' mv -T "$MNT/empty" "$MNT/full"
	assert_exit 0 mv "$MNT/empty" "$MNT/full/"
	assert_eq 3 "$(count_objects full/empty/)" "objects below full"
}

test_beyond_the_limit() {
	# A larger tree is EXDEV to rename(2), so that nothing waits behind the rename lock.
	fresh
	umount_fs
	mount_fs "$BUCKET" rename_limit=10
	put_objects d 11 20
	python3 - "$MNT" <<-'P' || fail "rename(2) was not EXDEV"
		import errno, os, sys
		try:
		    os.rename(sys.argv[1] + "/d", sys.argv[1] + "/e")
		except OSError as e:
		    sys.exit(e.errno != errno.EXDEV)
		sys.exit(1)
	P
	assert_eq 11 "$(s3 ls "$BUCKET" d/ | wc -l)" "objects of the source"
}

run_tests "$@"
