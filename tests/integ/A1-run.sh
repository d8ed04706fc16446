#!/bin/bash
# tests/integ/A1-run.sh: s3bulkfsctl run: what a command and its children do is deferred, waited for
# at its end, and told.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=tests/integ/runs.sh
. "$(dirname "$(readlink -f "$0")")/runs.sh"

# ---- exit codes and membership ----

test_exit_codes() {
	fresh
	put_objects src 3 10
	run_on true
	assert_eq 0 "$RC" "exit code of true"
	run_on sh -c 'exit 7'
	assert_eq 7 "$RC" "exit code 7"
	run_on no-such-command-at-all
	assert_eq 127 "$RC" "a command that is not there"
	run_on /etc/passwd
	assert_eq 126 "$RC" "a file that is no program"
	run_on sh -c 'kill -TERM $$'
	assert_eq 143 "$RC" "a command ended by SIGTERM"
	run_on printf '%s' --json
	assert_eq --json "$OUT" "the command's own options"
}

test_signal_is_forwarded() {
	fresh
	put_objects src 3 10
	mkfifo ready
	"$CTL" run --mount "$MNT" sh -c 'trap "exit 9" TERM; echo >ready
		while :; do read -r x <ready; done' &
	local pid=$! rc=0
	read -r _ <ready
	kill -TERM $pid
	wait $pid || rc=$?
	assert_eq 9 "$rc" "exit code after SIGTERM"
}

test_strict_outside() {
	# The same loop, with and without run: each removal of its own, or batches.
	need s3d
	fresh
	put_objects d 40 10
	put_objects e 40 10
	stats_reset
	$PYTHON -c "import shutil; shutil.rmtree('$MNT/d')"
	[ "$(stat_get DeleteObjects)" -ge 40 ] || fail "removals outside of run were not strict"
	stats_reset
	py "shutil.rmtree(sys.argv[1])" "$MNT/e"
	assert_eq 0 "$RC" "exit code"
	assert_le "$(stat_get DeleteObjects)" 6 "DeleteObjects within run"
	# What ended with the run is strict again.
	put_objects g 40 10
	stats_reset
	$PYTHON -c "import shutil; shutil.rmtree('$MNT/g')"
	[ "$(stat_get DeleteObjects)" -ge 40 ] || fail "removals after the run were not strict"
}

test_others_are_strict_meanwhile() {
	need s3d
	fresh
	put_objects d 30 10
	mkfifo ready stop
	"$CTL" run --mount "$MNT" sh -c 'echo >ready; read -r x <stop' &
	local pid=$!
	read -r _ <ready
	stats_reset
	$PYTHON -c "import shutil; shutil.rmtree('$MNT/d')"
	[ "$(stat_get DeleteObjects)" -ge 30 ] || fail "somebody else's removals were deferred"
	echo >stop
	wait $pid
}

test_children_and_threads() {
	# Grandchildren, an orphan, and threads are members.
	need s3d
	fresh
	put_objects a 40 10
	put_objects b 40 10
	put_objects c 40 10
	stats_reset
	run_on sh -c "(sh -c '$PYTHON -c \"import shutil; shutil.rmtree(\\\"$MNT/a\\\")\"' )
		mkfifo gone
		(setsid sh -c '$PYTHON -c \"import shutil; shutil.rmtree(\\\"$MNT/b\\\")\"; echo >gone' &)
		read -r x <gone"
	assert_eq 0 "$RC" "exit code"
	py 'from concurrent.futures import ThreadPoolExecutor as T
d = sys.argv[1]
list(T(4).map(lambda n: os.unlink(d + "/" + n), os.listdir(d)))' "$MNT/c"
	assert_eq 0 "$RC" "exit code of threads"
	assert_le "$(stat_get DeleteObjects)" 30 "DeleteObjects"
	assert_eq "0 0 0" "$(count_objects a/) $(count_objects b/) $(count_objects c/)" "left in S3"
	[ -d "$MNT/c" ] || fail "the emptied directory is gone"
	in_s3 c/ || fail "the emptied directory is not in S3"
}

test_killed_command() {
	# What was accepted is done when run returns, also when the command was killed.
	need s3d
	start_s3d --latency-ms CopyObject=500
	mount_fs "$BUCKET"
	put_objects src 100 10
	run_on sh -c "cp -r '$MNT/src' '$MNT/dst'; kill -KILL \$\$"
	assert_eq 137 "$RC" "exit code"
	same_objects src dst
}

test_run_itself_killed() {
	need s3d
	start_s3d --latency-ms PutObject=20
	mount_fs "$BUCKET"
	mkfifo ready
	"$CTL" run --mount "$MNT" sh -c "for i in 1 2 3 4 5 6 7 8 9; do echo x >'$MNT'/f\$i; done
		echo >ready; read -r x <ready" &
	local pid=$!
	read -r _ <ready
	kill -KILL $pid
	"$TESTS_DIR/wait-pid" 20 $pid
	assert_exit 0 "$CTL" flush "$MNT"
	assert_eq 9 "$(count_objects '')" "what was accepted"
	echo >ready
}

test_two_runs_at_once() {
	need s3d
	fresh
	put_objects a 50 10
	put_objects b 50 10
	deny_delete a/f000020
	"$CTL" run --mount "$MNT" find "$MNT/a" -type f -delete 2>a.err &
	local a=$! rc=0
	"$CTL" run --mount "$MNT" find "$MNT/b" -type f -delete || fail "the other run failed, too"
	wait $a || rc=$?
	assert_eq 123 "$rc" "exit code of the run with a failure"
	grep -q 'key a/f000020' a.err || fail "the key is not named"
}

test_killed_command_that_was_refused() {
	# 123 also when the command was killed: what it had asked for has failed.
	need s3d
	fresh
	put_objects src 100 10
	deny_put bad/f000050
	py 'import signal
os.mkdir(sys.argv[2])
for n in sorted(os.listdir(sys.argv[1])):
    shutil.copyfile(sys.argv[1] + "/" + n, sys.argv[2] + "/" + n)
os.kill(os.getpid(), signal.SIGKILL)' "$MNT/src" "$MNT/bad"
	assert_eq 123 "$RC" "exit code when one is refused"
	refused bad/f000050
	same_tree bad
}

# two_mounts: $FIRST and $SECOND, of the bucket's prefixes one/ and two/, each with 50 files in d.
two_mounts() {
	need s3d
	start_server
	put_objects one/d 50 10
	put_objects two/d 50 10
	mount_fs "$BUCKET:/one" private
	FIRST=$MNT
	mount_fs "$BUCKET:/two" private
	SECOND=$MNT
}

test_two_mounts() {
	two_mounts
	stats_reset
	assert_exit 0 "$CTL" run --mount "$FIRST" --mount "$SECOND" $PYTHON -c \
		'import shutil, sys; [shutil.rmtree(d) for d in sys.argv[1:]]' "$FIRST/d" "$SECOND/d"
	assert_le "$(stat_get DeleteObjects)" 12 "DeleteObjects"
	assert_eq 0 "$(count_objects '')" "left in S3"
}

two_mounts_refused() { # two_mounts_refused PREFIX...: what is refused in each is listed
	local prefix
	two_mounts
	for prefix; do deny_delete "$prefix/d/f000025"; done
	run "$CTL" run --mount "$FIRST" --mount "$SECOND" find "$FIRST/d" "$SECOND/d" -type f -delete
	assert_eq 123 "$RC" "exit code"
	for prefix; do
		printf '%s\n' "$OUT" | grep -q "key $prefix/d/f000025," ||
			fail "the message does not name what was refused in $prefix"
	done
	assert_eq $# "$(count_objects '')" "left in S3"
}

test_two_mounts_refused_in_the_first() { two_mounts_refused one; }
test_two_mounts_refused_in_the_second() { two_mounts_refused two; }
test_two_mounts_refused_in_both() { two_mounts_refused one two; }

test_two_mounts_one_of_them_named() {
	# What is done in the other mount is strict.
	two_mounts
	stats_reset
	assert_exit 0 "$CTL" run --mount "$FIRST" $PYTHON -c \
		'import shutil, sys; shutil.rmtree(sys.argv[1])' "$SECOND/d"
	[ "$(stat_get DeleteObjects)" -ge 50 ] || fail "removals in a mount not named were deferred"
}

# ---- the commands ----

test_copytree() {
	need s3d
	fresh
	put_objects src 200 10
	stats_reset
	py 'shutil.copytree(*sys.argv[1:], copy_function=shutil.copyfile)' "$MNT/src" "$MNT/dst"
	assert_eq 0 "$RC" "exit code"
	same_objects src dst
	assert_le "$(stat_get PutObject)" 201 "PutObject: the files, the directory's attributes"
}

copytree_refused() {
	need s3d
	fresh
	put_objects src 100 10
	deny_put "dst/$1"
	py 'shutil.copytree(*sys.argv[1:], copy_function=shutil.copyfile)' "$MNT/src" "$MNT/dst"
	refused "dst/$1"
	same_tree dst
	[ ! -e "$MNT/dst/$1" ] || fail "$1 is visible and not in S3"
	assert_eq 99 "$(count_objects dst/)" "the others"
}

test_copytree_refused_first() { copytree_refused f000000; }
test_copytree_refused_middle() { copytree_refused f000050; }
test_copytree_refused_last() { copytree_refused f000099; }

test_rmtree() {
	need s3d
	fresh
	put_objects d 500 10
	printf '%s\n' 'd/x/1 1' 'd/x/y/2 1' 'd/z/ 0' | s3 puts "$BUCKET"
	stats_reset
	py 'shutil.rmtree(sys.argv[1])' "$MNT/d"
	assert_eq 0 "$RC" "exit code"
	assert_le "$(stat_get DeleteObjects)" 10 "DeleteObjects"
	assert_eq 0 "$(stat_get DeleteObject)" DeleteObject
	assert_eq "" "$(s3 ls "$BUCKET" d)" "left in S3"
}

rmtree_refused() {
	need s3d
	fresh
	put_objects d 100 10
	deny_delete "d/$1"
	py 'shutil.rmtree(sys.argv[1])' "$MNT/d"
	refused "d/$1"
	same_tree d
	[ -e "$MNT/d/$1" ] || fail "$1 is in S3 and not visible"
}

test_rmtree_refused_first() { rmtree_refused f000000; }
test_rmtree_refused_middle() { rmtree_refused f000050; }
test_rmtree_refused_last() { rmtree_refused f000099; }

# -a needs chmod and utimes, which a mount may not have; then rsync goes without.
rsync_options() {
	: >"$MNT/probe"
	if chmod 600 "$MNT/probe" && touch -d @1000000000 "$MNT/probe"; then
		RSYNC=(-a)
	else
		RSYNC=(-r --inplace)
	fi 2>/dev/null
	rm "$MNT/probe"
}

test_rsync() {
	need s3d
	fresh
	make_local local
	rsync_options
	run_on rsync "${RSYNC[@]}" --delete local/ "$MNT/r/"
	assert_eq 0 "$RC" "exit code"
	diff -r local "$MNT/r" || fail "the trees differ"
	same_tree r
	rm local/d1/f1 local/d2/sub/*
	echo more >local/d3/new
	stats_reset
	# A listing does not carry the times that were set, so sizes say what is new.
	run_on rsync "${RSYNC[@]}" --size-only --delete local/ "$MNT/r/"
	assert_eq 0 "$RC" "exit code of the second"
	diff -r local "$MNT/r" || fail "the trees differ after the second"
	same_tree r
	assert_le "$(stat_get DeleteObjects)" 6 "DeleteObjects"
	in_s3 r/d2/sub/ || fail "the emptied directory is not in S3"
}

test_rsync_refused() {
	need s3d
	fresh
	make_local local
	rsync_options
	deny_put 'r/d2/*f32*'
	fault '{"op":"CopyObject","key":"r/d2/f32","status":403,"code":"AccessDenied"}'
	run_on rsync "${RSYNC[@]}" --delete local/ "$MNT/r/"
	refused 'r/d2/[.]*f32[.A-Za-z0-9]*'
	[ ! -e "$MNT/r/d2/f32" ] || fail "it is visible and not in S3"
	same_tree r
}

test_find_delete() {
	need s3d
	fresh
	put_objects d 300 10
	for i in $(seq 200); do echo "d/l$i.log 1"; done | s3 puts "$BUCKET"
	stats_reset
	run_on find "$MNT/d" -name '*.log' -delete
	assert_eq 0 "$RC" "exit code"
	assert_le "$(stat_get DeleteObjects)" 6 "DeleteObjects"
	assert_eq 300 "$(count_objects d/)" "what is left"
}

find_delete_refused() {
	need s3d
	fresh
	for i in $(seq 100 199); do echo "d/l$i.log 1"; done | s3 puts "$BUCKET"
	deny_delete "d/l$1.log"
	run_on find "$MNT/d" -name '*.log' -delete
	refused "d/l$1.log"
	same_tree d
	assert_eq "l$1.log" "$(cat objects)" "what is left"
}

test_find_delete_refused_first() { find_delete_refused 100; }
test_find_delete_refused_middle() { find_delete_refused 150; }
test_find_delete_refused_last() { find_delete_refused 199; }

test_shell_loop() {
	need s3d
	fresh
	put_objects src 200 10
	mkdir "$MNT/t"
	run_on sh -c "for f in '$MNT'/src/*; do cp \"\$f\" '$MNT/t/'; done"
	assert_eq 0 "$RC" "exit code"
	same_objects src t
	stats_reset
	run_on sh -c "for f in '$MNT'/t/*; do echo \"\${f##*/}\" >\"\$f\"; done"
	assert_eq 0 "$RC" "exit code of writing"
	assert_eq f000123 "$(cat "$MNT/t/f000123")" "content"
	assert_eq 200 "$(count_objects t/)" "files"
}

shell_loop_refused() {
	need s3d
	fresh
	put_objects src 60 10
	deny_copy "t/$1"
	run_on sh -c "mkdir '$MNT/t'; for f in '$MNT'/src/*; do cp \"\$f\" '$MNT/t/'; done"
	refused "t/$1"
	same_tree t
	assert_eq 59 "$(count_objects t/)" "the others"
}

# The first copy is strict: the cp of the loop says it, and the run, who cannot know that, too.
test_shell_loop_refused_first() {
	need s3d
	fresh
	put_objects src 10 10
	deny_copy "t/f000000"
	run_on sh -ec "mkdir '$MNT/t'; for f in '$MNT'/src/*; do cp \"\$f\" '$MNT/t/'; done"
	refused t/f000000
	assert_eq 123 "$RC" "exit code"
}
test_shell_loop_refused_middle() { shell_loop_refused f000030; }
test_shell_loop_refused_last() { shell_loop_refused f000059; }

test_copytree_with_attributes() {
	need s3d
	fresh
	make_local local
	chmod 600 local/d1/f1
	touch -d @1000000000 local/d1/f1
	py 'shutil.copytree(*sys.argv[1:])' local "$MNT/dst"
	assert_eq 0 "$RC" "exit code"
	diff -r local "$MNT/dst" || fail "the trees differ"
	ctl GET "dump?bucket=$BUCKET&prefix=dst/d1/f1" >dump
	grep -q '"x-amz-meta-mode":"33152".*"x-amz-meta-mtime":"1000000000' dump ||
		fail "mode and time are not kept with the object"
	same_tree dst
}

test_tar() {
	need s3d
	fresh
	make_local local
	tar cf local.tar local
	run_on tar xmf local.tar -C "$MNT"
	assert_eq 0 "$RC" "exit code"
	diff -r local "$MNT/local" || fail "the trees differ"
	same_tree local
	in_s3 local/empty/ || fail "the empty directory is not in S3"
	! in_s3 local/d1/ || fail "a directory with files has got a marker"
}

test_tar_refused() {
	need s3d
	fresh
	make_local local
	tar cf local.tar local
	deny_put local/d1/f31
	run_on tar xf local.tar -C "$MNT"
	assert_eq 123 "$RC" "exit code"
	refused local/d1/f31
	same_tree local
}

test_empty_directory_refused() {
	need s3d
	fresh
	deny_put 'e/empty/'
	run_on mkdir -p "$MNT/e/empty"
	assert_eq 123 "$RC" "exit code"
	refused e/empty/
	[ ! -e "$MNT/e/empty" ] || fail "it is visible and not in S3"
	# What it was in is there, and now by a marker of its own.
	[ -d "$MNT/e" ] || fail "the directory above is not visible"
	in_s3 e/ || fail "the directory above is not in S3"
}

# A directory that S3 had not heard of is in S3 when something is renamed into it.
test_renamed_into_new_directory() {
	fresh
	mkdir -p "$MNT/old/empty"
	echo 1 >"$MNT/old/f"
	# shellcheck disable=SC2016 # the inner shell expands it
	run_on bash -c 'cd "$1" && mkdir -p a/b c && mv old/f a/b && mv old/empty c' - "$MNT"
	assert_eq 0 "$RC" "exit code"
	assert_eq f "$(ls "$MNT/a/b")" "the file"
	assert_eq empty "$(ls "$MNT/c")" "the directory"
	assert_fails 'not empty' rmdir "$MNT/c"
	assert_exit 0 rm -r "$MNT/a" "$MNT/c"
	assert_eq old/ "$(s3 ls "$BUCKET" | cut -f 1)" "what S3 has"
}

# The last file of a directory is moved out while the removal of what was beside it is pending.
test_moved_out_behind_a_removal() {
	local name
	need s3d
	start_server
	for name in a/b/1 a/b/2 a/b/3 a/b/4 a/b/5 z; do s3 put "$BUCKET" "src/$name"; done
	mount_fs "$BUCKET" rename_limit=4
	# shellcheck disable=SC2016 # the inner shell expands it
	run_on bash -c 'cd "$1" && mkdir new && mv src/* new' - "$MNT"
	assert_eq 0 "$RC" "exit code"
	assert_eq 6 "$(count_objects new/)" "objects"
	in_s3 src/ || fail "the directory has gone with what was in it"
	[ -d "$MNT/src" ] || fail "it is not shown"
}

test_make() {
	need s3d
	fresh
	mkdir "$MNT/m"
	{
		printf 'all: a.out b.out c.out\n'
		printf '%%.out: %%.in\n\tcp $< $@.tmp\n\tmv $@.tmp $@\n\techo made >>log\n'
		printf 'clean:\n\trm *.out\n'
	} >"$MNT/m/Makefile"
	touch "$MNT/m/a.in" "$MNT/m/b.in" "$MNT/m/c.in"
	run_on make -s -C "$MNT/m"
	assert_eq 0 "$RC" "exit code"
	assert_eq "Makefile a.in a.out b.in b.out c.in c.out log" "$(s3 ls "$BUCKET" m/ --files |
		cut -f 1 | tr '\n' ' ' | sed 's/ $//')" "what was made"
	assert_eq 3 "$(wc -l <"$MNT/m/log")" "lines that were appended"
	deny_delete m/b.out
	run_on make -s -C "$MNT/m" clean
	refused m/b.out
	same_tree m
}

test_chmod() {
	need s3d
	start_s3d --latency-ms '*=10'
	put_objects d 200 10
	mount_fs "$BUCKET"
	stats_reset
	py 'd = sys.argv[1]
for n in os.listdir(d):
    os.chmod(d + "/" + n, 0o600)' "$MNT/d"
	assert_eq 0 "$RC" "exit code"
	assert_eq 200 "$(stat_get CopyObject)" CopyObject
	[ "$(stat_get in_flight_peak)" -ge 10 ] || fail "at most $(stat_get in_flight_peak) at a time"
}

test_chmod_refused() {
	need s3d
	fresh
	put_objects d 100 10
	deny_copy d/f000050
	py 'd = sys.argv[1]
for n in sorted(os.listdir(d)):
    os.chmod(d + "/" + n, 0o600)' "$MNT/d"
	assert_eq 123 "$RC" "exit code"
	refused d/f000050
	assert_eq 644 "$(stat -c %a "$MNT/d/f000050")" "mode of what was refused"
	assert_eq 99 "$(ctl GET "dump?bucket=$BUCKET&prefix=d/" | grep -c x-amz-meta-mode)" "others"
}

# uutils cp is strict by itself, and does not look at what close says: a run does.
test_uutils_cp() {
	need s3d
	local cp=/usr/lib/cargo/bin/coreutils/cp
	[ -x $cp ] || skip "no uutils (package rust-coreutils)"
	start_s3d --latency-ms '*=10'
	put_objects src 200 10
	mount_fs "$BUCKET"
	stats_reset
	run_on $cp -r "$MNT/src" "$MNT/dst"
	assert_eq 0 "$RC" "exit code"
	same_objects src dst
	assert_eq 200 "$(stat_get CopyObject)" CopyObject
	[ "$(stat_get in_flight_peak)" -ge 10 ] || fail "at most $(stat_get in_flight_peak) at a time"
	deny_copy two/f000100
	run_on $cp -r "$MNT/src" "$MNT/two"
	assert_eq 123 "$RC" "exit code when one is refused"
	refused two/f000100
	same_tree two
}

# ---- order and bounds ----

test_reads_see_writes() {
	need s3d
	start_s3d --latency-ms '*=5'
	mount_fs "$BUCKET"
	py 'd = sys.argv[1]
for i in range(60):
    p = d + "/f%d" % (i % 7)
    open(p, "w").write("x" * i)
    assert os.stat(p).st_size == i, i
    assert open(p).read() == "x" * i, i
    if i % 3 == 0:
        os.rename(p, p + ".moved")
        assert not os.path.exists(p)
        assert open(p + ".moved").read() == "x" * i
    if i % 5 == 0:
        open(p, "a").write("more")
        os.unlink(p)
        assert not os.path.exists(p)' "$MNT"
	assert_eq 0 "$RC" "exit code"
	(cd "$MNT" && md5sum ./*) >before
	remount "$BUCKET"
	(cd "$MNT" && md5sum ./*) >after
	assert_same before after "what was seen is not what S3 has"
}

test_many_uploads_are_bounded() {
	# Much more than what may wait in memory: writers are held back, nothing is lost.
	need s3d
	start_s3d --latency-ms PutObject=10
	mount_fs "$BUCKET"
	py 'd = sys.argv[1]
data = os.urandom(1 << 20)
for i in range(150):
    with open(d + "/f%03d" % i, "wb") as f:
        f.write(data)' "$MNT"
	assert_eq 0 "$RC" "exit code"
	assert_eq 150 "$(count_objects '')" "files"
	assert_eq 1 "$(cd "$MNT" && md5sum f* | cut -d ' ' -f 1 | sort -u | wc -l)" "contents"
	local peak
	peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$DAEMON_PID/status")
	# A sanitizer keeps what was freed.
	grep -qE '__(asan|tsan)_init' "$S3BULKFS" || assert_le "$peak" 160000 "KiB of memory at most"
}

test_commit_close_is_strict() {
	need s3d
	start_server
	mount_fs "$BUCKET" commit=close
	put_objects d 20 10
	stats_reset
	py 'shutil.rmtree(sys.argv[1])' "$MNT/d"
	assert_eq 0 "$RC" "exit code"
	[ "$(stat_get DeleteObjects)" -ge 20 ] || fail "removals were deferred"
}

run_tests "$@"
