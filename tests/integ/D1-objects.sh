#!/bin/bash
# tests/integ/D1-objects.sh: options about objects in S3: what each request and each object has with
# them, however it came about, and without them.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=tests/integ/shared.sh
. "$(dirname "$(readlink -f "$0")")/shared.sh"

LARGE=copy_threshold=5M,copy_part_size=5M
PARTS=11 # MiB: above the threshold, and uploaded in parts

# refused TEXT OPTIONS: not mounted, exit code 2, one line that says TEXT.
refused() {
	mkdir -p none
	assert_exit 2 "$S3BULKFS" -f -o "endpoint_url=${S3_ENDPOINT:-http://127.0.0.1:1},$2" b none
	assert_eq 1 "$(printf '%s\n' "$OUT" | wc -l)" "lines about $2"
	printf '%s\n' "$OUT" | grep -qE -- "$1" || fail "$2: did not say '$1'"
}

# has KEY LINE...: the object has these lines of `s3.py show`. hasnt KEY TEXT: none has TEXT.
has() {
	local line
	s3 show "$BUCKET" "$1" >shown
	for line in "${@:2}"; do
		grep -qxF -- "$line" shown || fail "$1 has no '$line': $(cat shown)"
	done
}

hasnt() {
	s3 show "$BUCKET" "$1" >shown
	! grep -q -- "$2" shown || fail "$1 has '$2': $(cat shown)"
}

# Everything by which objects are made, at $1, from the trees src/ and big of others.
make_all() {
	local mnt=$1
	echo new >"$mnt/put"
	assert_exit 0 dd if=big of="$mnt/upload" bs=1M status=none
	assert_exit 0 cp -r "$mnt/src" "$mnt/copied"
	assert_exit 0 cp "$mnt/big" "$mnt/big-copy"
	assert_exit 0 chmod 600 "$mnt/chmod" "$mnt/big-chmod" "$mnt/put"
	assert_exit 0 mv "$mnt/mv" "$mnt/moved"
	assert_exit 0 mv "$mnt/dir" "$mnt/dir-moved"
	assert_exit 0 sh -c "echo more >>'$mnt/append'"
	mkdir "$mnt/made"
	ln -s x "$mnt/link"
}
MADE=(put upload copied/f1 copied/f2 big-copy chmod big-chmod moved dir-moved/f append made/ link)

# put_all [@NAME=VALUE...]: what make_all works on.
put_all() {
	local key
	dd if=/dev/urandom of=big bs=1M count=$PARTS status=none
	echo content >file
	for key in src/f1 src/f2 chmod mv dir/f append; do s3 put "$BUCKET" $key file "$@"; done
	for key in big big-chmod; do s3 put "$BUCKET" $key big "$@"; done
}

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

KMS="ServerSideEncryption aws:kms"

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

run_tests "$@"
