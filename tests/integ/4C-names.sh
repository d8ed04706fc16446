#!/bin/bash
# tests/integ/4C-names.sh: every key can be listed, read, removed, made and copied under its name.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

test_random_keys() {
	need s3d
	start_s3d --no-auth
	unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
	mkdir mnt
	MNT=$WORK/mnt
	MOUNTS+=("$MNT")
	export BUCKET MNT S3_ENDPOINT S3BULKFS
	CTL=$(dirname "$S3BULKFS")/s3bulkfsctl "$INTEG/names.py" \
		"${SEED:-1}" "${ROUNDS:-20}" || fail "see above; SEED=... ROUNDS=1 repeats it"
}

# "%=a" is the object a beside a directory a, and no second name for what is alone: a move from the
# one name to the other would be a copy onto itself, and the delete of it.
test_no_second_name() {
	need s3d
	fresh
	remount "$BUCKET" metadata_ttl=0,stat=full
	echo content >"$MNT/c"
	chmod 600 "$MNT/c"
	mkdir "$MNT/d"
	echo content >"$MNT/d/x"
	printf 'both 4\nboth/x 3\n' | s3 puts "$BUCKET"
	assert_fails 'No such file' cat "$MNT/%=c"
	assert_fails 'No such file' stat "$MNT/%=d"
	assert_fails '' mv "$MNT/c" "$MNT/%=c"
	assert_fails '' mv -T "$MNT/d" "$MNT/%=d"
	assert_fails 'Invalid argument' mkdir "$MNT/%=d" "$MNT/%=new"
	assert_fails '' mv -T "$MNT/d" "$MNT/%=new"
	assert_eq 4 "$(stat -c %s "$MNT/%=both")" "size of the object beside its directory"
	assert_exit 0 mv "$MNT/%=both" "$MNT/moved"
	[ "$(cat "$MNT/c" "$MNT/d/x")" = $'content\ncontent' ] || fail "a file has gone"
	assert_eq 'both/x c d/ d/x moved' "$(s3 ls "$BUCKET" | cut -f 1 | tr '\n' ' ' | sed 's/ $//')" \
		"keys"
}

run_tests "$@"
