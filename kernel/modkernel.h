// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef KERNEL_MODKERNEL_H
#define KERNEL_MODKERNEL_H

#include <stdint.h>

#include "py/obj.h"

// Bounds of the loaded image, from the linker script.
extern char kernel_text_start[], kernel_text_end[];
extern char kernel_rodata_start[], kernel_rodata_end[];
extern char kernel_data_start[], kernel_data_end[];
extern char kernel_native_start[], kernel_native_end[];
extern char kernel_stack_guard[], kernel_stack_bottom[], kernel_stack_top[];

extern const mp_obj_type_t mp_type_AccessFault;

// Raises AccessFault(EFAULT, "ACCESS of vADDRESS: CAUSE", address).
NORETURN void kernel_raise_access_fault(uintptr_t address_virt, const char *access, const char *cause);

#endif // KERNEL_MODKERNEL_H
