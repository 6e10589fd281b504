// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef KERNEL_MCU_X86_64_MEMORY_H
#define KERNEL_MCU_X86_64_MEMORY_H

// Chooses how memcpy and memmove copy, from what the processor says of itself.
// Before the call they work too, in the way that is good everywhere.
void memory_init(void);

#endif // KERNEL_MCU_X86_64_MEMORY_H
