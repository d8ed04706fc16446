#!/usr/bin/python3
"""Checks the test server s3d with boto3 and raw HTTP, against models in Python.

usage: selftest.py PATH-OF-S3D [SEED]
Prints `ok NAME` or `not ok NAME` a test and exits with 1 when one failed. ONLY="name ..." in the
environment chooses tests.
"""
import os
import sys
import traceback

sys.dont_write_bytecode = True  # the tests may run in a tree that is not ours to write

from selftest_lib import SEED, TESTS
import selftest_objects  # noqa: F401, pylint: disable=unused-import
import selftest_copies  # noqa: F401, pylint: disable=unused-import
import selftest_sums  # noqa: F401, pylint: disable=unused-import
import selftest_behaviour  # noqa: F401, pylint: disable=unused-import
import selftest_versions  # noqa: F401, pylint: disable=unused-import


def main():
    print(f"# seed {SEED}", flush=True)
    wanted = os.environ.get("ONLY", "").split()
    failed = 0
    for fn in TESTS:
        if wanted and fn.__name__ not in wanted:
            continue
        try:
            fn()
            print(f"ok {fn.__name__}", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f"not ok {fn.__name__}", flush=True)
            for line in traceback.format_exc().splitlines():
                print("#", line, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
