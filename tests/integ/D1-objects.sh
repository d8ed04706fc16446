#!/bin/bash
# tests/integ/D1-objects.sh: options about objects in S3: what each request and each object has with
# them, however it came about, and without them.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=tests/integ/shared.sh
. "$(dirname "$(readlink -f "$0")")/shared.sh"
# shellcheck source=tests/integ/objects.sh
. "$(dirname "$(readlink -f "$0")")/objects.sh"

test_storage_class() {
	local key
	need s3d
	start_server
	put_all @StorageClass=ONEZONE_IA
	mount_fs "$BUCKET" "$LARGE,storage_class=STANDARD_IA"
	make_all "$MNT"
	assert_eq STANDARD_IA "$(getfattr --only-values -n s3.storage-class "$MNT/put")" \
		"what is known of put"
	for key in "${MADE[@]}"; do has "$key" "StorageClass STANDARD_IA"; done
	has src/f1 "StorageClass ONEZONE_IA"
}

test_storage_class_is_kept() {
	local key
	need s3d
	start_server
	put_all @StorageClass=ONEZONE_IA
	mount_fs "$BUCKET" "$LARGE"
	make_all "$MNT"
	for key in copied/f1 big-copy chmod big-chmod moved dir-moved/f append; do
		has "$key" "StorageClass ONEZONE_IA"
	done
	for key in put upload made/ link; do hasnt "$key" StorageClass; done
}

# What a mount with the option has made, another one copies without asking S3 what it is.
test_storage_class_between_mounts() {
	need s3d
	start_server
	make_bucket two
	mount_shared "$BUCKET" a storage_class=GLACIER_IR
	mount_shared two b
	mount_shared two:/c c storage_class=ONEZONE_IA
	mkdir "$WORK/a/d"
	echo x >"$WORK/a/d/f"
	assert_exit 0 cp -r "$WORK/a/d" "$WORK/b/d"
	assert_exit 0 cp -r "$WORK/a/d" "$WORK/c/d"
	BUCKET=two has d/f "StorageClass GLACIER_IR"
	BUCKET=two has c/d/f "StorageClass ONEZONE_IA"
	assert_exit 0 mv "$WORK/b/d/f" "$WORK/a/moved"
	has moved "StorageClass GLACIER_IR"
	assert_eq 1 "$(daemons | wc -l)" daemons
}

test_storage_class_refused() {
	need s3d
	refused "'standard_ia' cannot be a storage class" storage_class=standard_ia
	refused "option 'storage_class=' is not valid" storage_class=
	start_server
	mount_fs "$BUCKET" storage_class=NONE_SUCH
	assert_fails 'Invalid argument' cp /etc/hostname "$MNT/f"
	grep -q InvalidStorageClass "$WORK/daemon0.log" || fail "the log does not say why"
}

test_sse_kms() {
	local key
	need s3d
	start_server
	put_all @ServerSideEncryption=aws:kms:dsse @SSEKMSKeyId=theirs
	mount_fs "$BUCKET" "$LARGE,sse=aws:kms,sse_kms_key_id=alias/mine,sse_bucket_key"
	make_all "$MNT"
	for key in "${MADE[@]}"; do
		has "$key" "$KMS" "SSEKMSKeyId alias/mine" "BucketKeyEnabled True"
	done
	has src/f1 "ServerSideEncryption aws:kms:dsse" "SSEKMSKeyId theirs"
	remount "$BUCKET" "$LARGE,sse=aws:kms:dsse"
	echo new >"$MNT/put"
	assert_exit 0 cp -p "$MNT/upload" "$MNT/link2"
	for key in put link2; do
		has "$key" "ServerSideEncryption aws:kms:dsse"
		hasnt "$key" "SSEKMSKeyId\\|BucketKey"
	done
}

# Of a key that the object had nothing is left.
test_sse_aes() {
	local key
	need s3d
	start_server
	put_all @ServerSideEncryption=aws:kms @SSEKMSKeyId=theirs @BucketKeyEnabled=true
	mount_fs "$BUCKET" "$LARGE,sse=AES256"
	make_all "$MNT"
	for key in "${MADE[@]}"; do
		has "$key" "ServerSideEncryption AES256"
		hasnt "$key" "SSEKMSKeyId\\|BucketKey"
	done
}

# Without options new objects are the bucket's matter, and changed ones stay what they were.
test_sse_is_kept() {
	local key
	need s3d
	start_server
	put_all @ServerSideEncryption=aws:kms @SSEKMSKeyId=theirs @BucketKeyEnabled=true
	mount_fs "$BUCKET" "$LARGE"
	make_all "$MNT"
	for key in chmod big-chmod append; do
		has "$key" "$KMS" "SSEKMSKeyId theirs" "BucketKeyEnabled True"
	done
	for key in put upload copied/f1 big-copy moved dir-moved/f made/ link; do
		hasnt "$key" "Encryption\\|SSEKMSKeyId\\|BucketKey"
	done
}

test_sse_between_mounts() {
	need s3d
	start_server
	make_bucket two
	put_all
	mount_shared "$BUCKET" a "$LARGE,sse=AES256"
	mount_shared two b "$LARGE,sse=aws:kms,sse_kms_key_id=mine"
	mount_shared two:/c c "$LARGE"
	mkdir "$WORK/a/d"
	echo x >"$WORK/a/d/f"
	assert_exit 0 cp -r "$WORK/a/d" "$WORK/a/big" "$WORK/b/"
	assert_exit 0 cp -r "$WORK/b/d" "$WORK/c/d"
	assert_eq 0 "$(stat_get UploadPart)" UploadPart
	BUCKET=two has d/f "$KMS" "SSEKMSKeyId mine"
	BUCKET=two has big "$KMS" "SSEKMSKeyId mine"
	BUCKET=two hasnt c/d/f Encryption
	assert_exit 0 mv "$WORK/b/d/f" "$WORK/a/moved"
	has moved "ServerSideEncryption AES256"
}

test_sse_refused() {
	refused "sse takes AES256, aws:kms or aws:kms:dsse, not 'aes256'" sse=aes256
	refused 'sse_kms_key_id needs sse=aws:kms or sse=aws:kms:dsse' sse_kms_key_id=k
	refused 'sse_kms_key_id needs sse=aws:kms' sse=AES256,sse_kms_key_id=k
	refused 'sse_kms_key_id takes the id' "sse=aws:kms,sse_kms_key_id=a b"
	refused 'sse_bucket_key works with sse=aws:kms only' sse_bucket_key
	refused 'sse_bucket_key works with sse=aws:kms only' sse=aws:kms:dsse,sse_bucket_key
	refused "option 'sse_bucket_key=no'" sse_bucket_key=no
}

# A key of SSE-C in the file $1: from the letter $2, as bytes or as base64.
key_file() {
	local raw
	raw=$(printf '%32s' '' | tr ' ' "$2")
	(umask 077 && if [ "${3:-}" = base64 ]; then printf %s "$raw" | base64; else
		printf %s "$raw"
	fi >"$1")
	KEY_BASE64=$(printf %s "$raw" | base64)
	KEY_MD5=$(printf %s "$raw" | openssl md5 -binary | base64)
}

# keyed MD5 KEY...: s3d keeps these objects under the key of that MD5 ("": under none).
keyed() {
	local md5=$1 key line
	shift
	for key in "$@"; do
		line=$(ctl GET "dump?bucket=$BUCKET&prefix=$key" | grep -F "\"key\":\"$key\"")
		case $md5,$line in
		,*customer*) fail "$key has a customer's key: $line" ;;
		,*) ;;
		*"customer-key-md5\":\"$md5\""*) ;;
		*) fail "$key is not under the key $md5: $line" ;;
		esac
	done
}

content() { ctl GET "put?bucket=$BUCKET&key=$1"; } # whatever its key is

test_customer_key() {
	local key
	need s3d
	start_server
	key_file key a
	dd if=/dev/urandom of=big bs=1M count=$PARTS status=none
	mount_fs "$BUCKET" "$LARGE,sse_customer_key_file=key"
	mkdir "$MNT/src" "$MNT/dir"
	for key in src/f1 src/f2 chmod mv dir/f append; do echo content >"$MNT/$key"; done
	cp big "$MNT/big"
	cp big "$MNT/big-chmod"
	# Nothing is known of them any more.
	remount "$BUCKET" "$LARGE,sse_customer_key_file=$WORK/key"
	make_all "$MNT"
	keyed "$KEY_MD5" "${MADE[@]}" src/f1 big
	cmp big "$MNT/big-copy" || fail "the content of the copy"
	content big-chmod | cmp big - || fail "the content after chmod"
	assert_eq "content more" "$(paste -sd' ' "$MNT/append")" append
	assert_eq content "$(cat "$MNT/moved")" moved
	assert_eq 600 "$(stat -c %a "$MNT/chmod")" mode
	assert_eq x "$(readlink "$MNT/link")" link
	assert_exit 0 sh -c "echo end >>'$MNT/big-copy'" # a part of the object, and bytes
	{ cat big && echo end; } | cmp - "$MNT/big-copy" || fail "what was appended"
	for key in PutObject GetObject HeadObject CopyObject UploadPart UploadPartCopy \
		CreateMultipartUpload; do
		[ "$(stat_get $key)" -gt 0 ] || fail "no $key took part"
		[ $key = HeadObject ] || assert_eq 0 "$(stat_get $key errors)" "errors of $key"
	done
	assert_exit 0 rm -r "$MNT/copied" "$MNT/big-copy"
}

test_customer_key_as_base64() {
	need s3d
	start_server
	key_file key b base64
	mount_fs "$BUCKET" sse_customer_key_file=key
	echo x >"$MNT/f"
	keyed "$KEY_MD5" f
}

# The right key, another one, none, and a key where the object has none.
test_customer_key_that_does_not_fit() {
	need s3d
	start_server
	key_file key a
	key_file other b
	mount_fs "$BUCKET" sse_customer_key_file=key
	echo content >"$MNT/f"
	remount "$BUCKET" sse_customer_key_file=other
	ls "$MNT" >names
	assert_eq f "$(cat names)" names
	assert_fails 'Permission denied' cat "$MNT/f"
	assert_fails 'Permission denied' chmod 600 "$MNT/f"
	remount "$BUCKET" commit=close
	ls "$MNT" >/dev/null
	assert_fails 'Invalid argument' cat "$MNT/f"
	assert_fails 'Invalid argument' cp "$MNT/f" "$MNT/g"
	assert_fails 'Invalid argument' chmod 600 "$MNT/f"
	grep -q 'perhaps the object is encrypted with a customer key: -o sse_customer_key_file' \
		"$WORK"/daemon*.log || fail "the log has no remedy: $(cat "$WORK"/daemon*.log)"
	# A lookup by name alone is told why, too.
	remount "$BUCKET"
	assert_fails 'Invalid argument' stat "$MNT/f"
	assert_fails 'Invalid argument' stat "$MNT/f"
	assert_eq 1 "$(grep -c 'HeadObject of f in bucket bucket failed: HTTP400' \
		"$WORK"/daemon3.log)" "lines about it"
	echo plain >plain
	s3 put "$BUCKET" plain plain
	remount "$BUCKET" sse_customer_key_file=key
	ls "$MNT" >/dev/null
	assert_fails 'Invalid argument' cat "$MNT/plain"
	assert_fails 'Invalid argument' chmod 600 "$MNT/plain"
	grep -q 'perhaps the object is not encrypted with a customer key' "$WORK"/daemon*.log ||
		fail "the log has no reason: $(cat "$WORK"/daemon*.log)"
	assert_eq content "$(cat "$MNT/f")" "with the right key"
	s3 del "$BUCKET" plain
}

# Each side has its own key, or none; no data comes through here, small or in parts.
test_customer_key_between_mounts() {
	local to from
	need s3d
	start_server
	make_bucket two
	key_file other b
	OTHER_MD5=$KEY_MD5
	key_file key a
	dd if=/dev/urandom of=big bs=1M count=$PARTS status=none
	mount_shared "$BUCKET:/a" a "$LARGE,sse_customer_key_file=key"
	mount_shared "two:/b" b "$LARGE,sse_customer_key_file=other"
	mount_shared "$BUCKET:/c" c "$LARGE"
	rm key other # the daemon has what it needs
	for from in a b c; do
		mkdir "$WORK/$from/d"
		echo "content of $from" >"$WORK/$from/d/f"
		cp big "$WORK/$from/d/big"
	done
	stats_reset
	for from in a b c; do
		for to in a b c; do
			assert_exit 0 cp -r "$WORK/$from/d" "$WORK/$to/from-$from"
			assert_eq "content of $from" "$(cat "$WORK/$to/from-$from/f")" "$from to $to"
			cmp big "$WORK/$to/from-$from/big" || fail "big from $from to $to"
		done
	done
	assert_eq 0 "$(stat_get UploadPart)" UploadPart
	assert_eq 9 "$(stat_get CreateMultipartUpload)" CreateMultipartUpload
	assert_eq 0 "$(stat_get UploadPartCopy errors)" "errors of UploadPartCopy"
	assert_eq 0 "$(stat_get CopyObject errors)" "errors of CopyObject"
	for from in a b c; do
		keyed "$KEY_MD5" "a/from-$from/f" "a/from-$from/big"
		keyed "" "c/from-$from/f" "c/from-$from/big"
		BUCKET=two keyed "$OTHER_MD5" "b/from-$from/f" "b/from-$from/big"
	done
	assert_exit 0 mv "$WORK/a/d" "$WORK/b/moved"
	BUCKET=two keyed "$OTHER_MD5" b/moved/f b/moved/big
	assert_eq 1 "$(daemons | wc -l)" daemons
	# A file of parts of two sources.
	assert_exit 0 sh -c "cat '$WORK/b/d/big' '$WORK/c/d/big' >'$WORK/a/both'"
	cat big big | cmp - "$WORK/a/both" || fail "the content of both"
	keyed "$KEY_MD5" a/both
}

test_customer_key_is_secret() {
	local pid
	need s3d
	start_server
	key_file key a
	mount_shared "$BUCKET:/s" s sse_customer_key_file=key
	echo x >"$WORK/s/f"
	keyed "$KEY_MD5" s/f
	for pid in $(daemons); do
		! tr '\0' '\n' <"/proc/$pid/cmdline" | grep -F "$KEY_BASE64" || fail "in the arguments"
		! tr '\0' '\n' <"/proc/$pid/environ" | grep -F "$KEY_BASE64" || fail "environment"
	done
	MNT=$WORK/debug
	mkdir debug
	MOUNTS+=("$MNT")
	"$S3BULKFS" -d -o "endpoint_url=$S3_ENDPOINT,sse_customer_key_file=key" "$BUCKET" "$MNT" \
		>daemon.log 2>&1 &
	DAEMON_PID=$!
	PIDS+=("$DAEMON_PID")
	until mountpoint -q "$MNT"; do kill -0 "$DAEMON_PID" || fail "no mount"; done
	fault '{"op":"PutObject","status":500,"times":1}'
	echo x >"$MNT/f"
	keyed "$KEY_MD5" f
	umount_fs
	grep -q PutObject daemon.log || fail "the log has no requests"
	! grep -qF "$KEY_BASE64" daemon.log || fail "the key is in the log"
	! grep -qF aaaaaaaaaaaaaaaa daemon.log || fail "the key is in the log"
}

test_customer_key_refused() {
	local mode
	key_file key a
	for mode in 640 604 660; do
		chmod $mode key
		refused "use the customer key key .mode 0$mode.: chmod 600 it" sse_customer_key_file=key
	done
	chmod 600 key
	refused 'cannot read the customer key none/key: No such file' sse_customer_key_file=none/key
	refused 'sse and sse_customer_key_file exclude each other' \
		sse_customer_key_file=key,sse=AES256
	(umask 077 && echo short >short)
	refused 'short has no customer key: 32 bytes, or base64' sse_customer_key_file=short
	! printf '%s' "$OUT" | grep -q aaaa || fail "the key is in '$OUT'"
	mkdir -p mnt
	assert_fails 'over https only, and the endpoint is http://s3.example.org: give' \
		"$S3BULKFS" -f -o no_sign_request,endpoint_url=http://s3.example.org \
		-o sse_customer_key_file=key b mnt
	assert_eq 1 "$RC" "exit code"
}

run_tests "$@"
