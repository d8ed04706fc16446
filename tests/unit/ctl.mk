# Unit tests of what s3bulkfsctl shows.
ctl_tests = tests/unit/test_ns_ledger
check_PROGRAMS += $(ctl_tests)
TESTS += $(ctl_tests)

tests_unit_test_ns_ledger_SOURCES = tests/unit/test_ns_ledger.c
tests_unit_test_ns_ledger_LDADD = src/ns/libns.a src/util/libutil.a $(CMOCKA_LIBS)
