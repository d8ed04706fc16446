# Unit tests and the test server; they need cmocka and libmicrohttpd (configure says).
AM_TESTS_ENVIRONMENT = S3D=$(abs_top_builddir)/tests/s3d/s3d; export S3D;
if WITH_TESTS
include tests/unit/leaf.mk
include tests/unit/client.mk
include tests/unit/ctl.mk
include tests/unit/ns.mk
endif
include tests/fuzz/local.mk
include tests/sim/local.mk
include tests/s3d/local.mk

EXTRA_DIST += \
	tests/wait-pid \
	tests/integ/lib.sh tests/integ/shared.sh tests/integ/run tests/integ/s3.py \
	tests/integ/B0-between.sh tests/integ/B1-daemon.sh tests/integ/B2-all-buckets.sh \
	tests/integ/B3-stream.sh \
	tests/integ/10-mount.sh tests/integ/20-list.sh tests/integ/25-flat.sh \
	tests/integ/26-large.sh tests/integ/30-read.sh \
	tests/integ/25-flat.sh tests/integ/26-large.sh \
	tests/integ/40-write.sh tests/integ/45-rename.sh tests/integ/46-attributes.sh \
	tests/integ/47-move.sh tests/integ/50-cp.sh tests/integ/60-rm.sh \
	tests/integ/70-errors.sh tests/integ/75-ends.sh tests/integ/80-user.sh tests/integ/90-fstab.sh \
	tests/integ/A0-ctl.sh tests/integ/A1-run.sh \
	tests/rgw/start tests/rgw/stop \
	check quickstart .clang-format .shellcheckrc CONTRIBUTING.md \
	tools/check-structure tools/install-packages tools/packages

# The test server alone: what ./quickstart runs.
s3d: tests/s3d/s3d$(EXEEXT)
.PHONY: s3d
