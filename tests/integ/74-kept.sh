#!/bin/bash
# tests/integ/74-kept.sh: what a name has goes where the name goes: the content of a directory's
# marker, the metadata of an empty file, the directory that the last one has left, a link that S3
# has refused to remove.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

CTL=$(dirname "$S3BULKFS")/s3bulkfsctl

# The content of the object KEY, of the bucket or of another.
holds() { # holds KEY [BUCKET]
	assert_eq 1234 "$(s3 get "${2:-$BUCKET}" "$1")" "content of the object $1"
}

# What S3 says of an object, but for the time that mv sets.
shown() {
	s3 show "$BUCKET" "$1" | grep -v '^meta.mtime ' | paste -sd' '
}

two_mounts() { # the bucket on one/, the bucket `other` on two/
	local t
	s3 mkbucket other
	mkdir one two
	for t in "$BUCKET one" "other two"; do
		"$S3BULKFS" -o "endpoint_url=$S3_ENDPOINT" "${t% *}" "$WORK/${t#* }"
		MOUNTS+=("$WORK/${t#* }")
	done
}

marker_with_content() {
	echo 1234 >content
	s3 put "$BUCKET" s/ content
}

test_content_of_a_marker_moved() {
	start_server
	marker_with_content
	two_mounts
	assert_exit 0 mv one/s two/
	holds s/ other
	! in_s3 s/ || fail "the source is still there"
	umount two one
	mount_fs other rename_limit=2
	put_in_other 3
	assert_exit 0 mv "$MNT/s" "$MNT/k"
	holds k/ other
}

put_in_other() { # put_in_other COUNT
	BUCKET=other put_objects s "$1" 10
}

test_content_of_a_marker_copied() {
	fresh
	marker_with_content
	assert_exit 0 cp -a "$MNT/s" "$MNT/k"
	holds k/
	mkdir local
	echo 1234 >local/%:
	assert_exit 0 cp -a local "$MNT/"
	holds local/
}

test_content_of_a_marker_and_modes() {
	fresh
	mkdir "$MNT/n"
	echo 1234 >"$MNT/n/%:"
	holds n/
	assert_exit 0 chmod 700 "$MNT/n"
	holds n/
	assert_exit 0 "$CTL" run --mount "$MNT" \
		sh -c "mkdir '$MNT/r' && echo 1234 >'$MNT/r/%:' && chmod 700 '$MNT/r'"
	holds r/
	remount "$BUCKET"
	assert_eq '700 700' "$(stat -c %a "$MNT/n" "$MNT/r" | paste -sd' ')" modes
	assert_eq 1234 "$(cat "$MNT/n/%:")" "the file"
}

test_move_of_an_empty_file() {
	# The file that was copied before it has been removed meanwhile; it is not the source.
	start_server
	printf 'd/1 1\nd/2 1\nd/3 0\ne 0\nold/ 0\n' | s3 puts "$BUCKET"
	mount_fs "$BUCKET" rename_limit=2
	assert_exit 0 sh -c "cd '$MNT' && mv d e old"
	assert_eq "d/1 d/2 d/3 e" "$(s3 ls "$BUCKET" old/ --files | cut -f1 | paste -sd' ')" "moved"
}

test_metadata_of_an_empty_file() {
	start_server
	: >empty
	s3 put "$BUCKET" e empty me=1 type=text/css
	printf 'd/1 1\nd/2 1\nn/ 0\n' | s3 puts "$BUCKET"
	mount_fs "$BUCKET" rename_limit=1
	assert_exit 0 sh -c "cd '$MNT' && mv d e n"
	assert_eq 'ContentType text/css meta.me 1' "$(shown n/e)" metadata
}

# The first copy between two mounts is of an empty file.
test_metadata_of_an_empty_file_between_mounts() {
	start_server
	: >empty
	s3 put "$BUCKET" s/e empty me=1 type=text/css
	two_mounts
	assert_exit 0 mv one/s two/
	assert_eq 'ContentType text/css meta.me 1' "$(BUCKET=other shown s/e)" metadata
	! in_s3 s/e || fail "the source is still there"
}

# S3 does not copy between the two: then it is put.
test_empty_file_where_nothing_is_copied() {
	need s3d
	start_server
	: >empty
	s3 put "$BUCKET" s/e empty
	two_mounts
	fault '{"op":"CopyObject","key":"s/*","status":403,"code":"AccessDenied"}'
	assert_exit 0 cp -r one/s two/
	faults_clear
	assert_eq 1 "$(s3 ls other s/ --files | wc -l)" "objects"
}

test_last_directory_moved_out() {
	fresh
	put_objects n/e 3 10
	mkdir "$MNT/o"
	assert_exit 0 mv "$MNT/n/e" "$MNT/o/"
	in_s3 n/ || fail "n is not in S3"
	mkdir -p "$MNT/s/d"
	echo 1 >"$MNT/s/d/f"
	assert_exit 0 cp -r "$MNT/s" "$MNT/m"
	assert_exit 0 mv "$MNT/m/d" "$MNT/o/"
	[ -d "$MNT/m" ] || fail "m is not visible"
	in_s3 m/ || fail "m is visible and not in S3"
	# No marker where something is left.
	put_objects p/e 2 10
	put_objects p/f 2 10
	assert_exit 0 mv "$MNT/p/e" "$MNT/o/e2"
	! in_s3 p/ || fail "p has a marker that nobody needs"
}

# What a run has made can be renamed in it, and has its markers where it is then.
test_rename_in_a_run() {
	fresh
	put_objects d 5 5
	assert_exit 0 "$CTL" run --mount "$MNT" sh -c "cd '$MNT' && mkdir a && mv a b &&
		cp -r d c && mkdir c/sub && mv c e && mkdir x x/y && mv x/y z"
	assert_eq "b/ d/f000000 e/f000000 e/sub/ x/ z/" "$(s3 ls "$BUCKET" | cut -f1 |
		grep -v 'f00000[1-9]' | paste -sd' ')" "keys"
	assert_eq "b d e x z" "$(ls "$MNT" | paste -sd' ')" "names"
}

test_link_that_is_not_removed() {
	need s3d
	start_server
	mount_fs "$BUCKET" metadata_ttl=0
	mkdir -p "$MNT/d/s"
	for i in 1 2 3; do
		echo 1 | tee "$MNT/d/f$i" >"$MNT/d/s/x$i"
	done
	ln -s target "$MNT/d/l"
	deny_delete d/l
	assert_exit 1 rm -r "$MNT/d"
	faults_clear
	ls -l "$MNT/d" >listing
	[ -L "$MNT/d/l" ] || fail "it is a file now: $(cat listing)"
	assert_eq target "$(readlink "$MNT/d/l")" "where it points to"
	assert_exit 0 rm -r "$MNT/d"
	# Another file of that name, with that content, is no link.
	printf target >target
	s3 put "$BUCKET" d/l target
	ls -l "$MNT/d" >/dev/null
	assert_eq 'regular file' "$(stat -c %F "$MNT/d/l")" "what others have put there"
}

test_link_that_is_not_changed() {
	need s3d
	fresh
	mkdir "$MNT/d"
	ln -s target "$MNT/d/l"
	fault '{"op":"PutObject","key":"d/l","status":403,"code":"AccessDenied"}'
	assert_exit 1 touch -h -d @1234567890 "$MNT/d/l"
	faults_clear
	ls -l "$MNT/d" >/dev/null
	assert_eq target "$(readlink "$MNT/d/l")" "where it points to"
}

# The directory DIR, whose marker has no content any more, is still there, as it was.
stays() { # stays DIR MODE
	assert_eq 0 "$(s3 head "$BUCKET" "$1/" | cut -d' ' -f1)" "size of $1/"
	remount "$BUCKET"
	assert_eq "$2" "$(stat -c %a "$MNT/$1")" "mode of $1"
	assert_eq '' "$(ls "$MNT/$1")" "what is in $1"
}

test_content_of_a_marker_removed() {
	local mode
	fresh
	marker_with_content
	for mode in 700 710 770; do
		mkdir -p "$MNT/n"
		echo 1234 >"$MNT/n/%:"
		chmod $mode "$MNT/n"
		remount "$BUCKET"
		if [ $mode = 700 ]; then
			assert_exit 0 rm "$MNT/n/%:"
		elif [ $mode = 770 ]; then
			assert_exit 0 unlink "$MNT/n/%:"
		else
			assert_exit 0 mv "$MNT/n/%:" "$MNT/s/m"
			holds s/m
		fi
		stays n $mode
	done
	assert_exit 0 "$CTL" run --mount "$MNT" rm "$MNT/s/%:" "$MNT/s/m"
	stays s 755
	echo 1234 >"$MNT/s/%:"
	assert_exit 0 rm -r "$MNT/s" "$MNT/n"
	assert_eq '' "$(s3 ls "$BUCKET")" "what is left"
}

run_tests "$@"
