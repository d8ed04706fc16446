# Fuzz targets. `make check` replays their corpus; `make fuzz CC=clang` fuzzes each of them for
# FUZZ_SECONDS.
FUZZ_SECONDS = 60
fuzz_targets = addr ini xml
fuzz_tests = \
	tests/fuzz/replay_s3_addr \
	tests/fuzz/replay_s3_ini \
	tests/fuzz/replay_s3_xml
check_PROGRAMS += $(fuzz_tests)
TESTS += $(fuzz_tests)

fuzz_corpus = $(abs_top_srcdir)/tests/fuzz/corpus
fuzz_sources = tests/fuzz/fuzz_main.c tests/fuzz/fuzz.h
fuzz_ldadd = src/s3/libs3.a src/util/libutil.a $(XML_LIBS) $(CRYPTO_LIBS)

tests_fuzz_replay_s3_addr_SOURCES = tests/fuzz/fuzz_s3_addr.c $(fuzz_sources)
tests_fuzz_replay_s3_addr_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"$(fuzz_corpus)/addr"'
tests_fuzz_replay_s3_addr_LDADD = $(fuzz_ldadd)
tests_fuzz_replay_s3_ini_SOURCES = tests/fuzz/fuzz_s3_ini.c $(fuzz_sources)
tests_fuzz_replay_s3_ini_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"$(fuzz_corpus)/ini"'
tests_fuzz_replay_s3_ini_LDADD = $(fuzz_ldadd)
tests_fuzz_replay_s3_xml_SOURCES = tests/fuzz/fuzz_s3_xml.c $(fuzz_sources)
tests_fuzz_replay_s3_xml_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"$(fuzz_corpus)/xml"'
tests_fuzz_replay_s3_xml_LDADD = $(fuzz_ldadd)

EXTRA_DIST += tests/fuzz/corpus

# Findings and new corpus files stay in the build tree, in tests/fuzz/work.
fuzz:
	@for t in $(fuzz_targets); do \
		mkdir -p tests/fuzz/work/$$t && \
		$(CC) -g -O1 -fsanitize=fuzzer,address,undefined $(AM_CPPFLAGS) $(XML_CFLAGS) \
			-o tests/fuzz/fuzz_s3_$$t $(top_srcdir)/tests/fuzz/fuzz_s3_$$t.c \
			$(fuzz_code) $(XML_LIBS) $(CRYPTO_LIBS) && \
		tests/fuzz/fuzz_s3_$$t -max_total_time=$(FUZZ_SECONDS) \
			-artifact_prefix=tests/fuzz/work/ tests/fuzz/work/$$t $(fuzz_corpus)/$$t \
			|| exit 1; \
	done
fuzz_code = \
	$(top_srcdir)/src/s3/s3_addr.c \
	$(top_srcdir)/src/s3/s3_ini.c \
	$(top_srcdir)/src/s3/s3_uri.c \
	$(top_srcdir)/src/s3/s3_xml_list.c \
	$(top_srcdir)/src/s3/s3_xml_reply.c \
	$(top_srcdir)/src/s3/s3_xml_sax.c \
	$(top_srcdir)/src/util/buf.c \
	$(top_srcdir)/src/util/mem.c
.PHONY: fuzz
