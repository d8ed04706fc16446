/* Fuzz target for the AWS configuration files. */
#include "fuzz.h"

#include <string.h>

#include "s3/s3_ini.h"
#include "util/mem.h"

static void note(
	void *ctx, const char *section, const char *parent, const char *name, const char *value)
{
	size_t *seen = ctx;

	FUZZ_REQUIRE(section && name && value && name[0]);
	*seen += strlen(section) + strlen(name) + strlen(value) + (parent ? strlen(parent) : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_dup(data, size);
	char why[200] = "";
	size_t seen = 0;

	if (!s3_ini_parse(text, size, "file", note, &seen, why, sizeof(why)))
		FUZZ_REQUIRE(why[0]);
	free(text);
	return 0;
}
