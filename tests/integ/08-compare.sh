#!/bin/bash
# tests/integ/08-compare.sh: the comparison that ends each test (compare.py) finds what differs.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# The mount is of one server, and compared with another one that holds almost the same.
test_finds_each_difference() {
	need s3d
	local first first_pid line xattr='{"user.a":"QQ=="}' other='{"user.a":"Qg=="}'
	fill() { # fill CONTENT SIZE MODE UID MTIME XATTR TARGET NAME KIND
		printf %s "$1" >one
		s3 put "$BUCKET" content one
		head -c "$2" /dev/zero >one
		s3 put "$BUCKET" size one
		: >one
		for line in mode="$3" uid="$4" gid="$4" mtime="$5" xattr="$6"; do
			s3 put "$BUCKET" "of-${line%%=*}" one "$line"
		done
		s3 put "$BUCKET" d/ mode="$3"
		printf %s "$7" >one
		s3 put "$BUCKET" link one mode=41471
		: >one
		s3 put "$BUCKET" "$8" one
		s3 put "$BUCKET" "$9" one
		s3 put "$BUCKET" same one mode=33152 mtime=-1.5 uid=7
	}
	start_s3d
	first=$S3_ENDPOINT first_pid=$S3D_PID
	fill aaa 10 33188 0 1000000000.5 "$xattr" here name kind
	mount_fs "$BUCKET"
	assert_exit 0 s3 compare "$WORK"
	printf '%s\n' "$OUT" | grep -q ': 12 names, 13 looked at, 10 read' || fail "it says: $OUT"

	start_s3d
	fill aab 11 33152 1 1000000000.6 "$other" elsewhere another kind/sub
	assert_exit 1 s3 compare "$WORK"
	while read -r line; do
		printf '%s\n' "$OUT" | grep -qF "  b'$line" || fail "it does not say: $line"
	done <<-'END'
		content': another content in S3
		size': size 11 in S3, shown 10
		of-mode': mode 600 in S3, shown 644
		of-uid': uid 1 in S3, shown 0
		of-gid': gid 1 in S3, shown 0
		of-mtime': mtime (1000000000, 600000000) in S3, shown (1000000000, 500000000)
		of-xattr': xattr {'user.a': b'B'} in S3, shown {'user.a': b'A'}
		d': mode 600 in S3, shown 644
		link': a link to b'here', and not in S3
		name' is shown (f), and not in S3
		another' is in S3, and not shown
		kind': d in S3, shown as f
		kind/sub' is in S3, and not shown
	END
	! printf '%s\n' "$OUT" | grep -q "'same'" || fail "what is the same is said to differ"

	# It has changed nothing.
	S3_ENDPOINT=$first
	assert_exit 0 s3 compare "$WORK"
	umount_fs
	kill "$first_pid"
}

run_tests "$@"
