/* The clocks. Tests that simulate time replace this file's functions by linking their own. */
#ifndef UTIL_CLK_H
#define UTIL_CLK_H

#include <stdint.h>

/* Milliseconds of the monotonic clock. Any thread. */
int64_t clk_mono_ms(void);
/* Milliseconds since 1970. Any thread. */
int64_t clk_wall_ms(void);

#endif
