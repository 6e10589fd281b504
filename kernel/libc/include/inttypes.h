// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Upstream includes this for printf formats only in debug builds.
#ifndef LIBC_INTTYPES_H
#define LIBC_INTTYPES_H

#include <stdint.h>

#endif // LIBC_INTTYPES_H
