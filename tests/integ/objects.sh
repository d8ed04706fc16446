# shellcheck shell=bash
# tests/integ/objects.sh: for tests of options about objects in S3; sourced after lib.sh.
# shellcheck disable=SC2034 # the names are for those that source this

LARGE=copy_threshold=5M,copy_part_size=5M
PARTS=11 # MiB: above the threshold, and uploaded in parts

# refused TEXT OPTIONS: not mounted, exit code 2, one line that says TEXT.
refused() {
	mkdir -p none
	assert_exit 2 "$S3BULKFS" -f -o "endpoint_url=${S3_ENDPOINT:-http://127.0.0.1:1},$2" b none
	assert_eq 1 "$(printf '%s\n' "$OUT" | wc -l)" "lines about $2"
	printf '%s\n' "$OUT" | grep -qE -- "$1" || fail "$2: did not say '$1'"
}

# has KEY LINE...: the object has these lines of `s3.py show`. hasnt KEY TEXT: none has TEXT.
has() {
	local line
	s3 show "$BUCKET" "$1" >shown
	for line in "${@:2}"; do
		grep -qxF -- "$line" shown || fail "$1 has no '$line': $(cat shown)"
	done
}

hasnt() {
	s3 show "$BUCKET" "$1" >shown
	! grep -q -- "$2" shown || fail "$1 has '$2': $(cat shown)"
}

# Everything by which objects are made, at $1, from the trees src/ and big of others.
make_all() {
	local mnt=$1
	echo new >"$mnt/put"
	assert_exit 0 dd if=big of="$mnt/upload" bs=1M status=none
	assert_exit 0 cp -r "$mnt/src" "$mnt/copied"
	assert_exit 0 cp "$mnt/big" "$mnt/big-copy"
	assert_exit 0 chmod 600 "$mnt/chmod" "$mnt/big-chmod" "$mnt/put"
	assert_exit 0 mv "$mnt/mv" "$mnt/moved"
	assert_exit 0 mv "$mnt/dir" "$mnt/dir-moved"
	assert_exit 0 sh -c "echo more >>'$mnt/append'"
	mkdir "$mnt/made"
	ln -s x "$mnt/link"
}
MADE=(put upload copied/f1 copied/f2 big-copy chmod big-chmod moved dir-moved/f append made/ link)

# put_all [@NAME=VALUE...]: what make_all works on.
put_all() {
	local key
	dd if=/dev/urandom of=big bs=1M count=$PARTS status=none
	echo content >file
	for key in src/f1 src/f2 chmod mv dir/f append; do s3 put "$BUCKET" $key file "$@"; done
	for key in big big-chmod; do s3 put "$BUCKET" $key big "$@"; done
}

KMS="ServerSideEncryption aws:kms"
