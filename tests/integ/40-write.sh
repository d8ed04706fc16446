#!/bin/bash
# tests/integ/40-write.sh: writing, renaming and removing single files and directories.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

test_small_files() {
	fresh
	echo hello >"$MNT/one"
	assert_eq hello "$(s3 get "$BUCKET" one)" "in S3"
	assert_eq hello "$(cat "$MNT/one")" "through the mount"
	assert_eq 6 "$(stat -c %s "$MNT/one")" "size"
	printf 'a\nb\n' | cat >"$MNT/two"
	assert_eq 4 "$(s3 get "$BUCKET" two | wc -c)" "in S3"
	: >"$MNT/empty"
	assert_eq 0 "$(s3 get "$BUCKET" empty | wc -c)" "empty file in S3"
	in_s3 empty || fail "the empty file is not in S3"
	touch "$MNT/touched"
	in_s3 touched || fail "the touched file is not in S3"
}

test_overwrite() {
	fresh
	echo first-and-longer >"$MNT/file"
	echo second >"$MNT/file"
	assert_eq second "$(cat "$MNT/file")" "through the mount"
	assert_eq second "$(s3 get "$BUCKET" file)" "in S3"
	: >"$MNT/file"
	assert_eq 0 "$(stat -c %s "$MNT/file")" "size after >"
	assert_eq 0 "$(s3 get "$BUCKET" file | wc -c)" "in S3 after >"
	echo third >"$MNT/file"
	truncate -s 0 "$MNT/file"
	assert_eq 0 "$(stat -c %s "$MNT/file")" "size after truncate"
	assert_eq 0 "$(s3 get "$BUCKET" file | wc -c)" "in S3 after truncate"
}

test_large_file() {
	fresh
	head -c 20971521 /dev/urandom >big
	dd if=big of="$MNT/big" bs=1M status=none
	cmp big "$MNT/big" || fail "through the mount"
	s3 get "$BUCKET" big | cmp big - || fail "in S3"
	assert_eq "" "$(s3 uploads "$BUCKET")" "uploads left open"
	# In small pieces, as tar and others write.
	dd if=big of="$MNT/pieces" bs=3000 count=3000 status=none
	head -c 9000000 big | cmp - "$MNT/pieces" || fail "written in small pieces"
}

test_copy_in_and_out() {
	fresh
	mkdir -p tree/a/b tree/empty
	head -c 100000 /dev/urandom >tree/a/one
	head -c 10 /dev/urandom >tree/a/b/two
	: >tree/a/b/three
	cp -r tree "$MNT/"
	diff -r tree "$MNT/tree" || fail "copied in"
	remount "$BUCKET"
	cp -r "$MNT/tree" back
	diff -r tree back || fail "copied out"
}

test_directories() {
	fresh
	mkdir "$MNT/d"
	[ -d "$MNT/d" ] || fail "no directory"
	assert_fails 'File exists' mkdir "$MNT/d"
	remount "$BUCKET"
	[ -d "$MNT/d" ] || fail "the empty directory is gone after a new mount"
	echo x >"$MNT/d/file"
	assert_fails 'not empty' rmdir "$MNT/d"
	in_s3 d/file || fail "rmdir removed a file"
	rm "$MNT/d/file"
	[ -d "$MNT/d" ] || fail "the directory went with its last file"
	rmdir "$MNT/d"
	[ ! -e "$MNT/d" ] || fail "still there"
	assert_eq "" "$(s3 ls "$BUCKET" d)" "left in S3"
	mkdir -p "$MNT/p/q/r"
	[ -d "$MNT/p/q/r" ]
	assert_fails 'No such file' rmdir "$MNT/none"
	assert_fails 'Not a directory' rmdir "$(echo x >"$MNT/f" && echo "$MNT/f")"
}

test_rmdir_sees_what_others_wrote() {
	fresh
	mkdir "$MNT/d"
	ls "$MNT/d"
	s3 put "$BUCKET" d/from-outside
	# It may answer from what it knows; what others wrote must not be lost for that.
	run rmdir "$MNT/d"
	in_s3 d/from-outside || fail "removed what was not listed"
	remount "$BUCKET"
	[ -e "$MNT/d/from-outside" ] || fail "not visible after a new mount"
}

test_unlink() {
	fresh
	echo x >"$MNT/file"
	rm "$MNT/file"
	[ ! -e "$MNT/file" ] || fail "still visible"
	! in_s3 file || fail "still in S3"
	assert_fails 'No such file' rm "$MNT/file"
}

test_last_file_of_implied_directory() {
	# A directory that is there only because of its keys stays when the last one goes.
	fresh
	printf 'd/only 3\n' | s3 puts "$BUCKET"
	rm "$MNT/d/only"
	[ -d "$MNT/d" ] || fail "the directory went with its last file"
	rmdir "$MNT/d"
}

test_rename_file() {
	fresh
	echo one >"$MNT/a"
	mv "$MNT/a" "$MNT/b"
	assert_eq one "$(cat "$MNT/b")" "renamed"
	[ ! -e "$MNT/a" ] || fail "the old name is still there"
	! in_s3 a || fail "the old key is still in S3"
	assert_eq one "$(s3 get "$BUCKET" b)" "in S3"
	echo two >"$MNT/c"
	mv "$MNT/c" "$MNT/b"
	assert_eq two "$(s3 get "$BUCKET" b)" "renamed over another"
	! in_s3 c || fail "the old key is still in S3"
	mkdir "$MNT/d"
	mv "$MNT/b" "$MNT/d/"
	assert_eq two "$(cat "$MNT/d/b")" "moved into a directory"
	assert_fails 'No such file' mv "$MNT/none" "$MNT/x"
}

test_rename_keeps_metadata() {
	fresh
	echo text >text
	s3 put "$BUCKET" a text type=text/markdown colour=blue
	mv "$MNT/a" "$MNT/b"
	s3 ls "$BUCKET" b --meta >meta
	grep -q '"colour": "blue"' meta || fail "user metadata lost: $(cat meta)"
	grep -q 'text/markdown' meta || fail "content type lost: $(cat meta)"
}

test_rename_refused() {
	fresh
	echo one >"$MNT/a"
	deny_copy b
	assert_fails 'Permission denied|denied' mv -T "$MNT/a" "$MNT/b"
	assert_eq one "$(s3 get "$BUCKET" a)" "the source"
	! in_s3 b || fail "the target is there"
}

test_rename_source_not_removed() {
	# Contract C9 the other way round: the copy is made, the removal is refused.
	fresh
	echo one >"$MNT/a"
	deny_delete a
	run mv "$MNT/a" "$MNT/b"
	[ "$RC" != 0 ] || fail "mv said that all is well"
	in_s3 a || fail "the source is gone"
	[ -e "$MNT/a" ] || fail "the source is in S3 and not visible"
}

test_odd_names() {
	local name
	fresh
	for name in 'with space' 'a+b' '100%' '%41' 'x&y' '<tag>' "q'\"q" 'ümläut' '漢字' 'a*b?c[d]' \
		$'new\nline' $'tab\tx' 'back\slash' '#hash' 'semi;colon=1,2' '~tilde'; do
		printf '%s' "$name" >"$MNT/$name"
		assert_eq "$name" "$(cat "$MNT/$name")" "content of $name"
		mv "$MNT/$name" "$MNT/$name.moved"
		assert_eq "$name" "$(cat "$MNT/$name.moved")" "content of $name after mv"
	done
	remount "$BUCKET"
	assert_eq 16 "$(find "$MNT" -type f -print0 | tr -dc '\0' | wc -c)" "files"
	rm "$MNT"/*
	assert_eq "" "$(s3 ls "$BUCKET" --files)" "left in S3"
}

test_upload_refused() {
	need s3d
	fresh
	fault '{"op":"PutObject","key":"small","status":403,"code":"AccessDenied"}'
	assert_fails 'denied|error' cp /etc/passwd "$MNT/small"
	! in_s3 small || fail "it is in S3"
	[ ! -e "$MNT/small" ] || fail "a file that S3 refused is visible"
	fault '{"op":"UploadPart","key":"large","nth":2,"status":403,"code":"AccessDenied"}'
	head -c 20000000 /dev/urandom >large
	assert_fails 'denied|error' cp large "$MNT/large"
	! in_s3 large || fail "it is in S3"
	assert_eq "" "$(s3 uploads "$BUCKET")" "uploads left open"
	faults_clear
	cp large "$MNT/large"
	cmp large "$MNT/large"
}

test_upload_retried() {
	need s3d
	fresh
	head -c 20000000 /dev/urandom >large
	fault '{"op":"PutObject","key":"small","status":503,"code":"SlowDown","times":3}'
	fault '{"op":"UploadPart","key":"large","close":true,"times":2}'
	fault '{"op":"CompleteMultipartUpload","key":"large","in200":true,
		"code":"InternalError","times":1}'
	cp /etc/passwd "$MNT/small"
	cp large "$MNT/large"
	s3 get "$BUCKET" small | cmp /etc/passwd -
	s3 get "$BUCKET" large | cmp large -
}

test_mkdir_refused() {
	need s3d
	fresh
	fault '{"op":"PutObject","key":"d/","status":403,"code":"AccessDenied"}'
	# A marker may be written later, but then rmdir or a listing must not show another picture.
	run mkdir "$MNT/d"
	[ "$RC" != 0 ] || fail "mkdir said that all is well"
	[ ! -d "$MNT/d" ] || fail "a directory that S3 refused is visible"
}

test_fsync() {
	fresh
	/usr/bin/python3 - "$MNT" <<-'EOF'
		import os, sys
		fd = os.open(sys.argv[1] + "/file", os.O_CREAT | os.O_WRONLY, 0o644)
		os.write(fd, b"durable")
		os.fsync(fd)
		os.close(fd)
		d = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
		os.fsync(d)
		os.close(d)
	EOF
	assert_eq durable "$(s3 get "$BUCKET" file)" "in S3"
}

test_create_exclusive() {
	fresh
	/usr/bin/python3 - "$MNT/file" <<-'EOF'
		import os, sys
		os.close(os.open(sys.argv[1], os.O_CREAT | os.O_EXCL | os.O_WRONLY))
		try:
		    os.open(sys.argv[1], os.O_CREAT | os.O_EXCL | os.O_WRONLY)
		except FileExistsError:
		    sys.exit(0)
		sys.exit("O_EXCL made a file twice")
	EOF
}

run_tests "$@"
