#!/bin/bash
# tests/integ/4B-stat-full.sh: -o stat=full: modes, owners, times and links that others have stored
# are shown by every listing, and asked for in parallel, ahead of who reads.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

full() { # full [OPTIONS]: a new mount with stat=full
	remount "$BUCKET" "stat=full${1:+,$1}"
}

show() { # show DIR: all that is to be seen
	find "$1" -mindepth 1 -printf '%P %y %m %U %G %T@ %l\n' | sed 's/ $//' | sort
}

test_many_at_once() {
	local i
	need s3d
	start_s3d --latency-ms HeadObject=20,ListObjectsV2=20
	put_objects d 1000 10
	echo x >file
	s3 put "$BUCKET" d/f000500 file mode=33152 uid=7 gid=8 mtime=981173106.5
	s3 put "$BUCKET" d/f000999 file mode=33261
	mount_fs "$BUCKET" stat=full
	stats_reset
	assert_exit 0 ls -l "$MNT/d"
	note "$(stat_get HeadObject) HEADs, $(stat_get in_flight_peak) at once"
	assert_le 1000 "$(stat_get HeadObject)" "HeadObject, at least 1000"
	assert_le "$(stat_get HeadObject)" 1004 "HeadObject"
	assert_le 50 "$(stat_get in_flight_peak)" "requests in flight, at least 50"
	assert_eq "600 7 8 981173106.500000000" "$(stat -c '%a %u %g %.9Y' "$MNT/d/f000500")" "by name"
	ls -ln "$MNT/d" >listed
	assert_eq "-rw------- 7 8" "$(sed -n 's/ 1 \(7 8\) .*f000500$/ \1/p' listed)" listed
	assert_eq "-rwxr-xr-x" "$(sed -n 's/ 1 .*f000999$//p' listed)" "the last one"
	# What is known, and is the same version still, is not asked for again.
	remount "$BUCKET" stat=full,metadata_ttl=0
	ls -l "$MNT/d" >/dev/null
	stats_reset
	ls -l "$MNT/d" >/dev/null
	# Without a time to live, a name that ls comes by twice is asked for by itself.
	assert_le "$(stat_get HeadObject)" 100 "HeadObject, the second time"
}

# As s3fs, rclone and others write them.
test_of_others() {
	fresh
	printf target >target
	: >empty
	echo x >file
	s3 put "$BUCKET" t/s3fs file mode=33184 uid=1 gid=2 mtime=981173106.123456789 \
		ctime=981173107 atime=981173108
	s3 put "$BUCKET" t/rclone file mtime=981173106.000000001
	s3 put "$BUCKET" t/rclone-metadata file mode=100600 uid=3 mtime=981173106.5
	s3 put "$BUCKET" t/link target mode=41471 mtime=981173106
	s3 put "$BUCKET" t/sub/ empty mode=16832 uid=4 gid=5 mtime=981173106.25
	s3 put "$BUCKET" t/sub/f file mode=33279 mtime=981173106.75
	cat >expected <<-'E'
		link l 777 0 0 981173106.0000000000 target
		rclone f 644 0 0 981173106.0000000010
		rclone-metadata f 600 3 0 981173106.5000000000
		s3fs f 640 1 2 981173106.1234567890
		sub d 700 4 5 981173106.2500000000
		sub/f f 777 0 0 981173106.7500000000
	E
	full
	show "$MNT/t" >got
	assert_same expected got "what others have stored"
	mkdir out
	assert_exit 0 cp -a "$MNT/t" out/
	show out/t >got
	assert_same expected got "copied to a local disk"
	assert_exit 0 cp -a "$MNT/t" "$MNT/copy"
	show "$MNT/copy" >got
	assert_same expected got "copied in S3"
	full
	show "$MNT/copy" >got
	assert_same expected got "copied in S3, after a new mount"
	# They change something: the next listing shows it, by its time in seconds.
	full metadata_ttl=0
	show "$MNT/t" >/dev/null
	next_second
	s3 put "$BUCKET" t/s3fs file mode=33188 mtime=1.5
	s3 put "$BUCKET" t/sub/ empty mode=16877 mtime=2.5
	s3 put "$BUCKET" t/link file
	show "$MNT/t" >got
	grep -qx 's3fs f 644 0 0 1.5000000000' got || fail "a changed file: $(cat got)"
	grep -qx 'sub d 755 0 0 2.5000000000' got || fail "a changed directory: $(cat got)"
	grep -q '^link f 644 0 0 ' got || fail "a link that became a file: $(cat got)"
}

# Renamed, a name is as old as it was, also where only S3 knew how old that is.
test_times_of_what_is_renamed() {
	local name
	fresh
	echo x >file
	s3 put "$BUCKET" d/old file
	s3 put "$BUCKET" d/set file mtime=981173106.5
	s3 put "$BUCKET" file file
	full
	show "$MNT" | sed 's/^\(d\|file\)\b/new-\1/' | grep -v ' d ' >expected
	next_second
	assert_exit 0 mv "$MNT/d" "$MNT/new-d"
	assert_exit 0 mv "$MNT/file" "$MNT/new-file"
	for name in as-before remounted; do
		show "$MNT" | grep -v ' d ' >got
		assert_same expected got "times, $name"
		full
	done
}

test_trees() {
	local i
	need s3d
	start_s3d --latency-ms HeadObject=20
	for i in 1 2 3 4 5 6 7 8; do put_objects "tree/d$i" 100 10; done
	echo x >file
	for i in 2 5 8; do s3 put "$BUCKET" "tree/d$i/f000050" file mode=33152; done
	mount_fs "$BUCKET" stat=full
	stats_reset
	find "$MNT/tree" -type f -perm 600 >found
	assert_eq 3 "$(wc -l <found)" "files of that mode"
	note "$(stat_get HeadObject) HEADs, $(stat_get in_flight_peak) at once"
	assert_le "$(stat_get HeadObject)" 830 "HeadObject"
	assert_le 50 "$(stat_get in_flight_peak)" "requests in flight, at least 50"
	# A remove needs none of it.
	remount "$BUCKET" stat=full
	stats_reset
	assert_exit 0 rm -r "$MNT/tree"
	assert_le "$(stat_get HeadObject)" 4 "HeadObject of rm -r"
	assert_eq "" "$(s3 ls "$BUCKET")" "what is left"
}

test_refused() {
	need s3d
	fresh
	put_objects d 20 10
	fault '{"op":"HeadObject","key":"d/f000007","status":403,"code":"AccessDenied"}'
	fault '{"op":"HeadObject","key":"d/f000009","status":404,"code":"NoSuchKey"}'
	fault '{"op":"HeadObject","key":"d/f000011","status":503,"code":"SlowDown","times":3}'
	full
	assert_exit 0 ls -l "$MNT/d"
	assert_eq 19 "$(grep -c -e '-rw-r--r--' <<<"$OUT")" "names, without the one that has gone"
	grep -q 'attributes of /d/f000007, and perhaps of others, are not known' "$WORK"/daemon1.log ||
		fail "the log does not say so"
	faults_clear
}

count_writes() {
	echo $(($(stat_get PutObject) + $(stat_get CopyObject) + $(stat_get UploadPart)))
}

# The second run finds that all is as it should be.
test_rsync_twice() {
	local i
	command -v rsync >/dev/null || skip "rsync is not installed"
	fresh
	mkdir -p local/sub/empty
	for i in 1 2 3 4 5; do echo "content $i" >"local/sub/$i"; done
	chmod 600 local/sub/3
	chmod 750 local/sub
	ln -s 3 local/sub/link
	touch -h -d '2001-02-03 04:05:06.123456789 UTC' local/sub/*
	touch -d '2002-03-04 05:06:07.5 UTC' local/sub/empty local/sub local
	assert_exit 0 rsync -a local/ "$MNT/copy"
	show local >expected
	show "$MNT/copy" >got
	assert_same expected got "after the first run"
	[ "$SERVER" != s3d ] || stats_reset
	assert_exit 0 rsync -ai local/ "$MNT/copy"
	assert_eq "" "$OUT" "what the second run does"
	[ "$SERVER" != s3d ] || assert_eq 0 "$(count_writes)" "requests that write, in the second run"
	full
	[ "$SERVER" != s3d ] || stats_reset
	assert_exit 0 rsync -ai local/ "$MNT/copy"
	assert_eq "" "$OUT" "what it does on a new mount"
	[ "$SERVER" != s3d ] || assert_eq 0 "$(count_writes)" "requests that write, on a new mount"
	show "$MNT/copy" >got
	assert_same expected got "in the end"
	assert_exit 0 rsync -a "$MNT/copy/" back
	show back >got
	assert_same expected got "brought back"
}

# s3fs reads what we write, and we read what it writes.
test_with_s3fs() {
	local pid
	need s3d
	command -v s3fs >/dev/null || skip "s3fs is not installed"
	fresh
	echo content >"$MNT/file"
	chmod 640 "$MNT/file"
	chown 7:8 "$MNT/file"
	touch -d '2001-02-03 04:05:06 UTC' "$MNT/file"
	ln -s file "$MNT/link"
	mkdir -m 700 "$MNT/dir"
	/usr/bin/python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.k", b"\0v\xff")' "$MNT/file"
	echo "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" >passwd
	chmod 600 passwd
	mkdir other
	MOUNTS+=("$WORK/other")
	s3fs "$BUCKET" other -f -o "url=$S3_ENDPOINT,use_path_request_style,passwd_file=$WORK/passwd" \
		-o use_xattr >s3fs.log 2>&1 &
	pid=$!
	PIDS+=("$pid")
	until mountpoint -q other; do
		kill -0 "$pid" 2>/dev/null || fail "s3fs did not mount: $(cat s3fs.log)"
		findmnt --poll=mount --first-only --timeout 50 >/dev/null || :
	done
	assert_eq "640 7 8 981173106 regular file" "$(stat -c '%a %u %g %Y %F' other/file)" "for s3fs"
	assert_eq "file content" "$(readlink other/link) $(cat other/link)" "a link for s3fs"
	assert_eq "700 directory" "$(stat -c '%a %F' other/dir)" "a directory for s3fs"
	assert_exit 0 /usr/bin/python3 -c \
		'import os; assert os.getxattr("other/file", "user.k") == b"\0v\xff"'
	echo theirs >other/theirs
	chmod 604 other/theirs
	chown 9:10 other/theirs
	touch -d '2003-04-05 06:07:08 UTC' other/theirs
	ln -s some/where other/their-link
	mkdir -m 711 other/their-dir
	/usr/bin/python3 -c 'import os; os.setxattr("other/theirs", "user.a", b"\xfe1")'
	umount other
	"$TESTS_DIR/wait-pid" 20 "$pid"
	full
	show "$MNT" >got
	grep -qx 'theirs f 604 9 10 1049522828\..*' got || fail "a file of s3fs: $(cat got)"
	grep -qx 'their-link l 777 0 0 .* some/where' got || fail "a link of s3fs: $(cat got)"
	grep -q '^their-dir d 711 0 0 ' got || fail "a directory of s3fs: $(cat got)"
	assert_exit 0 /usr/bin/python3 -c \
		'import os, sys; assert os.getxattr(sys.argv[1], "user.a") == b"\xfe1"' "$MNT/theirs"
}

run_tests "$@"
