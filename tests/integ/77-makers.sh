#!/bin/bash
# tests/integ/77-makers.sh: cp, mv, rm and chmod of others than GNU: uutils (Debian's
# rust-coreutils) and busybox. Whatever they do in whatever order, what S3 refuses they say.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

UUTILS=/usr/lib/cargo/bin/coreutils

need_uutils() {
	[ -x $UUTILS/cp ] || skip "no uutils (package rust-coreutils)"
}

# mount_is_s3 DIR: the same files below it.
mount_is_s3() {
	{ (cd "$MNT" && find "$1" -type f) || :; } 2>/dev/null | cut -d / -f 2- | LC_ALL=C sort >mount
	s3 ls "$BUCKET" "$1/" --files | cut -f 1 >objects
	assert_same objects mount "the mount and S3 show different names below $1"
}

# tree: src with 12 files, the first and the last of them empty.
tree() {
	{
		echo 'src/a 0'
		seq -f 'src/f%02g 10' 1 5
		seq -f 'src/sub/f%02g 10' 1 5
		echo 'src/z 0'
	} | s3 puts "$BUCKET"
}

# ---- cp ----

uutils_copies() { # uutils_copies CP
	fresh
	tree
	[ "$SERVER" != s3d ] || stats_reset
	assert_exit 0 "$1" -r "$MNT/src" "$MNT/dst"
	same_objects src dst
	if [ "$SERVER" = s3d ]; then
		assert_eq "12 0" "$(stat_get CopyObject) $(stat_get GetObject)" "CopyObject, GetObject"
	fi
	mkdir "$MNT/dir"
	assert_exit 0 "$1" "$MNT/src/a" "$MNT/src/f01" "$MNT/src/f02" "$MNT/dir/"
	assert_eq "a f01 f02" "$(s3 ls "$BUCKET" dir/ --files | cut -f 1 | xargs)" "in dir"
	assert_exit 0 "$1" "$MNT/src/f01" "$MNT/dir/a"
	assert_eq "$(s3 get "$BUCKET" src/f01)" "$(s3 get "$BUCKET" dir/a)" "what was replaced"
	assert_exit 0 "$1" "$MNT/src/z" "$MNT/dir/a"
	assert_eq "" "$(s3 get "$BUCKET" dir/a)" "what was replaced by nothing"
}

test_uutils_cp() {
	need_uutils
	uutils_copies $UUTILS/cp
}

copy_refused() { # copy_refused CP NAME
	fresh
	tree
	deny_copy "dst/$2"
	assert_exit 1 "$1" -r "$MNT/src" "$MNT/dst"
	! in_s3 "dst/$2" || fail "$2 is in S3: the refusal did not work"
	[ ! -e "$MNT/dst/$2" ] || fail "$2 is visible and not in S3"
	mount_is_s3 dst
	assert_eq 11 "$(wc -l <objects)" "the others"
}

test_uutils_cp_refused_first_and_empty() {
	need_uutils
	copy_refused $UUTILS/cp a
}
test_uutils_cp_refused_middle() {
	need_uutils
	copy_refused $UUTILS/cp sub/f03
}
test_uutils_cp_refused_last_and_empty() {
	need_uutils
	copy_refused $UUTILS/cp z
}
test_uutils_cp_refused_argument() {
	local name
	need_uutils
	fresh
	tree
	for name in f01 f02 f03; do
		mkdir "$MNT/d-$name"
		deny_copy "d-$name/$name"
		assert_exit 1 $UUTILS/cp "$MNT/src/f01" "$MNT/src/f02" "$MNT/src/f03" "$MNT/d-$name/"
		mount_is_s3 "d-$name"
		assert_eq 2 "$(wc -l <objects)" "the others"
	done
}

test_uutils_cp_old_object_survives() {
	need_uutils
	fresh
	tree
	echo old >old
	s3 put "$BUCKET" dst old
	deny_copy dst
	assert_exit 1 $UUTILS/cp "$MNT/src/f01" "$MNT/dst"
	assert_eq old "$(s3 get "$BUCKET" dst)" "the object that was to be replaced"
}

test_uutils_cp_from_elsewhere() {
	# The bytes are written, and close says what S3 said, which is not heard: the creation asks.
	local name
	need_uutils
	need s3d
	fresh
	mkdir local
	for name in f1 f2 f3; do echo $name >local/$name; done
	assert_exit 0 $UUTILS/cp -r local "$MNT/good"
	diff -r local "$MNT/good" || fail "the trees differ"
	for name in f1 f2 f3; do
		fault "{\"op\":\"PutObject\",\"key\":\"d-$name/$name\",\"status\":403,
			\"code\":\"AccessDenied\"}"
		assert_exit 1 $UUTILS/cp -r local "$MNT/d-$name"
		mount_is_s3 "d-$name"
		assert_eq 2 "$(wc -l <objects)" "the others"
	done
}

test_uutils_under_another_name() {
	# As GNU's and as a file of many programs: by its content it is known.
	need_uutils
	[ "$(id -u)" = 0 ] || skip "only root can put another program in the place of cp"
	mount --bind /usr/bin/coreutils /usr/bin/cp
	copy_refused /usr/bin/cp f03
	MNT=$WORK/mnt0
	faults_clear 2>/dev/null || :
	umount /usr/bin/cp
}

test_uutils_multi_call() {
	need_uutils
	fresh
	tree
	deny_copy dst/sub/f03
	assert_exit 1 /usr/bin/coreutils cp -r "$MNT/src" "$MNT/dst"
	mount_is_s3 dst
}

test_gnu_is_still_known() {
	# Beside the others: what decides is the file, also under the name that Debian gives it then.
	need s3d
	start_s3d --latency-ms CopyObject=20
	put_objects src 200 10
	[ "$(id -u)" = 0 ] || skip "only root can add a program to /usr/bin"
	mount -t tmpfs tmpfs /usr/local/bin
	cp /usr/bin/cp /usr/local/bin/gnucp
	mount_fs "$BUCKET"
	assert_exit 0 /usr/local/bin/gnucp -r "$MNT/src" "$MNT/dst"
	[ "$(stat_get in_flight_peak)" -ge 20 ] || fail "at most $(stat_get in_flight_peak) in flight"
	# Something else of that name is not.
	cp /bin/busybox /usr/local/bin/rm 2>/dev/null || cp /bin/true /usr/local/bin/rm
}

# ---- rm ----

test_uutils_rm_r() {
	need_uutils
	fresh
	put_objects d 300 10
	put_objects d/sub 30 10
	[ "$SERVER" != s3d ] || stats_reset
	assert_exit 0 $UUTILS/rm -r "$MNT/d"
	assert_eq "" "$(s3 ls "$BUCKET" d/)" "left in S3"
	[ "$SERVER" != s3d ] || assert_le "$(stat_get DeleteObjects)" 8 DeleteObjects
	put_objects e 300 10
	[ "$SERVER" != s3d ] || stats_reset
	assert_exit 0 $UUTILS/rm -rf "$MNT/e"
	assert_eq "" "$(s3 ls "$BUCKET" e/)" "left in S3"
	[ "$SERVER" != s3d ] || assert_le "$(stat_get DeleteObjects)" 8 DeleteObjects
}

remove_refused() { # remove_refused NAME RM...
	fresh
	put_objects d 100 10
	deny_delete "d/$1"
	assert_exit 1 "${@:2}" "$MNT/d"
	in_s3 "d/$1" || fail "$1 is not in S3: the refusal did not work"
	mount_is_s3 d
}

test_uutils_rm_refused_first() {
	need_uutils
	remove_refused f000000 $UUTILS/rm -rf
}
test_uutils_rm_refused_middle() {
	need_uutils
	remove_refused f000050 $UUTILS/rm -rf
}
test_uutils_rm_refused_last() {
	need_uutils
	remove_refused f000099 $UUTILS/rm -r
}

test_uutils_rm_arguments() {
	# It does not say that the last one cannot be reached.
	need_uutils
	fresh
	put_objects d 30 10
	put_objects e 30 10
	deny_delete d/f000003
	assert_exit 1 $UUTILS/rm -f "$MNT"/d/f00000? "$MNT/d/missing"
	assert_exit 1 $UUTILS/rm "$MNT"/d/f00001? "$MNT/d/f000003"
	mount_is_s3 d
	deny_delete e/f000003
	assert_exit 1 $UUTILS/rm -rf "$MNT/e" "$MNT/missing"
	mount_is_s3 e
	assert_exit 0 $UUTILS/rm -rf "$MNT/missing"
}

busybox_or_skip() {
	command -v busybox >/dev/null || skip "no busybox"
}

test_busybox_rm_refused() {
	busybox_or_skip
	remove_refused f000050 busybox rm -rf
}

test_busybox_cp_refused() {
	# It moves the data itself, and looks at what close says.
	busybox_or_skip
	need s3d
	fresh
	tree
	fault '{"op":"PutObject","key":"dst/sub/f03","status":403,"code":"AccessDenied"}'
	assert_exit 1 busybox cp -r "$MNT/src" "$MNT/dst"
	mount_is_s3 dst
}

test_busybox_chmod_refused() {
	busybox_or_skip
	fresh
	tree
	deny_copy src/sub/f03
	assert_exit 1 busybox chmod -R 700 "$MNT/src"
}

# ---- mv ----

test_uutils_mv() {
	need_uutils
	fresh
	tree
	s3 ls "$BUCKET" src/ --files >before
	assert_exit 0 $UUTILS/mv "$MNT/src" "$MNT/dst"
	s3 ls "$BUCKET" dst/ --files >after
	assert_same before after "what was moved"
	assert_eq "" "$(s3 ls "$BUCKET" src)" "left of the source"
}

test_uutils_mv_into_the_mount_refused() {
	# Contract C9, of a source that is not ours: it is not removed before its copy is there.
	local name
	need_uutils
	need s3d
	fresh
	for name in f1 f2 f3; do
		rm -rf local
		mkdir local
		echo 1 >local/f1
		echo 2 >local/f2
		echo 3 >local/f3
		fault "{\"op\":\"PutObject\",\"key\":\"d-$name/$name\",\"status\":403,
			\"code\":\"AccessDenied\"}"
		assert_exit 1 $UUTILS/mv local "$MNT/d-$name"
		[ -e local/$name ] || fail "$name is gone, and was not stored"
		mount_is_s3 "d-$name"
	done
}

test_uutils_chmod_refused() {
	# It says so, though 0.0.17 mostly exits 0 whatever fails, on any filesystem.
	local name
	need_uutils
	need s3d
	fresh
	tree
	for name in a sub/f03 z; do
		deny_copy "src/$name"
		run $UUTILS/chmod -R 700 "$MNT/src"
		printf '%s\n' "$OUT" | grep -q 'Permission denied' || fail "it does not say so"
		assert_eq 644 "$(stat -c %a "$MNT/src/$name")" "mode of what was refused"
		faults_clear
		assert_exit 0 $UUTILS/chmod -R 700 "$MNT/src"
		assert_exit 0 $UUTILS/chmod -R u=rwX,go=rX "$MNT/src"
		chmod -R u=rw,go=r,a+X "$MNT/src"
		chmod 644 "$MNT/src/$name"
	done
}

run_tests "$@"
