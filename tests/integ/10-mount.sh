#!/bin/bash
# tests/integ/10-mount.sh: mounting, unmounting, one clear sentence for what cannot be mounted.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# one_sentence: the error that run_mount left in $OUT is one line, not a dump.
one_sentence() {
	assert_eq 1 "$(printf '%s\n' "$OUT" | wc -l)" "lines of the error message"
}

# refused TEXT ARGS...: the mount command fails with one sentence that has TEXT (a regex).
refused() {
	local text=$1
	shift
	assert_fails "$text" timeout 60 "$S3BULKFS" "$@"
	one_sentence
	mountpoint -q "$WORK/mnt" && fail "it is mounted all the same"
	return 0
}

test_help() {
	assert_exit 0 "$S3BULKFS" --help
	printf '%s\n' "$OUT" | grep -qi 'usage:' || fail "--help has no usage line"
	printf '%s\n' "$OUT" | grep -q 'endpoint_url' || fail "--help does not name endpoint_url"
	assert_exit 0 "$S3BULKFS" --version
	printf '%s\n' "$OUT" | grep -qE 's3bulkfs.* [0-9]+\.[0-9]+' || fail "--version has no version"
}

# wrong TEXT ARGS...: what cannot be understood, exit code 2.
wrong() {
	refused "$@"
	assert_eq 2 "$RC" "exit code of s3bulkfs ${*:2}"
}

test_wrong_arguments() {
	mkdir mnt
	wrong 'no bucket given'
	wrong 'no mount point given' bucket
	wrong 'one argument too many' bucket mnt more
	wrong "unknown option '--bogus'" --bogus bucket mnt
	wrong "unknown option '-fx'" -fx bucket mnt
	wrong "unknown option 'bogus'" -o bogus bucket mnt
	wrong 'needs a list of options' bucket mnt -fo
	wrong "'part_size=1M' is not valid" -o part_size=1M bucket mnt
	wrong "'max_read=x' is not valid" -o max_read=x bucket mnt
	wrong "'max_inflight=0' is not valid" -o max_inflight=0 bucket mnt
}

test_options_together() {
	start_server
	put_objects d 30 10
	mount_fs "$BUCKET" file_mode=600,umask=027
	assert_eq '600 750' "$(stat -c %a "$MNT/d/f000000" "$MNT/d" | paste -sd' ')" modes
	mount_fs "$BUCKET" umask=027,dir_mode=700
	assert_eq '640 700' "$(stat -c %a "$MNT/d/f000000" "$MNT/d" | paste -sd' ')" modes
	# Letters may be written together, and max_read is the kernel's, too.
	mkdir "$WORK/mnt"
	MOUNTS+=("$WORK/mnt")
	"$S3BULKFS" -ro "max_read=4096,endpoint_url=$S3_ENDPOINT" "$BUCKET" "$WORK/mnt" ||
		fail "not mounted"
	assert_eq 10 "$(wc -c <"$WORK/mnt/d/f000000")" "bytes"
	assert_fails 'read-only' touch "$WORK/mnt/new"
	grep -q " $WORK/mnt fuse.s3bulkfs .*max_read=4096" /proc/mounts || fail "max_read is not set"
}

test_max_inflight() {
	need s3d
	start_s3d --latency-ms GetObject=50,PutObject=50,CopyObject=50
	put_objects d 24 100000
	mount_fs "$BUCKET" max_inflight=2
	stats_reset
	local i pids=()
	for i in $(seq 0 11); do
		cat "$MNT/d/f$(printf %06d "$i")" >/dev/null &
		pids+=($!)
	done
	wait "${pids[@]}"
	cp -r "$MNT/d" "$MNT/e"
	assert_le "$(stat_get in_flight_peak)" 2 "requests in flight"
}

test_background() {
	local mnt=$WORK/mnt
	start_server
	put_objects d 3 10
	mkdir "$mnt"
	MOUNTS+=("$mnt")
	# Outputs go to a file, not to a pipe: a daemon that kept them open would hold a pipe.
	"$S3BULKFS" -o "endpoint_url=$S3_ENDPOINT" "$BUCKET" "$mnt" >"$WORK/out" 2>&1 ||
		fail "mounting failed: $(cat "$WORK/out")"
	mountpoint -q "$mnt" || fail "not mounted when the command returned 0"
	assert_eq 3 "$(find "$mnt/d" -type f | wc -l)" "files"
	findmnt -n -o FSTYPE "$mnt" | grep -qx 'fuse.s3bulkfs' || fail "type is not fuse.s3bulkfs"
	local pids
	pids=$(pgrep -f -- "$mnt") || fail "no daemon"
	for pid in $pids; do
		ls -l "/proc/$pid/fd" >"$WORK/fds"
		! grep -qF "$WORK/out" "$WORK/fds" || fail "the daemon keeps the terminal open"
	done
	umount "$mnt"
	# shellcheck disable=SC2086 # a list of pids
	"$TESTS_DIR/wait-pid" 30 $pids || fail "the daemon does not end after umount"
}

test_pipe_is_closed() {
	# s3bulkfs ... | cat must end: nothing of the daemon may hold the pipe.
	start_server
	mkdir "$WORK/mnt"
	MOUNTS+=("$WORK/mnt")
	# shellcheck disable=SC2016 # the inner bash expands them
	timeout 30 bash -c '"$0" -o "endpoint_url=$1" "$2" "$3" 2>&1 | cat' \
		"$S3BULKFS" "$S3_ENDPOINT" "$BUCKET" "$WORK/mnt" || fail "the pipe stays open"
	mountpoint -q "$WORK/mnt"
}

test_prefix() {
	start_server
	put_objects a/b/c 4 10
	put_objects a/x 2 10
	mount_fs "$BUCKET:/a/b"
	assert_eq c "$(ls "$MNT")" "root of the mount"
	assert_eq 4 "$(find "$MNT/c" -type f | wc -l)" "files"
	echo text >"$MNT/c/new"
	in_s3 a/b/c/new || fail "written to another place"
	mount_fs "$BUCKET:/a/b/"
	assert_eq c "$(ls "$MNT")" "root of the mount with a slash at the end"
}

test_fusermount() {
	fresh
	fusermount3 -u "$MNT"
	"$TESTS_DIR/wait-pid" 30 "$DAEMON_PID" || fail "the daemon does not end"
}

test_sigterm() {
	fresh
	put_objects d 3 10
	ls -l "$MNT/d"
	kill -TERM "$DAEMON_PID"
	"$TESTS_DIR/wait-pid" 30 "$DAEMON_PID" || fail "the daemon does not end on SIGTERM"
	! mountpoint -q "$MNT" || fail "still mounted"
}

test_wrong_bucket() {
	start_server
	mkdir "$WORK/mnt"
	refused 'bucket' -o "endpoint_url=$S3_ENDPOINT" no-such-bucket-here "$WORK/mnt"
	refused 'no-such-bucket-here' -f -o "endpoint_url=$S3_ENDPOINT" no-such-bucket-here \
		"$WORK/mnt"
}

test_wrong_keys() {
	start_server
	mkdir "$WORK/mnt"
	AWS_SECRET_ACCESS_KEY=wrong-secret refused 'credential|key|denied|signature' \
		-o "endpoint_url=$S3_ENDPOINT" "$BUCKET" "$WORK/mnt"
	AWS_ACCESS_KEY_ID=AKIDWRONG000000000 refused 'credential|key|denied' \
		-o "endpoint_url=$S3_ENDPOINT" "$BUCKET" "$WORK/mnt"
}

test_no_keys() {
	start_server
	mkdir "$WORK/mnt"
	unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
	refused 'credentials|AWS_ACCESS_KEY_ID' -o "endpoint_url=$S3_ENDPOINT" "$BUCKET" \
		"$WORK/mnt"
}

test_connection_refused() {
	start_server
	mkdir "$WORK/mnt"
	# Port 1 of loopback: nothing listens there.
	refused 'connect|refused' -o endpoint_url=http://127.0.0.1:1 "$BUCKET" "$WORK/mnt"
	refused 'resolve|connect|host' -o endpoint_url=http://does-not-exist.invalid "$BUCKET" \
		"$WORK/mnt"
	refused 'endpoint' -o endpoint_url=ftp://127.0.0.1 "$BUCKET" "$WORK/mnt"
}

test_mount_point() {
	start_server
	refused 'mnt' -o "endpoint_url=$S3_ENDPOINT" "$BUCKET" "$WORK/mnt/missing"
	echo >"$WORK/file"
	refused 'file|directory' -o "endpoint_url=$S3_ENDPOINT" "$BUCKET" "$WORK/file"
}

test_arguments() {
	start_server
	mkdir "$WORK/mnt"
	refused 'no_such_option' -o "endpoint_url=$S3_ENDPOINT,no_such_option" "$BUCKET" "$WORK/mnt"
	refused '.' --no-such-flag "$BUCKET" "$WORK/mnt"
	refused '.' "$BUCKET"
	refused '.' -o max_inflight=many "$BUCKET" "$WORK/mnt"
	refused 'bucket' 'no/slash/allowed' "$WORK/mnt"
}

test_secrets_stay_secret() {
	local secret mnt=$WORK/mnt
	start_server
	secret=$AWS_SECRET_ACCESS_KEY
	mkdir "$mnt"
	MOUNTS+=("$mnt")
	"$S3BULKFS" -f -d -o "endpoint_url=$S3_ENDPOINT" "$BUCKET" "$mnt" >"$WORK/daemon.log" 2>&1 &
	DAEMON_PID=$!
	PIDS+=("$DAEMON_PID")
	until mountpoint -q "$mnt"; do
		kill -0 "$DAEMON_PID" || fail "not mounted"
		findmnt --poll=mount --first-only --timeout 50 >/dev/null || :
	done
	ls "$mnt"
	echo hello >"$mnt/file"
	cp "$mnt/file" "$mnt/copy"
	tr '\0' ' ' <"/proc/$DAEMON_PID/cmdline" >"$WORK/cmdline"
	umount "$mnt"
	"$TESTS_DIR/wait-pid" 30 "$DAEMON_PID"
	[ -s "$WORK/daemon.log" ] || fail "-d logs nothing"
	! grep -qF "$secret" "$WORK/daemon.log" "$WORK/cmdline" || fail "the secret key is shown"
	! grep -qiE 'Signature=[0-9a-f]{8}' "$WORK/daemon.log" || fail "a signature is in the log"
}

test_credentials_file() {
	start_server
	cat >"$AWS_SHARED_CREDENTIALS_FILE" <<-EOF
		[default]
		aws_access_key_id = wrong
		aws_secret_access_key = wrong
		[mine]
		aws_access_key_id = $AWS_ACCESS_KEY_ID
		aws_secret_access_key = $AWS_SECRET_ACCESS_KEY
	EOF
	printf '[profile mine]\nendpoint_url = %s\n' "$S3_ENDPOINT" >"$AWS_CONFIG_FILE"
	mkdir "$WORK/mnt"
	MOUNTS+=("$WORK/mnt")
	env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY \
		"$S3BULKFS" -o profile=mine "$BUCKET" "$WORK/mnt"
	echo text >"$WORK/mnt/file"
	assert_eq text "$(cat "$WORK/mnt/file")" "content"
}

test_endpoint_from_environment() {
	start_server
	mkdir "$WORK/mnt"
	MOUNTS+=("$WORK/mnt")
	AWS_ENDPOINT_URL_S3=$S3_ENDPOINT "$S3BULKFS" "$BUCKET" "$WORK/mnt"
	mountpoint -q "$WORK/mnt"
}

test_unsigned_requests() {
	need s3d
	start_s3d --no-auth
	put_objects d 3 10
	unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
	mount_fs "$BUCKET" no_sign_request
	assert_eq 3 "$(find "$MNT/d" -type f | wc -l)" "files"
}

test_read_only() {
	start_server
	put_objects d 3 10
	mount_fs "$BUCKET" ro
	assert_eq 3 "$(find "$MNT/d" -type f | wc -l)" "files"
	assert_fails 'read-only' touch "$MNT/new"
}

run_tests "$@"
