noinst_LIBRARIES += src/http/libhttp.a
src_http_libhttp_a_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS)
src_http_libhttp_a_SOURCES = \
	src/http/http.h \
	src/http/http_engine.c \
	src/http/http_header.c \
	src/http/http_int.h \
	src/http/http_lane.c \
	src/http/http_thread.c \
	src/http/http_transfer.c
