#!/bin/bash
# tests/integ/C0-doc.sh: the examples of the documents do what the documents say.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

test_semantics() {
	need s3d
	fresh
	PATH=$(dirname "$S3BULKFS"):$PATH "$INTEG/docs.py" "$TESTS_DIR/../doc/semantics.md" "$MNT"
}

run_tests "$@"
