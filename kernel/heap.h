// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Where the memory of Python objects and of compiled code comes from.
#ifndef KERNEL_HEAP_H
#define KERNEL_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Starts the garbage collector on the initial heap.  Ranges handed over with
// heap_reserve() are kept, and empty again.
void heap_init(void);

// Hands the collector a range that it may grow into, for as long as the machine
// runs.  False when the table of ranges is full.
bool heap_reserve(uintptr_t start_virt, size_t size);

// Empties the segment of compiled code: no function compiled so far may be called again.
void native_code_reset(void);

#endif // KERNEL_HEAP_H
