#!/bin/bash
# tests/integ/90-fstab.sh: mount(8) with the type fuse.s3bulkfs, as /etc/fstab does it.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# Runs in a mount namespace of its own, in which the program is to be found where mount.fuse3 looks
# for it, and /etc/fstab is ours; the machine itself is not changed.
if [ "${S3BULKFS_OWN_NAMESPACE:-}" != 1 ]; then
	S3BULKFS_OWN_NAMESPACE=1 exec unshare -m --propagation private "$0" "$@"
fi

# Makes `mount` find the program: mount.fuse3 starts it through a shell with the default PATH.
place_program() {
	[ -x /sbin/mount.fuse3 ] || [ -x /sbin/mount.fuse ] || skip "there is no mount.fuse"
	mount -t tmpfs none /usr/local/bin
	ln -s "$S3BULKFS" /usr/local/bin/s3bulkfs
}

write_credentials() {
	cat >"$AWS_SHARED_CREDENTIALS_FILE" <<-EOF
		[default]
		aws_access_key_id = $AWS_ACCESS_KEY_ID
		aws_secret_access_key = $AWS_SECRET_ACCESS_KEY
	EOF
	unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
}

test_mount_command() {
	start_server
	place_program
	put_objects a/b 5 10
	MNT=$WORK/mnt
	mkdir "$MNT"
	MOUNTS+=("$MNT")
	mount -t fuse.s3bulkfs "$BUCKET:/a" "$MNT" -o "endpoint_url=$S3_ENDPOINT,_netdev,noatime"
	assert_eq 5 "$(ls "$MNT/b" | wc -l)" "files"
	assert_eq "$BUCKET:/a" "$(findmnt -n -v -o SOURCE "$MNT")" "source in the mount table"
	umount "$MNT"
}

test_fstab_line() {
	start_server
	place_program
	put_objects d 5 10
	s3 ls "$BUCKET" d/ >/dev/null
	write_credentials
	MNT=$WORK/mnt
	mkdir "$MNT"
	MOUNTS+=("$MNT")
	echo "$BUCKET $MNT fuse.s3bulkfs noauto,_netdev,rw,nosuid,nodev,endpoint_url=$S3_ENDPOINT 0 0" \
		>fstab
	mount --fstab "$WORK/fstab" "$MNT"
	assert_eq 5 "$(ls "$MNT/d" | wc -l)" "files"
	umount "$MNT"
}

test_mount_command_fails() {
	start_server
	place_program
	mkdir "$WORK/mnt"
	assert_fails 'bucket' mount -t fuse.s3bulkfs no-such-bucket "$WORK/mnt" \
		-o "endpoint_url=$S3_ENDPOINT"
	! mountpoint -q "$WORK/mnt" || fail "it is mounted all the same"
}

# A time with a space, and mount(8), which says rw where nobody says ro.
test_version_at() {
	start_server
	place_program
	put_objects d 5 10
	write_credentials
	MNT=$WORK/mnt
	mkdir "$MNT"
	MOUNTS+=("$MNT")
	printf '%s %s fuse.s3bulkfs noauto,ro,endpoint_url=%s,version_at=%s\\040%s 0 0\n' "$BUCKET" \
		"$MNT" "$S3_ENDPOINT" "$(date -d tomorrow +%F)" "$(date +%T)" >fstab
	assert_fails 'lies in the future' mount --fstab "$WORK/fstab" "$MNT"
	sed -i 's/version_at=[^,]*:[0-9]*/version_at=2020-01-01\\04012:00:00/' fstab
	mount --fstab "$WORK/fstab" "$MNT"
	assert_eq '' "$(ls "$MNT")" "what was there in 2020"
	assert_fails 'Read-only' touch "$MNT/new"
	umount "$MNT"
	sed -i 's/,ro,/,/' fstab
	assert_fails 'replace rw by ro' mount --fstab "$WORK/fstab" "$MNT"
}

run_tests "$@"
