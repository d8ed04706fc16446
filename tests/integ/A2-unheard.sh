#!/bin/bash
# tests/integ/A2-unheard.sh: programs that do not look at what close says. A run looks for them, too
# where the call was strict: at the first of its kind, and for large files.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

CTL=$(dirname "$S3BULKFS")/s3bulkfsctl

deny_store() { # deny_store KEY OPERATION
	fault "{\"op\":\"$2\",\"key\":\"$1\",\"status\":403,\"code\":\"AccessDenied\"}"
}

# said KEY: the run exits with 123 and its list has KEY, as the ledger has.
said() {
	assert_eq 123 "$RC" "exit code"
	printf '%s\n' "$OUT" | grep -q "^s3bulkfsctl: .*: AccessDenied (HTTP 403), key $1, request" ||
		fail "the list does not name $1"
	"$CTL" errors "$MNT" | grep -q "key $1, request .*, for " || fail "the ledger has no command"
	! in_s3 "$1" || fail "$1 is in S3: it was not refused"
}

loop_refused() { # loop_refused NAME: a shell's loop, of which NAME cannot be stored
	need s3d
	fresh
	deny_store "$1" PutObject
	run "$CTL" run --mount "$MNT" sh -c \
		"for i in 0 1 2 3 4; do echo \$i >'$MNT'/f\$i; done"
	said "$1"
	assert_eq 4 "$(count_objects f)" "the others"
	assert_eq 4 "$(ls "$MNT" | wc -l)" "names"
	# It has been told of, and that was all.
	assert_exit 0 "$CTL" flush "$MNT"
	run "$CTL" run --mount "$MNT" sh -c "echo x >'$MNT/g'"
	assert_eq 0 "$RC" "exit code of the next"
}

test_loop_refused_first() { loop_refused f0; }
test_loop_refused_middle() { loop_refused f2; }
test_loop_refused_last() { loop_refused f4; }

# without_close SIZE OPERATION: a program that ends without a close.
without_close() {
	need s3d
	fresh
	deny_store big "$2"
	run "$CTL" run --mount "$MNT" /usr/bin/python3 -c 'import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(fd, bytes(int(sys.argv[2])))
os._exit(0)' "$MNT/big" "$1"
	said big
	assert_eq "" "$(s3 uploads "$BUCKET")" "uploads left open"
}

test_small_file() { without_close 10 PutObject; }
test_large_file_refused_at_the_end() { without_close 20000000 CompleteMultipartUpload; }
test_large_file_refused_in_a_part() { without_close 20000000 UploadPart; }

test_uutils_cp_refused_first() {
	need s3d
	local cp=/usr/lib/cargo/bin/coreutils/cp
	[ -x $cp ] || skip "no uutils (package rust-coreutils)"
	fresh
	put_objects src 10 10
	deny_store dst/f000000 CopyObject
	run "$CTL" run --mount "$MNT" $cp -r "$MNT/src" "$MNT/dst"
	assert_eq 123 "$RC" "exit code"
	! in_s3 dst/f000000 || fail "it is in S3"
}

# Who looks, and tries again, ends well: fsync is not a close.
test_second_try() {
	need s3d
	fresh
	fault '{"op":"PutObject","key":"f","status":403,"code":"AccessDenied","times":1}'
	run "$CTL" run --mount "$MNT" /usr/bin/python3 -c 'import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(fd, b"text")
try:
    os.fsync(fd)
    sys.exit("fsync said that all is well")
except PermissionError:
    os.fsync(fd)
os.close(fd)' "$MNT/f"
	assert_eq 0 "$RC" "exit code"
	assert_eq text "$(s3 get "$BUCKET" f)" "in S3"
}

run_tests "$@"
