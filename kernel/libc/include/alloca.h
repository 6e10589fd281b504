// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef LIBC_ALLOCA_H
#define LIBC_ALLOCA_H

#define alloca(size) __builtin_alloca(size)

#endif // LIBC_ALLOCA_H
