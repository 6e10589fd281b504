// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The rate of the time stamp counter (TSC), measured against the timer of known
// rate (PIT), and the real time clock.

#include <stdbool.h>

#include "py/mpconfig.h"
#include "shared/timeutils/timeutils.h"

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

// CMOS real time clock (Motorola MC146818A data sheet).
#define RTC_INDEX           0x70
#define RTC_DATA            0x71
#define RTC_SECONDS         0x00
#define RTC_MINUTES         0x02
#define RTC_HOURS           0x04
#define RTC_DAY             0x07
#define RTC_MONTH           0x08
#define RTC_YEAR            0x09
#define RTC_STATUS_A        0x0a
#define RTC_STATUS_B        0x0b
#define RTC_A_UPDATING      0x80
#define RTC_B_24_HOURS      0x02
#define RTC_B_BINARY        0x04
#define RTC_HOURS_PM        0x80
// An update takes 2 ms, one read of a port about a microsecond.
#define RTC_UPDATE_TRIES    20000

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

static uint8_t rtc_read(uint8_t index) {
    cpu_outb(RTC_INDEX, index);
    return cpu_inb(RTC_DATA);
}

static unsigned int rtc_value(uint8_t value, bool binary) {
    return binary ? value : (value >> 4) * 10u + (value & 15);
}

uint64_t clock_read_rtc(void) {
    for (int i = 0; i < RTC_UPDATE_TRIES && rtc_read(RTC_STATUS_A) & RTC_A_UPDATING; ++i) {
        cpu_pause();
    }
    uint8_t status_b = rtc_read(RTC_STATUS_B);
    bool binary = status_b & RTC_B_BINARY;
    uint8_t raw_hours = rtc_read(RTC_HOURS);
    unsigned int hours = rtc_value(raw_hours & (uint8_t) ~RTC_HOURS_PM, binary);
    if (!(status_b & RTC_B_24_HOURS)) {
        hours = hours % 12 + (raw_hours & RTC_HOURS_PM ? 12 : 0);
    }
    return timeutils_seconds_since_epoch(2000 + rtc_value(rtc_read(RTC_YEAR), binary),
        rtc_value(rtc_read(RTC_MONTH), binary), rtc_value(rtc_read(RTC_DAY), binary), hours,
        rtc_value(rtc_read(RTC_MINUTES), binary), rtc_value(rtc_read(RTC_SECONDS), binary));
}
