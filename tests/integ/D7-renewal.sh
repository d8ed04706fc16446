#!/bin/bash
# tests/integ/D7-renewal.sh: keys that expire in the middle of copies between two mounts, each of
# which has its own and renews them by itself: one from a container's service, the other from STS.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=tests/integ/shared.sh
. "$(dirname "$(readlink -f "$0")")/shared.sh"

given() { # given WAY: how often the server gave out keys
	ctl GET issue | sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"
}

# two_sources [OPTIONS]: $WORK/a of the bucket with 300 objects, $WORK/b of `two`. Few requests at
# once, so that some are still to come when keys expire in the middle.
two_sources() {
	need s3d
	[ "$(id -u)" = 0 ] || skip "only root's mounts share a daemon"
	start_s3d
	make_bucket two
	put_objects src 300 10
	printf '[profile own]\nregion = us-east-1\n[profile role]\nrole_arn = %s\n%s\n' \
		arn:aws:iam::123456789012:role/reader 'source_profile = own' >"$AWS_CONFIG_FILE"
	printf '[own]\naws_access_key_id = %s\naws_secret_access_key = %s\n' \
		"$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" >"$AWS_SHARED_CREDENTIALS_FILE"
	printf container-token >token
	only_issued
	AWS_ACCESS_KEY_ID='' AWS_SECRET_ACCESS_KEY='' \
		AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=$WORK/token \
		AWS_CONTAINER_CREDENTIALS_FULL_URI=$S3_ENDPOINT/-/container \
		mount_shared "$BUCKET" a "max_inflight=4${1:+,$1}"
	AWS_ACCESS_KEY_ID='' AWS_SECRET_ACCESS_KEY='' AWS_ENDPOINT_URL_STS=$S3_ENDPOINT/-/sts \
		mount_shared two b "profile=role,max_inflight=4${1:+,$1}"
	assert_eq "1 1" "$(given container) $(given sts)" "fetches"
	stats_reset
}

only_issued() { ctl POST issue '{"only":true}'; }
any_keys() { ctl POST issue '{"only":false}'; }

# over_expiry OPERATION COUNT COMMAND...: exits 0, though all keys expire while the requests from
# the COUNTth on wait for an answer.
over_expiry() {
	local op=$1 count=$2 pid rc=0
	shift 2
	fault "{\"op\":\"$op\",\"nth\":$count,\"times\":100000,\"hang\":true}"
	"$@" &
	pid=$!
	until ctl GET faults | tr '{' '\n' | grep -F "\"op\":\"$op\"" | grep -q '"fired":[1-9]'; do
		kill -0 "$pid" || fail "'$*' ended before it was to be disturbed"
	done
	ctl POST expire ''
	faults_clear
	wait "$pid" || rc=$?
	assert_eq 0 "$rc" "exit code of '$*'"
}

# expired_in OPERATION...: one of these was refused for its keys.
expired_in() {
	local op
	ctl GET 'log?n=100000' | grep ExpiredToken >log || fail "nothing was refused"
	for op in "$@"; do
		! grep -q "\"$op\"" log || return 0
	done
	fail "refused was: $(cat log)"
}

test_copy() {
	two_sources
	over_expiry CopyObject 50 cp -r "$WORK/a/src" "$WORK/b/dst"
	expired_in CopyObject
	assert_eq 0 "$(stat_get GetObject)" GetObject
	assert_exit 0 ls "$WORK/a"
	any_keys
	same_trees "$BUCKET" src two dst
	assert_le 2 "$(given sts)" "keys of b"
}

test_copy_in_parts() {
	two_sources copy_threshold=5M,copy_part_size=5M
	put_objects big 8 5500000
	over_expiry UploadPartCopy 4 cp -r "$WORK/a/big" "$WORK/b/big"
	expired_in UploadPartCopy CreateMultipartUpload CompleteMultipartUpload
	assert_eq "0 0" "$(stat_get GetObject) $(stat_get AbortMultipartUpload)" "data, aborted"
	any_keys
	assert_eq "$(s3 ls "$BUCKET" big/ --files | cut -f 1,2)" \
		"$(s3 ls two big/ --files | cut -f 1,2)" "names and sizes"
	assert_le 2 "$(given sts)" "keys of b"
}

# What S3 may not copy is read with the keys of the one and written with those of the other.
test_streamed() {
	two_sources
	fault '{"op":"CopyObject","status":403,"code":"AccessDenied"}'
	over_expiry GetObject 100 cp -r "$WORK/a/src" "$WORK/b/dst"
	expired_in GetObject
	expired_in PutObject
	any_keys
	same_trees "$BUCKET" src two dst
}

test_upload() {
	two_sources part_size=5M
	dd if=/dev/urandom of=big bs=1M count=42 status=none
	over_expiry UploadPart 3 cp big "$WORK/b/big"
	expired_in UploadPart CompleteMultipartUpload
	assert_exit 0 cmp big "$WORK/b/big"
	assert_eq "1 0" "$(stat_get CreateMultipartUpload) $(stat_get AbortMultipartUpload)" uploads
}

# A source goes when its copy is there, whoever's keys expire between the two.
test_move() {
	two_sources
	over_expiry CopyObject 150 mv "$WORK/a/src" "$WORK/b/moved"
	expired_in CopyObject
	expired_in DeleteObjects ListObjectsV2 HeadObject
	any_keys
	assert_eq "" "$(s3 ls "$BUCKET" src/)" "left behind"
	assert_eq 300 "$(s3 ls two moved/ --files | wc -l)" "moved"
}

# Keys that cannot be renewed are no refusal of the pair: when they are back, S3 copies.
test_lost_and_found() {
	two_sources metadata_ttl=600
	put_in two new 300 10
	ls "$WORK/a" "$WORK/b/new" >/dev/null
	echo other >token
	ctl POST expire ''
	assert_fails 'Permission denied' cp -r "$WORK/b/new" "$WORK/a/"
	assert_eq 0 "$(stat_get GetObject)" "GetObject in vain"
	printf container-token >token
	until mkdir "$WORK/a/works" 2>/dev/null; do :; done
	assert_exit 0 cp -r "$WORK/b/new" "$WORK/a/"
	assert_eq 0 "$(stat_get GetObject)" GetObject
	any_keys
	same_trees two new "$BUCKET" new
}

run_tests "$@"
