// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The two legacy interrupt controllers (Intel 8259A data sheet; ports and wiring
// as on the PC/AT).
#ifndef KERNEL_MCU_X86_64_PIC_H
#define KERNEL_MCU_X86_64_PIC_H

#define PIC1_COMMAND 0x20
#define PIC1_DATA    0x21
#define PIC2_COMMAND 0xa0
#define PIC2_DATA    0xa1
#define PIC_ICW1_INIT_WITH_ICW4 0x11
#define PIC_ICW4_8086           0x01
#define PIC_CASCADE_IRQ         2
#define PIC_MASK_ALL            0xff
#define PIC_END_OF_INTERRUPT    0x20 // non-specific

// First of the controllers' 16 vectors.
#define IRQ_VECTOR_BASE 32

#define IRQ_TIMER    0
#define IRQ_KEYBOARD 1
#define IRQ_COM1     4

#endif // KERNEL_MCU_X86_64_PIC_H
