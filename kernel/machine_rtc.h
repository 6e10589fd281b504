// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef KERNEL_MACHINE_RTC_H
#define KERNEL_MACHINE_RTC_H

#include "py/obj.h"

extern const mp_obj_type_t machine_rtc_type;

#endif // KERNEL_MACHINE_RTC_H
