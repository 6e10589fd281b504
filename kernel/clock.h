// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef KERNEL_CLOCK_H
#define KERNEL_CLOCK_H

#include <stdint.h>

// Measures the time stamp counter against the PIT and takes the date from the
// loader or, failing that, from the real time clock.
void clock_init(void);

// Time stamp counter ticks a second, as measured by clock_init().
uint64_t clock_tsc_hz(void);

// Nanoseconds since clock_init().
uint64_t clock_ns(void);

// Nanoseconds since 1970-01-01 00:00:00 UTC.
uint64_t clock_unix_ns(void);

#endif // KERNEL_CLOCK_H
