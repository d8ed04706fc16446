#!/bin/bash
# tests/integ/F2-users.sh: other users of the machine, who mean harm: what they prepare, exchange,
# forge and name so that it hurts.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

USER_ID=65534 # nobody
CTL=$(dirname "$S3BULKFS")/s3bulkfsctl
PYTHON=/usr/bin/python3

[ "$(id -u)" = 0 ] || {
	echo "ok F2-users # SKIP needs root, to be several users"
	exit 0
}

# A /dev/fuse that everyone may open, as on an ordinary machine: see 80-user.sh.
if [ "${S3BULKFS_OWN_NAMESPACE:-}" != 1 ]; then
	S3BULKFS_OWN_NAMESPACE=1 exec unshare -m --propagation private "$0" "$@"
fi
if ! setpriv --reuid=$USER_ID --regid=$USER_ID --clear-groups test -w /dev/fuse; then
	device=$WORK_ROOT/fuse-device
	[ -e "$device" ] || mknod "$device" c 10 229 2>/dev/null || [ -e "$device" ] || exit 1
	chmod 666 "$device"
	mount --bind "$device" /dev/fuse || exit 1
fi

as_user() {
	setpriv --reuid=$USER_ID --regid=$USER_ID --clear-groups "$@"
}

# exchange A B: the user exchanges the two names, again and again, for as long as the test lasts.
exchange() {
	# The numbers are AT_FDCWD and RENAME_EXCHANGE, renameat2(2).
	as_user --pdeathsig KILL $PYTHON -c 'import ctypes, os, sys
a, b = (os.fsencode(x) for x in sys.argv[1:])
libc = ctypes.CDLL(None)
while not libc.renameat2(-100, a, -100, b, 2):
    pass
sys.exit("cannot exchange them")' "$1" "$2" &
	EXCHANGER=$!
}

# The daemon follows the last argument of a command that it recognises. A part of that way is
# exchanged for a link into the mount meanwhile: it must not follow it, and wait for itself.
test_way_that_is_exchanged() {
	local x=$WORK/x way
	start_server
	put_objects src 2 10
	mount_fs "$BUCKET" allow_other,uid=$USER_ID
	as_user mkdir "$MNT/dst"
	way=a$(printf '/b%.0s' {1..60})
	mkdir -p "$x/$way"
	ln -s "$MNT" "$x/l"
	chown -R -h $USER_ID "$x"
	exchange "$x/a" "$x/l"
	# shellcheck disable=SC2016 # the inner shell expands it
	as_user timeout 120 bash -c 'for ((i = 0; i < 400; i++)); do
		cp -r "$1/src/f000000" "$2" "$1/dst" 2>/dev/null
	done
	exit 0' - "$MNT" "$x/$way" || fail "the mount does not answer any more"
	kill "$EXCHANGER" || fail "nothing was exchanged"
	assert_eq 10 "$(as_user cat "$MNT/src/f000001" | wc -c)" "bytes"
}

# user_mount MOUNTPOINT [NAME=VALUE...]: the user mounts there, with these in the environment.
user_mount() {
	MNT=$1
	shift
	as_user mkdir -p "$MNT"
	[ -e "$WORK/s3bulkfs" ] || install -m 755 "$S3BULKFS" "$CTL" "$WORK"
	chown $USER_ID "$WORK/home"
	MOUNTS+=("$MNT")
	as_user env "$@" "$WORK/s3bulkfs" -o "endpoint_url=$S3_ENDPOINT" "$BUCKET" "$MNT" \
		>"$WORK/out" 2>&1 || fail "mounting as a user: $(cat "$WORK/out")"
}

# The user's directory $WORK/u with a mount in it, and the path of its control socket: $SOCKET.
user_mount_with_socket() {
	start_server
	install -d -o $USER_ID "$WORK/u" "$WORK/u/sub"
	touch "$WORK/before"
	user_mount "$WORK/u/sub/mnt"
	SOCKET=$(find "/run/user/$USER_ID/s3bulkfs" "/tmp/s3bulkfs-$USER_ID" -type s \
		-newer "$WORK/before" -exec "$PYTHON" -c 'import json, socket, sys
for path in sys.argv[2:]:
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(b"{\"cmd\":\"status\"}\n")
        if json.loads(s.makefile().readline())["mountpoint"] == sys.argv[1]:
            print(path)' "$MNT" {} + 2>/dev/null || :)
	[ -S "$SOCKET" ] || fail "no control socket of $MNT"
}

# listens USER PATH HOW [ARGUMENT...]: in the place of a daemon; returns when it does. HOW:
# "silent", "log FILE" (what it is told), "say JSON", "exchange DIRECTORY LINK" (when it is asked to
# unmount).
listens() {
	local fd line
	exec {fd}< <(exec setpriv --reuid="$1" --clear-groups --pdeathsig KILL $PYTHON -c '
import os, socket, sys
path, how, *rest = sys.argv[1:]
try:
    os.unlink(path)
except FileNotFoundError:
    pass
s = socket.socket(socket.AF_UNIX)
s.bind(path)
s.listen(8)
print("ready", flush=True)
kept = []
while True:
    c, _ = s.accept()
    kept.append(c)
    if how == "silent":
        continue
    said = c.makefile().readline()
    if not said:
        continue
    if how == "log":
        open(rest[0], "a").write(said)
    if how == "exchange":
        os.rename(rest[0], rest[0] + ".away")
        os.symlink(rest[1], rest[0])
    c.sendall((rest[0] if how == "say" else "{\"ok\":true}").encode() + b"\n")
    if how == "exchange":
        c.sendall(b"{\"ok\":true}\n")' "${@:2}")
	read -r -t 60 line <&"$fd" || fail "nobody listens at $2"
	note "$line"
}

# Root asks a user's mount: its socket is a link to one of root's own programs, which hears nothing.
test_socket_that_is_a_link() {
	user_mount_with_socket
	listens 0 "$WORK/root.sock" log "$WORK/heard"
	as_user ln -sf "$WORK/root.sock" "$SOCKET"
	assert_fails 'does not answer' "$CTL" status "$MNT"
	assert_fails 'does not answer' "$CTL" flush "$MNT"
	[ ! -e "$WORK/heard" ] || fail "a program of root's was told $(cat "$WORK/heard")"
}

# A user's program in place of the daemon keeps root waiting for a moment only, and has no say in
# what root runs.
test_daemon_that_is_silent() {
	user_mount_with_socket
	listens $USER_ID "$SOCKET" silent
	assert_fails "u/sub/mnt: the daemon of another user does not answer" \
		timeout 100 "$CTL" status
	assert_exit 0 timeout 100 "$CTL" run true
	assert_exit 0 timeout 100 "$CTL" flush
}

# no_control WHAT: nothing that a terminal would obey is in $OUT.
no_control() {
	! printf '%s' "$OUT" | LC_ALL=C grep -qP '[\x01-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' ||
		fail "control characters: $1"
}

test_daemon_that_writes_on_the_terminal() {
	local how answer evil='\u001b]0;owned\u0007\u009b31m\u007f\nroot on /'
	user_mount_with_socket
	answer='{"ok":true,"failed":1,"source":EVIL,"mountpoint":EVIL,"walks":[{"command":EVIL}],'
	answer+='"errors":[{"what":EVIL,"path":EVIL,"key":EVIL,"code":EVIL,"message":EVIL,'
	answer+='"request_id":EVIL,"command":EVIL}]}'
	listens $USER_ID "$SOCKET" say "${answer//EVIL/\"$evil\"}"
	for how in status "status --json" errors "errors --json" flush; do
		# shellcheck disable=SC2086 # several words
		run "$CTL" $how "$MNT"
		[[ $OUT == *owned* ]] || fail "$how shows nothing"
		no_control "$how"
		[[ $how == *json ]] || ! grep -q '^root on' <<<"$OUT" || fail "a line is forged by $how"
	done
	"$CTL" status --json "$MNT" | $PYTHON -c 'import json, sys
assert json.load(sys.stdin)["mounts"][0]["source"].endswith("\x9b31m\x7f\nroot on /")'
}

# Names from S3 get neither to the terminal nor to the log as they are.
test_names_that_write_on_the_terminal() {
	need s3d
	local name=$'f\e[31m\n\xc2\x9bx'
	fresh
	mkdir "$MNT/dst"
	echo text >"$MNT/$name"
	fault '{"op":"CopyObject","status":403,"code":"AccessDenied"}'
	assert_exit 1 cp "$MNT/$name" "$MNT/dst"
	run "$CTL" errors "$MNT"
	[[ $OUT == *'dst/f\x1b[31m\x0a\xc2\x9bx failed'* ]] || fail "not in the list"
	no_control errors
	OUT=$(cat "$WORK/daemon0.log")
	[[ $OUT == *'dst/f?[31m???x'* ]] || fail "not in the log"
	no_control log
}

# Root unmounts a user's mount; the user has another one meant by its path in the meantime.
test_umount_that_is_turned_round() {
	user_mount_with_socket
	mkdir -p "$WORK/root/mnt"
	mount -t tmpfs root "$WORK/root/mnt"
	MOUNTS+=("$WORK/root/mnt" "$WORK/u/sub.away/mnt")
	listens $USER_ID "$SOCKET" exchange "$WORK/u/sub" "$WORK/root"
	assert_fails 'symbolic links|Not a directory' "$CTL" umount "$MNT"
	[ -L "$WORK/u/sub" ] || fail "nothing was exchanged"
	mountpoint -q "$WORK/root/mnt" || fail "root's own mount was unmounted"
}

# A directory for sockets that others have prepared is not used: the user has another one.
test_prepared_directories() {
	local x=$WORK/xdg i=0 how
	start_server
	install -d -o $USER_ID "$WORK/mnts" "$WORK/mine" -m 700
	for how in "mkfifo -m 666 $x/s3bulkfs" "mkdir -m 700 $x/s3bulkfs" \
		"ln -s $WORK/mine $x/s3bulkfs" "install -d -m 770 -o $USER_ID $x/s3bulkfs" \
		"install -d -m 700 -o $USER_ID $x/s3bulkfs"; do
		rm -rf "$x"
		# The last one is as it should be, but for its parent, where it could be exchanged.
		install -d -o 1234 -m 755 "$x"
		$how
		user_mount "$WORK/mnts/$((i++))" XDG_RUNTIME_DIR="$x"
		assert_eq "" "$(find "$x" "$WORK/mine" -name 'mount-*')" "sockets after $how"
		run as_user env XDG_RUNTIME_DIR="$x" "$WORK/s3bulkfsctl" status "$MNT"
		assert_eq 0 "$RC" "exit code of status after $how"
		as_user fusermount3 -u "$MNT"
	done
}

# Who connects and says nothing takes places; whoever finds none is told so.
test_many_who_say_nothing() {
	local fd line
	fresh
	exec {fd}< <(exec setpriv --pdeathsig KILL $PYTHON -c 'import glob, socket, time
kept = []
for i in range(64):
    kept.append(socket.socket(socket.AF_UNIX))
    kept[i].connect(glob.glob("/run/s3bulkfs/mount-*")[0])
kept[0].sendall(b"{\"cmd\":")
print("ready", flush=True)
time.sleep(10000)')
	SILENT=$!
	read -r -t 60 line <&"$fd"
	note "$line"
	assert_fails 'serves as many connections' "$CTL" flush "$MNT"
	ls "$MNT" >/dev/null
	kill "$SILENT"
	until "$CTL" status "$MNT"; do :; done
}

# Between the look at a mount point and the mount its owner makes a link of it: nothing is mounted.
test_mount_point_that_is_exchanged() {
	local lock pid rc=0
	start_server
	install -d -o $USER_ID "$WORK/u" "$WORK/u/sub" "$WORK/u/sub/mnt"
	mkdir -p "$WORK/root/mnt"
	MOUNTS+=("$WORK/root/mnt" "$WORK/u/sub.away/mnt")
	lock=/run/s3bulkfs/shared-$(stat -L -c %i /proc/self/ns/mnt).lock
	exec 9>"$lock"
	flock 9
	"$S3BULKFS" -o "endpoint_url=$S3_ENDPOINT" "$BUCKET" "$WORK/u/sub/mnt" 9>&- >"$WORK/out" 2>&1 &
	pid=$!
	until grep -q -- "-> FLOCK .* $pid " /proc/locks; do
		kill -0 $pid 2>/dev/null || fail "it did not wait for the lock: $(cat "$WORK/out")"
	done
	as_user mv "$WORK/u/sub" "$WORK/u/sub.away"
	as_user ln -s "$WORK/root" "$WORK/u/sub"
	exec 9>&-
	wait $pid || rc=$?
	cat "$WORK/out"
	! mountpoint -q "$WORK/root/mnt" || fail "mounted where the user led it"
	assert_eq 1 "$rc" "exit code"
	grep -q "mount point .*: Too many levels of symbolic links" "$WORK/out" ||
		fail "it did not say why"
}

# A user asks and asks, so that there is always a request: who has asked for something else, and
# the signal that ends the mount, have their turn.
test_flood_of_requests() {
	local i flood
	start_server
	put_objects d 1 10
	mount_fs "$BUCKET" allow_other
	# 64, more than the daemon takes in one round; each ends with its parent (PR_SET_PDEATHSIG), or
	# when the file has gone with the mount.
	as_user --pdeathsig KILL $PYTHON -c 'import ctypes, os, sys
for i in range(6):
    if not os.fork():
        ctypes.CDLL(None).prctl(1, 9)
try:
    while True:
        os.statvfs(sys.argv[1])
except OSError:
    pass' "$MNT/d/f000000" &
	flood=$!
	for ((i = 0; i < 20; i++)); do
		timeout 20 "$CTL" status "$MNT" || fail "the daemon does not answer"
	done
	kill -TERM "$DAEMON_PID"
	"$TESTS_DIR/wait-pid" 60 "$DAEMON_PID" || fail "the daemon does not hear the signal"
	wait $flood || :
}

# A mount of root's for everybody: its files are, its daemon is not.
test_mount_of_another() {
	local pid what
	start_server
	put_objects d 1 10
	mount_fs "$BUCKET" allow_other
	cp "$CTL" "$WORK/s3bulkfsctl"
	assert_eq 10 "$(as_user cat "$MNT/d/f000000" | wc -c)" "bytes"
	for what in "status $MNT" "errors $MNT" "flush $MNT" "umount $MNT" "run --mount $MNT true"; do
		# shellcheck disable=SC2086 # several words
		run as_user "$WORK/s3bulkfsctl" $what
		[ "$RC" != 0 ] || fail "$what is not refused"
		assert_eq "s3bulkfsctl: $MNT is a mount of user 0: only that user and root may do this" \
			"$OUT" "what $what says"
	done
	assert_fails 'not permitted|not found in' as_user fusermount3 -u "$MNT"
	mountpoint -q "$MNT" || fail "unmounted"
	"$CTL" status --json "$MNT" >shown
	"$CTL" errors --json "$MNT" >>shown
	! grep -qF "$AWS_SECRET_ACCESS_KEY" shown || fail "a secret is shown"
	for what in environ mem maps; do
		assert_fails 'Permission denied' as_user head -c 1 "/proc/$DAEMON_PID/$what"
	done
	for what in fd root/ cwd/; do
		assert_fails 'Permission denied' as_user ls "/proc/$DAEMON_PID/$what"
	done
	! tr '\0' '\n' <"/proc/$DAEMON_PID/cmdline" | grep -qF "$AWS_SECRET_ACCESS_KEY" ||
		fail "in arguments"
}

# refuses TEXT [NAME=VALUE...] [-o OPTIONS]: to mount, at once, with one line that says TEXT.
refuses() {
	local text=$1
	shift
	mkdir -p "$WORK/none"
	run timeout 100 env "$@" "$BUCKET" "$WORK/none"
	[[ $RC == [12] ]] || fail "exit code with $*: $RC"
	[[ $OUT == *$text* ]] || fail "$* does not say '$text'"
	assert_eq 1 "$(wc -l <<<"$OUT")" "lines of what is said"
	! grep -qF "$AWS_SECRET_ACCESS_KEY" <<<"$OUT" || fail "a secret is shown"
}

# Files of settings that hang, never end, are too much, or lead in a circle.
test_hostile_files() {
	local options=endpoint_url=http://127.0.0.1:9 mount x=$WORK/x
	mount=("$S3BULKFS" -o "$options")
	BUCKET=bucket
	export AWS_ACCESS_KEY_ID=AKIDINTEGRATION00001
	export AWS_SECRET_ACCESS_KEY=integration/secret+0000000000000000000001
	mkdir "$x"
	mkfifo -m 600 "$x/fifo"
	ln -s loop "$x/loop"
	truncate -s 100M "$x/large"
	printf '[default]\nregion = \0\n' >"$x/nul"
	{ printf '[default]\nregion = ' && head -c 3000000 /dev/zero | tr '\0' x; } >"$x/line"
	printf '[profile %s]\nrole_arn=r\nsource_profile=%s\n' a b b a >"$x/circle"
	head -c 32 /dev/urandom >"$x/key"
	chmod 644 "$x/key"
	refuses 'not a regular file' AWS_CONFIG_FILE="$x/fifo" "${mount[@]}"
	refuses 'not a regular file' AWS_SHARED_CREDENTIALS_FILE="$x/fifo" "${mount[@]}"
	refuses 'not a regular file' AWS_CONFIG_FILE=/dev/zero "${mount[@]}"
	refuses 'not a regular file' AWS_CONFIG_FILE="$x" "${mount[@]}"
	refuses 'symbolic links' AWS_CONFIG_FILE="$x/loop" "${mount[@]}"
	refuses 'too large' AWS_CONFIG_FILE="$x/large" "${mount[@]}"
	refuses 'not a text file' AWS_CONFIG_FILE="$x/nul" "${mount[@]}"
	refuses region -u AWS_DEFAULT_REGION AWS_CONFIG_FILE="$x/line" "${mount[@]}"
	refuses 'itself as its source' -u AWS_ACCESS_KEY_ID AWS_CONFIG_FILE="$x/circle" \
		"$S3BULKFS" -o "$options,profile=a"
	refuses 'not a regular file' AWS_CA_BUNDLE="$x" "${mount[@]}"
	refuses 'not a regular file' AWS_CA_BUNDLE="$x/fifo" "${mount[@]}"
	refuses 'chmod 600' "$S3BULKFS" -o "$options,sse_customer_key_file=$x/key"
	refuses 'not a regular file' "$S3BULKFS" -o "$options,sse_customer_key_file=$x/fifo"
}

# The spool in a directory of another user's, which is reached by a link and which all may write:
# there is nothing in it to be seen, and nobody else may open what has no name.
test_cache_directory_of_another() {
	start_server
	install -d -m 777 -o $USER_ID "$WORK/spool"
	ln -s "$WORK/spool" "$WORK/link"
	touch "$WORK/spool/s3bulkfs-prepared"
	mount_fs "$BUCKET" "cache_dir=$WORK/link"
	$PYTHON - "$MNT/f" "$DAEMON_PID" "$WORK/spool" <<-'EOF'
		import glob, os, sys
		path, daemon, spool = sys.argv[1:]
		fd = os.open(path, os.O_RDWR | os.O_CREAT)
		# Backwards, so that nothing can be sent before all is there.
		for at in range(79 << 20, -1, -1 << 20):
		    os.pwrite(fd, b"x" * (1 << 20), at)
		files = [m for m in glob.glob(f"/proc/{daemon}/map_files/*")
		         if os.readlink(m).startswith(spool)]
		assert files, "the spool is not used"
		for st in map(os.stat, files):
		    assert (st.st_mode & 0o7777, st.st_nlink, st.st_uid) == (0o600, 0, 0), st
		assert os.listdir(spool) == ["s3bulkfs-prepared"], os.listdir(spool)
	EOF
	assert_fails 'Permission denied' as_user ls "/proc/$DAEMON_PID/map_files"
	assert_eq $((80 << 20)) "$(stat -c %s "$MNT/f")" "bytes"
}

run_tests "$@"
