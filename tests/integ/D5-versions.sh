#!/bin/bash
# tests/integ/D5-versions.sh: -o version_at=TIME, a bucket as it was; what rm leaves in a bucket
# with versions; and what is restored by cp from one such mount to another one.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=tests/integ/shared.sh
. "$(dirname "$(readlink -f "$0")")/shared.sh"
# shellcheck source=tests/integ/objects.sh
. "$(dirname "$(readlink -f "$0")")/objects.sh"

CTL=$(dirname "$S3BULKFS")/s3bulkfsctl
not_compared "the mounts here show the bucket as it was"

# Times: on s3d the clock of what is made is set, from ten hours ago on; elsewhere time passes.
# tick: what comes is a later second. $AT: the second of what was made before the last tick.
AGO=36000
past() {
	[ "$SERVER" != s3d ] || ctl POST clock "{\"made_offset_s\":-$AGO}" >/dev/null
}

tick() {
	if [ "$SERVER" = s3d ]; then
		AT=@$(($(date +%s) - AGO + 1800))
		AGO=$((AGO - 3600))
		past
	else
		AT=@$(date +%s)
		next_second
	fi
}

versioned() { # versioned [s3d ARGS...]: a server and a bucket with versions
	start_server "$@"
	s3 versioning "$BUCKET" Enabled
	past
}

text() { # text KEY TEXT: an object
	printf %s "$2" >text.in
	s3 put "$BUCKET" "$1" text.in
}

# shows MNT LINE...: all that is there, "d NAME" or "f NAME CONTENT", in the order of names.
shows() {
	local mnt=$1 f
	shift
	(
		cd "$mnt"
		find . -mindepth 1 -printf '%y %P\n' | sort -k 2 | while read -r kind f; do
			if [ "$kind" = f ]; then
				printf 'f %s %s\n' "$f" "$(cat "$f")"
			else
				printf '%s %s\n' "$kind" "$f"
			fi
		done
	) >is
	printf '%s\n' "$@" | sed '/^$/d' >want
	assert_same want is "what $mnt shows"
}

# Four points in time.
history() {
	text a 1
	text dir/x 1
	text dir/sub/y 1
	text both 'a file'
	tick
	T1=$AT
	text a 22
	text dir/x 22
	s3 del "$BUCKET" both
	text both/in 'a directory'
	text later/f 1
	tick
	T2=$AT
	s3 del "$BUCKET" a
	s3 del "$BUCKET" dir/sub/y
	s3 del "$BUCKET" both/in
	s3 del "$BUCKET" later/f
	tick
	T3=$AT
	text a 333
	text both 'again'
	s3 del "$BUCKET" dir/x
	tick
	T4=$AT
}

test_points_in_time() {
	versioned
	history
	mount_fs "$BUCKET" "version_at=@1"
	shows "$MNT" ''
	remount "$BUCKET" "version_at=$T1"
	shows "$MNT" 'f a 1' 'f both a file' 'd dir' 'd dir/sub' 'f dir/sub/y 1' 'f dir/x 1'
	remount "$BUCKET" "version_at=$T2"
	shows "$MNT" 'f a 22' 'd both' 'f both/in a directory' 'd dir' 'd dir/sub' \
		'f dir/sub/y 1' 'f dir/x 22' 'd later' 'f later/f 1'
	remount "$BUCKET" "version_at=$T3"
	shows "$MNT" 'd dir' 'f dir/x 22'
	remount "$BUCKET" "version_at=$T4"
	shows "$MNT" 'f a 333' 'f both again'
	remount "$BUCKET:/dir" "version_at=$T2"
	shows "$MNT" 'd sub' 'f sub/y 1' 'f x 22'
}

# Each name by itself, without a listing; and names that were not there then.
test_single_names() {
	local name
	versioned
	history
	mount_fs "$BUCKET" "version_at=$T2"
	assert_eq "22 2" "$(cat "$MNT/a") $(stat -c %s "$MNT/a")" "a"
	assert_eq 1 "$(cat "$MNT/dir/sub/y")" "dir/sub/y"
	assert_eq directory "$(stat -c %F "$MNT/both")" "both"
	remount "$BUCKET" "version_at=$T3"
	for name in a dir/sub dir/sub/y both both/in later none; do
		assert_fails 'No such file' stat "$MNT/$name"
	done
	assert_eq 22 "$(cat "$MNT/dir/x")" "dir/x"
}

# A mount that goes on keeps to its time, whatever comes.
test_stays_as_it_was() {
	versioned
	text a 1
	text b 1
	tick
	mount_fs "$BUCKET" "version_at=$AT,metadata_ttl=0"
	shows "$MNT" 'f a 1' 'f b 1'
	text a 22
	s3 del "$BUCKET" b
	text c 1
	shows "$MNT" 'f a 1' 'f b 1'
}

test_many_versions_over_pages() {
	local i
	need s3d
	versioned --page-max 3
	for i in 1 2 3 4 5 6 7; do
		text d/k "$i"
		text d/m "$i"
	done
	text d/deep/er/x old
	tick
	T1=$AT
	for i in 1 2 3 4 5 6 7 8; do
		text d/k "new $i"
		text d/n "new $i"
		text hidden/only/later "new $i"
		s3 del "$BUCKET" d/m
	done
	tick
	for i in d/deep/er/x hidden/only/later d/k d/m; do s3 del "$BUCKET" $i; done
	mount_fs "$BUCKET" "version_at=$T1"
	shows "$MNT" 'd d' 'd d/deep' 'd d/deep/er' 'f d/deep/er/x old' 'f d/k 7' 'f d/m 7'
	assert_fails 'No such file' stat "$MNT/hidden"
	assert_eq 7 "$(cat "$MNT/d/k")" "d/k"
}

test_odd_names() {
	local key
	versioned
	for key in 'sp ace' 'plus+%25&=?#' $'new\nline' 'ä/ö' 'a//b' './x' 'both' 'both/x' '~*()!'\'; do
		text "$key" words
	done
	tick
	mount_fs "$BUCKET"
	(cd "$MNT" && find . | LC_ALL=C sort) >now
	remount "$BUCKET" "version_at=$AT"
	(cd "$MNT" && find . | LC_ALL=C sort) >was
	assert_same now was "odd names"
	find "$MNT" -type f -exec cat {} + >all
	assert_eq 9 "$(grep -o words all | wc -l)" "contents"
}

# A directory of some pages, which is read in parallel ranges, of which half has gone since.
test_large_directory() {
	need s3d
	versioned
	put_objects big 6000 1
	put_objects gone 5 1
	tick
	mount_fs "$BUCKET"
	ls "$MNT/big" >want
	assert_exit 0 sh -c "rm '$MNT'/big/f00[0-2]*"
	s3 put "$BUCKET" big/zzz
	assert_exit 0 rm -r "$MNT/gone"
	remount "$BUCKET" "version_at=$AT"
	ls "$MNT/big" >is
	assert_same want is "6000 names as they were"
	assert_eq 6000 "$(find "$MNT/big" -type f | wc -l)" "found"
	assert_eq $'big\ngone' "$(ls "$MNT")" "the top"
}

# N keys of a tree cost N/1000 listings for who walks through it, and one small one a directory.
test_cost_of_a_walk() {
	need s3d
	versioned
	ctl POST seed "{\"bucket\":\"$BUCKET\",\"prefix\":\"t/\",\"count\":2000,\"size\":1,
		\"dirs\":50}" >/dev/null
	tick
	mount_fs "$BUCKET" "version_at=$AT"
	stats_reset
	assert_eq 2000 "$(find "$MNT/t" -type f | wc -l)" "found"
	assert_le "$(stat_get ListObjectVersions)" 75 "ListObjectVersions"
	assert_eq 0 "$(stat_get ListObjectsV2)" "ListObjectsV2"
	assert_eq 0 "$(stat_get GetObject)" "GetObject"
}

# With stat=full a HeadObject for each name, of the version that was listed.
test_cost_of_stat_full() {
	need s3d
	versioned
	put_objects d 200 1
	tick
	put_objects d 100 2
	mount_fs "$BUCKET" "version_at=$AT,stat=full"
	stats_reset
	assert_eq 200 "$(find "$MNT/d" -type f -size 1c | wc -l)" "found"
	assert_eq 200 "$(stat_get HeadObject)" "HeadObject"
	assert_le "$(stat_get ListObjectVersions)" 8 "ListObjectVersions"
}

test_all_buckets() {
	versioned
	text a 1
	tick
	s3 del "$BUCKET" a
	MNT=$WORK/all
	mkdir "$MNT"
	MOUNTS+=("$MNT")
	"$S3BULKFS" -o "endpoint_url=$S3_ENDPOINT,version_at=$AT" --all-buckets "$MNT"
	for pid in $(daemons); do PIDS+=("$pid"); done
	assert_eq 1 "$(cat "$MNT/$BUCKET/a")" "a"
	assert_fails 'Read-only' touch "$MNT/$BUCKET/new"
}

test_read_only() {
	versioned
	history
	mount_fs "$BUCKET" "version_at=$T2"
	assert_fails 'Read-only' touch "$MNT/new"
	assert_fails 'Read-only' rm "$MNT/a"
	assert_fails 'Read-only' mkdir "$MNT/newdir"
	assert_fails 'Read-only' mv "$MNT/a" "$MNT/b"
	assert_fails 'Read-only' chmod 600 "$MNT/a"
	assert_fails 'Read-only' rm -r "$MNT/dir"
	assert_fails 'Read-only' ln -s x "$MNT/link"
	assert_fails 'Read-only' setfattr -n user.x -v 1 "$MNT/a"
	assert_fails 'Read-only' sh -c "echo x >>'$MNT/a'"
	! [ -w "$MNT/a" ] || fail "access(2) says that a can be written"
}

test_attributes() {
	local id
	versioned
	printf 1 >one
	s3 put "$BUCKET" f one mode=33152 uid=7 type=text/x-then
	s3 tag "$BUCKET" f colour=red
	id=$(s3 versions "$BUCKET" f | cut -f 3)
	tick
	printf 22 >two
	s3 put "$BUCKET" f two mode=33188 uid=8
	s3 tag "$BUCKET" f colour=blue
	for stat in list full; do
		mount_fs "$BUCKET" "version_at=$AT,stat=$stat"
		[ $stat = list ] || ls "$MNT" >/dev/null
		assert_eq "600 7 1" "$(stat -c '%a %u %s' "$MNT/f")" "stat=$stat"
		assert_eq "$id" "$(getfattr --only-values -n s3.version-id "$MNT/f")" "s3.version-id"
		assert_eq "$(md5sum <one | cut -c -32)" \
			"$(getfattr --only-values -n s3.etag "$MNT/f")" "s3.etag"
		assert_eq red "$(getfattr --only-values -n s3.tag.colour "$MNT/f")" "s3.tag.colour"
		assert_eq text/x-then "$(getfattr --only-values -n s3.content-type "$MNT/f")" type
		umount_fs
	done
}

# What was before versioning was enabled has the version "null".
test_null_versions() {
	start_server
	past
	text old 1
	text gone 1
	tick
	T1=$AT
	s3 versioning "$BUCKET" Enabled
	text old 22
	s3 del "$BUCKET" gone
	tick
	mount_fs "$BUCKET" "version_at=$T1"
	shows "$MNT" 'f gone 1' 'f old 1'
	assert_eq null "$(getfattr --only-values -n s3.version-id "$MNT/old")" "s3.version-id"
	umount_fs
	! grep -q 'keeps no versions' "$WORK"/daemon*.log || fail "a warning without a reason"
}

test_bucket_without_versions() {
	start_server
	past
	text kept 1
	text changed 1
	text gone 1
	tick
	text changed 22
	s3 del "$BUCKET" gone
	tick
	mount_fs "$BUCKET" "version_at=$AT"
	shows "$MNT" 'f changed 22' 'f kept 1'
	grep -q "bucket $BUCKET keeps no versions: .* since $AT" "$WORK"/daemon*.log ||
		fail "no warning"
}

# rm and writing over leave all versions in S3; the right to ask for versioning is not needed.
test_rm_makes_a_marker() {
	versioned
	mount_fs "$BUCKET"
	echo one >one
	mkdir "$MNT/d"
	cp one "$MNT/d/f"
	next_second
	cp one "$MNT/d/f"
	cp one "$MNT/g"
	assert_exit 0 rm -r "$MNT/d" "$MNT/g"
	assert_eq '' "$(s3 ls "$BUCKET" --files)" "objects"
	assert_eq $'d/f\tgone\nd/f\t4\nd/f\t4\ng\tgone\ng\t4' \
		"$(s3 versions "$BUCKET" | grep -v '^d/	' | cut -f -2)" "versions"
}

test_denied() {
	need s3d
	versioned
	mkdir mnt
	fault '{"op":"GetBucketVersioning","key":"*","status":403,"code":"AccessDenied"}'
	mount_fs "$BUCKET" "version_at=@1"
	umount_fs
	fault '{"op":"ListObjectVersions","key":"*","status":403,"code":"AccessDenied"}'
	assert_exit 1 "$S3BULKFS" -f -o "endpoint_url=$S3_ENDPOINT,version_at=@1" "$BUCKET" mnt
	assert_eq 1 "$(printf '%s\n' "$OUT" | wc -l)" "lines"
	printf '%s\n' "$OUT" | grep -q "s3:ListBucketVersions" || fail "does not name the right"
}

test_bad_times() {
	local t
	for t in yesterday 2026-13-01 2026-02-30 2026-11-26T25:00:00Z 2026-11-26T12:00 @ @x @0 -1 \
		'2026-11-26 12:00:00 Z' 2026-11-26T12:00:00+1 "$(printf '9%.0s' {1..100})"; do
		refused 'version_at takes a time' "version_at=$t"
	done
	refused 'the value of option .version_at=. is not valid' version_at=
	refused 'lies in the future' version_at=9999-01-01
	refused 'lies in the future' "version_at=@$(($(date +%s) + 3600))"
	refused 'replace rw by ro' version_at=2020-01-01,rw
}

# The same second, said in each way.
test_ways_to_say_it() {
	local s t
	versioned
	text a 1
	tick
	s=${AT#@}
	text a 22
	for t in "$AT" "$AT.999" "$(date -u -d "$AT" +%FT%TZ)" "$(date -u -d "$AT" +%FT%T.999Z)" \
		"$(TZ=EST5 date -d "$AT" +%FT%T-05:00)" "$(TZ=EST5 date -d "$AT" '+%F %T')"; do
		TZ=EST5 mount_fs "$BUCKET" "ro,version_at=$t"
		assert_eq 1 "$(cat "$MNT/a")" "at $t ($s)"
		umount_fs
	done
}

test_archived() {
	need s3d
	versioned
	printf 1 >one
	s3 put "$BUCKET" cold one @StorageClass=GLACIER
	tick
	s3 put "$BUCKET" cold one
	mount_fs "$BUCKET" "version_at=$AT"
	assert_eq 1 "$(stat -c %s "$MNT/cold")" size
	assert_fails 'No data available' cat "$MNT/cold"
}

# ---- restoring ----------------------------------------------------------------------------------

assert_no_data() {
	assert_eq 0 "$(stat_get GetObject)" "GetObject"
	assert_eq 0 "$(stat_get PutObject bytes_in)" "bytes of PutObject"
	assert_eq 0 "$(stat_get UploadPart)" "UploadPart"
}

test_restore_tree() {
	versioned
	put_objects dir 120 100
	put_objects dir/sub 30 100
	s3 ls "$BUCKET" dir/ --files >before
	tick
	T1=$AT
	mount_shared "$BUCKET" now
	assert_exit 0 rm -r "$WORK/now/dir"
	assert_eq '' "$(s3 ls "$BUCKET" dir/ --files)" "removed"
	tick
	text dir/f000001 'something else'
	mount_shared "$BUCKET" was "version_at=$T1"
	[ "$SERVER" != s3d ] || stats_reset
	assert_exit 0 cp -r "$WORK/was/dir" "$WORK/now/"
	if [ "$SERVER" = s3d ]; then
		assert_no_data
		assert_eq 150 "$(stat_get CopyObject)" "CopyObject"
	fi
	s3 ls "$BUCKET" dir/ --files >after
	assert_same before after "the tree as it was"
}

# Over what is still as it was, too: S3 refuses plain copies of an object onto itself.
test_restore_over_unchanged() {
	versioned
	text d/same 1
	text d/other 1
	tick
	text d/other 22
	mount_shared "$BUCKET" now
	mount_shared "$BUCKET" was "version_at=$AT"
	assert_exit 0 cp -r "$WORK/was/d" "$WORK/now/"
	assert_eq "1 1" "$(s3 get "$BUCKET" d/same) $(s3 get "$BUCKET" d/other)" "restored"
	assert_exit 0 cp "$WORK/was/d/same" "$WORK/now/d/same"
	assert_eq 1 "$(s3 get "$BUCKET" d/same)" "once more"
}

test_restore_large() {
	versioned
	dd if=/dev/urandom of=big bs=1M count=$PARTS status=none
	s3 put "$BUCKET" big big type=text/x-big
	s3 tag "$BUCKET" big colour=red
	tick
	text big small
	mount_shared "$BUCKET" now "$LARGE"
	mount_shared "$BUCKET" was "version_at=$AT"
	assert_same big "$WORK/was/big" "the large object as it was"
	[ "$SERVER" != s3d ] || stats_reset
	assert_exit 0 cp "$WORK/was/big" "$WORK/now/restored"
	if [ "$SERVER" = s3d ]; then
		assert_no_data
		assert_eq 3 "$(stat_get UploadPartCopy)" "UploadPartCopy"
	fi
	s3 get "$BUCKET" restored >got
	assert_same big got "the large object, restored"
	# Ceph's radosgw 16 does not say that an object has tags.
	[ "$SERVER" != s3d ] || has restored 'ContentType text/x-big' 'tag.colour red'
}

# Bytes of a version in the middle of a file that is written.
test_parts_of_versions() {
	versioned
	dd if=/dev/urandom of=big bs=1M count=$PARTS status=none
	s3 put "$BUCKET" big big
	tick
	text big small
	mount_shared "$BUCKET" now "$LARGE"
	mount_shared "$BUCKET" was "version_at=$AT"
	assert_exit 0 sh -c "cat '$WORK/was/big' '$WORK/was/big' >'$WORK/now/twice'"
	cat big big >want
	s3 get "$BUCKET" twice >got
	assert_same want got "two of them, one behind the other"
}

# Versions that are removed for good are not there any more, and are not replaced by others.
test_removed_for_good() {
	local id
	versioned
	text d/f 1
	text d/g 1
	tick
	text d/f 22
	mount_fs "$BUCKET" "version_at=$AT,metadata_ttl=600"
	assert_eq $'f\ng' "$(ls "$MNT/d")" "listed"
	id=$(s3 versions "$BUCKET" d/f | tail -n 1 | cut -f 3)
	s3 unversion "$BUCKET" d/f "$id"
	assert_fails 'No such file|Stale' cat "$MNT/d/f"
	assert_eq 1 "$(cat "$MNT/d/g")" "the other"
	remount "$BUCKET" "version_at=$AT"
	assert_eq g "$(ls "$MNT/d")" "listed anew"
}

# A version that somebody removes for good cannot be restored: that is said, with its name.
test_version_has_gone() {
	need s3d
	versioned
	put_objects d 20 1
	tick
	mount_shared "$BUCKET" now
	mount_shared "$BUCKET" was "version_at=$AT"
	fault '{"op":"CopyObject","key":"to/f000007","status":404,"code":"NoSuchVersion"}'
	assert_exit 1 cp -r "$WORK/was/d" "$WORK/now/to"
	"$CTL" errors "$WORK/now" >ledger
	grep -q 'to/f000007.*NoSuchVersion' ledger || fail "not in the ledger: $(cat ledger)"
	assert_eq 19 "$(count_objects to/)" "the others"
}

run_tests "$@"
