#!/bin/bash
# tests/integ/78-several.sh: several walks at once, nested and interleaved, and the order of what is
# done to one key.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

CTL=$(dirname "$S3BULKFS")/s3bulkfsctl

settle() { "$CTL" flush "$MNT" >/dev/null 2>&1 || :; }

mount_is_s3() { # mount_is_s3 DIR...: the same files below them
	local dir
	for dir; do
		{ (cd "$MNT" && find "$dir" -type f) || :; } 2>/dev/null | LC_ALL=C sort >mount
		s3 ls "$BUCKET" "$dir/" --files | cut -f 1 | sed "s|^|$dir/|" >objects
		assert_same objects mount "the mount and S3 show different names below $dir"
	done
}

# ---- several at once ----

test_xargs_rm() {
	fresh
	put_objects d 600 10
	put_objects keep 5 10
	[ "$SERVER" != s3d ] || stats_reset
	find "$MNT/d" -type f -print0 | xargs -0 -P 4 -n 50 rm || fail "exit code of xargs"
	assert_eq 0 "$(count_objects d/)" "left in S3"
	assert_eq 5 "$(count_objects keep/)" "what was not removed"
	[ "$SERVER" != s3d ] || assert_le "$(stat_get DeleteObjects)" 60 "DeleteObjects of 12 commands"
	[ -d "$MNT/d" ] || fail "the directory went with its last file"
	remount "$BUCKET"
	[ -d "$MNT/d" ] || fail "the directory is not in S3"
}

# What one command was told of a tree stays so while it works, whatever another has ended there: an
# inode number that changed would make cp say that the file was replaced.
test_inodes_stay_for_the_other() {
	local pid
	need s3d
	fresh
	put_objects tree/deep 30 10
	put_objects one/deep 1 10
	# Then it has looked at the first file, and not opened it yet.
	hold HeadObject 'one/deep/f000000'
	cp -rT "$MNT/tree" "$MNT/one" &
	pid=$!
	wait_held 'one/deep/f000000'
	find "$MNT/tree" -printf '%p %i\n' >before
	assert_exit 0 cp -r "$MNT/tree" "$MNT/two"
	find "$MNT/tree" -printf '%p %i\n' >after
	assert_same before after "inode numbers"
	let_go
	wait $pid || fail "the first command has failed"
	assert_eq 30 "$(count_objects one/deep/)" "copies"
}

# The same when the directory above cannot be asked for any more: nobody asks.
test_inodes_stay_below_what_is_refused() {
	need s3d
	start_server
	put_objects d/src 20 10
	mount_fs "$BUCKET" metadata_ttl=0
	fault '{"op":"HeadObject","key":"d","status":403,"code":"AccessDenied","nth":9}'
	assert_exit 0 cp -r "$MNT/d/src" "$MNT/d/dst"
	faults_clear
	assert_eq 20 "$(count_objects d/dst/)" "copies"
	assert_le "$(stat_get HeadObject)" 8 "HeadObject"
}

test_xargs_rm_refused() {
	fresh
	put_objects d 400 10
	deny_delete d/f000123
	run sh -c "find '$MNT/d' -type f -print0 | xargs -0 -P 4 -n 50 rm"
	assert_eq 123 "$RC" "exit code of xargs"
	settle
	mount_is_s3 d
	assert_eq d/f000123 "$(cat objects)" "what is left"
}

test_xargs_cp() {
	fresh
	put_objects src 400 10
	mkdir "$MNT/dst"
	find "$MNT/src" -type f -print0 | xargs -0 -P 4 -n 50 cp -t "$MNT/dst" ||
		fail "exit code of xargs"
	same_objects src dst
}

test_xargs_cp_refused() {
	local name
	fresh
	put_objects src 200 10
	# First, middle and last of one command's arguments.
	for name in f000050 f000075 f000099; do
		mkdir "$MNT/$name"
		deny_copy "$name/$name"
		run sh -c "find '$MNT/src' -type f -print0 | sort -z |
			xargs -0 -P 4 -n 50 cp -t '$MNT/$name'"
		assert_eq 123 "$RC" "exit code of xargs when $name is refused"
		settle
		mount_is_s3 "$name"
		assert_eq 199 "$(wc -l <objects)" "the others"
	done
}

test_nested() {
	# A tree, and trees within it, copied and removed at the same time.
	local i pids=() pid
	fresh
	for i in 1 2 3; do put_objects src/s$i 60 10; done
	put_objects old/s1 60 10
	put_objects old/s2 60 10
	mkdir "$MNT/parts"
	cp -r "$MNT/src" "$MNT/all" &
	pids+=($!)
	for i in 1 2 3; do
		cp -r "$MNT/src/s$i" "$MNT/parts" &
		pids+=($!)
	done
	rm -r "$MNT/old/s1" &
	pids+=($!)
	rm -r "$MNT/old/s2" &
	pids+=($!)
	for pid in "${pids[@]}"; do wait "$pid" || fail "one of them fails"; done
	same_objects src all
	same_objects src parts
	assert_eq 0 "$(count_objects old/)" "left of old"
	mount_is_s3 src all parts old
}

test_each_has_its_own_failure() {
	# Interleaved, one refused: it fails, the others do not.
	local a b c rc=0
	fresh
	put_objects a 200 10
	put_objects b 200 10
	put_objects c 200 10
	deny_copy b2/f000100
	cp -r "$MNT/a" "$MNT/a2" &
	a=$!
	cp -r "$MNT/b" "$MNT/b2" 2>/dev/null &
	b=$!
	rm -r "$MNT/c" &
	c=$!
	wait $a || fail "a, which nobody refused"
	wait $c || fail "c, which nobody refused"
	wait $b || rc=$?
	assert_eq 1 "$rc" "exit code of b"
	same_objects a a2
	mount_is_s3 b2
}

test_pipeline_of_commands() {
	# What one command answered early is another's to see.
	fresh
	put_objects src 100 10
	assert_exit 0 sh -ec "cd '$MNT'
		cp -r src one
		cp -r one two
		chmod -R 600 two
		mv two three
		rm -r one
		cp -a three four
		rm -r three"
	same_objects src four
	assert_eq "" "$(s3 ls "$BUCKET" one)$(s3 ls "$BUCKET" two)$(s3 ls "$BUCKET" three)" \
		"left in S3"
	assert_eq 600 "$(stat -c %a "$MNT/four/f000050")" mode
}

test_first_copies_at_once() {
	# Two that are the first of a mount: what the kernel learns from them is that it can copy.
	need s3d
	fresh
	put_objects d 4 10
	stats_reset
	timeout 60 /usr/bin/python3 - "$MNT/d" "$DAEMON_PID" <<-'P' || fail "copying"
		import os, signal, sys, threading, time
		at, daemon = sys.argv[1], int(sys.argv[2])
		n = 3
		src = [os.open(f"{at}/f00000{i}", os.O_RDONLY) for i in range(n)]
		dst = [os.open(f"{at}/to{i}", os.O_CREAT | os.O_WRONLY) for i in range(n)]
		tids = []
		def copy(i):
		    tids.append(threading.get_native_id())
		    os.copy_file_range(src[i], dst[i], 10)
		threads = [threading.Thread(target=copy, args=(i,)) for i in range(n)]
		def waits(tid):
		    with open(f"/proc/self/task/{tid}/wchan") as f:
		        return "request_wait" in f.read()
		# All of them ask before the first is answered.
		os.kill(daemon, signal.SIGSTOP)
		try:
		    [t.start() for t in threads]
		    while len(tids) < n or not all(waits(t) for t in tids):
		        pass
		finally:
		    os.kill(daemon, signal.SIGCONT)
		[t.join() for t in threads]
		[os.close(f) for f in dst]
	P
	cp "$MNT/d/f000003" "$MNT/d/later"
	assert_eq "4 0" "$(stat_get CopyObject) $(stat_get GetObject)" "CopyObject, GetObject"
}

# ---- the order of what is done to one key ----

# pending_copy: a cp -r of src to dst that was killed while its copies wait; CP_PID has ended.
pending_copy() {
	need s3d
	start_s3d
	put_objects src 30 10
	mount_fs "$BUCKET"
	hold CopyObject dst/f000015
	cp -r "$MNT/src" "$MNT/dst" &
	local pid=$!
	wait_held dst/f000015
	until [ "$("$CTL" status --json "$MNT" | /usr/bin/python3 -c 'import json, sys
print(json.load(sys.stdin)["mounts"][0]["pending"])')" = 1 ]; do :; done
	kill -KILL $pid
	! wait $pid || fail "cp had ended before it was killed"
}

test_remove_source_of_pending_copy() {
	pending_copy
	rm -r "$MNT/src" &
	local pid=$!
	# The source of what is pending is removed after its copy.
	ls "$MNT/dst" >/dev/null
	in_s3 src/f000015 || fail "the source of a pending copy is gone"
	let_go
	wait $pid || fail "rm"
	settle
	assert_eq "30 0" "$(count_objects dst/) $(count_objects src/)" "copies and sources"
}

test_remove_pending_copy() {
	pending_copy
	rm -r "$MNT/dst" &
	local pid=$!
	let_go
	wait $pid || fail "rm"
	settle
	assert_eq "0 30" "$(count_objects dst/) $(count_objects src/)" "copies and sources"
	[ ! -e "$MNT/dst" ] || fail "it is visible"
}

test_overwrite_source_of_pending_copy() {
	pending_copy
	s3 get "$BUCKET" src/f000015 >before
	echo new >"$MNT/src/f000015" &
	local pid=$!
	let_go
	wait $pid || fail "writing"
	settle
	s3 get "$BUCKET" dst/f000015 | cmp - before || fail "the copy has another content"
	assert_eq new "$(s3 get "$BUCKET" src/f000015)" "the source"
}

test_overwrite_pending_copy() {
	pending_copy
	echo new >"$MNT/dst/f000015" &
	local pid=$!
	let_go
	wait $pid || fail "writing"
	settle
	assert_eq new "$(s3 get "$BUCKET" dst/f000015)" "what was written last"
	assert_eq new "$(cat "$MNT/dst/f000015")" "through the mount"
}

test_rename_pending_copy() {
	pending_copy
	mv "$MNT/dst/f000015" "$MNT/renamed" &
	local pid=$!
	let_go
	wait $pid || fail "mv"
	settle
	assert_eq "$(s3 get "$BUCKET" src/f000015)" "$(s3 get "$BUCKET" renamed)" "what was renamed"
	! in_s3 dst/f000015 || fail "the old name is still there"
	mount_is_s3 dst
}

test_read_pending_copy() {
	pending_copy
	cat "$MNT/dst/f000015" >was-read &
	local pid=$!
	let_go
	wait $pid || fail "cat"
	s3 get "$BUCKET" src/f000015 | cmp - was-read || fail "it reads something else"
}

test_copy_pending_copy() {
	pending_copy
	cp "$MNT/dst/f000015" "$MNT/second" &
	local pid=$!
	let_go
	wait $pid || fail "cp"
	assert_eq "$(s3 get "$BUCKET" src/f000015)" "$(s3 get "$BUCKET" second)" "the copy's copy"
}

test_list_pending_copy() {
	pending_copy
	assert_eq 30 "$(ls "$MNT/dst" | wc -l)" "names while one is pending"
	assert_eq 10 "$(stat -c %s "$MNT/dst/f000015")" "size of what is pending"
	let_go
	settle
	mount_is_s3 dst
}

test_change_pending_copy() {
	pending_copy
	chmod 600 "$MNT/dst/f000015" &
	local pid=$!
	let_go
	wait $pid || fail "chmod"
	ctl GET "dump?bucket=$BUCKET&prefix=dst/f000015" | grep -q '"x-amz-meta-mode":"33152"' ||
		fail "the mode is not in S3"
}

test_pending_copy_that_is_refused_disappears() {
	# What waited for it is told.
	need s3d
	start_s3d
	put_objects src 30 10
	mount_fs "$BUCKET"
	hold CopyObject dst/f000015
	fault '{"op":"CopyObject","key":"dst/f000015","status":403,"code":"AccessDenied"}'
	cp -r "$MNT/src" "$MNT/dst" 2>/dev/null &
	local pid=$! cat
	wait_held dst/f000015
	cat "$MNT/dst/f000015" >was-read 2>err &
	cat=$!
	ctl DELETE 'faults?id=1' >/dev/null
	fault '{"op":"CopyObject","key":"dst/f000015","status":403,"code":"AccessDenied"}'
	let_go
	wait $pid || :
	wait $cat || :
	settle
	mount_is_s3 dst
}

run_tests "$@"
