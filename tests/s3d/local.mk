if WITH_TESTS
noinst_PROGRAMS += tests/s3d/s3d
tests_s3d_s3d_SOURCES = \
	tests/s3d/account.c tests/s3d/account.h \
	tests/s3d/answer.c tests/s3d/answer.h \
	tests/s3d/auth.c tests/s3d/auth.h \
	tests/s3d/auth_body.c \
	tests/s3d/control.c tests/s3d/control.h \
	tests/s3d/customer.c tests/s3d/customer.h \
	tests/s3d/data.c \
	tests/s3d/faults.c tests/s3d/faults.h \
	tests/s3d/guard.c tests/s3d/guard.h \
	tests/s3d/hash.c tests/s3d/hash.h \
	tests/s3d/issue.c tests/s3d/issue.h \
	tests/s3d/lacks.c tests/s3d/lacks.h \
	tests/s3d/limit.c tests/s3d/limit.h \
	tests/s3d/main.c \
	tests/s3d/meta.c tests/s3d/meta.h \
	tests/s3d/op_bucket.c \
	tests/s3d/op_copy.c \
	tests/s3d/op_delete.c \
	tests/s3d/op_list.c tests/s3d/op_list.h \
	tests/s3d/op_multi.c \
	tests/s3d/op_multi_list.c \
	tests/s3d/op_object.c \
	tests/s3d/op_tagging.c \
	tests/s3d/op_versions.c \
	tests/s3d/ops.c tests/s3d/ops.h \
	tests/s3d/persist.c tests/s3d/persist.h \
	tests/s3d/req.c tests/s3d/req.h \
	tests/s3d/s3d.h \
	tests/s3d/seed.c \
	tests/s3d/server.c \
	tests/s3d/source.h \
	tests/s3d/stats.c tests/s3d/stats.h \
	tests/s3d/store.c tests/s3d/store.h \
	tests/s3d/store_versions.c \
	tests/s3d/timer.c tests/s3d/timer.h \
	tests/s3d/uri.c tests/s3d/uri.h \
	tests/s3d/xml.c tests/s3d/xml.h
tests_s3d_s3d_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/s3d $(MICROHTTPD_CFLAGS) \
	$(CJSON_CFLAGS) $(CRYPTO_CFLAGS) $(XML_CFLAGS)
tests_s3d_s3d_LDADD = src/util/libutil.a $(MICROHTTPD_LIBS) $(CJSON_LIBS) $(CRYPTO_LIBS) \
	$(XML_LIBS)
endif
EXTRA_DIST += tests/s3d/selftest.py tests/s3d/selftest_lib.py tests/s3d/selftest_objects.py \
	tests/s3d/selftest_copies.py tests/s3d/selftest_sums.py tests/s3d/selftest_behaviour.py \
	tests/s3d/selftest_versions.py
