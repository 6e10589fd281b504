// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The clock that runs while the machine is off.  All of this is in the processor's folder.
#ifndef KERNEL_RTC_H
#define KERNEL_RTC_H

#include <stdbool.h>

#include "shared/timeutils/timeutils.h"

// The years that it can hold.
#define RTC_YEAR_MIN 2000
#define RTC_YEAR_MAX 2099

// Whether this is a date and a time of day that the clock can hold.
bool rtc_valid(const timeutils_struct_time_t *tm);

// Reads the clock, in UTC, without the days of the week and of the year; false if there is none.
bool rtc_read(timeutils_struct_time_t *tm);

// Sets the clock to a valid date and time.
void rtc_write(const timeutils_struct_time_t *tm);

#endif // KERNEL_RTC_H
