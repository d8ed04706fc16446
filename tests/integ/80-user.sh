#!/bin/bash
# tests/integ/80-user.sh: an ordinary user through fusermount3; uid, gid, umask and allow_other.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

USER_ID=65534 # nobody

# In a mount namespace of its own, with a /dev/fuse that everyone may open, as on an ordinary
# machine (here it may be root's alone); the machine itself is not changed.
if [ "${S3BULKFS_OWN_NAMESPACE:-}" != 1 ]; then
	S3BULKFS_OWN_NAMESPACE=1 exec unshare -m --propagation private "$0" "$@"
fi
if ! setpriv --reuid=$USER_ID --regid=$USER_ID --clear-groups test -w /dev/fuse; then
	device=$WORK_ROOT/fuse-device
	[ -e "$device" ] || mknod "$device" c 10 229
	chmod 666 "$device"
	mount --bind "$device" /dev/fuse || exit 1
fi

as_user() {
	setpriv --reuid=$USER_ID --regid=$USER_ID --clear-groups "$@"
}

# user_mount [OPTIONS]: mounts as the user at $MNT; a copy of the program that the user can reach.
user_mount() {
	MNT=$WORK/mnt
	mkdir "$MNT"
	cp "$S3BULKFS" "$WORK/s3bulkfs"
	chown $USER_ID "$MNT" "$WORK/home"
	chmod 755 "$WORK/s3bulkfs"
	MOUNTS+=("$MNT")
	as_user "$WORK/s3bulkfs" -o "endpoint_url=$S3_ENDPOINT${1:+,$1}" "$BUCKET" "$MNT" \
		>"$WORK/out" 2>&1 || fail "mounting as a user: $(cat "$WORK/out")"
}

test_user() {
	start_server
	put_objects src 300 10
	user_mount
	assert_eq 300 "$(as_user find "$MNT/src" -type f | wc -l)" "files"
	assert_eq "$USER_ID:$USER_ID" "$(as_user stat -c %u:%g "$MNT/src/f000001")" "owner"
	as_user cp -r "$MNT/src" "$MNT/dst"
	same_objects src dst
	as_user rm -r "$MNT/dst"
	assert_eq "" "$(s3 ls "$BUCKET" dst)" "left in S3"
	as_user sh -c "echo text >$MNT/file"
	assert_eq text "$(s3 get "$BUCKET" file)" "in S3"
	as_user fusermount3 -u "$MNT"
	! mountpoint -q "$MNT" || fail "still mounted"
}

test_others_are_kept_out() {
	start_server
	user_mount
	# Without allow_other nobody else sees the mount, not even root.
	assert_fails 'Permission denied' ls "$MNT"
}

test_uid_gid_umask() {
	start_server
	put_objects d 2 10
	mount_fs "$BUCKET" allow_other,uid=1234,gid=2345,umask=027
	assert_eq "1234:2345" "$(stat -c %u:%g "$MNT/d/f000000")" "owner of a file"
	assert_eq "1234:2345" "$(stat -c %u:%g "$MNT/d")" "owner of a directory"
	assert_eq 640 "$(stat -c %a "$MNT/d/f000000")" "mode of a file"
	assert_eq 750 "$(stat -c %a "$MNT/d")" "mode of a directory"
	assert_fails 'Permission denied' as_user ls "$MNT/d"
}

test_allow_other() {
	start_server
	put_objects d 2 10
	mount_fs "$BUCKET" allow_other
	assert_eq 10 "$(as_user cat "$MNT/d/f000000" | wc -c)" "bytes"
	# Ordinary permissions hold: the files are root's.
	assert_fails 'Permission denied' as_user rm -f "$MNT/d/f000000"
	in_s3 d/f000000 || fail "it is gone all the same"
}

run_tests "$@"
