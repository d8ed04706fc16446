#!/bin/bash
# tests/integ/20-list.sh: listings: names, sizes, times, trees, page boundaries, what they cost.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# Keys as they are percent-encoded for s3.py; every one is one file below odd/.
odd_keys() {
	cat <<-'EOF'
		with%20space
		plus%2Bplus
		percent%25percent
		%2525
		amp%26amp%3Bamp
		less%3Cgreater%3E
		quote%22single%27
		star%2A%3F%5B%5D
		%24HOME%60id%60
		back%5Cslash
		semi%3Bcolon%3A%40%3D%2C%23
		tilde~%21%28%29
		%C3%BCml%C3%A4ut
		%E6%BC%A2%E5%AD%97
		%F0%9F%98%80
		new%0Aline
		carriage%0Dreturn
		tab%09tab
		bell%07
		-dash
		.hidden
		..dots
		%20
	EOF
}

encoded_names() { # encoded_names DIR: the names in it, percent-encoded, sorted
	/usr/bin/python3 - "$1" <<-'EOF'
		import os, sys, urllib.parse
		for n in sorted(os.listdir(os.fsencode(sys.argv[1]))):
		    print(urllib.parse.quote(n, safe=""))
	EOF
}

test_tree() {
	fresh
	printf '%s\n' 'a/1 10' 'a/2 0' 'a/b/3 5' 'a/b/c/4 7' 'z 1' 'a.x 2' | s3 puts "$BUCKET"
	assert_eq "a a.x z" "$(ls "$MNT" | tr '\n' ' ' | sed 's/ $//')" "root"
	assert_eq "1 2 b" "$(ls "$MNT/a" | tr '\n' ' ' | sed 's/ $//')" "a"
	(cd "$MNT" && find . | LC_ALL=C sort) >found
	printf '%s\n' . ./a ./a.x ./a/1 ./a/2 ./a/b ./a/b/3 ./a/b/c ./a/b/c/4 ./z |
		LC_ALL=C sort >expected
	assert_same expected found "find"
	assert_eq 25 "$(find "$MNT" -type f -printf '%s\n' | awk '{n += $1} END {print n}')" "bytes"
	ls -lR "$MNT" >long
	grep -q ' 10 .* 1$' long || fail "ls -l shows no size"
	[ -d "$MNT/a/b" ] && [ -f "$MNT/a/b/3" ] && [ ! -e "$MNT/a/none" ]
}

test_attributes() {
	local now mtime
	fresh
	printf 'd/five 5\nd/empty 0\n' | s3 puts "$BUCKET"
	now=$(date +%s)
	mtime=$(stat -c %Y "$MNT/d/five")
	[[ $((now - mtime)) -lt 120 && $((mtime - now)) -lt 120 ]] || fail "mtime is $mtime"
	assert_eq 5 "$(stat -c %s "$MNT/d/five")" "size"
	# Fewer blocks than bytes would make cp take the file for a sparse one.
	assert_eq 1 "$(($(stat -c %b "$MNT/d/five") * 512 >= 5))" "blocks"
	assert_eq 0 "$(stat -c %s "$MNT/d/empty")" "size of the empty file"
	assert_eq "$(id -u):$(id -g)" "$(stat -c %u:%g "$MNT/d/five")" "owner"
	assert_eq "regular file" "$(stat -c %F "$MNT/d/five")" "type"
	assert_eq "directory" "$(stat -c %F "$MNT/d")" "type"
	df "$MNT"
}

test_page_boundaries() {
	local n total=0 counts='999 1000 1001'
	[ "$SERVER" != s3d ] || counts="$counts 2000 2001 10001"
	start_server
	for n in $counts; do
		put_objects "n$n" "$n" 1
	done
	mount_fs "$BUCKET"
	for n in $counts; do
		total=$((total + n))
		assert_eq "$n" "$(ls -U "$MNT/n$n" | wc -l)" "names of n$n"
		assert_eq "$n" "$(ls "$MNT/n$n" | sort -u | wc -l)" "different names of n$n"
	done
	assert_eq $total "$(find "$MNT" -type f | wc -l)" "files"
}

test_many_directories() {
	local i
	fresh
	for ((i = 0; i < 1100; i++)); do
		printf 'dirs/d%04d/file 3\n' $i
	done | s3 puts "$BUCKET"
	assert_eq 1100 "$(ls "$MNT/dirs" | wc -l)" "directories"
	assert_eq 1100 "$(find "$MNT/dirs" -type f | wc -l)" "files"
}

test_no_head_per_file() {
	need s3d
	start_s3d
	put_objects d 2000 10
	mount_fs "$BUCKET"
	remount_patient "$BUCKET"
	stats_reset
	ls -lR "$MNT" >long
	assert_eq 2000 "$(grep -c '^-' long)" "files listed"
	assert_eq 0 "$(stat_get GetObject)" "GetObject"
	assert_le "$(stat_get HeadObject)" 1 "HeadObject"
	assert_le "$(stat_get ListObjectsV2)" 4 "ListObjectsV2"
}

test_odd_names() {
	fresh
	odd_keys | sed 's|^\(.*\)$|odd/\1 4|' | s3 puts "$BUCKET"
	odd_keys | LC_ALL=C sort | /usr/bin/python3 -c '
import sys, urllib.parse as u
for k in sorted(u.unquote_to_bytes(l) for l in sys.stdin.read().splitlines()):
    print(u.quote(k, safe=""))' >expected
	encoded_names "$MNT/odd" >found
	assert_same expected found "odd names"
	# And each can be opened and holds what was put.
	assert_eq "$(($(odd_keys | wc -l) * 4))" \
		"$(find "$MNT/odd" -type f -print0 | xargs -0 cat | wc -c)" "bytes of all"
}

test_inodes_rise_with_readdir() {
	fresh
	put_objects d 1500 1
	/usr/bin/python3 - "$MNT/d" <<-'EOF'
		import os, sys
		entries = list(os.scandir(sys.argv[1]))
		inodes = [e.inode() for e in entries]
		assert len(inodes) == 1500, len(inodes)
		assert inodes == sorted(inodes), "not in inode order"
		assert len(set(inodes)) == 1500, "inodes are not unique"
		for e in entries[:20]:
		    assert os.stat(e.path).st_ino == e.inode(), e.name
	EOF
}

test_change_from_outside() {
	# After the caches' time at the latest; a new mount sees it at once.
	fresh
	put_objects d 3 1
	assert_eq 3 "$(ls "$MNT/d" | wc -l)" "before"
	s3 put "$BUCKET" d/new
	remount "$BUCKET"
	assert_eq 4 "$(ls "$MNT/d" | wc -l)" "after"
}

test_absent() {
	fresh
	assert_fails 'No such file' stat "$MNT/nothing"
	assert_fails 'No such file' ls "$MNT/nothing/below"
	put_objects d 1 1
	assert_fails 'Not a directory' ls "$MNT/d/f000000/below"
}

test_refused_list() {
	need s3d
	fresh
	put_objects d 5 1
	fault '{"op":"ListObjectsV2","key":"*","status":403,"code":"AccessDenied"}'
	# Contract C10: refused is an error, never "not there" or "empty".
	assert_fails 'Permission denied' ls "$MNT/d"
	faults_clear
	assert_eq 5 "$(ls "$MNT/d" | wc -l)" "once it is allowed again"
}

test_transient_errors_of_lists() {
	need s3d
	start_s3d
	put_objects d 2500 1
	mount_fs "$BUCKET"
	fault '{"op":"ListObjectsV2","key":"*","status":503,"code":"SlowDown","times":2}'
	assert_eq 2500 "$(ls "$MNT/d" | wc -l)" "after SlowDown"
	remount "$BUCKET"
	faults_clear
	fault '{"op":"ListObjectsV2","key":"*","cut":3000,"times":2}'
	assert_eq 2500 "$(ls "$MNT/d" | wc -l)" "after cut bodies"
	remount "$BUCKET"
	faults_clear
	fault '{"op":"ListObjectsV2","key":"*","in200":true,"code":"InternalError","times":2}'
	assert_eq 2500 "$(ls "$MNT/d" | wc -l)" "after errors in a 200"
}

run_tests "$@"
