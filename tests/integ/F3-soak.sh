#!/bin/bash
# tests/integ/F3-soak.sh: mixed work of several processes under random faults (soak.py). Here for a
# moment only, to see that it works; `make soak` is the real thing.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

test_soak() {
	need s3d
	export WORK SOAK_MINUTES=${SOAK_MINUTES:-0.3}
	"$INTEG/soak.py" >soak.log || {
		cat soak.log
		fail "see above"
	}
	grep '^#' soak.log
}

run_tests "$@"
