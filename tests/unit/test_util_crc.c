/* Checks of util/crc.h. "speed" as argument measures them and what else a body is summed with. */
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/clk.h"
#include "util/crc.h"
#include "util/mem.h"
#include "util/rng.h"

static void check(enum crc_kind kind, const char *data, size_t len, uint64_t want)
{
	assert_int_equal(crc_add(kind, 0, BYTES(data, len)), want);
}

/* RFC 3720, B.4; the bytes there are the check's, the lowest first. */
static void test_rfc_3720(void **state)
{
	static const unsigned char pdu[48] = {0x01,
		0xc0, [16] = 0x14, [22] = 0x04, [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02};
	char data[32];
	int i;

	(void)state;
	memset(data, 0, sizeof(data));
	check(CRC_32C, data, sizeof(data), 0x8a9136aa);
	memset(data, 0xff, sizeof(data));
	check(CRC_32C, data, sizeof(data), 0x62a8ab43);
	for (i = 0; i < 32; i++)
		data[i] = (char)i;
	check(CRC_32C, data, sizeof(data), 0x46dd794e);
	for (i = 0; i < 32; i++)
		data[i] = (char)(31 - i);
	check(CRC_32C, data, sizeof(data), 0x113fdb5c);
	check(CRC_32C, (const char *)pdu, sizeof(pdu), 0xd9963a56);
}

/* NVM Command Set Specification, "64b CRC Test Cases". */
static void test_nvme(void **state)
{
	char data[4096];
	int i;

	(void)state;
	memset(data, 0, sizeof(data));
	check(CRC_64NVME, data, sizeof(data), 0x6482d367eb22b64e);
	memset(data, 0xff, sizeof(data));
	check(CRC_64NVME, data, sizeof(data), 0xc0ddba7302eca3ac);
	for (i = 0; i < 4096; i++)
		data[i] = (char)i;
	check(CRC_64NVME, data, sizeof(data), 0x3e729f5f6750449c);
	for (i = 0; i < 4096; i++)
		data[i] = (char)(255 - i);
	check(CRC_64NVME, data, sizeof(data), 0x9a2df64b8e9e517e);
}

/* The check values of "Catalogue of parametrised CRC algorithms" (G. Cook), and of nothing. */
static void test_catalogue(void **state)
{
	(void)state;
	check(CRC_32, "123456789", 9, 0xcbf43926);
	check(CRC_32C, "123456789", 9, 0xe3069283);
	check(CRC_64NVME, "123456789", 9, 0xae8b14860a799888);
	check(CRC_32, "", 0, 0);
	check(CRC_32C, "", 0, 0);
	check(CRC_64NVME, "", 0, 0);
}

static uint64_t by_bit(uint64_t polynomial, uint64_t ones, const char *p, size_t len)
{
	uint64_t c = ones;
	size_t i;
	int k;

	for (i = 0; i < len; i++) {
		c ^= (unsigned char)p[i];
		for (k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ polynomial : c >> 1;
	}
	return c ^ ones;
}

/* In pieces, at every alignment, of every length: as bit by bit. */
static void test_pieces(void **state)
{
	static const uint64_t polynomials[] = {0xedb88320, 0x82f63b78, 0x9a6c9329ac4bc9b5};
	struct rng rng = {.state = (uint64_t)clk_wall_ms()};
	char data[300];
	size_t i, kind, round;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)rng.state);
	for (i = 0; i < sizeof(data); i++)
		data[i] = (char)rng_below(&rng, 256);
	for (round = 0; round < 3000; round++) {
		size_t from = rng_below(&rng, 20), len = rng_below(&rng, sizeof(data) - 20);
		size_t first = len ? rng_below(&rng, len) : 0;

		for (kind = 0; kind < 3; kind++) {
			uint64_t ones = kind == CRC_64NVME ? UINT64_MAX : UINT32_MAX, crc;

			crc = crc_add((enum crc_kind)kind, 0, BYTES(data + from, first));
			crc = crc_add(
				(enum crc_kind)kind, crc, BYTES(data + from + first, len - first));
			assert_int_equal(crc, by_bit(polynomials[kind], ones, data + from, len));
		}
	}
}

/* ---- how fast ---- */

#define SPEED_BYTES ((size_t)8 << 20)
#define SPEED_ROUNDS 50

static void tell(const char *name, int64_t start_ms)
{
	int64_t ms = clk_mono_ms() - start_ms;

	printf("%-10s %6lld MB/s\n", name,
		(long long)(SPEED_ROUNDS * (int64_t)SPEED_BYTES / 1000 / (ms ? ms : 1)));
}

static int speed(void)
{
	static const char *const names[] = {"CRC32", "CRC32C", "CRC64NVME"};
	static const char *const digests[] = {"MD5", "SHA1", "SHA256"};
	char *data = mem_calloc(1, SPEED_BYTES);
	unsigned char digest[EVP_MAX_MD_SIZE];
	int64_t start_ms;
	size_t i, round;

	memset(data, 'x', SPEED_BYTES);
	for (i = 0; i < 3; i++) {
		start_ms = clk_mono_ms();
		for (round = 0; round < SPEED_ROUNDS; round++)
			data[0] = (char)crc_add((enum crc_kind)i, 0, BYTES(data, SPEED_BYTES));
		tell(names[i], start_ms);
	}
	for (i = 0; i < 3; i++) {
		start_ms = clk_mono_ms();
		for (round = 0; round < SPEED_ROUNDS; round++)
			EVP_Digest(data, SPEED_BYTES, digest, NULL,
				EVP_get_digestbyname(digests[i]), NULL);
		tell(digests[i], start_ms);
	}
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc_3720),
		cmocka_unit_test(test_nvme),
		cmocka_unit_test(test_catalogue),
		cmocka_unit_test(test_pieces),
	};

	if (argc > 1 && !strcmp(argv[1], "speed"))
		return speed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
