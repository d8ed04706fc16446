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
	local n
	n=$(grep -c -- "$1" "$WORK/daemon$((${#MOUNTS[@]} - 1)).log" || :)
	assert_eq 1 "$n" "lines of the log with '$1'"
}

asked() { # asked COUNT OPERATION
	assert_eq "$1" "$(stat_get "$2")" "requests $2"
}

# left PREFIX: how many objects, without asking in a way that the server may lack.
left() { ctl GET "dump?bucket=$BUCKET&prefix=$1" | wc -l; }

# ---- DeleteObjects ----

test_delete() {
	lacking DeleteObjects
	put_objects d 1500 1
	put_objects keep 3 1
	mount_fs "$BUCKET"
	assert_exit 0 rm -r "$MNT/d"
	asked 1 DeleteObjects
	asked 1500 DeleteObject
	assert_eq 3 "$(left '')" "objects left"
	assert_exit 0 rm "$MNT/keep/f000000"
	assert_exit 0 rm -r "$MNT/keep"
	asked 1 DeleteObjects
	assert_eq 0 "$(left '')" "objects left"
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
	assert_eq 1 "$(left d/)" "objects left"
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
	assert_eq 0 "$(left d/)" "objects left"
}

# ---- listings ----

# Names of many kinds, over many pages: what XML escapes, what looks encoded, directories between
# files, a directory that ends a page.
odd_names() {
	local p
	for p in 'f%03d' 'a+b %d' '&<%03d>"' "'%d'" 'ü%03d' '漢%d字' 'dir%d/x/y' 'dir%d/z' \
		'+/p%d' '~%d'; do
		ctl POST seed "{\"bucket\":\"$BUCKET\",\"prefix\":\"d/\",\"count\":31,\"size\":1,
			\"pattern\":\"${p//\"/\\\"}\"}" >/dev/null
	done
	ctl POST "put?bucket=$BUCKET&key=d/%2541" x
	ctl POST "put?bucket=$BUCKET&key=d/%252f" x
}

# All names and none twice: of one directory, and of the tree, which is listed flat.
check_names() {
	ctl GET "dump?bucket=$BUCKET&prefix=d/" >dump
	/usr/bin/python3 - <<-'EOF'
		import json
		keys = [json.loads(line)["key"] for line in open("dump")]
		assert len(keys) == 10 * 31 + 2, len(keys)
		open("files", "w").write("\n".join(sorted(keys)) + "\n")
		open("names", "w").write("\n".join(sorted({k.split("/")[1] for k in keys})) + "\n")
	EOF
	(cd "$MNT" && find d -type f) | LC_ALL=C sort >found
	LC_ALL=C sort files >expected
	assert_same expected found "files of find"
	remount_patient "$BUCKET"
	/usr/bin/python3 -c 'import os; print(*os.listdir("'"$MNT"'/d"), sep="\n")' |
		LC_ALL=C sort >found
	LC_ALL=C sort names >expected
	assert_same expected found "names of ls"
	assert_exit 0 rm -r "$MNT/d"
	assert_eq 0 "$(left '')" "objects left"
}

lists_lacking() { # lists_lacking WHAT TEXT...
	local text
	lacking "$1" --page-max 37
	shift
	odd_names
	mount_fs "$BUCKET"
	check_names
	for text in "$@"; do
		said_once "$text"
	done
}

test_list_ignored() {
	lists_lacking list-type 'no ListObjectsV2'
	asked 2 ListObjectsV2 # one of each mount
	[ "$(stat_get ListObjects)" -gt 20 ] || fail "few pages: $(stat_get ListObjects)"
}

test_list_refused() {
	lists_lacking ListObjectsV2 'no ListObjectsV2'
	asked 4 ListObjectsV2 # with encoding-type and without, of each mount
	assert_eq 4 "$(stat_get ListObjectsV2 errors)" "refused"
	[ "$(stat_get ListObjects)" -gt 20 ] || fail "few pages: $(stat_get ListObjects)"
}

test_encoding_ignored() { lists_lacking encoding-type 'no encoding-type'; }

test_encoding_refused() {
	lists_lacking encoding-type-at-all 'no encoding-type'
	assert_eq 2 "$(stat_get ListObjectsV2 errors)" "refused, one of each mount"
	asked 0 ListObjects
}

test_list_neither() {
	lists_lacking list-type,encoding-type 'no ListObjectsV2' 'no encoding-type'
	asked 2 ListObjectsV2
}

test_list_neither_refused() {
	lists_lacking ListObjectsV2,encoding-type-at-all 'no ListObjectsV2' 'no encoding-type'
	asked 4 ListObjectsV2
	assert_eq 2 "$(stat_get ListObjects errors)" "refused, one of each mount"
}

# A listing that is refused in every form is refused for another reason, which is told.
test_list_refused_for_another_reason() {
	need s3d
	start_s3d
	mkdir m
	fault '{"op":"ListObjectsV2","status":400,"code":"InvalidArgument","message":"no such thing",
		"times":1}'
	fault '{"op":"ListObjects*","status":400,"code":"InvalidArgument","message":"nor that"}'
	assert_fails 'InvalidArgument.*no such thing' \
		"$S3BULKFS" -f -o "endpoint_url=$S3_ENDPOINT" "$BUCKET" m
	asked 2 ListObjectsV2
	asked 2 ListObjects
	faults_clear
	mount_fs "$BUCKET"
	assert_eq 0 "$(grep -c ': no ' daemon0.log || :)" "abilities missed"
}

# Markers are where each of many parallel ranges begins.
test_list_large() {
	need s3d
	start_s3d --lacks list-type
	put_objects d 30000 1
	mount_fs "$BUCKET"
	assert_eq 30000 "$(ls -U "$MNT/d" | sort -u | wc -l)" "names"
	asked 1 ListObjectsV2
	said_once 'no ListObjectsV2'
}

run_tests "$@"
