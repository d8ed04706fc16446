bin_PROGRAMS += s3bulkfs
s3bulkfs_CPPFLAGS = $(AM_CPPFLAGS) $(CJSON_CFLAGS)
s3bulkfs_SOURCES = src/cli/main.c src/cli/opts.c src/cli/opts.h src/cli/opts_int.h \
	src/cli/opts_mount.c src/cli/opts_object.c src/cli/opts_version.c \
	src/cli/buckets.c src/cli/buckets.h \
	src/cli/process.c src/cli/process.h \
	src/cli/remains.c src/cli/remains.h \
	src/cli/share.h \
	src/cli/share_client.c \
	src/cli/share_server.c \
	src/cli/share_wire.c \
	src/cli/volume.c src/cli/volume.h \
	src/cli/ctl_dir.c src/cli/ctl_dir.h \
	src/cli/ctl_int.h \
	src/cli/ctl_request.c \
	src/cli/ctl_text.c src/cli/ctl_text.h \
	src/cli/ctl_server.c src/cli/ctl_server.h
s3bulkfs_LDADD = \
	src/fuse/libfs.a src/ns/libns.a src/bulk/libbulk.a src/s3/libs3.a src/http/libhttp.a \
	src/util/libutil.a \
	$(FUSE_LIBS) $(CURL_LIBS) $(XML_LIBS) $(CRYPTO_LIBS) $(CJSON_LIBS)

bin_PROGRAMS += s3bulkfsctl
s3bulkfsctl_CPPFLAGS = $(AM_CPPFLAGS) $(CJSON_CFLAGS)
s3bulkfsctl_SOURCES = \
	src/cli/ctl_client.c src/cli/ctl_client.h \
	src/cli/ctl_dir.c src/cli/ctl_dir.h \
	src/cli/ctl_end.c \
	src/cli/ctl_main.c \
	src/cli/ctl_run.c \
	src/cli/ctl_show.c src/cli/ctl_show.h \
	src/cli/ctl_text.c src/cli/ctl_text.h
s3bulkfsctl_LDADD = src/util/libutil.a $(CJSON_LIBS)
