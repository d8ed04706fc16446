/* uthash, whose tables come from util/mem.h: its own answer to a failed malloc is exit(). */
#ifndef UTIL_HASH_H
#define UTIL_HASH_H

#include "util/mem.h"

#define uthash_malloc(size) mem_lib_malloc(size)
#define uthash_fatal(text) mem_used_up()

#include <uthash.h>

#endif
