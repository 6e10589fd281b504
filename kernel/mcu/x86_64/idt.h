// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef KERNEL_MCU_X86_64_IDT_H
#define KERNEL_MCU_X86_64_IDT_H

// Points every exception at exception_handler(), lets the interrupts of irq.h end a
// halt and ignores every other.
void idt_init(void);

#endif // KERNEL_MCU_X86_64_IDT_H
