// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Nothing here sets errno: MicroPython brings its own numbers (py/mperrno.h).
#ifndef LIBC_ERRNO_H
#define LIBC_ERRNO_H

#endif // LIBC_ERRNO_H
