#!/bin/bash
# tests/integ/76-interrupt.sh: a signal while S3 does not answer: the command ends at once, nothing
# is pending when S3 has answered, and the mount shows what S3 has.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

CTL=$(dirname "$S3BULKFS")/s3bulkfsctl

# start COMMAND...: in the background, with signals as a person's shell leaves them; sets PID.
start() {
	env --default-signal=INT,TERM,QUIT "$@" >command.out 2>&1 &
	PID=$!
}

# ends_by SIGNAL: the command gets it, and ends by it, while S3 still holds its answer back.
ends_by() {
	local rc=0
	kill -s "$1" "$PID"
	"$TESTS_DIR/wait-pid" 20 "$PID" || fail "it does not end at SIG$1: $(cat "/proc/$PID/stack")"
	wait "$PID" || rc=$?
	assert_eq $((128 + $(kill -l "$1"))) "$rc" "exit code after SIG$1"
}

# at_rest DIR...: nothing is pending any more, and the mount and S3 show the same.
at_rest() {
	let_go
	faults_clear
	"$CTL" flush "$MNT" >/dev/null 2>&1 || :
	assert_eq 0 "$("$CTL" status --json "$MNT" | /usr/bin/python3 -c 'import json, sys
print(json.load(sys.stdin)["mounts"][0]["pending"])')" "pending operations"
	local dir
	for dir; do
		{ (cd "$MNT" && find "$dir" -type f) || :; } 2>/dev/null | LC_ALL=C sort >mount
		s3 ls "$BUCKET" "$dir/" --files | cut -f 1 | sed "s|^|$dir/|" >objects
		assert_same objects mount "the mount and S3 show different names below $dir"
	done
}

# The command goes on working when it is started again.
again() {
	assert_exit 0 "$@"
}

# interrupted SIGNAL PLACE COMMAND: PLACE is first, middle, or end: a call that waits for its own
# answer, one of those that were answered early, or the last one, which waits for all of them.
interrupted() {
	local signal=$1 place=$2 key op=CopyObject
	need s3d
	start_server
	put_objects src 60 10
	s3 put "$BUCKET" sub/one
	mount_fs "$BUCKET" rename_limit=10
	case $place in
	first) key=f000000 ;;
	middle) key=f000030 ;;
	end) key=f000059 ;;
	esac
	case $3 in
	cp)
		hold $op "dst/$key"
		start cp -r "$MNT/src" "$MNT/dst"
		;;
	mv)
		hold $op "dst/$key"
		start mv "$MNT/src" "$MNT/dst"
		;;
	chmod)
		hold $op "src/$key"
		start chmod -R 600 "$MNT/src"
		;;
	rm)
		# The first removal is a request of its own; the second request has all the others.
		op=DeleteObjects
		[ "$place" = first ] && key='*' || key=src/f000030
		hold $op "$key"
		start rm -r "$MNT/src"
		;;
	find)
		op=DeleteObjects
		[ "$place" = first ] && key='*' || key=src/f000030
		hold $op "$key"
		start find "$MNT/src" -delete
		;;
	esac
	case $3 in
	rm | find) wait_held "$key" ;;
	chmod) wait_held "src/$key" ;;
	*) wait_held "dst/$key" ;;
	esac
	ends_by "$signal"
	at_rest src dst
	case $3 in
	cp) again cp -rT "$MNT/src" "$MNT/dst" && same_objects src dst ;;
	mv)
		# Contract C9: of each file there is at least one.
		assert_eq 60 "$({ s3 ls "$BUCKET" src/ --files && s3 ls "$BUCKET" dst/ --files; } |
			cut -f 1 | sort -u | wc -l)" "files in either place"
		;;
	chmod)
		again chmod -R 640 "$MNT/src"
		assert_eq 60 "$(ctl GET "dump?bucket=$BUCKET&prefix=src/f" |
			grep -c '"x-amz-meta-mode":"33184"')" "objects with the mode"
		;;
	find) again rm -rf "$MNT/src" && assert_eq "" "$(s3 ls "$BUCKET" src)" "left in S3" ;;
	rm) again rm -rf "$MNT/src" && assert_eq "" "$(s3 ls "$BUCKET" src)" "left in S3" ;;
	esac
}

test_cp_int_first() { interrupted INT first cp; }
test_cp_int_middle() { interrupted INT middle cp; }
test_cp_int_end() { interrupted INT end cp; }
test_cp_term_first() { interrupted TERM first cp; }
test_cp_term_middle() { interrupted TERM middle cp; }
test_cp_term_end() { interrupted TERM end cp; }
test_cp_kill_first() { interrupted KILL first cp; }
test_cp_kill_middle() { interrupted KILL middle cp; }
test_cp_kill_end() { interrupted KILL end cp; }
test_mv_int_first() { interrupted INT first mv; }
test_mv_int_middle() { interrupted INT middle mv; }
test_mv_int_end() { interrupted INT end mv; }
test_mv_term_middle() { interrupted TERM middle mv; }
test_mv_kill_first() { interrupted KILL first mv; }
test_mv_kill_middle() { interrupted KILL middle mv; }
test_mv_kill_end() { interrupted KILL end mv; }
test_chmod_int_first() { interrupted INT first chmod; }
test_chmod_int_middle() { interrupted INT middle chmod; }
test_chmod_int_end() { interrupted INT end chmod; }
test_chmod_term_middle() { interrupted TERM middle chmod; }
test_chmod_kill_first() { interrupted KILL first chmod; }
test_chmod_kill_middle() { interrupted KILL middle chmod; }
test_chmod_kill_end() { interrupted KILL end chmod; }
test_rm_int_first() { interrupted INT first rm; }
test_rm_int_end() { interrupted INT end rm; }
test_rm_term_first() { interrupted TERM first rm; }
test_rm_term_end() { interrupted TERM end rm; }
test_rm_kill_first() { interrupted KILL first rm; }
test_rm_kill_end() { interrupted KILL end rm; }
test_find_int_first() { interrupted INT first find; }
test_find_int_end() { interrupted INT end find; }
test_find_kill_end() { interrupted KILL end find; }

test_rename_of_a_directory() {
	# One call, which waits for all its copies.
	local signal
	need s3d
	start_server
	put_objects src 30 10
	mount_fs "$BUCKET"
	for signal in INT KILL; do
		hold CopyObject dst/f000015
		start mv "$MNT/src" "$MNT/dst"
		wait_held dst/f000015
		ends_by $signal
		at_rest src dst
		[ "$(count_objects src/)" = 30 ] || [ "$(count_objects dst/)" = 30 ] ||
			fail "neither the source nor the copy is whole"
		rm -rf "$MNT/dst"
		put_objects src 30 10
		remount "$BUCKET"
	done
}

test_while_listing() {
	local signal
	need s3d
	start_server
	put_objects src 30 10
	for signal in INT TERM KILL; do
		mount_fs "$BUCKET"
		hold ListObjectsV2 '*'
		start cp -r "$MNT/src" "$MNT/dst"
		wait_held '*'
		ends_by $signal
		at_rest src
	done
}

test_others_wait_no_longer_than_the_answer() {
	# The kernel keeps a directory locked while a removal in it waits; who waits for that lock
	# cannot be interrupted, but goes on when the first one is.
	need s3d
	start_server
	put_objects d 30 10
	mount_fs "$BUCKET"
	hold DeleteObjects '*'
	start rm -r "$MNT/d"
	wait_held '*'
	local first=$PID
	start rm "$MNT/d/f000020"
	local second=$PID
	PID=$first
	ends_by INT
	let_go
	"$TESTS_DIR/wait-pid" 20 "$second" || fail "the second does not go on"
	wait "$second" || fail "the second has failed"
	at_rest d
	! in_s3 d/f000020 || fail "it was not removed"
}

run_tests "$@"
