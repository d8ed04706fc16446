#!/bin/bash
# tests/integ/4D-commands.sh: random commands do on a mount what they do in a local directory, and
# S3 holds what they leave; when it refuses a key they say so. The seeds are fixed. Others:
#   SEED=17 COMMANDS=2000 TEST_TIMEOUT_S=3600 tests/integ/run 4D-commands/test_plain
# FAILURES=N goes on after a failure until there are N; SEED=17.4 repeats one case.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=tests/integ/shared.sh
. "$(dirname "$(readlink -f "$0")")/shared.sh"

commands() { # commands WHAT COUNT [OPTIONS]
	local seed failed=
	need s3d
	start_s3d --no-auth
	make_bucket "$BUCKET-2"
	unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
	mount_shared "$BUCKET" here "no_sign_request${3:+,$3}"
	mount_shared "$BUCKET-2:/p" far "no_sign_request${3:+,$3}"
	export BUCKET S3_ENDPOINT S3BULKFS WORK MNT=$WORK/here FAR=$WORK/far
	for seed in ${SEED:-1 2}; do
		CTL=$(dirname "$S3BULKFS")/s3bulkfsctl PYTHONDONTWRITEBYTECODE=1 \
			"$INTEG/commands.py" "$1" "$seed" "${COMMANDS:-$2}" || failed=1
	done
	[ -z "$failed" ] || fail "see above"
}

test_plain() { commands plain 60 rename_limit=4; }

test_refused() { commands refused 60 rename_limit=4; }

# Requests that fail for once, or only their answers do, are sent again: the outcome is the same.
test_lost() { commands lost 60 rename_limit=4; }

test_run() { commands run 40; }

test_run_lost() { commands run,lost 40; }

test_run_refused() { commands run,refused 40 rename_limit=4; }

run_tests "$@"
