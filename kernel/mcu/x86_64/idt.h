// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef KERNEL_MCU_X86_64_IDT_H
#define KERNEL_MCU_X86_64_IDT_H

// Points every exception at fault_handler() and ignores every other interrupt.
// The legacy interrupt controllers are moved clear of the exceptions and masked.
void idt_init(void);

#endif // KERNEL_MCU_X86_64_IDT_H
