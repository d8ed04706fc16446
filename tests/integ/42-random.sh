#!/bin/bash
# tests/integ/42-random.sh: thousands of random changes of a few files, on the mount and on a local
# filesystem, which must end alike; in the end S3 must have what the local files are. The seed is
# printed; FSX_SEED (1; "new" for another one each time) and FSX_OPERATIONS set it and how many
# operations there are.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

random() { # random OPERATIONS KIND MOUNT-OPTIONS
	local seed=${FSX_SEED:-1} name
	[ "$seed" != new ] || seed=$RANDOM$RANDOM
	start_server
	mount_fs "$BUCKET" "$3"
	mkdir model
	note "seed $seed"
	python3 "$INTEG/fsx.py" "$MNT" model "$seed" "${FSX_OPERATIONS:-$1}" "$2" ||
		fail "the mount differs from a local filesystem (seed $seed)"
	for name in model/*; do
		s3 get "$BUCKET" "${name#model/}" | cmp - "$name" || fail "$name differs in S3 (seed $seed)"
	done
	assert_eq "$(find model -type f | wc -l)" "$(count_objects '')" "objects"
	umount_fs
	assert_eq "" "$(s3 uploads "$BUCKET")" "uploads left open"
}

test_small() {
	local operations=24000
	[ "$SERVER" = s3d ] || operations=3000
	random $operations small ''
}

test_large() {
	need s3d # radosgw 16 knows nothing of a part that was sent anew: InvalidPart
	random 2000 large part_size=5M
}

run_tests "$@"
