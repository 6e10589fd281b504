// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef KERNEL_MACHINE_MEM64_H
#define KERNEL_MACHINE_MEM64_H

#include "py/obj.h"

extern const mp_obj_base_t machine_mem64_obj;

#endif // KERNEL_MACHINE_MEM64_H
