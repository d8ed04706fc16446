EXTRA_PROGRAMS += bench/nullfs
bench_nullfs_SOURCES = bench/nullfs.c
bench_nullfs_CPPFLAGS = $(AM_CPPFLAGS) $(FUSE_CFLAGS)
bench_nullfs_LDADD = $(FUSE_LIBS)
CLEANFILES += bench/nullfs$(EXEEXT)

EXTRA_DIST += bench/run bench/article.py bench/measure.py bench/window.py

# Prints one table; nothing here is a test, and no time is compared with a limit that fails.
bench: all bench/nullfs$(EXEEXT)
	BUILD_DIR=$(abs_top_builddir) $(top_srcdir)/bench/run
.PHONY: bench
