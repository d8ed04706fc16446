/*
 * A fuzz target is one file with LLVMFuzzerTestOneInput. In `make fuzz` libFuzzer drives it; in
 * `make check` fuzz_main.c replays its corpus with any compiler.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold for every input; stays in builds with NDEBUG. */
#define FUZZ_REQUIRE(condition)   \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

#endif
