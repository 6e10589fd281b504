// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The rate of the time stamp counter (TSC), measured against the timer of known
// rate (PIT).

#include "clock.h"
#include "cpu.h"
#include "pit.h"

// The gate of PIT channel 2, and its output (IBM PC/AT technical reference).
#define SYSTEM_CONTROL      0x61
#define SYSTEM_GATE2        0x01
#define SYSTEM_SPEAKER      0x02
#define SYSTEM_OUT2         0x20

#define CALIBRATION_HZ      100  // each measurement lasts a hundredth of a second
#define CALIBRATION_RUNS    3
// Without a PIT a measurement ends after this many TSC ticks, over a second on most machines.
#define CALIBRATION_LIMIT   (UINT64_C(1) << 32)
#define TSC_HZ_FALLBACK     UINT64_C(1000000000)

// TSC ticks in 1/CALIBRATION_HZ s, or 0 without a PIT.
static uint64_t measure(void) {
    const uint16_t count = PIT_HZ / CALIBRATION_HZ;
    uint8_t control = cpu_inb(SYSTEM_CONTROL) & (uint8_t) ~SYSTEM_SPEAKER;
    cpu_outb(SYSTEM_CONTROL, control | SYSTEM_GATE2);
    cpu_outb(PIT_COMMAND, PIT_CH2_MODE0);
    cpu_outb(PIT_CHANNEL2, count & 0xff);
    cpu_outb(PIT_CHANNEL2, count >> 8);
    uint64_t start = cpu_rdtsc();
    while (!(cpu_inb(SYSTEM_CONTROL) & SYSTEM_OUT2)) {
        if (cpu_rdtsc() - start > CALIBRATION_LIMIT) {
            return 0;
        }
    }
    return cpu_rdtsc() - start;
}

// Delays lengthen a measurement and never shorten it: the shortest is the most exact.
uint64_t clock_measure_hz(void) {
    uint64_t best = 0;
    for (int i = 0; i < CALIBRATION_RUNS; ++i) {
        uint64_t ticks = measure();
        if (ticks == 0) {
            return TSC_HZ_FALLBACK;
        }
        if (best == 0 || ticks < best) {
            best = ticks;
        }
    }
    return best * CALIBRATION_HZ;
}
