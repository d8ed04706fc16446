#!/bin/bash
# tests/integ/D4-lacks.sh: servers that lack an operation or a parameter are recognised at the first
# refusal and served another way: it is not asked for again, and one line of the log says so.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

CTL=$(dirname "$S3BULKFS")/s3bulkfsctl

lacking() { # lacking WHAT,... [S3D ARGS...]: a server and a mount
	need s3d
	start_s3d --lacks "$@"
}

said_once() { # said_once TEXT: in the log of the last mount
	assert_eq 1 "$(grep -c -- "$1" "$WORK/daemon$((${#MOUNTS[@]} - 1)).log")" "lines with '$1'"
}

asked() { # asked COUNT OPERATION
	assert_eq "$1" "$(stat_get "$2")" "requests $2"
}

# ---- DeleteObjects ----

test_delete() {
	lacking DeleteObjects
	put_objects d 1500 1
	put_objects keep 3 1
	mount_fs "$BUCKET"
	assert_exit 0 rm -r "$MNT/d"
	asked 1 DeleteObjects
	asked 1500 DeleteObject
	assert_eq 3 "$(count_objects '')" "objects left"
	assert_exit 0 rm "$MNT/keep/f000000"
	assert_exit 0 rm -r "$MNT/keep"
	asked 1 DeleteObjects
	assert_eq 0 "$(count_objects '')" "objects left"
	said_once 'no DeleteObjects'
}

# Of a key that is refused the command hears, and only of that one.
delete_refused() { # delete_refused STATUS CODE
	need s3d
	start_s3d
	fault "{\"op\":\"DeleteObjects\",\"status\":$1,\"code\":\"$2\"}"
	deny_delete d/f000007
	put_objects d 20 1
	mount_fs "$BUCKET"
	assert_fails 'Permission denied' rm -r "$MNT/d"
	assert_eq f000007 "$(ls "$MNT/d")" "names left"
	assert_eq 1 "$(count_objects d/)" "objects left"
	"$CTL" errors "$MNT" >ledger
	grep -q 'd/f000007.*AccessDenied' ledger || fail "not in the ledger: $(cat ledger)"
	asked 1 DeleteObjects
	said_once 'no DeleteObjects'
}

test_delete_501() { delete_refused 501 NotImplemented; }
test_delete_405() { delete_refused 405 MethodNotAllowed; }
test_delete_400() { delete_refused 400 InvalidArgument; }
test_delete_404() { delete_refused 404 NotFound; }

# What has been served once is there: a later refusal of that kind is the request's.
test_delete_there() {
	need s3d
	fresh
	put_objects d 3 1
	assert_exit 0 rm "$MNT/d/f000000"
	fault '{"op":"DeleteObjects","status":501,"code":"NotImplemented","times":1}'
	assert_fails 'not supported' rm "$MNT/d/f000001"
	assert_exit 0 rm "$MNT/d/f000001"
	asked 3 DeleteObjects
	asked 0 DeleteObject
}

test_delete_throttled() {
	lacking DeleteObjects
	put_objects d 300 1
	mount_fs "$BUCKET"
	fault '{"op":"DeleteObject","status":503,"code":"SlowDown","nth":30,"times":10}'
	assert_exit 0 rm -r "$MNT/d"
	asked 310 DeleteObject
	assert_eq 0 "$(count_objects d/)" "objects left"
}

run_tests "$@"
