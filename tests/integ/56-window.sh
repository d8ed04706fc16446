#!/bin/bash
# The window finds a server's limit and keeps it busy without an option (contract: section "The
# window" of doc/design.md). Counted, not timed: make bench shows the times.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

CTL=$(dirname "$S3BULKFS")/s3bulkfsctl

# copied COUNT: cp -r of so many objects fails nothing and copies all.
copied() {
	stats_reset
	assert_exit 0 cp -r "$MNT/src" "$MNT/dst"
	assert_eq "" "$OUT" "what cp says"
	assert_eq "$1" "$(count_objects dst/)" "copies in S3"
	"$CTL" errors "$MNT" >failures || fail "s3bulkfsctl errors fails"
	assert_eq "" "$(cat failures)" "failed operations"
	note "$(stat_get CopyObject) copies, $(stat_get CopyObject throttled) refused," \
		"$(stat_get in_flight_peak) at once"
}

begin() { # begin COUNT [s3d ARGS...]
	local count=$1
	shift
	need s3d
	start_s3d "$@"
	put_objects src "$count" 10
	mount_fs "$BUCKET"
}

test_finds_the_rate() {
	# What slow start sends too much is refused, some hundreds; then a few in a hundred.
	begin 12000 --rate 3500 --latency-ms CopyObject=20
	copied 12000
	assert_le "$(stat_get CopyObject throttled)" 1200 "copies refused"
}

test_slow_partition() {
	begin 400 --rate 50 --latency-ms CopyObject=20
	copied 400
	assert_le "$(stat_get CopyObject throttled)" 400 "copies refused"
}

test_long_latency() {
	# 3,500 a second take a thousand in flight.
	begin 5000 --latency-ms CopyObject=300
	copied 5000
	assert_le 700 "$(stat_get in_flight_peak)" "requests in flight, at least 700"
}

test_short_latency() {
	# More in flight than the server works on would only wait there.
	begin 5000 --rate 3500 --latency-ms CopyObject=5
	copied 5000
	assert_le 8 "$(stat_get in_flight_peak)" "requests in flight, at least 8"
	assert_le "$(stat_get CopyObject throttled)" 800 "copies refused"
}

# Parts of large copies take their places one by one, like all else: small copies that come behind
# them do not wait until the large ones are done.
test_large_copies_share_it() {
	local parts
	need s3d
	start_s3d --latency-ms UploadPartCopy=40,HeadObject=40
	put_objects src 20 $((16 << 20))
	put_objects src/small 20 10
	mount_fs "$BUCKET" copy_threshold=5M,copy_part_size=5M,max_inflight=4
	stats_reset
	assert_exit 0 cp -r "$MNT/src" "$MNT/dst"
	assert_eq 80 "$(stat_get UploadPartCopy)" "parts"
	assert_eq 40 "$(count_objects dst/)" "copies in S3"
	ctl GET 'log?n=1000' | grep -o '"op":"[A-Za-z]*"' >log
	parts=$(tac log | sed -n '/"CopyObject"/,$p' | grep -c UploadPartCopy)
	note "$parts of 80 parts before the last small copy"
	assert_le "$parts" 60 "parts of 80 before the last small copy"
}

test_removes_at_the_rate() {
	# Each key of a batch is a write.
	begin 6000 --rate 3500 --latency-ms DeleteObjects=20
	stats_reset
	assert_exit 0 rm -r "$MNT/src"
	assert_eq 0 "$(count_objects src/)" "objects left"
	note "$(stat_get DeleteObjects) batches, $(stat_get DeleteObjects throttled) refused"
	assert_le "$(stat_get DeleteObjects)" 120 "batches"
	assert_le "$(stat_get DeleteObjects throttled)" 30 "batches refused"
}

run_tests "$@"
