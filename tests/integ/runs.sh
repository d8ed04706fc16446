# shellcheck shell=bash
# tests/integ/runs.sh: for tests of s3bulkfsctl run; sourced after lib.sh.
CTL=$(dirname "$S3BULKFS")/s3bulkfsctl
PYTHON=/usr/bin/python3

run_on() { # run_on COMMAND...: on the mount at $MNT
	run "$CTL" run --mount "$MNT" "$@"
}

py() { # py CODE [ARGUMENT...]: a Python program as the command
	local code=$1
	shift
	run_on $PYTHON -c "import os, shutil, sys; $code" "$@"
}

deny_put() {
	fault "{\"op\":\"PutObject\",\"key\":\"$1\",\"status\":403,\"code\":\"AccessDenied\"}"
}

# refused KEY: the command has failed, the ledger and the message name the key.
refused() {
	[ "$RC" != 0 ] || fail "exit code 0, although $1 was refused"
	"$CTL" errors "$MNT" >ledger
	grep -q "failed: AccessDenied (HTTP [24]0[03]), key $1, request [0-9A-F]" ledger ||
		fail "the ledger does not name $1"
	if [ "$RC" = 123 ]; then
		printf '%s\n' "$OUT" | grep -q "key $1," || fail "the message does not name $1"
	fi
}

# same_tree DIR: the mount and S3 show the same names below DIR.
same_tree() {
	(cd "$MNT/$1" && find . -type f | cut -c3- | LC_ALL=C sort) >mount
	s3 ls "$BUCKET" "$1/" --files | cut -f 1 >objects
	assert_same objects mount "the mount and S3 show different names"
}

make_local() { # make_local DIR: a small local tree
	local i
	for i in $(seq 0 59); do
		mkdir -p "$1/d$((i % 5))/sub"
		echo "content $i" >"$1/d$((i % 5))/f$i"
		[ $((i % 3)) != 0 ] || echo "log $i" >"$1/d$((i % 5))/sub/f$i.log"
	done
	mkdir "$1/empty"
	: >"$1/d0/nothing"
}
