#!/bin/bash
# tests/integ/25-flat.sh: walks through many directories are listed flat: what they cost, and that
# what they see is what is there.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

seed_dirs() { # seed_dirs PREFIX FILES DIRECTORIES
	ctl POST seed "{\"bucket\":\"$BUCKET\",\"prefix\":\"$1/\",\"count\":$2,\"size\":3,
		\"dirs\":$3}" >/dev/null
}

# lists MOST COMMAND...: on a new mount (@/ in the words) it succeeds with at most so many
# ListObjectsV2; its output is the file `out`.
lists() {
	local most=$1
	shift
	remount_patient "$BUCKET"
	set -- "${@/#@/$MNT}"
	stats_reset
	"$@" >out
	note "$1: $(stat_get ListObjectsV2) lists, $(stat_get HeadObject) heads"
	assert_le "$(stat_get ListObjectsV2)" "$most" "ListObjectsV2 of $*"
	assert_le "$(stat_get HeadObject)" 4 "HeadObject of $*"
}

test_10000_files_in_1000_directories() {
	need s3d
	start_s3d
	seed_dirs t 10000 1000
	mount_fs "$BUCKET"
	lists 15 find "@/t" -type f
	assert_eq 10000 "$(wc -l <out)" "files found"
	lists 15 du -a "@/t"
	assert_eq 11001 "$(wc -l <out)" "lines of du"
	lists 15 ls -lR "@/t"
	assert_eq 10000 "$(grep -c '^-' out)" "files listed"
	lists 15 cp -r "@/t" "@/u"
	same_objects t u
	lists 15 rm -r "@/u"
	assert_eq 0 "$(count_objects u/)" "objects left"
	assert_eq 10000 "$(count_objects t/)" "objects of the source"
}

test_deep_and_wide() {
	# Directories whose ends are far, with files before, between and behind their directories.
	local i j
	need s3d
	start_s3d
	for i in a b c d; do
		for j in p q r; do
			seed_dirs "t/top/$i/$j" 1500 150
			put_objects "t/top/$i/$j/many" 2500 1
		done
		put_objects "t/top/$i" 1200 1
	done
	mount_fs "$BUCKET"
	lists 120 find "@/t" -type f -printf '%P\n'
	LC_ALL=C sort out >found
	s3 ls "$BUCKET" t/ --files | cut -f1 | LC_ALL=C sort >expected
	assert_eq 52800 "$(wc -l <found)" "files"
	assert_same expected found "find"
}

test_prune() {
	need s3d
	start_s3d
	seed_dirs t/a 20000 40
	seed_dirs t/b 20000 40
	seed_dirs t/c 20000 40
	mount_fs "$BUCKET"
	# Three directories are listed of 120; all are 60 pages.
	lists 20 find "@/t" -mindepth 2 -prune
	assert_eq 120 "$(wc -l <out)" "names"
	lists 6 ls "@/t/b"
	lists 6 ls -l "@/t/b/d0003"
}

test_pruned_in_the_middle() {
	# Every second directory is left out: no more requests than directories that are read.
	local i
	need s3d
	start_s3d
	for ((i = 0; i < 30; i++)); do
		seed_dirs "t/skip$i" 3000 10
		seed_dirs "t/take$i" 20 2
	done
	mount_fs "$BUCKET"
	lists 130 find "@/t" -name 'skip*' -prune -o -type f -print
	assert_eq 600 "$(wc -l <out)" "files"
}

test_odd_keys() {
	need s3d
	start_s3d
	printf '%s 4\n' t/a t/a/b t/a/b/c t/a-b/x t/a.b/y t/a0/z t//e t//e/f t/a//g t/./h t/../i \
		t/%C3%A4/j t/%20/k t/a%2Bb/l t/%25/m t/n%0A/o t/a/~ t/a~/p t/%01/q t/%3A/r \
		t/s/marked/ t/a/b/d t/a/bb t/Z/u t/z/u/v/w/x/y | s3 puts "$BUCKET"
	s3 put "$BUCKET" t/empty/
	mount_fs "$BUCKET"
	lists 15 find "@/t" -printf '%y %P\n'
	LC_ALL=C sort out >flat
	# The same, each directory by a process of its own, which is no walk.
	remount "$BUCKET"
	by_one() { # by_one DIR: what is below it
		local n names
		names=$(mktemp -p "$WORK")
		find "$1" -mindepth 1 -maxdepth 1 -printf '%y %p\0' >"$names"
		while IFS= read -r -d '' n; do
			printf '%s %s\n' "${n:0:1}" "${n#? "$MNT/t/"}"
			[ "${n:0:1}" = f ] || (by_one "${n:2}")
		done <"$names"
	}
	{
		echo 'd '
		by_one "$MNT/t"
	} | LC_ALL=C sort >single
	assert_same single flat "flat and one by one"
	grep -q ' %=a$' flat || fail "the file a beside the directory a is missing"
	cp -r "$MNT/t" "$MNT/u"
	assert_eq "$(count_objects t/)" "$(count_objects u/)" "objects copied"
	rm -r "$MNT/u" "$MNT/t"
	assert_eq 0 "$(count_objects '')" "objects left"
}

test_changes_under_way() {
	# While pages are under way names are removed, made and overwritten here.
	local pid
	need s3d
	start_s3d --latency-ms ListObjectsV2=60
	seed_dirs t 6000 600
	mount_fs "$BUCKET"
	find "$MNT/t" -type f >walked &
	pid=$!
	rm -r "$MNT/t/d0100" "$MNT/t/d0400" "$MNT/t/d0599"
	mkdir "$MNT/t/d0400" "$MNT/t/d0300/new"
	echo 12345 >"$MNT/t/d0400/f"
	echo 12345 >"$MNT/t/d0300/new/f"
	mv "$MNT/t/d0200/f002000" "$MNT/t/d0200/moved"
	wait $pid || note "find missed what was removed before it came there"
	(cd "$MNT" && find t -type f -printf '%p %s\n') | LC_ALL=C sort >here
	s3 ls "$BUCKET" t/ --files | awk '{print "t/" $1, $2}' | LC_ALL=C sort >there
	assert_same there here "names and sizes"
	assert_eq 5972 "$(wc -l <here)" "files"
	[ ! -e "$MNT/t/d0100" ] || fail "d0100 came back"
	[ ! -e "$MNT/t/d0599" ] || fail "d0599 came back"
}

test_two_walks() {
	need s3d
	start_s3d
	seed_dirs a 5000 500
	seed_dirs b 5000 500
	mount_fs "$BUCKET"
	remount_patient "$BUCKET"
	stats_reset
	find "$MNT/a" -type f >out.a &
	find "$MNT/b" -type f >out.b
	wait $!
	assert_eq 5000 "$(wc -l <out.a)" "files of a"
	assert_eq 5000 "$(wc -l <out.b)" "files of b"
	assert_le "$(stat_get ListObjectsV2)" 24 "ListObjectsV2"
}

run_tests "$@"
