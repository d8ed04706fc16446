# Unit tests of the pure files of src/s3: no loop, no network.
leaf_tests = \
	tests/unit/test_s3_addr \
	tests/unit/test_s3_conf \
	tests/unit/test_s3_customer \
	tests/unit/test_s3_err \
	tests/unit/test_s3_sign \
	tests/unit/test_s3_source \
	tests/unit/test_s3_uri \
	tests/unit/test_s3_value \
	tests/unit/test_s3_xml \
	tests/unit/test_s3_xml_versions \
	tests/unit/test_util_mem \
	tests/unit/test_util_when
check_PROGRAMS += $(leaf_tests)
TESTS += $(leaf_tests)

leaf_ldadd = src/s3/libs3.a src/util/libutil.a $(XML_LIBS) $(CRYPTO_LIBS) $(CMOCKA_LIBS)

tests_unit_test_s3_addr_SOURCES = tests/unit/test_s3_addr.c
tests_unit_test_s3_addr_LDADD = $(leaf_ldadd)
tests_unit_test_s3_conf_SOURCES = tests/unit/test_s3_conf.c
tests_unit_test_s3_conf_LDADD = $(leaf_ldadd)
tests_unit_test_s3_customer_SOURCES = tests/unit/test_s3_customer.c
tests_unit_test_s3_customer_LDADD = $(leaf_ldadd)
tests_unit_test_s3_err_SOURCES = tests/unit/test_s3_err.c
tests_unit_test_s3_err_LDADD = $(leaf_ldadd)
tests_unit_test_s3_sign_SOURCES = tests/unit/test_s3_sign.c
tests_unit_test_s3_sign_LDADD = $(leaf_ldadd)
tests_unit_test_s3_source_SOURCES = tests/unit/test_s3_source.c
tests_unit_test_s3_source_LDADD = $(leaf_ldadd)
tests_unit_test_s3_uri_SOURCES = tests/unit/test_s3_uri.c
tests_unit_test_s3_uri_LDADD = $(leaf_ldadd)
tests_unit_test_s3_value_SOURCES = tests/unit/test_s3_value.c
tests_unit_test_s3_value_LDADD = $(leaf_ldadd)
tests_unit_test_s3_xml_SOURCES = tests/unit/test_s3_xml.c
tests_unit_test_s3_xml_LDADD = $(leaf_ldadd)
tests_unit_test_util_mem_SOURCES = tests/unit/test_util_mem.c
tests_unit_test_util_mem_LDADD = src/util/libutil.a $(CMOCKA_LIBS)
tests_unit_test_s3_xml_versions_SOURCES = tests/unit/test_s3_xml_versions.c
tests_unit_test_s3_xml_versions_LDADD = $(leaf_ldadd)
tests_unit_test_util_when_SOURCES = tests/unit/test_util_when.c
tests_unit_test_util_when_LDADD = $(leaf_ldadd)
