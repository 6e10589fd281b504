// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The programmable interval timer (Intel 8254 data sheet; ports and rate as on
// the PC/AT).  irq.c runs channel 0, clock.c channel 2.
#ifndef KERNEL_MCU_X86_64_PIT_H
#define KERNEL_MCU_X86_64_PIT_H

#define PIT_HZ          1193182
#define PIT_CHANNEL0    0x40
#define PIT_CHANNEL2    0x42
#define PIT_COMMAND     0x43
#define PIT_CH0_MODE2   0x34 // channel 0, low byte then high, rate generator
#define PIT_CH2_MODE0   0xb0 // channel 2, low byte then high, interrupt on terminal count

#endif // KERNEL_MCU_X86_64_PIT_H
