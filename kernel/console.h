// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Output for fault reports and panics, straight to the serial port and the screen: it needs no
// Python state.
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include <stddef.h>

#include "py/mpprint.h"

extern const mp_print_t console_print;

// The formats are those of mp_printf().
void console_printf(const char *format, ...);

#endif // KERNEL_CONSOLE_H
