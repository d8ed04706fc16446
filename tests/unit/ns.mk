# Unit tests of loop, bulk and ns: no network.
ns_tests = \
	tests/unit/test_bulk_order \
	tests/unit/test_bulk_window \
	tests/unit/test_loop \
	tests/unit/test_ns_cmd \
	tests/unit/test_ns_extents \
	tests/unit/test_ns_meta \
	tests/unit/test_ns_name \
	tests/unit/test_ns_proc \
	tests/unit/test_ns_ranges \
	tests/unit/test_util_crc \
	tests/unit/test_util_text
check_PROGRAMS += $(ns_tests)
TESTS += $(ns_tests)

ns_cppflags = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
ns_ldadd = src/ns/libns.a src/bulk/libbulk.a src/s3/libs3.a src/http/libhttp.a \
	src/util/libutil.a $(CURL_LIBS) $(XML_LIBS) $(CRYPTO_LIBS) $(CJSON_LIBS) $(CMOCKA_LIBS)

tests_unit_test_bulk_order_SOURCES = tests/unit/test_bulk_order.c
tests_unit_test_bulk_order_CPPFLAGS = $(ns_cppflags)
tests_unit_test_bulk_order_LDADD = $(ns_ldadd)
tests_unit_test_bulk_window_SOURCES = tests/unit/test_bulk_window.c
tests_unit_test_bulk_window_CPPFLAGS = $(ns_cppflags)
tests_unit_test_bulk_window_LDADD = $(ns_ldadd)
tests_unit_test_loop_SOURCES = tests/unit/test_loop.c
tests_unit_test_loop_CPPFLAGS = $(ns_cppflags)
tests_unit_test_loop_LDADD = src/util/libutil.a $(CMOCKA_LIBS)
tests_unit_test_ns_cmd_SOURCES = tests/unit/test_ns_cmd.c
tests_unit_test_ns_cmd_CPPFLAGS = $(ns_cppflags)
tests_unit_test_ns_cmd_LDADD = $(ns_ldadd)
tests_unit_test_ns_extents_SOURCES = tests/unit/test_ns_extents.c
tests_unit_test_ns_extents_CPPFLAGS = $(ns_cppflags)
tests_unit_test_ns_extents_LDADD = $(ns_ldadd)
tests_unit_test_ns_meta_SOURCES = tests/unit/test_ns_meta.c
tests_unit_test_ns_meta_CPPFLAGS = $(ns_cppflags)
tests_unit_test_ns_meta_LDADD = src/ns/libns.a src/s3/libs3.a src/util/libutil.a $(CMOCKA_LIBS)
tests_unit_test_util_crc_SOURCES = tests/unit/test_util_crc.c
tests_unit_test_util_crc_CPPFLAGS = $(ns_cppflags)
tests_unit_test_util_crc_LDADD = src/util/libutil.a $(CRYPTO_LIBS) $(CMOCKA_LIBS)
tests_unit_test_util_text_SOURCES = tests/unit/test_util_text.c
tests_unit_test_util_text_CPPFLAGS = $(ns_cppflags)
tests_unit_test_util_text_LDADD = src/util/libutil.a $(CMOCKA_LIBS)
tests_unit_test_ns_name_SOURCES = tests/unit/test_ns_name.c
tests_unit_test_ns_name_CPPFLAGS = $(ns_cppflags)
tests_unit_test_ns_name_LDADD = $(ns_ldadd)
tests_unit_test_ns_proc_SOURCES = tests/unit/test_ns_proc.c
tests_unit_test_ns_proc_CPPFLAGS = $(ns_cppflags)
tests_unit_test_ns_proc_LDADD = $(ns_ldadd)
# It has an s3_list of its own, in place of libs3's.
tests_unit_test_ns_ranges_SOURCES = tests/unit/test_ns_ranges.c
tests_unit_test_ns_ranges_CPPFLAGS = $(ns_cppflags)
tests_unit_test_ns_ranges_LDADD = src/ns/libns.a src/util/libutil.a $(CMOCKA_LIBS)
