#!/bin/bash
# Modes, owners and times: kept in S3 with the object, as the metadata that s3fs uses.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

local_file() {
	echo content >local
	chmod 640 local
	touch -d '2001-02-03 04:05:06.5 UTC' local
}

test_cp_p_from_outside() {
	fresh
	local_file
	assert_exit 0 cp -p local "$MNT/file"
	assert_eq "640 981173106.500000000" "$(stat -c '%a %.9Y' "$MNT/file")" "as it was set"
	remount "$BUCKET"
	assert_eq "640 981173106.500000000" "$(stat -c '%a %.9Y' "$MNT/file")" "after a new mount"
	assert_eq content "$(cat "$MNT/file")" content
}

test_chmod_chown_touch() {
	fresh
	echo x >"$MNT/file"
	assert_exit 0 chmod 751 "$MNT/file"
	assert_exit 0 chown 12:34 "$MNT/file"
	assert_exit 0 touch -d '2010-01-01 UTC' "$MNT/file"
	remount "$BUCKET"
	assert_eq "751 12 34 1262304000" "$(stat -c '%a %u %g %Y' "$MNT/file")" "after a new mount"
	assert_eq x "$(cat "$MNT/file")" content
}

test_other_metadata_survives() {
	fresh
	echo '<p>' >page
	s3 put "$BUCKET" page.html page type=text/html author=me
	assert_exit 0 chmod 600 "$MNT/page.html"
	s3 ls "$BUCKET" page.html --meta >after
	grep -q 'text/html' after || fail "the content type has gone: $(cat after)"
	grep -q '"author": "me"' after || fail "user metadata has gone: $(cat after)"
	grep -q '"mode": "33152"' after || fail "the mode is not in S3: $(cat after)"
}

test_cp_a() {
	fresh
	mkdir -p "$MNT/src/sub/empty"
	for i in 1 2 3 4 5; do echo "$i" >"$MNT/src/sub/$i"; done
	chmod 600 "$MNT/src/sub/3"
	touch -d '2005-05-05 UTC' "$MNT/src/sub/4" "$MNT/src/sub"
	assert_exit 0 cp -a "$MNT/src" "$MNT/dst"
	assert_eq 600 "$(stat -c %a "$MNT/dst/sub/3")" mode
	assert_eq 1115251200 "$(stat -c %Y "$MNT/dst/sub/4")" "time of a file"
	assert_eq 1115251200 "$(stat -c %Y "$MNT/dst/sub")" "time of a directory"
	assert_exit 0 diff -r "$MNT/src" "$MNT/dst"
}

test_cp_a_in_bulk_and_refused() {
	need s3d
	fresh
	put_objects src 300 10
	stats_reset
	assert_exit 0 cp -a "$MNT/src" "$MNT/dst"
	assert_eq 300 "$(stat_get CopyObject)" CopyObject
	assert_eq 0 "$(stat_get GetObject)" GetObject
	fault '{"op":"CopyObject","key":"no/*7","status":403,"code":"AccessDenied"}'
	assert_exit 1 cp -a "$MNT/src" "$MNT/no"
	faults_clear
	assert_eq 270 "$(find "$MNT/no" -type f | wc -l)" "files that were copied"
}

test_tar_and_python() {
	fresh
	mkdir -p tree/sub
	local_file
	cp -p local tree/sub/a
	echo b >tree/b
	tar c tree | tar x -C "$MNT" || fail "tar x"
	assert_eq "640 981173106" "$(stat -c '%a %Y' "$MNT/tree/sub/a")" "by tar"
	python3 - "$MNT" <<-'P' || fail "shutil"
		import shutil, sys
		m = sys.argv[1]
		shutil.copytree(m + "/tree", m + "/copy")
		shutil.rmtree(m + "/tree")
	P
	assert_eq "640 981173106" "$(stat -c '%a %Y' "$MNT/copy/sub/a")" "by copytree"
	[ ! -e "$MNT/tree" ] || fail "rmtree left something"
}

run_tests "$@"
