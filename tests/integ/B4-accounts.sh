#!/bin/bash
# tests/integ/B4-accounts.sh: copies between buckets of two regions and of two accounts, each mount
# with its own keys. What S3 can copy it copies; what it may not goes through this machine.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=tests/integ/shared.sh
. "$(dirname "$(readlink -f "$0")")/shared.sh"
# shellcheck source=tests/integ/objects.sh
. "$(dirname "$(readlink -f "$0")")/objects.sh"

# hear_log: what daemons say to syslog from now on is in the file `syslog`. /dev is this test's own.
hear_log() {
	local name
	mkdir dev
	mount --rbind /dev dev
	mount -t tmpfs -o mode=755 none /dev
	for name in null zero full random urandom fuse tty shm; do
		[ -e dev/$name ] || continue
		if [ -d dev/$name ]; then mkdir /dev/$name; else : >/dev/$name; fi
		mount --bind dev/$name /dev/$name
	done
	ln -s /proc/self/fd /dev/fd
	mkfifo hears
	python3 -c 'import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/dev/log")
open("hears", "w").close()
line = b""
with open("syslog", "wb", buffering=0) as log:
    while line != b"all":
        line = s.recv(65536).rstrip(b"\0\n")
        log.write(line + b"\n")' &
	LISTENER=$!
	read -r _ <hears || :
}

# heard: all that was said so far is in the file, which ends.
heard() {
	python3 -c 'import socket
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"all", "/dev/log")'
	wait "$LISTENER"
}

# account NAME READS WRITES [ACL]: NAME's keys, and the buckets that they may be used with.
account() {
	ctl POST account "{\"key\":\"AKID$1\",\"secret\":\"secret/of+$1\",\"reads\":\"$2\",
		\"writes\":\"$3\",\"acl\":\"${4:-}\"}"
}

mount_as() { # mount_as NAME BUCKET DIR [OPTIONS]
	AWS_ACCESS_KEY_ID=AKID$1 AWS_SECRET_ACCESS_KEY=secret/of+$1 mount_shared "${@:2}"
}

# two_accounts READS [OPTIONS]: the bucket of a, with objects, and `two` of b, who may read READS.
two_accounts() {
	need s3d
	[ "$(id -u)" = 0 ] || skip "only root's mounts share a daemon"
	start_server
	make_bucket two
	put_objects x 100 100
	dd if=/dev/urandom of=big bs=1M count=$PARTS status=none
	s3 put "$BUCKET" big big
	account a "$BUCKET" "$BUCKET"
	account b "$1" two
	mount_as a "$BUCKET" a "$LARGE"
	mount_as b two b "$LARGE${2:+,$2}"
	assert_eq 1 "$(daemons | wc -l)" daemons
	stats_reset
}

no_uploads() {
	assert_eq "$(stat_get CreateMultipartUpload)" \
		"$(($(stat_get CompleteMultipartUpload) + $(stat_get AbortMultipartUpload)))" \
		"uploads that have ended"
}

test_two_regions() {
	need s3d
	start_server --bucket two@eu-west-1
	put_objects x 100 100
	dd if=/dev/urandom of=big bs=1M count=$PARTS status=none
	s3 put "$BUCKET" big big
	mount_shared "$BUCKET" a "$LARGE"
	mount_shared two b "$LARGE"
	stats_reset
	assert_exit 0 cp -r "$WORK/a/x" "$WORK/a/big" "$WORK/b/"
	mkdir "$WORK/a/back"
	assert_exit 0 cp -r "$WORK/b/x" "$WORK/b/big" "$WORK/a/back"
	assert_exit 0 mv "$WORK/b/x" "$WORK/a/moved"
	# Each request was signed for the region of the bucket that it changes.
	ctl GET 'log?n=100000' >log
	! grep -E '"status":(30|40[0-3])' log || fail "refused"
	assert_eq "0 0 0" \
		"$(stat_get GetObject) $(stat_get PutObject bytes_in) $(stat_get UploadPart)" "data"
	same_trees "$BUCKET" x "$BUCKET" back/x
	same_trees "$BUCKET" x "$BUCKET" moved
	assert_eq "" "$(s3 ls two x/)" "left behind"
	assert_exit 0 cmp big "$WORK/b/big"
	assert_exit 0 cmp big "$WORK/a/back/big"
}

# The target's account may read the source: the usual grant between accounts.
test_granted() {
	two_accounts '*' acl=bucket-owner-full-control
	account b '*' two bucket-owner-full-control
	assert_exit 0 cp -r "$WORK/a/x" "$WORK/a/big" "$WORK/b/"
	echo y >"$WORK/b/f"
	assert_eq "0 0" "$(stat_get GetObject) $(stat_get UploadPart)" "data"
	assert_eq 0 "$(stat_get CopyObject errors)" "CopyObject that failed"
	same_trees "$BUCKET" x two x
	assert_eq 102 "$(ctl GET 'dump?bucket=two' |
		grep -c '"x-amz-acl":"bucket-owner-full-control"')" "objects with the ACL"
	# The other way a has no rights, in neither bucket.
	assert_exit 0 cp -r "$WORK/b/x" "$WORK/a/y"
	same_trees "$BUCKET" x "$BUCKET" y
}

# Each may use its own bucket only: the first copy shows it, and the data goes through here.
test_not_granted() {
	hear_log
	two_accounts two
	assert_exit 0 cp -r "$WORK/a/x" "$WORK/b/y"
	assert_eq "1 1" "$(stat_get CopyObject) $(stat_get CopyObject errors)" CopyObject
	assert_eq 100 "$(stat_get GetObject)" GetObject
	same_trees "$BUCKET" x two y
	assert_exit 0 cp "$WORK/a/big" "$WORK/b/"
	assert_exit 0 cmp big "$WORK/b/big"
	assert_exit 0 cp -r "$WORK/a/x" "$WORK/b/z"
	assert_eq 1 "$(stat_get CopyObject)" "CopyObject, still"
	assert_eq 0 "$(stat_get UploadPartCopy)" UploadPartCopy
	same_trees "$BUCKET" x two z
	heard
	assert_eq 1 "$(grep -c 'does not copy from' syslog)" "lines in the log"
	grep "from bucket $BUCKET to bucket two (AccessDenied .*): data goes through here" syslog ||
		fail "the log says: $(cat syslog)"
}

# The first one is large: what was begun of it ends.
test_large_first() {
	two_accounts two
	assert_exit 0 cp -r "$WORK/a/big" "$WORK/a/x" "$WORK/b/"
	assert_exit 0 cmp big "$WORK/b/big"
	same_trees "$BUCKET" x two x
	assert_eq 0 "$(stat_get CopyObject)" CopyObject
	no_uploads
}

# The source of a file that could not be stored stays; all others go.
test_move() {
	two_accounts two
	fault '{"op":"PutObject","bucket":"two","key":"y/f000050","status":403,
		"code":"AccessDenied"}'
	assert_exit 1 mv "$WORK/a/x" "$WORK/b/y"
	faults_clear
	in_s3 x/f000050 || fail "the source is gone, and there is no copy"
	assert_exit 0 mv "$WORK/a/x" "$WORK/b/z"
	assert_eq "" "$(s3 ls "$BUCKET" x/)" "left behind"
	BUCKET=two in_s3 z/f000050 || fail "not moved"
}

test_strict() {
	two_accounts two commit=close
	assert_exit 0 cp -r "$WORK/a/x" "$WORK/a/big" "$WORK/b/"
	same_trees "$BUCKET" x two x
	assert_exit 0 cmp big "$WORK/b/big"
	assert_le "$(stat_get CopyObject)" 1 "CopyObject that were tried"
}

# Rights that are taken away in the middle: what was answered early is told at the end, and by the
# next command at its first file.
test_taken_away() {
	local rc=0
	two_accounts '*'
	hold CopyObject x/f000050
	cp -r "$WORK/a/x" "$WORK/b/" 2>said &
	wait_held x/f000050
	account b two two
	let_go
	wait $! || rc=$?
	assert_eq 1 "$rc" "exit code of cp"
	grep 'Permission denied' said || fail "cp said '$(cat said)'"
	! BUCKET=two in_s3 x/f000050 || fail "it is there"
	assert_eq 0 "$(stat_get GetObject)" GetObject
}

run_tests "$@"
