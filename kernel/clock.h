// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef KERNEL_CLOCK_H
#define KERNEL_CLOCK_H

#include <stdint.h>

// Measures the rate of cpu_ticks() and takes the date from the loader or, when
// it gave none, from the real time clock; without either it is 1970-01-01.
void clock_init(void);

// Ticks of cpu_ticks() a second, as measured by clock_init().
uint64_t clock_ticks_hz(void);

// Nanoseconds since clock_init().
uint64_t clock_ns(void);

// Nanoseconds since 1970-01-01 00:00:00 UTC.
uint64_t clock_unix_ns(void);

// Has clock_unix_ns() count from this time on.
void clock_set_unix_ns(uint64_t ns);

// In the processor's folder: the ticks of cpu_ticks() a second.
uint64_t clock_measure_hz(void);

#endif // KERNEL_CLOCK_H
