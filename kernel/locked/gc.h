// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What several processors need of the collector's tables, which are private to py/gc.c.
#ifndef KERNEL_LOCKED_GC_H
#define KERNEL_LOCKED_GC_H

#include <stddef.h>

// Marks the objects that a stopped processor's pointers lead to, and those next to it.
void gc_collect_stopped(void **ptrs, size_t len);

#endif // KERNEL_LOCKED_GC_H
