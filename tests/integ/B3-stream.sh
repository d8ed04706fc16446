#!/bin/bash
# tests/integ/B3-stream.sh: copies that no server can make: between two endpoints, and between two
# daemons. The data goes through this machine, and is right.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$(dirname "$(readlink -f "$0")")/shared.sh"

# Two servers, $ONE and $TWO, each with the bucket $BUCKET; the first has trees of many sizes.
two_servers() {
	need s3d
	start_s3d
	TWO=$S3_ENDPOINT
	PIDS=() # it ends with this test; who is left in the list is waited for
	start_s3d
	ONE=$S3_ENDPOINT
	put_objects small 200 100
	put_objects deep/1/2 20 5000
	put_objects empty 3 0
	put_objects large 2 9000000
}

# same_on_both PREFIX PREFIX: what is below both has the same names and sizes.
same_on_both() {
	S3_ENDPOINT=$ONE s3 ls "$BUCKET" "$1/" --files | cut -f 1,2 >"$WORK/ls.1"
	S3_ENDPOINT=$TWO s3 ls "$BUCKET" "$2/" --files | cut -f 1,2 >"$WORK/ls.2"
	assert_same "$WORK/ls.1" "$WORK/ls.2" "$1 and $2 differ"
}

mount_both() { # mount_both [OPTIONS]
	S3_ENDPOINT=$ONE mount_shared "$BUCKET" a "${1:-}"
	S3_ENDPOINT=$TWO mount_shared "$BUCKET" b "${1:-}"
}

copy_all() {
	local d
	for d in small deep empty large; do
		assert_exit 0 cp -r "$WORK/a/$d" "$WORK/b/$d"
		same_on_both "$d" "$d"
		assert_exit 0 diff -r "$WORK/a/$d" "$WORK/b/$d"
	done
}

test_two_endpoints() {
	two_servers
	mount_both
	assert_eq 1 "$(daemons | wc -l)" "daemons"
	copy_all
}

# Small files of a walk are in flight many at a time, though each is read here first.
test_several_in_flight() {
	two_servers
	mount_both
	ctl_of() { S3_ENDPOINT=$1 ctl "${@:2}"; }
	ctl_of "$TWO" POST faults '{"op":"PutObject","key":"small/*","delay_ms":50}' >/dev/null
	assert_exit 0 cp -r "$WORK/a/small" "$WORK/b/small"
	same_on_both small small
	[ "$(S3_ENDPOINT=$TWO stat_get in_flight_peak)" -ge 10 ] ||
		fail "at most $(S3_ENDPOINT=$TWO stat_get in_flight_peak) at a time"
}

# The cp of uutils does not hear what close says: what is refused is refused when it creates.
test_refused_to_who_is_deaf() {
	local cp=/usr/lib/cargo/bin/coreutils/cp how
	[ -x $cp ] || skip "no uutils (package rust-coreutils)"
	two_servers
	mount_both
	S3_ENDPOINT=$TWO fault '{"op":"PutObject","key":"*/f000033","status":403,"code":"AccessDenied"}'
	assert_fails 'denied' $cp -r "$WORK/a/small" "$WORK/b/small"
	# Two buckets of one server, and the first copy is refused, so that the bytes are sent.
	make_bucket two
	S3_ENDPOINT=$ONE mount_shared two c
	for how in CopyObject PutObject; do
		S3_ENDPOINT=$ONE fault "{\"op\":\"$how\",\"bucket\":\"two\",
			\"key\":\"small/f000000\",\"status\":403,\"code\":\"AccessDenied\"}"
	done
	assert_fails 'denied' $cp -r "$WORK/a/small" "$WORK/c/small"
}

test_two_daemons() {
	two_servers
	mount_both private
	assert_eq 2 "$(daemons | wc -l)" "daemons"
	copy_all
}

# Both daemons ask /proc about processes whose arguments lie in the other's mount.
test_both_ways_at_once() {
	local i how
	two_servers
	for how in "" private; do
		mount_both "$how"
		mkdir -p "$WORK/b/x" "$WORK/a/x"
		for i in 1 2 3; do
			cp -r "$WORK/a/small" "$WORK/b/x/to$i$how" &
			(cd "$WORK/a" && cp -r ../a/deep ../b/x/deep$i$how) &
		done
		for i in $(jobs -p); do
			wait "$i" || fail "a copy failed"
		done
		cp -r "$WORK/b/x/to1$how" "$WORK/a/x/back$how" &
		rm -r "$WORK/b/x/to2$how" "$WORK/a/empty" &
		for i in $(jobs -p); do
			wait "$i" || fail "a copy back or a removal failed"
		done
		assert_exit 0 diff -r "$WORK/a/small" "$WORK/a/x/back$how"
		compare_with_s3
		put_objects empty 3 0
		umount "$WORK/a" "$WORK/b"
	done
}

test_refused_upload() {
	two_servers
	mount_both
	S3_ENDPOINT=$TWO fault \
		'{"op":"PutObject","key":"y/f000100","status":403,"code":"AccessDenied"}'
	assert_exit 1 cp -r "$WORK/a/small" "$WORK/b/y"
	! [ -e "$WORK/b/y/f000100" ] || fail "the refused file is shown"
	[ -e "$WORK/b/y/f000101" ] || fail "the next file is not there"
}

run_tests "$@"
