// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What several processors need of the collector's tables, which are private to py/gc.c.
#ifndef KERNEL_LOCKED_GC_H
#define KERNEL_LOCKED_GC_H

#include <stddef.h>

// Marks the objects that a stopped processor's pointers lead to, and those next to it.
void gc_collect_stopped(void **ptrs, size_t len);

// Takes free blocks, at most count, each as an object of its own; returns how many
// it has stored.  Never collects.  The caller has the collector's lock.
size_t gc_take_blocks(void **blocks, size_t count);

#endif // KERNEL_LOCKED_GC_H
