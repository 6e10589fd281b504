// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef KERNEL_MCU_X86_64_MEMORY_H
#define KERNEL_MCU_X86_64_MEMORY_H

// Chooses by CPUID how memcpy and memmove copy.  They work before the call too,
// with 16-byte moves.
void memory_init(void);

#endif // KERNEL_MCU_X86_64_MEMORY_H
