#!/bin/bash
# tests/integ/D0-credentials.sh: where credentials come from, and that they are renewed. The test
# server gives temporary ones out, as STS, an instance, a container and SSO do (tests/s3d/issue.c).
. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$(dirname "$(readlink -f "$0")")/shared.sh"

# issued_only [SETTINGS]: a server that takes only keys it has given out, until `any_keys`.
issued_only() {
	need s3d
	start_s3d
	put_objects src 300 10
	ctl POST issue "{\"only\":true${1:+,$1}}"
	profile ''
}

any_keys() { ctl POST issue '{"only":false}'; }

given() { # given WAY: how often the server gave out keys
	ctl GET issue | sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"
}

profile() { # profile TEXT: the config file; the credentials file has the server's own keys
	printf '[profile own]\nregion = us-east-1\n%s\n' "$1" >"$AWS_CONFIG_FILE"
	printf '[own]\naws_access_key_id = %s\naws_secret_access_key = %s\n' \
		"$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" >"$AWS_SHARED_CREDENTIALS_FILE"
}

# mount_without [OPTIONS]: with no keys in the environment. Few requests at once, so that some are
# still to come when keys expire in the middle.
mount_without() {
	AWS_ACCESS_KEY_ID='' AWS_SECRET_ACCESS_KEY='' mount_fs "$BUCKET" "max_inflight=8${1:+,$1}"
}

fails_without() { # fails_without TEXT [OPTIONS]
	mkdir -p "$WORK/none"
	AWS_ACCESS_KEY_ID='' AWS_SECRET_ACCESS_KEY='' assert_fails "$1" \
		"$S3BULKFS" -f -o "endpoint_url=$S3_ENDPOINT${2:+,$2}" "$BUCKET" "$WORK/none"
}

# copy_over_expiry DIR: a cp -r in the middle of which all keys expire.
copy_over_expiry() {
	local pid rc=0
	ctl POST latency '{"CopyObject":20}'
	cp -r "$1/src" "$1/dst" &
	pid=$!
	until [ "$(stat_get CopyObject)" -ge 50 ]; do
		kill -0 "$pid" || fail "cp ended before it was to be disturbed"
	done
	ctl POST expire ''
	wait "$pid" || rc=$?
	assert_eq 0 "$rc" "exit code of cp -r"
}

# survives WAY: the mount at $MNT reads, copies, and goes on when its keys expire.
survives() {
	local before
	assert_eq 300 "$(ls "$MNT/src" | wc -l)" "files"
	before=$(given "$1")
	[ "$before" -ge 1 ] || fail "no keys from $1"
	copy_over_expiry "$MNT"
	[ "$(given "$1")" -gt "$before" ] || fail "no other keys from $1"
	any_keys
	same_objects src dst
}

test_role() {
	issued_only
	export AWS_ENDPOINT_URL_STS=$S3_ENDPOINT/-/sts
	profile "[profile role]
role_arn = arn:aws:iam::123456789012:role/reader
source_profile = own
external_id = a b/c"
	mount_without profile=role
	survives sts
}

test_role_refused() {
	issued_only
	export AWS_ENDPOINT_URL_STS=$S3_ENDPOINT/-/sts
	profile "[profile denied]
role_arn = arn:aws:iam::123456789012:role/denied
source_profile = own
[profile mfa]
role_arn = arn:aws:iam::123456789012:role/reader
source_profile = own
mfa_serial = arn:aws:iam::123456789012:mfa/me"
	fails_without "does not give profile 'denied' the role .*AccessDenied.*trust policy" \
		profile=denied
	fails_without "profile 'mfa' wants a one-time code" profile=mfa
	AWS_ENDPOINT_URL_STS=http://127.0.0.1:1 fails_without 'does not answer for the role' \
		profile=denied
}

test_web_identity() {
	issued_only
	export AWS_ENDPOINT_URL_STS=$S3_ENDPOINT/-/sts AWS_WEB_IDENTITY_TOKEN_FILE=token
	export AWS_ROLE_ARN=arn:aws:iam::123456789012:role/pod
	echo web-token >token
	mount_without
	survives sts
	umount_fs
	echo other >token
	fails_without 'InvalidIdentityToken'
	rm token
	fails_without 'cannot read .*/token, the web identity token: No such file'
}

test_instance() {
	issued_only
	export AWS_EC2_METADATA_DISABLED=false AWS_EC2_METADATA_SERVICE_ENDPOINT=$S3_ENDPOINT/-/imds
	mount_without
	survives imds
	umount_fs
	ctl POST issue '{"refuses":true}'
	fails_without "metadata service gives no credentials .HTTP 500"
	AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:1 fails_without \
		'no S3 credentials: set AWS_ACCESS_KEY_ID.*no EC2 instance'
	AWS_EC2_METADATA_DISABLED=true fails_without 'no S3 credentials: set AWS_ACCESS_KEY_ID'
}

test_container() {
	issued_only
	export AWS_CONTAINER_CREDENTIALS_FULL_URI=$S3_ENDPOINT/-/container
	export AWS_CONTAINER_AUTHORIZATION_TOKEN=container-token
	mount_without
	survives container
	umount_fs
	AWS_CONTAINER_AUTHORIZATION_TOKEN=other fails_without \
		"the container's credentials service gives no credentials .HTTP 401"
	AWS_CONTAINER_CREDENTIALS_FULL_URI=http://192.0.2.1/ fails_without \
		'credentials are not asked for elsewhere'
}

test_process() {
	issued_only
	cat >"$WORK/give keys" <<-EOF
		#!/bin/sh
		[ "\$1" = "an argument" ] && [ -n "\$MY_OWN" ] || { echo "not called right" >&2; exit 3; }
		exec curl -sSf --noproxy '*' $S3_ENDPOINT/-/process
	EOF
	chmod 755 "$WORK/give keys"
	profile "[profile process]
credential_process = \"$WORK/give keys\" 'an argument'"
	MY_OWN=1 mount_without profile=process
	survives process
	umount_fs
	fails_without 'failed with exit code 3: not called right' profile=process
	profile "[profile process]
credential_process = /no/such/program"
	fails_without 'credential_process .* cannot be run: No such file' profile=process
}

sso_token() { # sso_token EXPIRES
	mkdir -p "$HOME/.aws/sso/cache"
	printf '{"accessToken":"sso-token","expiresAt":"%s","region":"us-east-1"}' "$1" \
		>"$HOME/.aws/sso/cache/$(printf %s my-sso | sha1sum | cut -d' ' -f1).json"
}

test_sso() {
	issued_only
	export AWS_ENDPOINT_URL_SSO=$S3_ENDPOINT/-/sso
	profile "[profile sso]
sso_session = my-sso
sso_account_id = 123456789012
sso_role_name = Reader
[sso-session my-sso]
sso_region = us-east-1
sso_start_url = https://example.awsapps.com/start"
	fails_without "no SSO token for profile 'sso' .*: run 'aws sso login --profile sso'" profile=sso
	sso_token 2020-01-01T00:00:00Z
	fails_without "has expired: run 'aws sso login --profile sso'" profile=sso
	sso_token 2999-01-01T00:00:00Z
	mount_without profile=sso
	survives sso
}

# Nobody asks for anything; they are renewed all the same.
test_before_they_expire() {
	issued_only '"lifetime_s":3'
	export AWS_CONTAINER_CREDENTIALS_FULL_URI=$S3_ENDPOINT/-/container
	export AWS_CONTAINER_AUTHORIZATION_TOKEN=container-token
	mount_without
	until [ "$(given container)" -ge 3 ]; do
		kill -0 "$DAEMON_PID"
	done
	assert_eq 300 "$(ls "$MNT/src" | wc -l)" "files"
	! grep -q expired "$WORK/daemon0.log" || fail "keys were used until the server refused them"
}

# Keys that somebody else writes into the file: the usual way of many login tools.
test_file_is_read_again() {
	local keys
	issued_only
	export AWS_PROFILE=temp
	write_temporary() {
		keys=$(curl -sSf --noproxy '*' "$S3_ENDPOINT/-/process")
		printf '[temp]\naws_access_key_id=%s\naws_secret_access_key=%s\naws_session_token=%s\n' \
			"$(field AccessKeyId)" "$(field SecretAccessKey)" "$(field SessionToken)" \
			>"$AWS_SHARED_CREDENTIALS_FILE"
	}
	field() { printf %s "$keys" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
	write_temporary
	mount_without
	assert_eq 10 "$(wc -c <"$MNT/src/f000001")" "bytes"
	ctl POST expire ''
	assert_fails 'Permission denied' cat "$MNT/src/f000002"
	write_temporary
	until cat "$MNT/src/f000003" >/dev/null 2>&1; do
		kill -0 "$DAEMON_PID"
	done
}

# After an SSO login, or the like, a mount that had lost its credentials works again.
test_they_come_back() {
	issued_only
	export AWS_CONTAINER_CREDENTIALS_FULL_URI=$S3_ENDPOINT/-/container
	export AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=token
	printf container-token >token
	mount_without
	echo other >token
	ctl POST expire ''
	assert_fails 'Permission denied' cat "$MNT/src/f000002"
	grep -q 'there are no credentials: .*HTTP 401' "$WORK/daemon0.log" || fail "nothing in the log"
	printf container-token >token
	until cat "$MNT/src/f000002" >/dev/null 2>&1; do
		kill -0 "$DAEMON_PID"
	done
}

# The daemon of another mount renews with the environment and files of who has mounted.
test_shared_daemon() {
	issued_only
	[ "$(id -u)" = 0 ] || skip "only root's mounts share a daemon"
	profile "[profile role]
role_arn = arn:aws:iam::123456789012:role/reader
source_profile = own"
	AWS_ACCESS_KEY_ID='' AWS_SECRET_ACCESS_KEY='' \
		AWS_CONTAINER_AUTHORIZATION_TOKEN=container-token \
		AWS_CONTAINER_CREDENTIALS_FULL_URI=$S3_ENDPOINT/-/container mount_shared "$BUCKET" a
	AWS_ACCESS_KEY_ID='' AWS_SECRET_ACCESS_KEY='' AWS_ENDPOINT_URL_STS=$S3_ENDPOINT/-/sts \
		mount_shared "$BUCKET" b profile=role,max_inflight=8
	assert_eq 1 "$(daemons | wc -l)" "daemons"
	assert_eq "1 1" "$(given container) $(given sts)" "fetches"
	MNT=$WORK/b
	survives sts
	ctl POST issue '{"only":true}'
	assert_eq 300 "$(ls "$WORK/a/dst" | wc -l)" "files in a"
	[ "$(given container)" -ge 2 ] || fail "a has not renewed its own"
	fails_shared
}

fails_shared() {
	mkdir "$WORK/c"
	AWS_ACCESS_KEY_ID='' AWS_SECRET_ACCESS_KEY='' assert_fails 'no S3 credentials: set AWS_ACC' \
		"$S3BULKFS" -o "endpoint_url=$S3_ENDPOINT" "$BUCKET" "$WORK/c"
}

# An environment of any size is good for a mount; one that no message takes has its own daemon.
test_large_environment() {
	start_server
	[ "$(id -u)" = 0 ] || skip "only root's mounts share a daemon"
	put_objects d 5 10
	mount_shared "$BUCKET" a
	LARGE=$(printf '%0100000d' 1) mount_shared "$BUCKET" b
	assert_eq 1 "$(daemons | wc -l)" "daemons"
	LARGE=$(printf '%0100000d' 1) TOO=$(printf '%0100000d' 1) mount_shared "$BUCKET" c
	assert_eq 2 "$(daemons | wc -l)" "daemons"
	assert_eq "5 5" "$(ls "$WORK/b/d" | wc -l) $(ls "$WORK/c/d" | wc -l)" "files"
}

test_all_buckets() {
	issued_only
	export AWS_CONTAINER_CREDENTIALS_FULL_URI=$S3_ENDPOINT/-/container
	AWS_CONTAINER_AUTHORIZATION_TOKEN=other assert_all_fails
	export AWS_CONTAINER_AUTHORIZATION_TOKEN=container-token
	mkdir "$WORK/all"
	MOUNTS+=("$WORK/all")
	AWS_ACCESS_KEY_ID='' AWS_SECRET_ACCESS_KEY='' \
		"$S3BULKFS" -o "endpoint_url=$S3_ENDPOINT" --all-buckets "$WORK/all"
	assert_eq 300 "$(ls "$WORK/all/$BUCKET/src" | wc -l)" "files"
}

assert_all_fails() {
	mkdir -p "$WORK/none"
	AWS_ACCESS_KEY_ID='' AWS_SECRET_ACCESS_KEY='' assert_fails 'credentials service gives no cred' \
		"$S3BULKFS" -f -o "endpoint_url=$S3_ENDPOINT" --all-buckets "$WORK/none"
}

run_tests "$@"
