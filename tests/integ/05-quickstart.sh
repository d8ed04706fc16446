#!/bin/bash
# tests/integ/05-quickstart.sh: the first command of the README, in both its forms.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

QUICKSTART=$TESTS_DIR/../quickstart

# Building takes most of it. The environment of a user who has settings of his own.
test_demonstration() {
	need s3d
	AWS_ENDPOINT_URL=http://127.0.0.1:1 AWS_PROFILE=none assert_exit 0 "$QUICKSTART"
	printf '%s\n' "$OUT" >said
	cat said
	grep -Eq 'ls -lR mnt/photos .*ListObjectsV2 [23]\b' said || fail "the requests of ls"
	grep -Eq 'cp -r mnt/photos mnt/copy .*CopyObject 2000\b' said || fail "the requests of cp"
	grep -Eq 'rm -r mnt/copy .*DeleteObjects [2-9]\b' said || fail "the requests of rm"
	! grep -q 'GetObject\|HTTP\|warning' said || fail "more than it should say"
	grep -Eq 'peak: [0-9]+ MB' said || fail "the memory"
	grep -q '170 s .* 113 s' said || fail "the article"
	! grep -q ' fuse.s3bulkfs ' /proc/mounts || fail "something is still mounted"
}

test_own_bucket() {
	need s3d
	start_s3d
	put_objects p/src 20 10
	mkdir "$WORK/mnt"
	MNT=$WORK/mnt
	MOUNTS+=("$MNT")
	# The mount point is where it is called.
	AWS_ENDPOINT_URL=$S3_ENDPOINT assert_exit 0 "$QUICKSTART" "$BUCKET:/p" mnt
	printf '%s\n' "$OUT" | grep -q "umount $MNT" || fail "it does not say how to unmount"
	assert_exit 0 cp -r "$MNT/src" "$MNT/dst"
	assert_eq 20 "$(count_objects p/dst/)" "objects in S3"
	AWS_ENDPOINT_URL=$S3_ENDPOINT assert_fails 'no-such' "$QUICKSTART" no-such "$MNT"
}

test_arguments() {
	need s3d
	assert_exit 2 "$QUICKSTART" only-one
	printf '%s\n' "$OUT" | grep -q 'BUCKET\[:/PREFIX\] MOUNTPOINT' || fail "what it wants"
	assert_exit 0 "$QUICKSTART" --help
}

run_tests "$@"
