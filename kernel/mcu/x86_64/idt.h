// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef KERNEL_MCU_X86_64_IDT_H
#define KERNEL_MCU_X86_64_IDT_H

// Makes the table that all processors share.  It directs exceptions to
// exception_handler(); the timer's and the serial port's interrupts only end a halt,
// another processor's go to smp.c, all others are ignored.
void idt_init(void);

// Loads it into this processor.
void idt_load(void);

#endif // KERNEL_MCU_X86_64_IDT_H
