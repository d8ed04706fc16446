#!/bin/bash
# tests/integ/F4-ways.sh: the way to S3 breaks under a mount: a name that is not known, a
# certificate that is not trusted, a proxy that is gone or refuses. Each call ends with an error in
# time, the log says why, nothing is sent where it should not be, and when the way is there again
# all goes on.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

fails_in_time() { # fails_in_time COMMAND...: with EIO
	assert_fails 'Input/output error' timeout 60 "$@"
}

logged() { # logged TEXT: a regex, in the log of the last mount
	grep -qE "$1" "$WORK/daemon$((${#MOUNTS[@]} - 1)).log" || fail "the log does not say '$1'"
}

port_of() { echo "${S3_ENDPOINT##*:}"; }

# certificate NAME: NAME.pem and NAME.key for 127.0.0.1, of its own making.
certificate() {
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" \
		-addext subjectAltName=IP:127.0.0.1 -keyout "$1.key" -out "$1.pem" 2>>openssl.log
}

stop_s3d() {
	kill -TERM "$S3D_PID"
	"$TESTS_DIR/wait-pid" 10 "$S3D_PID"
}

# hosts NAME...: what /etc/hosts says, here and for the daemon: a test has its own mount namespace.
hosts() { printf '127.0.0.1 %s\n' "$@" >hosts; }

test_name_that_is_not_known() {
	local port
	need s3d
	[ "$(id -u)" = 0 ] || skip "only root can have an /etc/hosts of its own"
	start_s3d --domain way.example --bucket other
	port=$(port_of)
	put_objects d 3 10
	hosts way.example bucket.way.example
	mount --bind hosts /etc/hosts
	mkdir mnt
	MNT=$WORK/mnt
	MOUNTS+=("$MNT")
	"$S3BULKFS" -f -o "virtual_host,timeout=3,endpoint_url=http://way.example:$port" \
		--all-buckets "$MNT" >"$WORK/daemon0.log" 2>&1 &
	PIDS+=($!)
	until mountpoint -q "$MNT"; do
		kill -0 "$!" || fail "it does not mount"
		findmnt --poll=mount --first-only --timeout 50 >/dev/null || :
	done
	assert_eq 3 "$(ls "$MNT/bucket/d" | wc -l)" "files"
	fails_in_time ls "$MNT/other/"
	logged 'other.way.example'
	hosts way.example bucket.way.example other.way.example
	assert_exit 0 cp "$MNT/bucket/d/f000000" "$MNT/other/"
	assert_eq 1 "$(s3 ls other | wc -l)" "objects in the other bucket"
	not_compared "the names of its buckets lead nowhere outside of this test"
}

test_certificate_that_is_another() {
	local port
	need s3d
	certificate good
	certificate bad
	mkdir objects
	start_s3d --tls good.pem good.key --dir objects
	export CURL_CA_BUNDLE=$WORK/good.pem AWS_CA_BUNDLE=$WORK/good.pem
	port=$(port_of)
	put_objects d 3 10
	mount_fs "$BUCKET" "ca_bundle=$WORK/good.pem,timeout=6,metadata_ttl=0"
	assert_exit 0 cmp "$MNT/d/f000000" "$MNT/d/f000000"
	stop_s3d
	start_s3d --port "$port" --tls bad.pem bad.key --dir objects
	CURL_CA_BUNDLE=$WORK/bad.pem ctl POST stats/reset ''
	fails_in_time cat "$MNT/d/f000001"
	fails_in_time cp "$S3BULKFS" "$MNT/d/new"
	fails_in_time rm "$MNT/d/f000001"
	logged 'certificate'
	CURL_CA_BUNDLE=$WORK/bad.pem ctl GET stats >counts
	grep -q '"ops":{}' counts || fail "a server that is not trusted was asked: $(cat counts)"
	stop_s3d
	start_s3d --port "$port" --tls good.pem good.key --dir objects
	assert_exit 0 rm "$MNT/d/f000001"
	assert_eq 2 "$(count_objects d/)" "objects"
}

# proxy PORT [refuse]: a tunnel to where CONNECT says, or 502 for each; PORT 0: it chooses one. It
# prints the port.
proxy() {
	exec setpriv --pdeathsig TERM /usr/bin/python3 -I -S -c 'import socket, sys, threading

def pump(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
    except OSError:
        pass
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

def serve(c):
    head = b""
    while b"\r\n\r\n" not in head:
        more = c.recv(65536)
        if not more:
            return
        head += more
    verb, target, _ = head.split(b" ", 2)
    if len(sys.argv) > 2 or verb != b"CONNECT":
        c.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        c.close()
        return
    host, port = target.decode().rsplit(":", 1)
    s = socket.create_connection((host, int(port)))
    c.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    threading.Thread(target=pump, args=(s, c), daemon=True).start()
    pump(c, s)

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()' "$@"
}

start_proxy() { # start_proxy PORT [refuse]: sets PROXY_PID and PROXY_PORT
	local fd
	exec {fd}< <(proxy "$@" 2>>proxy.log)
	PROXY_PID=$!
	read -r -t 60 PROXY_PORT <&"$fd" || fail "the proxy did not start"
}

stop_proxy() {
	kill "$PROXY_PID"
	"$TESTS_DIR/wait-pid" 10 "$PROXY_PID"
}

test_proxy_that_fails() {
	need s3d
	certificate good
	start_s3d --tls good.pem good.key
	export CURL_CA_BUNDLE=$WORK/good.pem AWS_CA_BUNDLE=$WORK/good.pem
	put_objects d 3 10
	start_proxy 0
	https_proxy=http://127.0.0.1:$PROXY_PORT no_proxy='' NO_PROXY='' \
		mount_fs "$BUCKET" "ca_bundle=$WORK/good.pem,timeout=3,metadata_ttl=0"
	assert_exit 0 cmp "$MNT/d/f000000" "$MNT/d/f000000"
	stop_proxy
	fails_in_time cat "$MNT/d/f000001"
	start_proxy "$PROXY_PORT" refuse
	stats_reset
	fails_in_time cat "$MNT/d/f000001"
	fails_in_time rm -r "$MNT/d"
	logged '502'
	ctl GET stats >counts
	grep -q '"ops":{}' counts || fail "it went around the proxy: $(cat counts)"
	stop_proxy
	start_proxy "$PROXY_PORT"
	assert_exit 0 rm -r "$MNT/d"
	assert_eq 0 "$(count_objects d/)" "objects"
}

run_tests "$@"
