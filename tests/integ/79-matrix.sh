#!/bin/bash
# tests/integ/79-matrix.sh: whatever the command, the tree and the key that S3 refuses: the command
# fails, somebody names the key, the mount shows what is in S3, and nothing is lost. The tables are
# in matrix.py; MATRIX chooses cells of them (a pattern such as 'cp -r/nested/middle').
. "$(dirname "$(readlink -f "$0")")/lib.sh"

matrix() { # matrix GROUP
	need s3d
	# Answers that take their time, so that what a command hears at its end is still on its way.
	start_server --latency-ms CopyObject=4 --latency-ms DeleteObjects=4
	# A tree of more than one object is not renamed: mv falls back to copying and removing.
	mount_fs "$BUCKET" rename_limit=1,metadata_ttl=60
	CTL=$(dirname "$S3BULKFS")/s3bulkfsctl
	export MNT BUCKET CTL
	"$INTEG/matrix.py" "$1" "${MATRIX:-*}" || fail "cells of $1"
}

test_copies() { matrix copies; }
test_moves() { matrix moves; }
test_removes() { matrix removes; }
test_changes() { matrix changes; }
test_runs() { matrix runs; }
test_arguments() { matrix arguments; }

run_tests "$@"
