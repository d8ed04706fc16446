noinst_LIBRARIES += src/util/libutil.a
src_util_libutil_a_SOURCES = \
	src/util/base64.c src/util/base64.h \
	src/util/buf.c src/util/buf.h \
	src/util/bytes.h \
	src/util/clk.c src/util/clk.h \
	src/util/crc.c src/util/crc.h \
	src/util/hash.h \
	src/util/log.c src/util/log.h \
	src/util/loop.c src/util/loop.h \
	src/util/mem.c src/util/mem.h \
	src/util/mime.c src/util/mime.h \
	src/util/mountinfo.c src/util/mountinfo.h \
	src/util/rng.h \
	src/util/when.c src/util/when.h
