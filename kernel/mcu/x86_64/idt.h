// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef KERNEL_MCU_X86_64_IDT_H
#define KERNEL_MCU_X86_64_IDT_H

// Directs exceptions to exception_handler(); the timer's and the serial port's
// interrupts only end a halt, all others are ignored.
void idt_init(void);

#endif // KERNEL_MCU_X86_64_IDT_H
