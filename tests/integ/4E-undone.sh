#!/bin/bash
# tests/integ/4E-undone.sh: what S3 has refused to change has, to the mount as well, the attributes
# that it had, though a listing does not say them.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

CTL=$(dirname "$S3BULKFS")/s3bulkfsctl

shown() { (cd "$MNT" && find old -printf '%y %m %U:%G %T@ %s %l %p\n' | LC_ALL=C sort -k 6); }

# begin [OPTIONS]: a tree whose attributes were set through the mount, and others to put over it.
begin() {
	need s3d
	fresh
	umount_fs
	mount_fs "$BUCKET" "metadata_ttl=60${1:+,$1}"
	mkdir "$MNT/old" "$MNT/old/sub" "$MNT/src"
	local i
	for i in 1 2 3 sub/4; do
		echo "old $i" >"$MNT/old/$i"
		chmod 600 "$MNT/old/$i"
		chown 7:8 "$MNT/old/$i"
		touch -d '2001-02-03 04:05:06.5' "$MNT/old/$i"
		echo "a new $i" >"$MNT/src/${i#sub/}"
		touch -d '2011-02-03 04:05:06.5' "$MNT/src/${i#sub/}"
	done
	ln -s nowhere "$MNT/old/link"
	chmod 700 "$MNT/old/sub"
	touch -d '2002-02-03 04:05:06' "$MNT/old/sub"
	shown >before
	ctl GET "dump?bucket=$BUCKET&prefix=old/" >s3-before
}

# refuse OPERATIONS COMMAND: S3 refuses each of them; the command fails, and nothing has changed.
refuse() {
	local op
	for op in $1; do
		fault "{\"op\":\"$op\",\"status\":403,\"code\":\"AccessDenied\"}"
	done
	(cd "$MNT" && bash -c "$2") >out 2>&1 && fail "$2: exit code 0"
	faults_clear
	"$CTL" flush "$MNT" >/dev/null 2>&1 || :
	shown >after
	assert_same before after "attributes after $2"
	ctl GET "dump?bucket=$BUCKET&prefix=old/" >s3-after
	assert_same s3-before s3-after "S3 after $2"
}

write='PutObject CopyObject CreateMultipartUpload'

test_overwritten() {
	begin
	refuse "$write" 'env echo new >old/1'
	refuse "$write" 'env echo more >>old/1'
	refuse "$write" 'truncate -s 1 old/sub/4'
	refuse "$write" 'cp src/1 old/2'
	refuse "$write" 'cp -p src/1 old/2'
	refuse "$write" 'dd if=/dev/zero of=old/3 bs=1 count=2 conv=notrunc status=none'
}

test_copied_over() {
	begin
	refuse "$write" 'cp -a src/1 src/2 src/3 old'
	refuse "$write" 'cp -r src/1 src/2 src/3 old'
	refuse "$write" 'cp -rT src old'
	refuse "$write" 'cp -aT src old'
	refuse "$write" 'cp -a src/4 old/sub'
}

test_changed() {
	begin
	refuse "$write" 'chmod 644 old/1'
	refuse "$write" 'chmod -R 755 old'
	refuse "$write" 'chown 9 old/2'
	refuse "$write" 'chown -R 9:9 old'
	refuse "$write" 'touch old/3'
	refuse "$write" 'touch -h old/link'
	refuse "$write" 'chmod 755 old/sub'
	refuse "$write" 'setfattr -n user.a -v b old/1'
	refuse "$write" 'touch -d 2020-01-01 old/sub'
}

test_removed() {
	begin
	refuse DeleteObjects 'rm old/1'
	refuse DeleteObjects 'rm old/1 old/2 old/3 old/link'
	refuse DeleteObjects 'find old -type f -delete'
	refuse DeleteObjects 'rm -r old/sub'
	refuse DeleteObjects 'rm -r old'
}

test_directory_that_stays() {
	need s3d
	fresh
	mkdir -p "$MNT/d/"{1..5}
	chmod 700 "$MNT/d/"*
	touch -d '2002-02-03 04:05:06' "$MNT/d/"*
	(cd "$MNT" && find d/4 -printf '%m %T@ %p\n') >before
	deny_delete d/4/
	assert_fails 'denied' rm -r "$MNT/d"
	(cd "$MNT" && find d -mindepth 1 -printf '%m %T@ %p\n') >after
	assert_same before after "the directory that S3 has kept"
	assert_eq 4/ "$(s3 ls "$BUCKET" d/ | cut -f 1 | sed '/^$/d')" "markers in S3"
	mount_fs "$BUCKET" stat=full
	(cd "$MNT" && find d -mindepth 1 -printf '%m %T@ %p\n') >after
	assert_same before after "the directory, after a new mount"
}

test_replaced() {
	begin
	refuse 'CopyObject PutObject' 'mv -f src/1 old/1'
	refuse 'CopyObject PutObject' 'ln -sfn elsewhere old/link'
	refuse 'CopyObject' 'mv old/2 old/5'
	refuse 'CopyObject' 'mv old other'
	refuse 'CopyObject' 'mv src/1 src/2 src/3 old'
	refuse 'CopyObject PutObject' 'sed -i s/o/p/ old/1'
	refuse 'PutObject CopyObject' 'cp --remove-destination src/1 old/5'
}

test_in_a_run() {
	local run
	begin
	run="'$CTL' run --mount '$MNT' sh -c"
	refuse "$write" "$run 'cp -a src/1 old/1; chmod 755 old/2; echo x >old/3'"
	refuse "$write" "$run 'chmod -R 755 old; mv -f src/1 old/2'"
	refuse DeleteObjects "$run 'rm -r old'"
	refuse DeleteObjects "$run 'rm old/1; rm -r old/sub'"
}

run_tests "$@"
