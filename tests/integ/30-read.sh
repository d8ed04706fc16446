#!/bin/bash
# tests/integ/30-read.sh: reading: sizes, offsets, errors; never a byte that is not the object's.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

random_file() { # random_file FILE BYTES
	head -c "$2" /dev/urandom >"$1"
}

test_sizes() {
	local n
	start_server
	for n in 0 1 4095 4096 4097 131072 131073 1048577 5242880 9437185; do
		random_file "f$n" $n
	done
	s3 putfiles "$BUCKET" d/ f*
	mount_fs "$BUCKET"
	for n in 0 1 4095 4096 4097 131072 131073 1048577 5242880 9437185; do
		cmp "f$n" "$MNT/d/f$n" || fail "$n bytes differ"
	done
}

test_random_reads() {
	local i offset length
	start_server
	random_file big 7000001
	s3 put "$BUCKET" big big
	mount_fs "$BUCKET"
	for ((i = 0; i < 60; i++)); do
		offset=$((RANDOM * 32768 % 7100000 + RANDOM % 50))
		length=$((RANDOM * 4 + 1))
		dd if=big bs=64K iflag=skip_bytes,count_bytes skip=$offset count=$length of=want status=none
		dd if="$MNT/big" bs=64K iflag=skip_bytes,count_bytes skip=$offset count=$length of=got \
			status=none
		cmp want got || fail "$length bytes at $offset differ"
	done
	assert_eq 1 "$(tail -c 1 "$MNT/big" | wc -c)" "the last byte"
}

test_many_files() {
	local i
	fresh
	for ((i = 0; i < 100; i++)); do
		echo "d/f$i $((i * 37))"
	done | s3 puts "$BUCKET"
	s3 ls "$BUCKET" d/ | awk -F'\t' '{print $3 "  " $1}' | LC_ALL=C sort >want
	(cd "$MNT/d" && md5sum ./* | sed 's|\./||' | LC_ALL=C sort) >got
	assert_same want got "MD5 sums"
}

test_readers_together() {
	local i pids=()
	start_server
	random_file big 6000000
	s3 put "$BUCKET" big big
	mount_fs "$BUCKET"
	for i in 1 2 3 4 5 6; do
		cmp big "$MNT/big" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || fail "a reader saw other bytes"
	done
}

test_missing() {
	fresh
	assert_fails 'No such file' cat "$MNT/none"
	assert_fails 'Is a directory' cat "$MNT"
}

test_denied() {
	need s3d
	fresh
	put_objects d 2 100
	fault '{"op":"GetObject","key":"d/f000000","status":403,"code":"AccessDenied"}'
	assert_fails 'Permission denied' cat "$MNT/d/f000000"
	assert_eq 100 "$(wc -c <"$MNT/d/f000001")" "the other one"
}

test_error_document_is_no_data() {
	local status
	need s3d
	fresh
	put_objects d 1 200
	cat "$MNT/d/f000000" >want
	for status in 400 403 404 500; do
		remount "$BUCKET"
		faults_clear
		fault "{\"op\":\"GetObject\",\"key\":\"d/*\",\"status\":$status,
			\"code\":\"InternalError\",\"times\":1}"
		timeout 60 cat "$MNT/d/f000000" >got 2>err || :
		[ ! -s got ] || assert_same want got "bytes after status $status"
		! grep -q '<Error' got || fail "the error document was read as data"
	done
}

test_cut_and_closed() {
	need s3d
	fresh
	random_file big 3000000
	s3 put "$BUCKET" big big
	fault '{"op":"GetObject","key":"big","cut":100000,"times":2}'
	cmp big "$MNT/big" || fail "cut bodies"
	remount "$BUCKET"
	faults_clear
	fault '{"op":"GetObject","key":"big","close":true,"times":2}'
	cmp big "$MNT/big" || fail "closed connections"
	remount "$BUCKET"
	faults_clear
	fault '{"op":"GetObject","key":"big","status":503,"code":"SlowDown","times":3}'
	cmp big "$MNT/big" || fail "SlowDown"
}

test_interrupted_reader() {
	# A reader that is killed while S3 does not answer must not hang, nor hold up others.
	need s3d
	fresh
	put_objects d 2 100
	fault '{"op":"GetObject","key":"d/f000000","hang":true}'
	cat "$MNT/d/f000000" &
	local reader=$!
	until ctl GET faults | grep -qE '"fired": *[1-9]'; do
		kill -0 $reader || fail "the reader ended by itself"
	done
	kill -KILL $reader
	"$TESTS_DIR/wait-pid" 20 $reader || fail "a killed reader does not end"
	assert_eq 100 "$(wc -c <"$MNT/d/f000001")" "the other one"
	faults_clear
}

test_changed_while_open() {
	# Contract C7: bytes of two versions are never mixed.
	need s3d
	fresh
	head -c 6000000 /dev/zero | tr '\0' a >old
	head -c 6000000 /dev/zero | tr '\0' b >new
	s3 put "$BUCKET" big old
	exec 5<"$MNT/big"
	head -c 10 <&5 >part
	assert_eq aaaaaaaaaa "$(cat part)" "before"
	s3 put "$BUCKET" big new
	cat <&5 >rest 2>err || :
	exec 5<&-
	exec 5<&-
	! grep -q b rest || fail "bytes of the new version in a file opened before"
}

run_tests "$@"
