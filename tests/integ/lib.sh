# shellcheck shell=bash
# tests/integ/lib.sh: what the integration tests share; sourced by NN-name.sh.
#
# A test file defines functions test_* and ends with `run_tests`. Each function runs in a subshell
# of its own with `set -eE`, in a directory of its own ($WORK), with its own server or bucket and
# its own mounts; all that it started is ended by pid and unmounted when it ends, however it ends.
# Before that its mounts are compared with S3: compare_with_s3.
# `skip REASON` ends a test as skipped.
#
# From tests/integ/run: S3BULKFS and S3D (programs), SERVER (s3d or rgw), WORK_ROOT, S3PY_SOCKET;
# for rgw also S3_ENDPOINT and the keys of the server that all tests share.
# Tests run side by side. For root each has a mount namespace of its own, its /run/s3bulkfs empty:
# nobody else's mounts, and no daemon that others have started.
set -u
INTEG=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TESTS_DIR=$(dirname "$INTEG")
: "${S3BULKFS:?set by tests/integ/run}" "${SERVER:?}" "${WORK_ROOT:?}"

PIDS=()
MOUNTS=()
MNT=
BUCKET=
DAEMON_PID=
OUT=
RC=0

note() { echo "# $*"; }

fail() {
	echo "FAILED: $*"
	exit 1
}

skip() {
	echo "SKIPPED: $*"
	exit 77
}

# need s3d: for tests that use counters, fault rules or latency.
need() {
	[ "$SERVER" = "$1" ] || skip "needs the test server $1 (this one is $SERVER)"
}

assert_eq() { # assert_eq EXPECTED GOT WHAT
	[ "$1" = "$2" ] || fail "$3: expected '$1', got '$2'"
}

assert_le() { # assert_le GOT MOST WHAT
	[ "$1" -le "$2" ] || fail "$3: expected at most $2, got $1"
}

# run COMMAND...: exit code in $RC, both outputs in $OUT and in the log; never fails itself.
run() {
	RC=0
	OUT=$("$@" 2>&1) || RC=$?
	note "$* -> $RC"
	[ -z "$OUT" ] || printf '%s\n' "$OUT" | head -n 20
}

assert_exit() { # assert_exit CODE COMMAND...
	local code=$1
	shift
	run "$@"
	assert_eq "$code" "$RC" "exit code of '$*'"
}

assert_fails() { # assert_fails TEXT COMMAND...: exit code not 0, TEXT (a regex) in the output
	local text=$1
	shift
	run "$@"
	[ "$RC" != 0 ] || fail "'$*' should have failed"
	printf '%s\n' "$OUT" | grep -qiE -- "$text" || fail "'$*' did not say '$text'"
}

assert_same() { # assert_same FILE FILE WHAT
	cmp -s "$1" "$2" || {
		diff "$1" "$2" | head -n 20
		fail "$3"
	}
}

# ---- server -----------------------------------------------------------------------------------

# The server of s3.py, which tests/integ/run has started, spares each call the start of boto3.
s3() {
	if [ -n "${S3PY_SOCKET:-}" ]; then
		/usr/bin/python3 -I -S "$INTEG/s3.py" "$@"
	else
		"$INTEG/s3.py" "$@"
	fi
}

ctl() { # ctl METHOD PATH [BODY]: s3d's control URL
	curl -sS -f --noproxy '*' -X "$1" ${3+--data-binary "$3"} "$S3_ENDPOINT/-/$2"
}

start_s3d() { # start_s3d [ARGS...]: a server of this test's own, with the bucket $BUCKET
	local line fd
	export AWS_ACCESS_KEY_ID=AKIDINTEGRATION00001
	export AWS_SECRET_ACCESS_KEY=integration/secret+0000000000000000000001
	BUCKET=bucket
	exec {fd}< <(exec "$S3D" --port 0 --die-with-parent --bucket "$BUCKET" \
		--access-key "$AWS_ACCESS_KEY_ID" --secret-key "$AWS_SECRET_ACCESS_KEY" \
		"$@" 2>>"$WORK/s3d.log")
	S3D_PID=$!
	PIDS+=("$S3D_PID")
	read -r -t 60 line <&"$fd" || fail "s3d did not start"
	export S3_ENDPOINT=${line##*listening on }
}

# start_server [s3d ARGS...]: a fresh bucket $BUCKET on the server that this run is about.
start_server() {
	if [ "$SERVER" = s3d ]; then
		start_s3d "$@"
	else
		BUCKET=t-$$-$RANDOM$RANDOM
		s3 mkbucket "$BUCKET"
	fi
}

# Waits for S3's clock, which has whole seconds, to show another one.
next_second() {
	local now
	now=$(date +%s)
	until [ "$(date +%s)" -gt "$now" ]; do :; done
}

# gone PATH: it is not visible, or no longer once the kernel has heard of it: that may be after the
# command has ended, when somebody holds the directory, or a descriptor is still to be closed.
gone() {
	local end=$((SECONDS + 10))
	while [ -e "$1" ]; do
		[ $SECONDS -lt $end ] || return 1
	done
}

put_objects() { # put_objects PREFIX COUNT SIZE: PREFIX/f000000 ... in $BUCKET
	if [ "$SERVER" = s3d ]; then
		ctl POST seed "{\"bucket\":\"$BUCKET\",\"prefix\":\"$1/\",\"count\":$2,\"size\":$3}" \
			>/dev/null
	else
		s3 seed "$BUCKET" "$1/" "$2" "$3"
	fi
}

stat_get() { s3 stat "$S3_ENDPOINT" "$@"; } # stat_get OPERATION [FIELD]
stats_reset() { ctl POST stats/reset '' >/dev/null; }
fault() { ctl POST faults "$1" >/dev/null; }   # fault JSON
faults_clear() { ctl DELETE faults >/dev/null; }

# hold OPERATION KEY: the next such request gets no answer before `let_go`. wait_held KEY: until
# one of that key does so, whose pattern is a fixed string here.
hold() { fault "{\"op\":\"$1\",\"key\":\"$2\",\"hang\":true,\"times\":1}"; }
let_go() { ctl POST release '' >/dev/null; }
wait_held() {
	until ctl GET faults | tr '{' '\n' | grep -F "\"key\":\"$1\"" | grep -q '"fired":[1-9]'; do
		:
	done
}

# deny_copy KEY, deny_delete KEY: from now on S3 refuses to make or remove this key.
deny_copy() {
	if [ "$SERVER" = s3d ]; then
		fault "{\"op\":\"CopyObject\",\"key\":\"$1\",\"status\":403,\"code\":\"AccessDenied\"}"
	else
		s3 deny "$BUCKET" s3:PutObject "$1"
	fi
}

deny_delete() {
	if [ "$SERVER" = s3d ]; then
		fault "{\"op\":\"DeleteObjects\",\"key\":\"$1\",\"per_key\":true,\"in200\":true,
			\"code\":\"AccessDenied\"}"
		fault "{\"op\":\"DeleteObject\",\"key\":\"$1\",\"status\":403,\"code\":\"AccessDenied\"}"
	else
		s3 deny "$BUCKET" s3:DeleteObject "$1"
	fi
}

in_s3() { # in_s3 KEY: true when the object is there
	s3 head "$BUCKET" "$1" >/dev/null
}

# same_objects PREFIX PREFIX [--meta]: names, sizes and ETags below both are equal; markers of
# directories do not count.
same_objects() {
	s3 ls "$BUCKET" "$1/" --files ${3+"$3"} >"$WORK/ls.1"
	s3 ls "$BUCKET" "$2/" --files ${3+"$3"} >"$WORK/ls.2"
	assert_same "$WORK/ls.1" "$WORK/ls.2" "objects below $1 and $2 differ"
}

count_objects() { s3 ls "$BUCKET" "$1" --files | wc -l; } # count_objects PREFIX

# ---- mount ------------------------------------------------------------------------------------

# mount_fs BUCKET[:/PREFIX] [OPTIONS]: in the foreground with its log in a file; sets $MNT.
mount_fs() {
	local n=${#MOUNTS[@]}
	MNT=$WORK/mnt$n
	mkdir -p "$MNT"
	MOUNTS+=("$MNT")
	"$S3BULKFS" -f -o "endpoint_url=$S3_ENDPOINT${2:+,$2}" "$1" "$MNT" \
		>"$WORK/daemon$n.log" 2>&1 &
	DAEMON_PID=$!
	PIDS+=("$DAEMON_PID")
	# findmnt returns at the next mount event; its timeout covers one that came before.
	until mountpoint -q "$MNT"; do
		kill -0 "$DAEMON_PID" 2>/dev/null || fail "s3bulkfs $1 did not mount"
		findmnt --poll=mount --first-only --timeout 50 >/dev/null || :
	done
}

umount_fs() { # umount_fs: the last mount; the daemon must end by itself with exit code 0
	local rc=0
	umount "$MNT"
	"$TESTS_DIR/wait-pid" 60 "$DAEMON_PID" || fail "the daemon does not end after umount"
	wait "$DAEMON_PID" || rc=$?
	assert_eq 0 "$rc" "exit code of the daemon"
}

# remount BUCKET[:/PREFIX] [OPTIONS]: so that nothing is known from before.
remount() {
	umount_fs
	mount_fs "$@"
}

# remount_patient BUCKET[:/PREFIX]: for tests that count requests. What is known is asked for again
# after metadata_ttl, so that with the usual second a slow machine, or a sanitizer, costs requests.
remount_patient() {
	remount "$1" metadata_ttl=60
}

# fresh [s3d ARGS...]: a server and a mount of its whole bucket.
fresh() {
	start_server "$@"
	mount_fs "$BUCKET"
}

# preload: for tests whose daemon is refused what it needs (nomem.c): run it with LD_PRELOAD=$NOMEM.
# refuse WHICH VALUE: sets one of the numbers that it looks at.
preload() {
	NOMEM=$(dirname "$(dirname "$S3D")")/integ/nomem.so
	[ -e "$NOMEM" ] || skip "$NOMEM was not built"
	! grep -qE '__(asan|tsan)_init' "$S3BULKFS" || skip "a sanitizer has its own malloc"
	export NOMEM NOMEM_CONTROL=$WORK/control
	head -c 56 /dev/zero >"$NOMEM_CONTROL"
}

refuse() {
	/usr/bin/python3 -I -S -c 'import struct, sys
sys.stdout.buffer.write(struct.pack("<Q", int(sys.argv[1])))' "$2" |
		dd of="$NOMEM_CONTROL" bs=8 seek="$1" conv=notrunc status=none
}

# ---- one test ---------------------------------------------------------------------------------

# Runs as the EXIT trap of a test.
clean_up() {
	local rc=$? m pid
	trap - EXIT ERR
	trap '' TERM INT
	set +eE
	cd /
	for m in "${MOUNTS[@]}"; do
		mountpoint -q "$m" && { umount "$m" 2>/dev/null || umount -l "$m"; }
	done
	for pid in "${PIDS[@]}"; do
		# A daemon whose mount is gone ends by itself; leaks are only reported then.
		[ "$pid" = "${S3D_PID:-}" ] || "$TESTS_DIR/wait-pid" 20 "$pid" || {
			echo "FAILED: the daemon $pid does not end after umount"
			rc=1
		}
		kill -TERM "$pid" 2>/dev/null
		"$TESTS_DIR/wait-pid" 10 "$pid" || kill -KILL "$pid" 2>/dev/null
	done
	for m in "$WORK"/san.*; do
		[ -e "$m" ] || continue
		echo "FAILED: sanitizer report $m"
		head -n 60 "$m"
		rc=1
	done
	exit $rc
}

# not_compared WHY: this test's mounts cannot show what S3 holds when it ends.
not_compared() {
	NOT_COMPARED=$*
}

# How every test ends that has not failed: each of its mounts that is still there shows what S3
# holds, names, kinds, sizes, contents and metadata, which compare.py asks for without the mount.
# Faults, latency and a rate of s3d are over then.
compare_with_s3() {
	if [ -n "${NOT_COMPARED:-}" ]; then
		note "not compared: $NOT_COMPARED"
	elif [ -n "${S3PY_SOCKET:-}" ]; then
		BUCKET=${BUCKET:-} s3 compare "$WORK"
	fi
}

# Own settings only: nothing of the person who runs the tests, no proxy for loopback.
clean_environment() {
	unset AWS_PROFILE AWS_SESSION_TOKEN AWS_CA_BUNDLE AWS_ENDPOINT_URL AWS_ENDPOINT_URL_S3 \
		AWS_ENDPOINT_URL_STS AWS_ENDPOINT_URL_SSO AWS_REGION AWS_ROLE_ARN \
		AWS_WEB_IDENTITY_TOKEN_FILE AWS_CONTAINER_CREDENTIALS_RELATIVE_URI \
		AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE \
		AWS_EC2_METADATA_SERVICE_ENDPOINT
	export HOME=$WORK/home AWS_CONFIG_FILE=$WORK/home/config LC_ALL=C.UTF-8
	export AWS_SHARED_CREDENTIALS_FILE=$WORK/home/credentials AWS_EC2_METADATA_DISABLED=true
	export AWS_DEFAULT_REGION=us-east-1 no_proxy=127.0.0.1,localhost NO_PROXY=127.0.0.1,localhost
	mkdir -p "$HOME"
	export ASAN_OPTIONS=log_path=$WORK/san:detect_leaks=1:exitcode=99
	export UBSAN_OPTIONS=log_path=$WORK/san:print_stacktrace=1
	export TSAN_OPTIONS=log_path=$WORK/san:exitcode=66
}

# Runs test_$1 in this process, as run_tests starts it.
run_one() {
	WORK=$WORK_ROOT/$(basename "$0" .sh).$1
	set -eE
	trap clean_up EXIT
	trap 'echo "FAILED: line $LINENO: $BASH_COMMAND"' ERR
	trap 'echo "FAILED: stopped, after $SECONDS s"; exit 1' TERM INT
	clean_environment
	cd "$WORK"
	"test_$1"
	cd "$WORK"
	compare_with_s3
	exit 0
}

# print_failure: the ends of the logs of the test in $WORK.
print_failure() {
	local log
	tail -n 40 "$WORK/test.log" | sed 's/^/    /'
	for log in "$WORK"/daemon*.log "$WORK/s3d.log"; do
		[ -s "$log" ] || continue
		echo "    --- $(basename "$log")"
		tail -n 25 "$log" | sed 's/^/    /'
	done
}

# isolated COMMAND...: in a mount namespace of its own, where that is possible.
isolated() {
	if [ "$(id -u)" != 0 ]; then
		"$@"
		return
	fi
	# shellcheck disable=SC2016 # the inner shell expands it
	unshare --mount --propagation private -- sh -c 'mkdir -p -m 700 /run/s3bulkfs &&
		mount -t tmpfs -o mode=700 s3bulkfs-test /run/s3bulkfs && exec "$@"' - "$@"
}

# run_tests [PATTERN]: every test_* of the file, in the file's order; one line each. Each is a
# process group of its own, which timeout(1) ends when it does not come to an end.
run_tests() {
	local name t rc start ms failed=0
	[ -z "${RUN_ONE:-}" ] || run_one "$RUN_ONE"
	name=$(basename "$0" .sh)
	while read -r t; do
		# shellcheck disable=SC2053 # a pattern is meant
		[[ $t == ${1:-*} ]] || continue
		WORK=$WORK_ROOT/$name.$t
		mkdir -p "$WORK"
		chmod 755 "$WORK"
		start=${EPOCHREALTIME/[.,]/}
		rc=0
		RUN_ONE=$t isolated timeout -k 60 "${TEST_TIMEOUT_S:-240}" "$0" >"$WORK/test.log" 2>&1 \
			</dev/null || rc=$?
		ms=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
		case $rc in
		0) echo "ok $name/$t ($ms ms)" ;;
		77) echo "ok $name/$t # SKIP $(sed -n 's/^SKIPPED: //p' "$WORK/test.log")" ;;
		*)
			failed=$((failed + 1))
			print_failure
			echo "not ok $name/$t (exit code $rc, $ms ms)"
			;;
		esac
	done < <(sed -n 's/^test_\([a-z0-9_]*\)() {.*/\1/p' "$0")
	[ "$failed" = 0 ]
}
