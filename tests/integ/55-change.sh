#!/bin/bash
# tests/integ/55-change.sh: chmod -R, chown -R and chgrp -R in the mount: each name costs a HEAD and
# a copy onto itself (a directory: its marker), many at a time, and the exit code tells.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

CTL=$(dirname "$S3BULKFS")/s3bulkfsctl

settle() { "$CTL" flush "$MNT" || :; } # what was accepted is done, well or not

# tree: t with files at three levels; its last directory is t/z.
tree() {
	local d i
	for d in t/a t/b/c t/z; do
		for i in 0 1 2 3 4 5 6 7 8 9; do
			echo "$d/f$i 3"
		done
	done | s3 puts "$BUCKET"
}

deny_change() { # deny_change KEY
	fault "{\"op\":\"CopyObject\",\"key\":\"$1\",\"status\":403,\"code\":\"AccessDenied\"}"
	fault "{\"op\":\"PutObject\",\"key\":\"$1\",\"status\":403,\"code\":\"AccessDenied\"}"
}

# mode_in_s3 KEY: the permission bits that are kept with the object, octal; nothing: none are.
mode_in_s3() {
	local mode
	mode=$(s3 ls "$BUCKET" "$1" --meta | sed -n 's/.*"mode": "\([0-9]*\)".*/\1/p' | head -n 1)
	[ -z "$mode" ] || printf '%o' $((mode & 07777))
}

# shown_is_true DIR: what the mount shows of modes and owners is what another mount shows, which
# has nothing to remember.
shown_is_true() {
	local mine=$MNT
	modes "$1" >shown
	mount_fs "$BUCKET" private
	modes "$1" >true
	MNT=$mine
	assert_same true shown "modes and owners are not what they seem"
}

modes() { # modes DIR: name by name, for a listing does not carry them
	s3 ls "$BUCKET" "$1/" | cut -f 1 | awk -F / -v at="$1" '{
		path = at
		for (i = 1; i <= NF; i++) {
			print path
			path = path "/" $i
		}
		if ($NF != "") print path
	}' | sort -u | (cd "$MNT" && xargs -d '\n' stat -c '%a %u %g %n')
}

test_chmod() {
	fresh
	tree
	mkdir "$MNT/t/b/empty"
	assert_exit 0 chmod -R u=rwX,go= "$MNT/t"
	assert_eq 600 "$(mode_in_s3 t/a/f0)" "the first file"
	assert_eq 600 "$(mode_in_s3 t/z/f9)" "the last file"
	assert_eq 700 "$(mode_in_s3 t/b/empty/)" "an empty directory"
	assert_eq 700 "$(mode_in_s3 t/b/c/)" "a directory with files"
	remount "$BUCKET"
	assert_eq "700 600 700" "$(stat -c %a "$MNT/t" "$MNT/t/b/c/f5" "$MNT/t/b" | xargs)" \
		"after a new mount"
	assert_eq t/z "$(cat "$MNT/t/z/f9")" content
}

test_chown() {
	fresh
	tree
	assert_exit 0 chown -R 12:34 "$MNT/t"
	assert_exit 0 chgrp -R 56 "$MNT/t/z"
	remount "$BUCKET"
	assert_eq "12:34 12:34 12:34 12:56" "$(stat -c %u:%g "$MNT/t" "$MNT/t/b/c/f5" "$MNT/t/b" \
		"$MNT/t/z/f9" | xargs)" "after a new mount"
}

test_many_at_a_time() {
	need s3d
	start_s3d --latency-ms '*=20'
	put_objects t 300 10
	mount_fs "$BUCKET"
	stats_reset
	assert_exit 0 chmod -R 600 "$MNT/t"
	assert_eq 300 "$(stat_get CopyObject)" CopyObject
	assert_eq 0 "$(stat_get GetObject)" GetObject
	assert_le "$(stat_get HeadObject)" 304 HeadObject
	assert_eq 1 "$(stat_get PutObject)" "PutObject (the marker of t)"
	[ "$(stat_get in_flight_peak)" -ge 20 ] || fail "at most $(stat_get in_flight_peak) at a time"
	stats_reset
	assert_exit 0 chown -R 5 "$MNT/t"
	assert_eq 300 "$(stat_get CopyObject)" "CopyObject of chown"
	[ "$(stat_get in_flight_peak)" -ge 20 ] ||
		fail "at most $(stat_get in_flight_peak) at a time of chown"
}

test_all_done_at_exit() {
	# Contract C3: with slow copies, every attribute is in S3 when the command returns.
	need s3d
	start_s3d --latency-ms CopyObject=300
	put_objects t 200 10
	# A marker that was looked at long ago is copied onto itself, too.
	mount_fs "$BUCKET" metadata_ttl=60
	assert_exit 0 chmod -R 600 "$MNT/t"
	assert_eq 200 "$(stat_get CopyObject)" "copies answered when chmod returned"
	assert_exit 0 chown -R 7 "$MNT/t"
	assert_eq 400 "$(stat_get CopyObject)" "copies answered when chown returned"
	assert_eq 200 "$(ctl GET "dump?bucket=$BUCKET&prefix=t/f" | grep -c '"x-amz-meta-uid":"7"')" \
		"objects with the owner"
}

test_nothing_to_change() {
	need s3d
	fresh
	tree
	stats_reset
	assert_exit 0 chmod -R u=rwX,go=rX "$MNT/t"
	assert_exit 0 chown -R "$(id -u)" "$MNT/t"
	assert_eq "0 0" "$(stat_get CopyObject) $(stat_get PutObject)" "requests that change something"
}

# refused KEY COMMAND...: exits 1, all is as it is in S3, and all others have been changed.
refused() {
	need s3d
	fresh
	tree
	mkdir "$MNT/t/zz"
	deny_change "$1"
	assert_exit 1 "${@:2}" "$MNT/t"
	faults_clear
	[ -e "$MNT/${1%/}" ] || fail "$1 is not visible"
	shown_is_true t
}

refused_chmod() { # refused_chmod KEY: the others have their new mode
	refused "$1" chmod -R 711
	assert_eq 1 "$(modes t | grep -vc '^711 ')" "names without the new mode"
	[ "$(stat -c %a "$MNT/${1%/}")" != 711 ] || fail "$1 has the new mode"
}

test_chmod_refused_first_file() { refused_chmod t/a/f0; }
test_chmod_refused_middle() { refused_chmod t/b/c/f3; }
test_chmod_refused_last_file() { refused_chmod t/z/f9; }
test_chmod_refused_root() { refused_chmod t/; }
test_chmod_refused_directory() { refused_chmod t/b/c/; }
test_chmod_refused_last_and_empty_directory() { refused_chmod t/zz/; }

refused_chown() {
	refused "$1" chown -R 12:34
	assert_eq 1 "$(modes t | grep -vc ' 12 34 ')" "names without the new owner"
}

test_chown_refused_first() { refused_chown t/a/f0; }
test_chown_refused_middle() { refused_chown t/b/c/f3; }
test_chown_refused_last() { refused_chown t/z/f9; }
test_chown_refused_root() { refused_chown t/; }
test_chown_refused_directory() { refused_chown t/b/; }
test_chgrp_refused() {
	refused t/b/c/f3 chgrp -R 34
}

test_not_supported_is_a_failure() {
	# chown(1) passes over EOPNOTSUPP: it must not be what says that something else has failed.
	need s3d
	fresh
	tree
	fault '{"op":"CopyObject","key":"t/a/f5","status":501,"code":"NotImplemented"}'
	assert_exit 1 chown -R 12 "$MNT/t"
	faults_clear
}

test_end_is_equal_already() {
	# The last names have the mode that they are to have: no request, and the end all the same.
	need s3d
	fresh
	tree
	mkdir "$MNT/t/zz"
	chmod 600 "$MNT/t/z/f9" "$MNT/t/z/f8"
	chmod 600 "$MNT/t/zz"
	deny_change t/b/c/f3
	assert_exit 1 chmod -R 600 "$MNT/t"
	rmdir "$MNT/t/zz"
	faults_clear
	assert_exit 0 chmod -R 600 "$MNT/t"
	deny_change t/b/c/f3
	assert_exit 0 chmod -R 600 "$MNT/t"
	chmod 644 "$MNT/t/a/f0" "$MNT/t/a/f1"
	faults_clear
	deny_change t/a/f1
	assert_exit 1 chmod -R 600 "$MNT/t"
	assert_exit 1 chown -R 12 "$MNT/t"
}

test_arguments() {
	need s3d
	fresh
	put_objects d 40 10
	stats_reset
	assert_exit 0 chmod 600 "$MNT"/d/*
	assert_eq 40 "$(stat_get CopyObject)" CopyObject
	deny_change d/f000020
	assert_exit 1 chmod 640 "$MNT"/d/*
	assert_eq 39 "$(stat -c %a "$MNT"/d/* | grep -c 640)" "changed"
	assert_exit 1 chown 5 "$MNT"/d/*
	# The last one is not there, or named twice.
	assert_exit 1 chmod 644 "$MNT"/d/f00002? "$MNT/d/missing"
	assert_exit 1 chmod -f 600 "$MNT"/d/f00002? "$MNT/d/missing"
	assert_exit 1 chmod 640 "$MNT"/d/f00002? "$MNT/d/f000020"
	faults_clear
	assert_exit 0 chmod 644 "$MNT/d/f000020" "$MNT/d/f000020"
	# Several directories, and one without what is in it.
	mkdir "$MNT/e"
	assert_exit 0 chmod -R 700 "$MNT/d" "$MNT/e"
	assert_exit 0 chmod 711 "$MNT/d"
	assert_eq "711 700 700" "$(stat -c %a "$MNT/d" "$MNT/d/f000000" "$MNT/e" | xargs)" modes
	deny_change d/f000031
	assert_exit 1 chmod -R 755 "$MNT/d" "$MNT/e"
}

test_directory_that_cannot_be_read() {
	need s3d
	fresh
	tree
	put_objects t/b/d 1100 3
	fault '{"op":"ListObjectsV2","nth":3,"status":403,"code":"AccessDenied","times":20}'
	assert_exit 1 chmod -R 700 "$MNT/t"
	faults_clear
	assert_exit 0 chmod -R 700 "$MNT/t"
}

# replaced DIR|FILE: the last entry becomes another one, of this kind, after it was listed.
replaced() {
	need s3d
	start_s3d
	put_objects t 200 10
	mount_fs "$BUCKET"
	echo x >"$MNT/other"
	deny_change t/f000100
	hold CopyObject t/f000000
	chmod -R 600 "$MNT/t" 2>err &
	local pid=$!
	wait_held t/f000000
	rm "$MNT/t/f000199"
	if [ "$1" = DIR ]; then
		mkdir "$MNT/t/f000199"
	else
		mv "$MNT/other" "$MNT/t/f000199"
	fi
	let_go
	wait $pid && fail "chmod exits 0: $(cat err)"
	faults_clear
	shown_is_true t
}

test_last_replaced_by_file() { replaced FILE; }
test_last_replaced_by_directory() { replaced DIR; }

test_last_is_removed() {
	need s3d
	start_s3d
	put_objects t 400 10
	mount_fs "$BUCKET"
	deny_change t/f000100
	hold CopyObject t/f000000
	chmod -R 600 "$MNT/t" 2>err &
	local pid=$!
	wait_held t/f000000
	rm "$MNT/t/f000399"
	let_go
	wait $pid && fail "chmod exits 0"
	settle
}

test_directory_read_in_pieces() {
	# fts(3) takes at most 100,000 entries at a time: when that is all of them, it has changed the
	# last one before it sees the end.
	need s3d
	fresh
	put_objects t 100000 1
	chmod 600 "$MNT/t/f000001" "$MNT/t/f000500"
	deny_change t/f000500
	assert_exit 1 chmod -R u=rwX,go=rX "$MNT/t"
	# The kernel is told about 100,000 names, which takes it a moment.
	umount "$MNT"
	mount_fs "$BUCKET"
	assert_eq "644 600" "$(stat -c %a "$MNT/t/f000001" "$MNT/t/f000500" | xargs)" modes
}

test_commit_close() {
	need s3d
	start_server
	tree
	mount_fs "$BUCKET" commit=close
	stats_reset
	assert_exit 0 chmod -R 700 "$MNT/t"
	assert_le "$(stat_get in_flight_peak)" 3 "requests at a time"
	deny_change t/b/c/f3
	run chmod -R 600 "$MNT/t"
	assert_eq 1 "$RC" "exit code"
	printf '%s\n' "$OUT" | grep -q t/b/c/f3 || fail "not the name that was refused: $OUT"
}

test_several_at_once() {
	need s3d
	start_s3d --latency-ms '*=10'
	put_objects a 200 10
	put_objects b 200 10
	put_objects c 200 10
	mount_fs "$BUCKET"
	deny_change b/f000100
	chmod -R 600 "$MNT/a" &
	local a=$! rc=0
	chmod -R 600 "$MNT/b" 2>err &
	local b=$!
	chown -R 7 "$MNT/c" || fail "chown of c"
	wait $a || fail "chmod of a, which nobody refused"
	wait $b || rc=$?
	assert_eq 1 "$rc" "exit code of chmod of b"
	assert_eq 199 "$(ctl GET "dump?bucket=$BUCKET&prefix=b/f" | grep -c x-amz-meta-mode)" "changed"
}

run_tests "$@"
