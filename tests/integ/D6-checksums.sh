#!/bin/bash
# tests/integ/D6-checksums.sh: bytes that are damaged on their way to S3 or from there are noticed
# and sent or asked for again. Most of it with an unsigned mount, whose signatures prove nothing.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=tests/integ/shared.sh
. "$(dirname "$(readlink -f "$0")")/shared.sh"
# shellcheck source=tests/integ/objects.sh
. "$(dirname "$(readlink -f "$0")")/objects.sh"

DIFFERS='failed: ChecksumMismatch: the bytes that came are not those of x-amz-checksum-'

# unsigned [OPTIONS]: a server that serves everybody, and a mount that signs nothing.
unsigned() {
	need s3d
	start_server --no-auth
	mount_fs "$BUCKET" "no_sign_request,timeout=3${1:+,$1}"
}

# sum_of KEY: as `name value`, of the checksum that S3 has of the object.
sum_of() {
	ctl GET "dump?bucket=$BUCKET&prefix=$1" | grep -F "\"key\":\"$1\"" |
		grep -o '"x-amz-checksum-[a-z0-9]*":"[^"]*"' | grep -v checksum-type | tr -d '"' |
		tr : ' '
}

test_kept_with_what_is_made() {
	local key
	need s3d
	start_server
	put_all
	mount_fs "$BUCKET" "$LARGE,checksum=crc32c"
	make_all "$MNT"
	echo new >put
	for key in put upload append made/ link; do
		[[ $(sum_of $key) == "x-amz-checksum-crc32c "* ]] || fail "$key has '$(sum_of $key)'"
	done
	assert_exit 0 cmp big "$MNT/upload"
	# What s3d compared is no part of this: python's own.
	assert_eq "$(python3 - put <<<'
import base64, sys
table = []
for i in range(256):
    for _ in range(8):
        i = i >> 1 ^ (0x82F63B78 if i & 1 else 0)
    table.append(i)
for name in sys.argv[1:]:
    crc = 0xFFFFFFFF
    for byte in open(name, "rb").read():
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    print("x-amz-checksum-crc32c", base64.b64encode((crc ^ 0xFFFFFFFF).to_bytes(4, "big")).decode())
')" "$(sum_of put)" "checksum"
}

# Copies have the checksum that their source had, those in parts, too, and changed ones.
test_copies_keep_the_source_s() {
	local name key want
	need s3d
	start_server
	dd if=/dev/urandom of=big bs=1M count=$PARTS status=none
	echo content >file
	for name in CRC32 SHA256; do
		s3 put "$BUCKET" small-$name file @ChecksumAlgorithm=$name
		s3 put "$BUCKET" big-$name big @ChecksumAlgorithm=$name
	done
	mount_fs "$BUCKET" "$LARGE,checksum=crc32c"
	for key in small-CRC32 big-CRC32 small-SHA256; do
		want=$(sum_of $key)
		[ -n "$want" ] || fail "$key has no checksum"
		assert_exit 0 cp "$MNT/$key" "$MNT/copy"
		assert_eq "$want" "$(sum_of copy)" "checksum of a copy of $key"
		assert_exit 0 chmod 600 "$MNT/copy"
		assert_eq "$want" "$(sum_of copy)" "checksum of $key, changed"
	done
	# S3 makes no SHA-256 of the whole from parts.
	assert_exit 0 cp "$MNT/big-SHA256" "$MNT/copy"
	assert_exit 0 cmp big "$MNT/copy"
	[[ $(sum_of copy) == "x-amz-checksum-crc32c "* ]] || fail "the copy has '$(sum_of copy)'"
	# Elsewhere than at Amazon a server may not know of it: nothing is said.
	remount "$BUCKET" "$LARGE"
	fault '{"op":"*","header":"x-amz-checksum-algorithm","status":500}'
	assert_exit 0 cp "$MNT/big-CRC32" "$MNT/copy"
	assert_eq "" "$(sum_of copy)" "checksum of a copy in parts"
	assert_le 1 "$(stat_get UploadPartCopy)" UploadPartCopy
}

# damaged_once [OPTIONS]: what S3 gets the first time is not what was sent, and it says so.
damaged_once() {
	local op
	unsigned "$1"
	dd if=/dev/urandom of=big bs=1M count=$PARTS status=none
	for op in PutObject UploadPart; do fault "{\"op\":\"$op\",\"flip\":3,\"times\":1}"; done
	echo content >"$MNT/f"
	assert_exit 0 dd if=big of="$MNT/big" bs=1M status=none
	assert_eq 1 "$(stat_get PutObject errors)" "PutObject that failed"
	assert_eq 1 "$(stat_get UploadPart errors)" "UploadPart that failed"
	assert_eq content "$(s3 get "$BUCKET" f)" "content"
	s3 get "$BUCKET" big >got
	assert_same big got "the upload"
	umount "$MNT"
	! grep -v 'mounted' "$WORK/daemon0.log" | grep . || fail "the log has more to say"
}

test_sent_again_crc32c() { damaged_once checksum=crc32c; }
test_sent_again_md5() { damaged_once checksum=md5; }
test_sent_again_auto() { damaged_once ''; }

# Signed over plain http, with the body's SHA-256.
test_sent_again_signed() {
	need s3d
	fresh
	fault '{"op":"PutObject","flip":3,"times":1}'
	echo content >"$MNT/f"
	assert_eq 1 "$(stat_get PutObject errors)" "PutObject that failed"
	assert_eq content "$(s3 get "$BUCKET" f)" content
}

# So nobody notices it without; and the fault is one.
test_none() {
	unsigned checksum=none
	fault '{"op":"PutObject","flip":0,"times":1}'
	echo content >"$MNT/f"
	assert_eq bontent "$(s3 get "$BUCKET" f)" "what S3 has"
	printf content >file
	s3 put "$BUCKET" g file
	fault '{"op":"GetObject","key":"g","flip":0,"times":1}'
	assert_eq bontent "$(cat "$MNT/g")" "what was read"
	not_compared "damaged bytes were read, and are remembered"
}

# A body that never arrives whole is refused; what creating the file has made is empty.
test_damaged_for_ever() {
	unsigned checksum=crc32c
	fault '{"op":"PutObject","flip":0}'
	echo content >file
	assert_fails 'Input/output error' dd if=file of="$MNT/f" status=none
	faults_clear
	assert_eq "" "$(s3 get "$BUCKET" f)" "what S3 has"
}

test_read_again() {
	local name
	unsigned
	printf 123456789 >file
	# Check values of the catalogue of CRCs, and of openssl.
	set -- crc32 y/Q5Jg== crc32c 4waSgw== crc64nvme rosUhgp5mIg= \
		sha1 "$(openssl sha1 -binary file | base64)" \
		sha256 "$(openssl sha256 -binary file | base64)"
	for name in crc32 crc32c crc64nvme sha1 sha256; do
		curl -sSf -X PUT --data-binary @file -H "x-amz-checksum-$name: $2" \
			"$S3_ENDPOINT/$BUCKET/$name"
		shift 2
	done
	for name in crc32 crc32c crc64nvme sha1 sha256; do
		stats_reset
		fault '{"op":"GetObject","flip":4,"times":1}'
		cmp file "$MNT/$name" || fail "what was read of $name is wrong"
		assert_eq 2 "$(stat_get GetObject)" "GetObject of $name"
	done
	! grep ChecksumMismatch "$WORK/daemon0.log" || fail "it is no matter for the log"
}

test_damaged_at_rest() {
	unsigned checksum=crc32c
	echo content >"$MNT/f"
	echo other >"$MNT/g"
	umount "$MNT" && mount_fs "$BUCKET" "no_sign_request,timeout=3"
	fault '{"op":"GetObject","key":"f","flip":0}'
	assert_fails 'Input/output error' cat "$MNT/f"
	grep -F "reading /f ${DIFFERS}crc32c" "$WORK/daemon1.log" || fail "the log does not say so"
	assert_eq other "$(cat "$MNT/g")" "another file"
	faults_clear
	assert_eq content "$(cat "$MNT/f")" "what can be read again"
}

# What is no checksum of the whole says nothing, be it that S3 sends it: of parts, or of a range.
test_other_checksums() {
	local url sum
	unsigned
	url=$S3_ENDPOINT/$BUCKET
	sum=$(printf content | openssl sha256 -binary | base64)
	curl -sSf -X PUT --data-binary content -H "x-amz-checksum-sha256: $sum" \
		-H "x-amz-checksum-type: COMPOSITE" "$url/parts"
	curl -sSf -X PUT --data-binary content -H "x-amz-checksum-sha256: $sum" "$url/whole"
	fault '{"op":"GetObject","flip":0}'
	assert_eq bontent "$(cat "$MNT/parts")" "with a checksum of parts"
	assert_fails 'Input/output error' cat "$MNT/whole"
	faults_clear
	not_compared "damaged bytes were read, and are remembered"
	# A large file is read in ranges.
	dd if=/dev/urandom of=big bs=1M count=$PARTS status=none
	s3 put "$BUCKET" big big @ChecksumAlgorithm=CRC32
	assert_exit 0 cmp big "$MNT/big"
}

# A server that does not want the header: known from then on, and told once.
test_refused_header() {
	local refusal code header
	unsigned checksum=crc32c
	dd if=/dev/urandom of=big bs=1M count=$PARTS status=none
	for refusal in "501 NotImplemented" "400 InvalidArgument" "400 InvalidRequest"; do
		code=${refusal#* }
		remount "$BUCKET" no_sign_request,checksum=crc32c
		faults_clear
		stats_reset
		for header in x-amz-checksum-crc32c x-amz-checksum-algorithm; do
			fault "{\"op\":\"*\",\"header\":\"$header\",
				\"status\":${refusal% *},\"code\":\"$code\"}"
		done
		echo content >"$MNT/f"
		assert_exit 0 dd if=big of="$MNT/big" bs=1M status=none
		assert_eq "1 1" \
			"$(stat_get PutObject errors) $(stat_get CreateMultipartUpload errors)" first
		stats_reset
		echo more >"$MNT/g"
		assert_exit 0 dd if=big of="$MNT/big2" bs=1M status=none
		assert_eq "0 0" \
			"$(stat_get PutObject errors) $(stat_get CreateMultipartUpload errors)" second
		assert_eq 0 "$(stat_get UploadPart errors)" "UploadPart that failed"
		assert_exit 0 cmp big "$MNT/big2"
		assert_eq 1 "$(grep -c "the server of bucket $BUCKET refuses checksums ($code of" \
			"$WORK/daemon$((${#MOUNTS[@]} - 1)).log")" "lines in the log"
	done
}

test_refused_mode() {
	unsigned
	fault '{"op":"*","header":"x-amz-checksum-mode","status":501,"code":"NotImplemented"}'
	echo content >f
	for key in a b; do s3 put "$BUCKET" $key f; done
	assert_eq content "$(cat "$MNT/a")" "the first one"
	assert_eq content "$(cat "$MNT/b")" "the second one"
	assert_eq "3 1" "$(stat_get GetObject) $(stat_get GetObject errors)" GetObject
}

# A refusal that is about something else: the checksum goes on.
test_refused_for_another_reason() {
	unsigned checksum=crc32c
	fault '{"op":"PutObject","key":"bad/","status":400,"code":"InvalidArgument"}'
	assert_fails 'Invalid argument' mkdir "$MNT/bad"
	assert_eq 2 "$(stat_get PutObject)" "PutObject, once without"
	mkdir "$MNT/good"
	[ -n "$(sum_of good/)" ] || fail "the checksum is gone"
	assert_fails 'Invalid argument' mkdir "$MNT/bad"
	assert_eq 4 "$(stat_get PutObject)" "PutObject: one is known to be taken"
	! grep 'refuses checksums' "$WORK/daemon0.log" || fail "said for nothing"
}

test_option() {
	refused "option 'checksum=sha256' is not valid" checksum=sha256
	refused "option 'checksum=' is not valid" checksum=
}

run_tests "$@"
