// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The date at boot, from the battery-backed clock.  Motorola MC146818A data sheet; register 0x32 as in ACPI's CENTURY.

#include "cpu.h"
#include "direct.h"

#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71
#define NMI_DISABLED 0x80

enum { SECONDS = 0x00, MINUTES = 0x02, HOURS = 0x04, DAY = 0x07, MONTH = 0x08, YEAR = 0x09, CENTURY = 0x32 };
#define STATUS_A 0x0a
#define UPDATE_IN_PROGRESS 0x80
#define STATUS_B 0x0b
#define BINARY_MODE 0x04
#define HOURS_24 0x02
#define HOURS_PM 0x80

// An update lasts 2 ms at most; a read of the port takes far less than 1 us even where it is emulated slowly.
#define UPDATE_POLLS 100000
#define READ_TRIES 10

struct date {
    uint8_t second, minute, hour, day, month, year, century;
};

static uint8_t cmos(uint8_t index) {
    outb(CMOS_INDEX, NMI_DISABLED | index);
    return inb(CMOS_DATA);
}

static struct date read_date(void) {
    for (int i = 0; i < UPDATE_POLLS && cmos(STATUS_A) & UPDATE_IN_PROGRESS; ++i) {
    }
    return (struct date) {
        cmos(SECONDS), cmos(MINUTES), cmos(HOURS), cmos(DAY), cmos(MONTH), cmos(YEAR), cmos(CENTURY),
    };
}

// Reads until two readings are equal, since an update may begin between two registers.
static struct date read_settled(void) {
    struct date date = read_date();
    for (int i = 0; i < READ_TRIES; ++i) {
        struct date again = read_date();
        if (!memcmp(&date, &again, sizeof(date))) {
            break;
        }
        date = again;
    }
    return date;
}

static unsigned int from_bcd(uint8_t value) {
    return (value >> 4) * 10 + (value & 0x0f);
}

// Days from 1970-01-01; years counted from March, so that a leap day comes last.
static int64_t days_since_1970(unsigned int year, unsigned int month, unsigned int day) {
    unsigned int months = (month + 9) % 12;
    unsigned int years = year - months / 10;
    unsigned int of_year = (months * 153 + 2) / 5 + day - 1;
    return (int64_t)years * 365 + years / 4 - years / 100 + years / 400 + of_year - 719468;
}

int64_t clock_unix_time(void) {
    struct date date = read_settled();
    uint8_t mode = cmos(STATUS_B);
    bool afternoon = !(mode & HOURS_24) && date.hour & HOURS_PM;
    date.hour &= (uint8_t)~(mode & HOURS_24 ? 0 : HOURS_PM);

    uint8_t *field = &date.second;
    if (!(mode & BINARY_MODE)) {
        for (size_t i = 0; i < sizeof(date); ++i) {
            field[i] = (uint8_t)from_bcd(field[i]);
        }
    }
    unsigned int hour = mode & HOURS_24 ? date.hour : date.hour % 12 + (afternoon ? 12 : 0);
    unsigned int year = (date.century >= 19 && date.century <= 29 ? date.century : 20) * 100 + date.year;
    return ((days_since_1970(year, date.month, date.day) * 24 + hour) * 60 + date.minute) * 60 + date.second;
}
