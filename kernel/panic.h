// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

#include "py/mpconfig.h"

// Prints "panic: " and one line, and ends the machine with EXIT_PANIC.
NORETURN void panic(const char *format, ...);

#endif // KERNEL_PANIC_H
