#!/bin/bash
# tests/integ/F2-users.sh: other users of the machine, who mean harm: what they prepare, exchange,
# forge and name so that it hurts.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

USER_ID=65534 # nobody
PYTHON=/usr/bin/python3

[ "$(id -u)" = 0 ] || {
	echo "ok F2-users # SKIP needs root, to be several users"
	exit 0
}

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

run_tests "$@"
