// SPDX-License-Identifier: MIT OR Apache-2.0
//
// There is no malloc: MicroPython's heap is the only one.
#ifndef LIBC_STDLIB_H
#define LIBC_STDLIB_H

#include <stddef.h>

_Noreturn void abort(void);

#endif // LIBC_STDLIB_H
