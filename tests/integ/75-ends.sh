#!/bin/bash
# The ends of walks and of mounts that are easy to miss.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# A tree v of 50 objects of which S3 refuses to delete one.
begin() {
	need s3d
	fresh
	put_objects v 50 10
	s3 put "$BUCKET" one
	fault '{"op":"DeleteObjects","key":"v/*25","per_key":true,"code":"AccessDenied"}'
}

refused() { # refused ARGUMENT: rm -rf v ARGUMENT does not exit 0
	(cd "$MNT" && rm -rf v "$1") >out 2>&1 && fail "rm -rf v '$1' exits 0"
	assert_eq f000025 "$(ls "$MNT/v")" "left after rm -rf v '$1'"
}

test_rm_f_missing() {
	begin
	refused missing
}

test_rm_f_below_missing() {
	begin
	refused nodir/x
}

test_rm_f_below_file() {
	begin
	refused one/x
}

test_rm_f_dotdot() {
	begin
	refused missing/../one
}

test_rm_f_empty_word() {
	begin
	refused ''
}

test_rm_f_named_twice() {
	begin
	refused v
}

test_find_delete() {
	begin
	assert_exit 1 find "$MNT/v" -delete
	faults_clear
	stats_reset
	put_objects w 200 10
	assert_exit 0 find "$MNT/w" -delete
	assert_le "$(stat_get DeleteObjects)" 4 DeleteObjects
	assert_eq "" "$(s3 ls "$BUCKET" w)" "left in S3"
}

test_busybox_rm() {
	command -v busybox >/dev/null || skip "no busybox"
	begin
	assert_fails denied busybox rm -r "$MNT/v"
	faults_clear
	stats_reset
	put_objects w 200 10
	assert_exit 0 busybox rm -r "$MNT/w"
	assert_le "$(stat_get DeleteObjects)" 4 DeleteObjects
}

test_last_source_replaced() {
	# The last entry gets another inode number while cp runs; an earlier copy is refused.
	need s3d
	fresh --latency-ms CopyObject=5
	put_objects src 400 10
	echo new >"$MNT/new"
	fault '{"op":"CopyObject","key":"dst/*100","status":403,"code":"AccessDenied"}'
	cp -r "$MNT/src" "$MNT/dst" 2>err &
	mv "$MNT/new" "$MNT/src/f000399"
	wait $! && fail "cp exits 0"
	return 0
}

test_directory_outlives_its_files() {
	fresh
	s3 put "$BUCKET" d/a
	s3 put "$BUCKET" d/b
	s3 put "$BUCKET" q/only
	assert_exit 0 rm "$MNT/d/a" "$MNT/d/b"
	assert_exit 0 mv "$MNT/q/only" "$MNT/moved"
	remount "$BUCKET"
	[ -d "$MNT/d" ] || fail "d has gone with its last file"
	[ -d "$MNT/q" ] || fail "q has gone with its last file"
}

test_refused_listing_is_an_error() {
	# Contract C10: what was known before is not shown in place of what S3 refuses.
	need s3d
	start_server
	put_objects d 5 10
	mount_fs "$BUCKET" metadata_ttl=0
	ls "$MNT/d" >/dev/null
	fault '{"op":"ListObjectsV2","status":403,"code":"AccessDenied"}'
	assert_fails denied ls "$MNT/d"
}

test_unmount_finishes_what_was_accepted() {
	need s3d
	fresh --latency-ms CopyObject=1500
	put_objects src 400 10
	cp -r "$MNT/src" "$MNT/dst" &
	local cp=$!
	until [ "$(stat_get CopyObject)" -ge 2 ]; do :; done
	kill -KILL "$cp"
	! wait "$cp" || fail "cp had ended before it was killed"
	ctl POST latency '{"CopyObject":1}' >/dev/null
	local accepted
	until umount "$MNT" 2>/dev/null; do :; done
	"$TESTS_DIR/wait-pid" 60 "$DAEMON_PID" || fail "the daemon does not end"
	accepted=$(count_objects dst/)
	[ "$accepted" -ge 2 ] || fail "only $accepted copies were finished"
	# Copies were asked for in order: what was accepted is a beginning of the list without a gap.
	assert_eq "$accepted" "$(s3 ls "$BUCKET" dst/ --files | cut -f 1 | sort | tail -1 |
		awk '{print substr($1, 2) + 1}')" "the last copy's number"
}

test_pread_from_threads() {
	need s3d
	fresh --latency-ms GetObject=20
	head -c 20000000 /dev/urandom >big
	cp big "$MNT/big"
	timeout 60 python3 - "$MNT/big" big <<-'P' || fail "reads from several threads"
		import os, random, sys, threading
		fd = os.open(sys.argv[1], os.O_RDONLY)
		want = open(sys.argv[2], "rb").read()
		bad = []
		def read(seed):
		    r = random.Random(seed)
		    for _ in range(10):
		        at = r.randrange(len(want))
		        if os.pread(fd, 100000, at) != want[at:at + 100000]:
		            bad.append(at)
		ts = [threading.Thread(target=read, args=(i,)) for i in range(4)]
		[t.start() for t in ts]
		[t.join() for t in ts]
		sys.exit(bool(bad))
	P
}

test_many_open_files() {
	# More open files than the memory for writing holds, none of them with a whole part.
	fresh
	timeout 120 python3 - "$MNT" <<-'P' || fail "writing to many files"
		import os, sys
		m = sys.argv[1]
		fds = [os.open(f"{m}/idle{i}", os.O_CREAT | os.O_WRONLY) for i in range(9)]
		for f in fds:
		    os.write(f, b"x" * (7 << 20))
		big = os.open(m + "/big", os.O_CREAT | os.O_WRONLY)
		for i in range(40):
		    os.write(big, b"y" * (1 << 20))
		os.close(big)
		for f in fds:
		    os.close(f)
	P
	assert_eq $((40 << 20)) "$(stat -c %s "$MNT/big")" "size of the large file"
	assert_eq $((7 << 20)) "$(stat -c %s "$MNT/idle8")" "size of the last small one"
}

# rm leaves the directories above what has failed alone: the last entry is its end then, and when
# it exits nothing is on its way any more.
test_rm_that_has_failed_is_done() {
	need s3d
	start_s3d --latency-ms DeleteObjects=300
	put_objects src/sub 30 10
	mount_fs "$BUCKET"
	deny_delete src/sub/f000000
	assert_fails 'denied' rm -r "$MNT/src"
	assert_eq f000000 "$(s3 ls "$BUCKET" src/sub/ --files | cut -f 1)" "what S3 has at its end"
}

# in_directory DIR COMMAND: in the directory DIR, where the shell is, too. What S3 has afterwards is
# seen there soon, and the directory has kept its name.
in_directory() {
	local end=$((SECONDS + 60)) size
	cd "$MNT/$1" || fail "no $MNT/$1"
	ls -lR >/dev/null
	bash -c "$2" >"$WORK/out" 2>&1 || fail "$2: $(cat "$WORK/out")"
	size=$(stat -c %s keep/f000001)
	printf "${1:+$1/}%s $((size + 1))\n" keep/f000001 one | (cd "$WORK" && s3 puts "$BUCKET")
	# The kernel is told by another thread than that which answers it.
	until [ "$(stat -c %s keep/f000001) $(stat -c %s one)" = "$((size + 1)) $((size + 1))" ]; do
		[ "$SECONDS" -lt "$end" ] || fail "after $2 the mount shows what was before"
	done
	assert_eq "$MNT${1:+/$1}" "$(readlink /proc/self/cwd)" "the working directory after $2"
	cd "$WORK" || fail "no $WORK"
}

test_working_directory() {
	fresh
	remount "$BUCKET" metadata_ttl=0
	put_objects d/src 5 10
	put_objects d/keep 5 10
	printf 'd/one 10\n' | s3 puts "$BUCKET"
	in_directory d 'cp -r . ../copy'
	in_directory d "cp -r '$MNT/d' ../again"
	in_directory d 'cp -r ../copy .'
	in_directory d 'rm -r copy'
	in_directory d 'find src -delete'
	in_directory d 'find . -name none -delete'
	in_directory copy 'cp -rT ../d .'
	assert_eq "f000000 f000001 f000002 f000003 f000004" \
		"$(s3 ls "$BUCKET" d/keep/ --files | cut -f 1 | tr '\n' ' ' | sed 's/ $//')" "d/keep in S3"
	assert_eq 0 "$(count_objects d/src/)" "d/src in S3"
}

test_working_directory_is_the_root() {
	fresh
	remount "$BUCKET" metadata_ttl=0
	put_objects keep 5 10
	printf 'one 10\n' | s3 puts "$BUCKET"
	in_directory '' "cp -r . '$WORK/copy'"
	in_directory '' 'find . -name none -delete'
	assert_eq 6 "$(count_objects '')" "objects"
}

run_tests "$@"
