#!/bin/bash
# tests/integ/D3-archived.sh: objects in an archive are listed, and cannot be read or copied before
# somebody restores them: that is said at once, with the object's name.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

CTL=$(dirname "$S3BULKFS")/s3bulkfsctl

# d/a, d/cold, d/z; cold is archived.
archive() {
	need s3d
	fresh
	echo 12345 >file
	for name in a z; do
		s3 put "$BUCKET" d/$name file
	done
	s3 put "$BUCKET" d/cold file @StorageClass="${1:-GLACIER}"
}

list_and_read() { # list_and_read CLASS
	archive "$1"
	assert_eq $'a 6\ncold 6\nz 6' "$(cd "$MNT/d" && stat -c '%n %s' -- *)" listed
	stats_reset
	assert_fails 'cold.*No data available' cat "$MNT/d/a" "$MNT/d/cold"
	assert_le "$(stat_get GetObject)" 4 "requests: it is not tried again"
	grep -q "reading /d/cold failed: InvalidObjectState" "$WORK"/daemon*.log ||
		fail "the log does not say why"
	assert_fails 'No data available' cp "$MNT/d/cold" .
	assert_fails 'No data available' cp "$MNT/d/cold" "$MNT/warm"
	assert_eq '' "$(s3 ls "$BUCKET" warm)" "nothing is half there"
}

test_glacier() { list_and_read GLACIER; }
test_deep_archive() { list_and_read DEEP_ARCHIVE; }

test_trees() {
	archive
	assert_fails 'No data available' cp -r "$MNT/d" "$MNT/e"
	assert_eq $'a\nz' "$(ls "$MNT/e")" "what could be copied"
	"$CTL" errors "$MNT" >ledger
	grep -q 'e/cold.*ObjectNotInActiveTierError' ledger || fail "not in the ledger: $(cat ledger)"
	assert_fails 'No data available' mv "$MNT/d" "$MNT/f"
	assert_eq $'a\ncold\nz' "$(ls "$MNT/d")" "the source is whole"
	assert_eq '' "$(s3 ls "$BUCKET" f)" "nothing is left of the copy"
	# They can be removed, and overwritten.
	echo new >"$MNT/d/cold"
	assert_eq new "$(cat "$MNT/d/cold")" "overwritten"
	s3 put "$BUCKET" d/cold file @StorageClass=GLACIER
	assert_exit 0 rm -r "$MNT/d"
	assert_eq '' "$(s3 ls "$BUCKET" d/)" "removed"
}

run_tests "$@"
