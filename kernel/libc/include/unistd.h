// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef LIBC_UNISTD_H
#define LIBC_UNISTD_H

#include <stdint.h>

#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2

typedef intptr_t ssize_t;

#endif // LIBC_UNISTD_H
