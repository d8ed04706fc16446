#!/bin/bash
# tests/integ/A3-behind.sh: in a run attributes are set behind uploads that are under way.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=tests/integ/runs.sh
. "$(dirname "$(readlink -f "$0")")/runs.sh"

# Times are set behind uploads that are still under way, without waiting for them.
write_and_touch='
os.makedirs(sys.argv[1], exist_ok=True)
for i in range(40):
    name = f"{sys.argv[1]}/f{i:02}"
    with open(name, "w") as f:
        f.write(f"{i:04}\n")
    os.utime(name, (10**9, 10**9 + i))
os.chmod(name, 0o600)
'

test_times_follow_uploads() {
	need s3d
	start_s3d --latency-ms PutObject=100,CopyObject=100
	mount_fs "$BUCKET"
	stats_reset
	py "$write_and_touch" "$MNT/d"
	assert_eq 0 "$RC" "exit code"
	assert_le 10 "$(stat_get in_flight_peak)" "requests in flight, at least 10"
	assert_eq 40 "$(stat_get PutObject)" PutObject
	assert_le "$(stat_get CopyObject)" 41 "CopyObject"
	remount "$BUCKET"
	assert_eq "1000000007 644 0007" \
		"$(stat -c '%Y %a' "$MNT/d/f07") $(cat "$MNT/d/f07")" "one of them"
	assert_eq "1000000039 600 0039" \
		"$(stat -c '%Y %a' "$MNT/d/f39") $(cat "$MNT/d/f39")" "the last one"
	s3 show "$BUCKET" d/f07 | grep -q '^meta.mtime 1000000007' || fail "S3 does not have the time"
}

test_times_follow_uploads_refused() {
	need s3d
	start_s3d --latency-ms PutObject=20,CopyObject=20
	mount_fs "$BUCKET"
	deny_put d/f07
	py "$write_and_touch" "$MNT/d"
	refused d/f07
	! in_s3 d/f07 || fail "it is in S3 all the same"
	[ ! -e "$MNT/d/f07" ] || fail "it is shown"
	assert_eq 39 "$(ls "$MNT/d" | wc -l)" "the others"
	faults_clear
	# An older object of that name is left as it was.
	echo old >old
	s3 put "$BUCKET" e/f07 old colour=blue
	fault '{"op":"PutObject","key":"e/f07","status":403,"code":"AccessDenied"}'
	py "$write_and_touch" "$MNT/e"
	refused e/f07
	assert_eq old "$(s3 get "$BUCKET" e/f07)" "the older object"
	assert_eq 'meta.colour blue' "$(s3 show "$BUCKET" e/f07 | grep meta)" "its metadata"
	faults_clear
	# The upload succeeds and the time is refused: the file is there.
	fault '{"op":"CopyObject","key":"g/f07","status":403,"code":"AccessDenied"}'
	py "$write_and_touch" "$MNT/g"
	refused g/f07
	assert_eq 0007 "$(cat "$MNT/g/f07")" "the file"
	assert_eq 40 "$(ls "$MNT/g" | wc -l)" "files"
}

# What is copied, touched and removed again, in one go.
test_touch_and_remove() {
	fresh
	put_objects s 20 10
	run_on sh -c "cd '$MNT' && cp -rp s d && touch -d @1234567890 d/* && cp s/f000003 d/f000004 &&
		touch -d @1234567891 d/f000004 && rm d/f00000[5-9] && touch -d @1234567892 d/f000010 &&
		rm d/f000010 && cp s/f000001 d/f000010"
	assert_eq 0 "$RC" "exit code"
	same_tree d
	remount "$BUCKET"
	assert_eq "1234567890 1234567891" "$(stat -c %Y "$MNT/d/f000003" "$MNT/d/f000004" |
		paste -sd' ')" times
	assert_eq 15 "$(count_objects d/)" "files"
}

run_tests "$@"
