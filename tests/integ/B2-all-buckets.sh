#!/bin/bash
# tests/integ/B2-all-buckets.sh: one mount of all buckets; copies between them are the server's.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$(dirname "$(readlink -f "$0")")/shared.sh"

USER_ID=65534 # nobody

# mount_all [COMMAND PREFIX...]: at $MNT, with two buckets.
mount_all() {
	start_server
	SECOND=$BUCKET-2
	make_bucket "$SECOND"
	put_objects x 300 100
	MNT=$WORK/all
	mkdir "$MNT"
	MOUNTS+=("$MNT")
}

mount_as_root() {
	local pid
	mount_all
	"$S3BULKFS" -o "endpoint_url=$S3_ENDPOINT" --all-buckets "$MNT"
	for pid in $(daemons); do PIDS+=("$pid"); done
}

test_listing() {
	mount_as_root
	ls "$MNT" >names
	grep -qx "$BUCKET" names || fail "the first bucket is not listed"
	grep -qx "$SECOND" names || fail "the second bucket is not listed"
	assert_eq 300 "$(ls "$MNT/$BUCKET/x" | wc -l)" "files"
	assert_fails 'No such file' ls "$MNT/no-such-bucket"
	assert_fails 'not permitted' mkdir "$MNT/new-bucket"
	assert_fails 'not permitted' rmdir "$MNT/$SECOND"
	assert_fails 'not permitted' touch "$MNT/file"
	stat "$MNT" "$MNT/$BUCKET" >/dev/null
	ls -la "$MNT" >/dev/null
}

test_copy_between() {
	mount_as_root
	[ "$SERVER" != s3d ] || stats_reset
	assert_exit 0 cp -r "$MNT/$BUCKET/x" "$MNT/$SECOND/y"
	if [ "$SERVER" = s3d ]; then
		assert_eq 300 "$(stat_get CopyObject)" "CopyObject"
		assert_eq 0 "$(stat_get GetObject)" "GetObject"
	fi
	same_trees "$BUCKET" x "$SECOND" y
	assert_exit 0 rm -r "$MNT/$SECOND/y"
	assert_eq "" "$(s3 ls "$SECOND" y/)" "left behind"
	assert_exit 0 cp -r "$MNT/$BUCKET/x" "$MNT/$BUCKET/x2"
	same_trees "$BUCKET" x "$BUCKET" x2
}

test_refused_key() {
	need s3d
	mount_as_root
	deny_copy y/f000150
	assert_exit 1 cp -r "$MNT/$BUCKET/x" "$MNT/$SECOND/y"
	! [ -e "$MNT/$SECOND/y/f000150" ] || fail "the refused file is shown"
}

test_bucket_made_later() {
	need s3d
	mount_as_root
	make_bucket later
	umount "$MNT"
	"$S3BULKFS" -o "endpoint_url=$S3_ENDPOINT,metadata_ttl=0" --all-buckets "$MNT"
	make_bucket latest
	[ -d "$MNT/later" ] || fail "the bucket is not there"
	[ -d "$MNT/latest" ] || fail "the new bucket is not there"
}

# s3bulkfsctl knows the mount, and each of its buckets that is in use.
test_control() {
	local ctl
	ctl=$(dirname "$S3BULKFS")/s3bulkfsctl
	mount_as_root
	assert_exit 0 "$ctl" status "$MNT"
	assert_eq "no bucket of $MNT is in use" "$OUT" "status of a mount that nobody has used"
	assert_exit 0 "$ctl" flush "$MNT/$BUCKET/x"
	cp -r "$MNT/$BUCKET/x" "$MNT/$SECOND/y"
	run "$ctl" status "$MNT"
	printf '%s\n' "$OUT" | grep -q "^$SECOND on $MNT/$SECOND " || fail "status: $OUT"
	printf '%s\n' "$OUT" | grep -q "^$BUCKET on $MNT/$BUCKET " || fail "status: $OUT"
	"$ctl" status --json "$MNT/$SECOND/y" >status.json
	assert_eq 300 "$(/usr/bin/python3 -c 'import json
print(json.load(open("status.json"))["mounts"][0]["copies"])')" "copies of the second bucket"
	assert_exit 0 "$ctl" run --mount "$MNT" rm -r "$MNT/$SECOND/y"
	if [ "$SERVER" = s3d ]; then
		fault '{"op":"CopyObject","key":"z/f000007","status":403,"code":"AccessDenied"}'
		assert_exit 123 "$ctl" run --mount "$MNT" sh -c \
			"cp -r '$MNT/$BUCKET/x' '$MNT/$SECOND/z'; true"
		assert_exit 0 "$ctl" errors "$MNT"
		printf '%s\n' "$OUT" | grep -q "$MNT/$SECOND/z/f000007 failed" || fail "errors: $OUT"
		"$ctl" errors --json "$MNT" | grep -q '"key":.*"z/f000007"' || fail "no key"
		faults_clear
	fi
	assert_fails "its mount's is $MNT" "$ctl" umount "$MNT/$SECOND"
	compare_with_s3
	assert_exit 0 "$ctl" umount "$MNT"
	mountpoint -q "$MNT" && fail "still mounted"
	assert_eq "" "$(daemons)" "daemons"
	assert_exit 0 "$ctl" status
}

test_user() {
	local device=$WORK_ROOT/fuse-device
	mount_all
	cp "$S3BULKFS" "$WORK/s3bulkfs"
	chmod 755 "$WORK/s3bulkfs"
	chown $USER_ID "$MNT" "$WORK/home"
	if ! setpriv --reuid=$USER_ID --regid=$USER_ID --clear-groups test -w /dev/fuse; then
		[ -e "$device" ] || mknod "$device" c 10 229
		chmod 666 "$device"
		mount --bind "$device" /dev/fuse
	fi
	as_user "$WORK/s3bulkfs" -o "endpoint_url=$S3_ENDPOINT" --all-buckets "$MNT"
	assert_exit 0 as_user cp -r "$MNT/$BUCKET/x" "$MNT/$SECOND/y"
	same_trees "$BUCKET" x "$SECOND" y
	[ "$SERVER" != s3d ] || assert_eq 0 "$(stat_get GetObject)" "GetObject"
	as_user fusermount3 -u "$MNT"
}

as_user() {
	setpriv --reuid=$USER_ID --regid=$USER_ID --clear-groups "$@"
}

run_tests "$@"
