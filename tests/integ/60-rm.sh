#!/bin/bash
# tests/integ/60-rm.sh: rm -r in the mount: batched deletes, counted, and nothing left in S3.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

nothing_left() { # nothing_left PREFIX
	assert_eq "" "$(s3 ls "$BUCKET" "$1" | head -n 5)" "left in S3 below $1"
}

test_removes_2000() {
	fresh
	put_objects d 2000 10
	remount_patient "$BUCKET"
	[ "$SERVER" != s3d ] || stats_reset
	assert_exit 0 rm -r "$MNT/d"
	if [ "$SERVER" = s3d ]; then
		assert_le "$(stat_get DeleteObjects)" 5 "DeleteObjects (4, and 1 for markers)"
		assert_eq 0 "$(stat_get DeleteObject)" "DeleteObject"
		assert_eq 0 "$(stat_get GetObject)" "GetObject"
		assert_le "$(stat_get ListObjectsV2)" 6 "ListObjectsV2"
	fi
	nothing_left d
	[ ! -e "$MNT/d" ] || fail "still visible"
}

test_all_done_at_exit() {
	# Contract C3: with slow deletes, nothing is in S3 any more when rm returns.
	need s3d
	start_s3d --latency-ms DeleteObjects=500
	put_objects d 1500 10
	mount_fs "$BUCKET"
	rm -r "$MNT/d"
	assert_eq 0 "$(ctl GET "dump?bucket=$BUCKET&prefix=d/" | wc -l)" "objects"
}

test_nested_tree() {
	local i
	fresh
	{
		for ((i = 0; i < 300; i++)); do
			echo "d/a$((i % 9))/b$((i % 4))/f$i 2"
		done
		echo 'd/x/y/z/deep 1'
		echo 'dd/stays 1'
		echo 'd.stays 1'
	} | s3 puts "$BUCKET"
	mkdir -p "$MNT/d/empty/inner"
	assert_exit 0 rm -r "$MNT/d"
	nothing_left d/
	in_s3 dd/stays || fail "removed dd/"
	in_s3 d.stays || fail "removed d.stays"
}

test_copied_tree() {
	fresh
	put_objects src 300 10
	cp -r "$MNT/src" "$MNT/dst"
	rm -r "$MNT/dst"
	nothing_left dst
	assert_eq 300 "$(count_objects src/)" "the source"
}

test_missing() {
	fresh
	assert_exit 0 rm -rf "$MNT/none"
	assert_fails 'No such file' rm -r "$MNT/none"
}

test_files() {
	fresh
	put_objects d 20 10
	rm "$MNT/d/f000003"
	! in_s3 d/f000003 || fail "still in S3"
	rm "$MNT"/d/f00000?
	assert_eq 10 "$(count_objects d/)" "objects"
	assert_eq 10 "$(ls "$MNT/d" | wc -l)" "names"
	rm -f "$MNT"/d/*
	assert_eq 0 "$(count_objects d/)" "objects"
	[ -d "$MNT/d" ] || fail "the directory went with its last file"
}

test_odd_names() {
	fresh
	mkdir "$MNT/d"
	for name in 'with space' 'a+b' '100%' '%41' 'x&y&amp;' '<tag>' "q'\"q" 'ümläut' '漢字' 'a*b?' \
		$'new\nline' $'cr\rx' $'tab\tx' 'back\slash' '#hash' $'\x07bell' $'\x01' ']]>'; do
		printf '%s' "$name" >"$MNT/d/$name"
	done
	assert_eq 18 "$(count_objects d/)" "objects"
	assert_exit 0 rm -r "$MNT/d"
	nothing_left d
}

test_again() {
	# A name that was removed can be made again at once.
	fresh
	put_objects src 50 10
	cp -r "$MNT/src" "$MNT/d"
	rm -r "$MNT/d"
	cp -r "$MNT/src" "$MNT/d"
	same_objects src d
	rm -r "$MNT/d"
	mkdir "$MNT/d"
	assert_eq 0 "$(ls "$MNT/d" | wc -l)" "names"
}

test_two_at_once() {
	fresh
	put_objects a 500 10
	put_objects b 500 10
	put_objects c 5 10
	rm -r "$MNT/a" &
	local first=$!
	rm -r "$MNT/b"
	wait $first
	nothing_left a/
	nothing_left b/
	assert_eq 5 "$(count_objects c/)" "what was not removed"
}

run_tests "$@"
