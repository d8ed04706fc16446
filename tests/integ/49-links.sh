#!/bin/bash
# tests/integ/49-links.sh: symbolic links, kept as s3fs keeps them: an object whose mode says that
# it is a link, and whose content is where it points to. What S3 has no place for is refused.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# is_link KEY TARGET: what S3 has is such an object.
is_link() {
	assert_eq "$2" "$(s3 get "$BUCKET" "$1")" "content of $1"
	s3 show "$BUCKET" "$1" | grep -qx 'meta.mode 41471' ||
		fail "the mode of $1: $(s3 show "$BUCKET" "$1")"
}

# points_to PATH TARGET: the mount shows that link.
points_to() {
	assert_eq "symbolic link $(printf %s "$2" | wc -c)" "$(stat -c '%F %s' "$1")" "lstat of $1"
	assert_eq "$2" "$(readlink "$1")" "readlink of $1"
}

test_make_and_read() {
	fresh
	echo content >"$MNT/file"
	mkdir "$MNT/dir"
	assert_exit 0 ln -s file "$MNT/to-file"
	assert_exit 0 ln -s dir "$MNT/to-dir"
	assert_exit 0 ln -s /etc/passwd "$MNT/absolute"
	assert_exit 0 ln -s nowhere "$MNT/dangling"
	assert_exit 0 ln -s 'a b+c/ä%&"' "$MNT/dir/odd name.html"
	assert_fails 'File exists' ln -s x "$MNT/to-file"
	assert_fails 'No such file' cat "$MNT/dangling"
	assert_eq content "$(cat "$MNT/to-file")" "through the link"
	assert_exit 0 cp "$MNT/file" "$MNT/to-dir/copy"
	assert_eq content "$(s3 get "$BUCKET" dir/copy)" "made through the link"
	is_link to-file file
	is_link "dir/odd name.html" 'a b+c/ä%&"'
	assert_eq 'ContentType application/octet-stream meta.mode 41471' \
		"$(s3 show "$BUCKET" absolute | paste -sd' ')" "all that S3 has of it"
	remount "$BUCKET"
	points_to "$MNT/to-file" file
	points_to "$MNT/dangling" nowhere
	points_to "$MNT/dir/odd name.html" 'a b+c/ä%&"'
	assert_eq content "$(cat "$MNT/to-file")" "through the link, after a new mount"
	assert_exit 0 sh -c "cd '$MNT/to-dir' && cat copy"
}

test_long_targets() {
	local long
	fresh
	long=$(printf 'x%.0s' $(seq 4095))
	assert_exit 0 ln -s "$long" "$MNT/long"
	assert_fails 'name too long' ln -s "x$long" "$MNT/longer"
	remount "$BUCKET"
	points_to "$MNT/long" "$long"
	assert_exit 0 python3 -c 'import os, sys; os.symlink(b"\xff\xfe\n", sys.argv[1])' "$MNT/bytes"
	remount "$BUCKET"
	assert_exit 0 python3 -c \
		'import os, sys; assert os.readlink(os.fsencode(sys.argv[1])) == b"\xff\xfe\n"' \
		"$MNT/bytes"
}

# As s3fs 1.90 writes one; and modes that say link of what no path can be.
test_of_others() {
	fresh
	printf 'other/place' >text
	s3 put "$BUCKET" link text type=application/octet-stream mode=41471 uid=0 gid=0 \
		atime=981173106.5 ctime=981173106.5 mtime=981173106.5
	points_to "$MNT/link" other/place
	assert_eq 981173106 "$(stat -c %Y "$MNT/link")" time
	assert_exit 0 touch -h -d '2005-05-05 UTC' "$MNT/link"
	s3 show "$BUCKET" link | grep -qx 'meta.ctime 981173106.5' || fail "metadata has gone"
	is_link link other/place
	: >empty
	head -c 5000 /dev/zero | tr '\0' x >large
	printf 'a\0b' >zero
	s3 put "$BUCKET" empty empty mode=41471
	s3 put "$BUCKET" large large mode=41471
	s3 put "$BUCKET" zero zero mode=41471
	assert_eq "regular empty file" "$(stat -c %F "$MNT/empty")" "an empty one"
	assert_eq "regular file" "$(stat -c %F "$MNT/large")" "a large one"
	assert_eq 5000 "$(wc -c <"$MNT/large")" "its content"
	assert_fails 'Input/output error' readlink -v "$MNT/zero"
	s3 del "$BUCKET" zero
	# It becomes a file: that is seen.
	s3 put "$BUCKET" link text
	remount "$BUCKET" metadata_ttl=0
	assert_eq "regular file" "$(stat -c %F "$MNT/link")" "what was a link"
	s3 put "$BUCKET" link text mode=41471
	points_to "$MNT/link" other/place
}

test_remove_rename_replace() {
	fresh
	ln -s one "$MNT/a"
	mkdir "$MNT/dir"
	assert_exit 0 mv "$MNT/a" "$MNT/dir/b"
	is_link dir/b one
	points_to "$MNT/dir/b" one
	assert_exit 0 ln -sf two "$MNT/dir/b"
	is_link dir/b two
	points_to "$MNT/dir/b" two
	assert_exit 0 mv "$MNT/dir" "$MNT/moved"
	points_to "$MNT/moved/b" two
	echo x >"$MNT/file"
	assert_exit 0 mv "$MNT/file" "$MNT/moved/b"
	assert_eq "regular file" "$(stat -c %F "$MNT/moved/b")" "a file over a link"
	ln -s three "$MNT/c"
	assert_exit 0 rm "$MNT/c"
	! in_s3 c || fail "the link is still there"
	assert_exit 0 rm -r "$MNT/moved"
	assert_eq "" "$(s3 ls "$BUCKET")" "what is left"
}

make_tree() { # make_tree DIR: with links of all kinds; the last name is one
	mkdir -p "$1/sub" "$1/zz"
	echo a >"$1/a"
	echo b >"$1/sub/b"
	ln -s a "$1/m-link"
	ln -s ../a "$1/sub/up"
	ln -s nowhere "$1/sub/dangling"
	ln -s sub "$1/to-dir"
	ln -s ../sub/b "$1/zz/zz-last"
}

# same_tree DIR DIR: names, types, contents, targets, times of links
same_tree() {
	(cd "$1" && find . -printf '%p %y %l\n' | sort) >tree.1
	(cd "$2" && find . -printf '%p %y %l\n' | sort) >tree.2
	assert_same tree.1 tree.2 "names, types and targets below $1 and $2"
	(cd "$1" && find . -type f -exec md5sum {} +) | sort >tree.1
	(cd "$2" && find . -type f -exec md5sum {} +) | sort >tree.2
	assert_same tree.1 tree.2 "contents below $1 and $2"
}

test_trees() {
	fresh
	make_tree local
	touch -h -d '2005-05-05 05:05:05.123456789 UTC' local/m-link
	assert_exit 0 cp -a local "$MNT/in"
	same_tree local "$MNT/in"
	assert_eq 1115269505.123456789 "$(stat -c %.9Y "$MNT/in/m-link")" "time of a link"
	assert_exit 0 cp -a "$MNT/in" "$MNT/a"
	same_tree local "$MNT/a"
	assert_exit 0 cp -r "$MNT/in" "$MNT/r"
	same_tree local "$MNT/r"
	is_link a/zz/zz-last ../sub/b
	is_link r/zz/zz-last ../sub/b
	assert_eq "meta.mode 41471 meta.mtime 1115269505.123456789" \
		"$(s3 show "$BUCKET" a/m-link | grep meta | paste -sd' ')" "a link of cp -a in S3"
	tar c -C local . | (mkdir "$MNT/t" && tar x -C "$MNT/t") || fail "tar x"
	same_tree local "$MNT/t"
	assert_exit 0 cp -a "$MNT/a" out
	same_tree local out
	assert_exit 0 rm -r "$MNT/in" "$MNT/a" "$MNT/r" "$MNT/t"
	assert_eq "" "$(s3 ls "$BUCKET")" "what is left"
}

# What S3 refuses makes cp fail: the first link, the last one, one in between.
test_refused() {
	local key
	need s3d
	fresh
	make_tree "$MNT/src"
	for key in m-link sub/up zz/zz-last; do
		fault "{\"op\":\"PutObject\",\"key\":\"dst/$key\",\"status\":403,\"code\":\"AccessDenied\"}"
		assert_exit 1 cp -r "$MNT/src" "$MNT/dst"
		faults_clear
		[ ! -L "$MNT/dst/$key" ] || fail "dst/$key is shown"
		assert_exit 0 rm -r "$MNT/dst"
	done
	fault '{"op":"PutObject","key":"link","status":403,"code":"AccessDenied"}'
	assert_fails 'Permission denied' ln -s x "$MNT/link"
	faults_clear
	assert_fails 'No such file' readlink -v "$MNT/link"
}

# Many links in a walk: none of them is waited for.
test_in_bulk() {
	local i
	need s3d
	start_s3d --latency-ms PutObject=20,CopyObject=20
	mount_fs "$BUCKET"
	remount_patient "$BUCKET"
	mkdir "$MNT/src"
	for i in $(seq 40); do ln -s "target$i" "$MNT/src/l$i"; done
	stats_reset
	assert_exit 0 cp -a "$MNT/src" "$MNT/dst"
	same_tree "$MNT/src" "$MNT/dst"
	note "$(stat_get PutObject) puts, $(stat_get CopyObject) copies, $(stat_get HeadObject) HEADs"
	assert_le "$(stat_get PutObject)" 83 "PutObject"
	assert_eq 0 "$(stat_get CopyObject)" "CopyObject"
	assert_le 4 "$(stat_get in_flight_peak)" "requests in flight, at least 4"
}

test_what_there_is_not() {
	fresh
	echo x >"$MNT/file"
	assert_fails 'Operation not permitted' ln "$MNT/file" "$MNT/hard"
	assert_fails 'Operation not permitted' mkfifo "$MNT/fifo"
	assert_fails 'Operation not permitted' mknod "$MNT/dev" c 1 3
	assert_exit 0 python3 -c 'import os, stat, sys
os.mknod(sys.argv[1] + "/made", 0o644 | stat.S_IFREG)
try:
	os.mknod(sys.argv[1] + "/made", 0o644 | stat.S_IFREG)
except FileExistsError:
	pass
try:
	os.mknod(sys.argv[1] + "/sock", 0o644 | stat.S_IFSOCK)
except PermissionError:
	sys.exit(0)
sys.exit(1)' "$MNT"
	in_s3 made || fail "the file is not in S3"
	assert_eq "regular empty file" "$(stat -c %F "$MNT/made")" "made by mknod"
	assert_eq "file made" "$(find "$MNT" -mindepth 1 -printf '%f\n' | sort | paste -sd' ')" names
	# Nothing is invented: S3 has no time of birth.
	assert_eq - "$(stat -c %w "$MNT/file")" "time of birth"
	# Locks are this machine's own.
	assert_exit 0 flock -n "$MNT/file" flock -n -s "$MNT/made" true
	assert_exit 1 flock -n "$MNT/file" flock -n "$MNT/file" true
	assert_exit 0 python3 -c 'import fcntl, os, sys
f = open(sys.argv[1], "r+")
fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
if os.fork() == 0:
	try:
		fcntl.lockf(open(sys.argv[1], "r+"), fcntl.LOCK_EX | fcntl.LOCK_NB)
	except BlockingIOError:
		os._exit(0)
	os._exit(1)
sys.exit(os.wait()[1] != 0)' "$MNT/file"
}

run_tests "$@"
