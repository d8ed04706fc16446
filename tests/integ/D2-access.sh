#!/bin/bash
# tests/integ/D2-access.sh: options about who may do what with objects: ACLs, who pays, whose the
# bucket is, and tags that may not be read.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=tests/integ/shared.sh
. "$(dirname "$(readlink -f "$0")")/shared.sh"
# shellcheck source=tests/integ/objects.sh
. "$(dirname "$(readlink -f "$0")")/objects.sh"

# acl_is ACL KEY...: with this the objects were made ("": with none).
acl_is() {
	local acl=$1 key line
	shift
	for key in "$@"; do
		line=$(ctl GET "dump?bucket=$BUCKET&prefix=$key" | grep -F "\"key\":\"$key\"")
		case $acl,$line in
		,*x-amz-acl*) fail "$key has an ACL: $line" ;;
		,*) ;;
		*"\"x-amz-acl\":\"$acl\""*) ;;
		*) fail "$key is not $acl: $line" ;;
		esac
	done
}

test_acl() {
	local acl
	need s3d
	start_server
	make_bucket two
	put_all @ACL=public-read
	mount_shared "$BUCKET" a "$LARGE,acl=bucket-owner-full-control"
	make_all "$WORK/a"
	acl_is bucket-owner-full-control "${MADE[@]}"
	acl_is public-read src/f1
	# Without the option the copy is S3's matter: private.
	mount_shared two b "$LARGE"
	assert_exit 0 cp -r "$WORK/a/copied" "$WORK/a/big-copy" "$WORK/b/"
	echo x >"$WORK/b/f"
	BUCKET=two acl_is "" copied/f1 big-copy f
	assert_exit 0 cp -r "$WORK/b/copied" "$WORK/b/big-copy" "$WORK/a/src/"
	acl_is bucket-owner-full-control src/copied/f1 src/big-copy
	for acl in private public-read public-read-write aws-exec-read authenticated-read \
		bucket-owner-read; do
		mount_shared "$BUCKET:/$acl" "$acl" "acl=$acl"
		echo x >"$WORK/$acl/f"
		acl_is $acl $acl/f
	done
}

guard() { ctl POST guard "$1" >/dev/null; }

# nothing_denied [OPERATION...]: of all requests so far, among which were such.
nothing_denied() {
	local op
	ctl GET 'log?n=100000' >log
	! grep AccessDenied log || fail "refused"
	for op in "$@"; do grep -q "\"$op\"" log || fail "no $op took part"; done
}

EVERY_OPERATION=(ListObjectsV2 HeadObject GetObject PutObject CopyObject DeleteObject DeleteObjects
	GetObjectTagging PutObjectTagging DeleteObjectTagging CreateMultipartUpload UploadPart
	UploadPartCopy CompleteMultipartUpload AbortMultipartUpload)

# ask_all DIR: each operation that there is.
ask_all() {
	make_all "$1"
	cat "$1/src/f1" >/dev/null
	setfattr -n s3.tag.a -v 1 "$1/big-copy"
	assert_exit 0 cp "$1/big-copy" "$1/tagged"
	setfattr -x s3.tag.a "$1/tagged"
	echo x >"$1/"$'\001'
	assert_exit 0 rm "$1/put" "$1/"$'\001' # which XML cannot carry
	assert_exit 0 rm -r "$1/copied" "$1/dir-moved"
	fault '{"op":"UploadPartCopy","key":"aborted","status":403,"code":"InvalidObjectState"}'
	assert_exit 1 cp "$1/tagged" "$1/aborted"
	faults_clear
}

test_requester_pays() {
	need s3d
	start_server
	put_all
	guard "{\"bucket\":\"$BUCKET\",\"requester_pays\":true}"
	mkdir -p none
	assert_fails 'may not list bucket.*and -o requester_pays for a bucket whose users pay' \
		"$S3BULKFS" -f -o "endpoint_url=$S3_ENDPOINT" "$BUCKET" none
	stats_reset
	mount_fs "$BUCKET" "$LARGE,requester_pays,commit=close"
	ask_all "$MNT"
	nothing_denied "${EVERY_OPERATION[@]}"
}

test_bucket_owner() {
	need s3d
	start_server
	put_all
	guard "{\"bucket\":\"$BUCKET\",\"owner\":\"000000000017\"}"
	mkdir -p none
	assert_fails "may not list bucket.*must be the account's that -o expected_bucket_owner names" \
		"$S3BULKFS" -f -o "endpoint_url=$S3_ENDPOINT,expected_bucket_owner=123456789012" \
		"$BUCKET" none
	stats_reset
	mount_fs "$BUCKET" "$LARGE,expected_bucket_owner=000000000017,commit=close"
	ask_all "$MNT"
	nothing_denied "${EVERY_OPERATION[@]}"
	ctl GET "dump?bucket=$BUCKET" >before
	# Whatever is asked for: the bucket has been given away.
	guard "{\"bucket\":\"$BUCKET\"}"
	for op in "cat src/f2" "cp src/f1 new" "cp big new" "sh -c 'echo x >new'" "rm append" \
		"chmod 700 chmod" "rmdir made" "mv moved new" "cp src/f2 append"; do
		assert_fails 'Permission denied' sh -c "cd '$MNT' && $op"
	done
	ctl GET "dump?bucket=$BUCKET" >after
	assert_same before after "the bucket has changed"
	guard "{\"bucket\":\"$BUCKET\",\"owner\":\"000000000017\"}"
}

# The source's mount says what is true of its bucket, the target's of its own.
test_owners_and_payers_between_mounts() {
	need s3d
	start_server
	make_bucket two
	put_all
	guard "{\"bucket\":\"$BUCKET\",\"owner\":\"000000000017\",\"requester_pays\":true}"
	guard '{"bucket":"two","owner":"000000000018"}'
	mount_shared "$BUCKET" a "$LARGE,expected_bucket_owner=000000000017,requester_pays"
	mount_shared two b "$LARGE,expected_bucket_owner=000000000018"
	stats_reset
	assert_exit 0 cp -r "$WORK/a/src" "$WORK/a/big" "$WORK/b/"
	assert_exit 0 mv "$WORK/b/src" "$WORK/a/back"
	nothing_denied CopyObject UploadPartCopy DeleteObjects
	assert_eq 0 "$(stat_get GetObject)" GetObject
	guard '{"bucket":"two"}'
	assert_fails 'Permission denied' cp "$WORK/b/big" "$WORK/a/again"
	assert_eq 0 "$(stat_get UploadPart)" UploadPart
	guard '{"bucket":"two","owner":"000000000018"}'
}

# One mount of all buckets: what the options say holds for each of them.
test_all_buckets() {
	local pid op options
	need s3d
	start_server
	make_bucket two
	put_all
	for op in "$BUCKET" two; do
		guard "{\"bucket\":\"$op\",\"owner\":\"000000000017\",\"requester_pays\":true}"
	done
	options=requester_pays,expected_bucket_owner=000000000017,storage_class=STANDARD_IA
	mkdir all
	MOUNTS+=("$WORK/all")
	"$S3BULKFS" -o "endpoint_url=$S3_ENDPOINT,$LARGE,$options,acl=bucket-owner-read,sse=aws:kms" \
		--all-buckets "$WORK/all"
	for pid in $(daemons); do PIDS+=("$pid"); done
	stats_reset
	assert_exit 0 cp -r "all/$BUCKET/src" "all/$BUCKET/big" all/two/
	nothing_denied CopyObject UploadPartCopy
	guard '{"bucket":"two"}'
	BUCKET=two has src/f1 "$KMS" "StorageClass STANDARD_IA"
	BUCKET=two has big "$KMS" "StorageClass STANDARD_IA"
	BUCKET=two acl_is bucket-owner-read src/f1 big
	guard '{"bucket":"two","owner":"000000000017"}'
}

test_access_refused() {
	refused "acl takes private, .* or bucket-owner-full-control, not 'log-delivery-write'" \
		acl=log-delivery-write
	refused "expected_bucket_owner takes the 12 digits of an AWS account, not '12345678901'" \
		expected_bucket_owner=12345678901
	refused "12 digits .* not '12345678901x'" expected_bucket_owner=12345678901x
	refused "option 'requester_pays=yes'" requester_pays=yes
}

test_copy_tags_no() {
	local key
	need s3d
	start_server
	make_bucket two
	put_all @Tagging=a=1
	mount_shared "$BUCKET" a "$LARGE,copy_tags=no,commit=close"
	mount_shared two b "$LARGE"
	fault '{"op":"GetObjectTagging","status":403,"code":"AccessDenied"}'
	stats_reset
	assert_exit 0 cp -r "$WORK/a/src" "$WORK/a/copied"
	assert_exit 0 cp "$WORK/a/big" "$WORK/a/big-copy"
	assert_exit 0 mv "$WORK/a/mv" "$WORK/a/moved"
	assert_exit 0 mv "$WORK/a/dir" "$WORK/a/dir-moved"
	assert_exit 0 chmod 600 "$WORK/a/chmod" "$WORK/a/big-chmod"
	assert_eq 0 "$(stat_get GetObjectTagging)" GetObjectTagging
	# What counts is who makes the copy.
	assert_exit 0 cp -r "$WORK/a/src" "$WORK/b/src"
	faults_clear
	assert_exit 0 cp "$WORK/a/big" "$WORK/b/big"
	assert_exit 0 cp "$WORK/b/big" "$WORK/a/big-back"
	for key in copied/f1 copied/f2 big-copy moved dir-moved/f chmod big-chmod big-back; do
		hasnt $key '^tag'
	done
	BUCKET=two has src/f1 "tag.a 1"
	BUCKET=two has big "tag.a 1"
	has src/f1 "tag.a 1"
}

# Without the option copies have the tags; if they may not be read, the log and s3bulkfsctl say what
# to do.
test_copy_tags_denied() {
	need s3d
	local said="the source's tags may not be read (-o copy_tags=no copies without them): Access"
	start_server
	put_all @Tagging=a=1
	mount_fs "$BUCKET" "$LARGE,copy_tags=yes"
	fault '{"op":"GetObjectTagging","status":403,"code":"AccessDenied"}'
	assert_exit 0 cp -r "$MNT/src" "$MNT/copied"
	assert_exit 1 cp "$MNT/big" "$MNT/refused"
	printf '%s' "$OUT" | grep -q 'Permission denied' || fail "cp said '$OUT'"
	grep -F "copy of /refused failed: AccessDenied (HTTP 403): $said" "$WORK/daemon0.log" ||
		fail "the log says: $(cat "$WORK/daemon0.log")"
	run "$(dirname "$S3BULKFS")/s3bulkfsctl" errors "$MNT"
	printf '%s' "$OUT" | grep -qF "$said" || fail "the ledger has no remedy"
	# S3 has the same reason for not copying a small object, if it says so.
	fault '{"op":"CopyObject","key":"small","status":403,"code":"AccessDenied",
		"message":"User x is not authorized to perform: s3:GetObjectTagging on resource"}'
	assert_exit 1 cp "$MNT/src/f1" "$MNT/small"
	grep 'copy of /small failed' "$WORK/daemon0.log" | grep -F -- '-o copy_tags=no' ||
		fail "the log says: $(cat "$WORK/daemon0.log")"
	faults_clear
	assert_exit 0 cp "$MNT/big" "$MNT/allowed"
	has copied/f1 "tag.a 1"
	has allowed "tag.a 1"
	refused "option 'copy_tags=never' is not valid" copy_tags=never
}

run_tests "$@"
