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

run_tests "$@"
