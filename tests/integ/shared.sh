# shellcheck shell=bash
# tests/integ/shared.sh: for tests of mounts that share a daemon; sourced after lib.sh. They run in
# a mount namespace of their own, so that no daemon of the machine takes part.
if [ "${S3BULKFS_OWN_NAMESPACE:-}" != 1 ]; then
	S3BULKFS_OWN_NAMESPACE=1 exec unshare -m --propagation private "$0" "$@"
fi

# The process ids of the daemons of this namespace.
daemons() {
	local p
	for p in /proc/[0-9]*; do
		[ "$(readlink "$p/exe")" = "$(readlink -f "$S3BULKFS")" ] &&
			[ "$(readlink "$p/ns/mnt")" = "$(readlink /proc/self/ns/mnt)" ] &&
			echo "${p#/proc/}"
	done 2>/dev/null || :
}

# mount_shared BUCKET[:/PREFIX] DIR [OPTIONS]: at $WORK/DIR, through the shared daemon.
mount_shared() {
	local pid
	mkdir -p "$WORK/$2"
	MOUNTS=("$WORK/$2" "${MOUNTS[@]}")
	"$S3BULKFS" -o "endpoint_url=$S3_ENDPOINT${3:+,$3}" "$1" "$WORK/$2" ||
		fail "mounting $1 on $2: exit code $?"
	echo "$S3_ENDPOINT" >"$WORK/$2.endpoint" # for compare.py: there may be several servers
	for pid in $(daemons); do
		[[ " ${PIDS[*]} " == *" $pid "* ]] || PIDS+=("$pid")
	done
}

# The daemon (of which there must be one) ends by itself.
daemon_ends() {
	"$TESTS_DIR/wait-pid" 60 "$1" || fail "the daemon does not end after the last umount"
}

make_bucket() { # make_bucket NAME
	if [ "$SERVER" = s3d ]; then
		ctl POST "bucket?bucket=$1" '' >/dev/null
	else
		s3 mkbucket "$1"
	fi
}

put_in() { # put_in BUCKET PREFIX COUNT SIZE
	BUCKET=$1 put_objects "${@:2}"
}

# same_trees BUCKET PREFIX BUCKET PREFIX: names, sizes and ETags below both are equal.
same_trees() {
	s3 ls "$1" "$2/" --files >"$WORK/ls.1"
	s3 ls "$3" "$4/" --files >"$WORK/ls.2"
	assert_same "$WORK/ls.1" "$WORK/ls.2" "objects of $1/$2 and $3/$4 differ"
}
