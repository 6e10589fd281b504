// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Time: one counter that never stops (the TSC), its rate measured once against
// the timer of known rate (the PIT), and a date to count from.

#include <stdbool.h>
#include <stddef.h>

#include "py/mpconfig.h"
#include "shared/timeutils/timeutils.h"

#include "boot/limine.h"
#include "clock.h"
#include "cpu.h"
#include "requests.h"

#define NS_PER_S UINT64_C(1000000000)

// PIT channel 2, gated through the system control port (Intel 8254 data sheet;
// ports and rate as on the PC/AT).
#define PIT_HZ              1193182
#define PIT_CHANNEL2        0x42
#define PIT_COMMAND         0x43
#define PIT_CH2_MODE0       0xb0 // channel 2, low byte then high, interrupt on terminal count
#define SYSTEM_CONTROL      0x61
#define SYSTEM_GATE2        0x01
#define SYSTEM_SPEAKER      0x02
#define SYSTEM_OUT2         0x20

#define CALIBRATION_HZ      100  // each measurement lasts a hundredth of a second
#define CALIBRATION_RUNS    3
// No PIT ends a measurement after this many TSC ticks: over a second on most machines.
#define CALIBRATION_LIMIT   (UINT64_C(1) << 32)
#define TSC_HZ_FALLBACK     NS_PER_S

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
// An update takes 2 ms; one look at a port takes about a microsecond.
#define RTC_UPDATE_TRIES    20000

static uint64_t tsc_hz = TSC_HZ_FALLBACK;
static uint64_t tsc_start;
static uint64_t ns_per_tick_32; // fixed point, 32 fraction bits
static uint64_t unix_ns_start;

// TSC ticks in 1/CALIBRATION_HZ s, or 0 when the PIT never ends the wait.
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

// Delays only ever lengthen a measurement, so the shortest is the best.
static void calibrate(void) {
    uint64_t best = 0;
    for (int i = 0; i < CALIBRATION_RUNS; ++i) {
        uint64_t ticks = measure();
        if (ticks == 0) {
            return;
        }
        if (best == 0 || ticks < best) {
            best = ticks;
        }
    }
    tsc_hz = best * CALIBRATION_HZ;
}

static uint8_t rtc_read(uint8_t index) {
    cpu_outb(RTC_INDEX, index);
    return cpu_inb(RTC_DATA);
}

static unsigned int rtc_value(uint8_t value, bool binary) {
    return binary ? value : (value >> 4) * 10u + (value & 15);
}

static uint64_t rtc_unix_seconds(void) {
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

void clock_init(void) {
    tsc_start = cpu_rdtsc();
    const struct limine_date_at_boot_response *date = requests_response(REQUEST_DATE_AT_BOOT);
    uint64_t seconds = date != NULL ? (uint64_t)date->timestamp : rtc_unix_seconds();
    unix_ns_start = seconds * NS_PER_S;
    calibrate();
    ns_per_tick_32 = (NS_PER_S << 32) / tsc_hz;
}

uint64_t clock_tsc_hz(void) {
    return tsc_hz;
}

uint64_t clock_ns(void) {
    return (uint64_t)((unsigned __int128)(cpu_rdtsc() - tsc_start) * ns_per_tick_32 >> 32);
}

uint64_t clock_unix_ns(void) {
    return unix_ns_start + clock_ns();
}
