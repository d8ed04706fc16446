#!/bin/bash
# Modes, owners and times: kept in S3 with the object, as the metadata that s3fs uses.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

local_file() {
	echo content >local
	chmod 640 local
	touch -d '2001-02-03 04:05:06.5 UTC' local
}

test_cp_p_from_outside() {
	fresh
	local_file
	assert_exit 0 cp -p local "$MNT/file"
	assert_eq "640 981173106.500000000" "$(stat -c '%a %.9Y' "$MNT/file")" "as it was set"
	remount "$BUCKET"
	assert_eq "640 981173106.500000000" "$(stat -c '%a %.9Y' "$MNT/file")" "after a new mount"
	assert_eq content "$(cat "$MNT/file")" content
}

test_chmod_chown_touch() {
	fresh
	echo x >"$MNT/file"
	assert_exit 0 chmod 751 "$MNT/file"
	assert_exit 0 chown 12:34 "$MNT/file"
	assert_exit 0 touch -d '2010-01-01 UTC' "$MNT/file"
	remount "$BUCKET"
	assert_eq "751 12 34 1262304000" "$(stat -c '%a %u %g %Y' "$MNT/file")" "after a new mount"
	assert_eq x "$(cat "$MNT/file")" content
}

test_other_metadata_survives() {
	fresh
	echo '<p>' >page
	s3 put "$BUCKET" page.html page type=text/html author=me
	assert_exit 0 chmod 600 "$MNT/page.html"
	s3 ls "$BUCKET" page.html --meta >after
	grep -q 'text/html' after || fail "the content type has gone: $(cat after)"
	grep -q '"author": "me"' after || fail "user metadata has gone: $(cat after)"
	grep -q '"mode": "33152"' after || fail "the mode is not in S3: $(cat after)"
}

test_cp_a() {
	fresh
	mkdir -p "$MNT/src/sub/empty"
	for i in 1 2 3 4 5; do echo "$i" >"$MNT/src/sub/$i"; done
	chmod 600 "$MNT/src/sub/3"
	touch -d '2005-05-05 UTC' "$MNT/src/sub/4" "$MNT/src/sub"
	assert_exit 0 cp -a "$MNT/src" "$MNT/dst"
	assert_eq 600 "$(stat -c %a "$MNT/dst/sub/3")" mode
	assert_eq 1115251200 "$(stat -c %Y "$MNT/dst/sub/4")" "time of a file"
	assert_eq 1115251200 "$(stat -c %Y "$MNT/dst/sub")" "time of a directory"
	assert_exit 0 diff -r "$MNT/src" "$MNT/dst"
}

test_cp_a_in_bulk_and_refused() {
	need s3d
	fresh
	put_objects src 300 10
	stats_reset
	assert_exit 0 cp -a "$MNT/src" "$MNT/dst"
	assert_eq 300 "$(stat_get CopyObject)" CopyObject
	assert_eq 0 "$(stat_get GetObject)" GetObject
	fault '{"op":"CopyObject","key":"no/*7","status":403,"code":"AccessDenied"}'
	assert_exit 1 cp -a "$MNT/src" "$MNT/no"
	faults_clear
	assert_eq 270 "$(find "$MNT/no" -type f | wc -l)" "files that were copied"
}

test_tar_and_python() {
	fresh
	mkdir -p tree/sub
	local_file
	cp -p local tree/sub/a
	echo b >tree/b
	tar c tree | tar x -C "$MNT" || fail "tar x"
	assert_eq "640 981173106" "$(stat -c '%a %Y' "$MNT/tree/sub/a")" "by tar"
	python3 - "$MNT" <<-'P' || fail "shutil"
		import shutil, sys
		m = sys.argv[1]
		shutil.copytree(m + "/tree", m + "/copy")
		shutil.rmtree(m + "/tree")
	P
	assert_eq "640 981173106" "$(stat -c '%a %Y' "$MNT/copy/sub/a")" "by copytree"
	[ ! -e "$MNT/tree" ] || fail "rmtree left something"
}

times() { find "$1" -printf '%P %m %T@ %l\n' | sort; }

# What was written through the mount is shown by every later listing, and nothing is asked for it;
# also when the kernel has forgotten it meanwhile, as it has to after a walk.
test_known_without_asking() {
	need s3d
	start_server
	mount_fs "$BUCKET" metadata_ttl=0
	mkdir -p tree/sub
	for i in $(seq 30); do
		echo "$i" >"tree/sub/$i"
		touch -d "2001-02-03 04:05:06.0000000$((i + 10)) UTC" "tree/sub/$i"
	done
	chmod 600 tree/sub/7
	ln -s 7 tree/sub/link
	touch -d '2002-02-02 UTC' tree/sub tree
	touch -h -d '2003-03-03 UTC' tree/sub/link
	tar c --format=pax tree | tar x -C "$MNT" || fail "tar x"
	times tree >expected
	stats_reset
	times "$MNT/tree" >got
	assert_same expected got "what tar has set"
	assert_le "$(stat_get HeadObject)" 16 "HeadObject, of directories by name"
	assert_exit 0 cp -a "$MNT/tree" "$MNT/copy"
	stats_reset
	times "$MNT/copy" >got
	times "$MNT/tree" >got.tree
	assert_same expected got "what cp -a has set"
	assert_same expected got.tree "what tar has set, afterwards"
	assert_le "$(stat_get HeadObject)" 20 "HeadObject after cp -a, of directories by name"
	# Other bytes, or other metadata, are not what was set here.
	echo other >other
	s3 put "$BUCKET" copy/sub/1 other
	assert_eq "other 644" "$(cat "$MNT/copy/sub/1") $(stat -c %a "$MNT/copy/sub/1")" replaced
	[ "$(stat -c %Y "$MNT/copy/sub/1")" -gt 1600000000 ] || fail "an old time of a new file"
}

meta_of() { s3 show "$BUCKET" "$1" | grep -v ^ContentType | paste -sd' '; }

# What open(2) and mkdir(2) ask for is what is shown, and goes along with the upload.
test_modes_of_new_names() {
	fresh
	(
		umask 077
		echo x >"$MNT/secret"
		mkdir "$MNT/private"
	)
	echo x >"$MNT/usual"
	mkdir "$MNT/dir"
	assert_eq "600 700 644 755" \
		"$(cd "$MNT" && stat -c %a secret private usual dir | paste -sd' ')" "at once"
	assert_eq "meta.mode 33152" "$(meta_of secret)" "of secret in S3"
	assert_eq "meta.mode 16832" "$(meta_of private/)" "of private in S3"
	assert_eq "" "$(meta_of usual)" "of usual in S3"
	assert_eq "" "$(meta_of dir/)" "of dir in S3"
	remount "$BUCKET"
	assert_eq "600 700 644 755" \
		"$(cd "$MNT" && stat -c %a secret private usual dir | paste -sd' ')" "afterwards"
	# mkstemp(3), and then the usual mode: nothing is left to keep.
	assert_exit 0 python3 -c 'import os, sys
fd = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY, 0o600)
os.write(fd, b"x")
os.fchmod(fd, 0o644)
os.close(fd)' "$MNT/temp"
	assert_eq "" "$(meta_of temp)" "of temp in S3"
	# The mount's options say what modes are: then they do.
	remount "$BUCKET" umask=027
	(
		umask 077
		echo x >"$MNT/other"
		mkdir "$MNT/other-dir"
	)
	assert_eq "640 750 600" \
		"$(cd "$MNT" && stat -c %a other other-dir secret | paste -sd' ')" "with umask=027"
	assert_eq "" "$(meta_of other)" "of other in S3"
}

# Who writes to a file, truncates it, or gets it does not get its privileges: write(2), chown(2).
test_privileges_go() {
	local name got
	fresh
	remount "$BUCKET" metadata_ttl=600
	for name in written truncated given kept; do
		echo x >"$MNT/$name"
		assert_exit 0 chmod 6755 "$MNT/$name"
	done
	assert_eq "6755" "$(stat -c %a "$MNT/kept")" "as it was set"
	echo y >>"$MNT/written"
	: >"$MNT/truncated"
	chown 12 "$MNT/given"
	chgrp 0 "$MNT/kept"
	# The kernel is told by another thread than that which answers it.
	for _ in $(seq 200); do
		got=$(cd "$MNT" && stat -c %a written truncated given kept | paste -sd' ')
		[ "$got" != "755 755 755 6755" ] || break
	done
	assert_eq "755 755 755 6755" "$got" "at once"
	remount "$BUCKET"
	assert_eq "755 755 755 6755" "$(cd "$MNT" && stat -c %a written truncated given kept |
		paste -sd' ')" "afterwards"
}

# A copy in S3 has what its source has, whatever mode cp made it with: no metadata is added.
test_access() {
	start_server
	echo x >file
	s3 put "$BUCKET" plain file
	mount_fs "$BUCKET"
	[ ! -x "$MNT/plain" ] || fail "a file without x is executable"
	chmod 755 "$MNT/plain"
	[ -x "$MNT/plain" ] || fail "a file with x is not executable"
	if [ ! -w "$MNT/plain" ] || [ ! -x "$MNT" ]; then
		fail "no right to write, or to enter"
	fi
	mount_fs "$BUCKET" ro
	[ ! -w "$MNT/plain" ] || fail "a read-only mount can be written"
}

test_modes_do_not_burden_copies() {
	need s3d
	fresh
	put_objects src 20 10
	echo x >file
	s3 put "$BUCKET" src/set file mode=33188 uid=7
	remount_patient "$BUCKET"
	stats_reset
	assert_exit 0 bash -c "umask 077 && cp -r '$MNT/src' '$MNT/dst'"
	assert_eq "21 2 0" "$(stat_get CopyObject) $(stat_get HeadObject) $(stat_get PutObject)" \
		"copies, HEADs (of the arguments), puts"
	same_objects src dst --meta
	assert_eq 644 "$(stat -c %a "$MNT/dst/f000001")" "what is shown of a copy"
	# What a copy has taken along is known when somebody has looked.
	remount "$BUCKET"
	assert_eq "644 7" "$(stat -c '%a %u' "$MNT/dst/set")" "what is shown of a copy with metadata"
}

test_owners_of_new_names() {
	local as=(setpriv --reuid 1234 --regid 2345 --clear-groups)
	[ "$(id -u)" = 0 ] || skip "needs root"
	start_server
	mount_fs "$BUCKET" allow_other
	mkdir -m 1777 "$MNT/tmp"
	mkdir -m 2777 "$MNT/group"
	chgrp 99 "$MNT/group"
	assert_exit 0 "${as[@]}" sh -c "umask 022; cd '$MNT/tmp' && echo x >file && mkdir dir &&
		ln -s x link && echo x >../group/file"
	assert_eq "1234 2345 1234 2345 1234 2345 1234 99" "$(stat -c '%u %g' "$MNT"/tmp/file \
		"$MNT"/tmp/dir "$MNT"/tmp/link "$MNT"/group/file | paste -sd' ')" "at once"
	assert_eq "meta.gid 2345 meta.mode 41471 meta.uid 1234" "$(meta_of tmp/link)" "a link in S3"
	remount "$BUCKET" allow_other
	assert_eq "1234 2345 1234 2345 1234 2345 1234 99" "$(stat -c '%u %g' "$MNT"/tmp/file \
		"$MNT"/tmp/dir "$MNT"/tmp/link "$MNT"/group/file | paste -sd' ')" "afterwards"
	assert_exit 0 "${as[@]}" sh -c "echo more >>'$MNT/tmp/file' && rm -r '$MNT/tmp/dir'"
	remount "$BUCKET" allow_other,uid=5,gid=6,umask=0
	assert_exit 0 "${as[@]}" sh -c "echo x >'$MNT/anybody'"
	assert_eq "5 6 666" "$(stat -c '%u %g %a' "$MNT/anybody")" "with uid and gid"
	assert_eq "" "$(meta_of anybody)" "of anybody in S3"
}

# There is no object for a mount's root: what is set for it lasts as long as the mount.
test_of_the_root() {
	fresh
	mkdir -p local/d
	echo x >local/d/f
	touch -d '2001-02-03 04:05:06.5 UTC' local
	chmod 1711 local
	chown 7:8 local
	assert_exit 0 rsync -a local/ "$MNT/"
	assert_eq '1711 7:8 981173106.500000000' "$(stat -c '%a %u:%g %.9Y' "$MNT")" rsync
	assert_exit 0 chmod 755 "$MNT"
	touch local
	assert_exit 0 cp -a local/. "$MNT"
	tar -C local -c . >made.tar
	assert_exit 0 tar -C "$MNT" -xf made.tar
	assert_eq "$(stat -c '%a %u:%g %Y' local)" "$(stat -c '%a %u:%g %Y' "$MNT")" tar
	assert_exit 0 "$(dirname "$S3BULKFS")/s3bulkfsctl" run --mount "$MNT" \
		rsync -a --delete local/ "$MNT/"
	assert_eq $'d/\nd/f' "$(s3 ls "$BUCKET" | cut -f 1 | sort)" "what S3 has"
}

run_tests "$@"
