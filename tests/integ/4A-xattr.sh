#!/bin/bash
# tests/integ/4A-xattr.sh: extended attributes: those of users, kept as s3fs keeps them, and what S3
# itself says of an object.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# xattr get PATH NAME | set PATH NAME VALUE [create|replace] | remove PATH NAME | list PATH
# A failure prints the name of its errno. Links are not followed.
xattr() {
	/usr/bin/python3 -c '
import errno, os, sys
flags = {"create": os.XATTR_CREATE, "replace": os.XATTR_REPLACE}
what, path, *rest = sys.argv[1:]
try:
    if what == "get":
        print(os.getxattr(path, rest[0], follow_symlinks=False).decode())
    elif what == "set":
        flag = flags[rest[2]] if len(rest) > 2 else 0
        os.setxattr(path, rest[0], os.fsencode(rest[1]), flag, follow_symlinks=False)
    elif what == "remove":
        os.removexattr(path, rest[0], follow_symlinks=False)
    else:
        print(" ".join(sorted(os.listxattr(path, follow_symlinks=False))))
except OSError as e:
    sys.exit(errno.errorcode[e.errno])
' "$@"
}

# Changes keep the time: that is 48-metadata's.
meta_of() { s3 show "$BUCKET" "$1" | grep -v -e ^ContentType -e ^meta.mtime | paste -sd' '; }

test_set_get_list_remove() {
	fresh
	echo x >"$MNT/file"
	mkdir "$MNT/dir"
	assert_exit 0 xattr set "$MNT/file" user.color blue
	assert_exit 0 xattr set "$MNT/file" user.empty ''
	assert_exit 0 xattr set "$MNT/dir" user.d 'a "dir" ä'
	# Name for name what s3fs writes: URL-encoded JSON, values in base64.
	assert_eq 'meta.xattr %7B%22user.color%22%3A%22Ymx1ZQ%3D%3D%22%2C%22user.empty%22%3A%22%22%7D' \
		"$(meta_of file)" "in S3"
	assert_eq blue "$(xattr get "$MNT/file" user.color)" value
	assert_eq "" "$(xattr get "$MNT/file" user.empty)" "empty value"
	assert_eq "user.color user.empty" "$(xattr list "$MNT/file")" list
	remount "$BUCKET"
	assert_eq "user.color user.empty" "$(xattr list "$MNT/file")" "list, after a new mount"
	assert_eq blue "$(xattr get "$MNT/file" user.color)" "value, after a new mount"
	assert_eq 'a "dir" ä' "$(xattr get "$MNT/dir" user.d)" "of a directory, after a new mount"
	assert_fails EEXIST xattr set "$MNT/file" user.color red create
	assert_fails ENODATA xattr set "$MNT/file" user.new red replace
	assert_exit 0 xattr set "$MNT/file" user.color red replace
	assert_exit 0 xattr set "$MNT/file" user.new green create
	assert_fails ENODATA xattr get "$MNT/file" user.none
	assert_fails ENODATA xattr remove "$MNT/file" user.none
	assert_exit 0 xattr remove "$MNT/file" user.empty
	assert_exit 0 chmod 600 "$MNT/file"
	assert_eq "red green" "$(xattr get "$MNT/file" user.color) $(xattr get "$MNT/file" user.new)" \
		"after chmod"
	assert_exit 0 xattr remove "$MNT/file" user.color
	assert_exit 0 xattr remove "$MNT/file" user.new
	assert_eq "meta.mode 33152" "$(meta_of file)" "in S3, in the end"
	assert_eq "" "$(xattr list "$MNT/file")" "list, in the end"
	assert_eq x "$(cat "$MNT/file")" content
}

# Sizes as getxattr(2) has them: 0 asks for the size, too small a buffer is ERANGE.
test_sizes() {
	fresh
	echo x >"$MNT/file"
	xattr set "$MNT/file" user.v 12345
	assert_exit 0 /usr/bin/python3 - "$MNT/file" <<-'P'
		import ctypes, errno, sys
		c = ctypes.CDLL(None, use_errno=True)
		path, name = sys.argv[1].encode(), b"user.v"
		assert c.getxattr(path, name, None, 0) == 5
		buf = ctypes.create_string_buffer(16)
		assert c.getxattr(path, name, buf, 16) == 5 and buf.raw[:5] == b"12345"
		assert c.getxattr(path, name, buf, 4) == -1 and ctypes.get_errno() == errno.ERANGE
		assert c.listxattr(path, None, 0) == 7
		assert c.listxattr(path, buf, 16) == 7 and buf.raw[:7] == b"user.v\0"
		assert c.listxattr(path, buf, 6) == -1 and ctypes.get_errno() == errno.ERANGE
	P
}

# S3 keeps 2 KB of metadata with an object: more is refused at once, and says why.
test_limits() {
	local big i
	fresh
	echo x >"$MNT/file"
	big=$(printf 'x%.0s' $(seq 3000))
	assert_fails E2BIG xattr set "$MNT/file" user.big "$big"
	assert_fails E2BIG xattr set "$MNT/file" user.big "${big:0:1500}"
	assert_exit 0 xattr set "$MNT/file" user.a "${big:0:600}"
	assert_exit 0 xattr set "$MNT/file" user.b "${big:0:600}"
	assert_fails ENOSPC xattr set "$MNT/file" user.c "${big:0:600}"
	assert_eq "user.a user.b" "$(xattr list "$MNT/file")" "what is there"
	# What else is there counts, too, and what comes along later still fits.
	for i in 100 60 30 10 1; do
		while xattr set "$MNT/file" "user.fill$i.$RANDOM" "${big:0:i}" 2>/dev/null; do :; done
	done
	assert_exit 0 chmod 1777 "$MNT/file"
	assert_exit 0 chown 4294967294:4294967294 "$MNT/file"
	assert_exit 0 touch -d '9999-12-31 23:59:59.123456789 UTC' "$MNT/file"
	remount "$BUCKET"
	assert_eq "${big:0:600}" "$(xattr get "$MNT/file" user.b)" "after a new mount"
	echo x >file
	s3 put "$BUCKET" others file "long=${big:0:1500}"
	assert_fails ENOSPC xattr set "$MNT/others" user.a "${big:0:500}"
	assert_exit 0 xattr set "$MNT/others" user.a "${big:0:100}"
	s3 show "$BUCKET" others | grep -q "^meta.long ${big:0:1500}$" || fail "metadata has gone"
}

test_other_namespaces() {
	local name
	fresh
	echo x >"$MNT/file"
	ln -s file "$MNT/link"
	for name in security.capability security.selinux trusted.x system.posix_acl_access other.x; do
		assert_fails 'ENOTSUP|ENODATA' xattr get "$MNT/file" $name
		assert_fails 'ENOTSUP|EINVAL' xattr set "$MNT/file" $name value
	done
	assert_fails EPERM xattr set "$MNT/link" user.x value
	assert_fails 'ENOTSUP|EPERM' xattr set "$MNT" user.x value
	assert_eq "" "$(xattr list "$MNT/file")$(xattr list "$MNT/link")$(xattr list "$MNT")" lists
	assert_eq "" "$(meta_of file)" "in S3"
}

test_while_open_and_in_copies() {
	fresh
	/usr/bin/python3 - "$MNT" <<-'P' || fail "of a file that is open"
		import os, sys
		fd = os.open(sys.argv[1] + "/open", os.O_CREAT | os.O_WRONLY, 0o644)
		os.write(fd, b"x")
		os.setxattr(fd, "user.a", b"1")
		os.setxattr(fd, "user.b", b"2")
		os.removexattr(fd, "user.a")
		assert os.listxattr(fd) == ["user.b"]
		os.close(fd)
	P
	assert_eq "meta.xattr %7B%22user.b%22%3A%22Mg%3D%3D%22%7D" "$(meta_of open)" "in S3"
	mkdir "$MNT/src"
	cp -a "$MNT/open" "$MNT/src/f"
	xattr set "$MNT/src" user.dir 3
	assert_exit 0 cp -a "$MNT/src" "$MNT/a"
	assert_exit 0 cp -r "$MNT/src" "$MNT/r"
	assert_exit 0 mv "$MNT/src" "$MNT/m"
	assert_eq "2 2 2" "$(for d in a r m; do xattr get "$MNT/$d/f" user.b; done | paste -sd' ')" \
		copies
	assert_eq "3 3" "$(for d in a m; do xattr get "$MNT/$d" user.dir; done | paste -sd' ')" \
		directories
	remount "$BUCKET"
	assert_eq "2 2 2" "$(for d in a r m; do xattr get "$MNT/$d/f" user.b; done | paste -sd' ')" \
		"copies, after a new mount"
	# A listing does not tell that there are any, and cp -a keeps them all the same.
	assert_exit 0 cp -a "$MNT/m" "$MNT/again"
	assert_eq "meta.xattr %7B%22user.b%22%3A%22Mg%3D%3D%22%7D" \
		"$(meta_of again/f | grep -o 'meta.xattr.*')" "a copy of what was listed"
	cp -a "$MNT/a" out 2>/dev/null || note "no extended attributes in $WORK"
	cmp out/f "$MNT/a/f"
}

# Writing costs no request for them: what the kernel asks is answered from memory.
test_no_request_for_them() {
	need s3d
	fresh
	put_objects src 50 10
	remount_patient "$BUCKET"
	ls -l "$MNT/src" >/dev/null
	stats_reset
	assert_exit 0 cp -r "$MNT/src" "$MNT/dst"
	assert_exit 0 ls -l "$MNT/dst"
	assert_exit 0 dd if=/dev/zero of="$MNT/big" bs=4k count=1000 status=none
	assert_exit 0 cp -a "$MNT/src" "$MNT/a"
	# Two of the arguments by name, one to copy each file's other metadata.
	assert_le "$(stat_get HeadObject)" 56 HeadObject
	assert_eq 0 "$(stat_get GetObjectTagging)" GetObjectTagging
}

# ---- what S3 says -----------------------------------------------------------------------------

test_s3_names() {
	local etag
	fresh
	echo content >file
	s3 put "$BUCKET" page file type=text/x-own @StorageClass=STANDARD
	etag=$(md5sum <file | cut -d' ' -f1)
	mkdir "$MNT/dir"
	assert_eq "$etag STANDARD text/x-own" "$(for n in etag storage-class content-type; do
		xattr get "$MNT/page" s3.$n; done | paste -sd' ')" "of an object"
	assert_fails ENODATA xattr get "$MNT/page" s3.version-id
	assert_fails ENODATA xattr get "$MNT/page" s3.none
	assert_fails ENODATA xattr get "$MNT/dir" s3.etag
	assert_eq application/x-directory "$(xattr get "$MNT/dir" s3.content-type)" "of a directory"
	assert_eq "" "$(xattr list "$MNT/page")" "they are not listed"
	assert_fails EPERM xattr set "$MNT/page" s3.etag x
	assert_fails EPERM xattr set "$MNT/page" s3.storage-class GLACIER
	assert_fails EPERM xattr remove "$MNT/page" s3.content-type
	assert_fails EPERM xattr set "$MNT/page" s3.none x
	if [ "$SERVER" = s3d ]; then
		s3 put "$BUCKET" cold file @StorageClass=STANDARD_IA
		assert_eq STANDARD_IA "$(xattr get "$MNT/cold" s3.storage-class)" "of another class"
	fi
	# The tools that are there for it can name them, also when they are run by somebody else.
	if command -v getfattr >/dev/null; then
		assert_eq "s3.etag=\"$etag\"" \
			"$(getfattr --absolute-names -n s3.etag "$MNT/page" | grep '^s3')" getfattr
		assert_exit 0 setfattr -n s3.tag.by -v setfattr "$MNT/page"
		assert_eq "tag.by setfattr" "$(s3 show "$BUCKET" page | grep tag)" setfattr
	fi
}

type_of() { s3 show "$BUCKET" "$1" | sed -n 's/^ContentType //p'; }

test_content_type() {
	need s3d # radosgw 16 drops the tags of an object whose metadata is replaced
	fresh
	echo content >file
	s3 put "$BUCKET" page file author=me @CacheControl=no-cache '@Tagging=a=1'
	assert_exit 0 xattr set "$MNT/page" s3.content-type 'text/html; charset=utf-8'
	assert_eq "CacheControl no-cache ContentType text/html; charset=utf-8 meta.author me tag.a 1" \
		"$(s3 show "$BUCKET" page | grep -v mtime | paste -sd' ')" "in S3"
	assert_eq 'text/html; charset=utf-8' "$(xattr get "$MNT/page" s3.content-type)" "at once"
	assert_exit 0 chmod 600 "$MNT/page"
	s3 show "$BUCKET" page | grep -qx 'ContentType text/html; charset=utf-8' || fail "after chmod"
	echo x >"$MNT/new.txt"
	assert_exit 0 xattr set "$MNT/new.txt" s3.content-type text/x-other
	assert_exit 0 cp "$MNT/new.txt" "$MNT/copy.html"
	assert_exit 0 chmod 600 "$MNT/copy.html" "$MNT/new.txt"
	assert_exit 0 mv "$MNT/new.txt" "$MNT/moved.css"
	assert_exit 0 touch -d '2001-01-01 UTC' "$MNT/moved.css"
	assert_eq text/x-other "$(type_of copy.html)" "of a copy"
	assert_eq text/x-other "$(type_of moved.css)" "of a renamed file"
	/usr/bin/python3 - "$MNT" <<-'P' || fail "of a file that is open"
		import os, sys
		fd = os.open(sys.argv[1] + "/open.txt", os.O_CREAT | os.O_WRONLY, 0o644)
		os.setxattr(fd, "s3.content-type", b"text/x-open")
		os.close(fd)
	P
	assert_eq text/x-open "$(type_of open.txt)" "set while open"
	assert_fails EINVAL xattr set "$MNT/page" s3.content-type $'a\r\nx-amz-acl: public-read'
	assert_fails EINVAL xattr set "$MNT/page" s3.content-type ''
	assert_fails EEXIST xattr set "$MNT/page" s3.content-type text/plain create
	assert_eq content "$(cat "$MNT/page")" content
}

tags_of() { s3 show "$BUCKET" "$1" | sed -n 's/^tag\.//p' | paste -sd,; }

test_tags() {
	need s3d # radosgw 16 drops the tags of an object whose metadata is replaced
	local i
	fresh
	echo content >file
	s3 put "$BUCKET" f file '@Tagging=old=1%202&other=x'
	assert_eq "1 2" "$(xattr get "$MNT/f" s3.tag.old)" "of others"
	assert_fails ENODATA xattr get "$MNT/f" s3.tag.none
	assert_exit 0 xattr set "$MNT/f" s3.tag.new 'a=b & ä'
	assert_exit 0 xattr set "$MNT/f" s3.tag.old 2
	assert_eq "new a=b & ä,old 2,other x" "$(tags_of f)" "in S3"
	assert_eq 2 "$(xattr get "$MNT/f" s3.tag.old)" "as it was set"
	assert_fails EEXIST xattr set "$MNT/f" s3.tag.old 3 create
	assert_fails ENODATA xattr set "$MNT/f" s3.tag.none 3 replace
	assert_fails ENODATA xattr remove "$MNT/f" s3.tag.none
	assert_fails EINVAL xattr set "$MNT/f" s3.tag. 3
	assert_fails E2BIG xattr set "$MNT/f" s3.tag.big "$(printf 'x%.0s' $(seq 2000))"
	assert_exit 0 xattr remove "$MNT/f" s3.tag.old
	assert_exit 0 chmod 600 "$MNT/f"
	assert_exit 0 cp "$MNT/f" "$MNT/copy"
	assert_eq "new a=b & ä,other x" "$(tags_of copy)" "of a copy"
	for i in 1 2 3 4 5 6 7 8; do assert_exit 0 xattr set "$MNT/f" "s3.tag.t$i" $i; done
	assert_fails ENOSPC xattr set "$MNT/f" s3.tag.t9 9
	for i in 1 2 3 4 5 6 7 8; do assert_exit 0 xattr remove "$MNT/f" "s3.tag.t$i"; done
	assert_exit 0 xattr remove "$MNT/f" s3.tag.new
	assert_exit 0 xattr remove "$MNT/f" s3.tag.other
	assert_eq "" "$(tags_of f)" "in the end"
	mkdir "$MNT/dir"
	assert_exit 0 xattr set "$MNT/dir" s3.tag.d 1
	assert_eq "d 1" "$(tags_of dir/)" "of a directory"
	assert_eq content "$(cat "$MNT/f")" content
}

# Several at once change one set: none is lost.
test_tags_at_once() {
	local i pids=()
	need s3d
	start_s3d --latency-ms GetObjectTagging=20,PutObjectTagging=20
	mount_fs "$BUCKET"
	echo x >"$MNT/f"
	for i in 1 2 3 4 5 6; do
		xattr set "$MNT/f" "s3.tag.t$i" $i &
		pids+=($!)
	done
	wait "${pids[@]}"
	assert_eq "t1 1,t2 2,t3 3,t4 4,t5 5,t6 6" "$(tags_of f)" "all of them"
	fault '{"op":"PutObjectTagging","status":403,"code":"AccessDenied"}'
	assert_fails EACCES xattr set "$MNT/f" s3.tag.t7 7
	faults_clear
	fault '{"op":"GetObjectTagging","status":403,"code":"AccessDenied"}'
	assert_fails EACCES xattr get "$MNT/f" s3.tag.t8
}

test_read_only_and_others() {
	local as=(setpriv --reuid 1234 --regid 1234 --clear-groups)
	fresh
	echo x >"$MNT/f"
	xattr set "$MNT/f" user.a 1
	remount "$BUCKET" ro
	assert_fails EROFS xattr set "$MNT/f" user.a 2
	assert_fails EROFS xattr set "$MNT/f" s3.tag.a 2
	assert_eq 1 "$(xattr get "$MNT/f" user.a)" value
	[ "$(id -u)" = 0 ] || return 0
	remount "$BUCKET" allow_other
	export -f xattr
	assert_eq 1 "$("${as[@]}" bash -c "xattr get '$MNT/f' user.a")" "read by somebody else"
	assert_fails 'EACCES|EPERM' "${as[@]}" bash -c "xattr set '$MNT/f' user.a 2"
	assert_fails 'EACCES|EPERM' "${as[@]}" bash -c "xattr set '$MNT/f' s3.tag.a 2"
	chmod 600 "$MNT/f"
	assert_fails 'EACCES|EPERM' "${as[@]}" bash -c "xattr get '$MNT/f' user.a"
}

run_tests "$@"
