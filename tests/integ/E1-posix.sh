#!/bin/bash
# POSIX calls do on a mount what they do in a local directory (posix.py, doc/posix.md),
# and stress-ng's filesystem stressors find nothing wrong.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# calls [WORD...]: the cases whose names have one of the words.
calls() {
	start_server
	mount_fs "$BUCKET" allow_other
	chmod 711 . # the cases of another user get this far
	mkdir local "$MNT/there"
	chmod 777 local "$MNT/there"
	"$INTEG/posix.py" local "$MNT/there" "$@" >cases || {
		cat cases
		fail "POSIX calls"
	}
	note "$(tail -n 1 cases)"
	assert_eq "" "$(s3 ls "$BUCKET" there/ | sed '/^	/d')" "left in S3"
	assert_eq "" "$(s3 uploads "$BUCKET")" "uploads left in S3"
}

test_calls() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	calls
}

# stress NAME:OPERATIONS...: each runs alone, verifies, and leaves nothing behind.
stress() {
	local pair rc
	command -v stress-ng >/dev/null || skip "stress-ng is not installed"
	start_server
	mount_fs "$BUCKET"
	mkdir "$MNT/s"
	for pair in "$@"; do
		rc=0
		stress-ng --temp-path "$MNT/s" "--${pair%:*}" 1 "--${pair%:*}-ops" "${pair#*:}" --verify \
			--timeout 60 >out 2>&1 || rc=$?
		note "$pair $rc"
		# 3: the stressor itself found that it cannot run here (hard links).
		[ "$rc" = 0 ] || [ "$rc $pair" = "3 link:5" ] || {
			cat out
			fail "stress-ng $pair: exit code $rc"
		}
		assert_eq "" "$(ls -A "$MNT/s")" "left by $pair"
	done
	assert_eq "" "$(s3 ls "$BUCKET" s/ | sed '/^	/d')" "left in S3"
	assert_eq "" "$(s3 uploads "$BUCKET")" "uploads left in S3"
}

test_stress_names() {
	stress access:20 chdir:20 dentry:200 dir:100 dirdeep:50 dirmany:50 getdent:50 link:5 \
		rename:100 inotify:5
}

test_stress_odd_names() {
	need s3d # thousands of names, of bytes that radosgw refuses
	stress filename:10
}

test_stress_attributes() {
	stress chmod:50 chown:50 fstat:200 touch:200 utime:100 xattr:10
}

test_stress_contents() {
	stress copy-file:20 fallocate:5 fcntl:100 file-ioctl:20 flock:100 fsize:20 hdd:200 io:5 \
		iomix:200 lease:20 locka:20 lockf:100 lockofd:20 mknod:10 open:200 sync-file:2
}

run_tests "$@"
