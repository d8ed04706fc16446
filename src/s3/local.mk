noinst_LIBRARIES += src/s3/libs3.a
src_s3_libs3_a_CPPFLAGS = $(AM_CPPFLAGS) $(XML_CFLAGS) $(CRYPTO_CFLAGS) $(CJSON_CFLAGS)
src_s3_libs3_a_SOURCES = \
	src/s3/s3.h \
	src/s3/s3_addr.c src/s3/s3_arn.c src/s3/s3_arn.h src/s3/s3_addr.h \
	src/s3/s3_ask.c src/s3/s3_ask.h \
	src/s3/s3_at.c \
	src/s3/s3_attempt.c \
	src/s3/s3_buckets.c \
	src/s3/s3_client.c \
	src/s3/s3_conf.c src/s3/s3_conf.h \
	src/s3/s3_copy.c \
	src/s3/s3_creds.c src/s3/s3_creds.h \
	src/s3/s3_customer.c src/s3/s3_customer.h \
	src/s3/s3_delete.c \
	src/s3/s3_env.c src/s3/s3_env.h \
	src/s3/s3_errcode.c src/s3/s3_errcode.h \
	src/s3/s3_fetch.c src/s3/s3_fetch.h \
	src/s3/s3_fetch_container.c \
	src/s3/s3_fetch_instance.c \
	src/s3/s3_fetch_json.c \
	src/s3/s3_fetch_process.c \
	src/s3/s3_fetch_sso.c \
	src/s3/s3_fetch_sts.c \
	src/s3/s3_ini.c src/s3/s3_ini.h \
	src/s3/s3_int.h \
	src/s3/s3_lacks.c src/s3/s3_lacks.h \
	src/s3/s3_list.c \
	src/s3/s3_made.c src/s3/s3_made.h \
	src/s3/s3_meta.c \
	src/s3/s3_multipart.c \
	src/s3/s3_object.c \
	src/s3/s3_op.c \
	src/s3/s3_pin.c src/s3/s3_pin.h \
	src/s3/s3_profile.c src/s3/s3_profile.h \
	src/s3/s3_provider.c src/s3/s3_provider.h \
	src/s3/s3_retry.c \
	src/s3/s3_sign.c src/s3/s3_sign.h \
	src/s3/s3_source.c src/s3/s3_source.h \
	src/s3/s3_sum.c src/s3/s3_sum.h \
	src/s3/s3_tagging.c \
	src/s3/s3_uri.c src/s3/s3_uri.h \
	src/s3/s3_value.c src/s3/s3_value.h \
	src/s3/s3_versions.c \
	src/s3/s3_words.c src/s3/s3_words.h \
	src/s3/s3_xml.h \
	src/s3/s3_xml_buckets.c \
	src/s3/s3_xml_build.c \
	src/s3/s3_xml_list.c \
	src/s3/s3_xml_reply.c \
	src/s3/s3_xml_sax.c src/s3/s3_xml_sax.h \
	src/s3/s3_xml_sts.c \
	src/s3/s3_xml_versions.c
