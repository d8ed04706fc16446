#!/bin/bash
# tests/integ/F0-faults.sh: whatever S3 or the network does, a command has done it, or fails and has
# lost nothing. The tables of operations, faults and commands are in faults.py; FAULT_CASES chooses
# cases of them (a pattern such as 'mv:CopyObject:*').
. "$(dirname "$(readlink -f "$0")")/lib.sh"

cases() { # cases MODE
	need s3d
	export WORK
	"$INTEG/faults.py" "$1" "${FAULT_CASES:-*}" >cases.log || {
		grep -v '^ok' cases.log
		fail "of $(wc -l <cases.log) cases some have failed"
	}
	grep '^#' cases.log
}

test_once() { cases once; }
test_always() { cases always; }
test_walks() { cases walks; }

# no_mount TEXT OPTIONS: one sentence that has TEXT, and exit code 1.
no_mount() {
	assert_fails "$1" timeout 60 "$S3BULKFS" -o "$2" bucket "$WORK/mnt"
	assert_eq 1 "$RC" "exit code"
	assert_eq 1 "$(printf '%s\n' "$OUT" | wc -l)" "lines of the error message"
}

# A proxy that answers every request, CONNECT among them, with 502; prints its port.
proxy_502() {
	/usr/bin/python3 -I -S -c 'import socket
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
while True:
    c = s.accept()[0]
    c.recv(65536)
    c.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    c.close()'
}

test_no_way_at_mount() {
	local port fd
	need s3d
	export AWS_ACCESS_KEY_ID=key AWS_SECRET_ACCESS_KEY=secret
	mkdir mnt
	no_mount 'connect' endpoint_url=http://127.0.0.1:1
	no_mount 'resolve.*nowhere.invalid' endpoint_url=http://nowhere.invalid,timeout=3
	exec {fd}< <(proxy_502)
	local proxy=$!
	read -r port <&"$fd"
	export no_proxy='' NO_PROXY='' http_proxy=http://127.0.0.1:$port
	no_mount '502' endpoint_url=http://s3.example.org,timeout=3
	export https_proxy=http://127.0.0.1:$port
	no_mount '502' endpoint_url=https://s3.example.org,timeout=3
	kill "$proxy"
	export no_proxy=127.0.0.1
	openssl req -x509 -newkey rsa:2048 -nodes -keyout tls.key -out tls.pem -days 2 \
		-subj /CN=127.0.0.1 2>openssl.log
	start_s3d --tls tls.pem tls.key
	no_mount 'certificate' "endpoint_url=$S3_ENDPOINT"
}

# Names are known, so that the calls themselves are what fails.
silent_mount() {
	need s3d
	fresh
	put_objects d 3 10
	remount "$BUCKET" timeout=3,metadata_ttl=600
	ls -l "$MNT" "$MNT/d" >/dev/null
}

test_timeout_silent() {
	silent_mount
	kill -STOP "$S3D_PID"
	assert_fails 'Input/output error' timeout 60 cat "$MNT/d/f000001"
	assert_fails 'Input/output error' timeout 60 mkdir "$MNT/new"
	assert_fails 'Input/output error' timeout 60 rm "$MNT/d/f000002"
	assert_fails 'Input/output error' timeout 60 mv "$MNT/d/f000000" "$MNT/moved"
	assert_fails 'Input/output error' timeout 60 cp "$S3BULKFS" "$MNT/large"
	assert_fails 'Input/output error' timeout 60 rm -r "$MNT/d"
	kill -CONT "$S3D_PID"
	assert_exit 0 cat "$MNT/d/f000001"
}

test_timeout_refused() {
	silent_mount
	kill -TERM "$S3D_PID"
	"$TESTS_DIR/wait-pid" 10 "$S3D_PID"
	assert_fails 'Input/output error' timeout 60 cat "$MNT/d/f000001"
	assert_fails 'Input/output error' timeout 60 mkdir "$MNT/new"
	assert_fails 'Input/output error' timeout 60 rm -r "$MNT/d"
	not_compared "the server is gone"
}

test_timeout_wrong() {
	local value
	mkdir mnt
	for value in 0 -1 x 86401 ''; do
		assert_fails "'timeout=$value' is not valid" "$S3BULKFS" -o "timeout=$value" b mnt
		assert_eq 2 "$RC" "exit code"
	done
	assert_exit 0 "$S3BULKFS" --help
	printf '%s\n' "$OUT" | grep -q 'timeout=' || fail "--help does not name timeout"
}

run_tests "$@"
