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

test_directory_refused() {
	# One copy is refused: the source is whole and nothing is left of the copy.
	need s3d
	fresh
	put_objects d 50 20
	s3 ls "$BUCKET" d/ >before
	fault '{"op":"CopyObject","key":"e/*17*","status":403,"code":"AccessDenied"}'
	assert_fails 'denied' mv "$MNT/d" "$MNT/e"
	faults_clear
	s3 ls "$BUCKET" d/ >after
	assert_eq "$(cat before)" "$(cat after)" "the source in S3"
	assert_eq "" "$(s3 ls "$BUCKET" e/)" "left of the copy in S3"
	assert_eq 50 "$(find "$MNT/d" -type f | wc -l)" "the source in the mount"
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

# The kernel drops what it has cached, and forgets names: each time something else of them.
forgotten() {
	for _ in 1 2 3; do
		echo 3 >/proc/sys/vm/drop_caches
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

run_tests "$@"
