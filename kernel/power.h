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

// Sends what has been printed and ends the machine with this code; where no
// device takes one, restarts it.  But after a panic or a fault a machine with a
// screen stops, so that the text can be read.
NORETURN void power_exit(int code);

// In the processor's folder: end QEMU with this code, or do nothing where no
// device takes it; restart the machine by what every PC has.
void power_debug_exit(int code);
NORETURN void power_reset(void);

#endif // KERNEL_POWER_H
