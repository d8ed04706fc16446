/*
 * Fuzz target for the names that keys are shown by, and for ETags in their compact form. Both come
 * back as they were; no name is one that a path cannot have.
 */
#include "fuzz.h"

#include "ns/ns_int.h"

static void check_component(struct bytes c, bool beside)
{
	struct buf name = BUF_INIT(c.len * 3 + 8), back = BUF_INIT(c.len * 3 + 8);

	name_encode(c, beside, &name);
	FUZZ_REQUIRE(!name.failed && name.len);
	FUZZ_REQUIRE(!memchr(name.ptr, '\0', name.len) && !memchr(name.ptr, '/', name.len));
	FUZZ_REQUIRE(strcmp(buf_str(&name), ".") != 0 && strcmp(buf_str(&name), "..") != 0);
	FUZZ_REQUIRE(name_decode(buf_bytes(&name), &back));
	FUZZ_REQUIRE(!back.failed && bytes_equal(buf_bytes(&back), c));
	buf_free(&name);
	buf_free(&back);
}

/* What a program calls a file: two names never stand for the same key, but beside a directory. */
static void check_name(struct bytes name)
{
	struct buf key = BUF_INIT(name.len + 8), again = BUF_INIT(name.len * 3 + 8);
	bool beside = bytes_starts(name, BYTES_LIT("%="));

	if (name_decode(name, &key)) {
		FUZZ_REQUIRE(!key.failed && key.len <= name.len);
		name_encode(buf_bytes(&key), beside, &again);
		FUZZ_REQUIRE(!again.failed);
		FUZZ_REQUIRE(bytes_equal(buf_bytes(&again), name));
	}
	buf_free(&key);
	buf_free(&again);
}

static void check_etag(struct bytes text)
{
	struct etag e = {0}, copy = {0};
	char out[64];

	etag_set(&e, text);
	etag_copy(&copy, &e);
	FUZZ_REQUIRE(etag_equal(&e, &copy));
	if (e.form && !memchr(text.ptr, '\0', text.len))
		FUZZ_REQUIRE(bytes_equal(etag_text(&e, out), text));
	etag_free(&e);
	etag_free(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = BYTES((const char *)data, size);

	check_etag(in);
	/* The kernel gives no name with either, and a component ends at a slash. */
	if (size && memchr(data, '/', size))
		return 0;
	check_component(in, false);
	check_component(in, true);
	if (size && !memchr(data, '\0', size))
		check_name(in);
	return 0;
}
