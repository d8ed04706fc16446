# The HTTP engine, and the S3 client on it against tests/s3d.
client_libs = src/s3/libs3.a src/http/libhttp.a src/util/libutil.a \
	$(CURL_LIBS) $(XML_LIBS) $(CRYPTO_LIBS) $(CJSON_LIBS) $(CMOCKA_LIBS)
client_cppflags = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(CJSON_CFLAGS)

client_tests = tests/unit/test_http tests/unit/test_http_many tests/unit/test_s3_retry \
	tests/unit/test_s3_client tests/unit/test_s3_faults tests/unit/test_s3_recover \
	tests/unit/test_s3_fetch tests/unit/test_s3_provider \
	tests/unit/test_s3_sum tests/unit/test_s3_tagging tests/unit/test_s3_at
check_PROGRAMS += $(client_tests)
TESTS += $(client_tests)

http_test_sources = tests/unit/http_ask.c tests/unit/http_ask.h \
	tests/unit/http_server.c tests/unit/http_server.h
http_test_ldadd = src/http/libhttp.a src/util/libutil.a $(CURL_LIBS) $(CMOCKA_LIBS)
tests_unit_test_http_SOURCES = tests/unit/test_http.c $(http_test_sources)
tests_unit_test_http_CPPFLAGS = $(client_cppflags)
tests_unit_test_http_LDADD = $(http_test_ldadd)
tests_unit_test_http_many_SOURCES = tests/unit/test_http_many.c $(http_test_sources)
tests_unit_test_http_many_CPPFLAGS = $(client_cppflags)
tests_unit_test_http_many_LDADD = $(http_test_ldadd)

tests_unit_test_s3_retry_SOURCES = tests/unit/test_s3_retry.c
tests_unit_test_s3_retry_CPPFLAGS = $(client_cppflags)
tests_unit_test_s3_retry_LDADD = src/s3/libs3.a src/util/libutil.a $(CMOCKA_LIBS)

tests_unit_test_s3_client_SOURCES = tests/unit/test_s3_client.c \
	tests/unit/http_server.c tests/unit/http_server.h \
	tests/unit/s3_sync.c tests/unit/s3_sync.h tests/unit/s3d_run.c tests/unit/s3d_run.h
tests_unit_test_s3_client_CPPFLAGS = $(client_cppflags)
tests_unit_test_s3_client_LDADD = $(client_libs)

tests_unit_test_s3_sum_SOURCES = tests/unit/test_s3_sum.c
tests_unit_test_s3_sum_CPPFLAGS = $(client_cppflags)
tests_unit_test_s3_sum_LDADD = $(client_libs)

tests_unit_test_s3_tagging_SOURCES = tests/unit/test_s3_tagging.c \
	tests/unit/s3_sync.c tests/unit/s3_sync.h tests/unit/s3d_run.c tests/unit/s3d_run.h
tests_unit_test_s3_tagging_CPPFLAGS = $(client_cppflags)
tests_unit_test_s3_tagging_LDADD = $(client_libs) $(CJSON_LIBS)

tests_unit_test_s3_at_SOURCES = tests/unit/test_s3_at.c \
	tests/unit/version_server.c tests/unit/version_server.h \
	tests/unit/http_server.c tests/unit/http_server.h \
	tests/unit/s3_sync.c tests/unit/s3_sync.h
tests_unit_test_s3_at_CPPFLAGS = $(client_cppflags)
tests_unit_test_s3_at_LDADD = $(client_libs)

s3_faults_sources = tests/unit/s3_faults.c tests/unit/s3_faults.h \
	tests/unit/s3_sync.c tests/unit/s3_sync.h tests/unit/s3d_run.c tests/unit/s3d_run.h
tests_unit_test_s3_faults_SOURCES = tests/unit/test_s3_faults.c $(s3_faults_sources)
tests_unit_test_s3_faults_CPPFLAGS = $(client_cppflags)
tests_unit_test_s3_faults_LDADD = $(client_libs)
tests_unit_test_s3_recover_SOURCES = tests/unit/test_s3_recover.c $(s3_faults_sources)
tests_unit_test_s3_recover_CPPFLAGS = $(client_cppflags)
tests_unit_test_s3_recover_LDADD = $(client_libs)

creds_test_sources = tests/unit/creds_run.c tests/unit/creds_run.h \
	tests/unit/http_server.c tests/unit/http_server.h
tests_unit_test_s3_fetch_SOURCES = tests/unit/test_s3_fetch.c $(creds_test_sources)
tests_unit_test_s3_fetch_CPPFLAGS = $(client_cppflags)
tests_unit_test_s3_fetch_LDADD = $(client_libs)
tests_unit_test_s3_provider_SOURCES = tests/unit/test_s3_provider.c $(creds_test_sources)
tests_unit_test_s3_provider_CPPFLAGS = $(client_cppflags)
tests_unit_test_s3_provider_LDADD = $(client_libs)
