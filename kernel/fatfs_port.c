// SPDX-License-Identifier: MIT OR Apache-2.0

#include "lib/oofatfs/ff.h"
#include "py/mphal.h"
#include "shared/timeutils/timeutils.h"

// FAT keeps years from 1980 on and two-second steps (FAT32 specification 1.03, "Date and Time Formats").
DWORD get_fattime(void) {
    timeutils_struct_time_t tm;
    timeutils_seconds_since_epoch_to_struct_time(mp_hal_time_ns() / 1000000000, &tm);
    return (DWORD)(tm.tm_year - 1980) << 25 | (DWORD)tm.tm_mon << 21 | (DWORD)tm.tm_mday << 16
           | (DWORD)tm.tm_hour << 11 | (DWORD)tm.tm_min << 5 | (DWORD)tm.tm_sec >> 1;
}
