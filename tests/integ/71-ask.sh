#!/bin/bash
# tests/integ/71-ask.sh: a rm that asks a person. It passes over what is answered with no, and exits
# 0 then: what was accepted before must have been told by that time.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

USER_ID=65534 # nobody

# begin [s3d ARGS...]: a mount that belongs to the user; `d` is his, with files in d/a and d/z.
begin() {
	start_server "$@"
	put_objects d/a 100 10
	put_objects d/z 20 10
	mount_fs "$BUCKET" allow_other,uid=$USER_ID,gid=$USER_ID
	ls "$MNT/d" >/dev/null # so that a comes before z, whatever is looked at next
}

# at_tty ANSWER COMMAND...: as the user, at a terminal of its own; each question gets the answer.
# Sets RC and OUT as `run` does, and ASKED.
at_tty() {
	run /usr/bin/python3 - "$@" <<-'P'
		import os, pty, sys
		answer, command = sys.argv[1], sys.argv[2:]
		pid, fd = pty.fork()
		if not pid:
		    os.execvp("setpriv", ["setpriv", "--reuid=65534", "--regid=65534",
		        "--clear-groups", *command])
		text, answered = b"", 0
		while True:
		    try:
		        got = os.read(fd, 4096)
		    except OSError:
		        break
		    if not got:
		        break
		    text += got
		    while text.count(b"? ") > answered:
		        answered += 1
		        os.write(fd, answer.encode() + b"\n")
		code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
		sys.stdout.write(text.decode(errors="replace").replace("\r", ""))
		print(f"asked {answered}")
		sys.exit(code if code >= 0 else 128 - code)
	P
	ASKED=$(printf '%s\n' "$OUT" | sed -n 's/^asked //p')
}

as_user() {
	setpriv --reuid=$USER_ID --regid=$USER_ID --clear-groups "$@"
}

mount_is_s3() { # the mount and S3 show the same files below d
	(cd "$MNT/d" && find . -type f | cut -c3- | LC_ALL=C sort) >mount
	s3 ls "$BUCKET" d/ --files | cut -f 1 >objects
	assert_same objects mount "the mount and S3 show different names"
}

test_nothing_to_ask() {
	begin
	[ "$SERVER" != s3d ] || stats_reset
	at_tty n rm -r "$MNT/d"
	assert_eq "0 0" "$RC $ASKED" "exit code and questions"
	assert_eq "" "$(s3 ls "$BUCKET" d)" "left in S3"
	[ "$SERVER" != s3d ] || assert_le "$(stat_get DeleteObjects)" 5 DeleteObjects
}

test_nothing_to_ask_refused() {
	begin
	deny_delete d/a/f000050
	at_tty n rm -r "$MNT/d"
	assert_eq "1 0" "$RC $ASKED" "exit code and questions"
	mount_is_s3
	assert_eq a/f000050 "$(cat objects)" "what is left"
}

test_answered_no() {
	# The answer to the last question is no, and earlier a removal was refused, which S3 says
	# later only.
	begin --latency-ms DeleteObjects=400
	as_user chmod 444 "$MNT/d/z/f000019"
	deny_delete d/a/f000050
	at_tty n rm -r "$MNT/d"
	[ "$RC" != 0 ] || fail "exit code 0, although S3 refused"
	mount_is_s3
	in_s3 d/z/f000019 || fail "it was removed without a yes"
	in_s3 d/a/f000050 || fail "the refusal did not work"
}

test_answered_no_and_nothing_refused() {
	begin
	as_user chmod 444 "$MNT/d/z/f000019"
	at_tty n rm -r "$MNT/d"
	[ "$ASKED" -ge 1 ] || fail "it did not ask"
	mount_is_s3
	assert_eq z/f000019 "$(cat objects)" "what is left"
}

test_answered_yes() {
	begin
	as_user chmod 444 "$MNT/d/z/f000019" "$MNT/d/a/f000000"
	at_tty y rm -r "$MNT/d"
	assert_eq "0 2" "$RC $ASKED" "exit code and questions"
	assert_eq "" "$(s3 ls "$BUCKET" d)" "left in S3"
}

test_directory() {
	begin
	as_user chmod 555 "$MNT/d/z"
	deny_delete d/a/f000050
	at_tty n rm -r "$MNT/d"
	[ "$RC" != 0 ] || fail "exit code 0, although S3 refused"
	[ "$(s3 ls "$BUCKET" d/z/ --files | wc -l)" = 20 ] || fail "d/z was removed without a yes"
	mount_is_s3
}

test_arguments() {
	begin
	as_user chmod 444 "$MNT/d/a/f000009"
	ls -l "$MNT/d/a" >/dev/null
	deny_delete d/a/f000003
	at_tty n rm "$MNT"/d/a/f00000?
	[ "$RC" != 0 ] || fail "exit code 0, although S3 refused"
	in_s3 d/a/f000009 || fail "it was removed without a yes"
	in_s3 d/a/f000003 || fail "the refusal did not work"
	! in_s3 d/a/f000008 || fail "an argument was passed over"
	mount_is_s3
	# The same when the last argument is not known from before.
	umount "$MNT"
	"$TESTS_DIR/wait-pid" 60 "$DAEMON_PID" || fail "the daemon does not end after umount"
	mount_fs "$BUCKET" allow_other,uid=$USER_ID,gid=$USER_ID
	at_tty n rm "$MNT/d/a/f000010" "$MNT/d/a/f000003" "$MNT/d/a/f000009"
	[ "$RC" != 0 ] || fail "exit code 0, although S3 refused"
	in_s3 d/a/f000009 || fail "it was removed without a yes"
	mount_is_s3
}

test_force_does_not_ask() {
	begin
	as_user chmod 444 "$MNT/d/z/f000019"
	deny_delete d/a/f000050
	at_tty n rm -rf "$MNT/d"
	assert_eq "1 0" "$RC $ASKED" "exit code and questions"
	mount_is_s3
	assert_eq a/f000050 "$(cat objects)" "what is left"
}

test_no_terminal() {
	begin
	as_user chmod 444 "$MNT/d/z/f000019"
	[ "$SERVER" != s3d ] || stats_reset
	assert_exit 0 as_user rm -r "$MNT/d" </dev/null
	assert_eq "" "$(s3 ls "$BUCKET" d)" "left in S3"
	[ "$SERVER" != s3d ] || assert_le "$(stat_get DeleteObjects)" 5 DeleteObjects
}

test_move_that_asks() {
	# mv asks before it replaces what cannot be written.
	begin
	[ "$(id -u)" = 0 ] || skip "needs two mounts"
	s3 put "$BUCKET" other/f000002
	as_user chmod 444 "$MNT/other/f000002"
	local first=$MNT
	mount_fs "$BUCKET:/other" "private,allow_other,uid=$USER_ID,gid=$USER_ID"
	deny_delete d/a/f000001
	at_tty n mv "$first/d/a/f000000" "$first/d/a/f000001" "$first/d/a/f000002" "$MNT/"
	[ "$RC" != 0 ] || fail "exit code 0, although S3 refused"
	in_s3 d/a/f000001 || fail "the refusal did not work"
	in_s3 d/a/f000002 || fail "it was moved without a yes"
	MNT=$first
	mount_is_s3
}

run_tests "$@"
