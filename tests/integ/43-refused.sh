#!/bin/bash
# tests/integ/43-refused.sh: what becomes of a file that cannot be stored: the call says so, the old
# object stays, no upload is left open, and another try has all the bytes.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

py() { /usr/bin/python3 - "$MNT" "$@"; }

# refused_once OPERATION [MORE]: 20 MB over an old object: the first store fails, the next does not.
refused_once() {
	echo old >old
	s3 put "$BUCKET" f old
	fault "{\"op\":\"$1\",\"key\":\"f\",\"status\":403,\"code\":\"AccessDenied\",\"times\":1${2:-}}"
	py <<-'EOF' || fail "$1 refused once: see above"
		import errno, os, subprocess, sys
		path = sys.argv[1] + "/f"
		data = os.urandom(20 << 20)
		open("want", "wb").write(data)
		fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
		written = 0
		try:
		    while written < len(data):
		        written += os.write(fd, data[written : written + (1 << 20)])
		except OSError as e:
		    assert e.errno == errno.EACCES, e
		try:
		    os.fsync(fd)
		    sys.exit("fsync said that all is well")
		except OSError as e:
		    assert e.errno == errno.EACCES, e
		open("refused", "w").close()
		while written < len(data):
		    written += os.write(fd, data[written : written + (1 << 20)])
		os.fsync(fd)
		os.close(fd)
	EOF
	s3 get "$BUCKET" f | cmp - want || fail "$1: in S3 after the second try"
	assert_eq "" "$(s3 uploads "$BUCKET")" "uploads left open"
	faults_clear
}

test_second_try() {
	need s3d
	fresh
	refused_once CreateMultipartUpload
	refused_once UploadPart ',"nth":2'
	refused_once CompleteMultipartUpload
	fault '{"op":"PutObject","key":"small","status":403,"code":"AccessDenied","times":1}'
	py <<-'EOF' || fail "a small file, refused once"
		import errno, os, sys
		fd = os.open(sys.argv[1] + "/small", os.O_WRONLY | os.O_CREAT)
		os.write(fd, b"content")
		try:
		    os.close(os.dup(fd))
		    sys.exit("close said that all is well")
		except OSError as e:
		    assert e.errno == errno.EACCES, e
		os.close(fd)
	EOF
	assert_eq content "$(s3 get "$BUCKET" small)" "in S3"
	echo content >src
	s3 put "$BUCKET" src src
	ls -l "$MNT" >/dev/null
	fault '{"op":"CopyObject","key":"copy","status":403,"code":"AccessDenied","times":1}'
	py <<-'EOF' || fail "a copy, refused once"
		import errno, os, sys
		src = os.open(sys.argv[1] + "/src", os.O_RDONLY)
		fd = os.open(sys.argv[1] + "/copy", os.O_WRONLY | os.O_CREAT)
		assert os.copy_file_range(src, fd, 100) == 8
		try:
		    os.fsync(fd)
		    sys.exit("fsync said that all is well")
		except OSError as e:
		    assert e.errno == errno.EACCES, e
		os.fsync(fd)
		os.close(fd)
	EOF
	assert_eq content "$(s3 get "$BUCKET" copy)" "in S3"
}

test_old_object_stays() {
	local op
	need s3d
	fresh
	head -c 20000000 /dev/urandom >new
	for op in CreateMultipartUpload UploadPart CompleteMultipartUpload; do
		echo "old $op" >old
		s3 put "$BUCKET" f old
		fault "{\"op\":\"$op\",\"key\":\"f\",\"status\":403,\"code\":\"AccessDenied\"}"
		# Not dd, which closes a duplicate first: that stores an empty file.
		assert_fails 'denied' /usr/bin/python3 -c \
			'import shutil, sys; shutil.copyfile(sys.argv[1], sys.argv[2])' new "$MNT/f"
		assert_eq "old $op" "$(s3 get "$BUCKET" f)" "the old object"
		assert_eq "" "$(s3 uploads "$BUCKET")" "uploads left open"
		assert_eq "old $op" "$(cat "$MNT/f")" "the old object, through the mount"
		faults_clear
	done
}

# Bytes of two versions are never mixed, whatever is changed when.
test_base_changed() {
	local pid name
	need s3d
	start_s3d
	head -c 12000000 /dev/urandom >one
	head -c 12000000 /dev/urandom >two
	s3 put "$BUCKET" big one
	head -c 1000 one >small
	s3 put "$BUCKET" small small
	mount_fs "$BUCKET"
	mkfifo opened changed
	# From outside: a child of Python's would close, and so store, what is open.
	py <<-'EOF' &
		import errno, os, sys
		for name in ("big", "small"):
		    fd = os.open(f"{sys.argv[1]}/{name}", os.O_RDWR)
		    os.pwrite(fd, b"x", 500)
		    open("opened", "w").close()
		    open("changed").close()
		    for call in (os.fsync, os.close):
		        try:
		            call(fd)
		            sys.exit(f"{name}: {call.__name__} said that all is well")
		        except OSError as e:
		            assert e.errno == errno.ESTALE, e
		# What is wholly new does not depend on it.
		fd = os.open(sys.argv[1] + "/small", os.O_WRONLY | os.O_TRUNC)
		os.write(fd, b"new")
		os.close(fd)
	EOF
	pid=$!
	for name in big small; do
		cat opened
		s3 put "$BUCKET" $name two
		: >changed
	done
	wait $pid || fail "a changed base"
	s3 get "$BUCKET" big | cmp - two || fail "the others' version is gone"
	assert_eq new "$(s3 get "$BUCKET" small)" "in S3"
	assert_eq "" "$(s3 uploads "$BUCKET")" "uploads left open"
}

# A full spool is the errno of that write, and loses nothing else; nothing stays in it.
test_spool_is_full() {
	need s3d
	[ "$(id -u)" = 0 ] || skip "needs to mount a tmpfs"
	mkdir cache
	mount -t tmpfs -o size=16m s3bulkfs-test cache
	MOUNTS+=("$WORK/cache")
	start_server
	mount_fs "$BUCKET" "cache_dir=$WORK/cache"
	py <<-'EOF' || fail "writing with a full spool"
		import errno, os, sys
		mnt, n = sys.argv[1], 64 << 10
		other = os.open(mnt + "/other", os.O_WRONLY | os.O_CREAT)
		os.write(other, b"other")
		fd = os.open(mnt + "/f", os.O_RDWR | os.O_CREAT)
		# Backwards: nothing of it can be sent before all is there.
		at, wrote = 160 << 20, []
		try:
		    while at:
		        at -= n
		        data = os.urandom(16) * (n // 16)
		        assert os.pwrite(fd, data, at) == n
		        wrote.append((at, data))
		    sys.exit("the spool was never full")
		except OSError as e:
		    assert e.errno == errno.ENOSPC, e
		assert len(wrote) * n > 64 << 20, len(wrote) * n
		print(len(wrote) * n >> 20, "MiB were written")
		for at, data in wrote[:: len(wrote) // 20]:
		    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
		    assert os.pread(fd, n, at) == data
		os.close(other)
		os.fsync(fd)
		# There is room again.
		os.pwrite(fd, b"begin", 0)
		os.close(fd)
		with open("want", "wb") as f:
		    f.write(b"begin")
		    for at, data in wrote:
		        f.seek(at)
		        f.write(data)
	EOF
	assert_eq other "$(s3 get "$BUCKET" other)" "another file"
	s3 get "$BUCKET" f | cmp - want || fail "what was written before the spool was full"
	# What comes one behind the other needs no spool, however much it is.
	head -c 150000000 /dev/zero >"$MNT/stream"
	assert_eq 150000000 "$(stat -c %s "$MNT/stream")" "a stream"
	assert_eq 0 "$(($(stat -f -c '%b - %f' cache)))" "blocks left in the spool"
	assert_eq "" "$(ls -A cache)" "names left in the spool"
}

test_crash_leaves_nothing() {
	need s3d
	[ "$(id -u)" = 0 ] || skip "needs to mount a tmpfs"
	mkdir cache
	mount -t tmpfs -o size=200m s3bulkfs-test cache
	MOUNTS+=("$WORK/cache")
	start_server
	mount_fs "$BUCKET" "cache_dir=$WORK/cache"
	py "$DAEMON_PID" cache <<-'EOF' || fail "the spool is not used"
		import os, signal, sys
		fd = os.open(sys.argv[1] + "/f", os.O_RDWR | os.O_CREAT)
		for at in range(99 << 20, 0, -1 << 20):
		    os.pwrite(fd, b"x" * (1 << 20), at)
		st = os.statvfs(sys.argv[3])
		assert st.f_blocks - st.f_bfree > 1000, "nothing is in the spool"
		os.kill(int(sys.argv[2]), signal.SIGKILL)
	EOF
	"$TESTS_DIR/wait-pid" 20 "$DAEMON_PID" || fail "the daemon was not killed"
	assert_eq 0 "$(($(stat -f -c '%b - %f' cache)))" "blocks left in the spool"
	assert_eq "" "$(ls -A cache)" "names left in the spool"
	assert_eq "" "$(s3 ls "$BUCKET")$(s3 uploads "$BUCKET")" "what was never closed, in S3"
	not_compared "the daemon is gone"
}

run_tests "$@"
