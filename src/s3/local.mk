noinst_LIBRARIES += src/s3/libs3.a
src_s3_libs3_a_CPPFLAGS = $(AM_CPPFLAGS) $(XML_CFLAGS) $(CRYPTO_CFLAGS)
src_s3_libs3_a_SOURCES = \
	src/s3/s3.h \
	src/s3/s3_addr.c src/s3/s3_addr.h \
	src/s3/s3_attempt.c \
	src/s3/s3_buckets.c \
	src/s3/s3_client.c \
	src/s3/s3_conf.c src/s3/s3_conf.h \
	src/s3/s3_copy.c \
	src/s3/s3_creds.c src/s3/s3_creds.h \
	src/s3/s3_delete.c \
	src/s3/s3_errcode.c src/s3/s3_errcode.h \
	src/s3/s3_ini.c src/s3/s3_ini.h \
	src/s3/s3_int.h \
	src/s3/s3_list.c \
	src/s3/s3_multipart.c \
	src/s3/s3_object.c \
	src/s3/s3_op.c \
	src/s3/s3_retry.c \
	src/s3/s3_sign.c src/s3/s3_sign.h \
	src/s3/s3_uri.c src/s3/s3_uri.h \
	src/s3/s3_xml.h \
	src/s3/s3_xml_buckets.c \
	src/s3/s3_xml_build.c \
	src/s3/s3_xml_list.c \
	src/s3/s3_xml_reply.c \
	src/s3/s3_xml_sax.c src/s3/s3_xml_sax.h
