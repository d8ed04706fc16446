/* The cyclic redundancy checks that S3 knows. Pure functions, any thread. */
#ifndef UTIL_CRC_H
#define UTIL_CRC_H

#include <stdint.h>

#include "util/bytes.h"

enum crc_kind {
	CRC_32,    /* of zlib and Ethernet */
	CRC_32C,   /* Castagnoli, RFC 3720 */
	CRC_64NVME /* NVM Express, "NVM Command Set Specification", 64b CRC */
};

/* The check of what had `crc` (0: nothing yet) with `data` behind it. */
uint64_t crc_add(enum crc_kind kind, uint64_t crc, struct bytes data);

#endif
