#!/bin/bash
# tests/integ/50-cp.sh: cp -r in the mount: server-side copies, counted, and equal in S3.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

test_copies_2000() {
	fresh
	put_objects src 2000 100
	remount_patient "$BUCKET"
	[ "$SERVER" != s3d ] || stats_reset
	assert_exit 0 cp -r "$MNT/src" "$MNT/dst"
	if [ "$SERVER" = s3d ]; then
		assert_eq 2000 "$(stat_get CopyObject)" "CopyObject"
		assert_eq 0 "$(stat_get GetObject)" "GetObject"
		assert_le "$(stat_get PutObject)" 1 "PutObject (the marker of dst)"
		assert_eq 0 "$(stat_get UploadPart)" "UploadPart"
		assert_le "$(stat_get ListObjectsV2)" 6 "ListObjectsV2"
		assert_le "$(stat_get HeadObject)" 3 "HeadObject"
	fi
	assert_eq 2000 "$(count_objects dst/)" "objects in S3"
	same_objects src dst
	assert_eq 2000 "$(ls "$MNT/dst" | wc -l)" "names through the mount"
}

test_all_done_at_exit() {
	# Contract C3: with slow copies, everything is in S3 when cp returns.
	need s3d
	start_s3d --latency-ms CopyObject=300
	put_objects src 500 10
	mount_fs "$BUCKET"
	cp -r "$MNT/src" "$MNT/dst"
	assert_eq 500 "$(stat_get CopyObject)" "copies answered when cp returned"
	assert_eq 500 "$(ctl GET "dump?bucket=$BUCKET&prefix=dst/f" | wc -l)" "objects"
}

test_many_in_flight() {
	need s3d
	start_s3d --latency-ms CopyObject=100
	put_objects src 2000 10
	mount_fs "$BUCKET"
	cp -r "$MNT/src" "$MNT/dst"
	[ "$(stat_get in_flight_peak)" -ge 50 ] || fail "at most $(stat_get in_flight_peak) in flight"
}

test_metadata() {
	fresh
	echo text >text
	s3 put "$BUCKET" src/a text type=text/markdown colour=blue
	s3 put "$BUCKET" src/b text type=application/json x=1 y=2
	cp -r "$MNT/src" "$MNT/dst"
	same_objects src dst --meta
	grep -q '"colour": "blue"' ls.2 || fail "the comparison compares nothing"
}

test_nested_tree() {
	local i
	fresh
	{
		for ((i = 0; i < 300; i++)); do
			echo "src/d$((i % 7))/e$((i % 5))/f$i $((i % 50))"
		done
		echo 'src/top 3'
		echo 'src/d0/a/b/c/d/e/deep 4'
		echo 'src/zz/last 5'
	} | s3 puts "$BUCKET"
	assert_exit 0 cp -r "$MNT/src" "$MNT/dst"
	same_objects src dst
	assert_eq 303 "$(find "$MNT/dst" -type f | wc -l)" "files through the mount"
	diff -r "$MNT/src" "$MNT/dst" || fail "contents"
}

test_empty_directories_and_files() {
	fresh
	mkdir -p "$MNT/src/empty" "$MNT/src/a/hollow" "$MNT/src/z-last-and-empty"
	: >"$MNT/src/nothing"
	: >"$MNT/src/a/nothing"
	echo x >"$MNT/src/a/x"
	cp -r "$MNT/src" "$MNT/dst"
	same_objects src dst
	remount "$BUCKET"
	(cd "$MNT/src" && find . | LC_ALL=C sort) >one
	(cd "$MNT/dst" && find . | LC_ALL=C sort) >two
	assert_same one two "trees"
	mkdir "$MNT/only-empty"
	cp -r "$MNT/only-empty" "$MNT/copy-of-empty"
	remount "$BUCKET"
	[ -d "$MNT/copy-of-empty" ] || fail "the copy of an empty directory is gone"
}

test_odd_names() {
	local name
	fresh
	mkdir "$MNT/src"
	for name in 'with space' 'a+b' '100%' '%41' '%2B' 'x&y&amp;' '<tag>' "q'\"q" 'ümläut' '漢字' \
		'a*b?c[d]' $'new\nline' $'cr\rx' $'tab\tx' 'back\slash' '#hash?query=1' 'a=b;c,d' '~' \
		'..x' $'\x07bell'; do
		printf '%s' "$name" >"$MNT/src/$name"
	done
	mkdir "$MNT/src/dir + & %20 ü"
	echo x >"$MNT/src/dir + & %20 ü/file"
	cp -r "$MNT/src" "$MNT/dst + %"
	s3 ls "$BUCKET" src/ --files >one
	s3 ls "$BUCKET" 'dst + %/' --files >two
	assert_eq 21 "$(wc -l <one)" "objects in src"
	assert_same one two "objects differ"
}

test_large_file() {
	fresh
	mkdir "$MNT/src"
	head -c 12582913 /dev/urandom >big
	cp big "$MNT/src/big"
	[ "$SERVER" != s3d ] || stats_reset
	cp -r "$MNT/src" "$MNT/dst"
	if [ "$SERVER" = s3d ]; then
		assert_eq 0 "$(stat_get GetObject)" "GetObject"
		assert_eq 0 "$(stat_get UploadPart)" "UploadPart"
	fi
	s3 get "$BUCKET" dst/big | cmp big - || fail "in S3"
	cmp big "$MNT/dst/big" || fail "through the mount"
	assert_eq "" "$(s3 uploads "$BUCKET")" "uploads left open"
}

test_into_existing_directory() {
	fresh
	put_objects src 50 10
	mkdir "$MNT/there"
	echo keep >"$MNT/there/keep"
	cp -r "$MNT/src" "$MNT/there"
	same_objects src there/src
	assert_eq keep "$(cat "$MNT/there/keep")" "what was there"
}

test_twice() {
	fresh
	put_objects src 100 10
	cp -r "$MNT/src" "$MNT/dst"
	echo changed >changed
	s3 put "$BUCKET" src/f000005 changed
	s3 put "$BUCKET" dst/f000007 changed
	remount "$BUCKET"
	assert_exit 0 cp -rT "$MNT/src" "$MNT/dst"
	same_objects src dst
	assert_eq changed "$(cat "$MNT/dst/f000005")" "overwritten"
}

test_single_file() {
	fresh
	put_objects d 1 500
	[ "$SERVER" != s3d ] || stats_reset
	cp "$MNT/d/f000000" "$MNT/d/copy"
	[ "$SERVER" != s3d ] || assert_eq 1 "$(stat_get CopyObject)" "CopyObject"
	[ "$SERVER" != s3d ] || assert_eq 0 "$(stat_get GetObject)" "GetObject"
	s3 get "$BUCKET" d/f000000 >one
	s3 get "$BUCKET" d/copy >two
	assert_same one two "content"
}

test_several_sources() {
	fresh
	put_objects a 30 10
	put_objects b 30 10
	echo c >"$MNT/c"
	mkdir "$MNT/dst"
	cp -r "$MNT/a" "$MNT/b" "$MNT/c" "$MNT/dst"
	same_objects a dst/a
	same_objects b dst/b
	assert_eq c "$(s3 get "$BUCKET" dst/c)" "the single file"
}

test_visible_at_once() {
	# Contract C6: what cp has made is seen by the next command.
	fresh
	put_objects src 200 20
	cp -r "$MNT/src" "$MNT/dst" && cat "$MNT"/dst/* | wc -c >n
	assert_eq 4000 "$(cat n)" "bytes"
	cp -r "$MNT/dst" "$MNT/again"
	same_objects src again
}

test_copy_then_remove_source() {
	fresh
	put_objects src 500 20
	s3 ls "$BUCKET" src/ --files >before
	cp -r "$MNT/src" "$MNT/dst" && rm -r "$MNT/src"
	s3 ls "$BUCKET" dst/ --files >after
	assert_same before after "the copy after the source was removed"
	assert_eq "" "$(s3 ls "$BUCKET" src)" "the source in S3"
}

# Contract C7: the version that was listed, or an error; never silently another one. The copy of
# the first is held, so that another version comes after the listing and before its copy.
test_source_changed() {
	local cp
	need s3d
	fresh
	put_objects src 20 10
	remount_patient "$BUCKET"
	hold CopyObject dst/f000000
	cp -r "$MNT/src" "$MNT/dst" 2>said &
	cp=$!
	wait_held dst/f000000
	echo other >other
	s3 put "$BUCKET" src/f000010 other
	let_go
	RC=0
	wait "$cp" || RC=$?
	cat said
	assert_eq 1 "$RC" "exit code of cp"
	grep -q 'Stale file handle' said || fail "cp does not say why"
	assert_eq 19 "$(count_objects dst/)" "copies"
	! in_s3 dst/f000010 || fail "a version that nobody has seen was copied"
	[ ! -e "$MNT/dst/f000010" ] || fail "it is visible"
	# Who looks again sees the new one, and can copy it.
	mount_fs "$BUCKET"
	assert_exit 0 cp "$MNT/src/f000010" "$MNT/dst"
	assert_eq other "$(s3 get "$BUCKET" dst/f000010)" "the copy"
}

test_two_at_once() {
	fresh
	put_objects a 300 10
	put_objects b 300 10
	cp -r "$MNT/a" "$MNT/a2" &
	local first=$!
	cp -r "$MNT/b" "$MNT/b2"
	wait $first
	same_objects a a2
	same_objects b b2
}

test_memory() {
	need s3d
	fresh
	put_objects src 2000 100
	cp -r "$MNT/src" "$MNT/dst"
	local peak
	peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$DAEMON_PID/status")
	note "peak $peak kB"
	# Sanitizers multiply it; the limit is for the plain program.
	if ! grep -qE 'lib(asan|tsan|clang_rt)' "/proc/$DAEMON_PID/maps" &&
		! grep -qa '__asan_init\|__tsan_init' "$S3BULKFS"; then
		assert_le "$peak" 40000 "peak memory in kB"
	fi
}

run_tests "$@"
