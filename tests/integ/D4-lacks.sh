#!/bin/bash
# tests/integ/D4-lacks.sh: servers that lack an operation or a parameter are recognised at the first
# refusal and served another way: it is not asked for again, and one line of the log says so.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=tests/integ/objects.sh
. "$INTEG/objects.sh"

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

# ---- copies ----

# objects WHAT...: 40 small ones below d, and large ones with user metadata.
objects() {
	lacking "$@"
	put_objects d 40 100
	dd if=/dev/urandom of=big bs=1M count=40 status=none
	s3 put "$BUCKET" big big type=x/y a=b @Tagging=t=1
	mount_fs "$BUCKET" "$LARGE"
}

same_as_big() { # same_as_big KEY: content, type, user metadata
	s3 get "$BUCKET" "$1" >got
	assert_same big got "content of $1"
	has "$1" 'ContentType x/y' 'meta.a b' 'tag.t 1'
}

# The eight parts that were under way are refused, with the condition and without; what is sent has
# parts of its own.
test_part_copy() {
	objects UploadPartCopy
	assert_exit 0 cp "$MNT/big" "$MNT/copy"
	same_as_big copy
	asked 16 UploadPartCopy
	asked 3 UploadPart
	assert_exit 0 mv "$MNT/copy" "$MNT/moved"
	same_as_big moved
	assert_exit 0 chmod 600 "$MNT/moved"
	same_as_big moved
	assert_eq 600 "$(stat -c %a "$MNT/moved")" "mode"
	assert_exit 0 cp -r "$MNT/d" "$MNT/e"
	asked 40 CopyObject
	asked 16 UploadPartCopy
	said_once 'no UploadPartCopy'
	assert_eq 0 "$(s3 uploads "$BUCKET" | wc -l)" "uploads left"
}

# The source is another version by the time that its second part is read: nothing is made of two.
test_part_copy_changed() {
	objects UploadPartCopy
	hold GetObject big
	cp "$MNT/big" "$MNT/copy" >out 2>&1 &
	local pid=$! rc=0
	wait_held big
	cp big big2
	printf x | dd of=big2 bs=1 conv=notrunc status=none
	s3 put "$BUCKET" big big2
	let_go
	wait $pid || rc=$?
	assert_eq 1 "$rc" "exit code of cp"
	grep -q 'Stale file handle' out || fail "cp said: $(cat out)"
	assert_eq '' "$(s3 ls "$BUCKET" copy)" "what was copied"
	assert_eq 0 "$(s3 uploads "$BUCKET" | wc -l)" "uploads left"
}

test_part_copy_denied() {
	objects UploadPartCopy
	fault '{"op":"UploadPart","key":"copy","nth":2,"status":403,"code":"AccessDenied"}'
	assert_fails 'Permission denied' cp "$MNT/big" "$MNT/copy"
	assert_eq '' "$(s3 ls "$BUCKET" copy)" "what was copied"
	assert_eq 0 "$(s3 uploads "$BUCKET" | wc -l)" "uploads left"
}

# A small change of a large object, in place: the rest is read and sent.
test_part_copy_append() {
	objects UploadPartCopy
	assert_exit 0 sh -c "echo more >>'$MNT/big'"
	echo more >>big
	same_as_big big
	local n
	n=$(stat_get UploadPartCopy)
	assert_le "$n" 16 "UploadPartCopy"
	said_once 'no UploadPartCopy'
	assert_exit 0 dd if=/dev/zero of="$MNT/big" bs=1k count=1 seek=9000 conv=notrunc status=none
	dd if=/dev/zero of=big bs=1k count=1 seek=9000 conv=notrunc status=none
	same_as_big big
	asked "$n" UploadPartCopy
}

# Nothing is copied by the server: all of it passes through this machine, and still in bulk.
test_copy() {
	local n
	objects CopyObject,UploadPartCopy
	assert_exit 0 cp -r "$MNT/d" "$MNT/e"
	same_objects d e
	note "$(stat_get CopyObject) CopyObject, $(stat_get PutObject) PutObject"
	n=$(stat_get CopyObject)
	assert_le "$n" 2 "CopyObject: with the condition, and without"
	assert_exit 0 mv "$MNT/e" "$MNT/f"
	same_objects d f
	assert_eq '' "$(s3 ls "$BUCKET" e/)" "what was moved"
	assert_exit 0 cp "$MNT/big" "$MNT/copy"
	same_as_big copy
	assert_exit 0 chmod 600 "$MNT/copy" "$MNT/f/f000001"
	same_as_big copy
	assert_eq 600 "$(stat -c %a "$MNT/f/f000001")" "mode"
	asked "$n" CopyObject
	said_once 'no CopyObject'
	said_once 'no UploadPartCopy'
	assert_eq 0 "$(grep -c 'no x-amz' daemon0.log || :)" "lines about conditions"
}

test_copy_changed() {
	local pid rc=0
	lacking CopyObject
	put_objects d 2 100
	mount_fs "$BUCKET"
	assert_exit 0 cp "$MNT/d/f000000" "$MNT/first"
	hold GetObject d/f000001
	cp "$MNT/d/f000001" "$MNT/copy" >out 2>&1 &
	pid=$!
	wait_held d/f000001
	head -c 100 /dev/zero >other
	s3 put "$BUCKET" d/f000001 other
	let_go
	wait $pid || rc=$?
	assert_eq 1 "$rc" "exit code of cp: $(cat out)"
	assert_eq '' "$(s3 ls "$BUCKET" copy)" "what was copied"
}

fired() { ctl GET faults | sed 's/.*"fired":\([0-9]*\).*/\1/'; }

# What is on its way through this machine has a bound: of 12 objects of 15 MiB, eight.
test_copy_memory() {
	local pid
	lacking CopyObject
	put_objects small 1 1
	put_objects d 12 $((15 << 20))
	mount_fs "$BUCKET"
	assert_exit 0 cp "$MNT/small/f000000" "$MNT/first"
	stats_reset
	# The first copy of a command is waited for.
	fault '{"op":"GetObject","nth":2,"times":100,"hang":true}'
	cp -r "$MNT/d" "$MNT/e" &
	pid=$!
	until [ "$(stat_get HeadObject)" -ge 12 ] && [ "$(fired)" -ge 8 ]; do :; done
	s3 put "$BUCKET" small/other /dev/null
	[ -e "$MNT/small/other" ] || fail "the mount does not answer"
	assert_eq 8 "$(fired)" "objects on their way"
	faults_clear
	wait $pid
	same_objects d e
	asked 13 PutObject # small/other, too
}

test_copy_refused_key() {
	objects CopyObject
	fault '{"op":"PutObject","key":"e/f000007","status":403,"code":"AccessDenied"}'
	fault '{"op":"GetObject","key":"d/f000011","status":403,"code":"AccessDenied"}'
	assert_exit 1 cp -r "$MNT/d" "$MNT/e"
	assert_eq 38 "$(count_objects e/)" "objects copied"
	assert_exit 1 mv "$MNT/d" "$MNT/e2"
	assert_eq 40 "$(count_objects d/)" "objects of the source"
}

test_copy_empty_and_tags() {
	lacking CopyObject
	: >empty
	echo content >file
	s3 put "$BUCKET" d/empty empty
	s3 put "$BUCKET" d/tagged file @Tagging=a=b k=v
	mount_fs "$BUCKET"
	assert_exit 0 cp -r "$MNT/d" "$MNT/e"
	same_objects d e --meta
	has e/tagged 'tag.a b' 'meta.k v'
}

# ---- tags ----

# What the server copies itself keeps them; what is sent again does not, and is sent.
test_tags() {
	objects GetObjectTagging
	assert_exit 0 cp "$MNT/big" "$MNT/copy"
	assert_exit 0 cp "$MNT/big" "$MNT/copy2"
	s3 get "$BUCKET" copy2 >got
	assert_same big got "content"
	echo new >"$MNT/big"
	assert_eq new "$(s3 get "$BUCKET" big)" "written over"
	asked 1 GetObjectTagging
	said_once 'no GetObjectTagging'
}

# ---- the condition of copies ----

test_condition() {
	objects copy-source-if-match
	assert_exit 0 cp -r "$MNT/d" "$MNT/e"
	same_objects d e
	asked 41 CopyObject # one with the condition
	assert_eq 1 "$(stat_get CopyObject errors)" "refused"
	said_once 'no x-amz-copy-source-if-match'
	assert_exit 0 cp "$MNT/big" "$MNT/copy"
	same_as_big copy
	asked 8 UploadPartCopy
	assert_exit 0 mv "$MNT/copy" "$MNT/moved"
	same_as_big moved
	assert_exit 0 chmod 600 "$MNT/d/f000001" "$MNT/moved"
	same_as_big moved
	said_once 'no x-amz-copy-source-if-match'
}

# What was sent in parts gets another ETag by a copy onto itself: that is no other version.
test_condition_onto_itself() {
	lacking copy-source-if-match
	mount_fs "$BUCKET"
	dd if=/dev/urandom of="$MNT/big" bs=1M count=$PARTS status=none
	remount "$BUCKET"
	s3 ls "$BUCKET" big | grep -q -- '-2' || fail "not in parts: $(s3 ls "$BUCKET" big)"
	stats_reset
	assert_exit 0 chmod 600 "$MNT/big"
	asked 2 CopyObject # with the condition, and without
	assert_le "$(stat_get HeadObject)" 2 "HeadObject: for its metadata, and before the copy"
	assert_exit 0 chmod 640 "$MNT/big"
	asked 3 CopyObject
	remount "$BUCKET"
	assert_eq 640 "$(stat -c %a "$MNT/big")" "mode"
}

# Another version before the copy: nothing is copied. One while it is made: that is told.
test_condition_changed() {
	local pid rc=0
	objects copy-source-if-match
	assert_exit 0 cp "$MNT/d/f000000" "$MNT/first"
	ls "$MNT/d" >/dev/null
	exec 3<"$MNT/d/f000001"
	s3 put "$BUCKET" d/f000001 big
	stats_reset
	assert_fails 'Stale' /usr/bin/python3 - 3<&3 "$MNT/x" <<-'EOF'
		import os, sys
		out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
		print(os.copy_file_range(3, out, 100))
		os.close(out)
	EOF
	exec 3<&-
	asked 0 CopyObject
	hold CopyObject y
	cp "$MNT/d/f000002" "$MNT/y" >out 2>&1 &
	pid=$!
	wait_held y
	s3 put "$BUCKET" d/f000002 big
	let_go
	wait $pid || rc=$?
	assert_eq 1 "$rc" "exit code of cp: $(cat out)"
}

run_tests "$@"
