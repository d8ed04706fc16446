#!/bin/bash
# tests/integ/48-metadata.sh: what S3 keeps with an object beside its bytes survives all that is
# done to it through the mount: type, headers, user metadata, tags, class, encryption.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# rich KEY FILE: an object with all that S3 can keep. On radosgw that is less.
rich() {
	local more=(@CacheControl=no-cache @ContentDisposition=inline @ContentLanguage=de
		@ContentEncoding=identity '@Expires=2031-01-01T00:00:00Z' '@Tagging=a=1%202&b=')
	[ "$SERVER" != s3d ] || more+=(@StorageClass=STANDARD_IA @ServerSideEncryption=aws:kms
		@SSEKMSKeyId=key-1 @WebsiteRedirectLocation=/w)
	s3 put "$BUCKET" "$1" "$2" type=text/x-own author=me "${more[@]}"
	s3 show "$BUCKET" "$1" | tee rich
	[ "$(wc -l <rich)" -ge 9 ] || fail "the server does not keep all of it"
}

# same_but KEY LINE...: the object is as rich left it, and has these lines too.
same_but() {
	local key=$1
	shift
	{
		cat rich
		[ $# = 0 ] || printf '%s\n' "$@"
	} | LC_ALL=C sort >expected
	s3 show "$BUCKET" "$key" | LC_ALL=C sort >got
	assert_same expected got "metadata of $key"
}

s3_time() { # s3_time KEY: its LastModified, in seconds
	s3 modified "$BUCKET" "$1"
}

# To S3 a change of attributes is a new version; the time of the file stays what it was.
test_changes_keep_the_time() {
	local before
	fresh
	echo content >file
	s3 put "$BUCKET" old file
	s3 put "$BUCKET" s3fs file mode=33188 mtime=981173106.5
	echo new >"$MNT/new"
	ln -s new "$MNT/link"
	ls -l "$MNT" # what is known of the others is what a listing says
	before=$(cd "$MNT" && stat -c '%n %y' old new link)
	next_second
	assert_exit 0 chmod 600 "$MNT/old" "$MNT/new" "$MNT/s3fs"
	assert_exit 0 chown -h 7 "$MNT/link" "$MNT/new"
	assert_eq "$before" "$(cd "$MNT" && stat -c '%n %y' old new link)" "times at once"
	# Written anew, with zeros, if the lookup of the name has asked S3 for it.
	assert_eq 981173106.5 "$(s3 show "$BUCKET" s3fs | sed -n 's/^meta.mtime //p' | sed 's/0*$//')" \
		"s3fs's time"
	remount "$BUCKET"
	assert_eq "$before" "$(cd "$MNT" && stat -c '%n %y' old new link)" "times, after a new mount"
}

# Times do not go back to whole seconds when a listing comes, which has no others.
test_times_of_what_was_written_here() {
	local before
	start_server
	mount_fs "$BUCKET" metadata_ttl=0
	echo a >"$MNT/a"
	echo b >"$MNT/b"
	cp "$MNT/a" "$MNT/c"
	before=$(cd "$MNT" && stat -c '%n %y' a b c)
	next_second
	ls -l "$MNT" >/dev/null
	assert_eq "$before" "$(cd "$MNT" && stat -c '%n %y' a b c)" "times after a listing"
	mv "$MNT/c" "$MNT/d"
	assert_eq "$(echo "$before" | sed -n 's/^c //p')" "$(stat -c %y "$MNT/d")" "time of d"
}

test_chmod_keeps_the_rest() {
	local time
	need s3d # radosgw 16 loses the tags of what is copied with new metadata
	fresh
	echo content >file
	rich page.html file
	time=$(s3_time page.html)
	assert_exit 0 chmod 600 "$MNT/page.html"
	same_but page.html "meta.mode 33152" "meta.mtime $time.000000000"
	assert_exit 0 chown 12:34 "$MNT/page.html"
	assert_exit 0 touch -d '2001-02-03 04:05:06.123456789 UTC' "$MNT/page.html"
	same_but page.html "meta.mode 33152" "meta.uid 12" "meta.gid 34" \
		"meta.mtime 981173106.123456789"
	assert_eq content "$(s3 get "$BUCKET" page.html)" content
}

# Above the threshold the copy is made in parts, and CreateMultipartUpload takes nothing over.
test_chmod_of_large_object() {
	local time
	need s3d # radosgw 16 loses the tags of what is copied with new metadata
	start_server
	mount_fs "$BUCKET" copy_threshold=5M,copy_part_size=5M
	dd if=/dev/urandom of=big bs=1M count=11 status=none
	rich big big
	time=$(s3_time big)
	[ "$SERVER" != s3d ] || stats_reset
	assert_exit 0 chmod 640 "$MNT/big"
	[ "$SERVER" != s3d ] || assert_eq 3 "$(stat_get UploadPartCopy)" UploadPartCopy
	[ "$SERVER" != s3d ] || assert_eq 0 "$(stat_get GetObject)" GetObject
	same_but big "meta.mode 33184" "meta.mtime $time.000000000"
	s3 get "$BUCKET" big | cmp - big || fail "the content has changed"
}

test_cp_a_and_cp_r_keep_the_rest() {
	need s3d # radosgw 16 loses the tags of what is copied with new metadata
	fresh
	echo content >file
	rich src/page.html file
	assert_exit 0 cp -r "$MNT/src" "$MNT/plain"
	grep -v -e ServerSideEncryption -e SSEKMS -e WebsiteRedirect rich >copied
	cp copied rich
	same_but plain/page.html
	assert_exit 0 cp -a "$MNT/src" "$MNT/archive"
	s3 show "$BUCKET" archive/page.html >got
	grep -v '^meta.mtime ' got | LC_ALL=C sort >rest
	LC_ALL=C sort copied >expected
	assert_same expected rest "metadata of archive/page.html"
	grep -q '^meta.mtime ' got || fail "cp -a has kept no time: $(cat got)"
}

# A file that is changed in place, or written anew, keeps all that S3 has of it beside its bytes:
# whether the mount has looked at it before (by name), or knows it by a listing only.
test_written_files_keep_the_rest() {
	need s3d # radosgw 16 loses the tags of what is copied with new metadata
	local how
	fresh
	echo content >file
	dd if=/dev/zero of=big bs=1M count=9 status=none
	for how in append overwrite truncate open parts; do
		rich "looked/$how" file >/dev/null
		rich "listed/$how" file >/dev/null
	done
	rich looked/large big >/dev/null
	remount_patient "$BUCKET"
	for how in looked listed; do
		[ $how = looked ] || ls -l "$MNT/$how" >/dev/null
		echo more >>"$MNT/$how/append"
		echo new >"$MNT/$how/overwrite"
		assert_exit 0 truncate -s 0 "$MNT/$how/truncate"
		assert_exit 0 python3 -c 'import sys
with open(sys.argv[1], "r+") as f: f.write("changed")' "$MNT/$how/open"
		assert_exit 0 dd if=big of="$MNT/$how/parts" bs=1M status=none
		for name in append overwrite truncate open parts; do same_but "$how/$name"; done
		assert_eq "content more" "$(s3 get "$BUCKET" $how/append | paste -sd' ')" append
		assert_eq new "$(s3 get "$BUCKET" $how/overwrite)" overwrite
		s3 get "$BUCKET" $how/parts | cmp - big || fail "the content of parts"
	done
	echo more >>"$MNT/looked/large"
	same_but looked/large
	# A new file in its place is a new file.
	echo new >"$MNT/looked/temp"
	mv "$MNT/looked/temp" "$MNT/looked/append"
	assert_eq "ContentType application/octet-stream" "$(s3 show "$BUCKET" looked/append)" replaced
}

test_copies_over_files() {
	fresh
	echo new >"$MNT/source"
	echo old >"$MNT/target"
	chmod 600 "$MNT/target"
	/usr/bin/python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.a", b"1")' "$MNT/target"
	assert_exit 0 cp "$MNT/source" "$MNT/target"
	assert_eq "600 new" "$(stat -c %a "$MNT/target") $(cat "$MNT/target")" "at once"
	remount "$BUCKET"
	assert_eq "600 new" "$(stat -c %a "$MNT/target") $(cat "$MNT/target")" "afterwards"
	assert_exit 0 /usr/bin/python3 -c \
		'import os, sys; assert os.getxattr(sys.argv[1], "user.a") == b"1"' "$MNT/target"
	assert_eq 644 "$(stat -c %a "$MNT/source")" "the source"
	# What was never set comes with the copy.
	echo old >"$MNT/plain"
	assert_exit 0 chmod 750 "$MNT/source"
	assert_exit 0 cp "$MNT/source" "$MNT/plain"
	assert_exit 0 cp "$MNT/source" "$MNT/target"
	assert_eq "750 600 " "$(cd "$MNT" && stat -c %a plain target | tr '\n' ' ')" "modes"
	remount "$BUCKET"
	assert_eq "750 600 " "$(cd "$MNT" && stat -c %a plain target | tr '\n' ' ')" "modes later"
}

# S3 refuses to say what there is: who may write but not read can write; any other failure is told.
test_keeping_refused() {
	need s3d
	fresh
	echo content >file
	rich f file >/dev/null
	rich g file >/dev/null
	remount_patient "$BUCKET"
	ls -l "$MNT" >/dev/null
	fault '{"op":"HeadObject","key":"f","status":403,"code":"AccessDenied"}'
	assert_exit 0 sh -c "echo new >'$MNT/f'"
	faults_clear
	assert_eq new "$(s3 get "$BUCKET" f)" "content of f"
	fault '{"op":"GetObjectTagging","key":"g","status":403,"code":"AccessDenied"}'
	assert_fails 'Permission denied' sh -c "echo new | tee '$MNT/g'"
	faults_clear
	assert_eq content "$(s3 get "$BUCKET" g)" "content of g"
	assert_exit 0 sh -c "echo new >'$MNT/g'"
	same_but g
}

type_of() { s3 show "$BUCKET" "$1" | sed -n 's/^ContentType //p'; }

test_content_type_by_name() {
	fresh
	echo x >"$MNT/page.html"
	echo x >"$MNT/PHOTO.JPG"
	echo x >"$MNT/.html"
	echo x >"$MNT/README"
	: >"$MNT/empty.css"
	dd if=/dev/zero of="$MNT/big.json" bs=1M count=17 status=none
	mkdir "$MNT/dir.txt"
	assert_eq text/html "$(type_of page.html)" page.html
	assert_eq image/jpeg "$(type_of PHOTO.JPG)" PHOTO.JPG
	assert_eq application/octet-stream "$(type_of .html)" .html
	assert_eq application/octet-stream "$(type_of README)" README
	assert_eq text/css "$(type_of empty.css)" empty.css
	assert_eq application/json "$(type_of big.json)" "big.json, uploaded in parts"
	assert_eq application/x-directory "$(type_of dir.txt/)" dir.txt
	assert_exit 0 cp "$MNT/page.html" "$MNT/copy.txt"
	assert_eq text/html "$(type_of copy.txt)" "a copy"
	assert_exit 0 mv "$MNT/page.html" "$MNT/moved"
	assert_eq text/html "$(type_of moved)" "a renamed file"
	assert_exit 0 chmod 600 "$MNT/moved" "$MNT/copy.txt"
	assert_eq text/html "$(type_of moved)" "after chmod of the renamed file"
	assert_eq text/html "$(type_of copy.txt)" "after chmod of the copy"
}

# What others wrote as metadata, and makes no sense, is neither shown nor lost.
test_hostile_metadata() {
	local i=0 pair
	fresh
	echo x >file
	while read -r pair; do
		i=$((i + 1))
		s3 put "$BUCKET" "f$i" file "$pair"
		assert_eq "644 0 0" "$(stat -c '%a %u %g' "$MNT/f$i")" "attributes with $pair"
		[ "$(stat -c %Y "$MNT/f$i")" -ge 1600000000 ] || fail "the time with $pair"
		assert_exit 0 chmod 640 "$MNT/f$i"
		[ "${pair%%=*}" = mode ] || s3 show "$BUCKET" "f$i" | grep -qxF "meta.${pair/=/ }" ||
			fail "$pair has gone"
		assert_eq 640 "$(stat -c %a "$MNT/f$i")" "chmod of what has $pair"
	done <<-'E'
		mode=-1
		mode=99999999999999999999
		mode=0x1ff
		mode=rwxr-xr-x
		uid=-1
		uid=4294967295
		gid=root
		gid=18446744073709551616
		mtime=-99999999999999
		mtime=9223372036854775807
		mtime=nan
		mtime=2001-01-01
		xattr=%7B%22user.a%22
		xattr=%00
	E
}

test_directory_marker_keeps_the_rest() {
	need s3d # radosgw 16 loses the tags of what is copied with new metadata
	fresh
	echo 'content of the marker' >file
	rich dir/ file
	rich other/ file
	echo x >"$MNT/dir/f"
	echo x >"$MNT/other/f"
	assert_exit 0 chmod 700 "$MNT/dir"
	same_but dir/ "meta.mode 16832"
	s3 get "$BUCKET" dir/ | cmp - file || fail "the marker's content has changed"
	# One that is only known by a listing.
	remount "$BUCKET"
	ls "$MNT" >/dev/null
	assert_exit 0 touch -d '2001-02-03 UTC' "$MNT/other"
	same_but other/ "meta.mtime 981158400.000000000"
	# And one that has no marker.
	s3 put "$BUCKET" implied/f file
	remount "$BUCKET"
	ls "$MNT" >/dev/null
	assert_exit 0 chmod 711 "$MNT/implied"
	assert_eq "ContentType application/x-directory meta.mode 16841" \
		"$(s3 show "$BUCKET" implied/ | paste -sd' ')" "a new marker"
	remount "$BUCKET"
	assert_eq "711 981158400" "$(stat -c %a "$MNT/implied") $(stat -c %Y "$MNT/other")" \
		"after a new mount"
}

# What was written here is known: neither a change nor a copy of it asks S3 first.
test_no_head_for_what_was_written_here() {
	need s3d
	fresh
	remount_patient "$BUCKET"
	mkdir "$MNT/src"
	for i in 1 2 3 4 5 6 7 8 9; do echo "$i" >"$MNT/src/$i.txt"; done
	stats_reset
	assert_exit 0 touch -d '2001-02-03 UTC' "$MNT"/src/*.txt
	assert_exit 0 chmod 600 "$MNT"/src/*.txt
	assert_eq 18 "$(stat_get CopyObject)" CopyObject
	assert_eq 0 "$(stat_get HeadObject)" HeadObject
	stats_reset
	assert_exit 0 cp -a "$MNT/src" "$MNT/dst"
	assert_eq 9 "$(stat_get CopyObject)" "CopyObject of cp -a"
	note "$(stat_get HeadObject) HEAD"
	assert_le "$(stat_get HeadObject)" 2 "HeadObject of cp -a"
	assert_eq "ContentType text/plain meta.mode 33152 meta.mtime 981158400.000000000" \
		"$(s3 show "$BUCKET" dst/1.txt | paste -sd' ')" "what S3 has of the copy"
	# Others change it: that is seen and kept.
	echo 1 >file
	s3 put "$BUCKET" src/1.txt file author=me
	remount "$BUCKET"
	ls -l "$MNT/src" >/dev/null
	assert_exit 0 chmod 640 "$MNT/src/1.txt"
	assert_eq "meta.author me meta.mode 33184" "$(s3 show "$BUCKET" src/1.txt |
		grep meta | grep -v mtime | paste -sd' ')" "others' metadata"
}

run_tests "$@"
