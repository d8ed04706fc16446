# The HTTP engine, and the S3 client on it against tests/s3d.
client_libs = src/s3/libs3.a src/http/libhttp.a src/util/libutil.a \
	$(CURL_LIBS) $(XML_LIBS) $(CRYPTO_LIBS) $(CMOCKA_LIBS)
client_cppflags = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(CJSON_CFLAGS)

client_tests = tests/unit/test_http tests/unit/test_s3_retry \
	tests/unit/test_s3_client tests/unit/test_s3_faults
check_PROGRAMS += $(client_tests)
TESTS += $(client_tests)

tests_unit_test_http_SOURCES = tests/unit/test_http.c \
	tests/unit/http_server.c tests/unit/http_server.h
tests_unit_test_http_CPPFLAGS = $(client_cppflags)
tests_unit_test_http_LDADD = src/http/libhttp.a src/util/libutil.a $(CURL_LIBS) $(CMOCKA_LIBS)

tests_unit_test_s3_retry_SOURCES = tests/unit/test_s3_retry.c
tests_unit_test_s3_retry_CPPFLAGS = $(client_cppflags)
tests_unit_test_s3_retry_LDADD = src/s3/libs3.a src/util/libutil.a $(CMOCKA_LIBS)

tests_unit_test_s3_client_SOURCES = tests/unit/test_s3_client.c \
	tests/unit/http_server.c tests/unit/http_server.h \
	tests/unit/s3_sync.c tests/unit/s3_sync.h tests/unit/s3d_run.c tests/unit/s3d_run.h
tests_unit_test_s3_client_CPPFLAGS = $(client_cppflags)
tests_unit_test_s3_client_LDADD = $(client_libs) $(CJSON_LIBS)

tests_unit_test_s3_faults_SOURCES = tests/unit/test_s3_faults.c \
	tests/unit/s3_sync.c tests/unit/s3_sync.h tests/unit/s3d_run.c tests/unit/s3d_run.h
tests_unit_test_s3_faults_CPPFLAGS = $(client_cppflags)
tests_unit_test_s3_faults_LDADD = $(client_libs) $(CJSON_LIBS)
