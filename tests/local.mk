# Unit tests and the test server; they need cmocka and libmicrohttpd (configure says).
AM_TESTS_ENVIRONMENT = \
	S3D=$(abs_top_builddir)/tests/s3d/s3d; \
	FUZZ_CORPUS=$(abs_top_srcdir)/tests/fuzz/corpus; \
	export S3D FUZZ_CORPUS;
if WITH_TESTS
include tests/unit/leaf.mk
include tests/unit/client.mk
include tests/unit/ctl.mk
include tests/unit/ns.mk
endif
include tests/fuzz/local.mk
include tests/sim/local.mk
include tests/s3d/local.mk

if WITH_TESTS
# Preloaded by tests/integ/F2-scarce.sh.
noinst_PROGRAMS += tests/integ/nomem.so
tests_integ_nomem_so_SOURCES = tests/integ/nomem.c
tests_integ_nomem_so_CFLAGS = -fPIC $(WARN_CFLAGS)
tests_integ_nomem_so_LDFLAGS = -shared
tests_integ_nomem_so_LDADD = -ldl
endif

EXTRA_DIST += \
	tests/wait-pid tests/integ tests/rgw \
	check quickstart .clang-format .shellcheckrc CONTRIBUTING.md \
	tools/analyze .clang-tidy tools/check-hardening \
	tools/check-structure tools/install-packages tools/packages

# Static analysis, and the unit tests under valgrind: see tools/analyze.
ANALYZE = cppcheck gcc clang-tidy valgrind
analyze:
	$(top_srcdir)/tools/analyze . $(ANALYZE)
.PHONY: analyze

# The test server alone: what ./quickstart runs.
s3d: tests/s3d/s3d$(EXEEXT)

# Mixed work under random faults for $SOAK_MINUTES: tests/integ/soak.py says what must hold.
soak: all
	minutes=$${SOAK_MINUTES:-30}; whole=$${minutes%.*}; \
	SOAK_MINUTES=$$minutes TEST_TIMEOUT_S=$$((whole * 60 + 600)) \
		$(abs_top_srcdir)/tests/integ/run --build $(abs_top_builddir) --keep F3-soak

.PHONY: s3d soak
