// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef KERNEL_MCU_X86_64_GDT_H
#define KERNEL_MCU_X86_64_GDT_H

#define GDT_KERNEL_CODE 0x08
#define GDT_KERNEL_DATA 0x10
#define GDT_TSS         0x18

// Slots of the interrupt stack table, 1 to 7.  These exceptions may occur when
// the current stack is not usable, a page fault on a stack overflow, so each has
// a stack of its own.
#define IST_DOUBLE_FAULT  1
#define IST_NMI           2
#define IST_MACHINE_CHECK 3
#define IST_PAGE_FAULT    4
#define IST_COUNT         4

// Loads a GDT of the kernel's own and a task state segment with the stacks above.
void gdt_init(void);

#endif // KERNEL_MCU_X86_64_GDT_H
