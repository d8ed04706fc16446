#!/bin/bash
# tests/integ/B1-daemon.sh: the daemon that root's mounts share: its life, and who gets in.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$(dirname "$(readlink -f "$0")")/shared.sh"

USER_ID=65534 # nobody

as_user() {
	setpriv --reuid=$USER_ID --regid=$USER_ID --clear-groups "$@"
}

two_mounts() { # two_mounts [OPTIONS OF A [OPTIONS OF B]]
	start_server
	put_objects d 5 10
	put_objects p/e 3 10
	mount_shared "$BUCKET" a "${1:-}"
	mount_shared "$BUCKET:/p" b "${2:-}"
	DAEMON=$(daemons)
}

test_one_daemon() {
	two_mounts
	assert_eq 1 "$(daemons | wc -l)" "daemons"
	assert_eq 5 "$(ls "$WORK/a/d" | wc -l)" "files in a"
	assert_eq 3 "$(ls "$WORK/b/e" | wc -l)" "files in b"
	assert_eq "$BUCKET:/p fuse.s3bulkfs" "$(findmnt -nvo SOURCE,FSTYPE "$WORK/b")" "in the table"
	umount "$WORK/a"
	assert_eq 3 "$(ls "$WORK/b/e" | wc -l)" "files in b"
	umount "$WORK/b"
	daemon_ends "$DAEMON"
}

test_other_order_and_again() {
	two_mounts
	umount "$WORK/b"
	mount_shared "$BUCKET:/p" b
	assert_eq "$DAEMON" "$(daemons)" "daemon"
	assert_eq 3 "$(ls "$WORK/b/e" | wc -l)" "files in b"
	umount "$WORK/b"
	umount "$WORK/a"
	daemon_ends "$DAEMON"
	mount_shared "$BUCKET" a
	[ "$(daemons)" != "$DAEMON" ] || fail "the old daemon is still there"
	assert_eq 5 "$(ls "$WORK/a/d" | wc -l)" "files in a"
}

test_busy() {
	local fd
	two_mounts
	exec {fd}<"$WORK/a/d/f000001"
	assert_fails 'busy' umount "$WORK/a"
	assert_eq 10 "$(wc -c <&"$fd")" "bytes"
	exec {fd}<&-
	umount "$WORK/a"
	# Lazily: who has a file open may go on reading it.
	exec {fd}<"$WORK/b/e/f000001"
	umount -l "$WORK/b"
	assert_eq 10 "$(wc -c <&"$fd")" "bytes"
	kill -0 "$DAEMON" || fail "the daemon is gone"
	exec {fd}<&-
	daemon_ends "$DAEMON"
}

test_race() {
	local i
	start_server
	put_objects d 5 10
	for i in 1 2 3 4 5 6 7 8; do
		mkdir "$WORK/m$i"
		MOUNTS+=("$WORK/m$i")
		"$S3BULKFS" -o "endpoint_url=$S3_ENDPOINT" "$BUCKET" "$WORK/m$i" &
	done
	for i in $(jobs -p); do
		[ "$i" = "${S3D_PID:-}" ] || wait "$i" || fail "a mount failed"
	done
	assert_eq 1 "$(daemons | wc -l)" "daemons"
	DAEMON=$(daemons)
	PIDS+=("$DAEMON")
	for i in 1 2 3 4 5 6 7 8; do
		assert_eq 5 "$(ls "$WORK/m$i/d" | wc -l)" "files in m$i"
	done
	umount "$WORK"/m?
	daemon_ends "$DAEMON"
}

test_crash() {
	two_mounts
	kill -KILL "$DAEMON"
	daemon_ends "$DAEMON"
	assert_fails 'not connected' ls "$WORK/a"
	mount_shared "$BUCKET" a
	mount_shared "$BUCKET:/p" b
	assert_eq 5 "$(ls "$WORK/a/d" | wc -l)" "files in a"
	assert_eq 3 "$(ls "$WORK/b/e" | wc -l)" "files in b"
	assert_eq 1 "$(findmnt -rno TARGET | grep -cx "$WORK/a")" "mounts at a"
}

test_terminate() {
	two_mounts
	cp -r "$WORK/a/d" "$WORK/b/f"
	kill -TERM "$DAEMON"
	daemon_ends "$DAEMON"
	! mountpoint -q "$WORK/a" || fail "a is still mounted"
	! mountpoint -q "$WORK/b" || fail "b is still mounted"
	BUCKET=$BUCKET same_objects d p/f
}

test_private() {
	two_mounts
	mount_shared "$BUCKET" c private
	assert_eq 2 "$(daemons | wc -l)" "daemons"
	assert_eq "$BUCKET" "$(findmnt -no SOURCE "$WORK/c")" "source"
	assert_eq 5 "$(ls "$WORK/c/d" | wc -l)" "files"
}

test_other_namespace() {
	two_mounts
	# shellcheck disable=SC2016 # for the other shell
	unshare -m --propagation private bash -c '
		mkdir "$1/n" && "$2" -o "endpoint_url=$3" "$4" "$1/n" && ls "$1/n/d" | wc -l &&
			umount "$1/n"' - "$WORK" "$S3BULKFS" "$S3_ENDPOINT" "$BUCKET" >count
	assert_eq 5 "$(cat count)" "files"
}

test_wrong_bucket() {
	two_mounts
	mkdir "$WORK/c"
	assert_fails "no bucket 'no-such'" "$S3BULKFS" -o "endpoint_url=$S3_ENDPOINT" no-such "$WORK/c"
	! mountpoint -q "$WORK/c" || fail "it is mounted"
	umount "$WORK/a" "$WORK/b"
	daemon_ends "$DAEMON"
	# The first mount of a daemon fails, too.
	assert_fails "no bucket 'no-such'" "$S3BULKFS" -o "endpoint_url=$S3_ENDPOINT" no-such "$WORK/c"
	AWS_SECRET_ACCESS_KEY=wrong assert_fails 'does not accept these credentials' \
		"$S3BULKFS" -o "endpoint_url=$S3_ENDPOINT" "$BUCKET" "$WORK/c"
}

# Each mount has its own: options, modes, credentials.
test_own_settings() {
	two_mounts ro "uid=1234,gid=2345,umask=077,noexec"
	assert_fails 'Read-only' touch "$WORK/a/new"
	touch "$WORK/b/new"
	assert_eq "1234:2345 600" "$(stat -c '%u:%g %a' "$WORK/b/e/f000000")" "owner and mode"
	assert_eq "0:0 644" "$(stat -c '%u:%g %a' "$WORK/a/d/f000000")" "owner and mode"
	findmnt -no OPTIONS "$WORK/a" | grep -q '^ro,nosuid,nodev' || fail "options of a"
	findmnt -no OPTIONS "$WORK/b" | grep -q '^rw,nosuid,nodev,noexec' || fail "options of b"
}

# Secrets are in no argument and no file.
# What was said of one mount counts for that one.
test_own_rename_limit() {
	start_server
	put_objects d 20 10
	mount_shared "$BUCKET" a rename_limit=10
	mount_shared "$BUCKET" b
	assert_fails 'cross-device' python3 -c 'import os, sys; os.rename(*sys.argv[1:])' \
		"$WORK/a/d" "$WORK/a/e"
	assert_exit 0 python3 -c 'import os, sys; os.rename(*sys.argv[1:])' "$WORK/b/d" "$WORK/b/e"
	assert_eq 20 "$(count_objects e/)" "objects under the new name"
}

test_secrets() {
	two_mounts
	! tr '\0' '\n' <"/proc/$DAEMON/cmdline" | grep -qF "$AWS_SECRET_ACCESS_KEY" ||
		fail "in arguments"
	! grep -rqF "$AWS_SECRET_ACCESS_KEY" /run/s3bulkfs --include='*.lock' || fail "in a file"
	assert_eq 700 "$(stat -c %a /run/s3bulkfs)" "mode of the directory"
}

# Without allow_other nobody but root gets in, not even to what the kernel has in memory.
test_others_are_kept_out() {
	local way path
	two_mounts
	assert_eq 1 "$(daemons | wc -l)" "daemons"
	chmod 755 "$WORK"
	ls -lR "$WORK/a" "$WORK/b" >/dev/null
	for path in a a/d a/d/f000001 b/e/f000001; do
		assert_fails 'Permission denied' as_user stat "$WORK/$path"
	done
	assert_fails 'Permission denied' as_user ls "$WORK/a"
	assert_fails 'Permission denied' as_user cat "$WORK/a/d/f000001"
	assert_fails 'Permission denied' as_user touch "$WORK/a/new"
	assert_fails 'Permission denied' as_user mkdir "$WORK/a/new"
	assert_fails 'Permission denied' as_user bash -c "cd $WORK/a"
	for way in "/proc/$DAEMON/root$WORK/a" "/proc/$DAEMON/cwd$WORK/a/d"; do
		assert_fails 'Permission denied' as_user ls "$way"
	done
	assert_fails 'Permission denied' as_user ls "/proc/$DAEMON/fd"
}

# With allow_other the modes decide, those of each mount for its own files.
test_others_as_the_modes_say() {
	start_server
	put_objects d 5 10
	put_objects p/e 3 10
	chmod 755 "$WORK"
	mount_shared "$BUCKET" closed
	mount_shared "$BUCKET" a "allow_other,uid=1,umask=077"
	mount_shared "$BUCKET:/p" b allow_other
	assert_eq 2 "$(daemons | wc -l)" "daemons: one for those who let others in"
	ls -lR "$WORK/closed" "$WORK/a" "$WORK/b" >/dev/null
	assert_eq 3 "$(as_user ls "$WORK/b/e" | wc -l)" "files in b"
	assert_eq 10 "$(as_user cat "$WORK/b/e/f000001" | wc -c)" "bytes"
	assert_fails 'Permission denied' as_user touch "$WORK/b/e/new"
	assert_fails 'Permission denied' as_user rm -f "$WORK/b/e/f000001"
	assert_fails 'Permission denied' as_user stat "$WORK/closed/d"
	# Not even to what root has looked at a moment ago.
	assert_fails 'Permission denied' as_user stat "$WORK/a/d/f000001"
	assert_fails 'Permission denied' as_user ls "$WORK/a"
	assert_fails 'not permitted|Permission denied' as_user chmod 777 "$WORK/a"
	# From within b there is no way to a: ".." is the directory of the mount point.
	assert_eq "$(ls "$WORK")" "$(as_user bash -c "cd $WORK/b/e && ls ../..")" "above b"
	umount "$WORK/b"
	mount_shared "$BUCKET:/p" b "allow_other,uid=$USER_ID,umask=077"
	as_user touch "$WORK/b/e/new"
	as_user rm "$WORK/b/e/new"
	assert_fails 'not permitted' as_user chown 0 "$WORK/b/e/f000001"
}

# Copies between two mounts that let others in are server-side, too.
test_copy_between_those_for_others() {
	need s3d
	start_server
	put_objects d 50 10
	mount_shared "$BUCKET" a allow_other
	mount_shared "$BUCKET:/p" b allow_other
	stats_reset
	cp -r "$WORK/a/d" "$WORK/b/f"
	assert_eq "50 0 0" "$(stat_get CopyObject) $(stat_get GetObject) $(stat_get PutObject)" \
		"CopyObject, GetObject, PutObject"
	same_objects d p/f
}

# What was in use when it was unmounted is let go of when it is not used any more.
test_lazy_umount_under_a_copy() {
	local copy
	need s3d
	start_s3d --latency-ms CopyObject=300
	make_bucket two
	put_objects src 300 10
	mount_shared "$BUCKET" a
	mount_shared two b
	fault '{"op":"CopyObject","key":"*","status":503,"code":"SlowDown","percent":20}'
	cp -r "$WORK/a/src" "$WORK/b/dst" &
	copy=$!
	until [ "$(stat_get CopyObject)" -gt 3 ]; do :; done
	umount -l "$WORK/a"
	wait $copy || fail "the copy: exit code $?"
	BUCKET=two
	assert_eq 300 "$(count_objects dst/)" "objects"
	umount "$WORK/b"
	daemon_ends "${PIDS[-1]}"
}

# A mount table that cannot be read says nothing of an unmount; later it is read again.
test_table_unreadable() {
	local pid
	preload
	start_server
	echo content >f
	s3 put "$BUCKET" f f
	LD_PRELOAD=$NOMEM mount_shared "$BUCKET" mnt
	pid=$(daemons)
	refuse 6 1
	mkdir other
	mount -t tmpfs s3bulkfs-test other
	MOUNTS+=("$WORK/other")
	# It counts how often that was tried; what has changed is said once or twice only.
	until [ "$(od -An -j48 -N8 -t u8 "$NOMEM_CONTROL")" -gt 5 ]; do
		[ $SECONDS -lt 30 ] || fail "the mount table is not read again"
	done
	assert_eq content "$(cat mnt/f)" "while the table cannot be read"
	umount mnt
	kill -0 "$pid" || fail "the daemon has ended without having seen the unmount"
	refuse 6 0
	daemon_ends "$pid"
}

run_tests "$@"
