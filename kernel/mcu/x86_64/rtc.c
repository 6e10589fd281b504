// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The real time clock of the PC/AT (Motorola MC146818A data sheet).

#include <stdint.h>

#include "py/mpconfig.h"

#include "cpu.h"
#include "rtc.h"

#define RTC_INDEX        0x70
#define RTC_DATA         0x71

#define REG_SECONDS      0x00
#define REG_MINUTES      0x02
#define REG_HOURS        0x04
#define REG_WEEKDAY      0x06 // 1 is Sunday
#define REG_DAY          0x07
#define REG_MONTH        0x08
#define REG_YEAR         0x09 // of the century
#define REG_A            0x0a
#define REG_B            0x0b

#define A_UPDATING       0x80
#define B_24_HOURS       0x02
#define B_BINARY         0x04
#define B_SET            0x80 // no updates
#define HOURS_PM         0x80

#define CENTURY          (RTC_YEAR_MIN)

// An update takes 2 ms, one read of a port about a microsecond.
#define UPDATE_TRIES     20000
// An update that begins during a read spoils that read; they are a second apart.
#define READ_TRIES       2

static uint8_t get(uint8_t reg) {
    cpu_outb(RTC_INDEX, reg);
    return cpu_inb(RTC_DATA);
}

static void put(uint8_t reg, uint8_t value) {
    cpu_outb(RTC_INDEX, reg);
    cpu_outb(RTC_DATA, value);
}

static uint8_t decode(uint8_t value, bool binary) {
    return binary ? value : (uint8_t)((value >> 4) * 10 + (value & 15));
}

static uint8_t encode(uint8_t value, bool binary) {
    return binary ? value : (uint8_t)((value / 10) << 4 | value % 10);
}

static void read(timeutils_struct_time_t *tm) {
    for (int i = 0; i < UPDATE_TRIES && get(REG_A) & A_UPDATING; ++i) {
        cpu_pause();
    }
    uint8_t status = get(REG_B);
    bool binary = status & B_BINARY;
    uint8_t hours = get(REG_HOURS);
    tm->tm_hour = decode(hours & (uint8_t) ~HOURS_PM, binary);
    if (!(status & B_24_HOURS)) {
        tm->tm_hour = (uint8_t)(tm->tm_hour % 12 + (hours & HOURS_PM ? 12 : 0));
    }
    tm->tm_year = (uint16_t)(CENTURY + decode(get(REG_YEAR), binary));
    tm->tm_mon = decode(get(REG_MONTH), binary);
    tm->tm_mday = decode(get(REG_DAY), binary);
    tm->tm_min = decode(get(REG_MINUTES), binary);
    tm->tm_sec = decode(get(REG_SECONDS), binary);
}

bool rtc_valid(const timeutils_struct_time_t *tm) {
    return tm->tm_year >= RTC_YEAR_MIN && tm->tm_year <= RTC_YEAR_MAX
           && tm->tm_mon >= 1 && tm->tm_mon <= 12
           && tm->tm_mday >= 1 && tm->tm_mday <= timeutils_days_in_month(tm->tm_year, tm->tm_mon)
           && tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec < 60;
}

bool rtc_read(timeutils_struct_time_t *tm) {
    for (int i = 0; i < READ_TRIES; ++i) {
        read(tm);
        if (rtc_valid(tm) && decode(get(REG_SECONDS), get(REG_B) & B_BINARY) == tm->tm_sec) {
            break;
        }
    }
    return rtc_valid(tm);
}

void rtc_write(const timeutils_struct_time_t *tm) {
    uint8_t status = get(REG_B);
    bool binary = status & B_BINARY;
    put(REG_B, status | B_SET | B_24_HOURS);
    put(REG_SECONDS, encode(tm->tm_sec, binary));
    put(REG_MINUTES, encode(tm->tm_min, binary));
    put(REG_HOURS, encode(tm->tm_hour, binary));
    put(REG_WEEKDAY, (uint8_t)((timeutils_calc_weekday(tm->tm_year, tm->tm_mon, tm->tm_mday) + 1) % 7 + 1));
    put(REG_DAY, encode(tm->tm_mday, binary));
    put(REG_MONTH, encode(tm->tm_mon, binary));
    put(REG_YEAR, encode((uint8_t)(tm->tm_year - CENTURY), binary));
    put(REG_B, (status & (uint8_t) ~B_SET) | B_24_HOURS);
}
