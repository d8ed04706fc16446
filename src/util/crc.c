/*
 * Checks: see crc.h. All three are reflected, with all ones before and after; eight bytes a step
 * through tables ("Slicing-by-8": Kounavis and Berry, "Novel Table Lookup-Based Algorithms for
 * High-Performance CRC Generation", 2008), CRC-32C by the instruction where there is one. The
 * tables are made once; they are all the state there is.
 */
#include "util/crc.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#ifdef __x86_64__
#include <nmmintrin.h>
#endif

#define KINDS 3

static const uint64_t polynomials[KINDS] = {0xedb88320, 0x82f63b78, 0x9a6c9329ac4bc9b5};
static const uint64_t ones[KINDS] = {UINT32_MAX, UINT32_MAX, UINT64_MAX};
static uint64_t tables[KINDS][8][256];
static bool has_instruction;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_table(uint64_t table[8][256], uint64_t polynomial)
{
	unsigned i, k;

	for (i = 0; i < 256; i++) {
		uint64_t v = i;

		for (k = 0; k < 8; k++)
			v = v & 1 ? v >> 1 ^ polynomial : v >> 1;
		table[0][i] = v;
	}
	for (k = 1; k < 8; k++)
		for (i = 0; i < 256; i++)
			table[k][i] = table[0][table[k - 1][i] & 255] ^ table[k - 1][i] >> 8;
}

static void prepare(void)
{
	unsigned i;

	for (i = 0; i < KINDS; i++)
		make_table(tables[i], polynomials[i]);
#ifdef __x86_64__
	has_instruction = __builtin_cpu_supports("sse4.2");
#endif
}

/* Eight bytes as a number, the first one lowest. */
static uint64_t load(const unsigned char *p)
{
	return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
	       (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
	       (uint64_t)p[7] << 56;
}

static uint64_t by_table(uint64_t t[8][256], uint64_t c, const unsigned char *p, size_t len)
{
	for (; len >= 8; p += 8, len -= 8) {
		c ^= load(p);
		c = t[7][c & 255] ^ t[6][c >> 8 & 255] ^ t[5][c >> 16 & 255] ^ t[4][c >> 24 & 255] ^
		    t[3][c >> 32 & 255] ^ t[2][c >> 40 & 255] ^ t[1][c >> 48 & 255] ^ t[0][c >> 56];
	}
	for (; len; p++, len--)
		c = t[0][(c ^ *p) & 255] ^ c >> 8;
	return c;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint64_t by_instruction(
	uint64_t c, const unsigned char *p, size_t len)
{
	for (; len >= 8; p += 8, len -= 8)
		c = _mm_crc32_u64(c, load(p));
	for (; len; p++, len--)
		c = _mm_crc32_u8((uint32_t)c, *p);
	return c;
}
#endif

uint64_t crc_add(enum crc_kind kind, uint64_t crc, struct bytes data)
{
	const unsigned char *p = (const unsigned char *)data.ptr;
	uint64_t c = crc ^ ones[kind];

	pthread_once(&once, prepare);
#ifdef __x86_64__
	if (kind == CRC_32C && has_instruction)
		return by_instruction(c, p, data.len) ^ ones[kind];
#endif
	return by_table(tables[kind], c, p, data.len) ^ ones[kind];
}
