// SPDX-License-Identifier: MIT OR Apache-2.0
//
// How the kernel ends.
#ifndef KERNEL_POWER_H
#define KERNEL_POWER_H

#include "py/mpconfig.h"

// What the machine's end tells the host; QEMU's exit status is (code << 1) | 1.
#define EXIT_OK     0
#define EXIT_FAIL   1
#define EXIT_PANIC  2
#define EXIT_FAULT  3

// Sends what has been printed and ends the machine.
NORETURN void power_exit(int code);

// In the processor's folder: ends the machine with the code, and where no
// device takes one by a reset.
NORETURN void power_off(int code);

#endif // KERNEL_POWER_H
