// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Time: the processor's counter, which never stops, and a date to count from.

#include <stddef.h>

#include "py/mpconfig.h"

#include "boot/limine.h"
#include "clock.h"
#include "cpu.h"
#include "requests.h"
#include "rtc.h"

#define NS_PER_S UINT64_C(1000000000)

static uint64_t ticks_hz;
static uint64_t ticks_start;
static uint64_t ns_per_tick_32; // fixed point, 32 fraction bits
static uint64_t unix_ns_start;

static uint64_t rtc_seconds(void) {
    timeutils_struct_time_t tm;
    if (!rtc_read(&tm)) {
        return 0;
    }
    return timeutils_seconds_since_epoch(tm.tm_year, tm.tm_mon, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void clock_init(void) {
    ticks_start = cpu_ticks();
    const struct limine_date_at_boot_response *date = requests_response(REQUEST_DATE_AT_BOOT);
    unix_ns_start = (date != NULL ? (uint64_t)date->timestamp : rtc_seconds()) * NS_PER_S;
    ticks_hz = clock_measure_hz();
    ns_per_tick_32 = (NS_PER_S << 32) / ticks_hz;
}

uint64_t clock_ticks_hz(void) {
    return ticks_hz;
}

uint64_t clock_ns(void) {
    return (uint64_t)((unsigned __int128)(cpu_ticks() - ticks_start) * ns_per_tick_32 >> 32);
}

uint64_t clock_unix_ns(void) {
    return unix_ns_start + clock_ns();
}

void clock_set_unix_ns(uint64_t ns) {
    unix_ns_start = ns - clock_ns();
}
