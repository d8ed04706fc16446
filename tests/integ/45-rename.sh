#!/bin/bash
# Renaming: files and directories, what S3 is asked for it, and what is left when it refuses.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

test_directory() {
	fresh
	put_objects d 120 20
	put_objects d/sub/deep 5 20
	assert_exit 0 mv "$MNT/d" "$MNT/e"
	assert_eq 120 "$(find "$MNT/e" -maxdepth 1 -type f | wc -l)" "files in the new directory"
	[ ! -e "$MNT/d" ] || fail "the old name is still there"
	assert_eq "" "$(s3 ls "$BUCKET" d/)" "left under the old name in S3"
	assert_eq 125 "$(s3 ls "$BUCKET" e/ | wc -l)" "objects under the new name in S3"
}

test_directory_requests() {
	need s3d
	fresh
	put_objects d 1500 20
	stats_reset
	assert_exit 0 mv "$MNT/d" "$MNT/e"
	assert_eq 1500 "$(stat_get CopyObject)" CopyObject
	assert_eq 2 "$(stat_get DeleteObjects)" DeleteObjects
	assert_eq 0 "$(stat_get GetObject)" GetObject
	assert_eq 0 "$(stat_get DeleteObject)" DeleteObject
}

# The source cannot go: then the copy does, and mv -n does not take it for one that was there.
test_file_not_removed() {
	local how
	fresh
	put_objects d 3 20
	mkdir "$MNT/e"
	deny_delete d/f000001
	for how in "" -n; do
		# shellcheck disable=SC2086 # an option, or none
		assert_fails 'denied' mv $how "$MNT/d/f000001" "$MNT/e/"
		assert_eq "" "$(s3 ls "$BUCKET" e/ --files)" "the copy in S3"
		assert_eq "" "$(ls "$MNT/e")" "the copy in the mount"
		assert_eq 20 "$(wc -c <"$MNT/d/f000001")" "the source"
	done
	[ "$SERVER" != s3d ] || faults_clear
	# One whose answer is lost may have gone: the copy stays.
	if [ "$SERVER" = s3d ]; then
		fault '{"op":"DeleteObject*","key":"d/f000002","after":true,"status":500,
			"code":"InternalError"}'
		assert_exit 1 mv "$MNT/d/f000002" "$MNT/e/"
		faults_clear
		assert_eq f000002 "$(s3 ls "$BUCKET" e/ --files | cut -f1)" "the only one there is"
		# Nor does what a later attempt is refused say anything of the first.
		fault '{"op":"DeleteObject*","key":"d/f000000","after":true,"status":500,
			"code":"InternalError","times":1}'
		fault '{"op":"DeleteObject*","key":"d/f000000","status":403,"code":"AccessDenied"}'
		assert_exit 1 mv "$MNT/d/f000000" "$MNT/e/"
		faults_clear
		in_s3 e/f000000 || fail "the only one there is has gone"
		# The same where a kept connection is closed, on which libcurl sends again by itself.
		echo x >"$MNT/d/new"
		fault '{"op":"DeleteObject*","key":"d/new","after":true,"close":true,"times":1}'
		fault '{"op":"DeleteObject*","key":"d/new","status":403,"code":"AccessDenied"}'
		assert_exit 1 mv "$MNT/d/new" "$MNT/e/"
		faults_clear
		in_s3 e/new || fail "the only one there is has gone, with a connection"
	fi
}

test_directory_refused() {
	# One copy is refused: the source is whole and nothing is left of the copy.
	need s3d
	fresh
	put_objects d 50 20
	s3 ls "$BUCKET" d/ >before
	fault '{"op":"CopyObject","key":"e/*17*","status":403,"code":"AccessDenied"}'
	assert_fails 'denied' mv "$MNT/d" "$MNT/e"
	"$(dirname "$S3BULKFS")/s3bulkfsctl" errors "$MNT" >ledger
	grep -q "copy for the rename of a directory of $MNT/d failed: AccessDenied (HTTP 403), \
key e/f000017, request [0-9A-F]*, for mv" ledger || fail "the ledger does not name the key"
	faults_clear
	s3 ls "$BUCKET" d/ >after
	assert_eq "$(cat before)" "$(cat after)" "the source in S3"
	assert_eq "" "$(s3 ls "$BUCKET" e/)" "left of the copy in S3"
	assert_eq 50 "$(find "$MNT/d" -type f | wc -l)" "the source in the mount"
}

# A directory of some batches, with an object that was uploaded in parts and one with metadata.
prepare_torn() {
	need s3d
	fresh
	put_objects d 1200 20
	head -c 12000000 /dev/urandom >big
	cp big "$MNT/d/big"
	echo 1 >one
	s3 put "$BUCKET" d/sub/typed one type=text/x-one colour=blue
	s3 ls "$BUCKET" d/ | cut -f1,2 >before
}

source_is_whole() {
	s3 ls "$BUCKET" d/ | cut -f1,2 >after
	assert_same before after "the source in S3"
	assert_eq "" "$(s3 ls "$BUCKET" e/)" "left of the copy in S3"
	s3 get "$BUCKET" d/big | cmp - big || fail "content of the large one in S3"
	assert_eq 'ContentType text/x-one meta.colour blue' \
		"$(s3 show "$BUCKET" d/sub/typed | paste -sd' ')" "metadata"
	assert_eq 1202 "$(find "$MNT/d" -type f | wc -l)" "the source in the mount"
	[ ! -e "$MNT/e" ] || fail "the copy is in the mount"
	assert_exit 0 cmp big "$MNT/d/big"
}

# One delete is refused when others are done: those are copied back.
test_directory_delete_refused() {
	prepare_torn
	fault '{"op":"DeleteObjects","key":"d/f000017","per_key":true,"in200":true,
		"status":403,"code":"AccessDenied"}'
	exec 9<"$MNT/d/big"
	assert_fails 'denied' mv "$MNT/d" "$MNT/e"
	cmp big - <&9 || fail "what was open when the rename failed"
	exec 9<&-
	faults_clear
	source_is_whole
	assert_eq 1201 "$(($(stat_get CopyObject) - 1202))" "what was copied back"
	assert_exit 0 mv "$MNT/d" "$MNT/e"
	assert_eq "$(cut -f1 before)" "$(s3 ls "$BUCKET" e/ | cut -f1)" "renamed when it can be"
}

# The answers are lost: what was deleted is not known, and copied back whatever it is.
test_directory_delete_unanswered() {
	prepare_torn
	fault '{"op":"DeleteObjects","key":"d/f0000*","after":true,"status":500,"code":"InternalError"}'
	assert_fails 'Input/output error' mv "$MNT/d" "$MNT/e"
	faults_clear
	source_is_whole
}

# What cannot be copied back stays where it is: nothing is lost.
test_directory_not_restored() {
	prepare_torn
	fault '{"op":"DeleteObjects","key":"d/f000017","per_key":true,"in200":true,
		"status":403,"code":"AccessDenied"}'
	fault '{"op":"CopyObject","key":"d/f000018","status":403,"code":"AccessDenied"}'
	assert_fails 'denied' mv "$MNT/d" "$MNT/e"
	faults_clear
	assert_eq f000018 "$(s3 ls "$BUCKET" e/ | cut -f1)" "the copy that is the only one"
	s3 ls "$BUCKET" d/ | cut -f1,2 >after
	assert_eq "$(grep -v f000018 before)" "$(cat after)" "the rest of the source"
	assert_eq 1201 "$(find "$MNT/d" -type f | wc -l)" "the source in the mount"
	assert_eq f000018 "$(ls "$MNT/e")" "the copy in the mount"
}

test_into_directory_and_over() {
	fresh
	put_objects d 3 20
	mkdir "$MNT/empty" "$MNT/full"
	echo x >"$MNT/full/x"
	assert_exit 0 mv -T "$MNT/d" "$MNT/empty"
	assert_eq 3 "$(find "$MNT/empty" -type f | wc -l)" "files over an empty directory"
	assert_fails 'not empty' mv -T "$MNT/empty" "$MNT/full"
	assert_exit 0 mv "$MNT/empty" "$MNT/full/"
	assert_eq 3 "$(count_objects full/empty/)" "objects below full"
}

# What rename(2) is for directories beside that: with files open in it, and with flags.
test_directory_in_use() {
	fresh
	put_objects d 3 20
	mkdir "$MNT/x"
	exec 8>>"$MNT/d/f000001" 9<"$MNT/d/f000002"
	assert_fails 'busy' mv "$MNT/d" "$MNT/e"
	echo more >&8
	exec 8>&-
	assert_exit 0 mv "$MNT/d" "$MNT/e"
	assert_eq 20 "$(wc -c <&9)" "bytes of the one that is still open"
	exec 9<&-
	assert_eq 25 "$(s3 get "$BUCKET" e/f000001 | wc -c)" "bytes of the one that was written"
	assert_fails 'subdirectory of itself' mv "$MNT/e" "$MNT/e/sub"
	assert_exit 0 python3 - "$MNT" <<-'EOF'
		import ctypes, errno, os, sys
		os.chdir(sys.argv[1])
		libc = ctypes.CDLL(None, use_errno=True)
		def rename(a, b, flags):
		    ctypes.set_errno(0)
		    libc.renameat2(-100, a.encode(), -100, b.encode(), flags)
		    return ctypes.get_errno()
		NOREPLACE, EXCHANGE = 1, 2
		assert rename("e", "x", NOREPLACE) == errno.EEXIST
		assert rename("e", "x", EXCHANGE) == errno.EINVAL
		assert rename("e/f000000", "x", EXCHANGE) == errno.EINVAL
		assert rename("e", "e/sub", 0) == errno.EINVAL
		assert rename("e", "new", NOREPLACE) == 0
		assert sorted(os.listdir("new")) == ["f000000", "f000001", "f000002"]
	EOF
	assert_eq 3 "$(s3 ls "$BUCKET" new/ --files | wc -l)" "objects under the new name"
}

# The kernel forgets what a walk was told of a tree: each time something else of it.
forgotten() {
	local i
	for i in 1 2 3; do
		cp -r "$MNT/a" "$MNT/walked$i"
	done
}

# What the mount knows of a name is so under its new one, also when the kernel had forgotten it.
test_directory_forgotten() {
	fresh
	mkdir -p "$MNT/a/b/c"
	ln -s ../x "$MNT/a/b/c/link"
	echo 1 >"$MNT/a/b/c/file"
	chmod 640 "$MNT/a/b/c/file"
	touch -d @1234567890 "$MNT/a/b/c/file"
	forgotten
	find "$MNT/a" -mindepth 1 -printf '%P %y %m %l\n' | sort >before
	forgotten
	assert_exit 0 mv "$MNT/a" "$MNT/z"
	find "$MNT/z" -mindepth 1 -printf '%P %y %m %l\n' | sort >after
	assert_same before after "names, kinds, modes and links"
	assert_eq 1234567890 "$(stat -c %Y "$MNT/z/b/c/file")" "time of the file"
}

# The copy of an object that was uploaded in parts has an ETag of its own.
test_directory_etags() {
	fresh
	head -c 20000000 /dev/urandom >big
	mkdir -p "$MNT/d/sub"
	cp big "$MNT/d/sub/big"
	[[ $(s3 ls "$BUCKET" d/sub/big) == *-* ]] || fail "it was not uploaded in parts"
	remount "$BUCKET" metadata_ttl=600
	ls -l "$MNT/d/sub"
	exec 9<"$MNT/d/sub/big"
	head -c 1 big >start
	dd bs=1 count=1 status=none <&9 >start.read
	assert_exit 0 mv "$MNT/d" "$MNT/e"
	assert_exit 0 cp "$MNT/e/sub/big" "$MNT/copy"
	cat start - <&9 >rest.read
	exec 9<&-
	cmp start start.read || fail "first byte"
	cmp big rest.read || fail "what was read when the directory was renamed"
	assert_exit 0 cmp big "$MNT/copy"
}

test_beyond_the_limit() {
	# A larger tree is EXDEV to rename(2), so that nothing waits behind the rename lock.
	fresh
	umount_fs
	mount_fs "$BUCKET" rename_limit=10
	put_objects d 11 20
	python3 - "$MNT" <<-'P' || fail "rename(2) was not EXDEV"
		import errno, os, sys
		try:
		    os.rename(sys.argv[1] + "/d", sys.argv[1] + "/e")
		except OSError as e:
		    sys.exit(e.errno != errno.EXDEV)
		sys.exit(1)
	P
	assert_eq 11 "$(s3 ls "$BUCKET" d/ | wc -l)" "objects of the source"
}

# Others have filled the directory that seems to be empty.
test_over_what_others_have_filled() {
	start_server
	mount_fs "$BUCKET" metadata_ttl=60
	mkdir "$MNT/d" "$MNT/empty"
	echo ours >"$MNT/d/a"
	ls "$MNT/empty"
	echo theirs >theirs
	s3 put "$BUCKET" empty/a theirs
	assert_fails 'not empty' mv -T "$MNT/d" "$MNT/empty"
	assert_eq theirs "$(s3 get "$BUCKET" empty/a)" "what others have put there"
	assert_eq ours "$(s3 get "$BUCKET" d/a)" "the source"
}

run_tests "$@"
