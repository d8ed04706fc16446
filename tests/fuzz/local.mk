# Fuzz targets. `make check` replays their corpora with any compiler; `make fuzz` fuzzes each of
# them for FUZZ_SECONDS with clang's libFuzzer (one: fuzz_targets=NAME).
FUZZ_SECONDS = 60
FUZZ_CC = clang
fuzz_targets = addr answers conf creds ctl headers ini meta name opts proc share xml
fuzz_tests = \
	tests/fuzz/fuzz_addr \
	tests/fuzz/fuzz_answers \
	tests/fuzz/fuzz_conf \
	tests/fuzz/fuzz_creds \
	tests/fuzz/fuzz_ctl \
	tests/fuzz/fuzz_headers \
	tests/fuzz/fuzz_ini \
	tests/fuzz/fuzz_meta \
	tests/fuzz/fuzz_name \
	tests/fuzz/fuzz_opts \
	tests/fuzz/fuzz_proc \
	tests/fuzz/fuzz_share \
	tests/fuzz/fuzz_xml
check_PROGRAMS += $(fuzz_tests)
TESTS += $(fuzz_tests)

fuzz_sources = tests/fuzz/fuzz_main.c tests/fuzz/fuzz.h
fuzz_opts_sources = src/cli/opts.c src/cli/opts_mount.c src/cli/opts_object.c \
	src/cli/opts_version.c src/cli/share_wire.c
fuzz_cppflags = $(AM_CPPFLAGS) $(CJSON_CFLAGS) $(CURL_CFLAGS)
fuzz_ldadd = src/s3/libs3.a src/http/libhttp.a src/util/libutil.a \
	$(CURL_LIBS) $(XML_LIBS) $(CRYPTO_LIBS) $(CJSON_LIBS)
fuzz_ns_ldadd = src/ns/libns.a src/bulk/libbulk.a $(fuzz_ldadd)

tests_fuzz_fuzz_addr_SOURCES = tests/fuzz/fuzz_addr.c $(fuzz_sources)
tests_fuzz_fuzz_addr_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_addr_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_answers_SOURCES = tests/fuzz/fuzz_answers.c $(fuzz_sources) \
	src/cli/ctl_client.c src/cli/ctl_dir.c src/cli/ctl_text.c
tests_fuzz_fuzz_answers_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_answers_LDADD = src/util/libutil.a $(CJSON_LIBS)
tests_fuzz_fuzz_conf_SOURCES = tests/fuzz/fuzz_conf.c $(fuzz_sources)
tests_fuzz_fuzz_conf_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_conf_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_creds_SOURCES = tests/fuzz/fuzz_creds.c $(fuzz_sources)
tests_fuzz_fuzz_creds_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_creds_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_ctl_SOURCES = tests/fuzz/fuzz_ctl.c $(fuzz_sources) \
	src/cli/ctl_request.c src/cli/ctl_text.c
tests_fuzz_fuzz_ctl_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_ctl_LDADD = $(fuzz_ns_ldadd)
tests_fuzz_fuzz_headers_SOURCES = tests/fuzz/fuzz_headers.c $(fuzz_sources)
tests_fuzz_fuzz_headers_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_headers_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_ini_SOURCES = tests/fuzz/fuzz_ini.c $(fuzz_sources)
tests_fuzz_fuzz_ini_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_ini_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_meta_SOURCES = tests/fuzz/fuzz_meta.c $(fuzz_sources)
tests_fuzz_fuzz_meta_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_meta_LDADD = $(fuzz_ns_ldadd)
tests_fuzz_fuzz_name_SOURCES = tests/fuzz/fuzz_name.c $(fuzz_sources)
tests_fuzz_fuzz_name_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_name_LDADD = $(fuzz_ns_ldadd)
tests_fuzz_fuzz_opts_SOURCES = tests/fuzz/fuzz_opts.c $(fuzz_sources) \
	$(fuzz_opts_sources)
tests_fuzz_fuzz_opts_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_opts_LDADD = $(fuzz_ns_ldadd)
tests_fuzz_fuzz_proc_SOURCES = tests/fuzz/fuzz_proc.c $(fuzz_sources)
tests_fuzz_fuzz_proc_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_proc_LDADD = $(fuzz_ns_ldadd)
tests_fuzz_fuzz_share_SOURCES = tests/fuzz/fuzz_share.c $(fuzz_sources) \
	$(fuzz_opts_sources)
tests_fuzz_fuzz_share_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_share_LDADD = $(fuzz_ns_ldadd)
tests_fuzz_fuzz_xml_SOURCES = tests/fuzz/fuzz_xml.c $(fuzz_sources)
tests_fuzz_fuzz_xml_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_xml_LDADD = $(fuzz_ldadd)

EXTRA_DIST += tests/fuzz/corpus

# Another build below this one, in which only what the targets need is made, for libFuzzer. What it
# finds, and its own corpus, stay there too.
fuzz_dir = tests/fuzz/build
fuzz_flags = -g -O1 -DFUZZ_LIBFUZZER -fno-omit-frame-pointer -fsanitize=address,undefined
fuzz:
	mkdir -p $(fuzz_dir)
	cd $(fuzz_dir) && { test -e config.status || \
		$(abs_top_srcdir)/configure --disable-hardening CC='$(FUZZ_CC)' CFLAGS= >configure.log; }
	@for t in $(fuzz_targets); do \
		$(MAKE) -C $(fuzz_dir) tests/fuzz/fuzz_$$t CFLAGS='$(fuzz_flags)' \
			SAN_CFLAGS=-fsanitize=fuzzer-no-link SAN_LDFLAGS=-fsanitize=fuzzer && \
		mkdir -p $(fuzz_dir)/found/$$t && \
		(cd $(fuzz_dir) && UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
			tests/fuzz/fuzz_$$t -max_total_time=$(FUZZ_SECONDS) -timeout=10 \
			-artifact_prefix=found/$$t- found/$$t \
			$(abs_top_srcdir)/tests/fuzz/corpus/$$t) || exit 1; \
	done
.PHONY: fuzz
