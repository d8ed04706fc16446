bin_PROGRAMS += s3bulkfs
s3bulkfs_SOURCES = src/cli/main.c src/cli/opts.c src/cli/opts.h
s3bulkfs_LDADD = \
	src/fuse/libfs.a src/ns/libns.a src/bulk/libbulk.a src/s3/libs3.a src/http/libhttp.a \
	src/util/libutil.a \
	$(FUSE_LIBS) $(CURL_LIBS) $(XML_LIBS) $(CRYPTO_LIBS)
