#!/bin/bash
# tests/integ/15-endpoint.sh: where the server is, how a bucket is named there, and whom TLS trusts.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# certificate NAME SUBJECT_ALT_NAME: NAME.pem and NAME.key, signed by the private CA of ca.pem.
certificate() {
	[ -e ca.pem ] || openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=private-ca \
		-keyout ca.key -out ca.pem 2>>openssl.log
	openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>>openssl.log
	openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
		-extfile <(echo "subjectAltName=$2") -out "$1.pem" 2>>openssl.log
}

# start_tls NAME: s3d with that certificate; curl, which asks for counters, trusts the CA.
start_tls() {
	start_s3d --tls "$1.pem" "$1.key"
	export CURL_CA_BUNDLE=$WORK/ca.pem
	case $S3_ENDPOINT in
	https://*) ;;
	*) fail "the server does not say https: $S3_ENDPOINT" ;;
	esac
}

requests() { # requests OPERATION
	ctl GET stats | python3 -c 'import json, sys
print(json.load(sys.stdin)["ops"].get(sys.argv[1], {}).get("requests", 0))' "$1"
}

refused() { # refused TEXT ENDPOINT [OPTIONS]: one sentence, and nothing is mounted
	mkdir -p refused
	assert_fails "$1" "$S3BULKFS" -o "endpoint_url=$2${3:+,$3}" "$BUCKET" "$WORK/refused"
	assert_eq 1 "$(printf '%s\n' "$OUT" | wc -l)" "lines of: $OUT"
	! mountpoint -q refused || fail "it is mounted"
}

# works: what the mount does arrives at the server.
works() {
	stats_reset
	assert_exit 0 cp -r "$MNT/src" "$MNT/dst"
	assert_eq 50 "$(requests CopyObject)" CopyObject
	assert_eq 0 "$(requests GetObject)" GetObject
	assert_exit 0 rm -r "$MNT/dst"
	assert_eq 50 "$(find "$MNT/src" -type f | wc -l)" "files"
}

test_tls() {
	need s3d
	certificate server IP:127.0.0.1
	start_tls server
	put_objects src 50 10
	mount_fs "$BUCKET" "ca_bundle=$WORK/ca.pem"
	works
	umount_fs
	AWS_CA_BUNDLE=$WORK/ca.pem mount_fs "$BUCKET"
	works
	umount_fs
	# The option is more than the variable.
	AWS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt mount_fs "$BUCKET" "ca_bundle=$WORK/ca.pem"
	works
}

# A customer key goes where nobody can read it on the way.
test_tls_with_customer_key() {
	local md5
	need s3d
	certificate server IP:127.0.0.1
	start_tls server
	(umask 077 && head -c 32 /dev/urandom >key)
	mount_fs "$BUCKET" "ca_bundle=$WORK/ca.pem,sse_customer_key_file=key"
	echo content >"$MNT/f"
	assert_exit 0 cp "$MNT/f" "$MNT/g"
	md5=$(openssl md5 -binary key | base64)
	ctl GET "dump?bucket=$BUCKET" >dump
	assert_eq 2 "$(grep -cF "customer-key-md5\":\"$md5\"" dump)" "objects with the key"
	umount_fs
	mount_fs "$BUCKET" "ca_bundle=$WORK/ca.pem,sse_customer_key_file=key"
	assert_eq content "$(cat "$MNT/g")" "the copy"
}

test_tls_is_verified() {
	need s3d
	certificate server DNS:s3.example.com
	start_tls server
	refused certificate "$S3_ENDPOINT"
	# From the right CA, for another host.
	refused 'certificate|host' "$S3_ENDPOINT" "ca_bundle=$WORK/ca.pem"
	refused 'no-such-file' "$S3_ENDPOINT" "ca_bundle=$WORK/no-such-file"
}

test_styles() {
	local port
	need s3d
	start_s3d --domain s3.localhost
	port=${S3_ENDPOINT##*:}
	put_objects src 50 10
	mount_fs "$BUCKET" virtual_host,endpoint_url="http://s3.localhost:$port"
	works
	umount_fs
	mount_fs "$BUCKET" path_style,endpoint_url="http://s3.localhost:$port"
	works
}

# A server that knows no virtual hosts: what was forced shows.
test_style_is_forced() {
	local url
	need s3d
	start_s3d --domain elsewhere.test
	url=http://s3.localhost:${S3_ENDPOINT##*:}
	put_objects src 50 10
	refused "$BUCKET" "$url" virtual_host
	mount_fs "$BUCKET" "endpoint_url=$url"
	works
	umount_fs
	mount_fs "$BUCKET" "path_style,endpoint_url=$url"
	works
}

# s3d has the access point NAME of ACCOUNT as the bucket NAME-ACCOUNT.
test_access_points() {
	local arn=arn:aws:s3:eu-north-1:123456789012:accesspoint/point url
	need s3d
	start_s3d --domain s3.localhost --bucket point-123456789012@eu-north-1
	url=http://s3.localhost:${S3_ENDPOINT##*:}
	BUCKET=point-123456789012
	put_objects p/src 50 10
	put_objects src 50 10
	mount_fs "$arn" "endpoint_url=$url"
	works
	umount_fs
	mount_fs "$arn:/p" "endpoint_url=$url"
	works
	umount_fs
	ctl GET "dump?bucket=$BUCKET" >dump
	assert_eq 50 "$(grep -c '^{"key":"src/f[0-9]*","size":10,' dump)" "objects in the bucket"
	assert_eq 50 "$(grep -c '^{"key":"p/src/f[0-9]*","size":10,' dump)" "objects below p/"
	assert_eq 100 "$(wc -l <dump)" "objects in all"
	BUCKET=$arn
	refused 'leave path_style out' "$url" path_style
	BUCKET=arn:aws:s3::123456789012:accesspoint/m1.mrap
	refused 'Multi-Region' "$url"
	BUCKET=arn:aws:s3:::bucket
	refused 'by its name' "$url"
}

# The names of Amazon's endpoints cannot be reached here: the sentence about it has them.
test_amazons_endpoints() {
	need s3d
	start_s3d
	unset S3_ENDPOINT
	refused_at() { # refused_at TEXT OPTIONS
		mkdir -p refused
		assert_fails "$1" "$S3BULKFS" -o "region=eu-north-1,$2" bucket "$WORK/refused"
	}
	refused_at 'no connection to https://s3\.dualstack\.eu-north-1\.amazonaws\.com ' dualstack
	refused_at 'no connection to https://s3-fips\.eu-north-1\.amazonaws\.com ' fips
	refused_at 'no connection to https://s3-accelerate\.amazonaws\.com ' accelerate
	AWS_USE_FIPS_ENDPOINT=true AWS_USE_DUALSTACK_ENDPOINT=true \
		refused_at 'https://s3-fips\.dualstack\.eu-north-1\.amazonaws\.com ' ro
	printf '[default]\nuse_fips_endpoint = true\n' >config
	AWS_CONFIG_FILE=$WORK/config refused_at 'https://s3-fips\.eu-north-1\.amazonaws\.com ' ro
	refused_at 'accelerate and fips' accelerate,fips
	refused_at 'leave them out' fips,endpoint_url=http://127.0.0.1:1
}

run_tests "$@"
