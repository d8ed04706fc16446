#!/bin/bash
# tests/integ/26-large.sh: a very large directory is listed in parallel ranges: all names, in order,
# and few pages in vain.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

seed() { # seed PREFIX COUNT PATTERN
	ctl POST seed "{\"bucket\":\"$BUCKET\",\"prefix\":\"$1\",\"count\":$2,\"size\":1,
		\"pattern\":\"$3\"}" >/dev/null
}

peak() { ctl GET stats '' | sed 's/.*"in_flight_peak":\([0-9]*\).*/\1/'; }

test_200000() {
	need s3d
	start_s3d --latency-ms ListObjectsV2=20
	put_objects d 200000 1
	mount_fs "$BUCKET"
	remount_patient "$BUCKET"
	stats_reset
	assert_eq 200002 "$(ls -f "$MNT/d" | wc -l)" "names, with . and .."
	note "$(stat_get ListObjectsV2) lists, $(peak) at once"
	assert_le "$(stat_get ListObjectsV2)" 300 "ListObjectsV2"
	assert_le 12 "$(peak)" "requests in flight, at least 12"
	assert_eq 200000 "$(ls -U "$MNT/d" | sort -u | wc -l)" "different names"
}

asked_for() { grep -c "opcode: $1 " "$WORK/daemon0.log" || :; } # asked_for OPCODE

# Who only reads names is given names: no inode is made of them in the kernel, which has to ask for
# each that somebody wants to see then. Who looks at them has their attributes along.
test_names_only() {
	local before
	need s3d
	printf '#!/bin/sh\nexec "%s" -d "$@"\n' "$S3BULKFS" >logging
	chmod +x logging
	S3BULKFS=$PWD/logging
	start_s3d
	put_objects d 30000 1
	put_objects e 30000 1
	mount_fs "$BUCKET" metadata_ttl=600
	assert_eq 30002 "$(ls -f "$MNT/d" | wc -l)" "names"
	before=$(asked_for LOOKUP)
	assert_le "$before" 2 "lookups of who reads names"
	stat "$MNT/d/f000009" "$MNT/d/f007000" >/dev/null
	assert_eq "$before" "$(asked_for LOOKUP)" "lookups of the first names"
	stat "$MNT/d/f020000" "$MNT/d/f029999" >/dev/null
	assert_eq $((before + 2)) "$(asked_for LOOKUP)" "lookups of two of the last names"
	assert_eq 30000 "$(ls -l "$MNT/e" | sed -n 's|^-.*|-|p' | wc -l)" "files"
	note "$(asked_for LOOKUP) lookups, $(asked_for READDIRPLUS) readdirplus"
	assert_le "$(asked_for LOOKUP)" $((before + 1000)) "lookups of who looks at each name"
}

# Names of many kinds in one directory, files and directories: none missing, none twice, in order.
test_mixed_names() {
	local p
	need s3d
	start_s3d --latency-ms ListObjectsV2=5
	for p in 'f%06d' '%d' 'ü%05d' 'Z-%04d.txt' 'dir%d/x' '漢%d字' 'f001000-%d' ' %d' '~%03d' \
		'a/b%d' 'zz%d!/y' 'dir%d'; do
		seed d/ 1500 "$p"
	done
	mount_fs "$BUCKET"
	/usr/bin/python3 - "$MNT/d" >found <<-'EOF'
		import os, sys
		entries = list(os.scandir(os.fsencode(sys.argv[1])))
		inodes = [e.inode() for e in entries]
		assert inodes == sorted(inodes), "inodes do not rise"
		keys = [e.name + (b"/" if e.is_dir() else b"") for e in entries]
		plain = [k for k in keys if not k.startswith(b"%")]
		assert plain == sorted(plain), "not in order"
		sys.stdout.buffer.write(b"\n".join(sorted(keys)) + b"\n")
	EOF
	ctl GET "dump?bucket=$BUCKET&prefix=d/" >dump
	/usr/bin/python3 - >expected <<-'EOF'
		import json
		keys = [json.loads(line)["key"][2:] for line in open("dump")]
		dirs = {k.split("/")[0] + "/" for k in keys if "/" in k}
		names = dirs | {("%=" if k + "/" in dirs else "") + k for k in keys if "/" not in k}
		print("\n".join(sorted(names, key=lambda n: n.encode())))
	EOF
	assert_same expected found "names"
	assert_eq 16501 "$(wc -l <found)" "names"
}

test_changes_under_way() {
	local pid
	need s3d
	start_s3d --latency-ms ListObjectsV2=40
	put_objects d 60000 1
	mount_fs "$BUCKET"
	ls -U "$MNT/d" >walked &
	pid=$!
	rm "$MNT/d/f000001" "$MNT/d/f030000" "$MNT/d/f059999"
	echo 1234 >"$MNT/d/f045000"
	echo 1234 >"$MNT/d/new"
	wait $pid
	ls -U "$MNT/d" | LC_ALL=C sort >here
	s3 ls "$BUCKET" d/ --files | cut -f1 | LC_ALL=C sort >there
	assert_same there here "names"
	assert_eq 59998 "$(wc -l <here)" "names"
	assert_eq 5 "$(stat -c %s "$MNT/d/f045000")" "size of the new version"
}

test_errors() {
	need s3d
	start_s3d
	put_objects d 30000 1
	mount_fs "$BUCKET"
	fault '{"op":"ListObjectsV2","key":"*","status":503,"code":"SlowDown","nth":6,"times":5}'
	assert_eq 30000 "$(ls -U "$MNT/d" | wc -l)" "names, with SlowDown"
	remount "$BUCKET"
	faults_clear
	fault '{"op":"ListObjectsV2","key":"*","status":403,"code":"AccessDenied","nth":12,
		"times":1000}'
	assert_fails 'Permission denied' ls -U "$MNT/d"
	faults_clear
	assert_eq 30000 "$(ls -U "$MNT/d" | wc -l)" "names, once it is allowed again"
}

run_tests "$@"
