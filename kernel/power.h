// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Ways for the kernel to end.
#ifndef KERNEL_POWER_H
#define KERNEL_POWER_H

#include "py/mpconfig.h"

// Written to QEMU's isa-debug-exit device, whose process then ends with the
// status (code << 1) | 1.
#define EXIT_OK     0
#define EXIT_FAIL   1
#define EXIT_PANIC  2
#define EXIT_FAULT  3

// Ends the machine: by isa-debug-exit, and where there is none by a reset.
NORETURN void power_exit(int code);

#endif // KERNEL_POWER_H
