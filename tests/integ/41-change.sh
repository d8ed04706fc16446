#!/bin/bash
# tests/integ/41-change.sh: files are changed in place, and only what has changed is sent.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

BIG=$((10 << 30)) # of an object that s3d makes up

# sent: UploadPart, UploadPartCopy, PutObject, GetObject, and the MiB that came in.
sent() {
	echo "$(stat_get UploadPart) $(stat_get UploadPartCopy) $(stat_get PutObject)" \
		"$(stat_get GetObject) $(($(stat_get bytes_in) >> 20))"
}

big_object() { # big_object KEY-PREFIX SIZE: KEY-PREFIX000000
	ctl POST seed "{\"bucket\":\"$BUCKET\",\"prefix\":\"$1\",\"count\":1,\"size\":$2}" >/dev/null
}

seed_name() { ls "$MNT"; } # the one object's

size_in_s3() { s3 head "$BUCKET" "$1" | cut -d ' ' -f 1; }

test_append_to_10_gb() {
	local f
	need s3d
	start_s3d
	big_object big "$BIG"
	mount_fs "$BUCKET"
	f=$(seed_name)
	stats_reset
	echo line >>"$MNT/$f"
	note "$(sent)"
	assert_eq "1 80 0 0 0" "$(sent)" "parts, copied parts, puts, gets, MiB"
	assert_eq $((BIG + 5)) "$(size_in_s3 "$f")" "size"
	assert_eq line "$(tail -c 5 "$MNT/$f")" "the end"
	assert_eq "" "$(s3 uploads "$BUCKET")" "uploads left open"
}

test_cut_and_patch_10_gb() {
	local f before
	need s3d
	start_s3d
	big_object big "$BIG"
	mount_fs "$BUCKET"
	f=$(seed_name)
	stats_reset
	truncate -s -1 "$MNT/$f"
	assert_eq "0 79 0 0 0" "$(sent)" "parts, copied parts, puts, gets, MiB of a cut"
	assert_eq $((BIG - 1)) "$(size_in_s3 "$f")" "size"
	# 8 bytes in the middle take a part along, no more.
	before=$(dd if="$MNT/$f" bs=1M skip=5119 count=2 status=none | md5sum)
	stats_reset
	printf changed! | dd of="$MNT/$f" bs=8 seek=$((5 << 27)) conv=notrunc status=none
	note "$(sent)"
	assert_eq 1 "$(stat_get UploadPart)" "parts"
	assert_eq 1 "$(stat_get GetObject)" "gets"
	assert_le "$(stat_get bytes_in)" $((6 << 20)) "bytes sent"
	assert_le "$(stat_get bytes_out)" $((6 << 20)) "bytes fetched"
	assert_eq $((BIG - 1)) "$(size_in_s3 "$f")" "size"
	assert_eq changed! "$(dd if="$MNT/$f" bs=8 skip=$((5 << 27)) count=1 status=none)" "read back"
	printf '' | dd of="$MNT/$f" bs=1 conv=notrunc status=none
	[ "$before" != "$(dd if="$MNT/$f" bs=1M skip=5119 count=2 status=none | md5sum)" ] ||
		fail "nothing has changed"
	# Larger than a part: sent as it comes; what the last part lacks is fetched.
	stats_reset
	dd if=/dev/zero of="$MNT/$f" bs=1M seek=1000 count=20 conv=notrunc status=none
	note "$(sent)"
	assert_eq 3 "$(stat_get UploadPart)" "parts"
	assert_le "$(stat_get bytes_in)" $((22 << 20)) "bytes sent"
	assert_le "$(stat_get bytes_out)" $((2 << 20)) "bytes fetched"
	assert_eq $((BIG - 1)) "$(size_in_s3 "$f")" "size"
	truncate -s 1000000 "$MNT/$f"
	assert_eq 1000000 "$(size_in_s3 "$f")" "size"
}

test_cat_moves_no_bytes() {
	need s3d
	fresh
	head -c 5242880 /dev/urandom >a
	head -c 7000001 /dev/urandom >b
	head -c 6000000 /dev/urandom >c
	head -c 100 /dev/urandom >end
	s3 putfiles "$BUCKET" '' a b c end
	remount_patient "$BUCKET"
	ls "$MNT" >/dev/null
	stats_reset
	# The put is the shell's: it makes the file, and closes one of two descriptors.
	cat "$MNT/a" "$MNT/b" "$MNT/c" >"$MNT/d"
	assert_eq "0 3 1 0 0" "$(sent)" "parts, copied parts, puts, gets, MiB"
	cat a b c >d
	s3 get "$BUCKET" d | cmp d - || fail "in S3"
	stats_reset
	cat "$MNT/a" "$MNT/b" "$MNT/end" >"$MNT/e"
	assert_eq "0 3 1 0 0" "$(sent)" "the same, the last one small"
	cat a b end | cmp - "$MNT/e" || fail "through the mount"
	# A small one between large ones has to be fetched, with what it lacks.
	cat "$MNT/a" "$MNT/end" "$MNT/b" >"$MNT/f"
	cat a end b >f
	s3 get "$BUCKET" f | cmp f - || fail "in S3, a small one in the middle"
	cat "$MNT/end" "$MNT/end" >"$MNT/g"
	cat end end | cmp - "$MNT/g" || fail "small ones"
	assert_eq "" "$(s3 uploads "$BUCKET")" "uploads left open"
}

test_small_edits() {
	fresh
	printf '0123456789' >"$MNT/f"
	printf AB | dd of="$MNT/f" bs=1 seek=3 conv=notrunc status=none
	assert_eq 012AB56789 "$(s3 get "$BUCKET" f)" "in the middle"
	printf CD >>"$MNT/f"
	assert_eq 012AB56789CD "$(s3 get "$BUCKET" f)" "appended"
	truncate -s 5 "$MNT/f"
	assert_eq 012AB "$(s3 get "$BUCKET" f)" "cut"
	truncate -s 8 "$MNT/f"
	assert_eq 30313241420000 "$(s3 get "$BUCKET" f | head -c 7 | xxd -p)" "longer"
	assert_eq 8 "$(s3 get "$BUCKET" f | wc -c)" "longer"
	printf X | dd of="$MNT/sparse" bs=1 seek=100000 status=none
	assert_eq 100001 "$(s3 get "$BUCKET" sparse | wc -c)" "with a hole"
	assert_eq X "$(s3 get "$BUCKET" sparse | tr -d '\0')" "a hole is zeros"
	sed -i s/A/a/ "$MNT/f"
	assert_eq 012aB "$(s3 get "$BUCKET" f | tr -d '\0')" "sed -i"
	truncate -s 30M "$MNT/zeros"
	head -c 30M /dev/zero | cmp - "$MNT/zeros" || fail "a file of zeros"
	fallocate -l 3000000 "$MNT/f"
	assert_eq 3000000 "$(s3 get "$BUCKET" f | wc -c)" "fallocate"
	assert_fails 'unsupported|not supported' fallocate -p -o 0 -l 10 "$MNT/f"
	assert_fails 'too large' truncate -s 60T "$MNT/f"
	assert_eq 3000000 "$(stat -c %s "$MNT/f")" "size after what was refused"
	/usr/bin/python3 - "$MNT/f" <<-'EOF'
		import os, sys
		fd = os.open(sys.argv[1], os.O_RDONLY)
		# S3 stores every byte: there are no holes.
		assert os.lseek(fd, 0, os.SEEK_DATA) == 0
		assert os.lseek(fd, 0, os.SEEK_HOLE) == 3000000
	EOF
}

test_mappings_and_descriptors() {
	fresh
	/usr/bin/python3 - "$MNT" <<-'EOF'
		import mmap, os, sys
		path = sys.argv[1] + "/f"
		with open(path, "wb") as f:
		    f.write(b"a" * 100000)
		a = os.open(path, os.O_RDWR)
		b = os.open(path, os.O_RDWR)
		os.pwrite(a, b"one", 10)
		assert os.pread(b, 5, 9) == b"aonea"
		with mmap.mmap(b, 100000) as m:
		    m[50000:50005] = b"mmmmm"
		    m.flush()
		    assert os.pread(a, 7, 49999) == b"ammmmma"
		    os.close(b)
		    # After the close of its descriptor a mapping goes on.
		    m[60000:60005] = b"later"
		os.close(a)
		with open(path, "rb") as f:
		    data = f.read()
		assert data[60000:60005] == b"later" and data[50000:50005] == b"mmmmm"
	EOF
	s3 get "$BUCKET" f >got
	assert_eq later "$(dd if=got bs=1 skip=60000 count=5 status=none)" "in S3"
	# Who has a file open sees what another writes to it.
	/usr/bin/python3 - "$MNT/f" <<-'EOF'
		import os, sys
		reader = os.open(sys.argv[1], os.O_RDONLY)
		assert os.pread(reader, 3, 0) == b"aaa"
		with open(sys.argv[1], "ab") as f:
		    f.write(b"the end")
		assert os.pread(reader, 100, 100000) == b"the end"
		with open(sys.argv[1], "r+b") as f:
		    f.write(b"new")
		assert os.pread(reader, 3, 0) == b"new"
	EOF
}

# Bytes of parts that were sent, read and changed before the close, which replaces the old object.
test_sent_parts() {
	need s3d
	fresh
	echo old >"$MNT/f"
	/usr/bin/python3 - "$MNT/f" <<-'EOF'
		import os, sys
		fd = os.open(sys.argv[1], os.O_RDWR | os.O_TRUNC)
		data = os.urandom(1 << 20)
		for i in range(100):
		    os.write(fd, data)
		os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
		for at in (0, 30 << 20, 77 << 20, 99 << 20):
		    assert os.pread(fd, 1 << 20, at) == data, at
		os.pwrite(fd, b"header", 0)
		os.pwrite(fd, b"middle", 50 << 20)
		os.ftruncate(fd, 90 << 20)
		os.close(fd)
		with open("want", "wb") as f:
		    f.write(data * 90)
		    f.seek(0)
		    f.write(b"header")
		    f.seek(50 << 20)
		    f.write(b"middle")
	EOF
	s3 get "$BUCKET" f | cmp want - || fail "in S3"
	assert_eq 1 "$(stat_get CompleteMultipartUpload)" "objects made of parts"
	assert_eq "" "$(s3 uploads "$BUCKET")" "uploads left open"
	# Written only: what was sent is let go of, and got back from S3.
	/usr/bin/python3 - "$MNT/g" <<-'EOF'
		import os, sys
		fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
		data = os.urandom(1 << 20)
		for i in range(150):
		    os.write(fd, data)
		os.pwrite(fd, b"middle", 50 << 20)
		os.pwrite(fd, b"header", 0)
		reader = os.open(sys.argv[1], os.O_RDONLY)
		assert os.pread(reader, 10, (50 << 20) - 2) == data[-2:] + b"middle" + data[6:8]
		assert os.pread(reader, 1 << 20, 20 << 20) == data
		os.close(fd)
		with open("want", "wb") as f:
		    f.write(data * 150)
		    f.seek(0)
		    f.write(b"header")
		    f.seek(50 << 20)
		    f.write(b"middle")
	EOF
	s3 get "$BUCKET" g | cmp want - || fail "in S3, after bytes were let go of"
	assert_eq "" "$(s3 uploads "$BUCKET")" "uploads left open"
}

test_unlinked_while_open() {
	need s3d
	fresh
	head -c 3000000 /dev/urandom >before
	cp before "$MNT/was"
	mkdir "$MNT/d"
	stats_reset
	/usr/bin/python3 - "$MNT" before <<-'EOF'
		import os, sys
		mnt, data = sys.argv[1], os.urandom(1 << 20)
		fd = os.open(mnt + "/tmp", os.O_RDWR | os.O_CREAT)
		for i in range(40):
		    os.write(fd, data)
		os.unlink(mnt + "/tmp")
		assert not os.path.exists(mnt + "/tmp")
		for i in range(60):
		    os.write(fd, data)
		os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
		for at in range(0, 100 << 20, 9 << 20):
		    assert os.pread(fd, 1 << 20, at - at % (1 << 20)) == data, at
		os.fsync(fd)
		os.close(fd)
		# One that S3 has: who has it open keeps it.
		was = open(mnt + "/was", "r+b")
		was.seek(1000)
		was.write(b"changed")
		was.flush()
		reader = open(mnt + "/was", "rb", buffering=0)
		os.unlink(mnt + "/was")
		want = bytearray(open(sys.argv[2], "rb").read())
		want[1000:1007] = b"changed"
		was.seek(0)
		assert was.read() == want and reader.read() == want
		was.close()
	EOF
	assert_eq 0 "$(stat_get CompleteMultipartUpload)" "objects made of parts"
	assert_eq 0 "$(stat_get PutObject)" "objects put"
	assert_eq d/ "$(s3 ls "$BUCKET" | cut -f 1)" "what is left in S3"
	assert_eq "" "$(s3 uploads "$BUCKET")" "uploads left open"
}

test_renamed_while_open() {
	need s3d
	fresh
	echo target >"$MNT/there"
	echo other >"$MNT/over"
	stats_reset
	/usr/bin/python3 - "$MNT" <<-'EOF'
		import os, sys
		mnt = sys.argv[1]
		f = open(mnt + "/new", "wb", buffering=0)
		f.write(b"first")
		os.rename(mnt + "/new", mnt + "/moved")
		assert not os.path.exists(mnt + "/new")
		f.write(b" second")
		assert open(mnt + "/moved").read() == "first second"
		f.close()
		# Over a file that is open: that has no name any more.
		old = open(mnt + "/over", "r+b", buffering=0)
		f = open(mnt + "/vim~", "wb", buffering=0)
		f.write(b"saved")
		os.rename(mnt + "/vim~", mnt + "/over")
		old.write(b"OTHER")
		old.seek(0)
		assert old.read() == b"OTHER\n"
		old.close()
		f.close()
		# One that S3 has, while its new content is on its way.
		f = open(mnt + "/there", "r+b", buffering=0)
		f.write(b"T")
		data = os.urandom(1 << 20)
		for i in range(20):
		    f.write(data)
		os.rename(mnt + "/there", mnt + "/elsewhere")
		f.write(b"end")
		f.close()
		assert open(mnt + "/elsewhere", "rb").read() == b"T" + data * 20 + b"end"
	EOF
	assert_eq "first second" "$(s3 get "$BUCKET" moved)" "in S3, under the new name"
	assert_eq saved "$(s3 get "$BUCKET" over)" "in S3, over another"
	s3 get "$BUCKET" elsewhere | cmp - "$MNT/elsewhere" || fail "in S3, renamed while it was sent"
	assert_eq "elsewhere moved over" "$(s3 ls "$BUCKET" | cut -f 1 | xargs)" "what is in S3"
	assert_eq "" "$(s3 uploads "$BUCKET")" "uploads left open"
}

run_tests "$@"
